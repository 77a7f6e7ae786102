/**
 * What ACKs say about loss: the states Open, Disorder, CWR, Recovery and Loss (Linux: tcp_fastretrans_alert), with undo
 * when it turns out that nothing was lost, F-RTO (RFC 5682), and NewReno (RFC 6582) for peers without SACK.
 * With tcp_recovery=0 losses are told by counting (RFC 6675, tcp-scoreboard.ts) instead of by time. Left out: MTU probing.
 */

import { seqAfter, seqBefore } from '../header/tcp.ts';
import { ECN } from './tcp-accecn-state.ts';
import { ACK_FLAG, type AckState } from './tcp-ack-state.ts';
import {
  currentSsthresh,
  ecnQueueCwr,
  endCwndReduction,
  enterCwr,
  initCwndReduction,
  setCaState,
} from './tcp-congestion.ts';
import { currentMss } from './tcp-mss.ts';
import { mtupProbeLost } from './tcp-mtu-probe.ts';
import { addRenoSack, newrenoMarkLost } from './tcp-newreno.ts';
import { pushPending } from './tcp-output.ts';
import { jiffiesSince } from './tcp-rate.ts';
import { rackMarkLost, rackTimeLeft } from './tcp-recovery.ts';
import { nonCongestionLossRetransmit, xmitRetransmitQueue } from './tcp-retransmit.ts';
import { checkSackReordering } from './tcp-sack.ts';
import { forceFastRetransmit, isRack, timeToRecover, updateScoreboard } from './tcp-scoreboard.ts';
import { SACKED, type Segment } from './tcp-segment.ts';
import { inCwndReduction, NAGLE, packetsInFlight, type TcpSock, windowEnd } from './tcp-sock.ts';
import { rearmForReneging } from './tcp-timer.ts';

/** Round trips of a widened RACK window after a DSACK undo. */
const RACK_RECOVERY_THRESH = 16;

/** A segment is lost: it may be sent again (tcp_mark_skb_lost). */
export function markLost(sk: TcpSock, segment: Segment): void {
  const { sacked } = segment;
  if ((sacked & SACKED.ACKED) !== 0) return;
  const hint = sk.retransmitHint;
  if (hint === undefined || seqBefore(segment.seq, hint.seq)) sk.retransmitHint = segment;
  if ((sacked & SACKED.LOST) !== 0) {
    if ((sacked & SACKED.RETRANS) === 0) return;
    // The retransmission was lost as well.
    segment.sacked &= ~SACKED.RETRANS;
    sk.retransOut -= segment.count;
    sk.host.snmp.TcpExtTCPLostRetransmit += segment.count;
    sk.lost += segment.count;
    return;
  }
  sk.lostOut += segment.count;
  sk.lost += segment.count;
  segment.sacked |= SACKED.LOST;
}

function anyRetransDone(sk: TcpSock): boolean {
  if (sk.retransOut > 0) return true;
  const head = sk.rtxQueue.head;
  return head !== undefined && (head.sacked & SACKED.EVER_RETRANS) !== 0;
}

function initUndo(sk: TcpSock): void {
  sk.undoMarker = sk.sndUna;
  sk.undoRetrans = sk.retransOut + (sk.tlpHighSeq !== 0 && sk.tlpRetrans ? 1 : 0);
  // Zero means that it can be undone now.
  if (sk.undoRetrans === 0) sk.undoRetrans = -1;
}

/** The original was only late: its echo is older than the first retransmission (tcp_packet_delayed). */
function packetDelayed(sk: TcpSock): boolean {
  if (sk.retransStamp === 0) {
    // Nothing was sent again yet, unless the stamp was taken away: keepsRecovery does so without SACK, the SYN's ACK, too.
    if (!sk.sackOk && !seqBefore(sk.sndUna, sk.highSeq)) return false;
    return sk.state !== 'SYN_SENT';
  }
  if (!sk.sawTstamp || sk.rcvTsecr === 0) return false;
  return ((sk.rcvTsecr - Math.floor(sk.retransStamp / 1_000)) | 0) < 0;
}

function mayUndo(sk: TcpSock): boolean {
  return sk.undoMarker !== 0 && (sk.undoRetrans === 0 || packetDelayed(sk));
}

function undoCwndReduction(sk: TcpSock, unmarkLoss: boolean): void {
  if (unmarkLoss) {
    for (let s = sk.rtxQueue.head; s !== undefined; s = s.next) s.sacked &= ~SACKED.LOST;
    sk.lostOut = 0;
    sk.retransmitHint = undefined;
  }
  if (sk.priorSsthresh !== 0) {
    sk.sndCwnd = sk.ca.undoCwnd(sk);
    if (sk.priorSsthresh > sk.sndSsthresh) {
      sk.sndSsthresh = sk.priorSsthresh;
      sk.ecnFlags &= ~ECN.QUEUE_CWR;
    }
  }
  sk.sndCwndStamp = sk.host.clock.now();
  sk.undoMarker = 0;
  sk.rackAdvanced = true;
}

