/**
 * Options of level SOL_SOCKET, which every socket takes (Linux: sk_setsockopt, sk_getsockopt in net/core/sock.c). An option
 * that only the protocol can act on is ENOPROTOOPT here, and asked of it next.
 *
 * Left out: filters (SO_ATTACH_FILTER, BPF), SO_TXTIME, credentials, and what depends on more than one processor.
 */
import { RCVBUF_MIN, SNDBUF_MIN } from './core-sysctl.ts';
import { ERRNO, type Errno } from './errno.ts';
import { PACING_RATE_NONE, type Sock, type SockoptAnswer, type SockoptValue } from './sock.ts';
import { setTimestamping } from './timestamping.ts';

/** What a buffer may be before it is doubled (INT_MAX / 2). */
const BUFFER_MAX = 0x3fff_ffff;
/** SO_MAX_PACING_RATE with all bits set: no limit. */
const U32_NONE = 0xffff_ffff;
const BUSY_POLL_BUDGET_MAX = 65_535;
/** SOCK_BUF_LOCK_MASK: SOCK_SNDBUF_LOCK and SOCK_RCVBUF_LOCK. */
const SNDBUF_LOCK = 1;
const RCVBUF_LOCK = 2;

/** Flags that are kept and told; nothing here depends on them. Their values at birth. */
const PLAIN: ReadonlyMap<string, number> = new Map([
  ['SO_DEBUG', 0],
  ['SO_DONTROUTE', 0],
  ['SO_NO_CHECK', 0],
  ['SO_RCVMARK', 0],
  ['SO_RXQ_OVFL', 0],
  ['SO_WIFI_STATUS', 0],
  ['SO_NOFCS', 0],
  ['SO_PREFER_BUSY_POLL', 0],
]);

/** Numbers that are kept and told, and what is let in. */
const BOUNDED: ReadonlyMap<string, readonly [initial: number, min: number, max: number]> = new Map([
  ['SO_BUSY_POLL', [0, 0, 0x7fff_ffff]],
  ['SO_BUSY_POLL_BUDGET', [8, 0, BUSY_POLL_BUDGET_MAX]],
  ['SO_INCOMING_CPU', [-1, -0x8000_0000, 0x7fff_ffff]],
  ['SO_RESERVE_MEM', [0, 0, 0x7fff_ffff]],
  ['SO_TXREHASH', [1, -1, 1]],
]);

/** Told, never set. */
const READ_ONLY = new Set([
  'SO_TYPE',
  'SO_PROTOCOL',
  'SO_DOMAIN',
  'SO_ERROR',
  'SO_ACCEPTCONN',
  'SO_MEMINFO',
  'SO_COOKIE',
]);

export function setAtSocketLevel(sk: Sock, name: string, value: SockoptValue): Errno | undefined {
  if (READ_ONLY.has(name)) return 'ENOPROTOOPT';
  if (name === 'SO_LINGER') return setLinger(sk, value);
  if (name === 'SO_BINDTODEVICE') return setBindToDevice(sk, value);
  if (typeof value !== 'number') return 'EINVAL';
  if (PLAIN.has(name)) {
    sk.plainOptions.set(name, Number(value !== 0));
    return undefined;
  }
  const bounds = BOUNDED.get(name);
  if (bounds !== undefined) {
    if (value < bounds[1] || value > bounds[2]) return 'EINVAL';
    sk.plainOptions.set(name, value);
    return undefined;
  }
  return setFlag(sk, name, value !== 0) ? undefined : setNumber(sk, name, value);
}

/** True when it was one that is on or off. */
function setFlag(sk: Sock, name: string, on: boolean): boolean {
  switch (name) {
    case 'SO_REUSEADDR':
      sk.reuseAddress = on;
      return true;
    case 'SO_REUSEPORT':
      sk.reusePort = on;
      return true;
    case 'SO_BROADCAST':
      sk.broadcast = on;
      return true;
    case 'SO_KEEPALIVE':
      sk.keepalive = on;
      return true;
    case 'SO_OOBINLINE':
      sk.urgInline = on;
      return true;
    case 'SO_SELECT_ERR_QUEUE':
      sk.selectErrorQueue = on;
      return true;
    case 'SO_TIMESTAMP':
    case 'SO_TIMESTAMP_NEW':
    case 'SO_TIMESTAMP_OLD':
      sk.timestamps = on ? 'micros' : 'off';
      return true;
    case 'SO_TIMESTAMPNS':
    case 'SO_TIMESTAMPNS_NEW':
    case 'SO_TIMESTAMPNS_OLD':
      sk.timestamps = on ? 'nanos' : 'off';
      return true;
    // Of BSD's; taken, and without meaning.
    case 'SO_BSDCOMPAT':
    case 'SO_CNX_ADVICE':
      return true;
    default:
      return false;
  }
}

