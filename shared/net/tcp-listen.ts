/**
 * Listening: half-open connections as request socks in the connection table, SYN-ACKs and their repetition, the accept
 * queue (Linux: inet_csk_listen_start, tcp_conn_request, reqsk_timer_handler). What answers them is in tcp-check-req.ts.
 * Left out: tcp_migrate_req.
 */
import type { Ipv4 } from '../header/address.ts';
import { type TcpOptions, TIMESTAMPS_ALIGNED, WINDOW_SCALE_MAX } from '../header/tcp-options.ts';
import { assert, type Micros, type Timer } from '../platform.ts';
import { type Errno, isErrno, type Result } from './errno.ts';
import { echoOptions, type OptionsToSend } from './ip-options-echo.ts';
import { firstHopOf } from './ip-options-set.ts';
import { JiffyTimer } from './jiffies.ts';
import { type Route, routeOutput } from './route.ts';
import { dstAdvmss, dstMetric, FEATURE_ECN } from './route-metrics.ts';
import type { SkBuff } from './skbuff.ts';
import { destroySock, setState, tcpDone } from './tcp-close.ts';
import { mayListen } from './tcp-connect.ts';
import { ecnCreateRequest, ecnSynAckAgain } from './tcp-ecn.ts';
import { listenFastopen, removeFastopen, tryFastopen } from './tcp-fastopen.ts';
import { FastopenCookie } from './tcp-fastopen-cookie.ts';
import type { Tcp, TcpEntry } from './tcp-host.ts';
import { sendSynAck } from './tcp-reply.ts';
import { secureIsn, secureTsOffset } from './tcp-secure.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import { MSS_DEFAULT, type TcpSock, TIMEOUT_INIT } from './tcp-sock.ts';
import { cookieInitSequence } from './tcp-syncookies.ts';
import { sendActiveReset } from './tcp-transmit.ts';
import { fullSpace, selectInitialWindow } from './tcp-window.ts';

/** Smallest MSS worth talking with (tcp_min_snd_mss). */
const PEER_MSS_MIN = 48;

/** A connection between its SYN and its last ACK (struct tcp_request_sock). */
export class RequestSock {
  readonly state = 'NEW_SYN_RECV';
  readonly tcp: Tcp;
  readonly listener: TcpSock;
  readonly localAddress: Ipv4;
  readonly localPort: number;
  readonly remoteAddress: Ipv4;
  readonly remotePort: number;
  readonly timer: Timer;
  /** A source route back, when the SYN came by one (ireq_opt). */
  ipOptions: OptionsToSend | undefined = undefined;
  hash = 0;
  hashNext: TcpEntry | undefined = undefined;
  hashed = false;

  /** TOS octet of the SYN, for tcp_reflect_tos. */
  synTos = 0;
  rcvIsn = 0;
  sntIsn = 0;
  rcvNxt = 0;
  mss = MSS_DEFAULT;
  advmss = 0;
  tstampOk = false;
  sackOk = false;
  wscaleOk = false;
  ecnOk = false;
  /** Accurate ECN, as AccEcnState has it. */
  accecnOk = false;
  synEctReceived = 0;
  sawAccecnOption = 0;
  accecnFailMode = 0;
  sndWscale = 0;
  rcvWscale = 0;
  rcvWnd = 0;
  windowClamp = 0;
  tsRecent = 0;
  tsRecentStamp = 0;
  tsOffset = 0;
  mtu = 0;
  /** Time-outs so far, and SYN-ACKs sent again. */
  timeouts = 0;
  retransmits = 0;
  /** The last ACK came, but there was no room, or data is waited for (TCP_DEFER_ACCEPT). */
  acked = false;
  sentAt = 0;
  lastOowAckTime = 0;
  cause = 0;
  /** Of a Fast Open child that waits for its ACK; the child until it is accepted (tfo_listener, req->sk). */
  tfoListener = false;
  savedSyn: Uint8Array | undefined = undefined;
  child: TcpSock | undefined = undefined;
  /** A RST ended it: when its place in the queue is free again. */
  abortedUntil = 0;

