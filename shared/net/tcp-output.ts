/**
 * What may be sent now: congestion window, the peer's window, Nagle and CORK, TSO sizes and deferral, small queues
 * (Linux: tcp_write_xmit and its tests), FIN, and the SYN of an active open.
 */

import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { XmitError } from './qdisc.ts';
import { beaconDue } from './tcp-accecn.ts';
import { cwndValidate } from './tcp-congestion.ts';
import { accecnMode, ecnCrossedSynAckFlags, ecnSynFlags } from './tcp-ecn.ts';
import { sendSynData } from './tcp-fastopen-client.ts';
import { chronoStart, chronoStop } from './tcp-info.ts';
import { chargeQueued } from './tcp-memory.ts';
import { currentMss, PACING_SHIFT, tsoSegments } from './tcp-mss.ts';
import { mtuProbe } from './tcp-mtu-probe.ts';
import { pacingCheck } from './tcp-pacing.ts';
import { entail, fragmentSegment, newSegment, setCount } from './tcp-queue.ts';
import { rearmRto, scheduleLossProbe } from './tcp-recovery.ts';
import { xmitRetransmitQueue } from './tcp-retransmit.ts';
import type { Segment } from './tcp-segment.ts';
import { inCwndReduction, NAGLE, packetsInFlight, RTO_MIN, stateIs, type TcpSock, windowEnd } from './tcp-sock.ts';
import { resetXmitTimer, tcpResetXmitTimer } from './tcp-timer.ts';
import { sendControl, TX_OVERHEAD, transmitSegment } from './tcp-transmit.ts';

/** Deferring waits for more only this long after the last packet. */
const DEFER_WRITE_AGE = 1_000;

/** The peer's window takes the first segment of this packet (tcp_snd_wnd_test). */
export function windowTest(sk: TcpSock, segment: Segment, mss: number): boolean {
  const end = segment.length > mss ? (segment.seq + mss) >>> 0 : segment.endSeq;
  return !seqAfter(end, windowEnd(sk));
}

/** How many segments cwnd lets go, no more than half of it in one packet (tcp_cwnd_test). */
function cwndTest(sk: TcpSock, segment: Segment): number {
  // The last FIN does not wait for cwnd.
  if ((segment.flags & TCP_FLAG.FIN) !== 0 && segment.count <= 1) return 1;
  const inFlight = packetsInFlight(sk);
  if (inFlight >= sk.sndCwnd) return 0;
  return Math.min(Math.max(sk.sndCwnd >> 1, 1), sk.sndCwnd - inFlight);
}

/** True when a partial segment has to wait (tcp_nagle_check): Minshall's variant, one small segment in flight. */
function nagleHolds(sk: TcpSock, partial: boolean, nonagle: number): boolean {
  if (!partial) return false;
  if ((nonagle & NAGLE.CORK) !== 0) return true;
  return nonagle === 0 && sk.packetsOut > 0 && seqAfter(sk.sndSml, sk.sndUna) && !seqAfter(sk.sndSml, sk.sndNxt);
}

function nagleTest(sk: TcpSock, segment: Segment, mss: number, nonagle: number): boolean {
  if ((nonagle & NAGLE.PUSH) !== 0) return true;
  if ((segment.flags & TCP_FLAG.FIN) !== 0 || sk.sndUp !== sk.sndUna) return true;
  return !nagleHolds(sk, segment.length < mss, nonagle);
}

/** Where to cut: whole segments within the window, the odd rest only if Nagle lets it go (tcp_mss_split_point). */
function splitPoint(sk: TcpSock, segment: Segment, mss: number, segments: number, nonagle: number): number {
  const window = (windowEnd(sk) - segment.seq) | 0;
  const most = mss * segments;
  if (most <= window && segment !== sk.writeQueue.tail) return most;
  const needed = Math.min(segment.length, window);
  if (most <= needed) return most;
  const partial = needed % mss;
  return nagleHolds(sk, partial !== 0, nonagle) ? needed - partial : needed;
}

type Defer = 'send' | 'wait' | 'cwnd' | 'rwnd';

