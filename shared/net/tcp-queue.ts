/**
 * The queues of a sender: appending, cutting, trimming and giving back segments (tcp_fragment, tcp_trim_head,
 * tcp_write_queue_purge). Cutting moves frags between sk_buffs; payload is never copied.
 */
import { TCP_FLAG } from '../header/tcp.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';
import { chargeQueued, unchargeQueued } from './tcp-memory.ts';
import { SACKED, type Segment, type SegmentList } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';
import { joinTimestamp, splitTimestamp } from './tcp-timestamping.ts';
import { TX_OVERHEAD } from './tcp-transmit.ts';

/** An empty segment at writeSeq, not yet in a queue (tcp_stream_alloc_skb). */
export function newSegment(sk: TcpSock, flags: number): Segment {
  const skb = sk.host.skbs.alloc(HEADROOM);
  skb.reserve(HEADROOM);
  skb.cause = sk.cause;
  const segment = sk.tcp.hold(skb);
  segment.seq = segment.endSeq = sk.writeSeq;
  segment.flags = flags;
  return segment;
}

/** At the end of what is to be sent (tcp_skb_entail). */
export function entail(sk: TcpSock, segment: Segment): void {
  chargeQueued(sk, TX_OVERHEAD);
  sk.writeQueue.append(segment);
}

/** Memory of a segment is the socket's again, and its sk_buff ends. */
export function freeSegment(sk: TcpSock, segment: Segment): void {
  unchargeQueued(sk, TX_OVERHEAD + segment.length);
  sk.tcp.free(segment.skb!);
}

/** How many segments of `mss` it stands for (tcp_set_skb_tso_segs). */
export function setCount(segment: Segment, mss: number): void {
  const length = segment.length;
  segment.mss = mss;
  segment.count = length <= mss ? 1 : Math.ceil(length / mss);
}

/** Move everything from octet `at` on out of `from` into `to`, which has no payload yet. */
function movePayload(from: SkBuff, to: SkBuff, at: number): void {
  let skip = at;
  const kept = [];
  for (const frag of from.frags) {
    if (skip >= frag.length) {
      kept.push(frag);
      skip -= frag.length;
      continue;
    }
    if (skip > 0) kept.push({ pages: frag.pages, offset: frag.offset, length: skip });
    to.addFrag(frag.pages, frag.offset + skip, frag.length - skip);
    // A frag that moves whole is no longer held here.
    if (skip === 0) frag.pages.refs--;
    skip = 0;
  }
  from.frags.length = 0;
  from.frags.push(...kept);
  from.fragBytes = at;
}

/**
 * Cut `segment` after `length` octets; the rest is a new segment behind it in the same queue, marked alike. Counters
 * follow when the counts change (tcp_fragment, tso_fragment).
 */
export function fragmentSegment(
  sk: TcpSock,
  queue: SegmentList,
  segment: Segment,
  length: number,
  mss: number,
): Segment {
  const skb = segment.skb!;
  const restSkb = sk.host.skbs.alloc(HEADROOM);
  restSkb.reserve(HEADROOM);
  restSkb.cause = skb.cause;
  const rest = sk.tcp.hold(restSkb);
  movePayload(skb, restSkb, length);
  rest.seq = (segment.seq + length) >>> 0;
  rest.endSeq = segment.endSeq;
  segment.endSeq = rest.seq;
  rest.flags = segment.flags;
  segment.flags &= ~(TCP_FLAG.FIN | TCP_FLAG.PSH);
  rest.sacked = segment.sacked;
  rest.endOfRecord = segment.endOfRecord;
  segment.endOfRecord = false;
  rest.sentAt = segment.sentAt;
  rest.delivered = segment.delivered;
  rest.deliveredAt = segment.deliveredAt;
  rest.appLimited = segment.appLimited;
  rest.firstSentAt = segment.firstSentAt;
  rest.inFlight = segment.inFlight;
  splitTimestamp(segment, rest);
  const before = segment.count;
  setCount(segment, mss);
  setCount(rest, mss);
  chargeQueued(sk, TX_OVERHEAD);
  if (queue === sk.rtxQueue) adjustCounts(sk, segment, before - segment.count - rest.count);
  queue.insertAfter(segment, rest);
  if (segment.tsorted) sk.tsorted.insertAfter(segment, rest);
  return rest;
}

