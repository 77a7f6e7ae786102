/**
 * What `/state` answers (state.ts makes it). Types alone, without the device behind them: they are also what a test with
 * wirelab in it reads, and its compiler is to need nothing else.
 */
import type { DeviceKind, Impairment } from '../lab/plan-types.ts';
import type { PhyCounters } from '../nic/phy.ts';
import type { Verdicts } from '../wire/verdict.ts';
import type { WireCounters, WireNumbers } from '../wire/wire.ts';
import type { ProcessRow } from './device.ts';

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