function setNumber(sk: Sock, name: string, value: number): Errno | undefined {
  const { core } = sk.host;
  switch (name) {
    case 'SO_PRIORITY':
      sk.priority = value;
      return undefined;
    case 'SO_MARK':
      // What the mark routed by is out of date.
      if (sk.mark !== value >>> 0) sk.route = undefined;
      sk.mark = value >>> 0;
      return undefined;
    case 'SO_RCVBUF':
      return setReceiveBuffer(sk, Math.min(value >>> 0, core.rmemMax.value));
    case 'SO_RCVBUFFORCE':
      return setReceiveBuffer(sk, Math.max(value, 0));
    case 'SO_SNDBUF':
      return setSendBuffer(sk, Math.min(value >>> 0, core.wmemMax.value));
    case 'SO_SNDBUFFORCE':
      return setSendBuffer(sk, Math.max(value, 0));
    case 'SO_BUF_LOCK':
      if ((value & ~(SNDBUF_LOCK | RCVBUF_LOCK)) !== 0) return 'EINVAL';
      sk.sndbufLocked = (value & SNDBUF_LOCK) !== 0;
      sk.rcvbufLocked = (value & RCVBUF_LOCK) !== 0;
      return undefined;
    case 'SO_MAX_PACING_RATE':
      return setMaxPacingRate(sk, value < 0 || value >= U32_NONE ? PACING_RATE_NONE : value);
    case 'SO_RCVLOWAT':
      sk.rcvlowat = value < 0 ? 0x7fff_ffff : Math.max(value, 1);
      return undefined;
    case 'SO_PEEK_OFF':
      if (sk.proto.name !== 'TCP' && sk.proto.name !== 'UDP') return 'EOPNOTSUPP';
      sk.peekOffset = value;
      return undefined;
    case 'SO_BINDTOIFINDEX':
      if (value < 0) return 'EINVAL';
      sk.boundIfindex = value;
      return undefined;
    case 'SO_ZEROCOPY':
      if (sk.proto.name !== 'TCP' && sk.proto.name !== 'UDP') return 'EOPNOTSUPP';
      if (value < 0 || value > 1) return 'EINVAL';
      sk.zerocopy = value === 1;
      return undefined;
    case 'SO_TIMESTAMPING':
    case 'SO_TIMESTAMPING_NEW':
    case 'SO_TIMESTAMPING_OLD':
      return setTimestamping(sk, value);
    default:
      return 'ENOPROTOOPT';
  }
}

/** The first call says that somebody has to pace: TCP itself, as long as there is no fq. */
function setMaxPacingRate(sk: Sock, rate: number): undefined {
  if (rate !== PACING_RATE_NONE && sk.pacingStatus === 'none') sk.pacingStatus = 'needed';
  sk.maxPacingRate = rate;
  sk.pacingRate = Math.min(sk.pacingRate, rate);
}

/** Doubled, so that bookkeeping does not eat what the program asked for. */
function setReceiveBuffer(sk: Sock, value: number): undefined {
  sk.rcvbuf = Math.max(RCVBUF_MIN, 2 * Math.min(value, BUFFER_MAX));
  sk.rcvbufLocked = true;
}

function setSendBuffer(sk: Sock, value: number): undefined {
  sk.sndbuf = Math.max(SNDBUF_MIN, 2 * Math.min(value, BUFFER_MAX));
  sk.sndbufLocked = true;
  sk.wake();
}

function setLinger(sk: Sock, value: SockoptValue): Errno | undefined {
  if (typeof value === 'number' || value instanceof Uint8Array || !('on' in value)) return 'EINVAL';
  sk.linger = { on: value.on, seconds: value.seconds };
  return undefined;
}

