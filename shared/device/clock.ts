/**
 * The lab clock over the machine's: microseconds since the lab came up, the same in every process of the lab, at a rate
 * that can be changed or stopped lab-wide. All timers of a device hang on one setTimeout, for the earliest deadline.
 *
 * Node's timers count whole milliseconds; what is due sooner is waited for by setImmediate, which lets I/O go first.
 * Left out: a clock that is slewed between machines; one lab runs on one machine.
 */
import type { Micros } from '../platform.ts';
import { HeapClock } from './heap-clock.ts';
import { TimerHeap } from './timer-heap.ts';

/** Deadlines closer than this are awaited turn by turn; later ones by setTimeout, which wakes 1 ms late at worst. */
const SPIN_MICROS_MAX: Micros = 250;
/** setTimeout's longest delay. */
const SLEEP_MS_MAX = 2_147_483_647;

export interface SystemClockOptions {
  /** Moment of lab time 0, in microseconds since 1970; default: now. */
  readonly originUnixMicros?: number;
}

export class SystemClock extends HeapClock {
  readonly epoch: Micros;
  protected readonly heap = new TimerHeap(
    () => this.now(),
    (deadline) => this.wakeFor(deadline),
  );
  private rate = 1;
  /** Lab time and real time (milliseconds of performance.now) at the last change of rate. */
  private labBase: Micros;
  private realBase: number;
  private immediate: NodeJS.Immediate | undefined;
  private timeout: NodeJS.Timeout | undefined;
  private timeoutFor: Micros = 0;
  private stopped = false;

  constructor(options: SystemClockOptions = {}) {
    super();
    this.realBase = performance.now();
    const unixMicros = (performance.timeOrigin + this.realBase) * 1_000;
    this.epoch = Math.round(options.originUnixMicros ?? unixMicros);
    this.labBase = Math.max(0, Math.round(unixMicros - this.epoch));
  }

  now(): Micros {
    return Math.floor(this.labBase + (performance.now() - this.realBase) * 1_000 * this.rate);
  }

  /** Make lab time pass at `rate` times real time; 0 stops it. */
  setRate(rate: number): void {
    this.labBase = this.now();
    this.realBase = performance.now();
    this.rate = rate;
    this.cancelWake();
    this.wakeForNext();
  }

  /** Forget all timers: the device is shutting down. */
  stop(): void {
    this.stopped = true;
    this.cancelWake();
    this.heap.clear();
  }

  private readonly run = (): void => {
    this.immediate = undefined;
    const now = this.now();
    // Timers armed from here on wait for the next turn, so that a chain of after(0) never keeps I/O out.
    const generation = this.heap.generation;
    try {
      while (this.heap.fireOne(now, generation));
    } finally {
      this.wakeForNext();
    }
  };

  private readonly onTimeout = (): void => {
    this.timeout = undefined;
    if (this.immediate === undefined) this.run();
  };

  private wakeForNext(): void {
    const next = this.heap.next();
    if (next !== undefined) this.wakeFor(next);
  }

  private wakeFor(deadline: Micros): void {
    // While lab time stands still, what is due in this instant is still due.
    if (this.immediate !== undefined || this.stopped) return;
    const wait = deadline - this.now();
    if (wait <= SPIN_MICROS_MAX * this.rate) {
      this.immediate = setImmediate(this.run);
      return;
    }
    if (this.rate === 0) return;
    if (this.timeout !== undefined) {
      if (this.timeoutFor <= deadline) return;
      clearTimeout(this.timeout);
    }
    this.timeoutFor = deadline;
    // Rounded, not cut: a sleep that ends a little early is followed by another of a whole millisecond.
    const sleepMs = Math.max(1, Math.round(wait / (1_000 * this.rate)));
    this.timeout = setTimeout(this.onTimeout, Math.min(sleepMs, SLEEP_MS_MAX));
  }

  private cancelWake(): void {
    if (this.immediate !== undefined) clearImmediate(this.immediate);
    if (this.timeout !== undefined) clearTimeout(this.timeout);
    this.immediate = undefined;
    this.timeout = undefined;
  }
}
