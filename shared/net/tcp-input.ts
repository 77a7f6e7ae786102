/**
 * A segment for a full sock: header prediction, the ESTABLISHED path, and all other states (Linux: tcp_rcv_established,
 * tcp_rcv_state_process), in the order of RFC 9293 §3.10.7. Every function here consumes `skb` unless its doc says more.
 */

import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { SkBuff } from './skbuff.ts';
import { aceExpected, receivedCounters, thirdAck } from './tcp-accecn.ts';
import { checkSpace, storeTsRecent, tcpAck } from './tcp-ack.ts';
import { ACK_FLAG } from './tcp-ack-state.ts';
import { checkRequest } from './tcp-check-req.ts';
import { advmssWithTimestamps, initTransfer } from './tcp-child.ts';
import { setState, shutdownWrite, stateChange, tcpDone, tcpReset } from './tcp-close.ts';
import { updatePacingRate } from './tcp-congestion.ts';
import { accecnMode } from './tcp-ecn.ts';
import { fastopenAcknowledged } from './tcp-fastopen.ts';
import { updateMetrics } from './tcp-metrics-save.ts';
import { timeWait } from './tcp-minisocks.ts';
import { pushPendingFrames } from './tcp-output.ts';
import { dataReceived, initializeRcvMss, rcvRttMeasureTs } from './tcp-rcvbuf.ts';
import { dataQueue, dataReady, queueReceived } from './tcp-receive.ts';
import { rttEstimator, setRto } from './tcp-rtt.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import { type TcpSock, TIMEWAIT_LEN } from './tcp-sock.ts';
import { synSentReceive } from './tcp-syn-sent.ts';
import { finTime } from './tcp-timer.ts';
import { receiveUrgent } from './tcp-urgent.ts';
import { ackSndCheck, sendChallengeAck, validateIncoming } from './tcp-validate.ts';
import { fastPathCheck } from './tcp-window.ts';

/** What the caller has to do with a segment that was not to be had: 'reset' answers it with a RST. */
export type InputAnswer = 'done' | 'reset';

const FLAGS_PREDICTED = TCP_FLAG.ACK | TCP_FLAG.PSH;

/** Options of the segment in hand, echo without our offset (tcp_fast_parse_options). */
function takeOptions(sk: TcpSock): void {
  const o = sk.tcp.received;
  sk.sawTstamp = o.timestamps && sk.tstampOk;
  if (!sk.sawTstamp) return;
  sk.rcvTsval = o.tsval;
  sk.rcvTsecr = o.tsecr === 0 ? 0 : (o.tsecr - sk.tsOffset) >>> 0;
}

/** Nothing but the next data or the next ACK, window as before: most segments are like this. */
function predicted(sk: TcpSock, segment: Segment): boolean {
  if (!sk.fastPath || (segment.flags & ~TCP_FLAG.PSH) !== (TCP_FLAG.ACK | aceExpected(sk))) return false;
  if (segment.seq !== sk.rcvNxt || segment.window << sk.sndWscale !== sk.sndWnd) return false;
  if (seqAfter(segment.ack, sk.sndNxt) || seqBefore(segment.ack, sk.sndUna)) return false;
  if (segment.headerLength !== sk.tcpHeaderLength || (segment.flags & FLAGS_PREDICTED) === 0) return false;
  if (!sk.tstampOk) return true;
  return sk.sawTstamp && ((sk.rcvTsval - sk.tsRecent) | 0) >= 0;
}

/** A segment on an ESTABLISHED connection. Consumes `skb`. (Linux: tcp_rcv_established) */
export function rcvEstablished(sk: TcpSock, skb: SkBuff): void {
  const segment = segmentOf(skb);
  takeOptions(sk);
  if (predicted(sk, segment)) {
    const payload = segment.endSeq !== segment.seq;
    const progress = sk.tstampOk && sk.rcvNxt === sk.rcvWup ? storeTsRecent(sk) : 0;
    if (!payload) {
      countEcn(sk, skb, segment);
      tcpAck(sk, segment, progress);
      sk.tcp.free(skb);
      return dataSndCheck(sk);
    }
    if (skb.truesize <= sk.forwardAlloc) return fastData(sk, skb, segment, progress);
  }
  if ((segment.flags & (TCP_FLAG.ACK | TCP_FLAG.RST | TCP_FLAG.SYN)) === 0)
    return sk.tcp.drop(skb, 'tcp_flags', 'tcp_rcv_established');
  if (!validateIncoming(sk, skb)) return;
  countEcn(sk, skb, segment);
  const answer = tcpAck(sk, segment, ACK_FLAG.SLOWPATH | ACK_FLAG.UPDATE_TS_RECENT);
  if (answer === 'too-old' || answer === 'unsent') {
    if (answer === 'unsent') sendChallengeAck(sk);
    return sk.tcp.drop(skb, 'tcp_invalid_ack', 'tcp_rcv_established');
  }
  rcvRttMeasureTs(sk, segment);
  receiveUrgent(sk, skb);
  dataQueue(sk, skb);
  if (sk.destroyed) return;
  dataSndCheck(sk);
  ackSndCheck(sk, true);
}

