/**
 * Trouble as a cable: wraps one end of a wire and does to the frames that leave by it what netem does. (tc-netem(8))
 *
 * The fate of frame n is a function of (seed, wire, direction, n) alone, so a run repeats whatever its timing, and
 * changing one knob leaves the fates that the others decide as they were. Link state passes by. Without a knob set, the
 * inner wire is used as it is.
 *
 *   frame -> mtu -> loss -> duplicate -> corrupt -> rate (a queue with a limit) -> delay, jitter, reorder -> inner wire
 *
 * Interface: impaired(wire, { … }) is a Wire; set(impairment) changes the knobs while it runs; verdicts count fates.
 * Order: jitter reorders, as netem's does; delay alone does not. Corruption flips one bit after the FCS was
 * made, so that the far end's FCS check catches it.
 * Left out: correlation, Gilbert-Elliott loss, slots.
 */
import { CABLE, ETHERNET, FRAME_SIZE_MIN } from '../header/ethernet.ts';
import type { Impairment } from '../lab/plan-types.ts';
import type { Clock, Micros, Platform, Timer } from '../platform.ts';
import { DelayQueue } from './delay-queue.ts';
import { jitterOf } from './distribution.ts';
import { type FrameBatch, giveBatch, takeBatch } from './frame-batch.ts';
import type { Wire, WireCounters, WireListener } from './wire.ts';

/** netem's default limit, frames that wait for the rate or their delay. */
const LIMIT_FRAMES = 1_000;
/** A delay must hold bandwidth x delay: without a rate the limit is octets, 64 MB (4 Gbit/s for 128 ms). */
const HELD_BYTES_MAX = 64_000_000;
/** IEEE 802.3: the gap between two frames costs twelve octets of line time. */
const INTER_FRAME_GAP = 12;
const U32 = 0x1_0000_0000;

/** One draw per knob, so that knobs do not disturb each other. */
const DRAW = { LOSS: 1, DUPLICATE: 2, CORRUPT: 3, CORRUPT_BIT: 4, REORDER: 5, JITTER: 6, JITTER_2: 7 } as const;

export interface Verdicts {
  passed: number;
  lost: number;
  duplicated: number;
  corrupted: number;
  reordered: number;
  tooLong: number;
  /** The rate's queue was full. */
  overLimit: number;
}

export interface ImpairOptions {
  readonly clock: Clock;
  readonly platform: Pick<Platform, 'hash'>;
  readonly seed: number;
  /** What distinguishes this direction of this wire from every other; the end's name when left out. */
  readonly direction?: string;
  readonly impairment?: Impairment;
}

export class ImpairedWire implements Wire {
  readonly verdicts: Verdicts = {
    passed: 0,
    lost: 0,
    duplicated: 0,
    corrupted: 0,
    reordered: 0,
    tooLong: 0,
    overLimit: 0,
  };
  private readonly inner: Wire;
  private readonly clock: Clock;
  private readonly hash: Platform['hash'];
  private readonly key: readonly [number, number];
  private readonly timer: Timer;
  private readonly queue = new DelayQueue();
  private knobs: Impairment = {};
  private active = false;
  private filling: FrameBatch | undefined;
  /** Number of the next frame: its fate hangs on it. */
  private frame = 0;
  /** When the rate lets the next frame start. */
  private lineFree: Micros = 0;
  /** Earliest delivery of the next frame that keeps its place. */
  private lastDue: Micros = 0;
  private sinceReorder = 0;
  /** When each frame in the rate's queue leaves it, and the first that has not. */
  private departures: Micros[] = [];
  private nextDeparture = 0;

  constructor(inner: Wire, options: ImpairOptions) {
    this.inner = inner;
    this.clock = options.clock;
    this.hash = options.platform.hash;
    this.key = [options.seed >>> 0, nameHash(options.direction ?? inner.end)];
    this.timer = options.clock.timer(() => this.release());
    this.set(options.impairment ?? {});
  }

  get name(): string {
    return this.inner.name;
  }
  get end(): string {
    return this.inner.end;
  }
  get carrier(): boolean {
    return this.inner.carrier;
  }
  get ready(): boolean {
    return this.inner.ready;
  }
  get plugged(): boolean {
    return this.inner.plugged;
  }
  get counters(): Readonly<WireCounters> {
    return this.inner.counters;
  }
  get impairment(): Impairment {
    return this.knobs;
  }
  /** Frames that wait here. */
  get held(): number {
    return this.queue.length;
  }

