/** RACK: loss judged by time (RFC 8985 §6), and TLP: a probe instead of a long silence at the tail (§7). */
import { seqAfter, seqBefore } from '../header/tcp.ts';
import type { Micros } from '../platform.ts';
import { tcpRtoMin } from './route-metrics.ts';
import { ACK_FLAG, type AckState } from './tcp-ack-state.ts';
import { cwndReduction, endCwndReduction, initCwndReduction, setCaState } from './tcp-congestion.ts';
import { enterRecovery, markLost, tryKeepOpen } from './tcp-loss.ts';
import { currentMss } from './tcp-mss.ts';
import { windowTest, writeXmit } from './tcp-output.ts';
import { fragmentSegment } from './tcp-queue.ts';
import { resendSegment, xmitRetransmitQueue } from './tcp-retransmit.ts';
import { ANY_RETRANS, SACKED, type Segment } from './tcp-segment.ts';
import { NAGLE, packetsInFlight, type TcpSock, TIMEOUT_INIT, TIMEOUT_MIN } from './tcp-sock.ts';
import { clearXmitTimer, tcpResetXmitTimer } from './tcp-timer.ts';

/** Bits of tcp_recovery. */
const RACK_NO_DUPTHRESH = 4;
const RACK_STATIC_REO_WND = 2;
/** Round trips for which a widened reordering window lasts. */
const RACK_RECOVERY_THRESH = 16;

/** Later sent, or sent at once and further on (tcp_skb_sent_after, RFC 8985's RACK_sent_after). */
function sentAfter(t1: Micros, t2: Micros, seq1: number, seq2: number): boolean {
  return t1 > t2 || (t1 === t2 && seqAfter(seq1, seq2));
}

/** How much reordering to allow for (tcp_rack_reo_wnd). */
function reorderingWindow(sk: TcpSock): Micros {
  if (sk.reordSeen === 0) {
    if (sk.caState === 'Recovery' || sk.caState === 'Loss') return 0;
    if (sk.sackedOut >= sk.reordering && (sk.tcp.sysctl.recovery.value & RACK_NO_DUPTHRESH) === 0) return 0;
  }
  return Math.min(Math.floor(sk.minRttValue[0]! / 4) * sk.rackReoWndSteps, sk.srtt >> 3);
}

/** Time until a segment counts as lost; not positive: it does (tcp_rack_skb_timeout). */
export function rackTimeLeft(sk: TcpSock, segment: Segment, window: Micros): Micros {
  return sk.rackRtt + window - (sk.host.clock.now() - segment.sentAt);
}

/** Mark lost what was sent sufficiently before something that was delivered; returns how long to wait for the rest. */
function detectLoss(sk: TcpSock): Micros {
  const window = reorderingWindow(sk);
  let wait = 0;
  let next: Segment | undefined;
  for (let segment = sk.tsorted.head; segment !== undefined; segment = next) {
    next = segment.tsNext;
    // Already known to be lost, and not sent again yet.
    if ((segment.sacked & SACKED.LOST) !== 0 && (segment.sacked & SACKED.RETRANS) === 0) continue;
    if (!sentAfter(sk.rackMstamp, segment.sentAt, sk.rackEndSeq, segment.endSeq)) break;
    const left = rackTimeLeft(sk, segment, window);
    if (left <= 0) {
      markLost(sk, segment);
      sk.tsorted.remove(segment);
    } else wait = Math.max(wait, left);
  }
  return wait;
}

/** After an ACK delivered something; true when the timer is armed for reordered segments (tcp_rack_mark_lost). */
export function rackMarkLost(sk: TcpSock): boolean {
  if (!sk.rackAdvanced) return false;
  sk.rackAdvanced = false;
  const wait = detectLoss(sk);
  if (wait > 0) tcpResetXmitTimer(sk, 'reo-timeout', wait + TIMEOUT_MIN, sk.rto);
  return wait > 0;
}

/** A segment was delivered: what was sent before it should be, too (tcp_rack_advance). */
export function rackAdvance(sk: TcpSock, sacked: number, endSeq: number, sentAt: Micros): void {
  const rtt = sk.host.clock.now() - sentAt;
  // Too quick for the retransmission: it was the original that arrived.
  if (rtt < sk.minRttValue[0]! && (sacked & ANY_RETRANS) !== 0) return;
  sk.rackAdvanced = true;
  sk.rackRtt = rtt;
  if (sentAfter(sentAt, sk.rackMstamp, endSeq, sk.rackEndSeq)) {
    sk.rackMstamp = sentAt;
    sk.rackEndSeq = endSeq;
  }
}

/** DSACKs show needless retransmissions: allow for more reordering, for a while (tcp_rack_update_reo_wnd). */
export function rackUpdateReoWnd(sk: TcpSock, ack: AckState): void {
  if ((sk.tcp.sysctl.recovery.value & RACK_STATIC_REO_WND) !== 0 || ack.priorDelivered < 0) return;
  if (ack.priorDelivered < sk.rackLastDelivered) sk.rackDsackSeen = false;
  if (sk.rackDsackSeen) {
    sk.rackReoWndSteps = Math.min(0xff, sk.rackReoWndSteps + 1);
    sk.rackDsackSeen = false;
    sk.rackLastDelivered = sk.delivered;
    sk.rackReoWndPersist = RACK_RECOVERY_THRESH;
  } else if (sk.rackReoWndPersist === 0) sk.rackReoWndSteps = 1;
}

