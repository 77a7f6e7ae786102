/**
 * The sender's scoreboard: SACK blocks marked on the retransmit queue (Linux: tcp_sacktag_write_queue), DSACK
 * (RFC 2883), and how much reordering the path shows. Left out: joining SACKed sk_buffs (tcp_shift_skb_data).
 */
import { seqAfter, seqBefore } from '../header/tcp.ts';
import { SACK_BLOCKS_MAX, type TcpOptions } from '../header/tcp-options.ts';
import { ACK_FLAG, type AckState } from './tcp-ack-state.ts';
import { fragmentSegment } from './tcp-queue.ts';
import { rateDelivered } from './tcp-rate.ts';
import { rackAdvance } from './tcp-recovery.ts';
import { ANY_RETRANS, SACKED, type Segment } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Where SACKed data ends, as far as is known (tcp_highest_sack_seq). */
export function highestSackSeq(sk: TcpSock): number {
  if (sk.sackedOut === 0) return sk.sndUna;
  return sk.highestSack === undefined ? sk.sndNxt : sk.highestSack.seq;
}

/** Something below the highest SACKed arrived late: the path reorders by so many segments (tcp_check_sack_reordering). */
export function checkSackReordering(sk: TcpSock, lowSeq: number, ts: boolean): void {
  const fack = highestSackSeq(sk);
  if (!seqBefore(lowSeq, fack)) return;
  const metric = (fack - lowSeq) >>> 0;
  const mss = sk.mssCache;
  if (mss > 0 && metric > sk.reordering * mss) {
    sk.reordering = Math.min(Math.ceil(metric / mss), sk.tcp.sysctl.maxReordering.value);
  }
  sk.reordSeen++;
  if (ts) sk.host.snmp.TcpExtTCPTSReorder++;
  else sk.host.snmp.TcpExtTCPSACKReorder++;
}

/** Segments that a DSACK says arrived twice; 0 when it cannot be trusted (tcp_dsack_seen). */
function dsackSeen(sk: TcpSock, start: number, end: number, ack: AckState): number {
  if (!seqBefore(start, end)) return 0;
  const length = (end - start) >>> 0;
  if (length > sk.maxWindow) return 0;
  let segments = 1;
  if (length > sk.mssCache) segments = Math.ceil(length / sk.mssCache);
  else if (sk.tlpHighSeq !== 0 && sk.tlpHighSeq === end) ack.flag |= ACK_FLAG.DSACK_TLP;
  sk.dsackDups += segments;
  // More duplicates than retransmissions: the network duplicates.
  if (sk.dsackDups > sk.totalRetrans) return 0;
  sk.dsackSeen = true;
  if (sk.reordSeen > 0 && (ack.flag & ACK_FLAG.DSACK_TLP) === 0) sk.rackDsackSeen = true;
  ack.flag |= ACK_FLAG.DSACKING_ACK;
  return segments;
}

/** Whether the first block reports a duplicate (tcp_check_dsack). */
function checkDsack(sk: TcpSock, o: TcpOptions, ackSeq: number, priorSndUna: number, ack: AckState): boolean {
  const { snmp } = sk.host;
  const start = o.sackStart[0] ?? 0;
  const end = o.sackEnd[0] ?? 0;
  if (seqBefore(start, ackSeq)) snmp.TcpExtTCPDSACKRecv++;
  else if (o.sackBlocks > 1 && !seqAfter(end, o.sackEnd[1] ?? 0) && !seqBefore(start, o.sackStart[1] ?? 0)) {
    snmp.TcpExtTCPDSACKOfoRecv++;
  } else return false;
  const segments = dsackSeen(sk, start, end, ack);
  if (segments === 0) {
    snmp.TcpExtTCPDSACKIgnoredDubious++;
    return false;
  }
  snmp.TcpExtTCPDSACKRecvSegs += segments;
  if (sk.undoMarker !== 0 && sk.undoRetrans > 0 && !seqAfter(end, priorSndUna) && seqAfter(end, sk.undoMarker)) {
    sk.undoRetrans = Math.max(0, sk.undoRetrans - segments);
  }
  return true;
}

