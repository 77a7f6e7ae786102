/**
 * SYN cookies (Linux: syncookies.c): a full queue of handshakes answers SYNs without remembering them. The initial
 * sequence number says when and with which of four MSSs, the low bits of the timestamp what else was agreed; an ACK that
 * brings it back makes the connection. Good for two minutes. Left out: the kernel's log line, which a trace mark stands for.
 */

import type { TcpOptions } from '../header/tcp-options.ts';
import { TIMESTAMPS_ALIGNED } from '../header/tcp-options.ts';
import type { Micros } from '../platform.ts';
import { isErrno } from './errno.ts';
import { echoOptions } from './ip-options-echo.ts';
import { firstHopOf } from './ip-options-set.ts';
import { routeOutput } from './route.ts';
import { dstAdvmss } from './route-metrics.ts';
import type { SkBuff } from './skbuff.ts';
import { makeChild } from './tcp-child.ts';
import { ecnFromCookie } from './tcp-ecn.ts';
import type { Tcp } from './tcp-host.ts';
import { type Ends, RequestSock } from './tcp-listen.ts';
import { secureTsOffset } from './tcp-secure.ts';
import { segmentOf } from './tcp-segment.ts';
import type { FourTuple, TcpSock } from './tcp-sock.ts';
import { fullSpace, selectInitialWindow } from './tcp-window.ts';

/** The MSSs that a cookie can say (msstab). */
const MSS_TABLE: readonly number[] = [536, 1_300, 1_440, 1_460];
/** Bits for the MSS; above them counts the time (COOKIEBITS). */
const COOKIE_BITS = 24;
const COOKIE_MASK = 2 ** COOKIE_BITS - 1;
/** A step of that time, and how many of them a cookie lives (TCP_SYNCOOKIE_PERIOD, MAX_SYNCOOKIE_AGE). */
const PERIOD: Micros = 60_000_000;
const AGE_MAX = 2;
/** Low bits of the timestamp (TSBITS): the window scale or 15 for none, SACK, ECN. */
const TS_BITS = 6;
const TS_WSCALE_MASK = 0xf;
const TS_SACK = 1 << 4;
const TS_ECN = 1 << 5;

function cookieHash(tcp: Tcp, ends: FourTuple, count: number, salt: number): number {
  const ports = ((ends.remotePort << 16) | ends.localPort) >>> 0;
  return tcp.host.platform.hash(tcp.cookieKey, ends.remoteAddress, ends.localAddress, ports, count, salt) >>> 0;
}

function cookieTime(tcp: Tcp): number {
  return Math.floor(tcp.host.clock.now() / PERIOD);
}

/** The number to answer a SYN with; the request's MSS becomes one that the cookie can say. (cookie_v4_init_sequence) */
export function cookieInitSequence(request: RequestSock): number {
  const { tcp, listener } = request;
  let index = MSS_TABLE.length - 1;
  while (index > 0 && request.mss < MSS_TABLE[index]!) index--;
  request.mss = MSS_TABLE[index]!;
  if (listener.accept !== undefined) listener.accept.overflowAt = tcp.host.clock.now();
  tcp.host.snmp.TcpExtSyncookiesSent++;
  const count = cookieTime(tcp);
  const low = (cookieHash(tcp, request, count, 1) + index) & COOKIE_MASK;
  return (cookieHash(tcp, request, 0, 0) + request.rcvIsn + count * 2 ** COOKIE_BITS + low) >>> 0;
}

/** The MSS that a cookie says; undefined for one that is not ours, or too old (__cookie_v4_check). */
function cookieMss(tcp: Tcp, ends: FourTuple, cookie: number, peerIsn: number): number | undefined {
  const rest = (cookie - cookieHash(tcp, ends, 0, 0) - peerIsn) >>> 0;
  const count = cookieTime(tcp);
  const age = (count - (rest >>> COOKIE_BITS)) & 0xff;
  if (age >= AGE_MAX) return undefined;
  return MSS_TABLE[(rest - cookieHash(tcp, ends, count - age, 1)) & COOKIE_MASK];
}

