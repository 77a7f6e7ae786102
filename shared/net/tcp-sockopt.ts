/** TCP's own socket options, and those of SOL_SOCKET that it has something to do for (Linux: do_tcp_setsockopt). */
import type { Errno, Result } from './errno.ts';
import { POLL, type SockoptAnswer, type SockoptValue } from './sock.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { CONGESTION_CONTROLS } from './tcp-congestion.ts';
import { tuneFastopen } from './tcp-fastopen.ts';
import { FASTOPEN_KEY_BYTES, FastopenKeys } from './tcp-fastopen-cookie.ts';
import { TFO } from './tcp-fastopen-state.ts';
import { tcpInfo } from './tcp-info.ts';
import { setMd5Key } from './tcp-md5.ts';
import { syncMss } from './tcp-mss.ts';
import { pushPendingFrames } from './tcp-output.ts';
import { cleanupRbuf } from './tcp-recvmsg.ts';
import {
  DELACK_MAX,
  NAGLE,
  RTO_MAX,
  RTO_MAX_LEAST,
  RTO_MIN,
  stateIs,
  type TcpSock,
  TIMEOUT_MIN,
  tsClock,
} from './tcp-sock.ts';
import { keepaliveTimeWhen, setKeepalive } from './tcp-timer.ts';
import { inPingpongMode } from './tcp-transmit.ts';
import { spaceFromWin } from './tcp-window.ts';

/** Linux: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL, MAX_TCP_KEEPCNT, MAX_TCP_SYNCNT, MAX_TCP_WINDOW. */
const KEEP_SECONDS_MAX = 32_767;
const KEEP_COUNT_MAX = 127;
const SYN_COUNT_MAX = 127;
const MSS_MAX = 32_767;
const MSS_MIN = 88;
const LINGER2_SECONDS_MAX = 120;
const RCVBUF_MIN = 2_304;

export function setTcpOption(sk: TcpSock, level: string, name: string, value: SockoptValue): Errno | undefined {
  if (level === 'SOL_SOCKET') return setSocketLevel(sk, name, value);
  if (level === 'SOL_IP' && name === 'IP_OPTIONS') {
    // Each header takes more or less room now.
    if (!stateIs(sk, 'CLOSE', 'LISTEN')) syncMss(sk, sk.pmtuCookie);
    return undefined;
  }
  if (level !== 'SOL_TCP' && level !== 'IPPROTO_TCP') return 'ENOPROTOOPT';
  if (name === 'TCP_CONGESTION') return setCongestion(sk, value);
  // There is no upper layer to put on a connection (tcp_set_ulp).
  if (name === 'TCP_ULP') return 'ENOENT';
  if (name === 'TCP_MD5SIG' || name === 'TCP_MD5SIG_EXT') return setMd5(sk, name, value);
  if (name === 'TCP_FASTOPEN_KEY') return setFastopenKey(sk, value);
  if (typeof value !== 'number') return 'EINVAL';
  return setNumber(sk, name, value);
}

function setSocketLevel(sk: TcpSock, name: string, value: SockoptValue): Errno | undefined {
  if (typeof value !== 'number') return 'ENOPROTOOPT';
  switch (name) {
    case 'SO_KEEPALIVE':
      setKeepalive(sk, value !== 0);
      return undefined;
    case 'SO_RCVLOWAT':
      return setRcvlowat(sk, value);
    default:
      return 'ENOPROTOOPT';
  }
}

/** A program that wants more at once needs a buffer that holds it (tcp_set_rcvlowat). */
function setRcvlowat(sk: TcpSock, value: number): undefined {
  const most = (sk.rcvbufLocked ? sk.rcvbuf : (sk.tcp.sysctl.rmem.values[2] ?? sk.rcvbuf)) >> 1;
  const lowat = Math.min(value < 0 ? most : value, most) || 1;
  sk.rcvlowat = lowat;
  sk.tcp.wake(sk, POLL.IN);
  if (sk.rcvbufLocked) return;
  const space = spaceFromWin(sk, lowat);
  if (space <= sk.rcvbuf) return;
  sk.rcvbuf = space;
  if (sk.windowClamp > 0 && sk.windowClamp < lowat) sk.windowClamp = lowat;
}

