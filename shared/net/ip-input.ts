/**
 * IPv4 in (Linux: net/ipv4/ip_input.c): check, PRE_ROUTING, route, then up to a protocol or on to ip-forward. The
 * checks stand in ip_rcv_core's order. Options are ip-options.ts's.
 */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import { ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { checkIpv4, IPV4, IPV4_MF, IPV4_OFFSET_MASK, ipv4HeaderLength } from '../header/ipv4.ts';
import { type DropReason, dropReasonOf } from './drop.ts';
import type { Host } from './host.ts';
import { icmpSend } from './icmp.ts';
import { ipDefrag } from './ip-defrag.ts';
import { ipForward } from './ip-forward.ts';
import { ipReceiveOptions } from './ip-options.ts';
import type { NetDevice } from './netdev.ts';
import { HOOK, nfHook } from './netfilter.ts';
import { KERN } from './printk.ts';
import type { Route } from './route.ts';
import { routeInput } from './route-input.ts';
import type { SkBuff } from './skbuff.ts';

/** What ICMP said about a packet of ours. `value`: the MTU of 3/4, the pointer of 12. */
export interface IcmpInfo {
  readonly type: number;
  readonly code: number;
  readonly value: number;
  /** Who said it. */
  readonly from: Ipv4;
}

/** A transport protocol (struct net_protocol). */
export interface ProtocolHandler {
  /** skb.data and skb.transportHeader at its header, skb.networkHeader at IPv4's. Owns `skb`. */
  receive(host: Host, skb: SkBuff): void;
  /** An ICMP error quotes a packet of ours: skb.data at the quoted IPv4 header, at least 8 octets after it. Owns nothing. */
  error(host: Host, skb: SkBuff, info: IcmpInfo): void;
}

/** An IPv4 packet from a device, skb.data at its header. Consumes `skb`. (Linux: ip_rcv, ip_rcv_core) */
export function ipReceive(host: Host, skb: SkBuff, dev: NetDevice): void {
  const { snmp } = host;
  if (skb.packetType === 'otherhost') {
    dev.counters.rxOtherhost++;
    return host.skbs.drop(skb, 'packet_type_other');
  }
  snmp.IpInReceives++;
  snmp.IpExtInOctets += skb.length;
  const at = skb.data;
  // A packet that GRO merged or that is long has its payload in frags: the length check needs all of it.
  const bad = checkIpv4(skb.bytes, skb.view, at, skb.tail + skb.fragBytes);
  if (bad !== undefined) return dropMalformed(host, skb, dropReasonOf(bad.malformed, 'ip_header_too_short'));
  countEcn(host, skb.view.getUint8(at + IPV4.TOS) & 3);
  const totalLength = skb.view.getUint16(at + IPV4.TOTAL_LENGTH);
  // Ethernet pads short frames: what follows the packet is not part of it.
  if (skb.length > totalLength) {
    if (skb.frags.length > 0) host.skbs.linearize(skb);
    skb.trim(totalLength);
  }
  skb.networkHeader = skb.data;
  skb.transportHeader = skb.data + ipv4HeaderLength(skb.view, skb.data);
  if (host.trace.on) traceIp(host, 'ip_rcv', skb);
  const passed = nfHook(host, HOOK.PREROUTING, skb, dev, undefined);
  if (passed !== undefined) ipReceiveFinish(host, passed, dev);
}

function dropMalformed(host: Host, skb: SkBuff, reason: DropReason): void {
  const { snmp } = host;
  if (reason === 'ip_truncated') snmp.IpExtInTruncatedPkts++;
  else snmp.IpInHdrErrors++;
  if (reason === 'ip_bad_checksum') snmp.IpExtInCsumErrors++;
  host.skbs.drop(skb, reason);
}

function countEcn(host: Host, ecn: number): void {
  if (ecn === 0) host.snmp.IpExtInNoECTPkts++;
  else if (ecn === 1) host.snmp.IpExtInECT1Pkts++;
  else if (ecn === 2) host.snmp.IpExtInECT0Pkts++;
  else host.snmp.IpExtInCEPkts++;
}

/** After PRE_ROUTING: where does it go? What looped back knows its route already. (Linux: ip_rcv_finish) */
function ipReceiveFinish(host: Host, skb: SkBuff, dev: NetDevice): void {
  if (skb.route === undefined) {
    const reason = routeInput(host, skb, dev);
    host.routes.statistics.count(reason, skb.route);
    if (reason !== undefined) return ipError(host, skb, dev, reason);
  }
  if (skb.view.getUint8(skb.networkHeader) !== 0x45) {
    const reason = ipReceiveOptions(host, skb, dev);
    if (reason !== undefined) return host.skbs.drop(skb, reason);
  }
  const route = skb.route as Route | undefined;
  if (route === undefined) return host.skbs.drop(skb, 'ip_no_route', 'ip_rcv_finish_core');
  countGroups(host, skb, route);
  // RFC 1122 §3.3.6: a unicast packet in a link broadcast is not for us, if the administrator says so.
  if (
    route.type === 'local' &&
    skb.packetType !== 'host' &&
    skb.packetType !== 'loopback' &&
    host.inet.either(dev.ifindex, 'drop_unicast_in_l2_multicast')
  )
    return host.skbs.drop(skb, 'ip_link_broadcast');
  if (route.type === 'unicast') return ipForward(host, skb, dev, route);
  ipLocalDeliver(host, skb, dev);
}

function countGroups(host: Host, skb: SkBuff, route: Route): void {
  const { snmp } = host;
  if (route.type === 'multicast') {
    snmp.IpExtInMcastPkts++;
    snmp.IpExtInMcastOctets += skb.length;
  } else if (route.type === 'broadcast') {
    snmp.IpExtInBcastPkts++;
    snmp.IpExtInBcastOctets += skb.length;
  }
}

/** No way for it: count, tell the sender where that is due, drop. (Linux: ip_error, ip_handle_martian_source) */
function ipError(host: Host, skb: SkBuff, dev: NetDevice, reason: DropReason): void {
  if (reason === 'ip_no_route') {
    host.snmp.IpExtInNoRoutes++;
    const target = skb.view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4;
    const type = host.routes.lookup(target)?.type;
    if (type === 'prohibit') icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.FILTERED, 0);
    else if (type === 'unreachable') icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.HOST, 0);
    else if (type !== 'blackhole') icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.NET, 0);
  } else if (reason === 'ip_not_forwarding') {
    host.snmp.IpInAddrErrors++;
  } else if (reason === 'ip_invalid_source' || reason === 'ip_rpfilter') {
    if (reason === 'ip_rpfilter') host.snmp.TcpExtIPReversePathFilter++;
    martianSource(host, skb, dev);
  } else if (reason === 'ip_invalid_target') {
    martianTarget(host, skb, dev);
  }
  if (host.trace.on) host.trace.point('ip_error', skb, { dev: dev.name, reason });
  host.skbs.drop(skb, reason);
}

