/**
 * What every socket does whatever its protocol: it is made from family, type and protocol (inet_create), and takes
 * options (those of SOL_SOCKET in sockopt-socket.ts, of SOL_IP in sockopt-ip.ts).
 *
 * Protocols register in `host.sockets` at boot, as with inet_register_protosw. Options that this file does not know go to
 * the protocol; those of SOL_SOCKET that it does know reach the protocol, too, which may have a timer to start.
 * Levels are spelt SOL_SOCKET, SOL_IP, SOL_TCP, SOL_UDP; the IPPROTO_ spellings mean the same.
 */
import type { Errno, Result } from './errno.ts';
import type { Host } from './host.ts';
import { type Family, type Proto, Sock, type SocketType, type SockoptAnswer, type SockoptValue } from './sock.ts';
import { getAtIpLevel, setAtIpLevel } from './sockopt-ip.ts';
import { getAtSocketLevel, setAtSocketLevel } from './sockopt-socket.ts';

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
  if (at === 'SOL_IP') {
    const error = setAtIpLevel(sk, name, value);
    if (error !== 'ENOPROTOOPT') return error;
  }
  return sk.proto.setsockopt(sk, at, name, value);
}

/** getsockopt(2) for any socket. */
export function getSocketOption(sk: Sock, level: string, name: string): Result<SockoptAnswer> {
  const at = levelOf(level);
  const own = at === 'SOL_SOCKET' ? getAtSocketLevel(sk, name) : at === 'SOL_IP' ? getAtIpLevel(sk, name) : undefined;
  if (own !== undefined) return own;
  return sk.proto.getsockopt(sk, at, name);
}