  constructor(
    listener: TcpSock,
    from: { localAddress: Ipv4; localPort: number; remoteAddress: Ipv4; remotePort: number },
  ) {
    this.tcp = listener.tcp;
    this.listener = listener;
    this.localAddress = from.localAddress;
    this.localPort = from.localPort;
    this.remoteAddress = from.remoteAddress;
    this.remotePort = from.remotePort;
    this.timer = new JiffyTimer(listener.host, 'reqsk_timer_handler', () => requestTimer(this));
  }
}

/** What waits for accept(2), and how many handshakes are under way (struct request_sock_queue). */
export class AcceptQueue {
  /** Backlog given to listen(2), bounded by somaxconn. */
  max: number;
  readonly ready: TcpSock[] = [];
  readonly requests = new Set<RequestSock>();
  /** Handshakes that have not timed out once. */
  young = 0;
  /** When SYNs were last answered with cookies. */
  overflowAt: Micros | undefined = undefined;
  floodTold = false;

  constructor(max: number) {
    this.max = max;
  }
  /** One more than the backlog fits (sk_acceptq_is_full). */
  get full(): boolean {
    return this.ready.length > this.max;
  }
  /** The same of handshakes (inet_csk_reqsk_queue_is_full). */
  get requestsFull(): boolean {
    return this.requests.size > this.max;
  }
}

/** listen(2) on a bound sock; again, to change the backlog. */
export function startListening(sk: TcpSock, backlog: number): Errno | undefined {
  const max = Math.min(backlog >>> 0, sk.tcp.sysctl.somaxconn.value);
  if (sk.state === 'LISTEN') {
    assert(sk.accept !== undefined, 'a listener has a queue');
    sk.accept.max = max;
    return undefined;
  }
  if (sk.state !== 'CLOSE') return 'EINVAL';
  if (!mayListen(sk)) return 'EADDRINUSE';
  sk.accept = new AcceptQueue(max);
  listenFastopen(sk, backlog >>> 0);
  setState(sk, 'LISTEN');
  sk.tcp.addListener(sk);
  return undefined;
}

/** The listener closes: handshakes are forgotten, what nobody accepted is reset (inet_csk_listen_stop). */
export function stopListening(sk: TcpSock): void {
  const { accept } = sk;
  if (accept === undefined) return;
  for (const request of [...accept.requests]) dropRequest(request);
  for (const child of accept.ready) {
    child.dead = true;
    child.tcp.orphans++;
    if (child.state !== 'CLOSE') sendActiveReset(child);
    removeFastopen(child, false);
    tcpDone(child);
    destroySock(child);
  }
  accept.ready.length = 0;
  sk.fastopenQueue.aborted.length = sk.fastopenQueue.length = 0;
  sk.accept = undefined;
}

export function dropRequest(request: RequestSock): void {
  request.timer.stop();
  request.tcp.remove(request);
  request.tcp.requests.delete(request);
  const { accept } = request.listener;
  if (accept?.requests.delete(request) === true && request.timeouts === 0) accept.young--;
}

/** accept(2): the oldest that is ready. */
export function acceptNext(sk: TcpSock): Result<TcpSock> {
  if (sk.state !== 'LISTEN' || sk.accept === undefined) return 'EINVAL';
  const child = sk.accept.ready.shift();
  if (child === undefined) return 'EAGAIN';
  // It is taken; its request goes when its ACK comes.
  if (child.fastopenRsk !== undefined) child.fastopenRsk.child = undefined;
  child.socketState = 'connected';
  return child;
}

/** How long the next answer to a SYN-ACK is waited for (tcp_reqsk_timeout). */
export function requestTimeout(request: RequestSock): Micros {
  return Math.min(TIMEOUT_INIT * 2 ** request.timeouts, request.listener.rtoMax);
}

