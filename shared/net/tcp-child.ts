/** The full sock that a finished handshake becomes, and what every connection does once it is established. */

import { TIMESTAMPS_ALIGNED } from '../header/tcp-options.ts';
import { initCwnd } from './route-metrics.ts';
import { ECN_MASK } from './tcp-accecn-state.ts';
import { routeCongestion } from './tcp-congestion.ts';
import { ecnChild } from './tcp-ecn.ts';
import type { RequestSock } from './tcp-listen.ts';
import { md5KeyFor, md5OptionSize } from './tcp-md5.ts';
import { initMetrics } from './tcp-metrics-save.ts';
import { reserveTimestamps, routeMtu, sndbufExpand, syncMss } from './tcp-mss.ts';
import { mtupInit } from './tcp-mtu-probe.ts';
import { initializeRcvMss, initReceiveSpace } from './tcp-rcvbuf.ts';
import type { Segment } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';
import { keepaliveTimeWhen } from './tcp-timer.ts';

/** inet_csk_clone_lock inherits what a program set on the listener. */
function inheritOptions(child: TcpSock, listener: TcpSock): void {
  child.boundIfindex = listener.boundIfindex;
  child.rcvbuf = listener.rcvbuf;
  child.sndbuf = listener.sndbuf;
  child.rcvbufLocked = listener.rcvbufLocked;
  child.sndbufLocked = listener.sndbufLocked;
  child.reuseAddress = listener.reuseAddress;
  child.reusePort = listener.reusePort;
  child.keepalive = listener.keepalive;
  child.linger = { ...listener.linger };
  child.ttl = listener.ttl;
  child.tos = listener.tos;
  child.mark = listener.mark;
  child.priority = listener.priority;
  child.pmtuDiscovery = listener.pmtuDiscovery;
  child.maxPacingRate = listener.maxPacingRate;
  child.pacingRate = listener.pacingRate;
  child.pacingStatus = listener.pacingStatus;
  child.nonagle = listener.nonagle;
  child.userTimeout = listener.userTimeout;
  child.keepaliveTime = listener.keepaliveTime;
  child.keepaliveIntvl = listener.keepaliveIntvl;
  child.keepaliveProbes = listener.keepaliveProbes;
  child.rtoMax = listener.rtoMax;
  child.rtoMin = listener.rtoMin;
  child.delackMax = listener.delackMax;
  child.linger2 = listener.linger2;
  child.notsentLowat = listener.notsentLowat;
  child.rcvlowat = listener.rcvlowat;
  child.userMss = listener.userMss;
  child.windowClampLocked = listener.windowClampLocked;
  child.caChosen = listener.caChosen;
  if (listener.caChosen) child.ca = listener.ca;
  child.receiveErrors = listener.receiveErrors;
  child.timestamps = listener.timestamps;
  child.timestamping = listener.timestamping;
  child.timestampKey = listener.timestampKey;
  child.zerocopy = listener.zerocopy;
  child.urgInline = listener.urgInline;
  child.packetInfo = listener.packetInfo;
  child.receiveTtl = listener.receiveTtl;
  child.receiveTos = listener.receiveTos;
  child.receiveInq = listener.receiveInq;
}

/** (Linux: tcp_v4_syn_recv_sock, tcp_create_openreq_child) */
export function makeChild(request: RequestSock, segment: Segment, payload: number): TcpSock {
  const { listener, tcp } = request;
  const child = tcp.newSock();
  tcp.host.snmp.TcpPassiveOpens++;
  inheritOptions(child, listener);
  if (tcp.sysctl.reflectTos.value !== 0) child.tos = request.synTos & ~ECN_MASK;
  child.localAddress = request.localAddress;
  child.localPort = request.localPort;
  child.remoteAddress = request.remoteAddress;
  child.remotePort = request.remotePort;
  child.savedSyn = request.savedSyn;
  child.addressLocked = listener.addressLocked;
  tcp.bindTo(child, request.localPort);
  child.state = 'SYN_RECV';
  child.cause = request.cause;
  child.irs = request.rcvIsn;
  child.rcvNxt = child.copiedSeq = child.rcvWup = (request.rcvIsn + 1) >>> 0;
  const seq = (request.sntIsn + 1) >>> 0;
  child.iss = request.sntIsn;
  child.sndSml = child.sndUna = child.sndNxt = child.sndUp = child.writeSeq = child.pushedSeq = seq;
  child.sndWl1 = request.rcvIsn;
  child.rcvTstamp = child.lsndtime = child.lrcvtime = tcp.host.clock.now();
  child.tstampOk = child.sawTstamp = request.tstampOk;
  child.sackOk = request.sackOk;
  child.wscaleOk = request.wscaleOk;
  child.sndWscale = request.sndWscale;
  child.rcvWscale = request.rcvWscale;
  child.rcvWnd = request.rcvWnd;
  child.rcvMwndSeq = (child.rcvWup + request.rcvWnd) >>> 0;
  child.rcvSsthresh = request.rcvWnd;
  child.windowClamp = request.windowClamp;
  if (!child.wscaleOk) child.windowClamp = Math.min(child.windowClamp, 65_535);
  child.sndWnd = segment.window * 2 ** child.sndWscale;
  child.maxWindow = child.sndWnd;
  child.tsRecent = request.tsRecent;
  child.tsRecentStamp = request.tstampOk ? request.tsRecentStamp : 0;
  child.tsOffset = request.tsOffset;
  const key = md5KeyFor(listener, child.remoteAddress, listener.boundIfindex);
  if (key !== undefined) child.md5Keys = [{ ...key, address: child.remoteAddress, prefix: 32 }];
  child.tcpHeaderLength = 20 + md5OptionSize(child);
  child.ipOptions = request.ipOptions;
  if (request.tstampOk) reserveTimestamps(child);
  child.mssClamp = request.mss;
  child.advmss = request.advmss;
  ecnChild(child, request, segment, payload);
  child.totalRetrans = request.retransmits;
  child.synackSentAt = request.sentAt;
  child.undoMarker = request.retransmits > 0 ? child.sndUna : 0;
  syncMss(child, routeMtu(child));
  routeCongestion(child);
  initializeRcvMss(child);
  return child;
}

/** cwnd, buffers and timers of a connection that is now established (tcp_init_transfer, tcp_finish_connect). */
export function initTransfer(sk: TcpSock): void {
  const now = sk.host.clock.now();
  mtupInit(sk);
  initMetrics(sk);
  // A SYN that was lost more than once is a sign of congestion (RFC 5681 §3.1).
  sk.sndCwnd = sk.totalRetrans > 1 && sk.undoMarker !== 0 ? 1 : initCwnd(sk);
  sk.sndCwndStamp = now;
  sk.ca.init(sk);
  if (!sk.sndbufLocked) sndbufExpand(sk);
  initReceiveSpace(sk);
  if (sk.keepalive) sk.keepaliveTimer.arm(keepaliveTimeWhen(sk));
}

/** Our advertised MSS counts no options; each segment has them. */
export function advmssWithTimestamps(sk: TcpSock): void {
  sk.advmss -= TIMESTAMPS_ALIGNED;
}
