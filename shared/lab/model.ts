/**
 * A lab file that was read: every value parsed, and where it stands kept beside it, so that checks that look at the
 * whole lab (two devices with one address) can still point at a line.
 */
import type { Ipv4, Mac } from '../header/address.ts';
import type { DeviceKind, DnsRole, Impairment } from './plan-types.ts';
import type { Located, Span } from './problem.ts';

export interface Cidr {
  readonly address: Ipv4;
  readonly prefix: number;
}

/** A route as `ip route add` takes it; `to` undefined is the default route. */
export interface LabRoute {
  readonly to: Cidr | undefined;
  readonly via: Located<Ipv4> | undefined;
  readonly dev: Located<string> | undefined;
  readonly metric: number;
}

export interface LabPortSettings {
  readonly addresses: readonly Located<Cidr>[];
  readonly mac: Located<Mac> | undefined;
  readonly mtu: number | undefined;
  /** An address could not be read: nobody knows the subnet. */
  readonly unsure: boolean;
}

export interface LabPort extends LabPortSettings {
  readonly name: string;
  readonly span: Span;
}

export interface LabHostsEntry {
  readonly address: Ipv4;
  readonly names: readonly string[];
}

export interface LabZone {
  readonly origin: Located<string>;
  readonly file: Located<string>;
}

export interface LabDevice {
  readonly name: Located<string>;
  /** Undefined when it was missing or misspelt: a problem has been added. */
  readonly kind: DeviceKind | undefined;
  readonly role: Located<DnsRole> | undefined;
  readonly ports: ReadonlyMap<string, LabPort>;
  /** A key was misspelt that may have been a port: do not complain of missing ports. */
  readonly portsUnsure: boolean;
  readonly gateway: Located<Ipv4> | undefined;
  readonly routes: readonly Located<LabRoute>[];
  readonly dns: readonly Located<Ipv4>[];
  readonly search: readonly Located<string>[];
  readonly hosts: readonly LabHostsEntry[];
  readonly nat: Located<string> | undefined;
  readonly lan: readonly Located<string>[];
  readonly sysctl: readonly { readonly key: Located<string>; readonly value: Located<string> }[];
  readonly run: readonly Located<readonly string[]>[];
  readonly cpu: { readonly irq: number; readonly poll: number; readonly packet: number };
  readonly zones: readonly LabZone[];
  readonly hints: Located<string> | undefined;
}

export interface LabWireEnd {
  readonly device: string;
  readonly port: string;
}

export interface LabWire {
  /** `alice:eth0--sw:p1`. */
  readonly name: string;
  readonly span: Span;
  readonly a: LabWireEnd;
  readonly b: LabWireEnd;
  readonly forward: Impairment;
  readonly backward: Impairment;
}

export interface LabFile {
  readonly name: string;
  readonly description: string;
  readonly seed: number;
  readonly devices: readonly LabDevice[];
  readonly wires: readonly LabWire[];
}

/** `alice (host)`: how messages call a device. */
export function deviceLabel(device: { readonly name: Located<string>; readonly kind: DeviceKind | undefined }): string {
  return `${device.name.value} (${device.kind ?? 'no known kind'})`;
}