/** The count of a sent segment fell by `decrease` (tcp_adjust_pcount). */
export function adjustCounts(sk: TcpSock, segment: Segment, decrease: number): void {
  if (decrease === 0) return;
  sk.packetsOut -= decrease;
  if ((segment.sacked & SACKED.ACKED) !== 0) sk.sackedOut -= decrease;
  if ((segment.sacked & SACKED.RETRANS) !== 0) sk.retransOut -= decrease;
  if ((segment.sacked & SACKED.LOST) !== 0) sk.lostOut -= decrease;
  if (!sk.sackOk && sk.sackedOut > 0) sk.sackedOut -= Math.min(sk.sackedOut, decrease);
}

/** The first `length` octets were acknowledged (tcp_trim_head). */
export function trimHead(sk: TcpSock, segment: Segment, length: number): void {
  const skb = segment.skb!;
  let left = length;
  while (left > 0) {
    const frag = skb.frags[0];
    if (frag === undefined) break;
    if (frag.length <= left) {
      left -= frag.length;
      skb.frags.shift();
      skb.fragBytes -= frag.length;
      sk.host.skbs.releasePages(frag.pages);
      continue;
    }
    skb.frags[0] = { pages: frag.pages, offset: frag.offset + left, length: frag.length - left };
    skb.fragBytes -= left;
    left = 0;
  }
  segment.seq = (segment.seq + length) >>> 0;
  unchargeQueued(sk, length - left);
  if (segment.count > 1) setCount(segment, segment.mss);
}

/** A segment leaves the retransmit queue for good (tcp_rtx_queue_unlink_and_free). */
export function unlinkSent(sk: TcpSock, segment: Segment): void {
  if (sk.retransmitHint === segment) sk.retransmitHint = undefined;
  if (sk.highestSack === segment) sk.highestSack = segment.next;
  sk.tsorted.remove(segment);
  sk.rtxQueue.remove(segment);
  freeSegment(sk, segment);
}

/** Give up all that was to be sent or sent again (tcp_write_queue_purge). */
export function purgeWriteQueue(sk: TcpSock): void {
  for (let segment = sk.writeQueue.head; segment !== undefined; segment = sk.writeQueue.head) {
    sk.writeQueue.remove(segment);
    freeSegment(sk, segment);
  }
  for (let segment = sk.rtxQueue.head; segment !== undefined; segment = sk.rtxQueue.head) unlinkSent(sk, segment);
  sk.packetsOut = sk.sackedOut = sk.lostOut = sk.retransOut = 0;
  sk.highestSack = sk.retransmitHint = undefined;
  sk.backoff = 0;
  sk.pending = 'none';
  releaseFragPage(sk);
}

export function releaseFragPage(sk: TcpSock): void {
  if (sk.fragPage === undefined) return;
  sk.host.skbs.releasePages(sk.fragPage);
  sk.fragPage = undefined;
}

/** Nothing of either was sent: `next`, which follows in the write queue, becomes the end of `segment`. */
export function joinNext(sk: TcpSock, segment: Segment, next: Segment): void {
  const moved = next.length;
  for (const frag of next.skb!.frags) segment.skb!.addFrag(frag.pages, frag.offset, frag.length);
  segment.endSeq = next.endSeq;
  segment.flags |= next.flags;
  segment.endOfRecord = next.endOfRecord;
  chargeQueued(sk, moved);
  sk.writeQueue.remove(next);
  freeSegment(sk, next);
}

/** Put the payload of `next` behind that of `segment` and free it: fewer, fuller retransmissions (tcp_collapse_retrans). */
export function collapse(sk: TcpSock, segment: Segment, next: Segment): void {
  const skb = segment.skb!;
  const other = next.skb!;
  const moved = other.length;
  for (const frag of other.frags) skb.addFrag(frag.pages, frag.offset, frag.length);
  segment.endSeq = next.endSeq;
  segment.flags |= next.flags;
  segment.endOfRecord = next.endOfRecord;
  joinTimestamp(segment, next);
  segment.sacked |= next.sacked & SACKED.EVER_RETRANS;
  adjustCounts(sk, next, next.count);
  if (sk.retransmitHint === next) sk.retransmitHint = segment;
  if (sk.highestSack === next) sk.highestSack = segment;
  chargeQueued(sk, moved);
  sk.tsorted.remove(next);
  sk.rtxQueue.remove(next);
  freeSegment(sk, next);
}
