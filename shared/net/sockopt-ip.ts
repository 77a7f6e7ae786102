/**
 * Options of level SOL_IP (Linux: do_ip_setsockopt, do_ip_getsockopt in net/ipv4/ip_sockglue.c). IP_HDRINCL is the raw
 * socket's own. Left out: multicast membership and its filters, IPsec policies.
 */
import type { Errno } from './errno.ts';
import { purgeErrors } from './error-queue.ts';
import { optionsGet, optionsUndo } from './ip-options-set.ts';
import { dstMtu, Route } from './route.ts';
import type { PmtuMode, Sock, SockoptAnswer, SockoptValue } from './sock.ts';

/** IP_PMTUDISC_* by number. */
const PMTU_MODES: readonly PmtuMode[] = ['dont', 'want', 'do', 'probe', 'interface', 'omit'];

/** Kept and told; nothing here depends on them. Their values at birth, and the largest that is let in. */
const PLAIN: ReadonlyMap<string, readonly [initial: number, max: number]> = new Map([
  ['IP_MINTTL', [0, 255]],
  ['IP_RECVERR_RFC4884', [0, 1]],
  ['IP_MULTICAST_ALL', [1, 1]],
]);
/** The same, on or off. */
const FLAGS: ReadonlyMap<string, number> = new Map([
  ['IP_PASSSEC', 0],
  ['IP_CHECKSUM', 0],
  ['IP_FREEBIND', 0],
  ['IP_TRANSPARENT', 0],
  ['IP_BIND_ADDRESS_NO_PORT', 0],
  ['IP_MULTICAST_LOOP', 1],
]);

/** What a packet of this TOS goes as where there are bands (rt_tos2priority, ip_tos2prio). */
const TOS_PRIORITY = [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4] as const;

/** ENOPROTOOPT: none of ours. */
export function setAtIpLevel(sk: Sock, name: string, value: SockoptValue): Errno | undefined {
  if (name === 'IP_OPTIONS') return setOptions(sk, value);
  if (typeof value !== 'number') return 'ENOPROTOOPT';
  const plain = PLAIN.get(name);
  if (plain !== undefined) {
    if (value < 0 || value > plain[1]) return 'EINVAL';
    sk.plainOptions.set(name, value);
    return undefined;
  }
  if (FLAGS.has(name)) {
    sk.plainOptions.set(name, Number(value !== 0));
    return undefined;
  }
  return setFlag(sk, name, value !== 0) ? undefined : setNumber(sk, name, value);
}

/** Options of every packet from here on: the way may be another, and a segment has less room. */
function setOptions(sk: Sock, value: SockoptValue): Errno | undefined {
  if (!(value instanceof Uint8Array)) return 'EINVAL';
  const options = optionsGet(value);
  if (options === 'EINVAL') return options;
  sk.ipOptions = options;
  sk.route = undefined;
  sk.proto.setsockopt(sk, 'SOL_IP', 'IP_OPTIONS', value);
  return undefined;
}

/** True when it was one that is on or off. */
function setFlag(sk: Sock, name: string, on: boolean): boolean {
  switch (name) {
    case 'IP_RECVTTL':
      sk.receiveTtl = on;
      return true;
    case 'IP_RECVTOS':
      sk.receiveTos = on;
      return true;
    case 'IP_RECVOPTS':
      sk.receiveOptions = on;
      return true;
    case 'IP_RETOPTS':
      sk.returnOptions = on;
      return true;
    case 'IP_RECVORIGDSTADDR':
    case 'IP_ORIGDSTADDR':
      sk.receiveOriginal = on;
      return true;
    case 'IP_RECVERR':
      sk.receiveErrors = on;
      if (!on) purgeErrors(sk);
      return true;
    case 'IP_PKTINFO':
      sk.packetInfo = on;
      return true;
    default:
      return false;
  }
}

function setNumber(sk: Sock, name: string, value: number): Errno | undefined {
  switch (name) {
    case 'IP_TTL':
      if (value !== -1 && (value < 1 || value > 255)) return 'EINVAL';
      sk.ttl = value === -1 ? 0 : value;
      return undefined;
    case 'IP_LOCAL_PORT_RANGE': {
      const [low, high] = [value & 0xffff, value >>> 16];
      if (low !== 0 && high !== 0 && low > high) return 'EINVAL';
      sk.localPortRange = value >>> 0;
      return undefined;
    }
    case 'IP_MULTICAST_TTL':
      if (sk.type === 'stream' || value < -1 || value > 255) return 'EINVAL';
      sk.multicastTtl = value === -1 ? 1 : value;
      return undefined;
    case 'IP_TOS':
      // On a stream the two ECN bits are the protocol's own.
      sk.tos = sk.type === 'stream' ? (value & 0xfc) | (sk.tos & 3) : value & 0xff;
      sk.priority = TOS_PRIORITY[(sk.tos & 0x1e) >> 1] ?? 0;
      return undefined;
    case 'IP_MTU_DISCOVER': {
      const mode = PMTU_MODES[value];
      if (mode === undefined) return 'EINVAL';
      sk.pmtuDiscovery = mode;
      return undefined;
    }
    default:
      return 'ENOPROTOOPT';
  }
}

export function getAtIpLevel(sk: Sock, name: string): SockoptAnswer | Errno | undefined {
  const plain = PLAIN.get(name)?.[0] ?? FLAGS.get(name);
  if (plain !== undefined) return sk.plainOptions.get(name) ?? plain;
  switch (name) {
    case 'IP_TTL':
      return sk.ttl || sk.host.defaultTtl.value;
    case 'IP_MULTICAST_TTL':
      return sk.multicastTtl;
    case 'IP_LOCAL_PORT_RANGE':
      return sk.localPortRange;
    case 'IP_TOS':
      return sk.tos;
    case 'IP_RECVTTL':
      return Number(sk.receiveTtl);
    case 'IP_OPTIONS':
      return optionsUndo(sk.ipOptions);
    case 'IP_RECVOPTS':
      return Number(sk.receiveOptions);
    case 'IP_RETOPTS':
      return Number(sk.returnOptions);
    case 'IP_RECVTOS':
      return Number(sk.receiveTos);
    case 'IP_RECVORIGDSTADDR':
    case 'IP_ORIGDSTADDR':
      return Number(sk.receiveOriginal);
    case 'IP_RECVERR':
      return Number(sk.receiveErrors);
    case 'IP_PKTINFO':
      return Number(sk.packetInfo);
    case 'IP_MTU_DISCOVER':
      return PMTU_MODES.indexOf(sk.pmtuDiscovery);
    case 'IP_PROTOCOL':
      return sk.protocol;
    // Of the route in use: a socket that is connected to nobody has none.
    case 'IP_MTU':
      return sk.route instanceof Route ? dstMtu(sk.route) : 'ENOTCONN';
    default:
      return undefined;
  }
}
