/**
 * IPv4 options (RFC 791 §3.1, RFC 1812 §5.3.13; Linux: net/ipv4/ip_options.c): checked and filled in as a packet comes
 * in, completed as it goes on. What an answer carries is in ip-options-echo.ts. Only packets that have options get here. Left out: security
 * labels (CIPSO), and handing router alerts to a raw socket that asked for them (IP_ROUTER_ALERT).
 */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { ICMP_TYPE } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength, sealIpv4 } from '../header/ipv4.ts';
import { MILLISECOND } from '../platform.ts';
import type { DropReason } from './drop.ts';
import type { Host } from './host.ts';
import { icmpSend } from './icmp.ts';
import type { NetDevice } from './netdev.ts';
import { KERN } from './printk.ts';
import { addressType, type Route, reverseSource } from './route.ts';
import { routeInput } from './route-input.ts';
import type { SkBuff } from './skbuff.ts';

export const IPOPT = { END: 0, NOOP: 1, RR: 7, TIMESTAMP: 68, LSRR: 131, SSRR: 137, RA: 148 } as const;
export const TIMESTAMP_KIND = { ONLY: 0, AND_ADDRESS: 1, PRESPECIFIED: 3 } as const;
const DAY_MS = 86_400_000;

/** Where the options of one packet stand, from its IP header on, and what is still to do (struct ip_options). */
export interface IpOptions {
  readonly length: number;
  sourceRoute: number;
  strict: boolean;
  /** The source route's next hop was taken: it is on the way. */
  routeHit: boolean;
  nextHop: Ipv4;
  record: number;
  recordNeedsAddress: boolean;
  timestamp: number;
  timestampNeedsAddress: boolean;
  timestampNeedsTime: boolean;
  routerAlert: boolean;
  changed: boolean;
}

/** The options of a packet that came in, undefined when it has none. */
export function optionsOf(skb: SkBuff): IpOptions | undefined {
  return skb.ipOptions as IpOptions | undefined;
}

/** Milliseconds since midnight. (Linux: inet_current_timestamp) */
export function timestampNow(host: Host): number {
  return Math.floor(host.clock.now() / MILLISECOND) % DAY_MS;
}

/**
 * Check the options of a packet whose route is known, and do what they ask for on arrival; why it is dropped, if it is.
 * `skb` stays the caller's. (Linux: ip_rcv_options)
 */
export function ipReceiveOptions(host: Host, skb: SkBuff, dev: NetDevice): DropReason | undefined {
  host.skbs.cow(skb);
  const options = newOptions(ipv4HeaderLength(skb.view, skb.networkHeader) - IPV4.SIZE);
  const bad = compile(host, skb, options);
  if (bad !== undefined) {
    host.snmp.IpInHdrErrors++;
    icmpSend(host, skb, ICMP_TYPE.PARAMETER_PROBLEM, 0, (bad << 24) >>> 0);
    return 'ip_bad_options';
  }
  skb.ipOptions = options;
  if (options.sourceRoute === 0) return undefined;
  if (!host.inet.both(dev.ifindex, 'accept_source_route')) {
    if (host.inet.either(dev.ifindex, 'log_martians'))
      host.log.rationed(KERN.INFO, () => `IPv4: source route option ${sourceAndTarget(skb)}`);
    return 'ip_source_route';
  }
  return receiveSourceRoute(host, skb, options, dev);
}

function sourceAndTarget(skb: SkBuff): string {
  const word = (at: number) => [0, 1, 2, 3].map((i) => skb.view.getUint8(skb.networkHeader + at + i)).join('.');
  return `${word(IPV4.SOURCE)} -> ${word(IPV4.TARGET)}`;
}

function newOptions(length: number): IpOptions {
  return {
    length,
    sourceRoute: 0,
    strict: false,
    routeHit: false,
    nextHop: IPV4_ANY,
    record: 0,
    recordNeedsAddress: false,
    timestamp: 0,
    timestampNeedsAddress: false,
    timestampNeedsTime: false,
    routerAlert: false,
    changed: false,
  };
}

/** The offset, from the IP header, of what is wrong; undefined when all is well. (Linux: __ip_options_compile) */
function compile(host: Host, skb: SkBuff, options: IpOptions): number | undefined {
  const { view, networkHeader: ip } = skb;
  const end = IPV4.SIZE + options.length;
  for (let at = IPV4.SIZE; at < end; ) {
    const kind = view.getUint8(ip + at);
    if (kind === IPOPT.END) {
      clearRest(skb, options, at + 1, end);
      return undefined;
    }
    if (kind === IPOPT.NOOP) {
      at++;
      continue;
    }
    if (at + 1 >= end) return at;
    const length = view.getUint8(ip + at + 1);
    if (length < 2 || at + length > end) return at;
    const bad = compileOne(host, skb, options, at, length);
    if (bad !== undefined) return bad;
    at += length;
  }
  return undefined;
}

