/** A host with a card on a wire in memory, and at the other end somebody who writes his own packets. */
import type { Host } from '../../shared/net/host.ts';
import type { NetDevice } from '../../shared/net/netdev.ts';
import { assert } from '../../shared/platform.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { ip } from './cable.ts';
import { addCard, cardHost } from './cards.ts';
import { ManualClock } from './clock.ts';
import { stopsMidFlight } from './mid-flight.ts';
import { WireLink } from './wire-link.ts';

export interface RawPeer {
  readonly clock: ManualClock;
  readonly host: Host;
  readonly dev: NetDevice;
  readonly link: WireLink;
}

/** The host is 10.0.0.2, the peer 10.0.0.9; they know each other's MAC address. */
export async function rawPeer(sysctls: Readonly<Record<string, string>> = {}, name = 'host'): Promise<RawPeer> {
  const clock = new ManualClock(60_000_000);
  const [ours, theirs] = memoryWire(clock, `${name}:eth0`, 'peer:eth0');
  const host = cardHost(name, clock);
  stopsMidFlight(host, clock);
  const { dev } = addCard(host, 'eth0', ours, { addresses: ['10.0.0.2/24'] });
  for (const [key, value] of Object.entries(sysctls)) {
    assert(host.sysctl.set(key, value) === undefined, `sysctl ${key}=${value}`);
  }
  const link = new WireLink(clock, theirs, { address: ip('10.0.0.9'), target: ip('10.0.0.2') });
  assert(await link.resolve(), 'the host answers ARP');
  return { clock, host, dev, link };
}
