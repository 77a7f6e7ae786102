/** Passing packets on (Linux: net/ipv4/ip_forward.c; RFC 1812 §5). Left out: router alerts for raw sockets, IPsec. */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { updateChecksum } from '../header/checksum.ts';
import { ICMP_TYPE, REDIRECT, TIME_EXCEEDED, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, IPV4_DF } from '../header/ipv4.ts';
import { tcpHeaderLength } from '../header/tcp.ts';
import type { Host } from './host.ts';
import { icmpSend, redirectAllowed } from './icmp.ts';
import { ipForwardOptions, optionsOf } from './ip-options.ts';
import { ipOutput } from './ip-output.ts';
import type { NetDevice } from './netdev.ts';
import { HOOK, nfHook } from './netfilter.ts';
import type { Route } from './route.ts';
import { dstMetric } from './route-metrics.ts';
import type { SkBuff } from './skbuff.ts';

/** Pass on a packet that is not for us. Consumes `skb`. (Linux: ip_forward) */
export function ipForward(host: Host, skb: SkBuff, dev: NetDevice, route: Route): void {
  const { snmp } = host;
  // A link broadcast or multicast is not forwarded (RFC 1812 §5.3.4).
  if (skb.packetType !== 'host') return host.skbs.drop(skb, 'ip_link_broadcast', 'ip_forward');
  const ttl = skb.view.getUint8(skb.networkHeader + IPV4.TTL);
  if (ttl <= 1) {
    snmp.IpInHdrErrors++;
    icmpSend(host, skb, ICMP_TYPE.TIME_EXCEEDED, TIME_EXCEEDED.TTL, 0);
    return host.skbs.drop(skb, 'ip_ttl_exceeded');
  }
  const options = optionsOf(skb);
  if (options?.strict === true && options.sourceRoute > 0 && route.gateway !== IPV4_ANY) {
    icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.SOURCE_ROUTE_FAILED, 0);
    return host.skbs.drop(skb, 'ip_source_route', 'ip_forward');
  }
  const mtu = forwardMtu(host, route);
  if (exceedsMtu(skb, mtu)) {
    snmp.IpFragFails++;
    icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.FRAGMENTATION_NEEDED, mtu);
    return host.skbs.drop(skb, 'ip_too_big', 'ip_forward');
  }
  host.skbs.cow(skb);
  decreaseTtl(skb);
  if (host.trace.on) host.trace.point('ip_forward', skb, { ttl: ttl - 1, in: dev.name, out: route.dev.name });
  if (route.dev === dev && (options?.sourceRoute ?? 0) === 0) sendRedirect(host, skb, dev, route);
  const passed = nfHook(host, HOOK.FORWARD, skb, dev, route.dev);
  if (passed === undefined) return;
  snmp.IpForwDatagrams++;
  if (options !== undefined) ipForwardOptions(passed, options, passed.route as Route);
  ipOutput(host, passed, passed.route as Route);
}

/** What others taught us of the path counts for our own packets alone, unless ip_forward_use_pmtu says otherwise. */
function forwardMtu(host: Host, route: Route): number {
  if (host.forwardUsesPmtu.value !== 0) return route.mtu;
  return Math.min(dstMetric(route, 'mtu') || route.dev.mtu, 65_535);
}

/** One hop less; the checksum follows by the difference (RFC 1624). (Linux: ip_decrease_ttl) */
function decreaseTtl(skb: SkBuff): void {
  const { view } = skb;
  const at = skb.networkHeader;
  const before = view.getUint16(at + IPV4.TTL);
  view.setUint16(at + IPV4.TTL, before - 0x100);
  const checksum = view.getUint16(at + IPV4.CHECKSUM);
  view.setUint16(at + IPV4.CHECKSUM, updateChecksum(checksum, before, before - 0x100));
}

/** Too long for the next link, and not to be cut. Merged segments count one by one. (Linux: ip_exceeds_mtu) */
function exceedsMtu(skb: SkBuff, mtu: number): boolean {
  if (skb.length <= mtu) return false;
  if ((skb.view.getUint16(skb.networkHeader + IPV4.FRAGMENT) & IPV4_DF) === 0) return false;
  return skb.gsoSize === 0 || gsoPacketLength(skb) > mtu;
}

/** Length of each packet that a large one will be cut into. (Linux: skb_gso_network_seglen) */
export function gsoPacketLength(skb: SkBuff): number {
  return skb.transportHeader - skb.networkHeader + tcpHeaderLength(skb.view, skb.transportHeader) + skb.gsoSize;
}

/** It leaves by the way it came: its sender could have sent it there directly. (Linux: ip_rt_send_redirect) */
function sendRedirect(host: Host, skb: SkBuff, dev: NetDevice, route: Route): void {
  const { inet } = host;
  if (!inet.either(dev.ifindex, 'send_redirects')) return;
  const source = skb.view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4;
  const target = skb.view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4;
  // Its sender is a neighbour: no gateway stands between (fib_validate_source's answer).
  const back = host.routes.lookup(source);
  if (back?.dev !== dev || back.gateway !== IPV4_ANY) return;
  if (!inet.either(dev.ifindex, 'shared_media') && !inet.onLink(dev.ifindex, source, route.gateway)) return;
  const gateway = route.gateway !== IPV4_ANY ? route.gateway : target;
  if (redirectAllowed(host, source)) icmpSend(host, skb, ICMP_TYPE.REDIRECT, REDIRECT.HOST, gateway);
}
