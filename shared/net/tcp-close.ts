/**
 * How connections end: FIN in both directions, reset, abort, and the orphans that a program leaves behind
 * (Linux: tcp_close, tcp_fin, tcp_reset, tcp_done, inet_csk_destroy_sock). After the last step a sock holds no packet,
 * no page, no port and no timer.
 */
import { formatIpv4 } from '../header/address.ts';
import { seqAfter, TCP_FLAG } from '../header/tcp.ts';
import type { Errno } from './errno.ts';
import { purgeErrors } from './error-queue.ts';
import { removeFastopen } from './tcp-fastopen.ts';
import { blackholeOfoCheck } from './tcp-fastopen-client.ts';
import { stopListening } from './tcp-listen.ts';
import { timeWait } from './tcp-minisocks.ts';
import { sendFin } from './tcp-output.ts';
import { purgeWriteQueue, releaseFragPage } from './tcp-queue.ts';
import { purgeOfoQueue, uncharge } from './tcp-receive.ts';
import { segmentOf } from './tcp-segment.ts';
import { stateIs, type TcpSock, type TcpState, TIMEWAIT_LEN, URG } from './tcp-sock.ts';
import { finTime, stopAllTimers } from './tcp-timer.ts';
import { scheduleAck, sendAck, sendActiveReset } from './tcp-transmit.ts';

/** Go to another state; counters and tables follow (tcp_set_state). */
export function setState(sk: TcpSock, state: TcpState): void {
  const from = sk.state;
  if (from === state) return;
  const { snmp, trace } = sk.host;
  if (state === 'ESTABLISHED') snmp.TcpCurrEstab++;
  else {
    if (state === 'CLOSE' && (from === 'CLOSE_WAIT' || from === 'ESTABLISHED')) snmp.TcpEstabResets++;
    if (from === 'ESTABLISHED') snmp.TcpCurrEstab--;
  }
  sk.state = state;
  // Somebody who closed it may wait for this (SO_LINGER).
  if (sk.dead && sk.wait.size > 0) sk.tcp.wake(sk);
  if (state === 'CLOSE') {
    sk.tcp.remove(sk);
    sk.tcp.removeListener(sk);
    if (!sk.portLocked) sk.tcp.unbind(sk);
  }
  // What is in TIME-WAIT goes on in a small sock: only the full one ends here, and the connection is not closed.
  if (trace.on && from !== 'TIME_WAIT') {
    trace.mark('inet_sock_set_state', sk.cause, {
      protocol: 'TCP',
      from,
      to: state,
      local: `${formatIpv4(sk.localAddress)}:${sk.localPort}`,
      remote: `${formatIpv4(sk.remoteAddress)}:${sk.remotePort}`,
    });
  }
}

/** The program hears of a new state (sk_state_change). */
export function stateChange(sk: TcpSock): void {
  if (!sk.dead) sk.tcp.wake(sk);
}

/** Report an error to the program, if there still is one (sk_error_report). */
function reportError(sk: TcpSock, errno: Errno): void {
  sk.error = errno;
  sk.reportError();
}

/** The end: closed both ways; an orphan is destroyed (tcp_done). */
export function tcpDone(sk: TcpSock): void {
  if (stateIs(sk, 'SYN_SENT', 'SYN_RECV')) sk.host.snmp.TcpAttemptFails++;
  setState(sk, 'CLOSE');
  stopAllTimers(sk);
  removeFastopen(sk, false);
  sk.shutdownRead = sk.shutdownWrite = true;
  if (!sk.dead) stateChange(sk);
  else destroySock(sk);
}

/** Nothing answers any more (tcp_write_err). */
export function tcpWriteError(sk: TcpSock): void {
  const errno = sk.softError ?? 'ETIMEDOUT';
  purgeWriteQueue(sk);
  tcpDone(sk);
  if (!sk.destroyed) reportError(sk, errno);
}

/** A RST that is to be believed (tcp_reset). */
export function tcpReset(sk: TcpSock): void {
  if (sk.state === 'CLOSE') return;
  const errno: Errno = sk.state === 'SYN_SENT' ? 'ECONNREFUSED' : sk.state === 'CLOSE_WAIT' ? 'EPIPE' : 'ECONNRESET';
  purgeWriteQueue(sk);
  tcpDone(sk);
  if (!sk.destroyed) reportError(sk, errno);
}