function clearRest({ bytes, networkHeader }: SkBuff, options: IpOptions, from: number, end: number): void {
  for (let at = networkHeader + from; at < networkHeader + end; at++) {
    if (bytes[at] === IPOPT.END) continue;
    bytes[at] = IPOPT.END;
    options.changed = true;
  }
}

function compileOne(host: Host, skb: SkBuff, options: IpOptions, at: number, length: number): number | undefined {
  switch (skb.view.getUint8(skb.networkHeader + at)) {
    case IPOPT.SSRR:
    case IPOPT.LSRR:
      return compileSourceRoute(skb, options, at, length);
    case IPOPT.RR:
      return compileRecord(host, skb, options, at, length);
    case IPOPT.TIMESTAMP:
      return compileTimestamp(host, skb, options, at, length);
    case IPOPT.RA:
      if (length < 4) return at + 1;
      if (skb.view.getUint16(skb.networkHeader + at + 2) === 0) options.routerAlert = true;
      return undefined;
    default:
      // Whatever is not known passes as it is (RFC 791, RFC 1122 §3.2.1.8).
      return undefined;
  }
}

function compileSourceRoute(skb: SkBuff, options: IpOptions, at: number, length: number): number | undefined {
  const { view, networkHeader: ip } = skb;
  if (length < 3) return at + 1;
  if (view.getUint8(ip + at + 2) < 4) return at + 2;
  // RFC 1812 §5.2.4.1: two of them are an error.
  if (options.sourceRoute !== 0) return at;
  options.strict = view.getUint8(ip + at) === IPOPT.SSRR;
  options.sourceRoute = at;
  return undefined;
}

function compileRecord(host: Host, skb: SkBuff, options: IpOptions, at: number, length: number): number | undefined {
  const { view, networkHeader: ip } = skb;
  if (options.record !== 0) return at;
  if (length < 3) return at + 1;
  const pointer = view.getUint8(ip + at + 2);
  if (pointer < 4) return at + 2;
  if (pointer <= length) {
    if (pointer + 3 > length) return at + 2;
    view.setUint32(ip + at + pointer - 1, ownAddress(host, skb));
    view.setUint8(ip + at + 2, pointer + 4);
    options.recordNeedsAddress = true;
    options.changed = true;
  }
  options.record = at;
  return undefined;
}

/** Whom we are to the sender: the address it spoke to, else the one that we would answer from. (fib_compute_spec_dst) */
function ownAddress(host: Host, skb: SkBuff): Ipv4 {
  const { view, networkHeader: ip } = skb;
  if ((skb.route as Route | undefined)?.type === 'local') return view.getUint32(ip + IPV4.TARGET) as Ipv4;
  return reverseSource(host, view.getUint32(ip + IPV4.SOURCE) as Ipv4);
}

function compileTimestamp(host: Host, skb: SkBuff, options: IpOptions, at: number, length: number): number | undefined {
  const { view, networkHeader: ip } = skb;
  if (options.timestamp !== 0) return at;
  if (length < 4) return at + 1;
  const pointer = view.getUint8(ip + at + 2);
  if (pointer < 5) return at + 2;
  const flags = view.getUint8(ip + at + 3);
  options.timestamp = at;
  if (pointer > length) {
    // No room left: count who could not write (RFC 791's overflow).
    if (flags >>> 4 === 15) return at + 3;
    view.setUint8(ip + at + 3, flags + 0x10);
    options.changed = true;
    return undefined;
  }
  if (pointer + 3 > length) return at + 2;
  return stamp(host, skb, options, { at, length, pointer, kind: flags & 15 });
}

interface Stamp {
  readonly at: number;
  readonly length: number;
  readonly pointer: number;
  readonly kind: number;
}