/** Our timestamp, before its offset, with the options in its low bits: never ahead of the clock (cookie_init_timestamp). */
export function cookieTimestamp(request: RequestSock, now: Micros): number {
  const millis = Math.floor(now / 1_000);
  let options = request.wscaleOk ? request.sndWscale : TS_WSCALE_MASK;
  if (request.sackOk) options |= TS_SACK;
  if (request.ecnOk) options |= TS_ECN;
  const step = 2 ** TS_BITS;
  let stamp = millis - (millis % step) + options;
  if (stamp > millis) stamp -= step;
  return stamp >>> 0;
}

/** Back out of the echo; false when it says what we would not have agreed to (cookie_timestamp_decode). */
function decodeTimestamp(request: RequestSock, o: TcpOptions): boolean {
  const { sysctl } = request.tcp;
  if (!o.timestamps) return true;
  if (sysctl.timestamps.value === 0) return false;
  const echo = o.tsecr === 0 ? 0 : (o.tsecr - request.tsOffset) >>> 0;
  request.tstampOk = true;
  request.sackOk = (echo & TS_SACK) !== 0;
  if (request.sackOk && sysctl.sack.value === 0) return false;
  request.ecnOk = (echo & TS_ECN) !== 0 && sysctl.ecn.value !== 0;
  const scale = echo & TS_WSCALE_MASK;
  if (scale === TS_WSCALE_MASK) return true;
  request.wscaleOk = true;
  request.sndWscale = scale;
  return sysctl.windowScaling.value !== 0;
}

/**
 * An ACK for a listener that no handshake waits for: a child when it brings back a cookie, 'dropped' when there is no room
 * for it, undefined when it is no cookie. The skb stays the caller's. (Linux: cookie_v4_check)
 */
export function cookieCheck(listener: TcpSock, skb: SkBuff, ends: Ends): TcpSock | 'dropped' | undefined {
  const { tcp, accept } = listener;
  const { snmp, clock } = tcp.host;
  if (accept === undefined || tcp.sysctl.synCookies.value === 0) return undefined;
  if (accept.overflowAt === undefined || clock.now() > accept.overflowAt + AGE_MAX * PERIOD) return undefined;
  const segment = segmentOf(skb);
  const isn = (segment.ack - 1) >>> 0;
  const peerIsn = (segment.seq - 1) >>> 0;
  const mss = cookieMss(tcp, ends, isn, peerIsn);
  if (mss === undefined) {
    snmp.TcpExtSyncookiesFailed++;
    return undefined;
  }
  snmp.TcpExtSyncookiesRecv++;
  const request = new RequestSock(listener, ends);
  request.mss = mss;
  request.rcvIsn = peerIsn;
  request.rcvNxt = segment.seq;
  request.sntIsn = isn;
  request.cause = skb.cause;
  request.synTos = segment.tos;
  const o = tcp.received;
  request.tsOffset = o.timestamps && o.tsecr !== 0 ? secureTsOffset(tcp, request) : 0;
  if (!decodeTimestamp(request, o)) return undefined;
  request.ipOptions = echoOptions(tcp.host, skb);
  ecnFromCookie(request, segment);
  if (!openWindow(request, o)) return 'dropped';
  if (accept.full) {
    snmp.TcpExtListenOverflows++;
    snmp.TcpExtListenDrops++;
    return 'dropped';
  }
  const child = makeChild(request, segment, skb.length - segment.headerLength);
  tcp.insert(child);
  accept.ready.push(child);
  return child;
}

/** What the SYN-ACK must have offered. False: there is no way back to the peer. */
function openWindow(request: RequestSock, o: TcpOptions): boolean {
  const { listener, tcp } = request;
  const { localAddress: source } = request;
  const target = firstHopOf(request.ipOptions, request.remoteAddress);
  const route = routeOutput(tcp.host, { target, source, ifindex: listener.boundIfindex });
  if (isErrno(route)) return false;
  const most = listener.userMss > 0 ? listener.userMss : 65_535;
  request.mtu = route.mtu;
  request.advmss = Math.min(dstAdvmss(tcp.host, route), most);
  request.tsRecent = o.timestamps ? o.tsval : 0;
  request.tsRecentStamp = o.timestamps ? Math.floor(tcp.host.clock.now() / 1_000_000) + 1 : 0;
  const mss = request.advmss - (request.tstampOk ? TIMESTAMPS_ALIGNED : 0);
  const initial = selectInitialWindow(listener, route, fullSpace(listener), mss, request.wscaleOk);
  request.rcvWnd = initial.window;
  request.rcvWscale = initial.scale;
  request.windowClamp = initial.clamp;
  return true;
}
