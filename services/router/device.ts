/** A router: a host with several cards that passes on what is not for it; a home router also translates and bridges. */
import { bridgeDevice } from '../../shared/bridge/bridge-device.ts';
import { addressRows, configureIp } from '../../shared/device/configure.ts';
import type { AddressRow, Device, DeviceParts } from '../../shared/device/device.ts';
import { assemble, cards } from '../../shared/device/kernel.ts';
import { stubResolver } from '../../shared/device/residents.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';
import type { Host } from '../../shared/net/host.ts';
import type { Phy } from '../../shared/nic/phy.ts';
import { assert } from '../../shared/platform.ts';

const FORWARDING = { 'net.ipv4.ip_forward': '1' };
/** The bridge over the ports of the LAN; their address is its. */
const LAN_BRIDGE = 'br0';

export function build(plan: DevicePlan, parts: DeviceParts): Device {
  const deviceOf = (port: string): string => (plan.lan.includes(port) ? LAN_BRIDGE : port);
  // First, so that the lab file can still say otherwise.
  const forwarding = { ...plan, sysctl: { ...FORWARDING, ...plan.sysctl } };
  return assemble(forwarding, parts, {
    ports,
    configure: (host, own) => {
      configureIp(host, own, deviceOf);
      // What passes is counted from the start, for `iptables -L -v`.
      host.tables.get('filter')?.register(host);
    },
    residents: [...stubResolver(plan), ...plan.run],
    addresses: (host) => rows(host, plan),
  });
}

/** Cards, and one LAN of those that `lan` names. */
function ports(host: Host, plan: DevicePlan, parts: DeviceParts): ReadonlyMap<string, Phy> {
  const phys = cards(host, plan, parts);
  const members = plan.lan.map((name) => {
    const dev = host.devices.byName(name);
    assert(dev !== undefined, 'lan names ports');
    return dev;
  });
  if (members.length > 0) bridgeDevice(host, { name: LAN_BRIDGE, ports: members });
  return phys;
}

/** The bridge's addresses are shown at the first port of the LAN, as the lab file has them. */
function rows(host: Host, plan: DevicePlan): AddressRow[] {
  return addressRows(host).map((row) => (row.dev === LAN_BRIDGE ? { ...row, dev: plan.lan[0] ?? row.dev } : row));
}
