/**
 * A TCP connection's state (Linux: struct tcp_sock and the inet_connection_sock in it): fields only, named as in Linux,
 * in the groups of its header. Times are lab microseconds; sequence numbers are unsigned 32-bit and compared with seqBefore
 * and its kin; windows are in octets, cwnd and the *Out counts in segments.
 */
import type { Ipv4 } from '../header/address.ts';
import type { Micros, Timer } from '../platform.ts';
import type { Host } from './host.ts';
import { JiffyTimer } from './jiffies.ts';
import type { Pages } from './pages.ts';
import { POLL, type Proto, Sock } from './sock.ts';
import { AccEcnState } from './tcp-accecn-state.ts';
import type { CongestionOps } from './tcp-congestion.ts';
import { CubicState } from './tcp-cubic.ts';
import type { FastopenKeys } from './tcp-fastopen-cookie.ts';
import { FastopenQueue, type FastopenRequest } from './tcp-fastopen-state.ts';
import type { BindBucket, Tcp } from './tcp-host.ts';
import type { AcceptQueue, RequestSock } from './tcp-listen.ts';
import type { Md5Key } from './tcp-md5.ts';
import { MtuProbing } from './tcp-mtu-probe.ts';
import { SegmentList, SentOrder } from './tcp-segment.ts';

export type TcpState =
  | 'ESTABLISHED'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'FIN_WAIT1'
  | 'FIN_WAIT2'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'LISTEN'
  | 'CLOSING'
  | 'NEW_SYN_RECV';

export type CaState = 'Open' | 'Disorder' | 'CWR' | 'Recovery' | 'Loss';
/** What the retransmission timer stands for now (icsk_pending). */
export type PendingTimer = 'none' | 'retrans' | 'probe0' | 'loss-probe' | 'reo-timeout';

/** RFC 6298 §2: before the first measurement. */
export const TIMEOUT_INIT: Micros = 1_000_000;
export const RTO_MIN: Micros = 200_000;
export const RTO_MAX: Micros = 120_000_000;
/** What TCP_RTO_MAX_MS may ask for at least. */
export const RTO_MAX_LEAST: Micros = 1_000_000;
/** TCP_TIMEOUT_MIN_US. */
export const TIMEOUT_MIN: Micros = 2_000;
export const DELACK_MIN: Micros = 40_000;
export const DELACK_MAX: Micros = 200_000;
export const ATO_MIN: Micros = 40_000;
/** How long to wait when the interface would not take a packet (TCP_RESOURCE_PROBE_INTERVAL). */
export const RESOURCE_PROBE_INTERVAL: Micros = 500_000;
/** 2 MSL, and how long an orphan waits in FIN-WAIT-2 (TCP_TIMEWAIT_LEN). */
export const TIMEWAIT_LEN: Micros = 60_000_000;
export const INIT_CWND = 10;
export const INFINITE_SSTHRESH = 0x7fff_ffff;
/** RFC 9293 §3.7.1: what is assumed without an MSS option. */
export const MSS_DEFAULT = 536;
export const MSS_MIN = 88;
export const QUICKACKS_MAX = 16;
/** Bits of TcpSock.nonagle (TCP_NAGLE_*). */
export const NAGLE = { OFF: 1, CORK: 2, PUSH: 4 } as const;
/** Urgent data: an octet is there to read, was read, or is expected. */
export const URG = { NONE: 0, NOTYET: 0x200, VALID: 0x100, READ: 0x400 } as const;
/** ip_local_port and sequence fields fit here; a scaling ratio is in 256ths (TCP_RMEM_TO_WIN_SCALE). */
export const SCALING_RATIO_DEFAULT = 128;

export class TcpSock extends Sock {
  readonly tcp: Tcp;
  state: TcpState = 'CLOSE';
  /** Chain of the table that it is found in. */
  hashNext: TcpSock | undefined = undefined;
  hash = 0;
  hashed = false;
  bucket: BindBucket | undefined = undefined;
  /** bind() chose the port: it stays after a disconnect (SOCK_BINDPORT_LOCK). */
  portLocked = false;
  destroyed = false;
  /** Somebody was told that there is no room to write (SOCK_NOSPACE). */
  noSpace = false;
  /** What the wake-up that is due is about: POLL bits, or WAKE_ANY. */
  wakeKey = 0;
  /** What connect() has to do with it: `connecting` until it has been told how it went, `connected` from then on (SS_…). */
  socketState: 'unconnected' | 'connecting' | 'connected' = 'unconnected';

