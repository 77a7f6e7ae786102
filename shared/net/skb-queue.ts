/** A queue of packets, first in, first out, that neither grows while it never runs dry nor moves what waits (struct sk_buff_head). */
import type { SkBuff } from './skbuff.ts';

/** Places taken up by packets that have gone before they are cleared away. */
const GONE_MAX = 512;

export class SkbQueue {
  private readonly queue: SkBuff[] = [];
  private next = 0;

  get length(): number {
    return this.queue.length - this.next;
  }

  push(skb: SkBuff): void {
    this.queue.push(skb);
  }

  /** Put back in front (__skb_queue_head). */
  unshift(skb: SkBuff): void {
    if (this.next > 0) this.queue[--this.next] = skb;
    else this.queue.unshift(skb);
  }

  peek(): SkBuff | undefined {
    return this.queue[this.next];
  }

  /** The youngest. */
  last(): SkBuff | undefined {
    return this.length === 0 ? undefined : this.queue.at(-1);
  }

  shift(): SkBuff | undefined {
    const skb = this.queue[this.next];
    if (skb === undefined) return undefined;
    this.next++;
    if (this.next === this.queue.length) {
      this.queue.length = 0;
      this.next = 0;
    } else if (this.next > GONE_MAX) {
      this.queue.splice(0, this.next);
      this.next = 0;
    }
    return skb;
  }
}