/** Write the time, and the address before it, where the option asks for them. */
function stamp(host: Host, skb: SkBuff, options: IpOptions, { at, length, pointer, kind }: Stamp): number | undefined {
  const { view, networkHeader: ip } = skb;
  const slot = ip + at + pointer - 1;
  if (kind === TIMESTAMP_KIND.ONLY) {
    view.setUint32(slot, timestampNow(host));
    view.setUint8(ip + at + 2, pointer + 4);
  } else if (kind === TIMESTAMP_KIND.AND_ADDRESS || kind === TIMESTAMP_KIND.PRESPECIFIED) {
    if (pointer + 7 > length) return at + 2;
    if (kind === TIMESTAMP_KIND.AND_ADDRESS) {
      view.setUint32(slot, ownAddress(host, skb));
      options.timestampNeedsAddress = true;
    } else if (addressType(host, view.getUint32(slot) as Ipv4) === 'unicast') {
      return undefined;
    }
    view.setUint32(slot + 4, timestampNow(host));
    view.setUint8(ip + at + 2, pointer + 8);
  } else {
    return undefined;
  }
  options.timestampNeedsTime = true;
  options.changed = true;
  return undefined;
}

/** We are a stop of its source route: find the next. (Linux: ip_options_rcv_srr) */
function receiveSourceRoute(host: Host, skb: SkBuff, options: IpOptions, dev: NetDevice): DropReason | undefined {
  const { view, networkHeader: ip } = skb;
  const route = skb.route as Route | undefined;
  if (skb.packetType !== 'host' || route === undefined) return 'ip_source_route';
  if (route.type === 'unicast') {
    if (!options.strict) return undefined;
    icmpSend(host, skb, ICMP_TYPE.PARAMETER_PROBLEM, 0, (16 << 24) >>> 0);
    return 'ip_source_route';
  }
  if (route.type !== 'local') return 'ip_source_route';
  const at = ip + options.sourceRoute;
  const length = view.getUint8(at + 1);
  let pointer = view.getUint8(at + 2);
  for (; pointer <= length; pointer += 4) {
    if (pointer + 3 > length) {
      icmpSend(host, skb, ICMP_TYPE.PARAMETER_PROBLEM, 0, ((options.sourceRoute + 2) << 24) >>> 0);
      return 'ip_source_route';
    }
    const hop = view.getUint32(at + pointer - 1) as Ipv4;
    const next = routeTowards(host, skb, dev, hop);
    if (next === undefined) return 'ip_source_route';
    if (next.type !== 'local') {
      options.routeHit = true;
      options.nextHop = hop;
      break;
    }
    // The next stop is ourselves again: go there at once.
    view.setUint32(ip + IPV4.TARGET, hop);
  }
  options.changed = true;
  return undefined;
}

/** The route of `skb` as if it were for `hop`, left in skb.route. */
function routeTowards(host: Host, skb: SkBuff, dev: NetDevice, hop: Ipv4): Route | undefined {
  const { view, networkHeader: ip } = skb;
  const target = view.getUint32(ip + IPV4.TARGET);
  const before = skb.route;
  view.setUint32(ip + IPV4.TARGET, hop);
  const reason = routeInput(host, skb, dev);
  view.setUint32(ip + IPV4.TARGET, target);
  const route = skb.route as Route | undefined;
  if (reason === undefined && (route?.type === 'unicast' || route?.type === 'local')) return route;
  skb.route = before;
  return undefined;
}

/** On its way: our address of the way out, the next stop, and the sum. (Linux: ip_forward_options) */
export function ipForwardOptions(skb: SkBuff, options: IpOptions, route: Route): void {
  const { view, networkHeader: ip } = skb;
  if (options.recordNeedsAddress) {
    const at = ip + options.record;
    view.setUint32(at + view.getUint8(at + 2) - 5, route.source);
    options.changed = true;
  }
  if (options.routeHit) {
    const at = ip + options.sourceRoute;
    const pointer = stopOf(view, at, options.nextHop);
    if (pointer !== undefined) {
      view.setUint32(ip + IPV4.TARGET, options.nextHop);
      view.setUint32(at + pointer - 1, route.source);
      view.setUint8(at + 2, pointer + 4);
      options.changed = true;
    }
    if (options.timestampNeedsAddress) {
      const stampAt = ip + options.timestamp;
      view.setUint32(stampAt + view.getUint8(stampAt + 2) - 9, route.source);
      options.changed = true;
    }
  }
  if (!options.changed) return;
  options.changed = false;
  sealIpv4(skb.bytes, view, ip, ipv4HeaderLength(view, ip));
}

function stopOf(view: DataView, at: number, hop: Ipv4): number | undefined {
  const length = view.getUint8(at + 1);
  for (let pointer = view.getUint8(at + 2); pointer + 3 <= length; pointer += 4)
    if (view.getUint32(at + pointer - 1) === hop) return pointer;
  return undefined;
}