/** Without SACK the state is kept until something beyond the recovery point is acknowledged (RFC 6582 §3.2's caution). */
function keepsRecovery(sk: TcpSock): boolean {
  if (sk.sndUna !== sk.highSeq || sk.sackOk) return false;
  if (!anyRetransDone(sk)) sk.retransStamp = 0;
  return true;
}

/** The recovery point is acknowledged; true when the state is to be kept a while (tcp_try_undo_recovery). */
export function tryUndoRecovery(sk: TcpSock): boolean {
  if (mayUndo(sk)) {
    if (sk.caState === 'Loss') sk.host.snmp.TcpExtTCPLossUndo++;
    else sk.host.snmp.TcpExtTCPFullUndo++;
    undoCwndReduction(sk, false);
  } else if (sk.rackReoWndPersist > 0) sk.rackReoWndPersist--;
  if (keepsRecovery(sk)) return true;
  setCaState(sk, 'Open');
  sk.isSackReneg = false;
  return false;
}

function tryUndoDsack(sk: TcpSock): boolean {
  if (sk.undoMarker === 0 || sk.undoRetrans !== 0) return false;
  sk.rackReoWndPersist = Math.min(RACK_RECOVERY_THRESH, sk.rackReoWndPersist + 1);
  undoCwndReduction(sk, false);
  sk.host.snmp.TcpExtTCPDSACKUndo++;
  return true;
}

function tryUndoLoss(sk: TcpSock, frto: boolean): boolean {
  if (!frto && !mayUndo(sk)) return false;
  undoCwndReduction(sk, true);
  sk.host.snmp.TcpExtTCPLossUndo++;
  if (frto) sk.host.snmp.TcpExtTCPSpuriousRTOs++;
  sk.retransmits = 0;
  if (keepsRecovery(sk)) return true;
  if (frto || sk.sackOk) {
    setCaState(sk, 'Open');
    sk.isSackReneg = false;
  }
  return true;
}

/** A partial ACK that needed no retransmission: leave recovery as soon as nothing is in doubt. True: nothing more to do. */
function tryUndoPartial(sk: TcpSock, priorSndUna: number): boolean {
  if (sk.undoMarker === 0 || !packetDelayed(sk)) return false;
  checkSackReordering(sk, priorSndUna, true);
  if (sk.retransOut > 0) return true;
  if (!anyRetransDone(sk)) sk.retransStamp = 0;
  undoCwndReduction(sk, true);
  sk.host.snmp.TcpExtTCPPartialUndo++;
  tryKeepOpen(sk);
  return false;
}

export function tryKeepOpen(sk: TcpSock): void {
  const state = sk.sackedOut + sk.lostOut > 0 || anyRetransDone(sk) ? 'Disorder' : 'Open';
  if (sk.caState === state) return;
  setCaState(sk, state);
  sk.highSeq = sk.sndNxt;
}

function tryToOpen(sk: TcpSock, flag: number): void {
  if (!anyRetransDone(sk)) sk.retransStamp = 0;
  if ((flag & ACK_FLAG.ECE) !== 0) enterCwr(sk);
  if (sk.caState !== 'CWR') tryKeepOpen(sk);
}

/** Fast recovery begins (tcp_enter_recovery). */
export function enterRecovery(sk: TcpSock, ece: boolean): void {
  if (sk.sackOk) sk.host.snmp.TcpExtTCPSackRecovery++;
  else sk.host.snmp.TcpExtTCPRenoRecovery++;
  sk.priorSsthresh = 0;
  initUndo(sk);
  if (!inCwndReduction(sk)) {
    if (!ece) sk.priorSsthresh = currentSsthresh(sk);
    initCwndReduction(sk);
  }
  setCaState(sk, 'Recovery');
}

