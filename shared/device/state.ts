/** `/state`: a device as the gateway, `ps` and the page show it. */
import { formatIpv4 } from '../header/address.ts';
import type { DeviceKind, Impairment } from '../lab/plan-types.ts';
import type { PhyCounters } from '../nic/phy.ts';
import type { Verdicts } from '../wire/verdict.ts';
import type { WireCounters, WireNumbers } from '../wire/wire.ts';
import type { Cables } from './cables.ts';
import type { Device, ProcessRow } from './device.ts';

/** What this end can say of the frames of both directions; the far end says the rest (the gateway's ledger.ts). */
export interface EndLedger {
  /** Frames that the port has given to the wire. */
  readonly given: number;
  /** Of those, how many are still here. */
  readonly waiting: number;
  readonly verdicts: Readonly<Verdicts>;
  readonly numbers: WireNumbers;
  /** What the physical layer made of the frames that came. */
  readonly phy: Readonly<PhyCounters>;
}

export interface PortState {
  readonly name: string;
  readonly mac: string | null;
  readonly addresses: readonly string[];
  readonly mtu: number;
  /** The wire and the far end, null when nothing is plugged in. */
  readonly wire: string | null;
  readonly peer: string | null;
  readonly carrier: boolean;
  readonly plugged: boolean;
  /** What this end sends is lost: a one-way cut. */
  readonly cut: boolean;
  readonly egress: Impairment;
  readonly counters: Readonly<WireCounters> | null;
  readonly ledger: EndLedger | null;
}

export interface DeviceState {
  readonly name: string;
  readonly kind: DeviceKind;
  readonly role: string | null;
  readonly pid: number;
  /** Lab time, microseconds, and how long this process has run, seconds. */
  readonly now: number;
  readonly uptime: number;
  readonly ports: readonly PortState[];
  readonly processes: readonly ProcessRow[];
  readonly skbsLive: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly garbage: Readonly<Record<string, number>>;
}

export function stateOf(device: Device, cables: Cables, garbage: ReadonlyMap<string, number>): DeviceState {
  return {
    name: device.name,
    kind: device.plan.kind,
    role: device.plan.role,
    pid: process.pid,
    now: device.host.clock.now(),
    uptime: Math.round(process.uptime() * 10) / 10,
    ports: device.plan.ports.map((port) => {
      const wire = cables.wires.get(port.name);
      return {
        name: port.name,
        mac: port.mac,
        addresses: addressesOf(device, port.name, port.addresses),
        mtu: port.mtu,
        wire: port.wire?.name ?? null,
        peer: port.wire?.peer ?? null,
        carrier: wire?.carrier ?? false,
        plugged: wire?.plugged ?? false,
        cut: wire?.isCut ?? false,
        egress: wire === undefined ? {} : cables.impairmentOf(port.name),
        counters: wire === undefined ? null : { ...wire.counters },
        ledger: ledgerOf(device, cables, port.name),
      };
    }),
    processes: device.processes(),
    skbsLive: device.host.skbs.counters.live,
    drops: Object.fromEntries(device.host.skbs.counters.drops),
    garbage: Object.fromEntries(garbage),
  };
}

function ledgerOf(device: Device, cables: Cables, port: string): EndLedger | null {
  const wire = cables.wires.get(port);
  const verdicts = cables.countsOf(port);
  const phy = device.phys.get(port);
  if (wire === undefined || verdicts === undefined || phy === undefined) return null;
  const { taken: given, waiting, numbers } = wire;
  return { given, waiting, verdicts: { ...verdicts }, numbers, phy: { ...phy.counters } };
}

function addressesOf(device: Device, port: string, planned: readonly string[]): readonly string[] {
  const now = device.addresses();
  if (now === undefined) return planned;
  return now.filter((row) => row.dev === port).map((row) => `${formatIpv4(row.address)}/${row.prefix}`);
}
