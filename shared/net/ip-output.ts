/**
 * IPv4 out (Linux: net/ipv4/ip_output.c): header, LOCAL_OUT, route, POST_ROUTING, fragments, neighbour. Left out:
 * multicast routing.
 */
import { type Ipv4, isMulticastIpv4 } from '../header/address.ts';
import { ETHERTYPE } from '../header/ethernet.ts';
import { ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, IPV4_DF, sealIpv4 } from '../header/ipv4.ts';
import { type Errno, isErrno } from './errno.ts';
import { gsoSegment } from './gso.ts';
import type { Host } from './host.ts';
import { icmpSend } from './icmp.ts';
import { gsoPacketLength } from './ip-forward.ts';
import { ipFragment } from './ip-fragment.ts';
import { traceIp } from './ip-input.ts';
import { buildOptions, type OptionsToSend } from './ip-options-echo.ts';
import { firstHopOf } from './ip-options-set.ts';
import { netifRx } from './netdev.ts';
import { HOOK, nfHook } from './netfilter.ts';
import { netXmitErrno, type XmitError } from './qdisc.ts';
import { nextHop, type Route, routeOutput, routeValid } from './route.ts';
import { dstMetric } from './route-metrics.ts';
import type { SkBuff } from './skbuff.ts';
import type { Sock } from './sock.ts';

const LENGTH_MAX = 65_535;
/** Linux: ip_idents_mask, at least 2048 buckets. */
const ID_BUCKETS = 2_048;

export interface IpSendOptions {
  /** 0: the route's. */
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly protocol: number;
  /** Default: the socket's, else net.ipv4.ip_default_ttl; 1 for multicast. */
  readonly ttl?: number | undefined;
  readonly tos?: number | undefined;
  /** Default: as IP_MTU_DISCOVER of `sk` says; without a socket, false. */
  readonly dontFragment?: boolean | undefined;
  readonly sk?: Sock | undefined;
  readonly ifindex?: number | undefined;
  /** Saves the lookup when the caller has done it (for its source address and MTU). */
  readonly route?: Route | undefined;
  /** IP options, their free slots filled in on the way out. */
  readonly ipOptions?: OptionsToSend | undefined;
}

/**
 * Send a segment of a connected socket (TCP): skb.data at its header. Consumes `skb`. The route is kept with the socket
 * while it holds. (Linux: ip_queue_xmit)
 */
export function ipQueueXmit(host: Host, sk: Sock, skb: SkBuff): XmitError | undefined {
  let route = sk.route as Route | undefined;
  if (route === undefined || !routeValid(host, route)) {
    const found = routeOutput(host, {
      target: firstHopOf(sk.ipOptions, sk.remoteAddress),
      source: sk.localAddress,
      ifindex: sk.boundIfindex,
      mark: sk.mark,
    });
    if (isErrno(found)) {
      host.snmp.IpOutNoRoutes++;
      host.skbs.drop(skb, 'ip_no_route', '__ip_queue_xmit');
      return 'EHOSTUNREACH';
    }
    sk.route = route = found;
  }
  if (sk.ipOptions?.strict === true && route.gateway !== 0) {
    host.snmp.IpOutNoRoutes++;
    host.skbs.drop(skb, 'ip_no_route', '__ip_queue_xmit');
    return 'EHOSTUNREACH';
  }
  skb.route = route;
  const { pmtuDiscovery } = sk;
  const dontFragment = pmtuDiscovery === 'do' || (pmtuDiscovery === 'want' && !route.mtuLocked);
  pushHeader(host, skb, {
    source: sk.localAddress,
    target: sk.remoteAddress,
    protocol: sk.protocol,
    ttl: selectTtl(host, sk, sk.remoteAddress, route),
    tos: sk.tos,
    dontFragment,
    sk,
    ipOptions: sk.ipOptions,
  });
  if (skb.mark === 0) skb.mark = sk.mark;
  return ipLocalOut(host, skb);
}

