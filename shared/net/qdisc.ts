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

/** Linux: sch_generic.c prio2band, by skb->priority, which ip_tos2prio makes of the TOS octet. */
const BAND_OF_PRIORITY = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
/** Linux: ip_tos2prio, by the four TOS bits. */
const PRIORITY_OF_TOS = [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4];
const BANDS = 3;

/** Three queues, the lower band first, each with the device's limit (Linux: pfifo_fast, the kernel's default). */
export class PfifoFast implements Qdisc {
  readonly kind: string = 'pfifo_fast';
  private readonly bands: readonly Pfifo[];
  /** Put back by a busy driver: go before everything else (qdisc->gso_skb). */
  private readonly returned = new Pfifo(Number.POSITIVE_INFINITY);

  constructor(limit: number = TX_QUEUE_PACKETS_MAX) {
    this.bands = Array.from({ length: BANDS }, () => new Pfifo(limit));
  }

  enqueue(skb: SkBuff): boolean {
    return this.bands[bandOf(skb)]!.enqueue(skb);
  }

  dequeue(): SkBuff | undefined {
    if (this.returned.packets > 0) return this.returned.dequeue();
    for (const band of this.bands) if (band.packets > 0) return band.dequeue();
    return undefined;
  }

  requeue(skb: SkBuff): void {
    this.returned.requeue(skb);
  }

  get packets(): number {
    return this.bands[0]!.packets + this.bands[1]!.packets + this.bands[2]!.packets + this.returned.packets;
  }
  get bytes(): number {
    return this.bands[0]!.bytes + this.bands[1]!.bytes + this.bands[2]!.bytes + this.returned.bytes;
  }
  get drops(): number {
    return this.bands[0]!.drops + this.bands[1]!.drops + this.bands[2]!.drops;
  }
}

/** ARP and all else that is not IPv4 has priority 0. */
function bandOf(skb: SkBuff): number {
  const tos = skb.protocol === 0x0800 && skb.networkHeader > 0 ? skb.view.getUint8(skb.networkHeader + 1) : 0;
  return BAND_OF_PRIORITY[PRIORITY_OF_TOS[(tos >>> 1) & 15]!]!;
}

/** No queue at all: a loopback's, a bridge's (Linux: noqueue). It never holds a packet unless the driver is busy. */
export class NoQueue extends Pfifo {
  override readonly kind: string = 'noqueue';
}