/** The peer's FIN is next in order: our reading direction ends. (Linux: tcp_fin) */
export function tcpFin(sk: TcpSock): void {
  scheduleAck(sk);
  sk.shutdownRead = sk.finReceived = true;
  switch (sk.state) {
    case 'SYN_RECV':
    case 'ESTABLISHED':
      setState(sk, 'CLOSE_WAIT');
      sk.ackPingpong = sk.tcp.sysctl.pingpongThresh.value;
      break;
    case 'FIN_WAIT1':
      // Both closed at once: acknowledge theirs, ours is still to be acknowledged.
      sendAck(sk);
      setState(sk, 'CLOSING');
      break;
    case 'FIN_WAIT2':
      sendAck(sk);
      timeWait(sk, 'TIME_WAIT', 0);
      break;
    default:
  }
  purgeOfoQueue(sk);
  // Nothing is left to report, a duplicate before the FIN neither (tcp_sack_reset).
  sk.dsack = false;
  stateChange(sk);
}

/** Which state our own close leads to; true when a FIN has to be sent (tcp_close_state). */
function closeState(sk: TcpSock): boolean {
  switch (sk.state) {
    case 'ESTABLISHED':
    case 'SYN_RECV':
      setState(sk, 'FIN_WAIT1');
      return true;
    case 'CLOSE_WAIT':
      setState(sk, 'LAST_ACK');
      return true;
    case 'SYN_SENT':
      setState(sk, 'CLOSE');
      return false;
    default:
      return false;
  }
}

/** shutdown(2) of the writing side (tcp_shutdown). */
export function shutdownWrite(sk: TcpSock): void {
  sk.shutdownWrite = true;
  if (stateIs(sk, 'ESTABLISHED', 'SYN_SENT', 'CLOSE_WAIT') && closeState(sk)) sendFin(sk);
}

/** Throw away what was received and not read; returns how many octets that is. */
function flushReceiveQueue(sk: TcpSock): number {
  let unread = 0;
  for (const skb of sk.receiveQueue) {
    const segment = segmentOf(skb);
    const fin = (segment.flags & TCP_FLAG.FIN) !== 0 ? 1 : 0;
    const from = seqAfter(sk.copiedSeq, segment.seq) ? sk.copiedSeq : segment.seq;
    unread += Math.max(0, ((segment.endSeq - from) | 0) - fin);
    uncharge(sk, skb);
  }
  sk.receiveQueue.length = 0;
  return unread;
}

/** The last descriptor is gone: end politely, or with a RST when data was left unread. (Linux: tcp_close) */
export function tcpClose(sk: TcpSock): void {
  sk.shutdownRead = sk.shutdownWrite = true;
  if (sk.state === 'LISTEN') {
    setState(sk, 'CLOSE');
    stopListening(sk);
    orphan(sk);
    return destroySock(sk);
  }
  const unread = flushReceiveQueue(sk);
  if (sk.state !== 'CLOSE') endPolitely(sk, unread);
  orphan(sk);
  finishOrphan(sk);
}

function endPolitely(sk: TcpSock, unread: number): void {
  const { snmp } = sk.host;
  if (unread > 0) {
    snmp.TcpExtTCPAbortOnClose++;
    abort(sk);
  } else if (sk.linger.on && sk.linger.seconds === 0) {
    snmp.TcpExtTCPAbortOnData++;
    if (needsReset(sk)) sendActiveReset(sk);
    abortQuietly(sk);
  } else if (closeState(sk)) sendFin(sk);
}

function abort(sk: TcpSock): void {
  sendActiveReset(sk);
  abortQuietly(sk);
}

function abortQuietly(sk: TcpSock): void {
  setState(sk, 'CLOSE');
  purgeWriteQueue(sk);
}

/** States in which the peer would wait for us in vain (tcp_need_reset). */
function needsReset(sk: TcpSock): boolean {
  return stateIs(sk, 'ESTABLISHED', 'CLOSE_WAIT', 'FIN_WAIT1', 'FIN_WAIT2', 'SYN_RECV');
}