/** Whether the next ACK will allow a larger packet, soon enough to wait for it (tcp_tso_should_defer). */
function tsoShouldDefer(sk: TcpSock, segment: Segment, mss: number, segmentsMax: number): Defer {
  if (sk.caState === 'Recovery' || sk.caState === 'Loss') return 'send';
  const now = sk.host.clock.now();
  if (now - sk.tcpWstamp > DEFER_WRITE_AGE) return 'send';
  const sendWindow = (windowEnd(sk) - segment.seq) | 0;
  const cwndWindow = (sk.sndCwnd - packetsInFlight(sk)) * mss;
  const limit = Math.min(sendWindow, cwndWindow);
  if (limit >= segmentsMax * mss) return 'send';
  if (segment !== sk.writeQueue.tail && limit >= segment.length) return 'send';
  const divisor = sk.tcp.sysctl.tsoWinDivisor.value;
  if (divisor > 0) {
    if (limit >= Math.floor(Math.min(sk.sndWnd, sk.sndCwnd * mss) / divisor)) return 'send';
  } else if (limit > 3 * mss) return 'send';
  const head = sk.rtxQueue.head;
  if (head === undefined) return 'send';
  // The ACK of the oldest is more than half a round trip away: too long.
  if (now - head.sentAt < sk.srtt >> 4) return 'send';
  if (cwndWindow < sendWindow) {
    if (cwndWindow <= segment.length) return 'cwnd';
  } else if (sendWindow <= segment.length) return 'rwnd';
  if ((segment.flags & TCP_FLAG.FIN) !== 0 || segment.endOfRecord) return 'send';
  return 'wait';
}

/**
 * Too much of ours is still in the queues below (TSQ): tcpWfree brings us back. A retransmission may take twice as much
 * (`factor` 1). (Linux: tcp_small_queue_check)
 */
export function smallQueueCheck(sk: TcpSock, segment: Segment, factor: 0 | 1): boolean {
  const truesize = segment.length + TX_OVERHEAD;
  let limit = Math.max(2 * truesize, sk.pacingRate / 2 ** PACING_SHIFT);
  if (sk.pacingStatus === 'none') limit = Math.min(limit, sk.tcp.sysctl.limitOutputBytes.value);
  if (sk.sendMemory <= limit * (1 + factor)) return false;
  // A sender with nothing in flight, or one packet, must not wait for itself.
  const { head } = sk.rtxQueue;
  if (head === undefined || head.next === undefined) return false;
  sk.tsqThrottled = true;
  return true;
}

/** The rest of a burst: counts, chrono, cwnd use, tail loss probe. True when a probe timer is needed. */
function afterBurst(sk: TcpSock, sent: number, limits: { cwnd: boolean; rwnd: boolean }, pushOne: number): boolean {
  if (limits.rwnd) chronoStart(sk, 'rwnd');
  else chronoStop(sk, 'rwnd');
  const cwndLimited = limits.cwnd || packetsInFlight(sk) >= sk.sndCwnd;
  if (sent > 0 || cwndLimited) cwndValidate(sk, cwndLimited);
  if (sent > 0) {
    if (inCwndReduction(sk)) sk.prrOut += sent;
    if (pushOne !== 2) scheduleLossProbe(sk, false);
    return false;
  }
  return sk.packetsOut === 0 && sk.writeQueue.head !== undefined;
}

/** Reused for every burst. */
const limits = { cwnd: false, rwnd: false };

/**
 * Send as much of the write queue as may go. `pushOne` 1: one packet; 2: a loss probe, whatever cwnd says. True when
 * nothing is in flight and something waits, so that the peer's window must be probed. (Linux: tcp_write_xmit)
 */
