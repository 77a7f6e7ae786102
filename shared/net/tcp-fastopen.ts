/**
 * The server's side of TCP Fast Open (RFC 7413 §4.2.2; Linux: tcp_fastopen.c): a SYN with a good cookie makes the child at
 * once, with its data to read and the right to answer, while the SYN-ACK is still to be acknowledged. Until then the
 * child holds on to its request (fastopen_rsk), which repeats the SYN-ACK by the child's own timer.
 */
import { TCP_FLAG } from '../header/tcp.ts';
import type { Micros } from '../platform.ts';
import type { SkBuff } from './skbuff.ts';
import { initTransfer, makeChild } from './tcp-child.ts';
import { tcpFin, tcpWriteError } from './tcp-close.ts';
import { checkCookie, FastopenCookie, type FastopenKeys } from './tcp-fastopen-cookie.ts';
import { TFO } from './tcp-fastopen-state.ts';
import { type RequestSock, resendSynAck } from './tcp-listen.ts';
import { enterLoss, tryUndoRecovery } from './tcp-loss.ts';
import { chargeReceived } from './tcp-memory.ts';
import { rearmRto } from './tcp-recovery.ts';
import { segmentOf } from './tcp-segment.ts';
import { type TcpSock, TIMEOUT_INIT } from './tcp-sock.ts';
import { resetXmitTimer } from './tcp-timer.ts';

/** RFC 7413 §5.1: how long an aborted child still counts, so that RSTs cannot open the queue to a flood. */
const RST_HELD: Micros = 60_000_000;

/** TCP_FASTOPEN, or listen(2) where the sysctl makes up for it (fastopen_queue_tune). */
export function tuneFastopen(sk: TcpSock, backlog: number): void {
  sk.fastopenQueue.max = Math.min(backlog, sk.tcp.sysctl.somaxconn.value);
  sk.tcp.fastopenKeys.initOnce(sk.host.random);
}

/** listen(2): every listener takes part when the sysctl says so. */
export function listenFastopen(sk: TcpSock, backlog: number): void {
  const bits = sk.tcp.sysctl.fastopen.value;
  if ((bits & TFO.SERVER_WO_SOCKOPT1) === 0 || (bits & TFO.SERVER_ENABLE) === 0) return;
  if (sk.fastopenQueue.max === 0) tuneFastopen(sk, backlog);
}

/** Whether cookies are done without (tcp_fastopen_no_cookie). */
export function noCookie(sk: TcpSock, flag: number): boolean {
  return (sk.tcp.sysctl.fastopen.value & flag) !== 0 || sk.fastopenNoCookie;
}

function queueCheck(listener: TcpSock): boolean {
  const queue = listener.fastopenQueue;
  if (queue.max === 0) return false;
  if (queue.length < queue.max) return true;
  const oldest = queue.aborted[0];
  if (oldest === undefined || oldest.abortedUntil > listener.host.clock.now()) {
    listener.host.snmp.TcpExtTCPFastOpenListenOverflow++;
    return false;
  }
  queue.aborted.shift();
  queue.length--;
  return true;
}

/**
 * Whether the SYN opens at once: the child, else undefined. `cookie` is the one that the SYN brought, and afterwards the one
 * that the SYN-ACK has to bring. The skb stays the caller's. (Linux: tcp_try_fastopen)
 */
export function tryFastopen(request: RequestSock, skb: SkBuff, cookie: FastopenCookie): TcpSock | undefined {
  const { listener, tcp } = request;
  const { snmp } = tcp.host;
  const segment = segmentOf(skb);
  const synData = segment.endSeq !== (segment.seq + 1) >>> 0;
  if (cookie.length === 0) snmp.TcpExtTCPFastOpenCookieReqd++;
  const wanted = (tcp.sysctl.fastopen.value & TFO.SERVER_ENABLE) !== 0 && (synData || cookie.length >= 0);
  if (!wanted || !queueCheck(listener)) {
    cookie.length = -1;
    return undefined;
  }
  const valid = new FastopenCookie();
  valid.exp = cookie.exp;
  let good = 0;
  const free = noCookie(listener, TFO.SERVER_COOKIE_NOT_REQD);
  if (!free && cookie.length >= 0) {
    const keys: FastopenKeys = listener.fastopenKeys ?? tcp.fastopenKeys;
    const ends = { client: request.remoteAddress, server: request.localAddress };
    good = checkCookie(keys, ends, cookie, valid);
    if (good === 0 && cookie.length > 0) snmp.TcpExtTCPFastOpenPassiveFail++;
  }
  if (!free && good === 0) {
    cookie.set(valid);
    return undefined;
  }
  const child = createChild(request, skb);
  // Under the older key: the client is told the new one.
  if (good === 2) {
    cookie.set(valid);
    snmp.TcpExtTCPFastOpenPassiveAltKey++;
  } else cookie.length = -1;
  snmp.TcpExtTCPFastOpenPassive++;
  return child;
}

