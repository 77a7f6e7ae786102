/**
 * What only the whole lab shows: two devices with one address, ends of a LAN that share no subnet, a gateway that is
 * nobody's.
 */
import { formatIpv4, formatMac, type Ipv4, networkOf } from '../header/address.ts';
import { type Cidr, deviceLabel, type LabDevice, type LabFile } from './model.ts';
import { didYouMean, type Located, oneOf, type Problems } from './problem.ts';
import { type Interface, inSubnet, isPrivate, type Topology, topologyOf } from './topology.ts';

/** Of a lab that is not `complete` (a wire or address could not be read) neighbours are unknown, and not asked about. */
export function checkNetwork(lab: Pick<LabFile, 'devices' | 'wires'>, complete: boolean, problems: Problems): void {
  const topology = topologyOf(lab);
  checkMacs(lab.devices, problems);
  checkDoubleAddresses(topology, problems);
  checkOneDevice(topology, problems);
  if (complete) checkLans(topology, problems);
  for (const device of lab.devices) {
    if (device.gateway !== undefined)
      checkNextHop(device, device.gateway, { what: 'gateway', complete }, topology, problems);
    for (const { value: route } of device.routes) {
      if (route.via !== undefined) checkNextHop(device, route.via, { what: 'next hop', complete }, topology, problems);
    }
  }
}

function cidrText({ address, prefix }: Cidr): string {
  return `${formatIpv4(address)}/${prefix}`;
}

function subnetText({ address, prefix }: Cidr): string {
  return `${formatIpv4(networkOf(address, prefix))}/${prefix}`;
}

function endText(at: { readonly device: LabDevice; readonly port: string }): string {
  return `${at.device.name.value}:${at.port}`;
}

/** A MAC address is burned into one card. */
function checkMacs(devices: readonly LabDevice[], problems: Problems): void {
  const owners = new Map<number, string>();
  for (const device of devices) {
    for (const port of device.ports.values()) {
      if (port.mac === undefined) continue;
      const end = `${device.name.value}:${port.name}`;
      const owner = owners.get(port.mac.value);
      if (owner !== undefined) {
        const message = `${end} has the MAC address ${formatMac(port.mac.value)} of ${owner}`;
        problems.add(port.mac.span, message, 'another MAC address, or none: one is made from the names');
      } else owners.set(port.mac.value, end);
    }
  }
}

/** One address has one owner where it can be reached; private ones may come again behind another NAT. */
function checkDoubleAddresses(topology: Topology, problems: Problems): void {
  const owners = new Map<string, Interface>();
  for (const at of topology.interfaces) {
    const realm = isPrivate(at.cidr.address) ? at.realm : 'any';
    const key = `${at.cidr.address} ${realm}`;
    const owner = owners.get(key);
    if (owner === undefined) {
      owners.set(key, at);
      continue;
    }
    const message = `${endText(at)} has the address ${formatIpv4(at.cidr.address)} of ${endText(owner)}`;
    const free = freeAddress(at, topology);
    const expected = `an address of its own in ${subnetText(at.cidr)}`;
    problems.add(at.span, message, expected, free === undefined ? undefined : `${formatIpv4(free)} is free`);
  }
}

/** How far to look for an address to propose. */
const FREE_TRIES_MAX = 254;

function freeAddress(at: Interface, { interfaces }: Topology): Ipv4 | undefined {
  const taken = new Set(interfaces.map(({ cidr }) => cidr.address));
  for (let n = 1; n <= FREE_TRIES_MAX; n++) {
    const next = (at.cidr.address + n) as Ipv4;
    const after = (next + 1) as Ipv4;
    // The next address must be in the subnet too, or this one is the broadcast address.
    if (!inSubnet(next, at.cidr) || !inSubnet(after, at.cidr)) return undefined;
    if (!taken.has(next)) return next;
  }
  return undefined;
}

/** A router with one subnet on two LANs cannot know where to send. */
function checkOneDevice(topology: Topology, problems: Problems): void {
  for (const [i, at] of topology.interfaces.entries()) {
    if (at.device.kind !== 'router') continue;
    for (const before of topology.interfaces.slice(0, i)) {
      if (before.device !== at.device || before.lan === at.lan || before.port === at.port) continue;
      if (!inSubnet(before.cidr.address, at.cidr) && !inSubnet(at.cidr.address, before.cidr)) continue;
      const message = `${endText(at)} (${cidrText(at.cidr)}) overlaps ${endText(before)} (${cidrText(before.cidr)}) on another LAN`;
      problems.add(at.span, message, 'another subnet for each LAN', 'lan: [ … ] bridges ports into one LAN');
      break;
    }
  }
}

