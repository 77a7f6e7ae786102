/**
 * What waits for a device (Linux: struct Qdisc; sch_generic.c, sch_fifo.c): the interface that every queueing discipline
 * implements, and the plain ones: pfifo, bfifo, pfifo_fast, noqueue, noop. fq, fq_codel and tbf have files of their own;
 * qdisc-table.ts knows them all. Left out: classes and filters, so that the root is the only one a device has.
 */
import { TCP } from '../header/tcp.ts';
import type { DropReason } from './drop.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import type { NetDevice } from './netdev.ts';
import { SkbQueue } from './skb-queue.ts';
import type { SkBuff } from './skbuff.ts';
import type { Sock } from './sock.ts';

/** Linux: DEFAULT_TX_QUEUE_LEN. */
export const TX_QUEUE_PACKETS_MAX = 1_000;

/**
 * What a queue says of a packet that it did not simply take: it is gone (NET_XMIT_DROP), or it or another was thrown away
 * and the sender had better slow down (NET_XMIT_CN). Success is `undefined`, so that the usual answer costs nothing.
 */
export type NetXmit = 'NET_XMIT_DROP' | 'NET_XMIT_CN';
/** How a packet's way down ended: an errno of IP's, or what the device's queue said. */
export type XmitError = Errno | NetXmit;

export type QdiscKind = 'noop' | 'noqueue' | 'pfifo' | 'bfifo' | 'pfifo_fast' | 'fq' | 'fq_codel' | 'tbf';

/** Parameters by the kernel's names, as `tc` sets and shows them; times in microseconds, rates in octets a second. */
export type QdiscOptions = Readonly<Record<string, number | boolean | string>>;

/** What a sender of datagrams sees of it: congestion alone is no error. (Linux: net_xmit_errno) */
export function netXmitErrno(error: XmitError | undefined): Errno | undefined {
  if (error === 'NET_XMIT_CN') return undefined;
  return error === 'NET_XMIT_DROP' ? 'ENOBUFS' : error;
}

/** Octets on the link: of a packet that stands for several, each one's headers count (qdisc_pkt_len_init). */
export function packetLength(skb: SkBuff): number {
  if (skb.gsoSize === 0) return skb.length;
  const tcpHeader = (skb.view.getUint8(skb.transportHeader + TCP.OFFSET) >>> 4) * 4;
  return skb.length + (skb.gsoSegments - 1) * (skb.transportHeader - skb.data + tcpHeader);
}

/** An MTU with its link header (psched_mtu). */
export function pschedMtu(dev: NetDevice): number {
  return dev.mtu + dev.hardHeaderLength;
}

export abstract class Qdisc {
  abstract readonly kind: QdiscKind;
  readonly host: Host;
  readonly dev: NetDevice;
  /** Major number of the handle, `8001` in `8001:`; 0 for one that nobody asked for. */
  handle = 0;
  /** Waiting now (qlen, backlog). */
  packets = 0;
  bytes = 0;
  drops = 0;
  overlimits = 0;
  requeues = 0;
  sentPackets = 0;
  sentBytes = 0;
  /** An empty one may be passed by (TCQ_F_CAN_BYPASS). */
  bypass = false;
  /** Put back by a busy driver: go before everything else (gso_skb). */
  private readonly returned = new SkbQueue();

  constructor(host: Host, dev: NetDevice) {
    this.host = host;
    this.dev = dev;
  }

  /** Take a packet, or drop it (or another one) and say so. Consumes `skb`. */
  abstract enqueue(skb: SkBuff): NetXmit | undefined;
  /** The next to go; undefined when none may go now. */
  protected abstract take(): SkBuff | undefined;
  /** Set parameters (ops->change); EINVAL leaves the sound ones changed, as Linux does. */
  change(_options: QdiscOptions): Errno | undefined {
    return 'EOPNOTSUPP';
  }
  /** What is set now, for `tc qdisc show` (ops->dump). */
  options(): QdiscOptions {
    return {};
  }
  /** Counters of its own, for `tc -s` (ops->dump_stats). */
  statistics(): Readonly<Record<string, number>> {
    return {};
  }
  /** Timers stop: another takes its place. What waits has been taken out before. */
  destroy(): void {}

  dequeue(): SkBuff | undefined {
    const skb = this.returned.shift();
    if (skb === undefined) return this.take();
    this.packets--;
    this.bytes -= packetLength(skb);
    return skb;
  }

  /** Put back a packet that the driver would not take, as the next to go. (Linux: dev_requeue_skb) */
  requeue(skb: SkBuff): void {
    this.returned.unshift(skb);
    this.requeues++;
    this.packets++;
    this.bytes += packetLength(skb);
  }

  /** For reset: any packet that waits, whether its time has come or not. */
  remove(): SkBuff | undefined {
    return this.dequeue();
  }

  /** Passed by the queue (TCQ_F_CAN_BYPASS), or dequeued: qdisc_bstats_update. */
  countSent(skb: SkBuff): void {
    this.sentPackets += skb.gsoSegments > 0 ? skb.gsoSegments : 1;
    this.sentBytes += packetLength(skb);
  }

  protected countIn(skb: SkBuff): void {
    this.packets++;
    this.bytes += packetLength(skb);
  }

