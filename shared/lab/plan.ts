/**
 * A checked lab to its plan: who listens and who dials, addresses, MACs, seeds, and the slice each process gets. The
 * same lab file gives the same plan on every machine. Plain data; no I/O.
 */
import { formatIpv4, formatMac, type Mac } from '../header/address.ts';
import type { Cidr, LabDevice, LabFile, LabPort, LabRoute, LabWire } from './model.ts';
import type { DevicePlan, LabPlan, PortPlan, RoutePlan, WirePlan } from './plan-types.ts';

/** Ethernet's, RFC 894. */
const MTU_DEFAULT = 1_500;
/** Locally administered, one card's: the second-lowest bit of the first octet (IEEE 802 §8.4). */
const MAC_LOCAL = 0x02_00_00_00_00_00;
const MAC_HASH_HIGH = 0x1_00_00_00_00;

export interface PlanOptions {
  /** Absolute path of the lab's folder. */
  readonly folder: string;
  /** Instead of the lab file's. */
  readonly seed?: number;
}

export function planLab(lab: LabFile, { folder, seed = lab.seed }: PlanOptions): LabPlan {
  const wires = lab.wires.map(
    ({ name, a, b, forward, backward }): WirePlan => ({
      name,
      a: { device: a.device, port: a.port },
      b: { device: b.device, port: b.port },
      forward,
      backward,
    }),
  );
  const macs = new MacMaker(lab);
  const ends = wireEnds(lab.wires);
  const devices = lab.devices.map((device, index) => planDevice(device, index + 1, { lab, seed, macs, ends }));
  return { name: lab.name, folder, seed, devices, wires };
}

/** Where a device's wires are: `ws://HOST:PORT` of the device that listens. */
export type WireBase = (device: string) => string;

/** Every device's slice, by name, with the address of the far end for those who dial. */
export function slices(plan: LabPlan, wireBase: WireBase): Map<string, DevicePlan> {
  return new Map(plan.devices.map((device) => [device.name, withUrls(device, wireBase)]));
}

/** One device's slice as its engine hands it over. */
export function withUrls(device: DevicePlan, wireBase: WireBase): DevicePlan {
  const ports = device.ports.map((port): PortPlan => {
    if (port.wire === null || port.wire.listens) return port;
    const peer = port.wire.peer.slice(0, port.wire.peer.indexOf(':'));
    return { ...port, wire: { ...port.wire, url: `${wireBase(peer)}/wires/${port.wire.name}` } };
  });
  return { ...device, ports };
}

interface Context {
  readonly lab: LabFile;
  readonly seed: number;
  readonly macs: MacMaker;
  readonly ends: ReadonlyMap<string, PortPlan['wire']>;
}

function planDevice(device: LabDevice, index: number, { lab, seed, macs, ends }: Context): DevicePlan {
  const name = device.name.value;
  const ports = [...device.ports.values()].map((port) => planPort(device, port, macs, ends));
  return {
    lab: lab.name,
    name,
    index,
    kind: device.kind ?? 'host',
    role: device.role?.value ?? null,
    seed: hash32(`${seed}/${lab.name}/${name}`),
    ports,
    routes: planRoutes(device),
    dns: device.dns.map(({ value }) => formatIpv4(value)),
    search: device.search.map(({ value }) => value),
    hosts: device.hosts.map(({ address, names }) => ({ address: formatIpv4(address), names })),
    nat: device.nat === undefined ? null : { outside: device.nat.value },
    lan: device.lan.map(({ value }) => value),
    sysctl: Object.fromEntries(device.sysctl.map(({ key, value }) => [key.value, value.value])),
    run: device.run.map(({ value }) => value),
    cpu: device.cpu,
    zones: device.zones.map(({ origin, file }) => ({ origin: origin.value, file: file.value })),
    hints: device.hints?.value ?? null,
  };
}

function planPort(
  device: LabDevice,
  port: LabPort,
  macs: MacMaker,
  ends: ReadonlyMap<string, PortPlan['wire']>,
): PortPlan {
  const end = `${device.name.value}:${port.name}`;
  return {
    name: port.name,
    mac: device.kind === 'switch' ? null : formatMac(macs.of(end)),
    addresses: port.addresses.map(({ value }) => cidrText(value)),
    mtu: port.mtu ?? MTU_DEFAULT,
    wire: ends.get(end) ?? null,
  };
}

function planRoutes(device: LabDevice): RoutePlan[] {
  const routes = device.routes.map(({ value }) => planRoute(value));
  if (device.gateway === undefined) return routes;
  return [{ to: 'default', via: formatIpv4(device.gateway.value), dev: null, metric: 0 }, ...routes];
}

function planRoute({ to, via, dev, metric }: LabRoute): RoutePlan {
  return {
    to: to === undefined ? 'default' : cidrText(to),
    via: via === undefined ? null : formatIpv4(via.value),
    dev: dev?.value ?? null,
    metric,
  };
}

function cidrText({ address, prefix }: Cidr): string {
  return `${formatIpv4(address)}/${prefix}`;
}

/** What each end knows of its wire; the first-named listens. */
function wireEnds(wires: readonly LabWire[]): Map<string, PortPlan['wire']> {
  const ends = new Map<string, PortPlan['wire']>();
  for (const { name, a, b, forward, backward } of wires) {
    const one = `${a.device}:${a.port}`;
    const other = `${b.device}:${b.port}`;
    ends.set(one, { name, listens: true, peer: other, url: null, egress: forward });
    ends.set(other, { name, listens: false, peer: one, url: null, egress: backward });
  }
  return ends;
}

/** Gives every card without a MAC one of its own, made from lab, device and port. */
class MacMaker {
  private readonly made = new Map<string, Mac>();

  constructor(lab: LabFile) {
    const taken = new Set<number>();
    for (const { name, ports } of lab.devices) {
      for (const port of ports.values()) {
        if (port.mac === undefined) continue;
        this.made.set(`${name.value}:${port.name}`, port.mac.value);
        taken.add(port.mac.value);
      }
    }
    for (const { name, ports } of lab.devices) {
      for (const port of ports.values()) {
        const end = `${name.value}:${port.name}`;
        if (this.made.has(end)) continue;
        let mac = macFrom(`${lab.name}/${end}`);
        for (let again = 1; taken.has(mac); again++) mac = macFrom(`${lab.name}/${end}/${again}`);
        this.made.set(end, mac);
        taken.add(mac);
      }
    }
  }

  of(end: string): Mac {
    return this.made.get(end) ?? macFrom(end);
  }
}

function macFrom(text: string): Mac {
  const low = hash32(text);
  const high = hash32(`${text}/high`) & 0xff;
  return (MAC_LOCAL + high * MAC_HASH_HIGH + low) as Mac;
}

/** FNV-1a with MurmurHash3's finish, 32 bits: names that differ in one letter end far apart. */
export function hash32(text: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
