/**
 * What every socket does whatever its protocol: it is made from family, type and protocol (inet_create), and takes the
 * options of levels SOL_SOCKET and SOL_IP (sock_setsockopt, ip_setsockopt).
 *
 * Protocols register in `host.sockets` at boot, as with inet_register_protosw. Options that this file does not know go to
 * the protocol; those of SOL_SOCKET that it does know reach the protocol, too, which may have a timer to start.
 * Levels are spelt SOL_SOCKET, SOL_IP, SOL_TCP, SOL_UDP; the IPPROTO_ spellings mean the same.
 */
import { RCVBUF_MIN, SNDBUF_MIN } from './core-sysctl.ts';
import { ERRNO, type Errno, type Result } from './errno.ts';
import type { Host } from './host.ts';
import { dstMtu, type Route } from './route.ts';
import {
  type Family,
  PACING_RATE_NONE,
  type Proto,
  Sock,
  type SocketType,
  type SockoptAnswer,
  type SockoptValue,
} from './sock.ts';

/** Doubled, a size still fits an int (INT_MAX / 2). */
const BUFFER_MAX = 1_073_741_823;
/** SO_MAX_PACING_RATE with all bits set: no limit. */
const U32_NONE = 0xffff_ffff;
/** Linux: RAW sockets take any protocol. */
const ANY_PROTOCOL = -1;

interface SocketKind {
  readonly family: Family;
  readonly type: SocketType;
  readonly protocol: number;
  readonly proto: Proto;
}

export class SocketSwitch {
  private readonly kinds: SocketKind[] = [];

  /** `protocol` -1: any. The first of a type is what protocol 0 means. A second one of the same kind takes its place. */
  register(kind: SocketKind): void {
    const { family, type, protocol } = kind;
    const at = this.kinds.findIndex((it) => it.family === family && it.type === type && it.protocol === protocol);
    if (at < 0) this.kinds.push(kind);
    else this.kinds[at] = kind;
  }

  /** A sock for socket(2), not yet bound to anything. (Linux: inet_create) */
  create(host: Host, family: Family, type: SocketType, protocol: number): Sock | Errno {
    let typeKnown = false;
    for (const kind of this.kinds) {
      if (kind.family !== family || kind.type !== type) continue;
      typeKnown = true;
      if (kind.protocol !== ANY_PROTOCOL && protocol !== 0 && kind.protocol !== protocol) continue;
      if (kind.protocol === ANY_PROTOCOL && protocol === 0 && family === 'inet') return 'EPROTONOSUPPORT';
      const number = kind.protocol === ANY_PROTOCOL ? protocol : kind.protocol;
      if (kind.proto.create !== undefined) return kind.proto.create(host, type, number);
      return new Sock(host, { family, type, proto: kind.proto, protocol: number });
    }
    return typeKnown ? 'EPROTONOSUPPORT' : 'ESOCKTNOSUPPORT';
  }
}

/** One spelling a level. */
export function levelOf(level: string): string {
  return level.startsWith('IPPROTO_') ? `SOL_${level.slice('IPPROTO_'.length)}` : level;
}

/** setsockopt(2) for any socket. */
export function setSocketOption(sk: Sock, level: string, name: string, value: SockoptValue): Errno | undefined {
  const at = levelOf(level);
  if (at === 'SOL_SOCKET') {
    const error = setAtSocketLevel(sk, name, value);
    if (error !== undefined && error !== 'ENOPROTOOPT') return error;
    const answer = sk.proto.setsockopt(sk, at, name, value);
    return answer === 'ENOPROTOOPT' ? error : answer;
  }
  if (at === 'SOL_IP' && setAtIpLevel(sk, name, value)) return undefined;
  return sk.proto.setsockopt(sk, at, name, value);
}

function setAtSocketLevel(sk: Sock, name: string, value: SockoptValue): Errno | undefined {
  if (name === 'SO_LINGER') return setLinger(sk, value);
  if (name === 'SO_BINDTODEVICE') return setBindToDevice(sk, value);
  if (typeof value !== 'number') return 'EINVAL';
  const on = value !== 0;
  switch (name) {
    case 'SO_REUSEADDR':
      sk.reuseAddress = on;
      return undefined;
    case 'SO_REUSEPORT':
      sk.reusePort = on;
      return undefined;
    case 'SO_BROADCAST':
      sk.broadcast = on;
      return undefined;
    case 'SO_KEEPALIVE':
      sk.keepalive = on;
      return undefined;
    case 'SO_TIMESTAMP':
      sk.timestamps = on;
      return undefined;
    case 'SO_PRIORITY':
      sk.priority = value;
      return undefined;
    case 'SO_MARK':
      // What the mark routed by is out of date.
      if (sk.mark !== value) sk.route = undefined;
      sk.mark = value;
      return undefined;
    case 'SO_MAX_PACING_RATE':
      setMaxPacingRate(sk, value < 0 || value >= U32_NONE ? PACING_RATE_NONE : value);
      return undefined;
    case 'SO_RCVBUF':
    case 'SO_RCVBUFFORCE':
      // Doubled, so that bookkeeping does not eat what the program asked for.
      sk.rcvbuf = Math.max(RCVBUF_MIN, 2 * bufferSize(value, name === 'SO_RCVBUF' ? sk.host.core.rmemMax.value : 0));
      sk.rcvbufLocked = true;
      return undefined;
    case 'SO_SNDBUF':
    case 'SO_SNDBUFFORCE':
      sk.sndbuf = Math.max(SNDBUF_MIN, 2 * bufferSize(value, name === 'SO_SNDBUF' ? sk.host.core.wmemMax.value : 0));
      sk.sndbufLocked = true;
      sk.wake();
      return undefined;
    default:
      return 'ENOPROTOOPT';
  }
}

