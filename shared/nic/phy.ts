/**
 * The physical layer of a port, the same for a host's card and a switch's: preamble, start frame delimiter and FCS are
 * put around a frame on its way out and checked on its way in; carrier; and the tap where captures see the cable.
 * (IEEE 802.3 §3 and §4)
 *
 * Interface:
 * - Sending: at = start(size, …), write the frame at out.bytes[at…], finish(); kick() once per burst. forwardRun() sends
 *   frames that stand in a received batch, unchanged.
 * - Receiving: the listener gets each good frame with its place in the batch, then onBurstEnd().
 * - What is wrong with a frame is counted here and dropped with its reason.
 * - The tap sees every frame of the right length, in and out, also one whose FCS is wrong.
 */
import { CABLE, ETHERNET, FRAME_OVERHEAD, FRAME_SIZE_MIN } from '../header/ethernet.ts';
import type { DropReason } from '../net/drop.ts';
import type { Host } from '../net/host.ts';
import { assert, type Platform } from '../platform.ts';
import type { FrameBatch } from '../wire/frame-batch.ts';
import type { Wire, WireListener } from '../wire/wire.ts';

/** A frame with a VLAN tag may be four octets longer than its MTU says (IEEE 802.3 §3.2.7). */
const VLAN_TAG = 4;
/** Octets on the cable around a frame. */
const AROUND = CABLE.LEAD + CABLE.FCS;
/** Preamble and SFD as the two words that they are. */
const LEAD_HIGH = 0x5555_5555;
const LEAD_LOW = 0x5555_55d5;

export interface PhyListener {
  /** A frame with a good FCS, in batch.bytes[at, at + size) without FCS; it is frame `i` of the batch. */
  onFrame(batch: FrameBatch, i: number, at: number, size: number): void;
  /** The batch ends here: what was put off for it must be done before it is gone. */
  onBurstEnd(batch: FrameBatch): void;
  /** A frame was refused, by the phy or through refuse(); it is counted there already. */
  onRefused(reason: DropReason): void;
  onCarrier(up: boolean): void;
  onReady(): void;
}

/** bytes[at, at + size): Ethernet frame with FCS, no preamble. Numbers count per direction from 0 at this end. */
export type PhyTap = (
  direction: 'in' | 'out',
  bytes: Uint8Array,
  at: number,
  size: number,
  traceDevice: number,
  traceNumber: number,
  cause: number,
  frameNumber: number,
) => void;

export interface PhyCounters {
  rxFrames: number;
  rxBytes: number;
  rxCrcErrors: number;
  rxShort: number;
  rxLong: number;
  rxBadPreamble: number;
  /** Came while the port was down. */
  rxDown: number;
  txFrames: number;
  txBytes: number;
}

/** Frames that the physical layer refused, by their drop reason. */
export function refusals(counters: Readonly<PhyCounters>): [reason: DropReason, frames: number][] {
  const { rxShort, rxLong, rxBadPreamble, rxCrcErrors, rxDown } = counters;
  return [
    ['frame_too_short', rxShort],
    ['frame_too_long', rxLong],
    ['bad_preamble', rxBadPreamble],
    ['fcs_error', rxCrcErrors],
    ['dev_down', rxDown],
  ];
}

/** The port's net device, or as much of it as a phy needs: its MTU may change while it runs. */
export interface PhyOptions {
  /** The port's name: `eth0`. */
  readonly name: string;
  readonly mtu: number;
}

export class Phy implements WireListener {
  readonly name: string;
  readonly counters: PhyCounters = {
    rxFrames: 0,
    rxBytes: 0,
    rxCrcErrors: 0,
    rxShort: 0,
    rxLong: 0,
    rxBadPreamble: 0,
    rxDown: 0,
    txFrames: 0,
    txBytes: 0,
  };
  tap: PhyTap | undefined;
  /** Where start() put the frame that is being written. */
  out!: FrameBatch;
  wire: Wire | undefined;
  private readonly host: Host;
  private readonly port: PhyOptions;
  private readonly listener: PhyListener;
  private outAt = 0;
  private outSize = 0;
  private outNumber = 0;
  private portUp = false;

  constructor(host: Host, listener: PhyListener, port: PhyOptions) {
    this.host = host;
    this.listener = listener;
    this.port = port;
    this.name = port.name;
  }

  get mtu(): number {
    return this.port.mtu;
  }

  /** Plug a wire in. */
  attach(wire: Wire): void {
    this.wire = wire;
    wire.attach(this);
    wire.setPortUp(this.portUp);
    if (wire.carrier) this.listener.onCarrier(true);
  }

  /** Its device has died: whatever still runs there for a moment has no wire any more. */
  detach(): void {
    this.wire = undefined;
  }

  get platform(): Platform {
    return this.host.platform;
  }

  get carrier(): boolean {
    return this.wire?.carrier ?? false;
  }

  get ready(): boolean {
    return this.wire?.ready ?? true;
  }

  setPortUp(up: boolean): void {
    this.portUp = up;
    this.wire?.setPortUp(up);
  }

