/**
 * An acknowledgement arrived: window, SACK, what it frees, round trip, recovery, cwnd, what goes out in answer
 * (Linux: tcp_ack and tcp_clean_rtx_queue).
 */
import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import { POLL } from './sock.ts';
import { accecnProcess } from './tcp-accecn.ts';
import { ECN } from './tcp-accecn-state.ts';
import { ACK_FLAG, type AckState } from './tcp-ack-state.ts';
import { congControl, slowStartAfterIdleCheck } from './tcp-congestion.ts';
import { accecnMode, ecnMode } from './tcp-ecn.ts';
import { chronoStop } from './tcp-info.ts';
import { fastretransAlert, xmitRecovery } from './tcp-loss.ts';
import { shouldExpandSndbuf, sndbufExpand, syncMss } from './tcp-mss.ts';
import { mtupProbeAcked } from './tcp-mtu-probe.ts';
import { removeRenoSacks } from './tcp-newreno.ts';
import { setCount, trimHead, unlinkSent } from './tcp-queue.ts';
import { rateDelivered, rateGen } from './tcp-rate.ts';
import { processTlpAck, rackAdvance, rackUpdateReoWnd, rearmRto, scheduleLossProbe } from './tcp-recovery.ts';
import { ackUpdateRtt } from './tcp-rtt.ts';
import { checkSackReordering, highestSackSeq, sacktagWriteQueue } from './tcp-sack.ts';
import { ANY_RETRANS, SACKED, type Segment } from './tcp-segment.ts';
import { type TcpSock, windowEnd } from './tcp-sock.ts';
import { clampedProbe0, clearXmitTimer, probe0When, tcpResetXmitTimer } from './tcp-timer.ts';
import { ackTimestamp } from './tcp-timestamping.ts';
import { sendChallengeAck } from './tcp-validate.ts';
import { fastPathCheck } from './tcp-window.ts';

/** How an acknowledgement was taken. */
export type AckAnswer = 'ok' | 'old' | 'too-old' | 'unsent';

/** Remember the peer's timestamp if it is the newest in order (tcp_replace_ts_recent, RFC 7323 §4.3). Returns ACK_FLAGs. */
export function replaceTsRecent(sk: TcpSock, seq: number): number {
  if (!sk.sawTstamp || seqAfter(seq, sk.rcvWup)) return 0;
  // A segment that passed PAWS at its edge does not set the clock back.
  if (((sk.rcvTsval - sk.tsRecent) | 0) < 0 && sk.tsRecentStamp !== 0) return 0;
  return storeTsRecent(sk);
}

/** TS_PROGRESS when it is newer than the last. */
export function storeTsRecent(sk: TcpSock): number {
  const progress = ((sk.rcvTsval - sk.tsRecent) | 0) > 0;
  sk.tsRecent = sk.rcvTsval;
  sk.tsRecentStamp = Math.floor(sk.host.clock.now() / 1_000_000) + 1;
  return progress ? ACK_FLAG.TS_PROGRESS : 0;
}

function sndUnaUpdate(sk: TcpSock, ack: number): void {
  sk.bytesAcked += (ack - sk.sndUna) >>> 0;
  sk.sndUna = ack;
}

/** The peer's window, unless the segment is older than the last that told it (tcp_ack_update_window). */
function updateWindow(sk: TcpSock, segment: Segment, state: AckState): void {
  const { ack, seq } = segment;
  const window = (segment.flags & TCP_FLAG.SYN) !== 0 ? segment.window : segment.window << sk.sndWscale;
  const newer = seqAfter(ack, sk.sndUna) || seqAfter(seq, sk.sndWl1);
  if (newer || (seq === sk.sndWl1 && (window > sk.sndWnd || window === 0))) {
    state.flag |= ACK_FLAG.WIN_UPDATE;
    sk.sndWl1 = seq;
    if (sk.sndWnd !== window) {
      sk.sndWnd = window;
      fastPathCheck(sk);
      if (sk.writeQueue.head !== undefined) slowStartAfterIdleCheck(sk);
      if (window > sk.maxWindow) {
        sk.maxWindow = window;
        syncMss(sk, sk.pmtuCookie);
      }
    }
  }
  sndUnaUpdate(sk, ack);
}