/**
 * Send a datagram or a reply: skb.data at the transport header, its checksum in place or 'partial'. Consumes `skb`.
 * EMSGSIZE when it may not be cut and is too long. (Linux: ip_make_skb, ip_send_skb)
 */
export function ipSendSkb(host: Host, skb: SkBuff, options: IpSendOptions): Errno | undefined {
  const { sk, target } = options;
  let { route } = options;
  if (route === undefined) {
    const ifindex = options.ifindex ?? sk?.boundIfindex ?? 0;
    const first = options.ipOptions?.firstHop ?? 0;
    const found = routeOutput(host, {
      target: first !== 0 ? (first as Ipv4) : target,
      source: options.source,
      ifindex,
    });
    if (isErrno(found)) {
      host.snmp.IpOutNoRoutes++;
      host.skbs.drop(skb, 'ip_no_route', 'ip_send_skb');
      return found;
    }
    route = found;
  }
  skb.route = route;
  const { ipOptions } = options;
  const length = skb.length + IPV4.SIZE + (ipOptions?.bytes.length ?? 0);
  const how = sk?.pmtuDiscovery ?? 'dont';
  // Without DF what is too long is cut; with 'want' DF stands only on what fits.
  const dontFragment =
    options.dontFragment ??
    (how === 'do' || how === 'probe' || (how === 'want' && length <= route.mtu && !route.mtuLocked));
  // 'do' heeds the path, 'probe' and 'interface' the device alone; the others are cut (ip_sk_use_pmtu, ip_sk_ignore_df).
  const whole = dontFragment || how === 'interface';
  const tooLong = whole && length > outputMtu(sk, route) && skb.gsoSize === 0;
  if (length > LENGTH_MAX || tooLong) {
    host.snmp.IpFragFails++;
    host.skbs.drop(skb, 'ip_too_big', 'ip_send_skb');
    return 'EMSGSIZE';
  }
  pushHeader(host, skb, {
    source: options.source !== 0 ? options.source : route.source,
    target: target !== 0 ? target : route.source,
    protocol: options.protocol,
    ttl: options.ttl ?? selectTtl(host, sk, target, route),
    tos: options.tos ?? sk?.tos ?? 0,
    dontFragment,
    sk,
    ipOptions,
    own: route.source,
  });
  if (skb.mark === 0 && sk !== undefined) skb.mark = sk.mark;
  const errno = netXmitErrno(ipLocalOut(host, skb));
  if (errno !== undefined) host.snmp.IpOutDiscards++;
  return errno;
}

/** The socket's, the route's hoplimit, else net.ipv4.ip_default_ttl (ip_select_ttl). */
function selectTtl(host: Host, sk: Sock | undefined, target: Ipv4, route: Route): number {
  if (isMulticastIpv4(target)) return sk?.multicastTtl ?? 1;
  return sk !== undefined && sk.ttl > 0 ? sk.ttl : dstMetric(route, 'hoplimit') || host.defaultTtl.value;
}

interface HeaderFields {
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly dontFragment: boolean;
  readonly sk: Sock | undefined;
  readonly ipOptions?: OptionsToSend | undefined;
  /** What record and timestamp slots are filled with. */
  readonly own?: Ipv4;
}

/** The 20 octets in front; length and checksum come in ipLocalOut. */
function pushHeader(host: Host, skb: SkBuff, fields: HeaderFields): void {
  skb.transportHeader = skb.data;
  const { ipOptions } = fields;
  const more = ipOptions?.bytes.length ?? 0;
  const at = skb.push(IPV4.SIZE + more);
  skb.networkHeader = at;
  const { view } = skb;
  view.setUint16(at + IPV4.VERSION_IHL, (0x4500 + (more << 6)) | fields.tos);
  view.setUint16(at + IPV4.ID, selectId(host, skb, fields));
  view.setUint16(at + IPV4.FRAGMENT, fields.dontFragment ? IPV4_DF : 0);
  view.setUint16(at + IPV4.TTL, (fields.ttl << 8) | fields.protocol);
  view.setUint32(at + IPV4.SOURCE, fields.source);
  view.setUint32(at + IPV4.TARGET, fields.target);
  if (ipOptions === undefined) return;
  const { source, target } = fields;
  buildOptions(host, skb, at + IPV4.SIZE, { options: ipOptions, target, source: fields.own ?? source });
  if (ipOptions.firstHop !== 0) view.setUint32(at + IPV4.TARGET, ipOptions.firstHop);
}