function setCongestion(sk: TcpSock, value: SockoptValue): Errno | undefined {
  const text =
    value instanceof Uint8Array
      ? String.fromCharCode(...value)
      : typeof value === 'object' && 'text' in value
        ? value.text
        : undefined;
  const ca = text === undefined ? undefined : CONGESTION_CONTROLS.get(text);
  if (ca === undefined) return 'ENOENT';
  const allowed = sk.tcp.sysctl.allowedCongestionControl.value.split(/\s+/);
  if (sk.caLocked || !allowed.includes(ca.name)) return 'EPERM';
  sk.ca = ca;
  sk.caChosen = true;
  if (sk.state !== 'CLOSE' && sk.state !== 'LISTEN') ca.init(sk);
  return undefined;
}

const within = (value: number, min: number, max: number): boolean => value >= min && value <= max;

function setNumber(sk: TcpSock, name: string, value: number): Errno | undefined {
  const on = value !== 0;
  switch (name) {
    case 'TCP_NODELAY':
      sk.nonagle = on ? sk.nonagle | NAGLE.OFF : sk.nonagle & ~NAGLE.OFF;
      // What Nagle held goes at once, even if it is corked.
      if (on) {
        sk.nonagle |= NAGLE.PUSH;
        pushPendingFrames(sk);
        sk.nonagle &= ~NAGLE.PUSH;
      }
      return undefined;
    case 'TCP_CORK':
      sk.nonagle = on ? sk.nonagle | NAGLE.CORK : sk.nonagle & ~NAGLE.CORK;
      if (!on) {
        if ((sk.nonagle & NAGLE.OFF) !== 0) sk.nonagle |= NAGLE.PUSH;
        pushPendingFrames(sk);
        sk.nonagle &= ~NAGLE.PUSH;
      }
      return undefined;
    case 'TCP_QUICKACK':
      setQuickack(sk, value);
      return undefined;
    case 'TCP_MAXSEG':
      if (on && !within(value, MSS_MIN, MSS_MAX)) return 'EINVAL';
      sk.userMss = value;
      return undefined;
    case 'TCP_WINDOW_CLAMP':
      return setWindowClamp(sk, value);
    case 'TCP_DEFER_ACCEPT':
      sk.deferAccept = secondsToRetries(value);
      return undefined;
    case 'TCP_SYNCNT':
      if (!within(value, 1, SYN_COUNT_MAX)) return 'EINVAL';
      sk.synRetries = value;
      return undefined;
    case 'TCP_LINGER2':
      sk.linger2 = value < 0 ? -1 : value > LINGER2_SECONDS_MAX ? 120_000_000 : value * 1_000_000;
      return undefined;
    case 'TCP_INQ':
      if (value !== 0 && value !== 1) return 'EINVAL';
      sk.receiveInq = on;
      return undefined;
    case 'TCP_USER_TIMEOUT':
      if (value < 0) return 'EINVAL';
      sk.userTimeout = value * 1_000;
      return undefined;
    case 'TCP_SAVE_SYN':
      if (!within(value, 0, 2)) return 'EINVAL';
      sk.saveSyn = value;
      return undefined;
    case 'TCP_RTO_MAX_MS':
      if (!within(value * 1_000, RTO_MAX_LEAST, RTO_MAX)) return 'EINVAL';
      sk.rtoMax = value * 1_000;
      return undefined;
    case 'TCP_RTO_MIN_US':
      if (!within(value, TIMEOUT_MIN, RTO_MIN)) return 'EINVAL';
      sk.rtoMin = sk.host.jiffies.whole(value);
      return undefined;
    case 'TCP_DELACK_MAX_US':
      if (!within(value, TIMEOUT_MIN, DELACK_MAX)) return 'EINVAL';
      sk.delackMax = sk.host.jiffies.whole(value);
      return undefined;
    case 'TCP_FASTOPEN':
    case 'TCP_FASTOPEN_CONNECT':
    case 'TCP_FASTOPEN_NO_COOKIE':
      return setFastopen(sk, name, value);
    case 'TCP_NOTSENT_LOWAT':
      sk.notsentLowat = value >>> 0;
      sk.tcp.wake(sk);
      return undefined;
    case 'TCP_THIN_LINEAR_TIMEOUTS':
      if (!within(value, 0, 1)) return 'EINVAL';
      sk.thinLinearTimeouts = on;
      return undefined;
    // Kept for programs of old; means nothing any more.
    case 'TCP_THIN_DUPACK':
      return within(value, 0, 1) ? undefined : 'EINVAL';
    // Only under TCP_REPAIR, which is left out.
    case 'TCP_TIMESTAMP':
      return 'EPERM';
    default:
      return setKeep(sk, name, value);
  }
}