/** RFC 1812 §5.3.8's recommendation: say who lies, and what its frame looked like. (Linux: ip_handle_martian_source) */
function martianSource(host: Host, skb: SkBuff, dev: NetDevice): void {
  if (!host.inet.either(dev.ifindex, 'log_martians')) return;
  const { source, target } = ends(skb);
  host.log.rationed(KERN.WARNING, () => {
    const header = skb.macHeader < skb.networkHeader ? skb.bytes.subarray(skb.macHeader, skb.networkHeader) : [];
    const octets = [...header].map((octet) => octet.toString(16).padStart(2, '0')).join(' ');
    const line = octets === '' ? '' : `\nll header: 00000000: ${octets}`;
    return `IPv4: martian source ${target} from ${source}, on dev ${dev.name}${line}`;
  });
}

function martianTarget(host: Host, skb: SkBuff, dev: NetDevice): void {
  if (!host.inet.either(dev.ifindex, 'log_martians')) return;
  const { source, target } = ends(skb);
  host.log.rationed(KERN.WARNING, () => `IPv4: martian destination ${target} from ${source}, dev ${dev.name}`);
}

function ends({ view, networkHeader }: SkBuff): { source: string; target: string } {
  return {
    source: formatIpv4(view.getUint32(networkHeader + IPV4.SOURCE) as Ipv4),
    target: formatIpv4(view.getUint32(networkHeader + IPV4.TARGET) as Ipv4),
  };
}

/** For this host: make it whole, INPUT, and up. Consumes `skb`. (Linux: ip_local_deliver) */
export function ipLocalDeliver(host: Host, skb: SkBuff, dev: NetDevice): void {
  let whole: SkBuff | undefined = skb;
  const fragment = skb.view.getUint16(skb.networkHeader + IPV4.FRAGMENT);
  if ((fragment & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0) whole = ipDefrag(host, skb, 'local');
  if (whole === undefined) return;
  if (host.trace.on) traceIp(host, 'ip_local_deliver', whole);
  whole = nfHook(host, HOOK.INPUT, whole, dev, undefined);
  if (whole !== undefined) ipLocalDeliverFinish(host, whole);
}

/** Raw sockets see a copy first, then the protocol takes it. (Linux: ip_protocol_deliver_rcu) */
function ipLocalDeliverFinish(host: Host, skb: SkBuff): void {
  const protocol = skb.view.getUint8(skb.networkHeader + IPV4.PROTOCOL);
  const raw = host.rawReceive?.(skb, protocol) ?? false;
  const handler = host.protocols.get(protocol);
  skb.pull(skb.transportHeader - skb.data);
  if (handler !== undefined) {
    host.snmp.IpInDelivers++;
    return handler.receive(host, skb);
  }
  if (raw) {
    host.snmp.IpInDelivers++;
    return host.skbs.consume(skb);
  }
  host.snmp.IpInUnknownProtos++;
  icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.PROTOCOL, 0);
  host.skbs.drop(skb, 'ip_no_protocol');
}

/** Where a packet is, with what IP says of it. */
export function traceIp(host: Host, point: string, skb: SkBuff): void {
  const { view } = skb;
  const at = skb.networkHeader;
  host.trace.point(point, skb, {
    source: formatIpv4(view.getUint32(at + IPV4.SOURCE) as Ipv4),
    target: formatIpv4(view.getUint32(at + IPV4.TARGET) as Ipv4),
    protocol: view.getUint8(at + IPV4.PROTOCOL),
    ttl: view.getUint8(at + IPV4.TTL),
    length: view.getUint16(at + IPV4.TOTAL_LENGTH),
    id: view.getUint16(at + IPV4.ID),
  });
}
