/**
 * Data that arrives: in order to the receive queue, ahead of its turn to the out-of-order queue (Linux: tcp_data_queue,
 * tcp_data_queue_ofo, tcp_ofo_queue). Consumes every packet it is given.
 */

import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { DropReason } from './drop.ts';
import type { SkBuff } from './skbuff.ts';
import { POLL } from './sock.ts';
import { spuriousRetransmission } from './tcp-accecn.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { tcpFin } from './tcp-close.ts';
import { ecnAcceptCwr, ecnCheckCe } from './tcp-ecn.ts';
import { chargeReceived, unchargeReceived, underMemoryPressure } from './tcp-memory.ts';
import { rmemSchedule, tryCoalesce } from './tcp-prune.ts';
import { dataReceived, growWindow, measureRcvMss } from './tcp-rcvbuf.ts';
import { dsackExtend, dsackSet, sackNewOfo, sackRemove } from './tcp-sack-blocks.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import { QUICKACKS_MAX, receiveWindow, type TcpSock } from './tcp-sock.ts';
import { scheduleAck } from './tcp-transmit.ts';
import { enterQuickackMode } from './tcp-validate.ts';
import { fastPathCheck } from './tcp-window.ts';

/** As much as `target` to read, or less where waiting for more would be in vain (tcp_epollin_ready). */
export function epollinReady(sk: TcpSock, target: number): boolean {
  const available = (sk.rcvNxt - sk.copiedSeq) | 0;
  if (available <= 0) return false;
  if (available >= target || underMemoryPressure(sk)) return true;
  return sk.receiveMemory > sk.rcvbuf - (sk.rcvbuf >> 3) || receiveWindow(sk) <= sk.rcvMss;
}

/** Tell the program that there is something to read; who polls looks at SO_RCVLOWAT, who reads has taken what there was. */
export function dataReady(sk: TcpSock): void {
  if (!sk.dead) sk.tcp.wake(sk, POLL.IN);
}

/** Free a packet that was charged. */
export function uncharge(sk: TcpSock, skb: SkBuff): void {
  unchargeReceived(sk, skb);
  sk.tcp.free(skb);
}

/** In order: to the receive queue; true when it was merged into the last, and is the caller's to free (tcp_queue_rcv). */
export function queueReceived(sk: TcpSock, skb: SkBuff): boolean {
  const segment = segmentOf(skb);
  const queue = sk.receiveQueue;
  const eaten = tryCoalesce(sk, queue[queue.length - 1], skb);
  advanceRcvNxt(sk, segment.endSeq);
  if (eaten) return true;
  chargeReceived(sk, skb);
  queue.push(skb);
  return false;
}

/** tcp_rcv_nxt_update. */
function advanceRcvNxt(sk: TcpSock, endSeq: number): void {
  sk.bytesReceived += (endSeq - sk.rcvNxt) >>> 0;
  sk.rcvNxt = endSeq;
}

function dropOfo(sk: TcpSock, segment: Segment, reason: DropReason, place: string): void {
  const skb = segment.skb!;
  sk.ofoQueue.remove(segment);
  unchargeReceived(sk, skb);
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
  if (!seqBefore(seq, (sk.rcvNxt + receiveWindow(sk)) >>> 0)) {
    // Within a window that we offered, and took back.
    snmp.TcpExtBeyondWindow++;
    return outOfWindow(sk, skb, 'tcp_overwindow');
  }
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
  if (!rmemSchedule(sk, skb)) {
    sk.ackPending |= ACK_PENDING.NOMEM | ACK_PENDING.NOW | ACK_PENDING.SCHED;
    dataReady(sk);
    if (sk.receiveQueue.length > 0 && skb.length > 0) {
      sk.host.snmp.TcpExtTCPRcvQDrop++;
      return sk.tcp.drop(skb, 'tcp_rcvbuf');
    }
  }
  const fin = (segment.flags & TCP_FLAG.FIN) !== 0;
  const eaten = queueReceived(sk, skb);
  if (skb.length > 0) dataReceived(sk, skb);
  if (eaten) sk.tcp.free(skb);
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
  const dsackHigh = sk.rcvNxt;
  for (let segment = sk.ofoQueue.head; segment !== undefined; segment = sk.ofoQueue.head) {
    const { seq, endSeq } = segment;
    if (seqAfter(seq, sk.rcvNxt)) return;
    if (seqBefore(seq, dsackHigh)) dsackExtend(sk, seq, seqBefore(endSeq, dsackHigh) ? endSeq : dsackHigh);
    const skb = segment.skb!;
    if (!seqAfter(endSeq, sk.rcvNxt)) {
      dropOfo(sk, segment, 'tcp_old_data', 'tcp_ofo_queue');
      continue;
    }
    const fin = (segment.flags & TCP_FLAG.FIN) !== 0;
    sk.ofoQueue.remove(segment);
    unchargeReceived(sk, skb);
    if (queueReceived(sk, skb)) sk.tcp.free(skb);
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
  if (!rmemSchedule(sk, skb)) {
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
  sk.rcvOooPack += Math.max(1, skb.gsoSegments);
  snmp.TcpExtTCPOFOQueue++;
  const queue = sk.ofoQueue;
  if (queue.tail !== undefined && tryCoalesce(sk, queue.tail.skb, skb)) return coalesced(sk, skb, seq, endSeq);
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
    return coalesced(sk, skb, seq, endSeq);
  }
  queue.insertAfter(before, segment);
  chargeReceived(sk, skb);
  removeCovered(sk, segment);
  if (sk.sackOk) {
    sackNewOfo(sk, seq, endSeq);
    growWindow(sk, skb, false);
  }
}

/** It is a part of another now. Without SACK the window must not move, or the ACK would be no duplicate. */
function coalesced(sk: TcpSock, skb: SkBuff, seq: number, endSeq: number): void {
  if (sk.sackOk) growWindow(sk, skb, true);
  sk.tcp.free(skb);
  if (sk.sackOk) sackNewOfo(sk, seq, endSeq);
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
