/**
 * Timers in order of their deadlines: the heart of every clock, the system's and the tests' alike.
 *
 * A TCP connection arms its timers with every ACK, nearly always to later than before. So a timer that moves to later,
 * or stops, stays where it is in the heap and is put right when it comes up; only one that moves to earlier is sifted.
 *
 * Interface:
 * - timer(fire) makes one, unarmed; the clock is told through `onEarlier` when the next deadline moved to earlier.
 * - fireOne(now, generation) fires one that is due and was armed no later than `generation`, in order.
 * - forget(owner) lets go of all timers that were made for it, for good: what they would have fired is held by nobody.
 */
import { assert, type Micros, type Timer, type TimerMark } from '../platform.ts';

/** Below this many entries, stopped timers are left for their time to come up. */
const COMPACT_ENTRIES_MIN = 1_024;

/** A deadline later than any clock will show, so that an absurd delay cannot wrap. */
const DEADLINE_MAX: Micros = Number.MAX_SAFE_INTEGER;

class HeapTimer implements Timer {
  armed = false;
  deadline: Micros = 0;
  /** Rises with each arming; orders timers that are due at the same microsecond. */
  order = 0;
  /** What the heap sorts by: never later than (deadline, order). */
  keyDeadline: Micros = 0;
  keyOrder = 0;
  /** Place in the heap, or -1. */
  place = -1;
  readonly fire: () => void;
  readonly mark: TimerMark | undefined;
  readonly owner: object | undefined;
  private readonly heap: TimerHeap;

  constructor(heap: TimerHeap, fire: () => void, mark: TimerMark | undefined, owner: object | undefined) {
    this.heap = heap;
    this.fire = fire;
    this.mark = mark;
    this.owner = owner;
  }

  arm(delay: Micros): void {
    this.heap.arm(this, delay);
  }

  stop(): void {
    if (this.armed) this.heap.stop(this);
  }
}

export class TimerHeap {
  private entries: HeapTimer[] = [];
  private armings = 0;
  private idle = 0;
  /** Owners whose timers are no more; most heaps never have one. */
  private forgotten: WeakSet<object> | undefined;
  private readonly now: () => Micros;
  private readonly onEarlier: (deadline: Micros) => void;

  constructor(now: () => Micros, onEarlier: (deadline: Micros) => void = () => {}) {
    this.now = now;
    this.onEarlier = onEarlier;
  }

  timer(fire: () => void, mark?: TimerMark, owner?: object): Timer {
    return new HeapTimer(this, fire, mark, owner);
  }

  /** Those with a mark that are armed. */
  armed(): { mark: TimerMark; deadline: Micros }[] {
    return this.entries.flatMap(({ armed, mark, deadline }) =>
      armed && mark !== undefined ? [{ mark, deadline }] : [],
    );
  }

  /** Armings so far; hand it to fireOne to leave timers that are armed meanwhile for later. */
  get generation(): number {
    return this.armings;
  }

  /** Timers that are armed. */
  get armedCount(): number {
    return this.entries.length - this.idle;
  }

  arm(timer: HeapTimer, delay: Micros): void {
    assert(delay >= 0, 'a timer is armed for now or later');
    if (this.forgotten !== undefined && timer.owner !== undefined && this.forgotten.has(timer.owner)) return;
    const deadline = Math.min(this.now() + Math.ceil(delay), DEADLINE_MAX);
    if (!timer.armed) {
      timer.armed = true;
      if (timer.place >= 0) this.idle--;
    }
    timer.deadline = deadline;
    timer.order = ++this.armings;
    if (timer.place < 0) {
      timer.place = this.entries.length;
      this.entries.push(timer);
    } else if (deadline >= timer.keyDeadline) {
      return;
    }
    timer.keyDeadline = deadline;
    timer.keyOrder = timer.order;
    this.siftUp(timer);
    if (timer.place === 0) this.onEarlier(deadline);
  }

  stop(timer: HeapTimer): void {
    timer.armed = false;
    this.idle++;
    if (this.idle > COMPACT_ENTRIES_MIN && this.idle * 2 > this.entries.length) this.compact();
  }

  /** The next deadline, or undefined when nothing is armed. */
  next(): Micros | undefined {
    return this.settleTop()?.deadline;
  }

  /** Fire one timer that is due at `now` and was armed no later than `generation`; false when there is none. */
  fireOne(now: Micros, generation = Number.POSITIVE_INFINITY): boolean {
    const top = this.settleTop();
    if (top === undefined || top.deadline > now || top.order > generation) return false;
    this.remove(top);
    top.armed = false;
    top.fire();
    return true;
  }

  forget(owner: object): void {
    this.forgotten ??= new WeakSet();
    this.forgotten.add(owner);
    for (const timer of this.entries) if (timer.owner === owner) timer.armed = false;
    this.compact();
  }

  clear(): void {
    for (const timer of this.entries) {
      timer.armed = false;
      timer.place = -1;
    }
    this.entries = [];
    this.idle = 0;
  }

  /** Put right what moved or stopped until the first entry is the next to fire. */
  private settleTop(): HeapTimer | undefined {
    for (;;) {
      const top = this.entries[0];
      if (top === undefined) return undefined;
      if (!top.armed) {
        this.remove(top);
        this.idle--;
      } else if (top.keyOrder !== top.order) {
        top.keyDeadline = top.deadline;
        top.keyOrder = top.order;
        this.siftDown(top);
      } else {
        return top;
      }
    }
  }

  private remove(timer: HeapTimer): void {
    const last = this.entries.pop();
    assert(last !== undefined, 'a timer in the heap is in its entries');
    const place = timer.place;
    timer.place = -1;
    if (last === timer) return;
    this.entries[place] = last;
    last.place = place;
    this.siftUp(last);
    this.siftDown(last);
  }

  private compact(): void {
    const kept = this.entries.filter((timer) => timer.armed);
    for (const timer of this.entries) timer.place = -1;
    this.entries = [];
    this.idle = 0;
    for (const timer of kept) {
      timer.keyDeadline = timer.deadline;
      timer.keyOrder = timer.order;
      timer.place = this.entries.length;
      this.entries.push(timer);
      this.siftUp(timer);
    }
  }

  private siftUp(timer: HeapTimer): void {
    const entries = this.entries;
    let place = timer.place;
    while (place > 0) {
      const above = entries[(place - 1) >> 1]!;
      if (!before(timer, above)) break;
      entries[place] = above;
      above.place = place;
      place = (place - 1) >> 1;
    }
    entries[place] = timer;
    timer.place = place;
  }

  private siftDown(timer: HeapTimer): void {
    const entries = this.entries;
    let place = timer.place;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= entries.length) break;
      const right = entries[child + 1];
      if (right !== undefined && before(right, entries[child]!)) child++;
      const below = entries[child]!;
      if (!before(below, timer)) break;
      entries[place] = below;
      below.place = place;
      place = child;
    }
    entries[place] = timer;
    timer.place = place;
  }
}

function before(a: HeapTimer, b: HeapTimer): boolean {
  return a.keyDeadline < b.keyDeadline || (a.keyDeadline === b.keyDeadline && a.keyOrder < b.keyOrder);
}