export function writeXmit(sk: TcpSock, mss: number, nonagle: number, pushOne: number): boolean {
  // A beacon makes the options longer.
  if (accecnMode(sk) && beaconDue(sk)) mss = currentMss(sk);
  const segmentsMax = tsoSegments(sk, mss);
  let sent = 0;
  limits.cwnd = limits.rwnd = false;
  if (sk.mtup.enabled && pushOne === 0) {
    const probed = mtuProbe(sk);
    if (probed === 'wait') return false;
    if (probed === 'sent') sent = 1;
  }
  for (let segment = sk.writeQueue.head; segment !== undefined; segment = sk.writeQueue.head) {
    if (pacingCheck(sk)) break;
    setCount(segment, mss);
    let quota = cwndTest(sk, segment);
    if (quota === 0) {
      if (pushOne !== 2) break;
      quota = 1;
    }
    quota = Math.min(quota, segmentsMax);
    if (!windowTest(sk, segment, mss)) {
      limits.rwnd = true;
      break;
    }
    const last = segment === sk.writeQueue.tail;
    if (segment.count === 1) {
      if (!nagleTest(sk, segment, mss, last ? nonagle : NAGLE.PUSH)) break;
    } else if (pushOne === 0) {
      const defer = tsoShouldDefer(sk, segment, mss, segmentsMax);
      if (defer !== 'send') {
        if (defer === 'cwnd') limits.cwnd = true;
        if (defer === 'rwnd') limits.rwnd = true;
        break;
      }
    }
    let limit = mss;
    if (segment.count > 1 && sk.sndUp === sk.sndUna) limit = splitPoint(sk, segment, mss, quota, nonagle);
    if (limit <= 0) break;
    if (segment.length > limit) fragmentSegment(sk, sk.writeQueue, segment, limit, mss);
    if (smallQueueCheck(sk, segment, 0)) break;
    if (segment.endSeq === segment.seq) break;
    if (transmitSegment(sk, segment, false) !== undefined) break;
    eventNewDataSent(sk, segment);
    // Minshall: the last partial segment sent (tcp_minshall_update).
    if (segment.length < segment.count * mss) sk.sndSml = segment.endSeq;
    sent += segment.count;
    if (pushOne !== 0) break;
  }
  return afterBurst(sk, sent, limits, pushOne);
}

/** A segment of the write queue is on its way: it waits for its ACK now (tcp_event_new_data_sent). */
export function eventNewDataSent(sk: TcpSock, segment: Segment): void {
  const prior = sk.packetsOut;
  sk.sndNxt = segment.endSeq;
  sk.writeQueue.remove(segment);
  sk.rtxQueue.append(segment);
  sk.tsorted.append(segment);
  if (prior === 0) chronoStart(sk, 'busy');
  if (sk.highestSack === undefined) sk.highestSack = segment;
  sk.packetsOut += segment.count;
  if (prior === 0 || sk.pending === 'loss-probe') rearmRto(sk);
  sk.host.snmp.TcpExtTCPOrigDataSent += segment.count;
}

/** Send what may go; probe the window when it is shut (__tcp_push_pending_frames). */
export function pushPending(sk: TcpSock, mss: number, nonagle: number): void {
  if (sk.state === 'CLOSE') return;
  if (writeXmit(sk, mss, nonagle, 0)) checkProbeTimer(sk);
}

/** tcp_check_probe_timer. */
export function checkProbeTimer(sk: TcpSock): void {
  if (sk.packetsOut > 0 || sk.pending !== 'none') return;
  tcpResetXmitTimer(sk, 'probe0', Math.max(sk.rto, RTO_MIN), sk.rtoMax);
}

/** tcp_push_pending_frames: after an ACK made room, or a CORK came off. */
export function pushPendingFrames(sk: TcpSock): void {
  if (sk.writeQueue.head !== undefined) pushPending(sk, currentMss(sk), sk.nonagle);
}

/** The last of what was written is marked (tcp_mark_push). */
export function markPush(sk: TcpSock, segment: Segment): void {
  segment.flags |= TCP_FLAG.PSH;
  sk.pushedSeq = sk.writeSeq;
}