/** (Linux: tcp_fastopen_create_child) */
function createChild(request: RequestSock, skb: SkBuff): TcpSock {
  const { listener, tcp } = request;
  const segment = segmentOf(skb);
  const child = makeChild(request, segment, skb.length - segment.headerLength);
  listener.fastopenQueue.length++;
  child.fastopenRsk = request;
  child.fastopenChild = true;
  request.tfoListener = true;
  request.child = child;
  // The window of a SYN is never scaled.
  child.sndWnd = child.maxWindow = segment.window;
  tcp.insert(child);
  resetXmitTimer(child, 'retrans', TIMEOUT_INIT, child.rtoMax);
  initTransfer(child);
  addSynData(child, skb);
  request.rcvNxt = child.rcvWup = child.rcvNxt;
  child.rcvMwndSeq = (child.rcvWup + child.rcvWnd) >>> 0;
  return child;
}

/** The data that came with a SYN or SYN-ACK, into the receive queue as a clone. (Linux: tcp_fastopen_add_skb) */
export function addSynData(sk: TcpSock, skb: SkBuff): void {
  const from = segmentOf(skb);
  if (from.endSeq === sk.rcvNxt) return;
  const copy = sk.host.skbs.clone(skb);
  const segment = sk.tcp.hold(copy);
  copy.pull(from.headerLength);
  segment.seq = (from.seq + 1) >>> 0;
  segment.endSeq = from.endSeq;
  segment.flags = from.flags & ~TCP_FLAG.SYN;
  sk.segsIn = 1;
  sk.dataSegsIn = copy.length > 0 ? 1 : 0;
  sk.rcvNxt = segment.endSeq;
  chargeReceived(sk, copy);
  sk.receiveQueue.push(copy);
  sk.synDataAcked = true;
  sk.bytesReceived = copy.length;
  if ((segment.flags & TCP_FLAG.FIN) !== 0) tcpFin(sk);
}

/** A SYN-RECEIVED that may be read and written already (tcp_passive_fastopen). */
export function passiveFastopen(sk: TcpSock): boolean {
  return sk.state === 'SYN_RECV' && sk.fastopenRsk !== undefined;
}

/**
 * The child no longer needs its request: acknowledged, or ended; by a RST when `reset`, which keeps a place taken for a
 * minute. (Linux: reqsk_fastopen_remove)
 */
export function removeFastopen(sk: TcpSock, reset: boolean): void {
  const request = sk.fastopenRsk;
  if (request === undefined) return;
  sk.fastopenRsk = undefined;
  const { listener } = request;
  const queue = listener.fastopenQueue;
  queue.length--;
  request.tfoListener = false;
  // Not yet accepted: it has its place in the accept queue.
  if (request.child !== undefined || !reset || listener.state !== 'LISTEN') return;
  request.abortedUntil = sk.host.clock.now() + RST_HELD;
  queue.aborted.push(request);
  queue.length++;
}

/** The ACK of the SYN-ACK has come (tcp_rcv_synrecv_state_fastopen). */
export function fastopenAcknowledged(sk: TcpSock): void {
  if (sk.caState === 'Loss' && sk.packetsOut === 0) tryUndoRecovery(sk);
  sk.retransmits = 0;
  if (sk.packetsOut === 0) sk.retransStamp = 0;
  removeFastopen(sk, false);
  // Data may be under way by now.
  if (sk.packetsOut === 0) sk.pending = 'none';
  rearmRto(sk);
}

/** No ACK yet: the SYN-ACK again, and nothing else before it is acknowledged. (Linux: tcp_fastopen_synack_timer) */
export function fastopenSynackTimer(sk: TcpSock, request: RequestSock): void {
  sk.host.snmp.TcpExtTCPTimeouts++;
  const most = sk.synRetries || sk.tcp.sysctl.synackRetries.value + 1;
  if (request.timeouts >= most) return tcpWriteError(sk);
  if (sk.retransmits === 1) enterLoss(sk);
  resendSynAck(request);
  sk.accecn.failMode |= request.accecnFailMode;
  sk.totalRetrans++;
  request.timeouts++;
  sk.retransmits++;
  sk.totalRto++;
  if (sk.retransStamp === 0) sk.retransStamp = sk.host.clock.now();
  resetXmitTimer(sk, 'retrans', TIMEOUT_INIT * 2 ** request.timeouts, sk.rtoMax);
}