  protected countOut(skb: SkBuff): void {
    this.packets--;
    this.bytes -= packetLength(skb);
  }

  /** A packet that does not come in, or does not stay. Consumes it. (Linux: qdisc_drop) */
  protected dropPacket(skb: SkBuff, reason: DropReason): void {
    this.drops++;
    this.dev.counters.txDropped++;
    this.host.skbs.drop(skb, reason);
  }
}

/** One queue with a limit in packets (pfifo) or octets (bfifo). */
export class Fifo extends Qdisc {
  readonly kind: 'pfifo' | 'bfifo';
  private limit: number;
  private readonly queue = new SkbQueue();

  constructor(host: Host, dev: NetDevice, kind: 'pfifo' | 'bfifo') {
    super(host, dev);
    this.kind = kind;
    this.limit = kind === 'bfifo' ? TX_QUEUE_PACKETS_MAX * pschedMtu(dev) : TX_QUEUE_PACKETS_MAX;
    this.setBypass();
  }

  private setBypass(): void {
    this.bypass = this.limit >= (this.kind === 'bfifo' ? pschedMtu(this.dev) : 1);
  }

  override change(options: QdiscOptions): Errno | undefined {
    if (typeof options['limit'] === 'number') this.limit = options['limit'];
    this.setBypass();
    return undefined;
  }

  override options(): QdiscOptions {
    return { limit: this.limit };
  }

  /** (Linux: pfifo_enqueue, bfifo_enqueue) */
  enqueue(skb: SkBuff): NetXmit | undefined {
    const fits = this.kind === 'bfifo' ? this.bytes + packetLength(skb) <= this.limit : this.queue.length < this.limit;
    if (!fits) {
      this.dropPacket(skb, 'qdisc_full');
      return 'NET_XMIT_DROP';
    }
    this.queue.push(skb);
    this.countIn(skb);
    return undefined;
  }

  protected take(): SkBuff | undefined {
    const skb = this.queue.shift();
    if (skb === undefined) return undefined;
    this.countOut(skb);
    this.countSent(skb);
    return skb;
  }
}

/** Linux: sch_generic.c prio2band, by skb->priority. */
export const BAND_OF_PRIORITY: readonly number[] = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
/** Linux: ip_tos2prio, by the four TOS bits. */
const PRIORITY_OF_TOS = [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4];
const BANDS = 3;
const ETH_P_IP = 0x0800;

/** skb->priority: SO_PRIORITY, else what its TOS stands for; ARP and all else that is not IPv4 has 0. */
export function priorityOf(skb: SkBuff): number {
  const sk = skb.owner as Sock | undefined;
  if (sk !== undefined && sk.priority > 0) return sk.priority;
  const tos = skb.protocol === ETH_P_IP && skb.networkHeader > 0 ? skb.view.getUint8(skb.networkHeader + 1) : 0;
  return PRIORITY_OF_TOS[(tos >>> 1) & 15]!;
}

/** Three queues, the lower band first, each with the device's limit. */
export class PfifoFast extends Qdisc {
  readonly kind = 'pfifo_fast';
  private readonly limit: number;
  private readonly bands: readonly SkbQueue[] = Array.from({ length: BANDS }, () => new SkbQueue());

  constructor(host: Host, dev: NetDevice, limit: number = TX_QUEUE_PACKETS_MAX) {
    super(host, dev);
    this.limit = limit;
    this.bypass = true;
  }

  override options(): QdiscOptions {
    return { bands: BANDS, priomap: BAND_OF_PRIORITY.join(' ') };
  }

  /** (Linux: pfifo_fast_enqueue) */
  enqueue(skb: SkBuff): NetXmit | undefined {
    const band = this.bands[BAND_OF_PRIORITY[priorityOf(skb) & 15]!]!;
    if (band.length >= this.limit) {
      this.dropPacket(skb, 'qdisc_full');
      return 'NET_XMIT_DROP';
    }
    band.push(skb);
    this.countIn(skb);
    return undefined;
  }

  /** (Linux: pfifo_fast_dequeue) */
  protected take(): SkBuff | undefined {
    for (const band of this.bands) {
      const skb = band.shift();
      if (skb === undefined) continue;
      this.countOut(skb);
      this.countSent(skb);
      return skb;
    }
    return undefined;
  }
}

/** No queue at all: a loopback's, a bridge's. What the driver does not take at once is lost. */
export class NoQueue extends Qdisc {
  readonly kind = 'noqueue';

  enqueue(skb: SkBuff): NetXmit {
    this.dropPacket(skb, 'qdisc_full');
    return 'NET_XMIT_DROP';
  }
  override requeue(skb: SkBuff): void {
    this.dropPacket(skb, 'qdisc_full');
  }
  protected take(): SkBuff | undefined {
    return undefined;
  }
}

/** What a device has before it was ever up: takes nothing. */
export class Noop extends Qdisc {
  readonly kind = 'noop';

  enqueue(skb: SkBuff): NetXmit {
    this.dropPacket(skb, 'dev_down');
    return 'NET_XMIT_CN';
  }
  protected take(): SkBuff | undefined {
    return undefined;
  }
}
