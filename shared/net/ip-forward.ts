/** Passing packets on (Linux: net/ipv4/ip_forward.c; RFC 1812 §5). Left out: source routes, router alert, IPsec. */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { updateChecksum } from '../header/checksum.ts';
import { ICMP_TYPE, REDIRECT, TIME_EXCEEDED, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, IPV4_DF } from '../header/ipv4.ts';
import { tcpHeaderLength } from '../header/tcp.ts';
import type { Host } from './host.ts';
import { icmpSend, redirectAllowed } from './icmp.ts';
import { ipOutput } from './ip-output.ts';
import type { NetDevice } from './netdev.ts';
import { HOOK, nfHook } from './netfilter.ts';
import type { Route } from './route.ts';
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
  if (exceedsMtu(skb, route.mtu)) {
    snmp.IpFragFails++;
    icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.FRAGMENTATION_NEEDED, route.mtu);
    return host.skbs.drop(skb, 'ip_too_big', 'ip_forward');
  }
  host.skbs.cow(skb);
  decreaseTtl(skb);
  if (host.trace.on) host.trace.point('ip_forward', skb, { ttl: ttl - 1, in: dev.name, out: route.dev.name });
  if (route.dev === dev) sendRedirect(host, skb, dev, route);
  const passed = nfHook(host, HOOK.FORWARD, skb, dev, route.dev);
  if (passed === undefined) return;
  snmp.IpForwDatagrams++;
  ipOutput(host, passed, passed.route as Route);
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
  const gateway = route.gateway !== IPV4_ANY ? route.gateway : target;
  if (!inet.either(dev.ifindex, 'shared_media') && !inet.onLink(dev.ifindex, source, gateway)) return;
  if (redirectAllowed(host, source)) icmpSend(host, skb, ICMP_TYPE.REDIRECT, REDIRECT.HOST, gateway);
}
