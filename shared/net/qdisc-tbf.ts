/**
 * tbf: no faster than a rate, by a bucket of tokens that lets a burst through (Linux: sch_tbf.c). What waits beyond the
 * limit is dropped; a packet larger than the bucket could never go, and is dropped, too. Left out: peakrate.
 */
import { type Micros, SECOND, type Timer } from '../platform.ts';
import type { Errno } from './errno.ts';
import { gsoSegment } from './gso.ts';
import type { Host } from './host.ts';
import { type NetDevice, qdiscRun } from './netdev.ts';
import { type NetXmit, packetLength, Qdisc, type QdiscOptions } from './qdisc.ts';
import { SkbQueue } from './skb-queue.ts';
import type { SkBuff } from './skbuff.ts';

export class Tbf extends Qdisc {
  readonly kind = 'tbf';
  /** Octets a second, octets, octets. */
  private rate = 0;
  private burst = 0;
  private limit = 0;
  /** Octets that may go now, and when they were counted. */
  private tokens = 0;
  private countedAt: Micros;
  private readonly queue = new SkbQueue();
  private readonly watchdog: Timer;

  constructor(host: Host, dev: NetDevice) {
    super(host, dev);
    this.countedAt = host.clock.now();
    this.watchdog = host.softTimer('qdisc_watchdog', () => qdiscRun(host, dev), 'NET_TX');
  }

  override destroy(): void {
    this.watchdog.stop();
  }

  /** (Linux: tbf_enqueue; a GSO packet larger than the bucket is cut first, as in tbf_segment) */
  enqueue(skb: SkBuff): NetXmit | undefined {
    if (packetLength(skb) <= this.burst) return this.enqueueOne(skb);
    if (skb.gsoSize === 0) {
      this.dropPacket(skb, 'qdisc_full');
      return 'NET_XMIT_DROP';
    }
    let taken = 0;
    for (const segment of gsoSegment(this.host, skb)) if (this.enqueueOne(segment) === undefined) taken++;
    return taken > 0 ? undefined : 'NET_XMIT_DROP';
  }

  private enqueueOne(skb: SkBuff): NetXmit | undefined {
    const length = packetLength(skb);
    if (length > this.burst || this.bytes + length > this.limit) {
      this.dropPacket(skb, 'qdisc_full');
      return 'NET_XMIT_DROP';
    }
    this.queue.push(skb);
    this.countIn(skb);
    return undefined;
  }

  /** (Linux: tbf_dequeue) */
  protected take(): SkBuff | undefined {
    const skb = this.queue.peek();
    if (skb === undefined) return undefined;
    const now = this.host.clock.now();
    const length = packetLength(skb);
    const tokens = Math.min(this.burst, this.tokens + ((now - this.countedAt) * this.rate) / SECOND);
    if (tokens < length) {
      this.overlimits++;
      this.watchdog.arm(Math.ceil(((length - tokens) * SECOND) / this.rate));
      return undefined;
    }
    this.tokens = tokens - length;
    this.countedAt = now;
    this.queue.shift();
    this.countOut(skb);
    this.countSent(skb);
    return skb;
  }

  /** Whether there are tokens for it or not. */
  override remove(): SkBuff | undefined {
    const next = this.dequeue();
    if (next !== undefined) return next;
    const early = this.queue.shift();
    if (early !== undefined) this.countOut(early);
    return early;
  }

  /** Rate, burst and limit come together. (Linux: tbf_change) */
  override change({ rate, burst, limit }: QdiscOptions): Errno | undefined {
    if (typeof rate !== 'number' || typeof burst !== 'number' || typeof limit !== 'number') return 'EINVAL';
    if (rate <= 0 || burst <= 0 || limit < 0) return 'EINVAL';
    this.rate = rate;
    this.burst = this.tokens = burst;
    this.limit = limit;
    this.countedAt = this.host.clock.now();
    return undefined;
  }

  override options(): QdiscOptions {
    return { rate: this.rate, burst: this.burst, limit: this.limit };
  }
}
