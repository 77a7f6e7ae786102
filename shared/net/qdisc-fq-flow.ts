/** What fq keeps: flows, each with its packets in the order of their times, and the bands they are served in (Linux: sch_fq.c). */
import type { Micros } from '../platform.ts';
import { SkbQueue } from './skb-queue.ts';
import type { SkBuff } from './skbuff.ts';

type FlowState = 'detached' | 'listed' | 'throttled';

export class FqFlow {
  readonly queue = new SkbQueue();
  /** What came with an earlier time than the youngest: in the order of their times. */
  early: SkBuff[] = [];
  length = 0;
  credit = 0;
  band = 0;
  state: FlowState = 'detached';
  /** When it became empty. */
  age: Micros = 0;
  timeNextPacket: Micros = 0;

  peek(): SkBuff | undefined {
    const head = this.queue.peek();
    const early = this.early[0];
    if (early === undefined) return head;
    return head === undefined || early.timeToSend < head.timeToSend ? early : head;
  }

  add(skb: SkBuff): void {
    const last = this.queue.last();
    if (last === undefined || skb.timeToSend >= last.timeToSend) this.queue.push(skb);
    else {
      const at = this.early.findIndex((other) => other.timeToSend > skb.timeToSend);
      this.early.splice(at < 0 ? this.early.length : at, 0, skb);
    }
    this.length++;
  }

  erase(skb: SkBuff): void {
    if (skb === this.early[0]) this.early.shift();
    else this.queue.shift();
    this.length--;
  }
}

/** A band's flows: those that just became busy before those that were served already. */
export class FqBand {
  readonly fresh: FqFlow[] = [];
  readonly old: FqFlow[] = [];
  credit = 0;
  packets = 0;
  drops = 0;
  readonly quantum: number;

  constructor(quantum: number) {
    this.quantum = quantum;
  }

  /** Who is to be served (fq_pband_head_select). */
  head(): FqFlow[] | undefined {
    if (this.credit <= 0) return undefined;
    if (this.fresh.length > 0) return this.fresh;
    return this.old.length > 0 ? this.old : undefined;
  }
}