/** A block that can be true (tcp_is_sackblock_valid). */
function blockValid(sk: TcpSock, isDsack: boolean, start: number, end: number): boolean {
  if (seqAfter(end, sk.sndNxt) || !seqBefore(start, end)) return false;
  if (!seqBefore(start, sk.sndNxt)) return false;
  if (seqAfter(start, sk.sndUna)) return true;
  if (!isDsack || sk.undoMarker === 0) return false;
  if (seqAfter(end, sk.sndUna)) return false;
  if (!seqBefore(start, sk.undoMarker)) return true;
  if (!seqAfter(end, sk.undoMarker)) return false;
  return !seqBefore(start, (end - sk.maxWindow) >>> 0);
}

/** Cut a packet of several segments where the block begins or ends; true when the segment lies within the block. */
function matchToBlock(sk: TcpSock, segment: Segment, start: number, end: number): boolean {
  let inside = !seqAfter(start, segment.seq) && !seqBefore(end, segment.endSeq);
  if (inside || segment.count <= 1 || !seqAfter(segment.endSeq, start)) return inside;
  const { mss } = segment;
  inside = !seqAfter(start, segment.seq);
  let cut = inside ? (end - segment.seq) >>> 0 : (start - segment.seq) >>> 0;
  if (cut < mss) {
    if (inside) return false;
    cut = mss;
  }
  if (cut > mss) {
    // Only whole segments are SACKed.
    let whole = Math.floor(cut / mss) * mss;
    if (!inside && whole < cut) whole += mss;
    cut = whole;
  }
  if (cut >= segment.length) return inside && cut === segment.length;
  fragmentSegment(sk, sk.rtxQueue, segment, cut, mss);
  return inside;
}

/** One segment was received by the peer (tcp_sacktag_one). */
function tagOne(sk: TcpSock, segment: Segment, dup: boolean, ack: AckState): void {
  const { sacked, seq, endSeq, count } = segment;
  if (dup && (sacked & ANY_RETRANS) !== 0) {
    if (sk.undoMarker !== 0 && sk.undoRetrans > 0 && seqAfter(endSeq, sk.undoMarker)) {
      sk.undoRetrans = Math.max(0, sk.undoRetrans - count);
    }
    if ((sacked & SACKED.ACKED) !== 0 && seqBefore(seq, ack.reord)) ack.reord = seq;
  }
  if (!seqAfter(endSeq, sk.sndUna)) return;
  if ((sacked & SACKED.ACKED) === 0) {
    rackAdvance(sk, sacked, endSeq, segment.sentAt);
    if ((sacked & SACKED.RETRANS) !== 0) {
      // Lost and sent again, and one of the two arrived.
      if ((sacked & SACKED.LOST) !== 0) {
        segment.sacked &= ~(SACKED.LOST | SACKED.RETRANS);
        sk.lostOut -= count;
        sk.retransOut -= count;
      }
    } else {
      if ((sacked & ANY_RETRANS) === 0) {
        if (seqBefore(seq, highestSackSeq(sk)) && seqBefore(seq, ack.reord)) ack.reord = seq;
        if (!seqAfter(endSeq, sk.highSeq)) ack.flag |= ACK_FLAG.ORIG_SACK_ACKED;
        if (ack.firstSackt < 0) ack.firstSackt = segment.sentAt;
        ack.lastSackt = segment.sentAt;
      }
      if ((sacked & SACKED.LOST) !== 0) {
        segment.sacked &= ~SACKED.LOST;
        sk.lostOut -= count;
      }
    }
    segment.sacked |= SACKED.ACKED;
    ack.flag |= ACK_FLAG.DATA_SACKED;
    ack.deliveredBytes += segment.length;
    sk.sackedOut += count;
    sk.delivered += count;
    sk.tsorted.remove(segment);
    rateDelivered(sk, segment, ack);
    if (!seqBefore(seq, highestSackSeqOrUna(sk))) sk.highestSack = segment.next;
  }
  if (dup && (segment.sacked & SACKED.RETRANS) !== 0) {
    segment.sacked &= ~SACKED.RETRANS;
    sk.retransOut -= count;
  }
}

/** Like highestSackSeq, right after sackedOut rose from 0: the first above is then the head. */
function highestSackSeqOrUna(sk: TcpSock): number {
  return sk.highestSack === undefined ? sk.sndNxt : sk.highestSack.seq;
}