/** Close our direction: FIN on the last segment that waits, or on one of its own. (Linux: tcp_send_fin) */
export function sendFin(sk: TcpSock): void {
  const tail = sk.writeQueue.tail;
  if (tail !== undefined) {
    tail.flags |= TCP_FLAG.FIN;
    tail.endSeq = (tail.endSeq + 1) >>> 0;
    sk.writeSeq = (sk.writeSeq + 1) >>> 0;
  } else {
    const fin = newSegment(sk, TCP_FLAG.ACK | TCP_FLAG.FIN);
    fin.endSeq = (fin.endSeq + 1) >>> 0;
    sk.writeSeq = fin.endSeq;
    entail(sk, fin);
  }
  pushPending(sk, currentMss(sk), NAGLE.OFF);
}

/** The SYN of an active open, in the retransmit queue until it is answered (tcp_connect). */
export function sendSyn(sk: TcpSock): void {
  const syn = newSegment(sk, TCP_FLAG.SYN | ecnSynFlags(sk));
  syn.endSeq = (syn.seq + 1) >>> 0;
  sk.writeSeq = syn.endSeq;
  syn.count = 1;
  chargeQueued(sk, TX_OVERHEAD);
  sk.retransStamp = sk.host.clock.now();
  sk.rtxQueue.append(syn);
  sk.tsorted.append(syn);
  sk.packetsOut = 1;
  if (sk.fastopenReq === undefined) transmitSegment(sk, syn, false);
  else sendSynData(sk, syn);
  // Data that could not go with the SYN waits behind it.
  sk.sndNxt = sk.pushedSeq = sk.writeQueue.head === undefined ? sk.writeSeq : sk.writeQueue.head.seq;
  sk.host.snmp.TcpActiveOpens++;
  resetXmitTimer(sk, 'retrans', sk.rto, sk.rtoMax);
}

/** Ask for an ACK with nothing new: a byte that was acknowledged long ago (tcp_xmit_probe_skb). */
export function sendProbe(sk: TcpSock): XmitError | undefined {
  sk.host.snmp.TcpExtTCPWinProbe++;
  return sendControl(sk, (sk.sndUna - 1) >>> 0, TCP_FLAG.ACK);
}

/** Wake a peer whose window is shut: data that fits, else an empty probe. (tcp_write_wakeup) */
export function writeWakeup(sk: TcpSock): XmitError | undefined {
  if (sk.state === 'CLOSE') return 'EPIPE';
  const head = sk.writeQueue.head;
  if (head !== undefined && seqBefore(head.seq, windowEnd(sk))) {
    const mss = currentMss(sk);
    let size = (windowEnd(sk) - head.seq) | 0;
    if (seqBefore(sk.pushedSeq, head.endSeq)) sk.pushedSeq = head.endSeq;
    if (size < ((head.endSeq - head.seq) | 0) || head.length > mss) {
      size = Math.min(size, mss);
      head.flags |= TCP_FLAG.PSH;
      if (size < head.length) fragmentSegment(sk, sk.writeQueue, head, size, mss);
    }
    setCount(head, mss);
    head.flags |= TCP_FLAG.PSH;
    const error = transmitSegment(sk, head, false);
    if (error === undefined) eventNewDataSent(sk, head);
    return error;
  }
  return sendProbe(sk);
}

/** Simultaneous open: our SYN, which waits in the queue, becomes a SYN-ACK (tcp_send_synack). */
export function sendSynAckFromSyn(sk: TcpSock): void {
  const syn = sk.rtxQueue.head;
  if (syn === undefined || (syn.flags & TCP_FLAG.SYN) === 0) return;
  syn.flags = TCP_FLAG.SYN | TCP_FLAG.ACK | ecnCrossedSynAckFlags(sk);
  transmitSegment(sk, syn, false);
}

/** Room below, or the pacer's time has come: retransmissions first, then new data. (Linux: tcp_tsq_write) */
export function tsqHandler(sk: TcpSock): void {
  if (sk.destroyed || !stateIs(sk, 'ESTABLISHED', 'FIN_WAIT1', 'CLOSING', 'CLOSE_WAIT', 'LAST_ACK')) return;
  if (sk.lostOut > sk.retransOut && sk.sndCwnd > packetsInFlight(sk)) xmitRetransmitQueue(sk);
  writeXmit(sk, currentMss(sk), sk.nonagle, 0);
}
