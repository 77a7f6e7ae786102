/**
 * Data that arrives: in order to the receive queue, ahead of its turn to the out-of-order queue, SACK and DSACK blocks to
 * report (Linux: tcp_data_queue, tcp_data_queue_ofo, tcp_ofo_queue, tcp_sack_*). Consumes every packet it is given.
 * Left out: collapsing queues that many small packets fill (tcp_collapse); they are pruned instead.
 */

import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import { SACK_BLOCKS_MAX } from '../header/tcp-options.ts';
import type { DropReason } from './drop.ts';
import type { SkBuff } from './skbuff.ts';
import { spuriousRetransmission } from './tcp-accecn.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { tcpFin } from './tcp-close.ts';
import { ecnAcceptCwr, ecnCheckCe } from './tcp-ecn.ts';
import { clampWindow, dataReceived, growWindow, measureRcvMss } from './tcp-rcvbuf.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import { QUICKACKS_MAX, receiveWindow, type TcpSock } from './tcp-sock.ts';
import { scheduleAck } from './tcp-transmit.ts';
import { enterQuickackMode, sackCompressSendAck } from './tcp-validate.ts';
import { fastPathCheck, truesizeOf } from './tcp-window.ts';

/** Linux: MAX_SKB_FRAGS; more are not merged into one packet. */
const FRAGS_MAX = 17;

/** Tell the program that there is something to read. */
export function dataReady(sk: TcpSock): void {
  if (!sk.dead) sk.tcp.wake(sk);
}

/** Charge a packet to the receive buffer (skb_set_owner_r). */
function charge(sk: TcpSock, skb: SkBuff): void {
  skb.truesize = truesizeOf(skb);
  sk.receiveMemory += skb.truesize;
}

/** Free a packet that was charged. */
export function uncharge(sk: TcpSock, skb: SkBuff): void {
  sk.receiveMemory -= skb.truesize;
  sk.tcp.free(skb);
}

/** Append the payload of `from` to `to` by moving its pages, when they are neighbours; `from` is freed. (tcp_try_coalesce) */
function tryCoalesce(sk: TcpSock, to: SkBuff | undefined, from: SkBuff): boolean {
  if (to === undefined || to.control === undefined) return false;
  const a = segmentOf(to);
  const b = segmentOf(from);
  if (a.endSeq !== b.seq || ((a.flags | b.flags) & (TCP_FLAG.FIN | TCP_FLAG.URG)) !== 0) return false;
  if (to.cause !== from.cause || to.frags.length + from.frags.length + 1 > FRAGS_MAX) return false;
  const before = to.truesize;
  if (from.headLength > 0) to.addFrag(from.head, from.data, from.headLength);
  for (const frag of from.frags) to.addFrag(frag.pages, frag.offset, frag.length);
  to.truesize = before + truesizeOf(from) - 256;
  sk.receiveMemory += to.truesize - before;
  a.endSeq = b.endSeq;
  a.flags |= b.flags & TCP_FLAG.PSH;
  sk.host.snmp.TcpExtTCPRcvCoalesce++;
  sk.tcp.free(from);
  return true;
}

/** In order: to the receive queue; true when it was merged into the last and is gone (tcp_queue_rcv). */
export function queueReceived(sk: TcpSock, skb: SkBuff): void {
  const segment = segmentOf(skb);
  sk.bytesReceived += (segment.endSeq - sk.rcvNxt) >>> 0;
  sk.rcvNxt = segment.endSeq;
  const queue = sk.receiveQueue;
  if (tryCoalesce(sk, queue[queue.length - 1], skb)) return;
  charge(sk, skb);
  queue.push(skb);
}

/** Room in the receive buffer, made by pruning if need be (tcp_try_rmem_schedule). */
function roomFor(sk: TcpSock): boolean {
  if (sk.receiveMemory <= sk.rcvbuf) return true;
  sk.host.snmp.TcpExtPruneCalled++;
  clampWindow(sk);
  if (sk.receiveMemory <= sk.rcvbuf) return true;
  pruneOfoQueue(sk);
  if (sk.receiveMemory <= sk.rcvbuf) return true;
  sk.host.snmp.TcpExtRcvPruned++;
  sk.fastPath = false;
  return false;
}

