/** Frames that wait for a switch port's wire: bounded, and lost beyond that, as in any switch. */
import { type FrameBatch, giveBatch, takeBatch } from '../wire/frame-batch.ts';

/** As Linux's txqueuelen. */
export const EGRESS_FRAMES_MAX = 1_000;

export class EgressQueue {
  length = 0;
  private readonly batches: FrameBatch[] = [];

  /** Keep a copy of frame `i`; false when the queue is full. */
  push(batch: FrameBatch, i: number): boolean {
    if (this.length >= EGRESS_FRAMES_MAX) return false;
    let last = this.batches.at(-1);
    if (last === undefined || !last.hasRoom(batch.size(i))) {
      last = takeBatch();
      this.batches.push(last);
    }
    last.appendFrom(batch, i);
    this.length++;
    return true;
  }

  /** Hand over what stands in the oldest batch, and let it go. */
  shift(take: (batch: FrameBatch, from: number, to: number) => void): void {
    const batch = this.batches.shift();
    if (batch === undefined) return;
    take(batch, 0, batch.count);
    this.length -= batch.count;
    giveBatch(batch);
  }

  /** Forget everything; how many frames that were. */
  clear(): number {
    const lost = this.length;
    for (const batch of this.batches) giveBatch(batch);
    this.batches.length = 0;
    this.length = 0;
    return lost;
  }
}