/** A packet of several segments is acknowledged in part: free the front. Returns how many segments that is. */
function tsoAcked(sk: TcpSock, segment: Segment): number {
  const before = segment.count;
  const bytes = (sk.sndUna - segment.seq) >>> 0;
  trimHead(sk, segment, bytes);
  setCount(segment, segment.mss);
  return before - segment.count;
}

interface Cleaned {
  acked: number;
  fullyAcked: boolean;
  firstAckt: number;
  lastAckt: number;
  rest: Segment | undefined;
}
/** Reused for every ACK. */
const cleaned: Cleaned = { acked: 0, fullyAcked: true, firstAckt: -1, lastAckt: -1, rest: undefined };

/** Free what is acknowledged, keeping every count right. */
function freeAcked(sk: TcpSock, priorSndUna: number, state: AckState): void {
  cleaned.acked = 0;
  cleaned.fullyAcked = true;
  cleaned.firstAckt = cleaned.lastAckt = -1;
  let segment = sk.rtxQueue.head;
  while (segment !== undefined) {
    const { sacked, seq } = segment;
    let count = segment.count;
    let whole = true;
    if (seqAfter(segment.endSeq, sk.sndUna)) {
      if (segment.count === 1 || !seqAfter(sk.sndUna, seq)) break;
      count = tsoAcked(sk, segment);
      if (count === 0) break;
      whole = false;
    }
    noteAcked(sk, segment, seq, count, state);
    if ((sacked & SACKED.ACKED) !== 0) {
      sk.sackedOut -= count;
      // It was counted when it was SACKed.
      state.deliveredBytes -= segment.length;
    } else if (sk.sackOk) {
      sk.delivered += count;
      rackAdvanceUnlessSpurious(sk, segment);
    }
    if ((sacked & SACKED.LOST) !== 0) sk.lostOut -= count;
    sk.packetsOut -= count;
    cleaned.acked += count;
    if ((segment.flags & TCP_FLAG.SYN) === 0) state.flag |= ACK_FLAG.DATA_ACKED;
    else {
      state.flag |= ACK_FLAG.SYN_ACKED;
      sk.retransStamp = 0;
    }
    if (!whole) {
      cleaned.fullyAcked = false;
      break;
    }
    ackTimestamp(sk, segment, priorSndUna);
    const next: Segment | undefined = segment.next;
    unlinkSent(sk, segment);
    segment = next;
  }
  cleaned.rest = segment;
  if (segment !== undefined) ackTimestamp(sk, segment, priorSndUna);
}

function noteAcked(sk: TcpSock, segment: Segment, seq: number, count: number, state: AckState): void {
  const { sacked } = segment;
  if ((sacked & ANY_RETRANS) !== 0) {
    if ((sacked & SACKED.RETRANS) !== 0) sk.retransOut -= count;
    state.flag |= ACK_FLAG.RETRANS_DATA_ACKED;
  } else if ((sacked & SACKED.ACKED) === 0) {
    cleaned.lastAckt = segment.sentAt;
    if (cleaned.firstAckt < 0) cleaned.firstAckt = segment.sentAt;
    if (seqBefore(seq, state.reord)) state.reord = seq;
    if (!seqAfter(segment.endSeq, sk.highSeq)) state.flag |= ACK_FLAG.ORIG_SACK_ACKED;
  }
  rateDelivered(sk, segment, state);
}

/** A retransmission whose echo is older than it was needless: it says nothing about time (tcp_skb_spurious_retrans). */
function rackAdvanceUnlessSpurious(sk: TcpSock, segment: Segment): void {
  const resent = (segment.sacked & ANY_RETRANS) !== 0;
  const echoOlder = sk.sawTstamp && sk.rcvTsecr !== 0 && ((sk.rcvTsecr - Math.floor(segment.sentAt / 1_000)) | 0) < 0;
  if (!(resent && echoOlder)) rackAdvance(sk, segment.sacked, segment.endSeq, segment.sentAt);
}