/** Throw away what is furthest ahead; the sender still has it (tcp_prune_ofo_queue). */
function pruneOfoQueue(sk: TcpSock): void {
  if (sk.ofoQueue.tail === undefined) return;
  sk.host.snmp.TcpExtOfoPruned++;
  while (sk.ofoQueue.tail !== undefined && sk.receiveMemory > sk.rcvbuf) {
    dropOfo(sk, sk.ofoQueue.tail, 'tcp_out_of_order_full', 'tcp_prune_ofo_queue');
  }
  // What was SACKed is gone: say nothing more of it.
  sk.numSacks = 0;
}

function dropOfo(sk: TcpSock, segment: Segment, reason: DropReason, place: string): void {
  const skb = segment.skb!;
  sk.ofoQueue.remove(segment);
  sk.receiveMemory -= skb.truesize;
  sk.tcp.drop(skb, reason, place);
}

export function purgeOfoQueue(sk: TcpSock): void {
  for (let segment = sk.ofoQueue.head; segment !== undefined; segment = sk.ofoQueue.head) {
    sk.ofoQueue.remove(segment);
    uncharge(sk, segment.skb!);
  }
  sk.numSacks = 0;
}

/** Outside of the window, or seen before: say at once where we are, and drop it. */
function outOfWindow(sk: TcpSock, skb: SkBuff, reason: DropReason): void {
  enterQuickackMode(sk, QUICKACKS_MAX);
  scheduleAck(sk);
  sk.tcp.drop(skb, reason);
}

/** The text of a segment, header stripped. Consumes `skb`. (Linux: tcp_data_queue) */
export function dataQueue(sk: TcpSock, skb: SkBuff): void {
  const segment = segmentOf(skb);
  const { seq, endSeq } = segment;
  const { snmp } = sk.host;
  if (seq === endSeq) return sk.tcp.free(skb);
  skb.pull(segment.headerLength);
  ecnAcceptCwr(sk, segment);
  sk.dsack = false;
  if (seq === sk.rcvNxt) {
    const bareFin = skb.length === 0 && (segment.flags & TCP_FLAG.FIN) !== 0;
    if (receiveWindow(sk) === 0 && !bareFin) {
      snmp.TcpExtTCPZeroWindowDrop++;
      return outOfWindow(sk, skb, 'tcp_zero_window');
    }
    return queueAndOut(sk, skb);
  }
  if (!seqAfter(endSeq, sk.rcvNxt)) {
    // A retransmission of what we have.
    spuriousRetransmission(sk, segment);
    snmp.TcpExtDelayedACKLost++;
    dsackSet(sk, seq, endSeq);
    return outOfWindow(sk, skb, 'tcp_old_data');
  }
  if (!seqBefore(seq, (sk.rcvNxt + receiveWindow(sk)) >>> 0)) return outOfWindow(sk, skb, 'tcp_overwindow');
  if (seqBefore(seq, sk.rcvNxt)) {
    dsackSet(sk, seq, sk.rcvNxt);
    if (receiveWindow(sk) === 0) {
      snmp.TcpExtTCPZeroWindowDrop++;
      return outOfWindow(sk, skb, 'tcp_zero_window');
    }
    return queueAndOut(sk, skb);
  }
  dataQueueOfo(sk, skb);
}

function queueAndOut(sk: TcpSock, skb: SkBuff): void {
  const segment = segmentOf(skb);
  if (!roomFor(sk)) {
    sk.ackPending |= ACK_PENDING.NOMEM | ACK_PENDING.NOW | ACK_PENDING.SCHED;
    dataReady(sk);
    if (sk.receiveQueue.length > 0 && skb.length > 0) {
      sk.host.snmp.TcpExtTCPRcvQDrop++;
      return sk.tcp.drop(skb, 'tcp_rcvbuf');
    }
  }
  const fin = (segment.flags & TCP_FLAG.FIN) !== 0;
  const length = skb.length;
  if (length > 0) dataReceived(sk, skb);
  queueReceived(sk, skb);
  if (fin) tcpFin(sk);
  if (sk.ofoQueue.head !== undefined) {
    ofoQueue(sk);
    // A filled gap is acknowledged at once (RFC 5681 §4.2).
    if (sk.ofoQueue.head === undefined) sk.ackPending |= ACK_PENDING.NOW;
  }
  if (sk.numSacks > 0) sackRemove(sk);
  fastPathCheck(sk);
  dataReady(sk);
}

