/** SYN-SENT: the answer to our SYN, or the peer's own SYN crossing it (Linux: tcp_rcv_synsent_state_process). */
import { seqAfter, seqBetween, TCP_FLAG } from '../header/tcp.ts';
import type { SkBuff } from './skbuff.ts';
import { storeTsRecent, tcpAck } from './tcp-ack.ts';
import { ACK_FLAG, ACK_PENDING } from './tcp-ack-state.ts';
import { advmssWithTimestamps, initTransfer } from './tcp-child.ts';
import { setState, stateChange, tcpReset } from './tcp-close.ts';
import { ecnReceiveSyn, ecnReceiveSynAck, ecnReflection } from './tcp-ecn.ts';
import { receiveSynAck } from './tcp-fastopen-client.ts';
import type { InputAnswer } from './tcp-input.ts';
import { reserveTimestamps, syncMss } from './tcp-mss.ts';
import { pushPendingFrames, sendSynAckFromSyn } from './tcp-output.ts';
import { initializeRcvMss } from './tcp-rcvbuf.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import { DELACK_MAX, MSS_DEFAULT, QUICKACKS_MAX, type TcpSock, TIMEOUT_MIN } from './tcp-sock.ts';
import { resetXmitTimer } from './tcp-timer.ts';
import { inPingpongMode, sendAck } from './tcp-transmit.ts';
import { enterQuickackMode } from './tcp-validate.ts';
import { fastPathCheck } from './tcp-window.ts';

/** Take over what the peer's SYN or SYN-ACK offers. */
function takeSynOptions(sk: TcpSock): void {
  const o = sk.tcp.received;
  const { sysctl } = sk.tcp;
  sk.sawTstamp = o.timestamps && sysctl.timestamps.value !== 0;
  sk.rcvTsval = o.tsval;
  sk.rcvTsecr = o.tsecr === 0 ? 0 : (o.tsecr - sk.tsOffset) >>> 0;
  sk.sackOk = o.sackPermitted && sysctl.sack.value !== 0;
}

function agreeOnOptions(sk: TcpSock): void {
  const o = sk.tcp.received;
  const { sysctl } = sk.tcp;
  const most = sk.userMss > 0 ? sk.userMss : 65_535;
  // An attempt at Fast Open has set what holds without the option.
  const without = sk.synFastopen || sk.synData ? sk.mssClamp : MSS_DEFAULT;
  sk.mssClamp = Math.min(o.mss > 0 ? o.mss : without, most);
  sk.wscaleOk = o.wscale >= 0 && sysctl.windowScaling.value !== 0;
  if (sk.wscaleOk) sk.sndWscale = o.wscale;
  else {
    sk.sndWscale = sk.rcvWscale = 0;
    sk.windowClamp = Math.min(sk.windowClamp, 65_535);
  }
  sk.tstampOk = sk.sawTstamp;
  if (sk.tstampOk) {
    reserveTimestamps(sk);
    advmssWithTimestamps(sk);
    storeTsRecent(sk);
  }
}

/** Consumes `skb` unless it answers 'reset'. */
export function synSentReceive(sk: TcpSock, skb: SkBuff): InputAnswer {
  const segment = segmentOf(skb);
  const { flags } = segment;
  takeSynOptions(sk);
  if ((flags & TCP_FLAG.ACK) !== 0) return synSentAck(sk, skb, segment);
  if ((flags & TCP_FLAG.RST) !== 0) {
    sk.tcp.drop(skb, 'tcp_reset', 'tcp_rcv_synsent_state_process');
    return 'done';
  }
  if ((flags & TCP_FLAG.SYN) === 0) {
    sk.tcp.drop(skb, 'tcp_flags', 'tcp_rcv_synsent_state_process');
    return 'done';
  }
  // Simultaneous open: both are in SYN-RECEIVED after this.
  setState(sk, 'SYN_RECV');
  agreeOnOptions(sk);
  ecnReceiveSyn(sk, segment);
  beginReceiving(sk, segment);
  sk.sndWnd = segment.window;
  sk.sndWl1 = segment.seq;
  sk.maxWindow = sk.sndWnd;
  syncMss(sk, sk.pmtuCookie);
  initializeRcvMss(sk);
  sendSynAckFromSyn(sk);
  sk.tcp.free(skb);
  return 'done';
}