  /** The peer's FIN has come: the stream ends, even if an error comes after it (SOCK_DONE). */
  finReceived = false;

  // Sending.
  sndUna = 0;
  sndNxt = 0;
  sndSml = 0;
  sndUp = 0;
  sndWl1 = 0;
  sndWnd = 0;
  maxWindow = 0;
  sndWscale = 0;
  writeSeq = 0;
  pushedSeq = 0;
  iss = 0;
  mssCache = MSS_DEFAULT;
  /** What the peer said it can take, and what TCP_MAXSEG said. */
  mssClamp = MSS_DEFAULT;
  userMss = 0;
  advmss = 0;
  pmtuCookie = 0;
  readonly mtup = new MtuProbing();
  /** Octets of TCP header on a plain segment. */
  tcpHeaderLength = 20;
  readonly writeQueue = new SegmentList();
  readonly rtxQueue = new SegmentList();
  readonly tsorted = new SentOrder();
  /** Octets of memory that were taken from the host and are not in use (sk_forward_alloc). */
  forwardAlloc = 0;
  fragPage: Pages | undefined = undefined;
  fragOffset = 0;
  nonagle = 0;
  notsentLowat = 0;
  /** Earliest departure of the packet sent last, and of the next once pacing added to it (tcp_wstamp_ns). */
  tcpWstamp: Micros = 0;
  tsqThrottled = false;
  tsqQueued = false;

  // Receiving.
  irs = 0;
  rcvNxt = 0;
  copiedSeq = 0;
  rcvWup = 0;
  rcvWnd = 0;
  /** Right edge of the widest window ever offered (rcv_mwnd_seq, RFC 7323 §2.4). */
  rcvMwndSeq = 0;
  rcvWscale = 0;
  windowClamp = 0;
  windowClampLocked = false;
  rcvSsthresh = 0;
  scalingRatio = SCALING_RATIO_DEFAULT;
  /** TCP_HEADER of the next segment when all goes well is predicted (pred_flags). */
  fastPath = false;
  readonly ofoQueue = new SegmentList();
  urgData = 0;
  urgSeq = 0;

  // Options in force.
  tstampOk = false;
  sackOk = false;
  dsackSeen = false;
  wscaleOk = false;
  sawTstamp = false;
  rcvTsval = 0;
  rcvTsecr = 0;
  tsRecent = 0;
  /** Lab second of tsRecent, as Linux keeps it; 0: none. */
  tsRecentStamp = 0;
  tsOffset = 0;
  /** TCP_INQ: recvmsg says how much is left. */
  receiveInq = false;
  ecnFlags = 0;
  readonly accecn = new AccEcnState();

  // Blocks to report: sack[i] from sackStart to sackEnd, and a duplicate.
  numSacks = 0;
  readonly sackStart = new Uint32Array(4);
  readonly sackEnd = new Uint32Array(4);
  dsack = false;
  dsackStart = 0;
  dsackEnd = 0;

  // Acknowledging (icsk_ack).
  ackPending = 0;
  ackQuick = 0;
  ackRetry = 0;
  ackPingpong = 0;
  ato: Micros = 0;
  ackTimeout: Micros = 0;
  lrcvtime: Micros = 0;
  lastSegSize = 0;
  rcvMss = 0;
  compressedAck = 0;
  compressedAckRcvNxt = 0;
  dupAckCounter = 0;
  lastOowAckTime: Micros = 0;
  /** When the SYN-ACK of a passive open was sent, for the first round trip. */
  synackSentAt: Micros = 0;

  // Round trip (srtt is kept eightfold, mdev fourfold, as RFC 6298's authors did).
  srtt = 0;
  mdev: Micros = TIMEOUT_INIT;
  mdevMax: Micros = 0;
  rttvar: Micros = 0;
  rttSeq = 0;
  readonly minRttValue = [0, 0, 0];
  readonly minRttAt = [0, 0, 0];
  rto: Micros = TIMEOUT_INIT;
  /** No time-out is longer: tcp_rto_max_ms, or TCP_RTO_MAX_MS (icsk_rto_max). */
  rtoMax: Micros;
  /** The least that is added to a round trip for its variance (icsk_rto_min), and the longest delay of an ACK. */
  rtoMin: Micros;
  delackMax: Micros = DELACK_MAX;
  rcvRtt = 0;
  rcvRttSeq = 0;
  rcvRttAt: Micros = 0;
  rcvRttLastTsecr = 0;
  rcvqSpace = 0;
  rcvqSeq = 0;
  rcvqAt: Micros = 0;

