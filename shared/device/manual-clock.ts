/**
 * A clock that stands still until somebody moves it: the same timers as the system clock's, without the machine. What a
 * lab on virtual time runs on, and every simulation.
 */

import { assert, type Micros } from '../platform.ts';
import { HeapClock } from './heap-clock.ts';
import { TimerHeap } from './timer-heap.ts';

/** A loop of timers that never comes to rest is a bug in what is tested, not a long test. */
const FIRED_MAX = 50_000_000;

export class ManualClock extends HeapClock {
  readonly epoch: Micros = 0;
  private time: Micros;
  protected readonly heap = new TimerHeap(() => this.time);

  constructor(start: Micros = 0) {
    super();
    this.time = start;
  }

  now(): Micros {
    return this.time;
  }

  /** Timers that are armed now: none must be left when a lab has come to rest for good. */
  get pending(): number {
    return this.heap.armedCount;
  }

  /** When the next timer fires; undefined when none is armed. */
  get nextDeadline(): Micros | undefined {
    return this.heap.next();
  }

  /** Fire everything up to and including `until`, then stand there. Returns how many timers fired. */
  run(until: Micros): number {
    let fired = 0;
    for (;;) {
      const next = this.heap.next();
      if (next === undefined || next > until) break;
      this.time = Math.max(this.time, next);
      this.heap.fireOne(this.time);
      assert(++fired < FIRED_MAX, 'timers come to rest');
    }
    this.time = Math.max(this.time, until);
    return fired;
  }

  /** Let `delay` pass. */
  advance(delay: Micros): number {
    return this.run(this.time + delay);
  }

  /** Fire until no timer is left or `max` microseconds have passed; the clock stays at the last timer that fired. */
  runUntilIdle(max: Micros): number {
    const until = this.time + max;
    let fired = 0;
    for (;;) {
      const next = this.heap.next();
      if (next === undefined || next > until) return fired;
      this.time = Math.max(this.time, next);
      this.heap.fireOne(this.time);
      assert(++fired < FIRED_MAX, 'timers come to rest');
    }
  }

  /**
   * Run until `done()` holds or `max` microseconds have passed, giving promises their turn after each instant: what a
   * test of programs (which block by promise) needs. Answers whether it holds.
   */
  async until(done: () => boolean, max: Micros): Promise<boolean> {
    const end = this.time + max;
    for (;;) {
      await settlePromises();
      if (done()) return true;
      const next = this.heap.next();
      if (next === undefined || next > end) return done();
      this.run(next);
    }
  }

  /** run(until) with promises settled after each instant. */
  async runAsync(until: Micros): Promise<void> {
    for (;;) {
      await settlePromises();
      const next = this.heap.next();
      if (next === undefined || next > until) break;
      this.run(next);
    }
    this.run(until);
    await settlePromises();
  }
}

/** Let promise chains run dry: setImmediate comes after every microtask and nextTick. */
export function settlePromises(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
