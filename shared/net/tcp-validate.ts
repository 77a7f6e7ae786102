/**
 * Whether a segment may be looked at at all: PAWS, window, RST, SYN (Linux: tcp_validate_incoming, in the order of
 * RFC 9293 §3.10.7.4 with RFC 5961's challenge ACKs and RFC 7323's PAWS before it), and when to answer with an ACK.
 */

import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { DropReason } from './drop.ts';
import { dstMetric } from './route-metrics.ts';
import type { SkBuff } from './skbuff.ts';
import { noteSyn, spuriousRetransmission } from './tcp-accecn.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { tcpReset } from './tcp-close.ts';
import { sendDelayedAck } from './tcp-delack.ts';
import { accecnMode, ecnReflection } from './tcp-ecn.ts';
import { dsackSet } from './tcp-sack-blocks.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import { ATO_MIN, maxReceiveWindow, QUICKACKS_MAX, type TcpSock } from './tcp-sock.ts';
import { inPingpongMode, sendAck } from './tcp-transmit.ts';
import { freeWindow } from './tcp-window.ts';

/** RFC 7323 §5: a timestamp older by this much may be a restarted peer's (TCP_PAWS_WRAP), in seconds. */
const PAWS_WRAP_S = 2_147;
/** Reordered timestamps up to this much older are let pass (TCP_PAWS_WINDOW). */
const PAWS_WINDOW = 1;
/** Duplicate ACKs that go out at once before compression begins. */
const DUP_ACKS_AT_ONCE = 3;

/** Not more than one answer to nonsense each tcp_invalid_ratelimit; true: stay silent (tcp_oow_rate_limited). */
export function oowRateLimited(
  holder: { lastOowAckTime: number; readonly tcp: TcpSock['tcp'] },
  segment: Segment,
): boolean {
  // Data is never ignored: it may be a retransmission that waits for our ACK.
  if (segment.seq !== segment.endSeq && (segment.flags & TCP_FLAG.SYN) === 0) return false;
  const now = holder.tcp.host.clock.now();
  const limit = holder.tcp.sysctl.invalidRatelimit.value * 1_000;
  if (holder.lastOowAckTime !== 0 && now - holder.lastOowAckTime < limit) return true;
  holder.lastOowAckTime = Math.max(now, 1);
  return false;
}

/** RFC 5961 §7: an ACK that makes an honest peer show itself; `reflection` in its ACE field (tcp_send_challenge_ack). */
export function sendChallengeAck(sk: TcpSock, reflection = 0): void {
  const now = sk.host.clock.now();
  const limit = sk.tcp.sysctl.invalidRatelimit.value * 1_000;
  if (sk.lastOowAckTime !== 0 && now - sk.lastOowAckTime < limit) {
    sk.host.snmp.TcpExtTCPACKSkippedChallenge++;
    return;
  }
  sk.lastOowAckTime = Math.max(now, 1);
  sk.host.snmp.TcpExtTCPChallengeACK++;
  sendAck(sk, reflection);
}

/** More ACKs at once, while the sender is in slow start (tcp_incr_quickack). */
export function incrQuickack(sk: TcpSock, most: number): void {
  const quick = Math.min(Math.floor(sk.rcvWnd / (2 * Math.max(sk.rcvMss, 1))) || 2, most);
  if (quick > sk.ackQuick) sk.ackQuick = quick;
}

export function enterQuickackMode(sk: TcpSock, most: number): void {
  incrQuickack(sk, most);
  sk.ackPingpong = 0;
  sk.ato = ATO_MIN;
}

/** tcp_paws_check, tcp_paws_reject: the timestamp runs backwards. */
export function pawsReject(tsRecent: number, tsRecentStamp: number, tsval: number, now: number, rst: boolean): boolean {
  if (((tsRecent - tsval) | 0) <= PAWS_WINDOW) return false;
  const age = Math.floor(now / 1_000_000) + 1 - tsRecentStamp;
  if (tsRecentStamp === 0 || age >= PAWS_WRAP_S) return false;
  // A peer that lost its memory may reset after a minute.
  return !(rst && age >= 60);
}