  /** Change what happens to frames from now on; those that wait keep their due times. */
  set(impairment: Impairment): void {
    this.flush();
    this.knobs = { ...impairment };
    // Frames that wait keep those behind them waiting even when the last knob is cleared: order is kept.
    this.active = hasKnob(this.knobs) || this.queue.length > 0;
  }

  attach(listener: WireListener): void {
    this.inner.attach({
      onBatch: (batch) => listener.onBatch(batch),
      onCarrier: (up) => {
        if (!up) this.loseAll();
        listener.onCarrier(up);
      },
      onReady: () => {
        this.release();
        if (this.inner.ready) listener.onReady();
      },
    });
  }

  reserve(size: number): FrameBatch {
    if (!this.active) return this.inner.reserve(size);
    if (this.filling !== undefined && !this.filling.hasRoom(size)) this.flush();
    this.filling ??= takeBatch();
    return this.filling;
  }

  kick(): void {
    this.flush();
    this.inner.kick();
  }

  setPortUp(up: boolean): void {
    this.inner.setPortUp(up);
  }
  unplug(): void {
    this.inner.unplug();
  }
  plug(): void {
    this.inner.plug();
  }
  close(): void {
    this.timer.stop();
    this.loseAll();
    this.inner.close();
  }

  /** Decide the fates of what was written since the last kick. */
  private flush(): void {
    const batch = this.filling;
    if (batch === undefined) return;
    this.filling = undefined;
    for (let i = 0; i < batch.count; i++) this.decide(batch, i);
    giveBatch(batch);
    if (this.queue.length > 0) this.armFor(this.queue.nextDue);
  }

  private decide(batch: FrameBatch, i: number): void {
    const n = this.frame++;
    const { knobs, verdicts } = this;
    if (knobs.mtu !== undefined && networkLength(batch.size(i)) > knobs.mtu) {
      verdicts.tooLong++;
      return;
    }
    if (this.happens(knobs.loss, DRAW.LOSS, n)) {
      verdicts.lost++;
      return;
    }
    if (this.happens(knobs.duplicate, DRAW.DUPLICATE, n)) {
      verdicts.duplicated++;
      this.pass(batch, i, n);
    }
    if (this.happens(knobs.corrupt, DRAW.CORRUPT, n)) {
      verdicts.corrupted++;
      this.flipBit(batch, i, n);
    }
    this.pass(batch, i, n);
  }

  /** Through the rate's queue and the delay, or straight on. */
  private pass(batch: FrameBatch, i: number, n: number): void {
    const { knobs, queue, verdicts } = this;
    const now = this.clock.now();
    const size = batch.size(i);
    if (queue.bytes + size > HELD_BYTES_MAX) {
      verdicts.overLimit++;
      return;
    }
    let due = now;
    if (knobs.rate !== undefined && knobs.rate > 0) {
      if (this.waiting(now) >= (knobs.limit ?? LIMIT_FRAMES)) {
        verdicts.overLimit++;
        return;
      }
      this.lineFree = Math.max(this.lineFree, now) + ((size + INTER_FRAME_GAP) * 8 * 1_000_000) / knobs.rate;
      due = this.lineFree;
      this.departures.push(due);
    } else if (knobs.limit !== undefined && queue.length >= knobs.limit) {
      verdicts.overLimit++;
      return;
    }
    verdicts.passed++;
    if (this.jumpsAhead(n)) {
      // netem: a reordered frame is sent at once, ahead of those that wait.
      verdicts.reordered++;
      return this.send(batch, i, due);
    }
    due += this.delayOf(n);
    // Only jitter may change the order of frames.
    if (knobs.jitter === undefined || knobs.jitter === 0) due = Math.max(due, this.lastDue);
    this.lastDue = Math.max(this.lastDue, due);
    this.send(batch, i, due);
  }

  private send(batch: FrameBatch, i: number, due: Micros): void {
    const rounded = Math.ceil(due);
    if (rounded > this.clock.now() || (this.queue.length > 0 && this.queue.nextDue <= rounded)) {
      this.queue.push(batch, i, rounded);
      return;
    }
    this.inner.reserve(batch.size(i)).appendFrom(batch, i);
  }