/** The retransmission timer fired: all that was sent some time ago is lost, start again from one (tcp_enter_loss). */
export function enterLoss(sk: TcpSock): void {
  const newRecovery = sk.caState === 'Open' || sk.caState === 'Disorder' || sk.caState === 'CWR';
  timeoutMarkLost(sk);
  const calm = sk.caState === 'Open' || sk.caState === 'Disorder';
  if (calm || !seqAfter(sk.highSeq, sk.sndUna) || (sk.caState === 'Loss' && sk.retransmits === 0)) {
    sk.priorSsthresh = currentSsthresh(sk);
    sk.priorCwnd = sk.sndCwnd;
    sk.sndSsthresh = sk.ca.ssthresh(sk);
    initUndo(sk);
  }
  sk.sndCwnd = packetsInFlight(sk) + 1;
  sk.sndCwndCnt = 0;
  sk.sndCwndStamp = sk.host.clock.now();
  const reordering = sk.tcp.sysctl.reordering.value;
  if (calm && sk.sackedOut >= reordering) sk.reordering = Math.min(sk.reordering, reordering);
  setCaState(sk, 'Loss');
  sk.highSeq = sk.sndNxt;
  sk.tlpHighSeq = 0;
  ecnQueueCwr(sk);
  const probing = sk.mtup.probeSize > 0;
  sk.frto = sk.tcp.sysctl.frto.value !== 0 && (newRecovery || sk.retransmits > 0) && !probing;
}

function timeoutMarkLost(sk: TcpSock): void {
  const head = sk.rtxQueue.head;
  const reneg = head !== undefined && (head.sacked & SACKED.ACKED) !== 0;
  if (reneg) {
    sk.host.snmp.TcpExtTCPSACKReneging++;
    sk.sackedOut = 0;
    sk.sackCacheBlocks = 0;
    // From now on SACKs are hints only.
    sk.isSackReneg = true;
  } else if (!sk.sackOk) sk.sackedOut = 0;
  for (let segment = head; segment !== undefined; segment = segment.next) {
    if (reneg) segment.sacked &= ~SACKED.ACKED;
    // Sent but lately: not lost yet.
    else if (segment !== head && isRack(sk) && sk.sackOk && rackTimeLeft(sk, segment, 0) > 0) continue;
    markLost(sk, segment);
  }
  sk.retransmitHint = undefined;
}

/** The oldest segment is SACKed but not acknowledged: the receiver threw it away (tcp_check_sack_reneging). */
function checkReneging(sk: TcpSock, ack: AckState): boolean {
  if ((ack.flag & ACK_FLAG.SACK_RENEGING) === 0 || (ack.flag & ACK_FLAG.SND_UNA_ADVANCED) === 0) return false;
  rearmForReneging(sk);
  ack.flag &= ~ACK_FLAG.SET_XMIT_TIMER;
  return true;
}

function identifyPacketLoss(sk: TcpSock, ack: AckState): void {
  if (sk.rtxQueue.head === undefined) return;
  if (!sk.sackOk) return newrenoMarkLost(sk, (ack.flag & ACK_FLAG.SND_UNA_ADVANCED) !== 0);
  if (!isRack(sk)) return;
  const before = sk.retransOut;
  if (rackMarkLost(sk)) ack.flag &= ~ACK_FLAG.SET_XMIT_TIMER;
  if (before > sk.retransOut) ack.flag |= ACK_FLAG.LOST_RETRANS;
}

/** A recovery from a time-out is over: for tcp_info (tcp_update_rto_time). */
function updateRtoTime(sk: TcpSock): void {
  if (sk.rtoStamp === 0) return;
  sk.totalRtoTime += jiffiesSince(sk, sk.rtoStamp);
  sk.rtoStamp = 0;
}

/** F-RTO and slow start after a time-out (tcp_process_loss). */
function processLoss(sk: TcpSock, ack: AckState, dupacks: number): void {
  const { flag } = ack;
  const advanced = (flag & ACK_FLAG.SND_UNA_ADVANCED) !== 0;
  const recovered = !seqBefore(sk.sndUna, sk.highSeq);
  if (advanced && tryUndoLoss(sk, false)) return;
  if (sk.frto) {
    // Something sent once before the time-out arrived: the time-out was spurious (step 3.b).
    if ((flag & ACK_FLAG.ORIG_SACK_ACKED) !== 0 && tryUndoLoss(sk, true)) return;
    if (seqAfter(sk.sndNxt, sk.highSeq)) {
      if ((flag & ACK_FLAG.DATA_SACKED) !== 0 || dupacks > 0) sk.frto = false;
    } else if (advanced && !recovered) {
      sk.highSeq = sk.sndNxt;
      // Step 2.b: new data instead of a retransmission shows which it was.
      if (sk.writeQueue.head !== undefined && seqAfter(windowEnd(sk), sk.sndNxt)) {
        ack.rexmit = 'new';
        return;
      }
      sk.frto = false;
    }
  }
  if (recovered) {
    tryUndoRecovery(sk);
    return;
  }
  if (!sk.sackOk) {
    if (seqAfter(sk.sndNxt, sk.highSeq) && dupacks > 0) addRenoSack(sk, dupacks);
    else if (advanced) sk.sackedOut = 0;
  }
  ack.rexmit = 'lost';
}