/** What the network wrote on it is counted whatever becomes of it, header still in front. */
function countEcn(sk: TcpSock, skb: SkBuff, segment: Segment): void {
  if (sk.ecnFlags !== 0) receivedCounters(sk, segment, skb.gsoSegments, skb.length - segment.headerLength);
}

/** Predicted data: straight to the receive queue. */
function fastData(sk: TcpSock, skb: SkBuff, segment: Segment, progress: number): void {
  const { ack, seq } = segment;
  rcvRttMeasureTs(sk, segment);
  sk.host.snmp.TcpExtTCPHPHits++;
  countEcn(sk, skb, segment);
  skb.pull(segment.headerLength);
  const eaten = queueReceived(sk, skb);
  dataReceived(sk, skb);
  if (ack !== sk.sndUna) {
    tcpAck(sk, segment, ACK_FLAG.DATA | progress);
    dataSndCheck(sk);
  } else sk.sndWl1 = seq;
  ackSndCheck(sk, false);
  if (eaten) sk.tcp.free(skb);
  dataReady(sk);
}

/** An ACK may have made room to send, or for the program to write (tcp_data_snd_check). */
function dataSndCheck(sk: TcpSock): void {
  pushPendingFrames(sk);
  checkSpace(sk);
}

/** A segment for a sock in any state but ESTABLISHED and LISTEN. (Linux: tcp_rcv_state_process) */
export function rcvStateProcess(sk: TcpSock, skb: SkBuff): InputAnswer {
  const segment = segmentOf(skb);
  if (sk.state === 'CLOSE') {
    sk.tcp.drop(skb, 'tcp_closed');
    return 'done';
  }
  if (sk.state === 'SYN_SENT') return synSentReceive(sk, skb);
  takeOptions(sk);
  const { fastopenRsk } = sk;
  if (fastopenRsk !== undefined && checkRequest(fastopenRsk, skb, sk) !== sk) {
    sk.tcp.drop(skb, 'tcp_fastopen');
    return 'done';
  }
  if ((segment.flags & (TCP_FLAG.ACK | TCP_FLAG.RST | TCP_FLAG.SYN)) === 0) {
    sk.tcp.drop(skb, 'tcp_flags');
    return 'done';
  }
  if (!validateIncoming(sk, skb)) return 'done';
  // Fifth: the ACK.
  const flag = ACK_FLAG.SLOWPATH | ACK_FLAG.UPDATE_TS_RECENT | ACK_FLAG.NO_CHALLENGE_ACK;
  const answer = (segment.flags & TCP_FLAG.ACK) === 0 ? 'old' : tcpAck(sk, segment, flag);
  if (answer !== 'ok') {
    if (sk.state === 'SYN_RECV') {
      if (answer === 'old') sk.tcp.drop(skb, 'tcp_invalid_ack');
      return answer === 'old' ? 'done' : 'reset';
    }
    if (answer !== 'old') {
      sendChallengeAck(sk);
      sk.tcp.drop(skb, 'tcp_invalid_ack');
      return 'done';
    }
  }
  const after = afterAck(sk, segment);
  if (after === 'reset') return 'reset';
  if (after === 'consumed') {
    sk.tcp.free(skb);
    return 'done';
  }
  // Sixth: urgent.
  receiveUrgent(sk, skb);
  return segmentText(sk, skb, segment);
}

/** What the acknowledgement of our SYN or FIN changes. */
function afterAck(sk: TcpSock, segment: Segment): 'go on' | 'consumed' | 'reset' {
  switch (sk.state) {
    case 'SYN_RECV':
      established(sk, segment);
      return 'go on';
    case 'FIN_WAIT1':
      if (sk.fastopenRsk !== undefined) fastopenAcknowledged(sk);
      return sk.sndUna === sk.writeSeq ? finAcknowledged(sk, segment) : 'go on';
    case 'CLOSING':
      if (sk.sndUna !== sk.writeSeq) return 'go on';
      timeWait(sk, 'TIME_WAIT', 0);
      return 'consumed';
    case 'LAST_ACK':
      if (sk.sndUna !== sk.writeSeq) return 'go on';
      updateMetrics(sk);
      tcpDone(sk);
      return 'consumed';
    default:
      return 'go on';
  }
}

