/** What waits for a device: a queue with a limit, pfifo by default (Linux: sch_fifo.c, sch_generic.c). */
import type { SkBuff } from './skbuff.ts';

/** Linux: DEFAULT_TX_QUEUE_LEN. */
export const TX_QUEUE_PACKETS_MAX = 1_000;

export interface Qdisc {
  readonly kind: string;
  /** False when the packet did not fit: the caller drops it with `qdisc_full`. */
  enqueue(skb: SkBuff): boolean;
  dequeue(): SkBuff | undefined;
  /** Put back a packet that the driver would not take, as the next to go. */
  requeue(skb: SkBuff): void;
  readonly packets: number;
  readonly bytes: number;
  readonly drops: number;
}

export class Pfifo implements Qdisc {
  readonly kind: string = 'pfifo';
  packets = 0;
  bytes = 0;
  drops = 0;
  private readonly limit: number;
  private queue: SkBuff[] = [];
  private next = 0;

  constructor(limit: number = TX_QUEUE_PACKETS_MAX) {
    this.limit = limit;
  }

  enqueue(skb: SkBuff): boolean {
    if (this.packets >= this.limit) {
      this.drops++;
      return false;
    }
    this.queue.push(skb);
    this.packets++;
    this.bytes += skb.length;
    return true;
  }

  dequeue(): SkBuff | undefined {
    const skb = this.queue[this.next];
    if (skb === undefined) return undefined;
    this.next++;
    this.packets--;
    this.bytes -= skb.length;
    if (this.next === this.queue.length) {
      this.queue.length = 0;
      this.next = 0;
    } else if (this.next > 512) {
      // Compact now and then, so that a queue that never runs dry does not grow.
      this.queue.splice(0, this.next);
      this.next = 0;
    }
    return skb;
  }

  requeue(skb: SkBuff): void {
    if (this.next > 0) this.queue[--this.next] = skb;
    else this.queue.unshift(skb);
    this.packets++;
    this.bytes += skb.length;
  }
}
