/**
 * The client's side of TCP Fast Open (RFC 7413 §4.2.1; Linux: tcp_send_syn_data, tcp_rcv_fastopen_synack): data in the SYN
 * when a cookie of the server is known, else a request for one; what the SYN-ACK shows goes into the metrics of the
 * destination. Where SYNs with data vanish, Fast Open is let be for a while (blackhole detection).
 */
import { TCP_FLAG } from '../header/tcp.ts';
import type { SkBuff } from './skbuff.ts';
import { addSynData, noCookie } from './tcp-fastopen.ts';
import { FastopenCookie } from './tcp-fastopen-cookie.ts';
import { FastopenRequest, TFO, TFO_FAIL } from './tcp-fastopen-state.ts';
import type { Tcp } from './tcp-host.ts';
import { chronoStart } from './tcp-info.ts';
import { markLost } from './tcp-loss.ts';
import { chargeQueued } from './tcp-memory.ts';
import { noteFastopen } from './tcp-metrics.ts';
import { mtuToMss, syncMss } from './tcp-mss.ts';
import { newSegment } from './tcp-queue.ts';
import { nonCongestionLossRetransmit } from './tcp-retransmit.ts';
import type { Segment } from './tcp-segment.ts';
import { copyIn } from './tcp-sendmsg.ts';
import type { TcpSock } from './tcp-sock.ts';
import { TX_OVERHEAD, transmitSegment } from './tcp-transmit.ts';

/** Room left in a SYN with data for options that a middlebox may add (MAX_TCP_OPTION_SPACE). */
const OPTION_SPACE_MAX = 40;
/** The time-out for Fast Open after a black hole doubles at most so often. */
const BLACKHOLE_DOUBLINGS_MAX = 6;
/** Fast Open is paused: a connection went into a black hole not long ago (tcp_fastopen_active_should_disable). */
function shouldDisable(sk: TcpSock): boolean {
  const { fastopenBlackhole: hole, sysctl } = sk.tcp;
  const timeout = sysctl.fastopenBlackholeTimeoutSec.value * 1_000_000;
  if (timeout === 0 || hole.times === 0) return false;
  const pause = timeout * 2 ** Math.min(hole.times - 1, BLACKHOLE_DOUBLINGS_MAX);
  if (sk.host.clock.now() < hole.stamp + pause) return true;
  // This one shows whether it works again.
  sk.synFastopenCh = true;
  return false;
}

/** tcp_fastopen_active_disable. */
export function disableFastopen(tcp: Tcp): void {
  if (tcp.sysctl.fastopenBlackholeTimeoutSec.value === 0) return;
  tcp.fastopenBlackhole.stamp = tcp.host.clock.now();
  tcp.fastopenBlackhole.times++;
  tcp.host.snmp.TcpExtTCPFastOpenBlackhole++;
}

/** Three time-outs, or giving up before: the path may swallow it (tcp_fastopen_active_detect_blackhole). */
export function detectBlackhole(sk: TcpSock, expired: boolean): void {
  if (!sk.synFastopen && !sk.synData && !sk.synDataAcked) return;
  if (sk.retransmits !== 2 && !(sk.retransmits < 2 && expired)) return;
  disableFastopen(sk.tcp);
  sk.host.snmp.TcpExtTCPFastOpenActiveFail++;
}

/** At the end of a connection: only a FIN came through, or all was well (tcp_fastopen_active_disable_ofo_check). */
export function blackholeOfoCheck(sk: TcpSock): void {
  if (!sk.synFastopen) return;
  if (sk.dataSegsIn === 0) {
    const first = sk.ofoQueue.head;
    if (first !== undefined && first.next === undefined && (first.flags & TCP_FLAG.FIN) !== 0) disableFastopen(sk.tcp);
    return;
  }
  const loopback = sk.remoteAddress >>> 24 === 127 || sk.remoteAddress === sk.localAddress;
  if (sk.synFastopenCh && !loopback) sk.tcp.fastopenBlackhole.times = 0;
}

/** A cookie to send data under; `cookie` has length 0 when one is to be asked for, -1 for none. (tcp_fastopen_cookie_check) */
function cookieCheck(sk: TcpSock, cookie: FastopenCookie): boolean {
  const known = sk.tcp.metrics.get(sk.localAddress, sk.remoteAddress);
  if (known !== undefined) {
    if (known.fastopenMss > 0) sk.mssClamp = known.fastopenMss;
    cookie.set(known.cookie);
    if (cookie.length <= 0 && known.tryExp === 1) cookie.exp = true;
    cookie.length = Math.max(cookie.length, 0);
  }
  if (shouldDisable(sk)) {
    cookie.length = -1;
    return false;
  }
  if (noCookie(sk, TFO.CLIENT_NO_COOKIE)) {
    cookie.length = -1;
    return true;
  }
  if (cookie.length > 0) return true;
  sk.fastopenClientFail = TFO_FAIL.COOKIE_UNAVAILABLE;
  return false;
}