/** The last ACK of a passive or simultaneous open. */
function established(sk: TcpSock, segment: Segment): void {
  const now = sk.host.clock.now();
  sk.delivered++;
  if (sk.srtt === 0) synackRtt(sk);
  if (sk.fastopenRsk !== undefined) fastopenAcknowledged(sk);
  else {
    sk.retransStamp = 0;
    sk.copiedSeq = sk.rcvNxt;
    initTransfer(sk);
  }
  setState(sk, 'ESTABLISHED');
  stateChange(sk);
  sk.sndUna = segment.ack;
  sk.sndWnd = segment.window << sk.sndWscale;
  sk.sndWl1 = segment.seq;
  if (sk.tstampOk) advmssWithTimestamps(sk);
  updatePacingRate(sk);
  sk.lsndtime = now;
  initializeRcvMss(sk);
  if (accecnMode(sk)) thirdAck(sk, segment);
  fastPathCheck(sk);
  if (sk.shutdownWrite) shutdownWrite(sk);
}

/** From SYN-ACK to ACK, unless the SYN-ACK was repeated (tcp_synack_rtt_meas). */
function synackRtt(sk: TcpSock): void {
  if (sk.totalRetrans > 0 || sk.synackSentAt === 0) return;
  const rtt = sk.host.clock.now() - sk.synackSentAt;
  rttEstimator(sk, Math.max(1, rtt));
  setRto(sk);
  sk.minRttValue.fill(Math.max(1, rtt));
  sk.minRttAt.fill(sk.host.clock.now());
}

/** Our FIN is acknowledged: FIN-WAIT-2, which an orphan leaves by the clock. */
function finAcknowledged(sk: TcpSock, segment: Segment): 'go on' | 'consumed' | 'reset' {
  setState(sk, 'FIN_WAIT2');
  sk.shutdownWrite = true;
  if (!sk.dead) {
    stateChange(sk);
    return 'go on';
  }
  const { snmp } = sk.host;
  const fin = (segment.flags & TCP_FLAG.FIN) !== 0;
  const data = segment.endSeq !== segment.seq && seqAfter((segment.endSeq - (fin ? 1 : 0)) >>> 0, sk.rcvNxt);
  if (sk.linger2 < 0 || data) {
    // Nobody will read what still comes.
    snmp.TcpExtTCPAbortOnData++;
    tcpDone(sk);
    return 'reset';
  }
  const wait = finTime(sk);
  if (wait > TIMEWAIT_LEN) sk.keepaliveTimer.arm(wait - TIMEWAIT_LEN);
  else if (fin) sk.keepaliveTimer.arm(wait);
  else {
    timeWait(sk, 'FIN_WAIT2', wait);
    return 'consumed';
  }
  return 'go on';
}

/** Seventh: the text, eighth: FIN, by the data queue. */
function segmentText(sk: TcpSock, skb: SkBuff, segment: Segment): InputAnswer {
  const { seq, endSeq } = segment;
  let queue = false;
  switch (sk.state) {
    case 'CLOSE_WAIT':
    case 'CLOSING':
    case 'LAST_ACK':
      // After their FIN nothing new can come; a repetition is acknowledged.
      queue = seqBefore(seq, sk.rcvNxt);
      break;
    case 'ESTABLISHED':
    case 'FIN_WAIT1':
    case 'FIN_WAIT2':
      queue = true;
      break;
    default:
  }
  if (queue && sk.shutdownRead && sk.state !== 'ESTABLISHED' && endSeq !== seq) {
    const fin = (segment.flags & TCP_FLAG.FIN) !== 0 ? 1 : 0;
    if (seqAfter((endSeq - fin) >>> 0, sk.rcvNxt)) {
      // RFC 1122 §4.2.2.13: data after close is reset, not taken for read.
      sk.host.snmp.TcpExtTCPAbortOnData++;
      tcpReset(sk);
      return 'reset';
    }
  }
  if (queue) dataQueue(sk, skb);
  else if (endSeq !== seq) sk.tcp.drop(skb, 'tcp_closed');
  else sk.tcp.free(skb);
  if (sk.destroyed || sk.state === 'CLOSE') return 'done';
  dataSndCheck(sk);
  ackSndCheck(sk, true);
  return 'done';
}