/** What the ACK covers leaves the retransmit queue. (Linux: tcp_clean_rtx_queue) */
function cleanRtxQueue(sk: TcpSock, priorFack: number, priorSndUna: number, state: AckState): void {
  const now = sk.host.clock.now();
  const priorSacked = sk.sackedOut;
  freeAcked(sk, priorSndUna, state);
  const { acked, rest } = cleaned;
  state.deliveredBytes += Math.max(0, ((rest === undefined ? sk.sndUna : rest.seq) - priorSndUna) | 0);
  if (rest === undefined) chronoStop(sk, 'busy');
  else if ((rest.sacked & SACKED.ACKED) !== 0) state.flag |= ACK_FLAG.SACK_RENEGING;
  if (seqBefore(sk.sndUp, sk.sndUna)) sk.sndUp = sk.sndUna;

  let seqRtt = -1;
  let sackRtt = -1;
  let caRtt = -1;
  if (cleaned.firstAckt >= 0 && (state.flag & ACK_FLAG.RETRANS_DATA_ACKED) === 0) {
    seqRtt = now - cleaned.firstAckt;
    caRtt = now - cleaned.lastAckt;
    const advanced = (sk.sndUna - priorSndUna) >>> 0;
    const single = acked === 1 && cleaned.fullyAcked && priorSacked === 0 && advanced < sk.mssCache;
    if (
      single &&
      state.priorDelivered + 1 === sk.delivered &&
      (state.flag & (ACK_FLAG.CA_ALERT | ACK_FLAG.SYN_ACKED)) === 0
    ) {
      // One small segment: its ACK may have been delayed.
      state.flag |= ACK_FLAG.ACK_MAYBE_DELAYED;
    }
  }
  if (state.firstSackt >= 0) {
    sackRtt = now - state.firstSackt;
    caRtt = now - state.lastSackt;
  }
  const updated = ackUpdateRtt(sk, state, seqRtt, sackRtt, caRtt);
  if ((state.flag & ACK_FLAG.ACKED) !== 0) {
    state.flag |= ACK_FLAG.SET_XMIT_TIMER;
    mtupProbeAcked(sk);
    if (!sk.sackOk) {
      removeRenoSacks(sk, acked);
      // Without SACK it is not known which of the two arrived.
      if ((state.flag & ACK_FLAG.RETRANS_DATA_ACKED) !== 0) state.flag &= ~ACK_FLAG.ORIG_SACK_ACKED;
    } else if (seqBefore(state.reord, priorFack)) checkSackReordering(sk, state.reord, false);
  } else if (rest !== undefined && updated && sackRtt >= 0 && sackRtt > now - rest.sentAt) {
    state.flag |= ACK_FLAG.SET_XMIT_TIMER;
  }
  sk.ca.pktsAcked(sk, acked, caRtt);
}

/** Nothing is in flight, but something waits for the peer's window (tcp_ack_probe). */
function ackProbe(sk: TcpSock): void {
  const head = sk.writeQueue.head;
  if (head === undefined) return;
  if (!seqAfter(head.endSeq, windowEnd(sk))) {
    sk.backoff = 0;
    sk.probesAt = 0;
    if (sk.pending === 'probe0') clearXmitTimer(sk);
    // The socket is not needed by a timer as long as it can send.
  } else tcpResetXmitTimer(sk, 'probe0', clampedProbe0(sk, probe0When(sk)), sk.rtoMax);
}

/** Not simply the next in order: duplicate, SACK, ECN, or not all is well (tcp_ack_is_dubious). */
function isDubious(sk: TcpSock, flag: number): boolean {
  return (flag & ACK_FLAG.NOT_DUP) === 0 || (flag & ACK_FLAG.CA_ALERT) !== 0 || sk.caState !== 'Open';
}

