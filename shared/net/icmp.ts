/**
 * ICMP out (RFC 792; Linux: net/ipv4/icmp.c): errors about packets that could not go on, replies, and the limits on
 * both. What comes in is icmp-input.ts. Left out: extended echo (PROBE), address masks.
 */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { finish, sumBytes } from '../header/checksum.ts';
import { ICMP, ICMP_TYPE, isIcmpError, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, IPV4_OFFSET_MASK, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { MILLISECOND, type Micros, SECOND } from '../platform.ts';
import { type Errno, isErrno } from './errno.ts';
import type { Host } from './host.ts';
import { echoOptions, type OptionsToSend } from './ip-options-echo.ts';
import { ipSendSkb } from './ip-output.ts';
import { type Route, routeOutput } from './route.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';
import type { SysctlNumber } from './sysctl.ts';

/** RFC 1812 §4.3.2.3: as much of the original as fits in 576 octets. */
const ERROR_SIZE_MAX = 576;
/** Linux: net.ipv4.icmp_{ratelimit,ratemask,msgs_per_sec,msgs_burst}: ms, types 3 4 11 12, a second, at once. */
const RATE_LIMIT_MS = 1_000;
const RATE_MASK = 0x1818;
const MESSAGES_PER_SECOND = 1_000;
const MESSAGES_BURST = 50;
/** Linux: XRLIM_BURST_FACTOR: errors that a target may get at once. */
const BURST_FACTOR = 6;
/** Linux: NR_ICMP_TYPES. */
const TYPE_MAX = 18;
/** Targets whose rate is remembered (inet_peer_threshold is 65664). */
const PEERS_MAX = 4_096;
/** IPTOS_PREC_INTERNETCONTROL, and the TOS bits that an error takes from the packet it is about. */
const TOS_ERROR = 0xc0;
const TOS_MASK = 0x1c;
/** Linux: net.ipv4.route.{redirect_number,redirect_load,redirect_silence}: HZ/50 doubled each time, 9, 20.48 s. */
const REDIRECTS_MAX = 9;
const REDIRECT_LOAD: Micros = 20 * MILLISECOND;
const REDIRECT_SILENCE: Micros = REDIRECT_LOAD * 2 ** (REDIRECTS_MAX + 1);

/** What an ICMP unreachable means to a program (Linux: icmp_err_convert), and whether it ends a connection attempt. */
export const ICMP_ERRORS: readonly { readonly errno: Errno; readonly fatal: boolean }[] = [
  { errno: 'ENETUNREACH', fatal: false },
  { errno: 'EHOSTUNREACH', fatal: false },
  { errno: 'ENOPROTOOPT', fatal: true },
  { errno: 'ECONNREFUSED', fatal: true },
  { errno: 'EMSGSIZE', fatal: false },
  { errno: 'EOPNOTSUPP', fatal: false },
  { errno: 'ENETUNREACH', fatal: true },
  { errno: 'EHOSTDOWN', fatal: true },
  { errno: 'ENONET', fatal: true },
  { errno: 'ENETUNREACH', fatal: true },
  { errno: 'EHOSTUNREACH', fatal: true },
  { errno: 'ENETUNREACH', fatal: false },
  { errno: 'EHOSTUNREACH', fatal: false },
  { errno: 'EHOSTUNREACH', fatal: true },
  { errno: 'EHOSTUNREACH', fatal: true },
  { errno: 'EHOSTUNREACH', fatal: true },
];

/** The errno of an ICMP error for TCP, UDP and raw sockets; undefined for what is no error to them (quench, redirect). */
export function icmpErrno(type: number, code: number): { readonly errno: Errno; readonly fatal: boolean } | undefined {
  if (type === ICMP_TYPE.UNREACHABLE) return ICMP_ERRORS[code] ?? { errno: 'EHOSTUNREACH', fatal: false };
  if (type === ICMP_TYPE.TIME_EXCEEDED) return { errno: 'EHOSTUNREACH', fatal: false };
  if (type === ICMP_TYPE.PARAMETER_PROBLEM) return { errno: 'EPROTO', fatal: true };
  return undefined;
}

interface Peer {
  tokens: Micros;
  last: Micros;
  redirects: number;
  redirectLast: Micros;
}

/** The limits on what we say by ICMP (struct inet_peer, icmp_global). */
export class IcmpLimits {
  readonly rateLimit: SysctlNumber;
  readonly rateMask: SysctlNumber;
  readonly perSecond: SysctlNumber;
  readonly burst: SysctlNumber;
  readonly ignoreAll: SysctlNumber;
  readonly ignoreBroadcasts: SysctlNumber;
  readonly ignoreBogus: SysctlNumber;
  readonly useInbound: SysctlNumber;
  private readonly host: Host;
  private readonly peers = new Map<number, Peer>();
  private credit = 0;
  private stamp: Micros = Number.NEGATIVE_INFINITY;

  constructor(host: Host) {
    const { sysctl } = host;
    this.host = host;
    this.ignoreBogus = sysctl.number('net.ipv4.icmp_ignore_bogus_error_responses', 1, { min: 0, max: 1 });
    this.useInbound = sysctl.number('net.ipv4.icmp_errors_use_inbound_ifaddr', 0, { min: 0, max: 1 });
    this.rateLimit = sysctl.number('net.ipv4.icmp_ratelimit', RATE_LIMIT_MS, { min: 0 });
    this.rateMask = sysctl.number('net.ipv4.icmp_ratemask', RATE_MASK);
    this.perSecond = sysctl.number('net.ipv4.icmp_msgs_per_sec', MESSAGES_PER_SECOND, { min: 0 });
    this.burst = sysctl.number('net.ipv4.icmp_msgs_burst', MESSAGES_BURST, { min: 0 });
    this.ignoreAll = sysctl.number('net.ipv4.icmp_echo_ignore_all', 0, { min: 0, max: 1 });
    this.ignoreBroadcasts = sysctl.number('net.ipv4.icmp_echo_ignore_broadcasts', 1, { min: 0, max: 1 });
  }

  /** Whether the host's bucket holds anything; it is filled no more often than every 20 ms. (icmp_global_allow) */
  globalAllows(now: Micros): boolean {
    if (this.credit > 0) return true;
    const elapsed = Math.min(now - this.stamp, SECOND);
    if (elapsed < SECOND / 50) return false;
    const earned = Math.floor((this.perSecond.value * elapsed) / SECOND);
    if (earned === 0) return false;
    this.stamp = now;
    this.credit = Math.min(this.credit + earned, this.burst.value);
    return this.credit > 0;
  }

  /** A message goes: one credit on average, drawn so that nobody can count on it. (Linux: icmp_global_consume) */
  takeGlobal(): void {
    this.credit -= this.host.random.below(3);
  }

  /** A token of the target's bucket. (Linux: inet_peer_xrlim_allow) */
  takePeer(target: Ipv4, now: Micros): boolean {
    const timeout = this.rateLimit.value * MILLISECOND;
    if (timeout === 0) return true;
    const peer = this.peer(target, now);
    peer.tokens = Math.min(peer.tokens + (now - peer.last), BURST_FACTOR * timeout);
    peer.last = now;
    if (peer.tokens < timeout) return false;
    peer.tokens -= timeout;
    return true;
  }

  /** At most nine redirects to one source, further and further apart. (Linux: ip_rt_send_redirect) */
  takeRedirect(source: Ipv4, now: Micros): boolean {
    const peer = this.peer(source, now);
    if (now - peer.redirectLast > REDIRECT_SILENCE) {
      peer.redirects = 0;
    } else if (peer.redirects >= REDIRECTS_MAX) {
      peer.redirectLast = now;
      return false;
    }
    if (peer.redirects > 0 && now <= peer.redirectLast + REDIRECT_LOAD * 2 ** peer.redirects) return false;
    peer.redirectLast = now;
    peer.redirects++;
    return true;
  }

  private peer(address: Ipv4, now: Micros): Peer {
    let peer = this.peers.get(address | 0);
    if (peer !== undefined) return peer;
    if (this.peers.size >= PEERS_MAX) {
      const [oldest] = this.peers.keys();
      if (oldest !== undefined) this.peers.delete(oldest);
    }
    // As Linux: a new peer has been silent for a minute.
    peer = { tokens: 0, last: now - 60 * SECOND, redirects: 0, redirectLast: Number.NEGATIVE_INFINITY };
    this.peers.set(address | 0, peer);
    return peer;
  }
}

export function redirectAllowed(host: Host, source: Ipv4): boolean {
  return host.icmpLimits.takeRedirect(source, host.clock.now());
}

/**
 * Tell a packet's sender what became of it. The packet stays the caller's. Never about broadcasts, later fragments or
 * ICMP errors (RFC 1122 §3.2.2). `info`: the MTU of 3/4, the gateway of a redirect, the pointer. (Linux: icmp_send)
 */
export function icmpSend(host: Host, skb: SkBuff, type: number, code: number, info: number): void {
  const { view } = skb;
  const ip = skb.networkHeader;
  if (skb.packetType !== 'host') return;
  const route = skb.route as Route | undefined;
  if (route !== undefined && (route.type === 'broadcast' || route.type === 'multicast')) return;
  if ((view.getUint16(ip + IPV4.FRAGMENT) & IPV4_OFFSET_MASK) !== 0) return;
  if (isIcmpError(type) && quotesError(skb)) return;

  const source = view.getUint32(ip + IPV4.SOURCE) as Ipv4;
  const target = view.getUint32(ip + IPV4.TARGET) as Ipv4;
  const now = host.clock.now();
  const limited = isLimited(host, type, code);
  if (limited && !host.icmpLimits.globalAllows(now)) {
    host.snmp.IcmpOutRateLimitGlobal++;
    return;
  }
  // From the address that was spoken to when it is ours, else from the one facing the sender.
  const from = host.routes.addressType(target) === 'local' ? target : facing(host, skb, source);
  const ipOptions = echoOptions(host, skb);
  const first = ipOptions?.firstHop ?? 0;
  const back = routeOutput(host, { target: first !== 0 ? (first as Ipv4) : source, source: from });
  if (isErrno(back)) return;
  if (limited && back.dev.kind !== 'loopback' && !host.icmpLimits.takePeer(source, now)) {
    host.snmp.IcmpOutRateLimitHost++;
    return;
  }
  if (limited) host.icmpLimits.takeGlobal();
  const room = Math.min(back.mtu, ERROR_SIZE_MAX) - IPV4.SIZE - (ipOptions?.bytes.length ?? 0) - ICMP.SIZE;
  const before = ip - skb.data;
  const quoted = Math.min(skb.length - before, room);
  const error = host.skbs.alloc(HEADROOM + ICMP.SIZE + quoted);
  error.reserve(HEADROOM);
  const at = error.put(ICMP.SIZE + quoted);
  copyFrom(skb, ip, quoted, error.bytes, at + ICMP.SIZE);
  error.view.setUint32(at + ICMP.REST, info);
  error.cause = skb.cause;
  const tos = isIcmpError(type) ? (view.getUint8(ip + IPV4.TOS) & TOS_MASK) | TOS_ERROR : view.getUint8(ip + IPV4.TOS);
  icmpPush(host, error, { type, code, source: from, target: source, tos, route: back, ipOptions });
}

/** Left to routing, or the address of the device that it came in by. (icmp_errors_use_inbound_ifaddr) */
function facing(host: Host, skb: SkBuff, sender: Ipv4): Ipv4 {
  if (host.icmpLimits.useInbound.value === 0) return IPV4_ANY;
  return host.inet.selectAddress(host.devices.byIndex(skb.ifindex), sender, 'link');
}

/** skb.data may stand behind the IP header (a protocol pulled it): the quote starts at the header all the same. */
function copyFrom(skb: SkBuff, ip: number, length: number, into: Uint8Array, at: number): void {
  const data = skb.data;
  skb.data = ip;
  skb.copyBits(0, length, into, at);
  skb.data = data;
}

/** Whether the packet is an ICMP error itself, or too short to tell. */
function quotesError(skb: SkBuff): boolean {
  const ip = skb.networkHeader;
  if (skb.view.getUint8(ip + IPV4.PROTOCOL) !== PROTOCOL.ICMP) return false;
  const at = ip + ipv4HeaderLength(skb.view, ip);
  // A type that we do not know may be an error.
  const type = at >= skb.tail ? TYPE_MAX + 1 : skb.view.getUint8(at + ICMP.TYPE);
  return type > TYPE_MAX || isIcmpError(type);
}

/** (Linux: icmpv4_mask_allow) */
function isLimited(host: Host, type: number, code: number): boolean {
  if (type > TYPE_MAX) return false;
  if (type === ICMP_TYPE.UNREACHABLE && code === UNREACHABLE.FRAGMENTATION_NEEDED) return false;
  return ((1 << type) & host.icmpLimits.rateMask.value) !== 0;
}

interface Pushed {
  readonly type: number;
  readonly code: number;
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly tos: number;
  readonly route?: Route;
  readonly ipOptions?: OptionsToSend | undefined;
}

/** Fill type, code and checksum in and send; skb.data at the ICMP header. Consumes `skb`. (Linux: icmp_push_reply) */
export function icmpPush(host: Host, skb: SkBuff, pushed: Pushed): void {
  const { type, code, source, target, tos, route, ipOptions } = pushed;
  const at = skb.data;
  skb.view.setUint8(at + ICMP.TYPE, type);
  skb.view.setUint8(at + ICMP.CODE, code);
  skb.view.setUint16(at + ICMP.CHECKSUM, 0);
  skb.view.setUint16(at + ICMP.CHECKSUM, finish(sumBytes(skb.bytes, at, skb.tail)));
  skb.checksum = 'unnecessary';
  countOut(host, type);
  if (host.trace.on) host.trace.point('icmp_send', skb, { type, code });
  ipSendSkb(host, skb, { source, target, protocol: PROTOCOL.ICMP, tos, dontFragment: false, route, ipOptions });
}

/** Count a message that goes out, a raw socket's or a ping socket's, too. (Linux: icmp_out_count) */
export function countOut(host: Host, type: number): void {
  const { snmp } = host;
  snmp.IcmpOutMsgs++;
  snmp.icmpOut.set(type, (snmp.icmpOut.get(type) ?? 0) + 1);
  switch (type) {
    case ICMP_TYPE.UNREACHABLE:
      snmp.IcmpOutDestUnreachs++;
      break;
    case ICMP_TYPE.TIME_EXCEEDED:
      snmp.IcmpOutTimeExcds++;
      break;
    case ICMP_TYPE.PARAMETER_PROBLEM:
      snmp.IcmpOutParmProbs++;
      break;
    case ICMP_TYPE.REDIRECT:
      snmp.IcmpOutRedirects++;
      break;
    case ICMP_TYPE.ECHO_REQUEST:
      snmp.IcmpOutEchos++;
      break;
    case ICMP_TYPE.ECHO_REPLY:
      snmp.IcmpOutEchoReps++;
      break;
    case ICMP_TYPE.TIMESTAMP:
      snmp.IcmpOutTimestamps++;
      break;
    case ICMP_TYPE.TIMESTAMP_REPLY:
      snmp.IcmpOutTimestampReps++;
      break;
    default:
  }
}

/** The next hop did not answer: senders hear "host unreachable", ourselves included. (Linux: ipv4_link_failure) */
export function icmpLinkFailure(host: Host, skb: SkBuff): void {
  icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.HOST, 0);
}