/** What was waiting for the gap to fill moves on (tcp_ofo_queue). */
function ofoQueue(sk: TcpSock): void {
  let dsackHigh = sk.rcvNxt;
  for (let segment = sk.ofoQueue.head; segment !== undefined; segment = sk.ofoQueue.head) {
    if (seqAfter(segment.seq, sk.rcvNxt)) return;
    if (seqBefore(segment.seq, dsackHigh)) {
      const end = seqBefore(segment.endSeq, dsackHigh) ? segment.endSeq : dsackHigh;
      if (seqBefore(segment.endSeq, dsackHigh)) dsackHigh = segment.endSeq;
      dsackExtend(sk, segment.seq, end);
      dsackHigh = sk.rcvNxt;
    }
    const skb = segment.skb!;
    if (!seqAfter(segment.endSeq, sk.rcvNxt)) {
      dropOfo(sk, segment, 'tcp_old_data', 'tcp_ofo_queue');
      continue;
    }
    const fin = (segment.flags & TCP_FLAG.FIN) !== 0;
    sk.ofoQueue.remove(segment);
    sk.receiveMemory -= skb.truesize;
    queueReceived(sk, skb);
    if (fin) {
      tcpFin(sk);
      return;
    }
  }
}

/** Ahead of its turn: kept in order, overlaps trimmed away. Consumes `skb`. (Linux: tcp_data_queue_ofo) */
function dataQueueOfo(sk: TcpSock, skb: SkBuff): void {
  const { snmp } = sk.host;
  ecnCheckCe(sk, segmentOf(skb));
  if (!roomFor(sk)) {
    snmp.TcpExtTCPOFODrop++;
    dataReady(sk);
    return sk.tcp.drop(skb, 'tcp_rcvbuf', 'tcp_data_queue_ofo');
  }
  // What gives the sender its duplicate ACKs also measures its segments.
  measureRcvMss(sk, skb);
  const segment = segmentOf(skb);
  const { seq, endSeq } = segment;
  sk.fastPath = false;
  scheduleAck(sk);
  sk.rcvOooPack++;
  snmp.TcpExtTCPOFOQueue++;
  const queue = sk.ofoQueue;
  if (queue.tail !== undefined && tryCoalesce(sk, queue.tail.skb, skb)) {
    if (sk.sackOk) sackNewOfo(sk, seq, endSeq);
    return;
  }
  let before = queue.tail;
  while (before !== undefined && seqBefore(seq, before.seq)) before = before.prev;
  if (before !== undefined && seqBefore(seq, before.endSeq)) {
    if (!seqAfter(endSeq, before.endSeq)) {
      // All of it is there.
      snmp.TcpExtTCPOFOMerge++;
      dsackSet(sk, seq, endSeq);
      sk.tcp.drop(skb, 'tcp_old_data', 'tcp_data_queue_ofo');
      if (sk.sackOk) sackNewOfo(sk, seq, endSeq);
      return;
    }
    if (seqAfter(seq, before.seq)) dsackSet(sk, seq, before.endSeq);
    else {
      // Same start and longer: it takes the other's place.
      dsackExtend(sk, before.seq, before.endSeq);
      snmp.TcpExtTCPOFOMerge++;
      const covered = before;
      before = before.prev;
      dropOfo(sk, covered, 'tcp_old_data', 'tcp_data_queue_ofo');
    }
  } else if (before !== undefined && before !== queue.tail && tryCoalesce(sk, before.skb, skb)) {
    removeCovered(sk, before);
    if (sk.sackOk) sackNewOfo(sk, seq, endSeq);
    return;
  }
  queue.insertAfter(before, segment);
  charge(sk, skb);
  removeCovered(sk, segment);
  if (sk.sackOk) {
    sackNewOfo(sk, seq, endSeq);
    growWindow(sk, skb);
  }
}

/** Drop what the one before covers whole (merge_right of tcp_data_queue_ofo). */
function removeCovered(sk: TcpSock, segment: Segment): void {
  for (let next = segment.next; next !== undefined; next = segment.next) {
    if (!seqAfter(segment.endSeq, next.seq)) return;
    if (seqBefore(segment.endSeq, next.endSeq)) return dsackExtend(sk, next.seq, segment.endSeq);
    dsackExtend(sk, next.seq, next.endSeq);
    sk.host.snmp.TcpExtTCPOFOMerge++;
    dropOfo(sk, next, 'tcp_old_data', 'tcp_data_queue_ofo');
  }
}

