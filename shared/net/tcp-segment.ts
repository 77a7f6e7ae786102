/**
 * What TCP notes about each sk_buff that it holds (Linux: struct tcp_skb_cb), and the lists they stand in. A note is in
 * `skb.control` while TCP owns the sk_buff, links it into its queue without an array to shift, and is used again.
 *
 * Lists: the write queue (not sent), the retransmit queue (sent, in sequence order), beside it the same notes in the
 * order of their last sending (tsorted, for RACK), and the out-of-order queue of a receiver.
 */
import type { SkBuff } from './skbuff.ts';

/** What is known of a sent segment (TCPCB_*). */
export const SACKED = { ACKED: 1, RETRANS: 2, LOST: 4, EVER_RETRANS: 0x80 } as const;
/** Retransmitted at least once, now or before. */
export const ANY_RETRANS = SACKED.RETRANS | SACKED.EVER_RETRANS;

/** Notes kept for reuse. */
const FREE_SEGMENTS_MAX = 4_096;

export class Segment {
  skb: SkBuff | undefined = undefined;
  next: Segment | undefined = undefined;
  prev: Segment | undefined = undefined;
  tsNext: Segment | undefined = undefined;
  tsPrev: Segment | undefined = undefined;
  tsorted = false;

  seq = 0;
  endSeq = 0;
  /** TCP_FLAG bits: as received, or to be sent. */
  flags = 0;
  /** Received: the acknowledgement field, the window as it stands there, the urgent pointer. */
  ack = 0;
  window = 0;
  urgent = 0;
  /** Received: the TOS octet of the packet (ip_dsfield). */
  tos = 0;
  /** Received: octets of TCP header. */
  headerLength = 0;
  /** Sent: SACKED bits. */
  sacked = 0;
  /** Sent: how many segments it stands for, and their size (tcp_skb_pcount, tcp_gso_size); 0 before they are known. */
  count = 0;
  mss = 0;
  /** Lab time of the last sending (skb_mstamp). */
  sentAt = 0;
  /** What had been delivered when it was sent, for rate samples (tcp_rate_skb_sent). */
  delivered = 0;
  deliveredAt = 0;
  /** It was sent while the program had nothing more (is_app_limited). */
  appLimited = false;
  firstSentAt = 0;
  inFlight = 0;
  /** MSG_EOR: nothing may be appended. */
  endOfRecord = false;
  /** The program wants to know when octet skb.timestampKey was acknowledged (txstamp_ack). */
  stampAck = false;

  /** Octets of payload. */
  get length(): number {
    return this.skb === undefined ? 0 : this.skb.length;
  }
}

export class SegmentPool {
  private readonly free: Segment[] = [];

  /** Notes for `skb`; they go back with release when TCP gives the sk_buff away. */
  attach(skb: SkBuff): Segment {
    const segment = this.free.pop() ?? new Segment();
    segment.skb = skb;
    skb.control = segment;
    return segment;
  }

  release(segment: Segment): void {
    if (segment.skb !== undefined) segment.skb.control = undefined;
    segment.skb = segment.next = segment.prev = segment.tsNext = segment.tsPrev = undefined;
    segment.appLimited = segment.tsorted = segment.endOfRecord = segment.stampAck = false;
    segment.seq = segment.endSeq = segment.flags = segment.ack = segment.window = segment.urgent = segment.tos = 0;
    segment.headerLength = segment.sacked = segment.count = segment.mss = segment.sentAt = 0;
    segment.delivered = segment.deliveredAt = segment.firstSentAt = segment.inFlight = 0;
    if (this.free.length < FREE_SEGMENTS_MAX) this.free.push(segment);
  }
}

/** The notes of an sk_buff that TCP holds (TCP_SKB_CB). */
export function segmentOf(skb: SkBuff): Segment {
  return skb.control as Segment;
}

/** A queue of segments: linked through next and prev. */
export class SegmentList {
  head: Segment | undefined = undefined;
  tail: Segment | undefined = undefined;
  count = 0;

  get empty(): boolean {
    return this.head === undefined;
  }

  append(segment: Segment): void {
    this.insertAfter(this.tail, segment);
  }

  /** Behind `before`; in front of everything when that is undefined. */
  insertAfter(before: Segment | undefined, segment: Segment): void {
    const after = before === undefined ? this.head : before.next;
    segment.prev = before;
    segment.next = after;
    if (before === undefined) this.head = segment;
    else before.next = segment;
    if (after === undefined) this.tail = segment;
    else after.prev = segment;
    this.count++;
  }

  remove(segment: Segment): void {
    const { prev, next } = segment;
    if (prev === undefined) this.head = next;
    else prev.next = next;
    if (next === undefined) this.tail = prev;
    else next.prev = prev;
    segment.prev = segment.next = undefined;
    this.count--;
  }
}

/** Sent segments in the order of their last sending: linked through tsNext and tsPrev (tsorted_sent_queue). */
export class SentOrder {
  head: Segment | undefined = undefined;
  tail: Segment | undefined = undefined;

  append(segment: Segment): void {
    this.insertAfter(this.tail, segment);
  }

  insertAfter(before: Segment | undefined, segment: Segment): void {
    const after = before === undefined ? this.head : before.tsNext;
    segment.tsPrev = before;
    segment.tsNext = after;
    if (before === undefined) this.head = segment;
    else before.tsNext = segment;
    if (after === undefined) this.tail = segment;
    else after.tsPrev = segment;
    segment.tsorted = true;
  }

  /** Harmless when it is not in. */
  remove(segment: Segment): void {
    if (!segment.tsorted) return;
    const { tsPrev, tsNext } = segment;
    if (tsPrev === undefined) this.head = tsNext;
    else tsPrev.tsNext = tsNext;
    if (tsNext === undefined) this.tail = tsPrev;
    else tsNext.tsPrev = tsPrev;
    segment.tsPrev = segment.tsNext = undefined;
    segment.tsorted = false;
  }
}