/** The reordering window is over (tcp_rack_reo_timeout). */
export function rackReoTimeout(sk: TcpSock): void {
  const before = packetsInFlight(sk);
  const lost = sk.lost;
  detectLoss(sk);
  if (before !== packetsInFlight(sk)) {
    if (sk.caState !== 'Recovery') {
      enterRecovery(sk, false);
      cwndReduction(sk, 1, sk.lost - lost, false);
    }
    xmitRetransmitQueue(sk, 'rack');
  }
  if (sk.pending !== 'retrans') rearmRto(sk);
}

/** How far off the time-out of the oldest segment is (tcp_rto_delta_us). */
function rtoDelta(sk: TcpSock): Micros {
  const head = sk.rtxQueue.head;
  return head === undefined ? 0 : head.sentAt + sk.rto - sk.host.clock.now();
}

/** Count the RTO from the oldest segment (tcp_rearm_rto). */
export function rearmRto(sk: TcpSock): void {
  // The timer repeats the SYN-ACK.
  if (sk.fastopenRsk !== undefined) return;
  if (sk.packetsOut === 0) {
    if (sk.pending !== 'probe0') clearXmitTimer(sk);
    return;
  }
  let { rto } = sk;
  // Another purpose had the timer: the RTO runs since the oldest was sent.
  if (sk.pending === 'reo-timeout' || sk.pending === 'loss-probe') rto = Math.max(rtoDelta(sk), 1);
  tcpResetXmitTimer(sk, 'retrans', rto, sk.rtoMax);
}

/** Two round trips without an ACK at the tail call for a probe; true when the timer is armed for it. */
export function scheduleLossProbe(sk: TcpSock, advancingRto: boolean): boolean {
  if (sk.fastopenRsk !== undefined) return false;
  const early = sk.tcp.sysctl.earlyRetrans.value;
  if ((early !== 3 && early !== 4) || sk.packetsOut === 0 || !sk.sackOk) return false;
  if (sk.caState !== 'Open' && sk.caState !== 'CWR') return false;
  let timeout: Micros = TIMEOUT_INIT;
  if (sk.srtt > 0) timeout = (sk.srtt >> 2) + (sk.packetsOut === 1 ? tcpRtoMin(sk) : TIMEOUT_MIN);
  const untilRto = advancingRto ? sk.rto : rtoDelta(sk);
  if (untilRto > 0) timeout = Math.min(timeout, untilRto);
  tcpResetXmitTimer(sk, 'loss-probe', timeout, sk.rtoMax);
  return true;
}

/** New data if there is some, else the last segment again: its ACK or SACK reveals what is missing. (tcp_send_loss_probe) */
export function sendLossProbe(sk: TcpSock): void {
  if (sk.tlpHighSeq !== 0 || !probe(sk)) return rearmRto(sk);
  sk.tlpHighSeq = sk.sndNxt;
  sk.host.snmp.TcpExtTCPLossProbes++;
  sk.pending = 'none';
  rearmRto(sk);
}

function probe(sk: TcpSock): boolean {
  const mss = currentMss(sk);
  sk.tlpRetrans = false;
  const fresh = sk.writeQueue.head;
  if (fresh !== undefined && windowTest(sk, fresh, mss)) {
    const before = sk.packetsOut;
    writeXmit(sk, mss, NAGLE.OFF, 2);
    if (sk.packetsOut > before) return true;
    return false;
  }
  let last = sk.rtxQueue.tail;
  if (last === undefined) return false;
  if (last.count > 1 && last.length > (last.count - 1) * mss) {
    last = fragmentSegment(sk, sk.rtxQueue, last, (last.count - 1) * mss, mss);
  }
  if (resendSegment(sk, last, 1, 'probe') !== undefined) return false;
  sk.tlpRetrans = true;
  return true;
}

/** Whether the probe repaired a loss, for which cwnd has to pay (tcp_process_tlp_ack). */
export function processTlpAck(sk: TcpSock, ackSeq: number, flag: number): void {
  if (seqBefore(ackSeq, sk.tlpHighSeq)) return;
  if (!sk.tlpRetrans || (flag & ACK_FLAG.DSACK_TLP) !== 0) sk.tlpHighSeq = 0;
  else if (seqAfter(ackSeq, sk.tlpHighSeq)) {
    initCwndReduction(sk);
    setCaState(sk, 'CWR');
    endCwndReduction(sk);
    tryKeepOpen(sk);
    sk.host.snmp.TcpExtTCPLossProbeRecovery++;
  } else if ((flag & (ACK_FLAG.SND_UNA_ADVANCED | ACK_FLAG.NOT_DUP | ACK_FLAG.DATA_SACKED)) === 0) sk.tlpHighSeq = 0;
}