function setKeep(sk: TcpSock, name: string, value: number): Errno | undefined {
  switch (name) {
    case 'TCP_KEEPIDLE': {
      if (!within(value, 1, KEEP_SECONDS_MAX)) return 'EINVAL';
      sk.keepaliveTime = value;
      if (sk.keepalive && !stateIs(sk, 'CLOSE', 'LISTEN')) {
        const idle = sk.host.clock.now() - sk.rcvTstamp;
        sk.keepaliveTimer.arm(Math.max(0, keepaliveTimeWhen(sk) - idle));
      }
      return undefined;
    }
    case 'TCP_KEEPINTVL':
      if (!within(value, 1, KEEP_SECONDS_MAX)) return 'EINVAL';
      sk.keepaliveIntvl = value;
      return undefined;
    case 'TCP_KEEPCNT':
      if (!within(value, 1, KEEP_COUNT_MAX)) return 'EINVAL';
      sk.keepaliveProbes = value;
      return undefined;
    default:
      return 'ENOPROTOOPT';
  }
}

function setFastopen(sk: TcpSock, name: string, value: number): Errno | undefined {
  if (name === 'TCP_FASTOPEN') {
    if (value < 0 || !stateIs(sk, 'CLOSE', 'LISTEN')) return 'EINVAL';
    tuneFastopen(sk, value);
    return undefined;
  }
  if (!within(value, 0, 1)) return 'EINVAL';
  if (name === 'TCP_FASTOPEN_NO_COOKIE') {
    if (!stateIs(sk, 'CLOSE', 'LISTEN')) return 'EINVAL';
    sk.fastopenNoCookie = value === 1;
    return undefined;
  }
  if ((sk.tcp.sysctl.fastopen.value & TFO.CLIENT_ENABLE) === 0) return 'EOPNOTSUPP';
  if (sk.state !== 'CLOSE') return 'EINVAL';
  sk.fastopenConnect = value === 1;
  return undefined;
}

/** Told once. */
function takeSavedSyn(sk: TcpSock): Uint8Array {
  const saved = sk.savedSyn ?? new Uint8Array(0);
  sk.savedSyn = undefined;
  return saved;
}

/** The extended form may be for a network, and for one interface. */
function setMd5(sk: TcpSock, name: string, value: SockoptValue): Errno | undefined {
  if (typeof value === 'number' || value instanceof Uint8Array || !('md5' in value)) return 'EINVAL';
  const { address, prefix = 32, ifindex = 0, key } = value.md5;
  const extended = name === 'TCP_MD5SIG_EXT';
  return setMd5Key(sk, { address, prefix: extended ? prefix : 32, ifindex: extended ? ifindex : 0, key });
}

/** A key of a listener's own, or two: the second is still good for cookies made before. */
function setFastopenKey(sk: TcpSock, value: SockoptValue): Errno | undefined {
  if (!(value instanceof Uint8Array)) return 'EINVAL';
  if (value.length !== FASTOPEN_KEY_BYTES && value.length !== 2 * FASTOPEN_KEY_BYTES) return 'EINVAL';
  sk.fastopenKeys = new FastopenKeys();
  sk.fastopenKeys.set(value);
  return undefined;
}

function setQuickack(sk: TcpSock, value: number): void {
  if (value === 0) {
    sk.ackPingpong = sk.tcp.sysctl.pingpongThresh.value;
    return;
  }
  sk.ackPingpong = 0;
  if (!stateIs(sk, 'ESTABLISHED', 'CLOSE_WAIT') || (sk.ackPending & ACK_PENDING.SCHED) === 0) return;
  sk.ackPending |= ACK_PENDING.PUSHED;
  cleanupRbuf(sk, 1);
  if ((value & 1) === 0) sk.ackPingpong = sk.tcp.sysctl.pingpongThresh.value;
}

function setWindowClamp(sk: TcpSock, value: number): Errno | undefined {
  if (value === 0) {
    if (sk.state !== 'CLOSE') return 'EINVAL';
    sk.windowClamp = 0;
    sk.windowClampLocked = false;
    return undefined;
  }
  const before = sk.windowClamp;
  sk.windowClamp = Math.max(value, RCVBUF_MIN >> 1);
  sk.windowClampLocked = true;
  // What is on offer now is not taken back; more is offered at once where the clamp rises.
  if (before === 0 || sk.windowClamp < before) sk.rcvSsthresh = Math.min(sk.rcvSsthresh, sk.windowClamp);
  else sk.rcvSsthresh = Math.max(sk.rcvSsthresh, Math.min(sk.rcvWnd, sk.windowClamp));
  return undefined;
}