/** Before anything else: is the number one that can be acknowledged? (RFC 9293 §3.10.7.4, fifth; RFC 5961 §5) */
function ackAcceptable(sk: TcpSock, segment: Segment, flag: number): AckAnswer {
  const { ack } = segment;
  if (seqBefore(ack, sk.sndUna)) {
    // Nothing that was never sent; the SYN was, which a passive open does not count among bytesAcked.
    const window = Math.min(sk.maxWindow, sk.bytesAcked + 1);
    if (seqBefore(ack, (sk.sndUna - window) >>> 0)) {
      if ((flag & ACK_FLAG.NO_CHALLENGE_ACK) === 0) sendChallengeAck(sk);
      return 'too-old';
    }
    return 'old';
  }
  return seqAfter(ack, sk.sndNxt) ? 'unsent' : 'ok';
}

/** Of an ACK that was overtaken only the SACK blocks are of use. */
function oldAck(sk: TcpSock, segment: Segment, state: AckState): void {
  const o = sk.tcp.received;
  if (o.sackBlocks === 0 || !sk.sackOk) return;
  const una = sk.sndUna;
  const delivered = sk.delivered;
  if (!seqBefore(segment.ack, (una - sk.maxWindow) >>> 0)) sacktagWriteQueue(sk, o, segment.ack, una, state);
  fastretransAlert(sk, una, 0, state);
  newlyDelivered(sk, delivered, 0, state.flag);
  xmitRecovery(sk, state);
}

/** Work on the acknowledgement of a segment; `flag` says what is known of it. (Linux: tcp_ack) */
export function tcpAck(sk: TcpSock, segment: Segment, flag: number): AckAnswer {
  const { tcp } = sk;
  const { snmp } = sk.host;
  const state = tcp.ackState;
  state.begin(flag, sk.sndNxt);
  const priorSndUna = sk.sndUna;
  const { ack, seq } = segment;
  const answer = ackAcceptable(sk, segment, flag);
  // The timestamp of a segment in the window counts whatever it acknowledges.
  if ((answer === 'ok' || answer === 'old') && (flag & ACK_FLAG.UPDATE_TS_RECENT) !== 0) {
    state.flag |= replaceTsRecent(sk, seq);
  }
  if (answer === 'old') oldAck(sk, segment, state);
  if (answer !== 'ok') return answer;
  if (seqAfter(ack, priorSndUna)) {
    state.flag |= ACK_FLAG.SND_UNA_ADVANCED;
    sk.retransmits = 0;
  }
  const priorFack = sk.sackOk ? highestSackSeq(sk) : sk.sndUna;
  const priorPackets = sk.packetsOut;
  const priorDelivered = sk.delivered;
  const priorLost = sk.lost;
  if ((flag & ACK_FLAG.SLOWPATH) === 0 && (state.flag & ACK_FLAG.SND_UNA_ADVANCED) !== 0) {
    // Header prediction: the window is the same, only the number moved.
    sk.sndWl1 = seq;
    sndUnaUpdate(sk, ack);
    state.flag |= ACK_FLAG.WIN_UPDATE;
    snmp.TcpExtTCPHPAcks++;
  } else slowAck(sk, segment, priorSndUna, state);
  sk.softError = undefined;
  sk.probesOut = 0;
  sk.rcvTstamp = sk.host.clock.now();
  if (priorPackets === 0) {
    const marked = accecnMode(sk) ? accecnProcess(sk, segment, sk.delivered - priorDelivered, state) : 0;
    if ((state.flag & ACK_FLAG.DSACKING_ACK) !== 0) {
      fastretransAlert(sk, priorSndUna, 0, state);
      newlyDelivered(sk, priorDelivered, marked, state.flag);
    }
    ackProbe(sk);
    if (sk.tlpHighSeq !== 0) processTlpAck(sk, ack, state.flag);
    return 'ok';
  }
  cleanRtxQueue(sk, priorFack, priorSndUna, state);
  rackUpdateReoWnd(sk, state);
  const marked = accecnMode(sk) ? accecnProcess(sk, segment, sk.delivered - priorDelivered, state) : 0;
  if (sk.tlpHighSeq !== 0) processTlpAck(sk, ack, state.flag);
  if (isDubious(sk, state.flag)) fastretransAlert(sk, priorSndUna, dupacksOf(segment, state.flag), state);
  if ((state.flag & ACK_FLAG.SET_XMIT_TIMER) !== 0 && !scheduleLossProbe(sk, true)) rearmRto(sk);
  const delivered = newlyDelivered(sk, priorDelivered, marked, state.flag);
  rateGen(sk, delivered, sk.isSackReneg, state);
  congControl(sk, delivered, sk.lost - priorLost, state.flag);
  xmitRecovery(sk, state);
  return 'ok';
}