  /**
   * Begin a frame of `size` octets, without FCS, at least FRAME_SIZE_MIN: where in out.bytes it is to be written.
   * Only with carrier.
   */
  start(size: number, traceDevice: number, traceNumber: number, cause: number): number {
    assert(this.wire !== undefined && size >= FRAME_SIZE_MIN, 'frames are sent on a wire, padded');
    const batch = this.wire.reserve(size + AROUND);
    const at = batch.append(size + AROUND, traceDevice, traceNumber, cause);
    batch.view.setUint32(at, LEAD_HIGH);
    batch.view.setUint32(at + 4, LEAD_LOW);
    this.out = batch;
    this.outAt = at + CABLE.LEAD;
    this.outSize = size;
    return this.outAt;
  }

  /** The frame is written: its FCS is put behind it. */
  finish(): void {
    const { out, outAt, outSize } = this;
    const end = outAt + outSize;
    out.view.setUint32(end, this.host.platform.crc32(out.bytes, outAt, end), true);
    this.sent(out, out.count - 1);
  }

  /** Send frames [from, to) of a received batch as they are, FCS included. Only with carrier. */
  forwardRun(batch: FrameBatch, from: number, to: number): void {
    assert(this.wire !== undefined, 'frames are sent on a wire');
    if (from === 0 && to === batch.count && this.wire.passOn(batch)) {
      for (let k = 0; k < to; k++) this.sent(batch, k);
      return;
    }
    let i = from;
    while (i < to) {
      const out = this.wire.reserve(batch.size(i));
      const run = batch.runEnd(i, to);
      const n = out.fitting(batch, i, run);
      if (n === 0) out.appendFrom(batch, i);
      else out.appendRun(batch, i, i + n);
      const sent = Math.max(1, n);
      for (let k = out.count - sent; k < out.count; k++) this.sent(out, k);
      i += sent;
    }
  }

  kick(): void {
    this.wire?.kick();
  }

  onBatch(batch: FrameBatch): void {
    for (let i = 0; i < batch.count; i++) this.receive(batch, i);
    this.listener.onBurstEnd(batch);
  }

  onCarrier(up: boolean): void {
    this.listener.onCarrier(up);
  }

  onReady(): void {
    this.listener.onReady();
  }

  /** A frame as it came off the cable (IEEE 802.3 §4.2.4, in its order: length, FCS, alignment). */
  private receive(batch: FrameBatch, i: number): void {
    const size = batch.sizes[i]! - AROUND;
    const at = batch.offsets[i]! + CABLE.LEAD;
    const { counters } = this;
    if (!this.portUp) {
      counters.rxDown++;
      return this.refuse('dev_down', batch, i, 'phy');
    }
    if (size < ETHERNET.SIZE) {
      counters.rxShort++;
      return this.refuse('frame_too_short', batch, i);
    }
    const { view } = batch;
    if (view.getUint32(at - 8) !== LEAD_HIGH || view.getUint32(at - 4) !== LEAD_LOW) {
      counters.rxBadPreamble++;
      return this.refuse('bad_preamble', batch, i);
    }
    if (this.tap !== undefined) {
      const { traceDevices, traceNumbers, causes, bytes } = batch;
      const number = batch.first + i;
      this.tap('in', bytes, at, size + CABLE.FCS, traceDevices[i]!, traceNumbers[i]!, causes[i]!, number);
    }
    if (size + CABLE.FCS > this.port.mtu + FRAME_OVERHEAD + VLAN_TAG) {
      counters.rxLong++;
      return this.refuse('frame_too_long', batch, i);
    }
    if (this.host.platform.crc32(batch.bytes, at, at + size) !== view.getUint32(at + size, true)) {
      counters.rxCrcErrors++;
      return this.refuse('fcs_error', batch, i);
    }
    if (size < FRAME_SIZE_MIN) {
      counters.rxShort++;
      return this.refuse('frame_too_short', batch, i);
    }
    counters.rxFrames++;
    counters.rxBytes += size;
    this.listener.onFrame(batch, i, at, size);
  }

  /** Count and trace a frame that goes no further. */
  refuse(reason: DropReason, batch: FrameBatch, i: number, place?: string): void {
    const { skbs, trace } = this.host;
    this.listener.onRefused(reason);
    const identity = trace.on
      ? { traceDevice: batch.traceDevices[i]!, traceNumber: batch.traceNumbers[i]!, cause: batch.causes[i]! }
      : undefined;
    skbs.dropFrame(reason, identity, { place, dev: this.name });
  }

  private sent(out: FrameBatch, k: number): void {
    const size = out.sizes[k]! - CABLE.LEAD;
    this.counters.txFrames++;
    this.counters.txBytes += size - CABLE.FCS;
    const number = this.outNumber++;
    if (this.tap === undefined) return;
    const { traceDevices, traceNumbers, causes } = out;
    const at = out.offsets[k]! + CABLE.LEAD;
    this.tap('out', out.bytes, at, size, traceDevices[k]!, traceNumbers[k]!, causes[k]!, number);
  }
}
