/**
 * Who can hear whom: LANs (ports that share a broadcast domain, through wires, switches and bridged `lan` ports) and
 * realms (LANs that routers join without translating addresses, RFC 2663's word). Built from a lab file that was read.
 */
import { type Ipv4, isMulticastIpv4, networkOf } from '../header/address.ts';
import type { Cidr, LabDevice, LabFile } from './model.ts';
import type { Span } from './problem.ts';

/** One address on one port. */
export interface Interface {
  readonly device: LabDevice;
  readonly port: string;
  readonly cidr: Cidr;
  readonly span: Span;
  /** Ports with one number share a broadcast domain. */
  readonly lan: number;
  /** LANs with one number reach each other without NAT. */
  readonly realm: number;
}

/** Sets that only ever grow together, with path halving. */
class UnionFind {
  private readonly parent: number[] = [];

  make(): number {
    this.parent.push(this.parent.length);
    return this.parent.length - 1;
  }

  find(a: number): number {
    while (this.parent[a] !== a) a = this.parent[a] = this.parent[this.parent[a] ?? a] ?? a;
    return a;
  }

  join(a: number, b: number): void {
    const one = this.find(a);
    const other = this.find(b);
    this.parent[Math.max(one, other)] = Math.min(one, other);
  }
}

export interface Topology {
  readonly interfaces: readonly Interface[];
  /** The broadcast domain of a port, by `device:port`. */
  lanOf(device: string, port: string): number;
}

export function topologyOf(lab: Pick<LabFile, 'devices' | 'wires'>): Topology {
  const lans = new UnionFind();
  const ports = new Map<string, number>();
  for (const device of lab.devices) {
    for (const port of device.ports.keys()) ports.set(`${device.name.value}:${port}`, lans.make());
  }
  const id = (device: string, port: string): number => ports.get(`${device}:${port}`) ?? 0;
  for (const wire of lab.wires) lans.join(id(wire.a.device, wire.a.port), id(wire.b.device, wire.b.port));
  for (const device of lab.devices) {
    const name = device.name.value;
    const bridged = device.kind === 'switch' ? [...device.ports.keys()] : bridgedPorts(device);
    for (const port of bridged.slice(1)) lans.join(id(name, bridged[0] ?? port), id(name, port));
  }
  const realms = new UnionFind();
  for (let n = 0; n < ports.size; n++) realms.make();
  for (const port of ports.values()) realms.join(lans.find(port), port);
  for (const device of lab.devices) {
    const inside = [...device.ports.keys()].filter((port) => port !== device.nat?.value);
    for (const port of inside.slice(1)) {
      realms.join(id(device.name.value, inside[0] ?? port), id(device.name.value, port));
    }
  }
  const interfaces: Interface[] = [];
  for (const device of lab.devices) {
    for (const port of device.ports.values()) {
      const number = id(device.name.value, port.name);
      for (const { value: cidr, span } of port.addresses) {
        interfaces.push({ device, port: port.name, cidr, span, lan: lans.find(number), realm: realms.find(number) });
      }
    }
  }
  return { interfaces, lanOf: (device, port) => lans.find(id(device, port)) };
}

/** The ports of `lan:` that are there. */
function bridgedPorts(device: LabDevice): string[] {
  return device.lan.map(({ value }) => value).filter((port) => device.ports.has(port));
}

export function inSubnet(address: Ipv4, { address: of, prefix }: Cidr): boolean {
  return networkOf(address, prefix) === networkOf(of, prefix);
}

/** RFC 1918, and RFC 6598's shared space: addresses that many networks use. */
export function isPrivate(address: Ipv4): boolean {
  const ranges: readonly (readonly [number, number])[] = [
    [0x0a00_0000, 8],
    [0xac10_0000, 12],
    [0xc0a8_0000, 16],
    [0x6440_0000, 10],
    [0xa9fe_0000, 16],
  ];
  if (isMulticastIpv4(address)) return false;
  return ranges.some(([network, prefix]) => networkOf(address, prefix) === network);
}
