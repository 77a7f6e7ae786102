/**
 * Trouble as a cable: wraps one end of a wire and does to the frames that leave by it what netem does. (tc-netem(8))
 *
 * The fate of frame n is a function of (seed, wire, direction, n) alone (fate.ts), so a run repeats whatever its timing.
 * Only a full queue depends on timing, as it does on a cable. Link state passes by. Without a knob set, the inner wire
 * is used as it is.
 *
 *   frame -> mtu -> loss -> match rules -> duplicate -> corrupt -> rate (a queue with a limit) -> delay, jitter, reorder
 *         -> inner wire
 *
 * Interface: impaired(wire, { … }) is a Wire; set(impairment) changes the knobs while it runs; verdicts count fates and
 * log says what was done to each frame, by which rule.
 * Order: jitter reorders, as netem's does, unless `order: kept`; delay alone does not. A delay that gets shorter, or a
 * rate that gets higher, is so for the frames that wait as well: otherwise the next ones would stand behind them.
 * Corruption flips one bit after the FCS was made, so that the far end's FCS check catches it, or repairs the FCS and
 * leaves it to IP or TCP. Of a duplicated frame the second has jitter and corruption of its own.
 * Unlike netem: what is lost is lost, though it would have been duplicated; the rate takes the time of preamble, FCS and
 * gap as well; and a frame goes ahead of delayed ones, not of those that wait for the rate.
 * Left out: correlation, slots, loss state, ecn.
 */
import { dissect } from '../header/dissect.ts';
import { CABLE } from '../header/ethernet.ts';
import type { Impairment } from '../lab/plan-types.ts';
import { formatDelay } from '../lab/units.ts';
import type { Clock, Micros, Platform, Timer } from '../platform.ts';
import { flipBit, ratioOf } from './corrupt.ts';
import { DelayQueue } from './delay-queue.ts';
import { FACTOR_MAX, jitterOf } from './distribution.ts';
import { DRAW, Fate } from './fate.ts';
import { type FrameBatch, giveBatch, takeBatch } from './frame-batch.ts';
import { hasKnob, networkLength } from './impairment.ts';
import { Line } from './line.ts';
import { ActiveRule } from './match-rule.ts';
import { knobText, noVerdicts, type VerdictKind, VerdictLog, type Verdicts } from './verdict.ts';
import type { Wire, WireCounters, WireListener, WireNumbers } from './wire.ts';

/** netem's default limit, frames that wait for the rate or their delay. */
const LIMIT_FRAMES = 1_000;
/** A delay must hold bandwidth x delay: without a rate the limit is octets, 64 MB (4 Gbit/s for 128 ms). */
const HELD_BYTES_MAX = 64_000_000;

export interface ImpairOptions {
  readonly clock: Clock;
  readonly platform: Pick<Platform, 'hash' | 'crc32'>;
  readonly seed: number;
  /** What distinguishes this direction of this wire from every other; the end's name when left out. */
  readonly direction?: string;
  readonly impairment?: Impairment;
}