/** An ACK overtaken by a younger: harmless, not a wrapped number (tcp_disordered_ack). */
function disorderedAck(sk: TcpSock, segment: Segment): boolean {
  const window = segment.window << sk.sndWscale;
  return (
    (segment.flags & TCP_FLAG.ACK) !== 0 &&
    segment.seq === segment.endSeq &&
    segment.seq === sk.rcvNxt &&
    segment.ack === sk.sndUna &&
    !(seqAfter(segment.seq, sk.sndWl1) || window > sk.sndWnd) &&
    ((sk.tsRecent - sk.rcvTsval) | 0) <= Math.floor((sk.rto * 1.2) / 1_000)
  );
}

function pawsDiscard(sk: TcpSock, segment: Segment): boolean {
  if (!pawsReject(sk.tsRecent, sk.tsRecentStamp, sk.rcvTsval, sk.host.clock.now(), false)) return false;
  return !disorderedAck(sk, segment);
}

/** Duplicate ACK, with a DSACK for data that was here before (tcp_send_dupack). */
function sendDupAck(sk: TcpSock, segment: Segment): void {
  const { seq } = segment;
  let { endSeq } = segment;
  if (endSeq !== seq && seqBefore(seq, sk.rcvNxt)) {
    sk.host.snmp.TcpExtDelayedACKLost++;
    enterQuickackMode(sk, QUICKACKS_MAX);
    spuriousRetransmission(sk, segment);
    if (sk.sackOk && sk.tcp.sysctl.dsack.value !== 0) {
      if (seqAfter(endSeq, sk.rcvNxt)) endSeq = sk.rcvNxt;
      dsackSet(sk, seq, endSeq);
    }
  }
  sendAck(sk);
}

/** After its FIN a peer may reset with the number before it (tcp_reset_check). */
function resetCheck(sk: TcpSock, segment: Segment): boolean {
  if (segment.seq !== (sk.rcvNxt - 1) >>> 0) return false;
  return sk.state === 'CLOSE_WAIT' || sk.state === 'LAST_ACK' || sk.state === 'CLOSING';
}

/** RST is believed at the exact number, or at the right edge of what was SACKed (RFC 5961 §3.2). */
function rstAcceptable(sk: TcpSock, segment: Segment): boolean {
  if (segment.seq === sk.rcvNxt || resetCheck(sk, segment)) return true;
  if (!sk.sackOk || sk.numSacks === 0) return false;
  let most = sk.sackEnd[0] ?? 0;
  for (let i = 1; i < sk.numSacks; i++) if (seqAfter(sk.sackEnd[i] ?? 0, most)) most = sk.sackEnd[i] ?? 0;
  return segment.seq === most;
}

function discard(sk: TcpSock, skb: SkBuff, reason: DropReason): false {
  sk.tcp.drop(skb, reason, 'tcp_validate_incoming');
  return false;
}

/** A SYN where none belongs gets a challenge ACK (RFC 5961 §4). */
function synChallenge(sk: TcpSock, skb: SkBuff, reflection = 0): false {
  sk.host.snmp.TcpExtTCPSYNChallenge++;
  sendChallengeAck(sk, reflection);
  return discard(sk, skb, 'tcp_invalid_syn');
}

/** Why the sequence numbers are not to be had; undefined: they are (tcp_sequence). */
function sequenceWrong(sk: TcpSock, segment: Segment): DropReason | undefined {
  const { seq, endSeq } = segment;
  if (seqBefore(endSeq, sk.rcvWup)) return 'tcp_old_data';
  const edge = (sk.rcvNxt + maxReceiveWindow(sk)) >>> 0;
  if (!seqAfter(endSeq, edge)) return undefined;
  // Some end their stream beyond the window: a FIN has no octet to store.
  const fin = (segment.flags & TCP_FLAG.FIN) !== 0 ? 1 : 0;
  if (!seqAfter((endSeq - fin) >>> 0, edge)) return undefined;
  if (seqAfter(seq, edge)) return 'tcp_invalid_sequence';
  // One that goes too far is let in where nothing waits to be read: there is room for one.
  return sk.receiveQueue.length > 0 ? 'tcp_invalid_end_sequence' : undefined;
}