/** Mark the segments of the block [start, end), beginning at the one that holds `from`. */
function tagRange(sk: TcpSock, from: number, start: number, end: number, dup: boolean, ack: AckState): void {
  // What lies above the highest SACKed need not be searched from the front.
  const hint = sk.sackedOut > 0 ? sk.highestSack : undefined;
  let segment = hint !== undefined && !seqBefore(from, hint.seq) ? hint : sk.rtxQueue.head;
  for (; segment !== undefined; segment = segment.next) {
    if (!seqBefore(segment.seq, end)) return;
    if (!seqAfter(segment.endSeq, from)) continue;
    if (matchToBlock(sk, segment, start, end)) tagOne(sk, segment, dup, ack);
  }
}

/** Mark a block, leaving out what the last ACK's blocks covered already (tcp_sacktag_skip over recv_sack_cache). */
function tagBlock(sk: TcpSock, start: number, end: number, ack: AckState): void {
  let from = start;
  for (let i = 0; i < sk.sackCacheBlocks; i++) {
    const low = sk.sackCacheStart[i] ?? 0;
    const high = sk.sackCacheEnd[i] ?? 0;
    if (!seqAfter(high, from) || !seqBefore(low, end)) continue;
    if (seqBefore(from, low)) tagRange(sk, from, start, low, false, ack);
    from = high;
    if (!seqBefore(from, end)) return;
  }
  tagRange(sk, from, start, end, false, ack);
}

const blockStart = new Uint32Array(SACK_BLOCKS_MAX);
const blockEnd = new Uint32Array(SACK_BLOCKS_MAX);

/** All SACK blocks of an ACK, into marks, counts and ack.flag. (Linux: tcp_sacktag_write_queue) */
export function sacktagWriteQueue(
  sk: TcpSock,
  o: TcpOptions,
  ackSeq: number,
  priorSndUna: number,
  ack: AckState,
): void {
  if (sk.sackedOut === 0) sk.highestSack = sk.rtxQueue.head;
  const dsack = checkDsack(sk, o, ackSeq, priorSndUna, ack);
  if (sk.packetsOut === 0) return;
  let used = 0;
  let dupBlock = -1;
  for (let i = 0; i < o.sackBlocks; i++) {
    const start = o.sackStart[i] ?? 0;
    const end = o.sackEnd[i] ?? 0;
    const dup = i === 0 && dsack;
    if (!blockValid(sk, dup, start, end)) {
      countInvalid(sk, dup, end, ackSeq);
      continue;
    }
    if (!seqAfter(end, priorSndUna)) continue;
    // In sequence order, so that the cache can be passed through once.
    let at = used;
    for (; at > 0 && seqAfter(blockStart[at - 1] ?? 0, start); at--) {
      blockStart[at] = blockStart[at - 1] ?? 0;
      blockEnd[at] = blockEnd[at - 1] ?? 0;
      if (dupBlock === at - 1) dupBlock = at;
    }
    blockStart[at] = start;
    blockEnd[at] = end;
    if (dup) dupBlock = at;
    used++;
  }
  for (let i = 0; i < used; i++) {
    const start = blockStart[i] ?? 0;
    const end = blockEnd[i] ?? 0;
    if (i === dupBlock) tagRange(sk, start, start, end, true, ack);
    else tagBlock(sk, start, end, ack);
  }
  sk.sackCacheBlocks = used;
  sk.sackCacheStart.set(blockStart);
  sk.sackCacheEnd.set(blockEnd);
  if (sk.caState !== 'Loss' || sk.undoMarker !== 0) checkSackReordering(sk, ack.reord, false);
}

function countInvalid(sk: TcpSock, dup: boolean, end: number, ackSeq: number): void {
  const { snmp } = sk.host;
  if (dup) {
    if (sk.undoMarker === 0) snmp.TcpExtTCPDSACKIgnoredNoUndo++;
    else snmp.TcpExtTCPDSACKIgnoredOld++;
    return;
  }
  // Blocks of an ACK that was overtaken are no news.
  if (ackSeq !== sk.sndUna && !seqAfter(end, sk.sndUna)) return;
  snmp.TcpExtTCPSACKDiscard++;
}