/** A counter of the socket's when it is connected; 0 when DF makes it needless (RFC 6864); else a hashed counter. */
function selectId(host: Host, skb: SkBuff, fields: HeaderFields): number {
  const segments = Math.max(1, skb.gsoSegments);
  const { sk } = fields;
  if (sk !== undefined && sk.remoteAddress !== 0) {
    if (sk.ipId < 0) sk.ipId = host.random.u32() & 0xffff;
    const id = sk.ipId;
    sk.ipId = (id + segments) & 0xffff;
    return id;
  }
  if (fields.dontFragment) return 0;
  return host.ipIds.reserve(fields.source, fields.target, fields.protocol, segments);
}

/** Counters of IDs, by a keyed hash of the ends, advanced at random with time. (Linux: ip_idents_reserve) */
export class IpIds {
  private readonly host: Host;
  private counters: Uint16Array | undefined;
  private stamps: Float64Array | undefined;
  private readonly key: readonly [number, number];

  constructor(host: Host) {
    this.host = host;
    this.key = [host.random.u32(), host.random.u32()];
  }

  reserve(source: Ipv4, target: Ipv4, protocol: number, segments: number): number {
    this.counters ??= new Uint16Array(ID_BUCKETS);
    this.stamps ??= new Float64Array(ID_BUCKETS);
    const bucket = this.host.platform.hash(this.key, target, source, protocol) % ID_BUCKETS;
    // Jiffies of 4 ms (HZ 250) since this bucket was last used.
    const tick = Math.floor(this.host.clock.now() / 4_000);
    const before = this.stamps[bucket]!;
    let skip = 0;
    if (tick > before) {
      this.stamps[bucket] = tick;
      skip = before === 0 ? this.host.random.below(0x1_0000) : this.host.random.below(tick - before);
    }
    const next = (this.counters[bucket]! + segments + skip) & 0xffff;
    this.counters[bucket] = next;
    return (next - segments) & 0xffff;
  }
}

/** Total length and checksum, OUTPUT, and out. Consumes `skb`. (Linux: __ip_local_out, dst_output) */
export function ipLocalOut(host: Host, skb: SkBuff): XmitError | undefined {
  const at = skb.networkHeader;
  skb.view.setUint16(at + IPV4.TOTAL_LENGTH, Math.min(skb.length, LENGTH_MAX));
  sealIpv4(skb.bytes, skb.view, at, skb.transportHeader - at);
  skb.protocol = ETHERTYPE.IPV4;
  host.snmp.IpOutRequests++;
  const passed = nfHook(host, HOOK.OUTPUT, skb, undefined, (skb.route as Route).dev);
  if (passed === undefined) return 'EPERM';
  return ipOutput(host, passed, passed.route as Route);
}

/** POST_ROUTING and on; broadcasts and multicasts are heard by ourselves, too. (Linux: ip_output, ip_mc_output) */
export function ipOutput(host: Host, skb: SkBuff, route: Route): XmitError | undefined {
  host.snmp.IpOutTransmits++;
  host.snmp.IpExtOutOctets += skb.length;
  skb.ifindex = route.ifindex;
  if (host.trace.on) traceIp(host, 'ip_output', skb);
  if (route.type === 'broadcast' || route.type === 'multicast') loopGroup(host, skb, route);
  // IP multicast with TTL 0 never leaves this host.
  if (route.type === 'multicast' && skb.view.getUint8(skb.networkHeader + IPV4.TTL) === 0) {
    host.skbs.consume(skb);
    return undefined;
  }
  const passed = nfHook(host, HOOK.POSTROUTING, skb, undefined, route.dev);
  return passed === undefined ? 'EPERM' : ipFinishOutput(host, passed, passed.route as Route);
}

