/**
 * Frames that wait for their time, by due time and then by arrival. Their octets lie in pooled batches, one after the
 * other; the order is a heap of indexes. Nearly all frames come in the order in which they leave, so the heap rarely
 * moves more than its ends.
 */
import { assert, type Micros } from '../platform.ts';
import { type FrameBatch, giveBatch, takeBatch } from './frame-batch.ts';

/** A pooled batch and how many of its frames still wait. */
interface Store {
  readonly batch: FrameBatch;
  waiting: number;
}

interface Held {
  due: Micros;
  /** When it will have left, or has left, the line before the delay. */
  left: Micros;
  /** Has a place of its own: late by a match rule, or ahead of others. Nobody waits for it. */
  apart: boolean;
  order: number;
  store: Store;
  index: number;
  /** Its number on the wire. */
  frame: number;
}

function before(a: Held, b: Held): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

interface HurryOptions {
  readonly now: Micros;
  readonly stretch: number;
  readonly most: Micros;
  readonly inOrder: boolean;
}

export class DelayQueue {
  /** Octets on the cable of all frames that wait. */
  bytes = 0;
  private readonly heap: Held[] = [];
  private readonly spare: Held[] = [];
  private last: Store | undefined;
  private order = 0;

  get length(): number {
    return this.heap.length;
  }

  get nextDue(): Micros {
    const first = this.heap[0];
    return first === undefined ? Number.POSITIVE_INFINITY : first.due;
  }

  get nextSize(): number {
    const first = this.heap[0];
    assert(first !== undefined, 'a frame waits');
    return first.store.batch.size(first.index);
  }

  /**
   * Keep a copy of the `i`th, which is `frame` of the wire, until `due`; `left`: when the line lets it go; `apart`: it has
   * a place of its own.
   */
  push(batch: FrameBatch, i: number, frame: number, due: Micros, left = due, apart = false): void {
    const size = batch.size(i);
    if (this.last === undefined || !this.last.batch.hasRoom(size)) this.last = { batch: takeBatch(), waiting: 0 };
    const store = this.last;
    store.batch.appendFrom(batch, i);
    store.waiting++;
    this.bytes += size;
    const held = this.spare.pop() ?? { due: 0, left: 0, apart: false, order: 0, store, index: 0, frame };
    held.due = due;
    held.left = left;
    held.apart = apart;
    held.order = this.order++;
    held.store = store;
    held.index = store.batch.count - 1;
    held.frame = frame;
    this.siftUp(held, this.heap.length);
  }

  /**
   * Nobody waits longer than `most` after the line, whose rest takes `stretch` times as long; `inOrder`: as they came.
   * Returns when the last of those that keep others waiting is due.
   */
  hurry({ now, stretch, most, inOrder }: HurryOptions): Micros {
    const { heap } = this;
    const all = heap.splice(0).sort((one, other) => one.order - other.order);
    let last: Micros = 0;
    for (const held of all) {
      const left = held.left <= now ? held.left : now + (held.left - now) * stretch;
      const due = held.due - held.left + left;
      held.left = left;
      if (held.apart) held.due = Math.ceil(due);
      else {
        held.due = Math.ceil(Math.max(Math.min(due, Math.max(now, left) + most), inOrder ? last : 0));
        last = Math.max(last, held.due);
      }
      this.siftUp(held, heap.push(held) - 1);
    }
    return last;
  }

  /** Move the frame that is due first to the end of `target`. */
  moveTo(target: FrameBatch): void {
    const first = this.heap[0];
    assert(first !== undefined, 'a frame waits');
    const { store, index } = first;
    target.appendFrom(store.batch, index);
    this.bytes -= store.batch.size(index);
    const last = this.heap.pop()!;
    if (last !== first) this.siftDown(last);
    this.spare.push(first);
    this.release(store);
  }

  /** The numbers of those that wait, in the order in which they came. */
  get frames(): number[] {
    return [...this.heap].sort((one, other) => one.order - other.order).map((held) => held.frame);
  }

  clear(): void {
    const stores = new Set(this.heap.map((held) => held.store));
    for (const store of stores) giveBatch(store.batch);
    if (this.last !== undefined && !stores.has(this.last)) giveBatch(this.last.batch);
    this.last = undefined;
    this.heap.length = 0;
    this.spare.length = 0;
    this.bytes = 0;
  }

  private release(store: Store): void {
    if (--store.waiting > 0) return;
    if (store === this.last) this.last = undefined;
    giveBatch(store.batch);
  }

  private siftUp(held: Held, place: number): void {
    const { heap } = this;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!before(held, heap[above]!)) break;
      heap[place] = heap[above]!;
      place = above;
    }
    heap[place] = held;
  }

  private siftDown(held: Held): void {
    const { heap } = this;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, held)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = held;
  }
}