/** An ACK that is dubious, or came while not everything is well. (Linux: tcp_fastretrans_alert) */
export function fastretransAlert(sk: TcpSock, priorSndUna: number, dupacks: number, ack: AckState): void {
  const ece = (ack.flag & ACK_FLAG.ECE) !== 0;
  const advanced = (ack.flag & ACK_FLAG.SND_UNA_ADVANCED) !== 0;
  if (sk.packetsOut === 0 && sk.sackedOut > 0) sk.sackedOut = 0;
  if (ece) sk.priorSsthresh = 0;
  let count = dupacks > 0 || ((ack.flag & ACK_FLAG.DATA_SACKED) !== 0 && forceFastRetransmit(sk));
  let fast = false;
  if (checkReneging(sk, ack)) return;
  if (sk.caState === 'Open') sk.retransStamp = 0;
  else if (!seqBefore(sk.sndUna, sk.highSeq)) {
    if (sk.caState === 'CWR') {
      // Something beyond the point where it began must be acknowledged.
      if (sk.sndUna !== sk.highSeq) {
        endCwndReduction(sk);
        setCaState(sk, 'Open');
      }
    } else if (sk.caState === 'Recovery') {
      if (!sk.sackOk) sk.sackedOut = 0;
      if (tryUndoRecovery(sk)) return;
      endCwndReduction(sk);
    }
  }
  switch (sk.caState) {
    case 'Recovery':
      if (!advanced) {
        if (!sk.sackOk) addRenoSack(sk, dupacks);
      } else {
        if (tryUndoPartial(sk, priorSndUna)) return;
        // A partial ACK: what it leaves is lost, if enough lies behind it.
        if (sk.undoMarker !== 0) count = forceFastRetransmit(sk);
      }
      if (tryUndoDsack(sk)) tryToOpen(sk, ack.flag);
      identifyPacketLoss(sk, ack);
      if ((sk.caState as string) !== 'Recovery') {
        if (!timeToRecover(sk)) return;
        enterRecovery(sk, ece);
      }
      break;
    case 'Loss':
      processLoss(sk, ack, dupacks);
      if ((sk.caState as string) !== 'Loss') updateRtoTime(sk);
      identifyPacketLoss(sk, ack);
      if ((sk.caState as string) !== 'Open' && (ack.flag & ACK_FLAG.LOST_RETRANS) === 0) return;
      if (!openOrRecover(sk, ack, dupacks, advanced, ece)) return;
      fast = true;
      break;
    default:
      if (!openOrRecover(sk, ack, dupacks, advanced, ece)) return;
      fast = true;
  }
  if (count && !isRack(sk)) updateScoreboard(sk, fast);
  ack.rexmit = 'lost';
}

/** Stay out of recovery, or begin it; true when it began. */
function openOrRecover(sk: TcpSock, ack: AckState, dupacks: number, advanced: boolean, ece: boolean): boolean {
  if (!sk.sackOk) {
    if (advanced) sk.sackedOut = 0;
    addRenoSack(sk, dupacks);
  }
  if (sk.caState === 'Open' || sk.caState === 'Disorder') tryUndoDsack(sk);
  identifyPacketLoss(sk, ack);
  if (!timeToRecover(sk)) {
    tryToOpen(sk, ack.flag);
    return false;
  }
  if (mtupProbeLost(sk)) {
    simpleRetransmit(sk);
    return false;
  }
  enterRecovery(sk, ece);
  return true;
}

/** Send what the ACK called for: new data first under F-RTO, else what is lost (tcp_xmit_recovery). */
export function xmitRecovery(sk: TcpSock, ack: AckState): void {
  if (ack.rexmit === 'none' || sk.state === 'SYN_SENT') return;
  if (ack.rexmit === 'new') {
    pushPending(sk, currentMss(sk), NAGLE.OFF);
    if (seqAfter(sk.sndNxt, sk.highSeq)) return;
    sk.frto = false;
  }
  xmitRetransmitQueue(sk);
}

/** What is too long for the new MSS is lost, but the network is not congested (tcp_simple_retransmit). */
export function simpleRetransmit(sk: TcpSock): void {
  // A SYN with data stands in two segments: on a path too narrow for it both are lost.
  const mss = sk.synData && sk.state === 'SYN_SENT' ? -1 : currentMss(sk);
  for (let s = sk.rtxQueue.head; s !== undefined; s = s.next) {
    if ((s.count > 1 ? s.mss : s.length) > mss) markLost(sk, s);
  }
  if (sk.lostOut === 0) return;
  sk.retransmitHint = undefined;
  nonCongestionLossRetransmit(sk, 'mtu');
}
