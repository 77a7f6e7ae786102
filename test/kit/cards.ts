/** Hosts with cards on wires in memory: what cable.ts leaves out. The frames have their preamble and FCS here. */

import { nodePlatform } from '../../shared/device/platform.ts';
import { type Mac, parseCidr } from '../../shared/header/address.ts';
import { Host } from '../../shared/net/host.ts';
import type { NetDevice } from '../../shared/net/netdev.ts';
import { nicOf, probe } from '../../shared/nic/driver.ts';
import type { Nic } from '../../shared/nic/nic.ts';
import { assert, type Clock } from '../../shared/platform.ts';
import type { Wire } from '../../shared/wire/wire.ts';
import { ip } from './cable.ts';
import { testRandom } from './random.ts';

let hosts = 0;
let macs = 0;

export const platform = nodePlatform();

/** A kernel with `lo` up. */
export function cardHost(name: string, clock: Clock): Host {
  const host = new Host({ name, index: ++hosts, clock, random: testRandom(name), platform });
  const lo = host.devices.byName('lo');
  assert(lo !== undefined, 'every host has lo');
  host.devices.setUp(lo, true);
  host.inet.addAddress(lo, ip('127.0.0.1'), { prefix: 8 });
  return host;
}

/** A card of `host` on a wire, up, with its addresses. */
export function addCard(
  host: Host,
  name: string,
  wire: Wire,
  { addresses = [], mtu = 1_500, mac }: { addresses?: readonly string[]; mtu?: number; mac?: Mac } = {},
): { dev: NetDevice; nic: Nic } {
  const dev = probe(host, { name, mac: mac ?? ((0x0200_0000_1000 + ++macs) as Mac), mtu, wire });
  host.devices.setUp(dev, true);
  for (const text of addresses) {
    const cidr = parseCidr(text);
    assert(cidr !== undefined, 'an address of a test');
    host.inet.addAddress(dev, cidr.address, { prefix: cidr.prefix });
  }
  const nic = nicOf(dev);
  assert(nic !== undefined, 'probe made a card');
  return { dev, nic };
}