  // Timers.
  readonly retransmitTimer: Timer;
  readonly delackTimer: Timer;
  /** Keepalive and FIN-WAIT-2 (sk_timer). */
  readonly keepaliveTimer: Timer;
  readonly compressedAckTimer: Timer;
  /** TCP's own pacer, when no fq is below. */
  readonly pacingTimer: Timer;
  pending: PendingTimer = 'none';
  retransmits = 0;
  backoff = 0;
  probesOut = 0;
  probesAt: Micros = 0;
  totalRto = 0;
  synRetries = 0;
  userTimeout: Micros = 0;
  keepaliveTime = 0;
  keepaliveIntvl = 0;
  keepaliveProbes = 0;
  linger2 = 0;
  /** TCP_THIN_LINEAR_TIMEOUTS: with few segments in flight, time-outs do not back off at first (thin_lto). */
  thinLinearTimeouts = false;
  rcvTstamp: Micros = 0;
  lsndtime: Micros = 0;

  // Congestion control and recovery.
  ca: CongestionOps;
  /** A program chose it (icsk_ca_setsockopt), or the route for good (icsk_ca_dst_locked). */
  caChosen = false;
  caLocked = false;
  caState: CaState = 'Open';
  readonly cubic = new CubicState();
  sndCwnd = INIT_CWND;
  sndCwndCnt = 0;
  sndCwndUsed = 0;
  sndCwndStamp: Micros = 0;
  sndCwndClamp = 0xffff_ffff;
  sndSsthresh = INFINITE_SSTHRESH;
  priorSsthresh = 0;
  priorCwnd = 0;
  prrDelivered = 0;
  prrOut = 0;
  cwndLimited = false;
  maxPacketsOut = 0;
  cwndUsageSeq = 0;
  packetsOut = 0;
  sackedOut = 0;
  lostOut = 0;
  retransOut = 0;
  highSeq = 0;
  retransStamp: Micros = 0;
  undoMarker = 0;
  undoRetrans = -1;
  reordering = 3;
  reordSeen = 0;
  frto = false;
  isSackReneg = false;
  tlpHighSeq = 0;
  tlpRetrans = false;
  rackMstamp: Micros = 0;
  rackRtt: Micros = 0;
  rackEndSeq = 0;
  rackLastDelivered = 0;
  rackReoWndSteps = 1;
  rackReoWndPersist = 0;
  rackAdvanced = false;
  rackDsackSeen = false;
  /** First segment above the highest that was SACKed; undefined: none was sent after it. */
  highestSack: import('./tcp-segment.ts').Segment | undefined = undefined;
  retransmitHint: import('./tcp-segment.ts').Segment | undefined = undefined;
  sackCacheBlocks = 0;
  readonly sackCacheStart = new Uint32Array(4);
  readonly sackCacheEnd = new Uint32Array(4);

  /** Keys by peer (TCP_MD5SIG). */
  md5Keys: readonly Md5Key[] = [];

  // Fast Open (RFC 7413).
  /** TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE, and TCP_FASTOPEN_KEY of a listener. */
  fastopenConnect = false;
  fastopenNoCookie = false;
  fastopenKeys: FastopenKeys | undefined = undefined;
  readonly fastopenQueue = new FastopenQueue();
  /** connect() waits for the first write (DEFER_CONNECT). */
  deferConnect = false;
  /** Our SYN's data until the call is over. */
  fastopenReq: FastopenRequest | undefined = undefined;
  /** Of a child whose SYN-ACK is not acknowledged. */
  fastopenRsk: RequestSock | undefined = undefined;
  /** The SYN had the option, in its experimental form, after a black hole; it had data, which was acknowledged. */
  synFastopen = false;
  synFastopenExp = false;
  synFastopenCh = false;
  synData = false;
  synDataAcked = false;
  /** It was made by a SYN with the option, or one that needed none (syn_fastopen_child). */
  fastopenChild = false;
  fastopenClientFail = 0;