function beginReceiving(sk: TcpSock, segment: Segment): void {
  sk.irs = segment.seq;
  sk.rcvNxt = sk.rcvWup = sk.copiedSeq = (segment.seq + 1) >>> 0;
  sk.rcvMwndSeq = (sk.rcvWup + sk.rcvWnd) >>> 0;
}

function synSentAck(sk: TcpSock, skb: SkBuff, segment: Segment): InputAnswer {
  const { flags, ack } = segment;
  const { tcp, host } = sk;
  if (!seqAfter(ack, sk.sndUna) || seqAfter(ack, sk.sndNxt)) {
    // Of an older connection: after the RST, our SYN again soon.
    if (sk.retransmits === 0) resetXmitTimer(sk, 'retrans', TIMEOUT_MIN, sk.rtoMax);
    return 'reset';
  }
  if (sk.sawTstamp && sk.rcvTsecr !== 0) {
    const first = Math.floor(sk.retransStamp / 1_000) >>> 0;
    const now = Math.floor(host.clock.now() / 1_000) >>> 0;
    if (!seqBetween(first, sk.rcvTsecr, now)) {
      host.snmp.TcpExtPAWSActive++;
      return 'reset';
    }
  }
  if ((flags & TCP_FLAG.RST) !== 0) {
    tcpReset(sk);
    tcp.drop(skb, 'tcp_reset', 'tcp_rcv_synsent_state_process');
    return 'done';
  }
  if ((flags & TCP_FLAG.SYN) === 0) {
    tcp.drop(skb, 'tcp_flags', 'tcp_rcv_synsent_state_process');
    return 'done';
  }
  ecnReceiveSynAck(sk, segment);
  sk.sndWl1 = segment.seq;
  // An echo of the first SYN: the repetition was needless (tcp_try_undo_spurious_syn).
  if (sk.undoMarker !== 0 && sk.sawTstamp && sk.rcvTsecr === Math.floor(sk.retransStamp / 1_000) >>> 0)
    sk.undoMarker = 0;
  tcpAck(sk, segment, ACK_FLAG.SLOWPATH);
  beginReceiving(sk, segment);
  sk.sndWnd = segment.window;
  sk.maxWindow = Math.max(sk.maxWindow, sk.sndWnd);
  agreeOnOptions(sk);
  syncMss(sk, sk.pmtuCookie);
  initializeRcvMss(sk);
  finishConnect(sk);
  const resent = (sk.synFastopen || sk.synData) && receiveSynAck(sk, skb);
  tcp.free(skb);
  stateChange(sk);
  if (resent) {
    // The data that went again carried the ACK.
    pushPendingFrames(sk);
    return 'done';
  }
  if (inPingpongMode(sk) || sk.writePending > 0 || sk.deferAccept > 0) {
    // Data is about to be sent: it can carry the ACK.
    sk.ackPending |= ACK_PENDING.SCHED | ACK_PENDING.TIMER;
    enterQuickackMode(sk, QUICKACKS_MAX);
    sk.ackTimeout = host.clock.now() + DELACK_MAX;
    sk.delackTimer.arm(DELACK_MAX);
    pushPendingFrames(sk);
    return 'done';
  }
  sendAck(sk, ecnReflection(sk));
  pushPendingFrames(sk);
  return 'done';
}

/** (Linux: tcp_finish_connect) */
function finishConnect(sk: TcpSock): void {
  setState(sk, 'ESTABLISHED');
  sk.lrcvtime = sk.lsndtime = sk.host.clock.now();
  initTransfer(sk);
  fastPathCheck(sk);
}