/** True when the segment is to be processed; else it was answered as it deserves, and is gone. */
export function validateIncoming(sk: TcpSock, skb: SkBuff): boolean {
  const segment = segmentOf(skb);
  const { flags, seq, endSeq } = segment;
  const { snmp } = sk.host;
  const rst = (flags & TCP_FLAG.RST) !== 0;
  const syn = (flags & TCP_FLAG.SYN) !== 0;
  if (sk.sawTstamp && !rst && pawsDiscard(sk, segment)) {
    if (syn) return synChallenge(sk, skb);
    snmp.TcpExtPAWSEstab++;
    if (!oowRateLimited(sk, segment)) sendDupAck(sk, segment);
    else snmp.TcpExtTCPACKSkippedPAWS++;
    return discard(sk, skb, 'tcp_paws');
  }
  // First: the sequence number.
  const wrong = sequenceWrong(sk, segment);
  if (wrong !== undefined) {
    if (!rst) {
      if (syn) return synChallenge(sk, skb);
      if (wrong !== 'tcp_old_data') snmp.TcpExtBeyondWindow++;
      if (!oowRateLimited(sk, segment)) sendDupAck(sk, segment);
      else snmp.TcpExtTCPACKSkippedSeq++;
    } else if (resetCheck(sk, segment)) {
      tcpReset(sk);
      return discard(sk, skb, 'tcp_reset');
    }
    return discard(sk, skb, wrong);
  }
  // Second: RST.
  if (rst) {
    if (rstAcceptable(sk, segment)) tcpReset(sk);
    else sendChallengeAck(sk);
    return discard(sk, skb, 'tcp_reset');
  }
  // Third, security: not implemented; no device here labels traffic. Fourth: SYN.
  if (syn) {
    const crossed =
      sk.state === 'SYN_RECV' &&
      (flags & TCP_FLAG.ACK) !== 0 &&
      (seq + 1) >>> 0 === endSeq &&
      endSeq === sk.rcvNxt &&
      segment.ack === sk.sndNxt;
    if (accecnMode(sk)) noteSyn(sk, segment);
    if (!crossed) return synChallenge(sk, skb, ecnReflection(sk));
  }
  return true;
}

/** Acknowledge now or later (Linux: __tcp_ack_snd_check). */
export function ackSndCheck(sk: TcpSock, ofoPossible: boolean): void {
  if ((sk.ackPending & ACK_PENDING.SCHED) === 0) return;
  const unacked = (sk.rcvNxt - sk.rcvWup) >>> 0;
  const moved = unacked > sk.rcvMss && (((sk.rcvNxt - sk.copiedSeq) | 0) < sk.rcvlowat || freeWindow(sk) >= sk.rcvWnd);
  const quick = (sk.ackQuick > 0 && !inPingpongMode(sk)) || dstMetric(sk.route, 'quickack') > 0;
  if (moved || quick || (sk.ackPending & ACK_PENDING.NOW) !== 0) return sendAck(sk);
  if (!ofoPossible || sk.ofoQueue.head === undefined) return sendDelayedAck(sk);
  const { sysctl } = sk.tcp;
  if (!sk.sackOk || sk.compressedAck >= sysctl.compSackNr.value) return sendAck(sk);
  if (sk.compressedAckRcvNxt !== sk.rcvNxt) {
    sk.compressedAckRcvNxt = sk.rcvNxt;
    sk.dupAckCounter = 0;
  }
  if (sk.dupAckCounter < DUP_ACKS_AT_ONCE) {
    sk.dupAckCounter++;
    return sendAck(sk);
  }
  sk.compressedAck++;
  if (sk.compressedAckTimer.armed) return;
  // A part of a round trip, a millisecond at most.
  let rtt = sk.rcvRtt;
  if (sk.srtt > 0 && sk.srtt < rtt) rtt = sk.srtt;
  const part = ((rtt / 8) * sysctl.compSackRttPercent.value) / 100;
  const delay = Math.min(sysctl.compSackDelayNs.value / 1_000, part);
  sk.compressedAckTimer.arm(Math.floor(delay));
}

/** A SACK that would push an older block out must not be held back (tcp_sack_compress_send_ack). */
export function sackCompressSendAck(sk: TcpSock): void {
  if (sk.compressedAck === 0) return;
  sk.compressedAckTimer.stop();
  // The one sent now counts as one of those that were held.
  sk.host.snmp.TcpExtTCPAckCompressed += sk.compressedAck - 1;
  sk.compressedAck = 0;
  sendAck(sk);
}