  // What tcp_info reports.
  delivered = 0;
  deliveredAt: Micros = 0;
  firstSentAt: Micros = 0;
  /** Delivered when the program's pause will be over (app_limited); 0: it keeps the pipe full. */
  appLimited = 0;
  rateDelivered = 0;
  rateInterval: Micros = 0;
  rateAppLimited = false;
  /** Recoveries from time-outs, time spent in them, and since when this one lasts; 0: none does. */
  totalRtoRecoveries = 0;
  totalRtoTime: Micros = 0;
  rtoStamp: Micros = 0;
  lost = 0;
  deliveredCe = 0;
  totalRetrans = 0;
  bytesAcked = 0;
  bytesReceived = 0;
  bytesSent = 0;
  bytesRetrans = 0;
  segsIn = 0;
  segsOut = 0;
  dataSegsIn = 0;
  dataSegsOut = 0;
  dsackDups = 0;
  rcvOooPack = 0;
  busyTime: Micros = 0;
  rwndLimitedTime: Micros = 0;
  sndbufLimitedTime: Micros = 0;
  chrono: 'none' | 'busy' | 'rwnd' | 'sndbuf' = 'none';
  chronoAt: Micros = 0;

  // Listening.
  accept: AcceptQueue | undefined = undefined;
  deferAccept = 0;
  /** TCP_SAVE_SYN: headers of SYNs are kept for TCP_SAVED_SYN; 2: with the link header. */
  saveSyn = 0;
  savedSyn: Uint8Array | undefined = undefined;

  constructor(host: Host, proto: Proto, tcp: Tcp, timers: TcpTimerHandlers) {
    super(host, { family: 'inet', type: 'stream', proto, protocol: 6 });
    this.tcp = tcp;
    this.retransmitTimer = new JiffyTimer(host, 'tcp_write_timer', () => timers.retransmit(this));
    this.delackTimer = new JiffyTimer(host, 'tcp_delack_timer', () => timers.delack(this));
    this.keepaliveTimer = new JiffyTimer(host, 'tcp_keepalive_timer', () => timers.keepalive(this));
    this.compressedAckTimer = host.softTimer('tcp_compressed_ack_kick', () => timers.compressedAck(this));
    this.pacingTimer = host.softTimer('tcp_pace_kick', () => timers.pacing(this));
    this.ca = tcp.defaultCongestion();
    this.rcvbuf = tcp.sysctl.rmem.values[1] ?? this.rcvbuf;
    this.sndbuf = tcp.sysctl.wmem.values[1] ?? this.sndbuf;
    this.reordering = tcp.sysctl.reordering.value;
    this.rtoMax = tcp.sysctl.rtoMaxMs.value * 1_000;
    this.rtoMin = tcp.sysctl.rtoMinUs.value;
  }

  override reportError(): void {
    if (!this.dead) this.tcp.wake(this, POLL.ERR);
  }
}

export interface TcpTimerHandlers {
  retransmit(sk: TcpSock): void;
  delack(sk: TcpSock): void;
  keepalive(sk: TcpSock): void;
  compressedAck(sk: TcpSock): void;
  pacing(sk: TcpSock): void;
}

/** What every entry of the connection table has (Linux: struct sock_common). */
export interface FourTuple {
  readonly localAddress: Ipv4;
  readonly localPort: number;
  readonly remoteAddress: Ipv4;
  readonly remotePort: number;
}

/** Sent and not known to have left the network (tcp_packets_in_flight). */
export function packetsInFlight(sk: TcpSock): number {
  return sk.packetsOut - sk.sackedOut - sk.lostOut + sk.retransOut;
}

export function inSlowStart(sk: TcpSock): boolean {
  return sk.sndCwnd < sk.sndSsthresh;
}

/** cwnd is being brought down by PRR (tcp_in_cwnd_reduction). */
export function inCwndReduction(sk: TcpSock): boolean {
  return sk.caState === 'CWR' || sk.caState === 'Recovery';
}

/** The window as it is on offer now (tcp_receive_window). */
export function receiveWindow(sk: TcpSock): number {
  const window = (sk.rcvWup + sk.rcvWnd - sk.rcvNxt) | 0;
  return Math.max(0, window);
}

/** What of the widest window ever offered is still ahead: a window that shrank does not make what it held wrong. */
export function maxReceiveWindow(sk: TcpSock): number {
  return Math.max(0, (sk.rcvMwndSeq - sk.rcvNxt) | 0);
}

/** First sequence number beyond the peer's window (tcp_wnd_end). */
export function windowEnd(sk: TcpSock): number {
  return (sk.sndUna + sk.sndWnd) >>> 0;
}

/** Whether `state` is one of those given; reads as Linux's `(1 << state) & (TCPF_… | TCPF_…)`. */
export function stateIs(sk: { readonly state: TcpState }, ...states: readonly TcpState[]): boolean {
  return states.includes(sk.state);
}

/** Milliseconds of the timestamp clock of a connection (tcp_time_stamp_ts). */
export function tsClock(now: Micros, offset: number): number {
  return (Math.floor(now / 1_000) + offset) >>> 0;
}
