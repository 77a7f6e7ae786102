/** Sending again what is believed lost: one segment (__tcp_retransmit_skb), and all that PRR lets go (tcp_xmit_retransmit_queue). */

import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { XmitError } from './qdisc.ts';
import { ecnClearSyn } from './tcp-ecn.ts';
import { currentMss, tsoSegments } from './tcp-mss.ts';
import { mtupInconclusive } from './tcp-mtu-probe.ts';
import { smallQueueCheck } from './tcp-output.ts';
import { pacingCheck } from './tcp-pacing.ts';
import { adjustCounts, collapse, fragmentSegment, setCount, trimHead } from './tcp-queue.ts';
import { SACKED, type Segment } from './tcp-segment.ts';
import { inCwndReduction, packetsInFlight, type TcpSock, windowEnd } from './tcp-sock.ts';
import { tcpResetXmitTimer } from './tcp-timer.ts';
import { flagText, transmitSegment } from './tcp-transmit.ts';

/** Linux: MAX_SKB_FRAGS. */
const FRAGS_MAX = 17;

/** Small segments that follow go with it, as long as they fit (tcp_retrans_try_collapse). */
function tryCollapse(sk: TcpSock, to: Segment, space: number): void {
  if (sk.tcp.sysctl.retransCollapse.value === 0 || to.count > 1 || (to.flags & TCP_FLAG.SYN) !== 0) return;
  space -= to.length;
  for (let next = to.next; next !== undefined; next = to.next) {
    const joinable = next.count <= 1 && (next.sacked & SACKED.ACKED) === 0 && !to.endOfRecord && next.length > 0;
    if (!joinable || (to.flags & TCP_FLAG.FIN) !== 0) return;
    if (to.skb!.frags.length + next.skb!.frags.length > FRAGS_MAX) return;
    space -= next.length;
    if (space < 0 || seqAfter(next.endSeq, windowEnd(sk))) return;
    collapse(sk, to, next);
  }
}

/** Send `segment` again, at most `segments` of its segments; cut or joined to fit the MSS and window of now. */
export function resendSegment(sk: TcpSock, segment: Segment, segments: number, reason: string): XmitError | undefined {
  mtupInconclusive(sk);
  if (seqBefore(segment.seq, sk.sndUna)) {
    if (seqBefore(segment.endSeq, sk.sndUna)) return 'EINVAL';
    const before = segment.count;
    trimHead(sk, segment, (sk.sndUna - segment.seq) >>> 0);
    adjustCounts(sk, segment, before - segment.count);
  }
  const mss = currentMss(sk);
  let window = (windowEnd(sk) - segment.seq) | 0;
  if (window <= 0) {
    // A receiver that shrank its window gets the first segment only.
    if (segment.seq !== sk.sndUna) return 'EAGAIN';
    window = mss;
  }
  // Each segment has an urgent pointer of its own: they are not cut out of one packet below.
  let length = sk.sndUp === sk.sndUna ? mss * segments : mss;
  if (length > window) {
    length = window - (window % mss);
    if (length === 0) length = window;
  }
  if (segment.length > length) fragmentSegment(sk, sk.rtxQueue, segment, length, mss);
  else {
    const before = segment.count;
    setCount(segment, mss);
    adjustCounts(sk, segment, before - segment.count);
    if (segment.length < Math.min(window, mss)) tryCollapse(sk, segment, Math.min(window, mss));
  }
  ecnClearSyn(sk, segment);
  const { snmp, trace } = sk.host;
  snmp.TcpRetransSegs += segment.count;
  if ((segment.flags & TCP_FLAG.SYN) !== 0) snmp.TcpExtTCPSynRetrans++;
  sk.totalRetrans += segment.count;
  sk.bytesRetrans += segment.length;
  if (trace.on) {
    const fields = { seq: segment.seq, length: segment.length, flags: flagText(segment.flags), reason };
    trace.point('tcp_retransmit_skb', segment.skb, fields);
  }
  const error = transmitSegment(sk, segment, true);
  // Also of one that failed: its time would be that of a transmission that never was.
  segment.sacked |= SACKED.EVER_RETRANS;
  if (error !== undefined) snmp.TcpExtTCPRetransFail += segment.count;
  return error;
}

/** The same, marked as a retransmission in flight (tcp_retransmit_skb). */
export function retransmitSegment(
  sk: TcpSock,
  segment: Segment,
  segments: number,
  reason: string,
): XmitError | undefined {
  const error = resendSegment(sk, segment, segments, reason);
  if (error === undefined) {
    // After an undo a retransmission may still be under way: it counts once.
    if ((segment.sacked & SACKED.RETRANS) === 0) sk.retransOut += segment.count;
    segment.sacked |= SACKED.RETRANS | SACKED.EVER_RETRANS;
  }
  if (sk.retransStamp === 0) sk.retransStamp = segment.sentAt || sk.host.clock.now();
  if (sk.undoRetrans < 0) sk.undoRetrans = 0;
  sk.undoRetrans += Math.max(segment.count, 1);
  return error;
}

/** What was lost was lost, but not for congestion: send it again without a smaller cwnd (tcp_non_congestion_loss_retransmit). */
export function nonCongestionLossRetransmit(sk: TcpSock, reason: string): void {
  if (sk.caState !== 'Loss') {
    sk.highSeq = sk.sndNxt;
    const ssthresh = Math.max(sk.sndSsthresh, (sk.sndCwnd >> 1) + (sk.sndCwnd >> 2));
    if (!inCwndReduction(sk)) sk.sndSsthresh = ssthresh;
    sk.priorSsthresh = 0;
    sk.undoMarker = 0;
    sk.caState = 'Loss';
  }
  xmitRetransmitQueue(sk, reason);
}

/** Send again what is marked lost, oldest first, while there is room in cwnd. (Linux: tcp_xmit_retransmit_queue) */
export function xmitRetransmitQueue(sk: TcpSock, reason = 'fast'): void {
  if (sk.packetsOut === 0) return;
  const { snmp } = sk.host;
  const head = sk.rtxQueue.head;
  const segmentsMax = tsoSegments(sk, currentMss(sk));
  let hole = false;
  let rearm = false;
  for (let segment = sk.retransmitHint ?? head; segment !== undefined; segment = segment.next) {
    if (!hole) sk.retransmitHint = segment;
    if (pacingCheck(sk)) break;
    const room = sk.sndCwnd - packetsInFlight(sk);
    if (room <= 0) break;
    if (sk.retransOut >= sk.lostOut) break;
    const { sacked } = segment;
    if ((sacked & SACKED.LOST) === 0) {
      if ((sacked & (SACKED.RETRANS | SACKED.ACKED)) === 0) hole = true;
      continue;
    }
    if ((sacked & (SACKED.ACKED | SACKED.RETRANS)) !== 0) continue;
    if (smallQueueCheck(sk, segment, 1)) break;
    if (retransmitSegment(sk, segment, Math.min(room, segmentsMax), reason) !== undefined) break;
    if (sk.caState === 'Loss') snmp.TcpExtTCPSlowStartRetrans += segment.count;
    else snmp.TcpExtTCPFastRetrans += segment.count;
    if (inCwndReduction(sk)) sk.prrOut += segment.count;
    if (segment === head && sk.pending !== 'reo-timeout') rearm = true;
  }
  if (rearm) tcpResetXmitTimer(sk, 'retrans', sk.rto, sk.rtoMax);
}