function setBindToDevice(sk: Sock, value: SockoptValue): Errno | undefined {
  if (typeof value === 'number') {
    sk.boundIfindex = value;
    return undefined;
  }
  if (value instanceof Uint8Array || !('text' in value)) return 'EINVAL';
  if (value.text === '') {
    sk.boundIfindex = 0;
    return undefined;
  }
  const dev = sk.host.devices.byName(value.text);
  if (dev === undefined) return 'ENODEV';
  sk.boundIfindex = dev.ifindex;
  return undefined;
}

export function getAtSocketLevel(sk: Sock, name: string): SockoptAnswer | Errno | undefined {
  const plain = PLAIN.get(name) ?? BOUNDED.get(name)?.[0];
  if (plain !== undefined) return sk.plainOptions.get(name) ?? plain;
  switch (name) {
    case 'SO_ERROR': {
      const error = sk.takeError() ?? sk.softError;
      sk.softError = undefined;
      return error === undefined ? 0 : ERRNO[error][0];
    }
    case 'SO_TYPE':
      return { type: sk.type };
    case 'SO_DOMAIN':
      return { family: sk.family };
    case 'SO_PROTOCOL':
      return sk.protocol;
    case 'SO_LINGER':
      return { ...sk.linger };
    case 'SO_BINDTODEVICE':
      return { text: sk.host.devices.byIndex(sk.boundIfindex)?.name ?? '' };
    case 'SO_MEMINFO':
      return meminfo(sk);
    case 'SO_COOKIE':
      return sk.inode;
    case 'SO_PEEK_OFF':
      return sk.proto.name === 'TCP' || sk.proto.name === 'UDP' ? sk.peekOffset : 'EOPNOTSUPP';
    default:
      return getFlag(sk, name);
  }
}

function getFlag(sk: Sock, name: string): number | undefined {
  switch (name) {
    case 'SO_REUSEADDR':
      return Number(sk.reuseAddress);
    case 'SO_REUSEPORT':
      return Number(sk.reusePort);
    case 'SO_BROADCAST':
      return Number(sk.broadcast);
    case 'SO_KEEPALIVE':
      return Number(sk.keepalive);
    case 'SO_OOBINLINE':
      return Number(sk.urgInline);
    case 'SO_SELECT_ERR_QUEUE':
      return Number(sk.selectErrorQueue);
    case 'SO_TIMESTAMP':
    case 'SO_TIMESTAMP_OLD':
      return Number(sk.timestamps === 'micros');
    case 'SO_TIMESTAMPNS':
    case 'SO_TIMESTAMPNS_OLD':
      return Number(sk.timestamps === 'nanos');
    case 'SO_TIMESTAMPING':
    case 'SO_TIMESTAMPING_OLD':
      return sk.timestamping;
    case 'SO_ZEROCOPY':
      return Number(sk.zerocopy);
    case 'SO_BSDCOMPAT':
      return 0;
    case 'SO_SNDLOWAT':
      return 1;
    case 'SO_RCVLOWAT':
      return sk.rcvlowat;
    case 'SO_RCVBUF':
      return sk.rcvbuf;
    case 'SO_SNDBUF':
      return sk.sndbuf;
    case 'SO_BUF_LOCK':
      return (sk.sndbufLocked ? SNDBUF_LOCK : 0) | (sk.rcvbufLocked ? RCVBUF_LOCK : 0);
    case 'SO_PRIORITY':
      return sk.priority;
    case 'SO_MARK':
      return sk.mark;
    case 'SO_MAX_PACING_RATE':
      return Math.min(sk.maxPacingRate, U32_NONE);
    case 'SO_BINDTOIFINDEX':
      return sk.boundIfindex;
    default:
      return undefined;
  }
}

/** SK_MEMINFO_* in their order (sk_get_meminfo); forward allocation and the backlog are not modelled. */
export function meminfo(sk: Sock): Record<string, number> {
  return {
    SK_MEMINFO_RMEM_ALLOC: sk.receiveMemory,
    SK_MEMINFO_RCVBUF: sk.rcvbuf,
    SK_MEMINFO_WMEM_ALLOC: sk.sendMemory,
    SK_MEMINFO_SNDBUF: sk.sndbuf,
    SK_MEMINFO_FWD_ALLOC: 0,
    SK_MEMINFO_WMEM_QUEUED: sk.wmemQueued,
    SK_MEMINFO_OPTMEM: sk.optionMemory,
    SK_MEMINFO_BACKLOG: 0,
    SK_MEMINFO_DROPS: sk.drops,
  };
}