/** Everyone on a LAN must have somebody there to talk to. */
function checkLans({ interfaces }: Topology, problems: Problems): void {
  const lans = new Map<number, Interface[]>();
  for (const at of interfaces) lans.set(at.lan, [...(lans.get(at.lan) ?? []), at]);
  for (const members of lans.values()) {
    if (new Set(members.map(endText)).size < 2) continue;
    const alone = members.filter((at) => !members.some((other) => endText(other) !== endText(at) && meet(at, other)));
    // When nobody shares a subnet with anybody, the first is as right as any: measure the others by it.
    const blamed = alone.length === members.length ? alone.slice(1) : alone;
    for (const at of blamed) {
      const others = members.filter((other) => endText(other) !== endText(at));
      // A second address of a port that has a good one is its owner's business.
      if (members.some((other) => endText(other) === endText(at) && !alone.includes(other))) continue;
      const shown = others.slice(0, 3).map((other) => `${endText(other)} ${cidrText(other.cidr)}`);
      const more = others.length > shown.length ? ', …' : '';
      const message = `${endText(at)} (${cidrText(at.cidr)}) shares no subnet with its LAN (${shown.join(', ')}${more})`;
      const subnets = [...new Set(others.map((other) => subnetText(other.cidr)))];
      problems.add(at.span, message, `an address in ${oneOf(subnets)}`);
    }
  }
}

function meet(one: Interface, other: Interface): boolean {
  return inSubnet(other.cidr.address, one.cidr) && inSubnet(one.cidr.address, other.cidr);
}

/** A next hop must be on a subnet of the device, and somebody's there. */
function checkNextHop(
  device: LabDevice,
  hop: Located<Ipv4>,
  { what, complete }: { readonly what: string; readonly complete: boolean },
  topology: Topology,
  problems: Problems,
): void {
  const address = hop.value;
  const label = deviceLabel(device);
  const own = topology.interfaces.filter((at) => at.device === device);
  const through = own.find((at) => inSubnet(address, at.cidr));
  if (through === undefined) {
    if (device.kind === undefined || device.portsUnsure || hasBadPort(device)) return;
    const subnets = [...new Set(own.map((at) => subnetText(at.cidr)))];
    const near = own.flatMap((at) => neighbours(at, topology)).find(({ device: d }) => d.kind === 'router');
    const expected = subnets.length === 0 ? 'a port with an address first' : `an address in ${oneOf(subnets)}`;
    const hint = near === undefined ? undefined : didYouMean(formatIpv4(near.cidr.address));
    problems.add(hop.span, `${what} ${formatIpv4(address)} is on no subnet of ${label}`, expected, hint);
    return;
  }
  if (own.some((at) => at.cidr.address === address)) {
    problems.add(hop.span, `${what} ${formatIpv4(address)} of ${label} is its own address`, "a neighbour's address");
    return;
  }
  const others = neighbours(through, topology);
  if (!complete || others.length === 0 || others.some((at) => at.cidr.address === address)) return;
  const reachable = others.filter((at) => inSubnet(at.cidr.address, through.cidr));
  if (reachable.length === 0) return;
  const router = reachable.find((at) => at.device.kind === 'router') ?? reachable[0];
  const shown = reachable.map((at) => `${formatIpv4(at.cidr.address)} (${endText(at)})`);
  const hint = router === undefined ? undefined : didYouMean(formatIpv4(router.cidr.address));
  const message = `nobody on the LAN of ${endText(through)} has the ${what} ${formatIpv4(address)}`;
  problems.add(hop.span, message, oneOf(shown), hint);
}

/** A port whose address could not be read: its subnet is unknown. */
function hasBadPort(device: LabDevice): boolean {
  return [...device.ports.values()].some((port) => port.unsure);
}

function neighbours(at: Interface, { interfaces }: Topology): Interface[] {
  return interfaces.filter((other) => other.lan === at.lan && other.device !== at.device);
}