/** Half of the queue is kept for young handshakes: when old ones crowd it, they get fewer tries. */
function synackTries(request: RequestSock): number {
  const { listener, tcp } = request;
  let most = listener.synRetries || tcp.sysctl.synackRetries.value;
  const { accept } = listener;
  if (accept === undefined || accept.requests.size * 2 <= Math.max(8, accept.max)) return most;
  for (let young = accept.young * 2; most > 2 && accept.requests.size >= young; young *= 2) most--;
  return most;
}

/** SYN-ACK again after 1, 3, 7, 15, 31 seconds, then no more (reqsk_timer_handler, syn_ack_recalc). */
function requestTimer(request: RequestSock): void {
  const { tcp, listener, timeouts } = request;
  tcp.enter();
  tcp.host.snmp.TcpExtTCPTimeouts++;
  const defer = listener.deferAccept;
  // What waits for data after its ACK has until the end of that, and is then asked once more.
  const last = timeouts >= synackTries(request);
  const expired = last && (defer === 0 || !request.acked || timeouts >= defer);
  if (expired) dropRequest(request);
  else {
    if (defer === 0 || !request.acked || timeouts >= defer - 1) resendSynAck(request);
    if (request.timeouts++ === 0 && listener.accept !== undefined) listener.accept.young--;
    request.timer.arm(requestTimeout(request));
  }
  tcp.leave();
}

export function resendSynAck(request: RequestSock): void {
  const { snmp } = request.tcp.host;
  request.retransmits++;
  snmp.TcpRetransSegs++;
  snmp.TcpExtTCPSynRetrans++;
  sendSynAck(request, true);
  ecnSynAckAgain(request);
}

/** What the peer's SYN offers and what we take of it (tcp_openreq_init and its kin). */
function fillRequest(request: RequestSock, segment: Segment, o: TcpOptions, route: Route): void {
  const { listener, tcp } = request;
  const { sysctl } = tcp;
  const now = tcp.host.clock.now();
  request.rcvIsn = segment.seq;
  request.rcvNxt = (segment.seq + 1) >>> 0;
  request.mtu = route.mtu;
  const most = listener.userMss > 0 ? listener.userMss : 65_535;
  request.mss = Math.min(Math.max(o.mss > 0 ? o.mss : MSS_DEFAULT, PEER_MSS_MIN), most);
  request.advmss = Math.min(dstAdvmss(tcp.host, route), most);
  request.tstampOk = o.timestamps && sysctl.timestamps.value !== 0;
  request.sackOk = o.sackPermitted && sysctl.sack.value !== 0;
  request.wscaleOk = o.wscale >= 0 && sysctl.windowScaling.value !== 0;
  request.sndWscale = request.wscaleOk ? Math.min(o.wscale, WINDOW_SCALE_MAX) : 0;
  request.tsRecent = o.timestamps ? o.tsval : 0;
  request.tsRecentStamp = o.timestamps ? Math.floor(now / 1_000_000) + 1 : 0;
  ecnCreateRequest(request, segment, (dstMetric(route, 'features') & FEATURE_ECN) !== 0);
  const mss = request.advmss - (request.tstampOk ? TIMESTAMPS_ALIGNED : 0);
  const initial = selectInitialWindow(listener, route, fullSpace(listener), mss, request.wscaleOk);
  request.rcvWnd = initial.window;
  request.rcvWscale = initial.scale;
  request.windowClamp = initial.clamp;
  request.tsOffset = request.tstampOk ? secureTsOffset(tcp, request) : 0;
}

/**
 * A SYN for a listener. `isn` is given when a TIME-WAIT gave way. Consumes `skb`. (Linux: tcp_conn_request)
 */