/** A copy for our own listeners. (Linux: ip_mc_finish_output, dev_loopback_xmit) */
function loopGroup(host: Host, skb: SkBuff, route: Route): void {
  if (route.dev.kind === 'loopback') return;
  if (route.type === 'multicast' && !host.inet.isMember(route.ifindex, targetOf(skb))) return;
  const heard = host.skbs.copy(skb);
  heard.packetType = 'loopback';
  heard.checksum = 'unnecessary';
  heard.route = host.routes.inputRoute(route.dev, route.type === 'multicast' ? 'multicast' : 'broadcast');
  heard.ifindex = route.ifindex;
  netifRx(host, heard);
}

function targetOf(skb: SkBuff): Ipv4 {
  return skb.view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4;
}

/** The MTU that counts for a socket's packet: some do not want to know of the path's (ip_skb_dst_mtu). */
function outputMtu(sk: Sock | undefined, route: Route): number {
  const how = sk?.pmtuDiscovery;
  const blind = how === 'probe' || how === 'interface' || how === 'omit';
  return blind ? Math.min(route.dev.mtu, LENGTH_MAX) : route.mtu;
}

/** A datagram of so many octets may neither go whole nor be cut: EMSGSIZE (ip_sk_ignore_df). */
export function tooLongToSend(sk: Sock, route: Route, length: number): boolean {
  const how = sk.pmtuDiscovery;
  return (how === 'do' || how === 'probe' || how === 'interface') && length > outputMtu(sk, route);
}

/** Cut what is too long, then to the neighbour. (Linux: ip_finish_output) */
export function ipFinishOutput(host: Host, skb: SkBuff, route: Route): XmitError | undefined {
  if (skb.length <= route.mtu) return ipFinishOutput2(host, skb, route);
  const mtu = outputMtu(skb.owner as Sock | undefined, route);
  if (skb.gsoSize > 0) {
    if (gsoPacketLength(skb) <= mtu) return ipFinishOutput2(host, skb, route);
    // Segments that are too long themselves, after the path shrank: cut, then fragment each (slow, rare).
    let errno: XmitError | undefined;
    for (const segment of gsoSegment(host, skb)) errno = fragment(host, segment, route, mtu) ?? errno;
    return errno;
  }
  return fragment(host, skb, route, mtu);
}

function fragment(host: Host, skb: SkBuff, route: Route, mtu: number): XmitError | undefined {
  if (skb.length <= mtu) return ipFinishOutput2(host, skb, route);
  if ((skb.view.getUint16(skb.networkHeader + IPV4.FRAGMENT) & IPV4_DF) !== 0) {
    host.snmp.IpFragFails++;
    icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.FRAGMENTATION_NEEDED, mtu);
    host.skbs.drop(skb, 'ip_too_big', 'ip_fragment');
    return 'EMSGSIZE';
  }
  let errno: XmitError | undefined;
  for (const piece of ipFragment(host, skb, mtu)) errno = ipFinishOutput2(host, piece, route) ?? errno;
  return errno;
}

/** To the next hop's MAC. (Linux: ip_finish_output2) */
function ipFinishOutput2(host: Host, skb: SkBuff, route: Route): XmitError | undefined {
  const { snmp } = host;
  if (route.type === 'multicast') {
    snmp.IpExtOutMcastPkts++;
    snmp.IpExtOutMcastOctets += skb.length;
  } else if (route.type === 'broadcast') {
    snmp.IpExtOutBcastPkts++;
    snmp.IpExtOutBcastOctets += skb.length;
  }
  if (host.trace.on) host.trace.point('ip_finish_output', skb, { dev: route.dev.name });
  const neighbour = nextHop(host, route, targetOf(skb));
  if (neighbour === undefined) {
    host.snmp.IpOutDiscards++;
    host.skbs.drop(skb, 'neigh_table_full');
    return 'ENOBUFS';
  }
  return host.neighbours.output(neighbour, skb);
}
