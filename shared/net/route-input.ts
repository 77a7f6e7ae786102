/**
 * Routing of what came in (Linux: ip_route_input_slow, fib_validate_source): which addresses no packet may carry here,
 * whether its source is one that could have sent it, and whether it is for us, for others or for nobody. Left out:
 * broadcast forwarding, multicast routing.
 */
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4, isLoopbackIpv4, isMulticastIpv4 } from '../header/address.ts';
import { IPV4 } from '../header/ipv4.ts';
import type { DropReason } from './drop.ts';
import type { Host } from './host.ts';
import type { NetDevice } from './netdev.ts';
import { type Route, routeOf, traceLookup } from './route.ts';
import type { SkBuff } from './skbuff.ts';

/**
 * The route of a packet that came in, left in skb.route; or why it is dropped, when skb.route says nothing. The order of
 * checks is ip_route_input_slow's. 'ip_no_route' and 'ip_not_forwarding' are for the caller to tell the sender of.
 */
export function routeInput(host: Host, skb: SkBuff, dev: NetDevice): DropReason | undefined {
  const source = skb.view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4;
  const target = skb.view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4;
  if (isMulticastIpv4(target)) return inputMulticast(host, skb, dev, { source, target });
  if (isMulticastIpv4(source) || source === IPV4_BROADCAST) return 'ip_invalid_source';
  if (target === IPV4_BROADCAST || (source === IPV4_ANY && target === IPV4_ANY))
    return inputBroadcast(host, skb, dev, source);
  if (source >>> 24 === 0) return 'ip_invalid_source';
  if (target >>> 24 === 0) return 'ip_invalid_target';
  if (isLoopbackIpv4(target) && !host.inet.either(dev.ifindex, 'route_localnet')) return 'ip_invalid_target';
  if (isLoopbackIpv4(source) && !host.inet.either(dev.ifindex, 'route_localnet')) return 'ip_invalid_source';

  const entry = host.routes.lookup(target);
  if (host.trace.on && entry !== undefined) traceLookup(host, target, entry, skb);
  if (entry?.type === 'broadcast') return inputBroadcast(host, skb, dev, source);
  if (entry?.type === 'local') {
    const martian = validateSource(host, dev, source);
    if (martian !== undefined) return martian;
    skb.route = routeOf(host, entry, target);
    return undefined;
  }
  if (!host.inet.forwarding(dev.ifindex)) return 'ip_not_forwarding';
  if (entry === undefined || entry.dev === undefined) return 'ip_no_route';
  const martian = validateSource(host, dev, source);
  if (martian !== undefined) return martian;
  skb.route = routeOf(host, entry, target);
  return undefined;
}

function inputBroadcast(host: Host, skb: SkBuff, dev: NetDevice, source: Ipv4): DropReason | undefined {
  if (source !== IPV4_ANY) {
    const martian = validateSource(host, dev, source);
    if (martian !== undefined) return martian;
  }
  skb.route = host.routes.inputRoute(dev, 'broadcast');
  return undefined;
}

/** Only groups that a socket joined, and 224.0.0.1. (Linux: ip_route_input_mc) */
function inputMulticast(
  host: Host,
  skb: SkBuff,
  dev: NetDevice,
  { source, target }: { source: Ipv4; target: Ipv4 },
): DropReason | undefined {
  if (!host.inet.isMember(dev.ifindex, target)) return 'ip_not_member';
  if (isMulticastIpv4(source) || source === IPV4_BROADCAST || isLoopbackIpv4(source)) return 'ip_invalid_source';
  if (source !== IPV4_ANY) {
    const martian = validateSource(host, dev, source);
    if (martian !== undefined) return martian;
  }
  skb.route = host.routes.inputRoute(dev, 'multicast');
  return undefined;
}

/** A source may not be ours, and with rp_filter its way back is this device. (Linux: fib_validate_source) */
export function validateSource(host: Host, dev: NetDevice, source: Ipv4): DropReason | undefined {
  const entry = host.routes.lookup(source);
  if (entry?.table === 'local') {
    if (entry.type !== 'local') return 'ip_invalid_source';
    if (!host.inet.either(dev.ifindex, 'accept_local')) return 'ip_invalid_source';
    const here = entry.dev === dev || dev.kind === 'loopback';
    return !here && host.inet.larger(dev.ifindex, 'rp_filter') === 1 ? 'ip_rpfilter' : undefined;
  }
  const filter = host.inet.larger(dev.ifindex, 'rp_filter');
  if (filter === 0) return undefined;
  const back = entry === undefined || entry.type !== 'unicast' ? undefined : entry.dev;
  if (back === dev) return undefined;
  return filter === 1 || back === undefined ? 'ip_rpfilter' : undefined;
}

/**
 * The way that a packet of `asker` to `target` would go, for ARP to see whether to answer: to us, or on; undefined when it
 * would be dropped. (arp_process's ip_route_input)
 */
export function routeInputAnswer(host: Host, target: Ipv4, asker: Ipv4, dev: NetDevice): Route | undefined {
  if (isMulticastIpv4(asker) || asker === IPV4_BROADCAST || asker >>> 24 === 0 || isLoopbackIpv4(asker))
    return undefined;
  const entry = host.routes.lookup(target);
  if (entry === undefined || entry.dev === undefined || entry.type === 'broadcast') return undefined;
  if (entry.type !== 'local' && !host.inet.forwarding(dev.ifindex)) return undefined;
  return validateSource(host, dev, asker) === undefined ? routeOf(host, entry, target) : undefined;
}