export function connRequest(listener: TcpSock, skb: SkBuff, ends: Ends, isn: number | undefined): void {
  const { tcp, accept } = listener;
  const { snmp } = tcp.host;
  assert(accept !== undefined, 'a listener has a queue');
  const segment = segmentOf(skb);
  const mode = tcp.sysctl.synCookies.value;
  // What a TIME-WAIT gave way to is surely a real peer.
  const wantCookie = isn === undefined && (mode === 2 || accept.requestsFull);
  if (wantCookie && !synFloodAction(listener, accept)) {
    snmp.TcpExtListenDrops++;
    return tcp.drop(skb, 'tcp_syn_queue_full', 'tcp_conn_request');
  }
  if (accept.full) {
    snmp.TcpExtListenOverflows++;
    snmp.TcpExtListenDrops++;
    return tcp.drop(skb, 'tcp_listen_overflow', 'tcp_conn_request');
  }
  const { localAddress: source } = ends;
  const ipOptions = echoOptions(tcp.host, skb);
  const target = firstHopOf(ipOptions, ends.remoteAddress);
  const route = routeOutput(tcp.host, { target, source, ifindex: listener.boundIfindex, mark: listener.mark });
  if (isErrno(route)) {
    snmp.TcpExtListenDrops++;
    return tcp.drop(skb, 'ip_no_route', 'tcp_conn_request');
  }
  const request = new RequestSock(listener, ends);
  // Without timestamps a cookie has no room for other options.
  if (wantCookie && !tcp.received.timestamps) tcp.received.clearAgreed();
  fillRequest(request, segment, tcp.received, route);
  if (mode === 0 && isn === undefined && lastQuarter(accept, tcp)) {
    snmp.TcpExtListenDrops++;
    return tcp.drop(skb, 'tcp_syn_queue_full', 'tcp_conn_request');
  }
  request.synTos = segment.tos;
  request.ipOptions = ipOptions;
  request.cause = skb.cause;
  request.sentAt = tcp.host.clock.now();
  if (wantCookie) {
    answerWithCookie(request);
    return tcp.free(skb);
  }
  request.sntIsn = isn ?? secureIsn(tcp, request);
  const cookie = new FastopenCookie();
  cookie.take(tcp.received);
  request.savedSyn = recordSyn(listener, skb);
  const child = tryFastopen(request, skb, cookie);
  if (child !== undefined) {
    sendSynAck(request, false, cookie);
    accept.ready.push(child);
    tcp.wake(listener);
    return tcp.free(skb);
  }
  tcp.insert(request);
  tcp.requests.add(request);
  accept.requests.add(request);
  accept.young++;
  request.timer.arm(requestTimeout(request));
  sendSynAck(request, false, cookie);
  tcp.free(skb);
}

/** The queue of handshakes is full, or cookies are always wanted: whether one is to be sent (tcp_syn_flood_action). */
function synFloodAction(listener: TcpSock, accept: AcceptQueue): boolean {
  const { snmp, trace } = listener.host;
  const mode = listener.tcp.sysctl.synCookies.value;
  if (mode === 0) snmp.TcpExtTCPReqQFullDrop++;
  else snmp.TcpExtTCPReqQFullDoCookies++;
  if (!accept.floodTold && mode !== 2) {
    accept.floodTold = true;
    const action = mode === 0 ? 'Dropping request' : 'Sending cookies';
    if (trace.on) trace.mark('tcp_syn_flood_action', listener.cause, { port: listener.localPort, action });
  }
  return mode !== 0;
}

/** Headers of the SYN, where the listener keeps them (tcp_reqsk_record_syn). */
function recordSyn(listener: TcpSock, skb: SkBuff): Uint8Array | undefined {
  if (listener.saveSyn === 0) return undefined;
  const from = listener.saveSyn === 2 ? skb.macHeader : skb.networkHeader;
  return skb.bytes.slice(from, skb.transportHeader + segmentOf(skb).headerLength);
}

/** Without cookies the last quarter of the backlog is for peers that proved to be there; none is known to be. */
function lastQuarter(accept: AcceptQueue, tcp: Tcp): boolean {
  const most = tcp.sysctl.maxSynBacklog.value;
  return most - accept.requests.size < most >> 2;
}

function answerWithCookie(request: RequestSock): void {
  request.sntIsn = cookieInitSequence(request);
  if (!request.tstampOk) request.ecnOk = false;
  sendSynAck(request, false, 'cookie');
}

/** Who speaks with whom, from a received packet. */
export interface Ends {
  readonly localAddress: Ipv4;
  readonly localPort: number;
  readonly remoteAddress: Ipv4;
  readonly remotePort: number;
}