/** A duplicate to report in the next ACK (tcp_dsack_set). */
export function dsackSet(sk: TcpSock, seq: number, endSeq: number): void {
  if (!sk.sackOk || sk.tcp.sysctl.dsack.value === 0) return;
  if (seqBefore(seq, sk.rcvNxt)) sk.host.snmp.TcpExtTCPDSACKOldSent++;
  else sk.host.snmp.TcpExtTCPDSACKOfoSent++;
  sk.dsack = true;
  sk.dsackStart = seq;
  sk.dsackEnd = endSeq;
}

/** tcp_dsack_extend. */
function dsackExtend(sk: TcpSock, seq: number, endSeq: number): void {
  if (!sk.dsack) return dsackSet(sk, seq, endSeq);
  if (seqAfter(seq, sk.dsackEnd) || seqAfter(sk.dsackStart, endSeq)) return;
  if (seqBefore(seq, sk.dsackStart)) sk.dsackStart = seq;
  if (seqAfter(endSeq, sk.dsackEnd)) sk.dsackEnd = endSeq;
}

/** Let block `i` take in a range that touches it (tcp_sack_extend). */
function sackExtend(sk: TcpSock, i: number, seq: number, endSeq: number): boolean {
  const { sackStart, sackEnd } = sk;
  if (seqAfter(seq, sackEnd[i]!) || seqAfter(sackStart[i]!, endSeq)) return false;
  if (seqBefore(seq, sackStart[i]!)) sackStart[i] = seq;
  if (seqAfter(endSeq, sackEnd[i]!)) sackEnd[i] = endSeq;
  return true;
}

/** New data ahead of its turn: its block comes first (RFC 2018 §4). (Linux: tcp_sack_new_ofo_skb) */
function sackNewOfo(sk: TcpSock, seq: number, endSeq: number): void {
  const { sackStart, sackEnd } = sk;
  for (let i = 0; i < sk.numSacks; i++) {
    if (!sackExtend(sk, i, seq, endSeq)) continue;
    if (i >= 2) sackCompressSendAck(sk);
    const start = sackStart[i]!;
    const end = sackEnd[i]!;
    for (let n = i; n > 0; n--) {
      sackStart[n] = sackStart[n - 1]!;
      sackEnd[n] = sackEnd[n - 1]!;
    }
    sackStart[0] = start;
    sackEnd[0] = end;
    if (sk.numSacks > 1) maybeCoalesce(sk);
    return;
  }
  if (sk.numSacks >= 2) sackCompressSendAck(sk);
  if (sk.numSacks >= SACK_BLOCKS_MAX) sk.numSacks--;
  for (let n = sk.numSacks; n > 0; n--) {
    sackStart[n] = sackStart[n - 1]!;
    sackEnd[n] = sackEnd[n - 1]!;
  }
  sackStart[0] = seq;
  sackEnd[0] = endSeq;
  sk.numSacks++;
}

/** The first block grew: it may touch others now (tcp_sack_maybe_coalesce). */
function maybeCoalesce(sk: TcpSock): void {
  for (let i = 1; i < sk.numSacks; ) {
    if (sackExtend(sk, 0, sk.sackStart[i]!, sk.sackEnd[i]!)) removeBlock(sk, i);
    else i++;
  }
}

function removeBlock(sk: TcpSock, i: number): void {
  sk.numSacks--;
  for (let n = i; n < sk.numSacks; n++) {
    sk.sackStart[n] = sk.sackStart[n + 1]!;
    sk.sackEnd[n] = sk.sackEnd[n + 1]!;
  }
}

/** The cumulative ACK passed some blocks (tcp_sack_remove). */
function sackRemove(sk: TcpSock): void {
  if (sk.ofoQueue.head === undefined) {
    sk.numSacks = 0;
    return;
  }
  for (let i = 0; i < sk.numSacks; ) {
    if (!seqBefore(sk.rcvNxt, sk.sackStart[i]!)) removeBlock(sk, i);
    else i++;
  }
}