function orphan(sk: TcpSock): void {
  sk.dead = true;
  if (!sk.destroyed) sk.tcp.orphans++;
}

/** What is left to do for a sock without a program. */
function finishOrphan(sk: TcpSock): void {
  if (sk.state === 'FIN_WAIT2') {
    if (sk.linger2 < 0) {
      sk.host.snmp.TcpExtTCPAbortOnLinger++;
      setState(sk, 'CLOSE');
      sendActiveReset(sk);
    } else {
      const left = finTime(sk);
      if (left > TIMEWAIT_LEN) sk.keepaliveTimer.arm(left - TIMEWAIT_LEN);
      else return timeWait(sk, 'FIN_WAIT2', left);
    }
  }
  if (sk.state !== 'CLOSE' && sk.tcp.orphans > sk.tcp.sysctl.maxOrphans.value) {
    sk.host.snmp.TcpExtTCPAbortOnMemory++;
    abort(sk);
  }
  if (sk.state !== 'CLOSE') return;
  // Aborted before its SYN-ACK was acknowledged.
  removeFastopen(sk, false);
  destroySock(sk);
}

/** connect() to nobody: back to a fresh socket, with a RST where it is owed (tcp_disconnect). */
export function tcpDisconnect(sk: TcpSock): void {
  const old = sk.state;
  if (old === 'LISTEN') {
    setState(sk, 'CLOSE');
    stopListening(sk);
  } else if (needsReset(sk) || (sk.sndNxt !== sk.writeSeq && stateIs(sk, 'CLOSING', 'LAST_ACK'))) {
    sendActiveReset(sk);
    sk.error = 'ECONNRESET';
  } else if (old === 'SYN_SENT') sk.error = 'ECONNRESET';
  setState(sk, 'CLOSE');
  stopAllTimers(sk);
  flushReceiveQueue(sk);
  purgeWriteQueue(sk);
  blackholeOfoCheck(sk);
  purgeOfoQueue(sk);
  forgetFastopen(sk);
  sk.remotePort = 0;
  sk.remoteAddress = 0 as TcpSock['remoteAddress'];
  if (!sk.addressLocked) sk.localAddress = 0 as TcpSock['localAddress'];
  if (sk.bucket === undefined) sk.localPort = 0;
  sk.shutdownRead = sk.shutdownWrite = sk.finReceived = false;
  sk.urgData = URG.NONE;
  sk.windowClamp = 0;
  sk.srtt = sk.backoff = sk.retransmits = sk.probesOut = 0;
  sk.rto = 1_000_000;
  sk.sndCwnd = 10;
  sk.sndSsthresh = 0x7fff_ffff;
  sk.writeSeq = (sk.writeSeq + sk.maxWindow + 2) >>> 0;
  sk.caState = 'Open';
  sk.ecnFlags = sk.delivered = sk.deliveredCe = 0;
  sk.accecn.reset();
  stateChange(sk);
}

function forgetFastopen(sk: TcpSock): void {
  removeFastopen(sk, false);
  sk.fastopenReq = undefined;
  sk.savedSyn = undefined;
  sk.deferConnect = false;
  sk.socketState = 'unconnected';
  sk.synFastopen = sk.synFastopenExp = sk.synFastopenCh = sk.synData = sk.synDataAcked = sk.fastopenChild = false;
  sk.fastopenClientFail = 0;
}

/** Give back all that a sock holds (inet_csk_destroy_sock, tcp_v4_destroy_sock). */
export function destroySock(sk: TcpSock): void {
  if (sk.destroyed) return;
  sk.destroyed = true;
  stopAllTimers(sk);
  purgeWriteQueue(sk);
  blackholeOfoCheck(sk);
  purgeOfoQueue(sk);
  flushReceiveQueue(sk);
  purgeErrors(sk);
  releaseFragPage(sk);
  sk.tcp.remove(sk);
  sk.tcp.removeListener(sk);
  sk.tcp.unbind(sk);
  if (sk.dead) sk.tcp.orphans--;
  sk.tcp.socks.delete(sk);
}