/** No more than `most`, which bounds what is negative, too; without a bound (0) that is as good as nothing. */
function bufferSize(value: number, most: number): number {
  if (most > 0) return value < 0 ? most : Math.min(value, most);
  return Math.min(Math.max(value, 0), BUFFER_MAX);
}

/** The first call says that somebody has to pace: TCP itself, as long as there is no fq. (Linux: sk_setsockopt) */
function setMaxPacingRate(sk: Sock, rate: number): void {
  if (rate !== PACING_RATE_NONE && sk.pacingStatus === 'none') sk.pacingStatus = 'needed';
  sk.maxPacingRate = rate;
  sk.pacingRate = Math.min(sk.pacingRate, rate);
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

const PMTU_MODES = ['dont', 'want', 'do', 'probe', 'interface', 'omit'] as const;

/** True when it was one of ours and its value made sense. */
function setAtIpLevel(sk: Sock, name: string, value: SockoptValue): boolean {
  if (typeof value !== 'number') return false;
  const on = value !== 0;
  switch (name) {
    case 'IP_TTL':
      if (value !== -1 && (value < 1 || value > 255)) return false;
      sk.ttl = value === -1 ? 0 : value;
      return true;
    case 'IP_MULTICAST_TTL':
      if (value < 0 || value > 255) return false;
      sk.multicastTtl = value;
      return true;
    case 'IP_TOS':
      // On a stream the two ECN bits are the protocol's own.
      sk.tos = sk.type === 'stream' ? (value & 0xfc) | (sk.tos & 3) : value & 0xff;
      return true;
    case 'IP_RECVTTL':
      sk.receiveTtl = on;
      return true;
    case 'IP_RECVTOS':
      sk.receiveTos = on;
      return true;
    case 'IP_RECVERR':
      sk.receiveErrors = on;
      return true;
    case 'IP_PKTINFO':
      sk.packetInfo = on;
      return true;
    case 'IP_MTU_DISCOVER': {
      const mode = PMTU_MODES[value];
      if (mode === undefined) return false;
      sk.pmtuDiscovery = mode;
      return true;
    }
    default:
      return false;
  }
}

/** getsockopt(2) for any socket. */
export function getSocketOption(sk: Sock, level: string, name: string): Result<SockoptAnswer> {
  const at = levelOf(level);
  const own = at === 'SOL_SOCKET' ? getAtSocketLevel(sk, name) : at === 'SOL_IP' ? getAtIpLevel(sk, name) : undefined;
  if (own !== undefined) return own;
  return sk.proto.getsockopt(sk, at, name);
}

function getAtSocketLevel(sk: Sock, name: string): SockoptAnswer | undefined {
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
    case 'SO_REUSEADDR':
      return Number(sk.reuseAddress);
    case 'SO_REUSEPORT':
      return Number(sk.reusePort);
    case 'SO_BROADCAST':
      return Number(sk.broadcast);
    case 'SO_KEEPALIVE':
      return Number(sk.keepalive);
    case 'SO_LINGER':
      return { ...sk.linger };
    case 'SO_RCVBUF':
      return sk.rcvbuf;
    case 'SO_SNDBUF':
      return sk.sndbuf;
    case 'SO_PRIORITY':
      return sk.priority;
    case 'SO_MAX_PACING_RATE':
      return Math.min(sk.maxPacingRate, U32_NONE);
    case 'SO_MARK':
      return sk.mark;
    case 'SO_BINDTODEVICE':
      return { text: sk.host.devices.byIndex(sk.boundIfindex)?.name ?? '' };
    default:
      return undefined;
  }
}

function getAtIpLevel(sk: Sock, name: string): SockoptAnswer | undefined {
  switch (name) {
    case 'IP_TTL':
      return sk.ttl || 64;
    case 'IP_TOS':
      return sk.tos;
    case 'IP_RECVTTL':
      return Number(sk.receiveTtl);
    case 'IP_RECVTOS':
      return Number(sk.receiveTos);
    case 'IP_RECVERR':
      return Number(sk.receiveErrors);
    case 'IP_PKTINFO':
      return Number(sk.packetInfo);
    case 'IP_MTU': {
      // What the route in use says; there is one only while connected.
      const route = sk.route as Route | undefined;
      return route === undefined ? undefined : dstMtu(route);
    }
    case 'IP_MTU_DISCOVER':
      return PMTU_MODES.indexOf(sk.pmtuDiscovery);
    default:
      return undefined;
  }
}