/** TCP_FASTOPEN_CONNECT: with a cookie at hand connect() sends nothing; the first write does. (tcp_fastopen_defer_connect) */
export function deferConnect(sk: TcpSock): boolean {
  if (!sk.fastopenConnect || sk.fastopenReq !== undefined) return false;
  const clamp = sk.mssClamp;
  const cookie = new FastopenCookie();
  cookie.length = 0;
  const known = cookieCheck(sk, cookie);
  sk.mssClamp = clamp;
  if (known) {
    sk.deferConnect = true;
    return true;
  }
  sk.fastopenReq = new FastopenRequest(undefined);
  sk.fastopenReq.cookie.set(cookie);
  return false;
}

/**
 * Send the SYN with what fits of the program's data, or by itself with a request for a cookie. What was sent stays as two
 * segments, SYN and data, of which only the first is repeated as a SYN. (Linux: tcp_send_syn_data)
 */
export function sendSynData(sk: TcpSock, syn: Segment): void {
  const fo = sk.fastopenReq!;
  sk.mssClamp = sk.advmss;
  if (cookieCheck(sk, fo.cookie)) {
    if (sk.userMss > 0) sk.mssClamp = Math.min(sk.mssClamp, sk.userMss);
    syncMss(sk, sk.pmtuCookie);
    if (transmitSynData(sk, syn, fo)) {
      fo.cookie.length = -1;
      return;
    }
  }
  if (fo.cookie.length > 0) fo.cookie.length = 0;
  if (transmitSegment(sk, syn, false) !== undefined) sk.synFastopen = false;
  // SYNs that are repeated have no such option.
  fo.cookie.length = -1;
}

function transmitSynData(sk: TcpSock, syn: Segment, fo: FastopenRequest): boolean {
  const optionsCounted = sk.tcpHeaderLength - 20;
  const space = Math.min(mtuToMss(sk, sk.pmtuCookie) + optionsCounted - OPTION_SPACE_MAX, fo.size);
  const data = newSegment(sk, syn.flags);
  data.seq = syn.seq;
  data.endSeq = syn.endSeq;
  chargeQueued(sk, TX_OVERHEAD);
  while (fo.bytes !== undefined && fo.copied < space) fo.copied += copyIn(sk, data, fo.bytes, fo.copied, space);
  data.flags = syn.flags;
  data.count = 1;
  data.mss = Math.max(data.length, 1);
  if (fo.copied === fo.size) fo.bytes = undefined;
  if (data.length > 0) chronoStart(sk, 'busy');
  sk.packetsOut++;
  const error = transmitSegment(sk, data, false);
  syn.sentAt = data.sentAt;
  data.seq = (data.seq + 1) >>> 0;
  data.flags = TCP_FLAG.ACK | TCP_FLAG.PSH;
  if (error === undefined) {
    sk.synData = fo.copied > 0;
    sk.rtxQueue.append(data);
    sk.tsorted.append(data);
    sk.host.snmp.TcpExtTCPOrigDataSent++;
    return true;
  }
  // It waits like other data.
  sk.writeQueue.append(data);
  sk.packetsOut--;
  return false;
}

/** The SYN-ACK to our attempt. True: data of the SYN had to be sent again. (Linux: tcp_rcv_fastopen_synack) */
export function receiveSynAck(sk: TcpSock, skb: SkBuff): boolean {
  const { tcp, host } = sk;
  const { snmp } = host;
  const o = tcp.received;
  const data = sk.synData ? sk.rtxQueue.head : undefined;
  const cookie = new FastopenCookie();
  cookie.take(o);
  // What the peer says, not what TCP_MAXSEG made of it.
  const mss = sk.mssClamp === sk.userMss ? o.mss : sk.mssClamp;
  let synLost = false;
  let tryExp = 0;
  if (!sk.synFastopen) cookie.length = -1;
  else if (sk.totalRetrans > 0) synLost = cookie.length < 0 && data !== undefined;
  else if (cookie.length < 0 && !sk.synData) tryExp = sk.synFastopenExp ? 2 : 1;
  const now = host.clock.now();
  noteFastopen(tcp.metrics.touch(sk.localAddress, sk.remoteAddress, now), { mss, cookie, synLost, tryExp }, now);
  if (data !== undefined) {
    sk.fastopenClientFail = sk.totalRetrans > 0 ? TFO_FAIL.SYN_RETRANSMITTED : TFO_FAIL.DATA_NOT_ACKED;
    for (let s: Segment | undefined = data; s !== undefined; s = s.next) markLost(sk, s);
    nonCongestionLossRetransmit(sk, 'fast open');
    snmp.TcpExtTCPFastOpenActiveFail++;
    return true;
  }
  sk.synDataAcked = sk.synData;
  if (sk.synDataAcked) {
    snmp.TcpExtTCPFastOpenActive++;
    // It was counted as two packets.
    if (sk.delivered > 1) sk.delivered--;
  }
  addSynData(sk, skb);
  return false;
}