  /** Frames that the rate has not let go yet. */
  private waiting(now: Micros): number {
    const { departures } = this;
    while (this.nextDeparture < departures.length && departures[this.nextDeparture]! <= now) this.nextDeparture++;
    if (this.nextDeparture > LIMIT_FRAMES) {
      departures.splice(0, this.nextDeparture);
      this.nextDeparture = 0;
    }
    return departures.length - this.nextDeparture;
  }

  private jumpsAhead(n: number): boolean {
    const { reorder, gap } = this.knobs;
    if (reorder === undefined || reorder === 0) return false;
    // netem: gap 0 or 1 makes every frame a candidate; gap g every g-th.
    if (this.sinceReorder + 1 < (gap ?? 1)) {
      this.sinceReorder++;
      return false;
    }
    if (!this.happens(reorder, DRAW.REORDER, n)) return false;
    this.sinceReorder = 0;
    return true;
  }

  private delayOf(n: number): Micros {
    const { delay = 0, jitter = 0, distribution = 'uniform' } = this.knobs;
    if (jitter === 0) return delay;
    const spread = jitterOf(distribution, this.draw(DRAW.JITTER, n), this.draw(DRAW.JITTER_2, n));
    return Math.max(0, Math.round(delay + jitter * spread));
  }

  private flipBit(batch: FrameBatch, i: number, n: number): void {
    // Somewhere in frame or FCS: a broken preamble would be noise between frames, not a frame.
    const bits = (batch.size(i) - CABLE.LEAD) * 8;
    if (bits <= 0) return;
    const bit = Math.floor(this.draw(DRAW.CORRUPT_BIT, n) * bits);
    batch.bytes[batch.offset(i) + CABLE.LEAD + (bit >>> 3)]! ^= 1 << (bit & 7);
  }

  private happens(ratio: number | undefined, knob: number, n: number): boolean {
    return ratio !== undefined && ratio > 0 && this.draw(knob, n) < ratio;
  }

  /** A number from 0 to 1 that hangs on knob and frame alone. */
  private draw(knob: number, n: number): number {
    return this.hash(this.key, knob, n >>> 0, Math.floor(n / U32)) / U32;
  }

  /** Frames whose time has come go on. */
  private readonly release = (): void => {
    const now = this.clock.now();
    while (this.queue.length > 0 && this.queue.nextDue <= now && this.inner.ready) {
      const size = this.queue.nextSize;
      this.queue.moveTo(this.inner.reserve(size));
    }
    this.inner.kick();
    if (this.queue.length > 0) {
      if (this.inner.ready) this.armFor(this.queue.nextDue);
    } else if (!hasKnob(this.knobs) && this.filling === undefined) {
      this.active = false;
    }
  };

  private armFor(due: Micros): void {
    if (this.timer.armed && this.timer.deadline <= due) return;
    this.timer.arm(Math.max(0, due - this.clock.now()));
  }

  /** The light went out: what is under way on this cable is lost. */
  private loseAll(): void {
    this.verdicts.lost += this.queue.length;
    this.queue.clear();
    this.lineFree = 0;
    this.lastDue = 0;
    this.timer.stop();
    this.departures.length = 0;
    this.nextDeparture = 0;
    if (this.filling !== undefined) {
      giveBatch(this.filling);
      this.filling = undefined;
    }
    this.active = hasKnob(this.knobs);
  }
}

/** Wrap one end of a wire; what it sends is impaired, what it receives is not. */
export function impaired(wire: Wire, options: ImpairOptions): ImpairedWire {
  return new ImpairedWire(wire, options);
}

function hasKnob(knobs: Impairment): boolean {
  const { delay, jitter, loss, duplicate, reorder, corrupt, rate, limit, mtu } = knobs;
  return (
    [delay, jitter, loss, duplicate, reorder, corrupt, rate].some((knob) => knob !== undefined && knob > 0) ||
    limit !== undefined ||
    mtu !== undefined
  );
}

/** Length of the network-layer packet in a frame on the cable; padding counts, as nobody looks inside. */
function networkLength(size: number): number {
  const frame = size - CABLE.LEAD - CABLE.FCS;
  return frame <= FRAME_SIZE_MIN ? 0 : frame - ETHERNET.SIZE;
}

/** FNV-1a: spreads a name over 32 bits. */
function nameHash(name: string): number {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193);
  return hash >>> 0;
}