/** TCP_DEFER_ACCEPT is asked for in seconds and kept in SYN-ACK time-outs (secs_to_retrans). */
function secondsToRetries(seconds: number): number {
  let retries = 0;
  for (let period = 1, timeout = 1; seconds > 0 && retries < 255; retries++, timeout = Math.min(timeout * 2, 120)) {
    if (retries > 0 && period >= seconds) break;
    if (retries > 0) period += timeout;
  }
  return retries;
}

/** retrans_to_secs. */
function retriesToSeconds(retries: number): number {
  let seconds = 0;
  for (let timeout = 1; retries > 0; retries--, timeout = Math.min(timeout * 2, 120)) seconds += timeout;
  return seconds;
}

export function getTcpOption(sk: TcpSock, level: string, name: string): Result<SockoptAnswer> {
  if (level === 'SOL_SOCKET') {
    if (name === 'SO_ACCEPTCONN') return Number(sk.state === 'LISTEN');
    return 'ENOPROTOOPT';
  }
  if (level !== 'SOL_TCP' && level !== 'IPPROTO_TCP') return 'ENOPROTOOPT';
  const { sysctl } = sk.tcp;
  switch (name) {
    case 'TCP_THIN_LINEAR_TIMEOUTS':
      return Number(sk.thinLinearTimeouts);
    case 'TCP_THIN_DUPACK':
    case 'TCP_IS_MPTCP':
      return 0;
    case 'TCP_ULP':
      return { name: '' };
    case 'TCP_TIMESTAMP':
      return tsClock(sk.host.clock.now(), sk.tsOffset);
    // Cubic and Reno have nothing to tell: no octets (tcp_congestion_ops.get_info).
    case 'TCP_CC_INFO':
      return {};
    case 'TCP_INFO':
      return tcpInfo(sk);
    case 'TCP_CONGESTION':
      return { name: sk.ca.name };
    case 'TCP_NODELAY':
      return Number((sk.nonagle & NAGLE.OFF) !== 0);
    case 'TCP_CORK':
      return Number((sk.nonagle & NAGLE.CORK) !== 0);
    case 'TCP_QUICKACK':
      return Number(!inPingpongMode(sk));
    case 'TCP_MAXSEG':
      return stateIs(sk, 'CLOSE', 'LISTEN') && sk.userMss > 0 ? sk.userMss : sk.mssCache;
    case 'TCP_WINDOW_CLAMP':
      return sk.windowClamp;
    case 'TCP_DEFER_ACCEPT':
      return retriesToSeconds(sk.deferAccept);
    case 'TCP_SYNCNT':
      return sk.synRetries || sysctl.synRetries.value;
    case 'TCP_LINGER2':
      return sk.linger2 < 0 ? -1 : Math.floor(sk.linger2 / 1_000_000) || sysctl.finTimeout.value;
    case 'TCP_INQ':
      return Number(sk.receiveInq);
    case 'TCP_USER_TIMEOUT':
      return sk.userTimeout / 1_000;
    case 'TCP_SAVE_SYN':
      return sk.saveSyn;
    case 'TCP_SAVED_SYN':
      return takeSavedSyn(sk);
    case 'TCP_RTO_MAX_MS':
      return sk.rtoMax / 1_000;
    case 'TCP_RTO_MIN_US':
      return sk.rtoMin;
    case 'TCP_DELACK_MAX_US':
      return sk.delackMax;
    case 'TCP_FASTOPEN':
      return sk.fastopenQueue.max;
    case 'TCP_FASTOPEN_CONNECT':
      return Number(sk.fastopenConnect);
    case 'TCP_FASTOPEN_NO_COOKIE':
      return Number(sk.fastopenNoCookie);
    case 'TCP_FASTOPEN_KEY':
      return (sk.fastopenKeys ?? sk.tcp.fastopenKeys).bytes;
    case 'TCP_NOTSENT_LOWAT':
      return sk.notsentLowat;
    case 'TCP_KEEPIDLE':
      return sk.keepaliveTime || sysctl.keepaliveTime.value;
    case 'TCP_KEEPINTVL':
      return sk.keepaliveIntvl || sysctl.keepaliveIntvl.value;
    case 'TCP_KEEPCNT':
      return sk.keepaliveProbes || sysctl.keepaliveProbes.value;
    default:
      return 'ENOPROTOOPT';
  }
}