/** What this ACK says has arrived, and how much of it was marked: `marked` is the accurate count (tcp_newly_delivered). */
function newlyDelivered(sk: TcpSock, before: number, marked: number, flag: number): number {
  const { snmp } = sk.host;
  const delivered = sk.delivered - before;
  snmp.TcpExtTCPDelivered += delivered;
  if ((flag & ACK_FLAG.ECE) === 0) return delivered;
  // RFC 3168 says only that something was.
  const classic = ecnMode(sk) === ECN.RFC3168;
  if (classic) sk.deliveredCe += delivered;
  snmp.TcpExtTCPDeliveredCE += classic ? delivered : marked;
  return delivered;
}

function slowAck(sk: TcpSock, segment: Segment, priorSndUna: number, state: AckState): void {
  if (segment.seq !== segment.endSeq) state.flag |= ACK_FLAG.DATA;
  else sk.host.snmp.TcpExtTCPPureAcks++;
  updateWindow(sk, segment, state);
  const o = sk.tcp.received;
  if (o.sackBlocks > 0 && sk.sackOk) sacktagWriteQueue(sk, o, segment.ack, priorSndUna, state);
  if ((segment.flags & (TCP_FLAG.ECE | TCP_FLAG.SYN)) === TCP_FLAG.ECE && ecnMode(sk) === ECN.RFC3168) {
    state.flag |= ACK_FLAG.ECE;
  }
}

/** How many duplicate ACKs this one is: GRO may have merged several (RFC 5681 §2's definition). */
function dupacksOf(segment: Segment, flag: number): number {
  if ((flag & (ACK_FLAG.SND_UNA_ADVANCED | ACK_FLAG.NOT_DUP | ACK_FLAG.DSACKING_ACK)) !== 0) return 0;
  return (flag & ACK_FLAG.DATA) !== 0 ? 1 : Math.max(1, segment.skb?.gsoSegments ?? 1);
}

/** Room for the program to write, maybe in a larger buffer (tcp_check_space, tcp_new_space). */
export function checkSpace(sk: TcpSock): void {
  if (!sk.noSpace || sk.dead) return;
  if (shouldExpandSndbuf(sk)) {
    sndbufExpand(sk);
    sk.sndCwndStamp = sk.host.clock.now();
  }
  if (!streamWritable(sk)) return;
  sk.noSpace = false;
  chronoStop(sk, 'sndbuf');
  sk.tcp.wake(sk, POLL.OUT);
}

/** A third of the buffer is free, and not too much waits unsent (sk_stream_is_writeable). */
export function streamWritable(sk: TcpSock): boolean {
  return sk.sndbuf - sk.wmemQueued >= sk.wmemQueued >> 1 && notsentOk(sk, 2);
}
/** Less waits unsent than TCP_NOTSENT_LOWAT; to wake a writer, less than half of it (tcp_stream_memory_free). */
export function notsentOk(sk: TcpSock, weight = 1): boolean {
  const lowat = sk.notsentLowat || sk.tcp.sysctl.notsentLowat.value;
  return ((sk.writeSeq - sk.sndNxt) >>> 0) * weight < lowat;
}