export class ImpairedWire implements Wire {
  readonly verdicts: Verdicts = noVerdicts();
  readonly log: VerdictLog;
  private readonly inner: Wire;
  private readonly clock: Clock;
  private readonly platform: Pick<Platform, 'hash' | 'crc32'>;
  private readonly seed: number;
  private readonly direction: string;
  private readonly fate: Fate;
  private readonly timer: Timer;
  private readonly queue = new DelayQueue();
  private knobs: Impairment = {};
  private rules: readonly ActiveRule[] = [];
  private active = false;
  private filling: FrameBatch | undefined;
  /** Number of the next frame while this is active: its fate hangs on it. */
  private frame = 0;
  /** What the inner wire had taken when `frame` was last right; it counts while this is not active. */
  private takenBefore = 0;
  private readonly line = new Line();
  /** Earliest delivery of the next frame that keeps its place. */
  private lastDue: Micros = 0;
  constructor(inner: Wire, options: ImpairOptions) {
    this.inner = inner;
    this.log = new VerdictLog(() => inner.numbers.epoch);
    this.clock = options.clock;
    this.platform = options.platform;
    this.seed = options.seed;
    this.direction = options.direction ?? inner.end;
    this.fate = new Fate(options.platform.hash, options.seed, this.direction);
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
  get numbers(): WireNumbers {
    return this.inner.numbers;
  }
  get waiting(): number {
    return this.queue.length + (this.filling?.count ?? 0) + this.inner.waiting;
  }
  get impairment(): Impairment {
    return this.knobs;
  }
  /** Frames that wait here. */
  get held(): number {
    return this.queue.length;
  }

  /** Change what happens to frames from now on. */
  set(impairment: Impairment): void {
    this.flush();
    const before = [...this.rules];
    const { rate } = this.knobs;
    this.knobs = { ...impairment };
    if (this.queue.length > 0) this.hurry(rate);
    this.rules = (impairment.match ?? []).map((rule) => {
      const active = new ActiveRule(rule, this.platform.hash, this.seed, this.direction);
      // A rule that was there before goes on counting: one knob is turned without touching another.
      // Two of the same words count each for itself.
      const known = before.findIndex((rule) => rule.words === active.words);
      return before.splice(known, known < 0 ? 0 : 1)[0] ?? active;
    });
    // Frames that wait keep those behind them waiting even when the last knob is cleared: order is kept.
    this.setActive(hasKnob(this.knobs) || this.queue.length > 0);
  }

  /** Frames that wait are on a line of the new rate now, and none takes longer than one that is sent now. */
  private hurry(rateBefore: number | undefined): void {
    const { delay = 0, jitter = 0, rate, order } = this.knobs;
    const now = this.clock.now();
    const stretch = rateBefore === undefined ? 1 : rateBefore / (rate ?? Number.POSITIVE_INFINITY);
    this.line.stretch(now, stretch);
    const most = Math.ceil(delay + jitter * FACTOR_MAX);
    this.lastDue = this.queue.hurry({ now, stretch, most, inOrder: jitter === 0 || order === 'kept' });
    this.armFor(this.queue.nextDue);
  }

  /** Frames are numbered whether a knob is set or not, as captures number them. */
  private setActive(active: boolean): void {
    if (active === this.active) return;
    if (active) this.frame += this.inner.taken - this.takenBefore;
    this.takenBefore = this.inner.taken;
    this.active = active;
  }

  /** Frames that this end was given to send. */
  get taken(): number {
    return this.active ? this.frame + (this.filling?.count ?? 0) : this.frame + this.inner.taken - this.takenBefore;
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
  passOn(batch: FrameBatch): boolean {
    return !this.active && this.inner.passOn(batch);
  }
  kick(): void {
    this.flush();
    this.inner.kick();
  }

  setPortUp(up: boolean): void {
    this.inner.setPortUp(up);
  }
  setCut(cut: boolean): void {
    this.inner.setCut(cut);
  }
  get isCut(): boolean {
    return this.inner.isCut;
  }
  unplug(): void {
    this.inner.unplug();
  }
  plug(): void {
    this.inner.plug();
  }
  /** The power of our device went: what is under way here is gone, and frames are numbered anew. */
  reset(): void {
    this.loseAll();
    this.frame = 0;
    this.takenBefore = this.inner.taken;
    Object.assign(this.verdicts, noVerdicts());
    this.log.forget();
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
    const { knobs, fate, verdicts } = this;
    if (knobs.mtu !== undefined && networkLength(batch.size(i)) > knobs.mtu) {
      verdicts.tooLong++;
      return this.note(n, 'too_long', 'mtu');
    }
    if (fate.isLost(knobs.loss, n)) {
      verdicts.lost++;
      return this.note(n, 'lost', 'loss');
    }
    const late = this.rules.length === 0 ? 0 : this.applyRules(batch, i, n);
    if (late === undefined) return;
    if (fate.happens(knobs.duplicate, DRAW.DUPLICATE, n)) {
      verdicts.duplicated++;
      this.note(n, 'duplicated', 'duplicate');
      this.passCopy(batch, i, n, late);
    }
    if (fate.happens(ratioOf(knobs.corrupt), DRAW.CORRUPT, n)) {
      verdicts.corrupted++;
      this.note(n, 'corrupted', 'corrupt');
      flipBit(batch, i, fate.draw(DRAW.CORRUPT_BIT, n), knobs.corrupt, this.platform.crc32);
    }
    this.pass(batch, i, n, late);
  }

  /** The second of a duplicated frame, which may be hit and jitters as a frame of its own. */
  private passCopy(batch: FrameBatch, i: number, n: number, late: Micros): void {
    const { fate, verdicts } = this;
    const { corrupt } = this.knobs;
    if (!fate.happens(ratioOf(corrupt), DRAW.COPY_CORRUPT, n)) return this.pass(batch, i, n, late, DRAW.COPY_JITTER);
    verdicts.corrupted++;
    this.note(n, 'corrupted', 'corrupt');
    const at = batch.offset(i);
    const whole = batch.bytes.slice(at, at + batch.size(i));
    flipBit(batch, i, fate.draw(DRAW.COPY_CORRUPT_BIT, n), corrupt, this.platform.crc32);
    this.pass(batch, i, n, late, DRAW.COPY_JITTER);
    batch.bytes.set(whole, at);
  }

  /** What the match rules do to the frame: undefined when it is lost, otherwise how much later it comes. */
  private applyRules(batch: FrameBatch, i: number, n: number): Micros | undefined {
    const { verdicts } = this;
    const at = batch.offset(i) + CABLE.LEAD;
    const length = Math.max(0, batch.size(i) - CABLE.LEAD);
    const frame = dissect(batch.bytes.subarray(at, at + length));
    // Every rule sees every frame, so that one does not disturb another's count.
    const taken = this.rules.filter((rule) => rule.takes(frame));
    let late = 0;
    for (const { rule, words, fate } of taken) {
      if (fate.happens(rule.loss, DRAW.LOSS, n)) {
        verdicts.lost++;
        this.log.add(this.clock.now(), n, 'lost', words);
        return undefined;
      }
      if (fate.happens(rule.duplicate, DRAW.DUPLICATE, n)) {
        verdicts.duplicated++;
        this.log.add(this.clock.now(), n, 'duplicated', words);
        this.pass(batch, i, n, late, DRAW.COPY_JITTER);
      }
      if (fate.happens(ratioOf(rule.corrupt), DRAW.CORRUPT, n)) {
        verdicts.corrupted++;
        this.log.add(this.clock.now(), n, 'corrupted', words);
        flipBit(batch, i, fate.draw(DRAW.CORRUPT_BIT, n), rule.corrupt, this.platform.crc32);
      }
      if (rule.delay === undefined || rule.delay === 0) continue;
      verdicts.delayed++;
      this.log.add(this.clock.now(), n, 'delayed', words);
      late += rule.delay;
    }
    return late;
  }

  private note(n: number, verdict: VerdictKind, knob: keyof Omit<Impairment, 'match'>): void {
    const text = knobText(this.knobs, knob);
    this.log.add(this.clock.now(), n, verdict, text === '' ? knob : `${knob} ${text}`);
  }

  /** Through the rate's queue and the delay, or straight on. `late`: more delay, for this frame alone. */
  private pass(batch: FrameBatch, i: number, n: number, late: Micros, jitter: number = DRAW.JITTER): void {
    const { knobs, queue, verdicts } = this;
    const now = this.clock.now();
    const size = batch.size(i);
    if (queue.bytes + size > HELD_BYTES_MAX) {
      verdicts.overLimit++;
      this.log.add(now, n, 'over_limit', `${HELD_BYTES_MAX} octets held`);
      return;
    }
    let due = now;
    if (knobs.rate !== undefined && knobs.rate > 0) {
      if (this.line.waiting(now) >= (knobs.limit ?? LIMIT_FRAMES)) {
        verdicts.overLimit++;
        return this.note(n, 'over_limit', knobs.limit === undefined ? 'rate' : 'limit');
      }
      due = this.line.take(now, size, knobs.rate);
    } else if (knobs.limit !== undefined && queue.length >= knobs.limit) {
      verdicts.overLimit++;
      return this.note(n, 'over_limit', 'limit');
    }
    verdicts.passed++;
    if (late > 0) return this.send(batch, i, n, due, due + this.delayOf(n, jitter) + late, true);
    if (this.fate.goesAhead(knobs.reorder, knobs.gap ?? 1, n)) {
      // netem: a reordered frame is sent at once, ahead of those that wait.
      verdicts.reordered++;
      this.note(n, 'reordered', 'reorder');
      return this.send(batch, i, n, due, due, true);
    }
    const left = due;
    const delay = this.delayOf(n, jitter);
    due += delay;
    // Only jitter may change the order of frames.
    if (knobs.jitter === undefined || knobs.jitter === 0 || knobs.order === 'kept') due = Math.max(due, this.lastDue);
    else if (this.log.listener !== undefined) this.log.tell(now, n, 'delayed', `delay ${formatDelay(delay)}`);
    this.lastDue = Math.max(this.lastDue, due);
    this.send(batch, i, n, left, due);
  }

  private send(batch: FrameBatch, i: number, n: number, left: Micros, due: Micros, apart = false): void {
    const rounded = Math.ceil(due);
    if (rounded > this.clock.now() || (this.queue.length > 0 && this.queue.nextDue <= rounded)) {
      this.queue.push(batch, i, n, rounded, left, apart);
      return;
    }
    this.inner.reserve(batch.size(i)).appendFrom(batch, i);
  }

  /** `draw`: which one the jitter hangs on. */
  private delayOf(n: number, draw: number): Micros {
    const { delay = 0, jitter = 0, distribution = 'uniform' } = this.knobs;
    if (jitter === 0) return delay;
    return Math.max(0, Math.round(delay + jitter * jitterOf(distribution, this.fate.draw(draw, n))));
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
      this.setActive(false);
    }
  };

  private armFor(due: Micros): void {
    if (this.timer.armed && this.timer.deadline <= due) return;
    this.timer.arm(Math.max(0, due - this.clock.now()));
  }

  /** The light went out: what is under way on this cable is lost. */
  private loseAll(): void {
    for (const n of this.queue.frames) this.darken(n);
    this.queue.clear();
    this.line.clear();
    this.lastDue = 0;
    this.timer.stop();
    if (this.filling !== undefined) {
      for (let i = 0; i < this.filling.count; i++) this.darken(this.frame++);
      giveBatch(this.filling);
      this.filling = undefined;
    }
    this.setActive(hasKnob(this.knobs));
  }

  private darken(n: number): void {
    this.verdicts.darkened++;
    this.log.add(this.clock.now(), n, 'darkened', 'loss of carrier');
  }
}

/** Wrap one end of a wire; what it sends is impaired, what it receives is not. */
export function impaired(wire: Wire, options: ImpairOptions): ImpairedWire {
  return new ImpairedWire(wire, options);
}
