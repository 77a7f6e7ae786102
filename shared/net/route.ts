/**
 * Routing decisions (Linux: net/ipv4/route.c): what the tables say of a packet that leaves or came in, which source it
 * speaks from, and what ICMP taught since (path MTU, redirects). A `Route` belongs to a table entry, not to a target:
 * nothing is allocated per packet. Left out: multipath, source routing.
 */
import { formatIpv4, IPV4_ANY, IPV4_BROADCAST, IPV4_LOOPBACK, type Ipv4, isMulticastIpv4 } from '../header/address.ts';
import { type Micros, SECOND } from '../platform.ts';
import { isErrno, type Result } from './errno.ts';
import type { FibEntry, RouteScope } from './fib.ts';
import type { Host } from './host.ts';
import type { Neighbour } from './neighbour.ts';
import type { NetDevice } from './netdev.ts';
import type { RouteType } from './netlink.ts';
import { ADVMSS_MIN, type RouteMetrics } from './route-metrics.ts';
import type { SkBuff } from './skbuff.ts';

/** Linux: net.ipv4.route.{min_pmtu,mtu_expires,gc_timeout}: octets, seconds, seconds. */
const PMTU_MIN = 552;
const PMTU_EXPIRES_SECONDS = 600;
const REDIRECT_EXPIRES_SECONDS = 300;
/** Linux: FNHE_RECLAIM_DEPTH * FNHE_HASH_SIZE, about. */
const EXCEPTIONS_PER_ROUTE_MAX = 2_048;

/** Where a packet goes next (struct rtable). Shared by all packets of a table entry. */
export class Route {
  readonly type: RouteType;
  readonly dev: NetDevice;
  /** 0 when the target itself is on the link. */
  readonly gateway: Ipv4;
  /** What to speak from when the sender does not care. */
  readonly source: Ipv4;
  readonly mtu: number;
  /** `mtu lock`, or a path narrower than min_pmtu: DF is left off, and routers cut as they need (RTAX_MTU locked). */
  readonly mtuLocked: boolean;
  readonly scope: RouteScope;
  readonly generation: number;
  /** Lab time until which this holds; infinite unless ICMP taught it. */
  readonly expires: Micros;
  readonly entry: FibEntry | undefined;
  readonly metrics: RouteMetrics | undefined;
  /** For a gateway: its neighbour entry, found once. */
  neighbour: Neighbour | undefined = undefined;

  constructor(fields: {
    type: RouteType;
    dev: NetDevice;
    gateway: Ipv4;
    source: Ipv4;
    mtu: number;
    mtuLocked?: boolean;
    scope: RouteScope;
    generation: number;
    expires: Micros;
    entry: FibEntry | undefined;
  }) {
    this.type = fields.type;
    this.dev = fields.dev;
    this.gateway = fields.gateway;
    this.source = fields.source;
    this.mtu = fields.mtu;
    this.mtuLocked = fields.mtuLocked ?? false;
    this.scope = fields.scope;
    this.generation = fields.generation;
    this.expires = fields.expires;
    this.entry = fields.entry;
    this.metrics = fields.entry?.metrics;
  }

  get ifindex(): number {
    return this.dev.ifindex;
  }
}

/** What ICMP taught of one target (struct fib_nh_exception). */
export interface RouteException {
  gateway: Ipv4;
  /** 0 when only the gateway was learned. */
  mtu: number;
  locked: boolean;
  expires: Micros;
  route: Route | undefined;
}

export interface RouteQuery {
  readonly target: Ipv4;
  readonly source?: Ipv4 | undefined;
  readonly ifindex?: number | undefined;
  readonly mark?: number | undefined;
}

/** The MTU of a route now: what the route or ICMP says, else the device's (dst_mtu). */
export function dstMtu(route: Route): number {
  const fixed = Number.isFinite(route.expires) || route.metrics?.mtu !== undefined;
  return fixed ? route.mtu : Math.min(route.dev.mtu, 65_535);
}

/** Whether a route that was kept still holds (dst_check). */
export function routeValid(host: Host, route: Route): boolean {
  return route.generation === host.routes.generation && host.clock.now() < route.expires;
}

/** The route of a packet that this host sends. (Linux: ip_route_output_key_hash_rcu) */
export function routeOutput(host: Host, query: RouteQuery): Result<Route> {
  let { target } = query;
  const source = query.source ?? IPV4_ANY;
  const ifindex = query.ifindex ?? 0;
  const toGroup = isMulticastIpv4(target) || target === IPV4_BROADCAST;
  if (source !== IPV4_ANY) {
    if (isMulticastIpv4(source) || source === IPV4_BROADCAST || source >>> 24 === 0) return 'EINVAL';
    const owner = host.inet.findDevice(source);
    if (owner === undefined && addressType(host, source) !== 'local') return 'EINVAL';
    // Where to broadcast is said by whom one speaks as, when no device is given.
    if (ifindex === 0 && toGroup && owner !== undefined) return groupRoute(host, owner, target);
  }
  if (ifindex !== 0) {
    const dev = host.devices.byIndex(ifindex);
    if (dev === undefined) return 'ENODEV';
    if (!dev.up || host.inet.device(ifindex) === undefined) return 'ENETUNREACH';
    if (toGroup) return groupRoute(host, dev, target);
  }
  if (target === IPV4_ANY) target = source !== IPV4_ANY ? source : IPV4_LOOPBACK;
  const entry = host.routes.lookup(target, ifindex);
  if (entry === undefined) {
    const dev = host.devices.byIndex(ifindex);
    // A device was asked for and no route leads out of it: assume that the target is on its link.
    return dev === undefined ? 'ENETUNREACH' : onLinkRoute(host, dev, target);
  }
  if (host.trace.on) traceLookup(host, target, entry);
  return outputRouteOf(host, entry, target, toGroup);
}

function outputRouteOf(host: Host, entry: FibEntry, target: Ipv4, toGroup: boolean): Result<Route> {
  if (entry.type === 'unreachable') return 'EHOSTUNREACH';
  if (entry.type === 'blackhole') return 'EINVAL';
  if (entry.type === 'prohibit') return 'EACCES';
  if (entry.dev === undefined) return 'ENETUNREACH';
  if (target >>> 24 === 0) return 'EINVAL';
  if (toGroup) return groupRoute(host, entry.dev, target);
  return routeOf(host, entry, target) ?? 'ENETUNREACH';
}

/** The route of an entry, or of what was learned about the target since. */
export function routeOf(host: Host, entry: FibEntry, target: Ipv4): Route | undefined {
  if (entry.exceptions !== undefined) {
    const learned = exceptionRoute(host, entry, target);
    if (learned !== undefined) return learned;
  }
  const { route } = entry;
  if (route !== undefined && route.generation === host.routes.generation) return route;
  return (entry.route = makeRoute(host, entry));
}

function makeRoute(host: Host, entry: FibEntry, exception?: RouteException): Route | undefined {
  // What is for this host itself goes by lo, whichever device has the address.
  const dev = entry.type === 'local' ? host.devices.byIndex(1) : entry.dev;
  if (dev === undefined || entry.dev === undefined) return undefined;
  const gateway = exception !== undefined && exception.gateway !== IPV4_ANY ? exception.gateway : entry.gateway;
  const scope = entry.type === 'local' ? 'host' : entry.scope;
  const source =
    entry.source !== IPV4_ANY
      ? entry.source
      : host.inet.selectAddress(entry.dev, gateway, scope === 'host' ? 'host' : 'global');
  const full = Math.min(entry.metrics?.mtu || dev.mtu, 65_535);
  return new Route({
    type: entry.type,
    dev,
    gateway,
    source,
    mtu: exception !== undefined && exception.mtu > 0 ? Math.min(exception.mtu, full) : full,
    mtuLocked: (exception?.locked ?? false) || (entry.metrics?.locked?.includes('mtu') ?? false),
    scope,
    generation: host.routes.generation,
    expires: exception?.expires ?? Number.POSITIVE_INFINITY,
    entry,
  });
}

function exceptionRoute(host: Host, entry: FibEntry, target: Ipv4): Route | undefined {
  const exception = entry.exceptions?.get(target | 0);
  if (exception === undefined) return undefined;
  if (host.clock.now() >= exception.expires) {
    entry.exceptions?.delete(target | 0);
    return undefined;
  }
  const { route } = exception;
  if (route !== undefined && route.generation === host.routes.generation) return route;
  return (exception.route = makeRoute(host, entry, exception));
}

/** To 255.255.255.255 or a multicast group out of a device. */
function groupRoute(host: Host, dev: NetDevice, target: Ipv4): Route {
  return looseRoute(host, dev, isMulticastIpv4(target) ? 'multicast' : 'broadcast', target);
}

function onLinkRoute(host: Host, dev: NetDevice, target: Ipv4): Route {
  return looseRoute(host, dev, 'unicast', target);
}

/** A route that no table entry stands for. Rare: made on the spot. */
function looseRoute(host: Host, dev: NetDevice, type: RouteType, target: Ipv4): Route {
  return new Route({
    type,
    dev,
    gateway: IPV4_ANY,
    source: host.inet.selectAddress(dev, type === 'unicast' ? target : IPV4_ANY, 'link'),
    mtu: Math.min(dev.mtu, 65_535),
    scope: 'link',
    generation: host.routes.generation,
    expires: Number.POSITIVE_INFINITY,
    entry: undefined,
  });
}

/** What we would speak to `target` from, when it was not said: the address it knows us by. (fib_compute_spec_dst) */
export function reverseSource(host: Host, target: Ipv4): Ipv4 {
  const route = routeOutput(host, { target });
  return isErrno(route) ? IPV4_ANY : route.source;
}

/** Whether an address is one of this host's own. */
export function localAddressOf(host: Host, address: Ipv4): boolean {
  return host.routes.addressType(address) === 'local';
}

/** An address of ours, or any with ip_nonlocal_bind. (Linux: inet_addr_valid_or_nonlocal) */
export function mayBindTo(host: Host, address: Ipv4): boolean {
  return host.nonlocalBind.value !== 0 || localAddressOf(host, address);
}

export function addressType(host: Host, address: Ipv4): 'local' | 'broadcast' | 'multicast' | 'unicast' {
  return host.routes.addressType(address);
}

/** The neighbour that a packet for `target` goes by, kept with the route when it is a gateway. */
export function nextHop(host: Host, route: Route, target: Ipv4): Neighbour | undefined {
  if (route.gateway !== IPV4_ANY) {
    const { neighbour } = route;
    if (neighbour !== undefined && !neighbour.dead) return neighbour;
    return (route.neighbour = host.neighbours.obtain(route.dev, route.gateway));
  }
  if (route.type === 'broadcast') return host.neighbours.obtain(route.dev, IPV4_BROADCAST);
  return host.neighbours.obtain(route.dev, target);
}

/** The upper layer got an answer over this route: its next hop is alive. (Linux: dst_confirm, neigh_confirm) */
export function neighConfirm(host: Host, route: Route, target: Ipv4): void {
  const neighbour = host.neighbours.lookup(route.dev, route.gateway !== IPV4_ANY ? route.gateway : target);
  if (neighbour !== undefined) host.neighbours.confirm(neighbour);
}

export interface RouteSettings {
  readonly pmtuMin: { value: number };
  readonly pmtuExpires: { value: number };
  readonly redirectExpires: { value: number };
  readonly advmssMin: { value: number };
  readonly noPmtuDisc: { value: number };
}

export function registerRouteSysctls(host: Host): RouteSettings {
  host.sysctl.trigger('net.ipv4.route.flush', () => host.routes.flushCache());
  return {
    pmtuMin: host.sysctl.number('net.ipv4.route.min_pmtu', PMTU_MIN, { min: 68 }),
    pmtuExpires: host.sysctl.number('net.ipv4.route.mtu_expires', PMTU_EXPIRES_SECONDS, { min: 1 }),
    noPmtuDisc: host.sysctl.number('net.ipv4.ip_no_pmtu_disc', 0, { min: 0, max: 3 }),
    advmssMin: host.sysctl.number('net.ipv4.route.min_adv_mss', ADVMSS_MIN, { min: 0 }),
    redirectExpires: host.sysctl.number('net.ipv4.route.gc_timeout', REDIRECT_EXPIRES_SECONDS, { min: 1 }),
  };
}

/** A router said that packets to `target` must not be longer than `mtu`. (Linux: __ip_rt_update_pmtu) */
export function ipUpdatePmtu(host: Host, target: Ipv4, mtu: number): void {
  const route = routeOutput(host, { target });
  if (isErrno(route) || route.entry === undefined || route.type !== 'unicast') return;
  const { pmtuMin, pmtuExpires } = host.routes.settings;
  if (mtu >= route.mtu || route.mtuLocked) return;
  const locked = mtu < pmtuMin.value;
  learn(host, route.entry, target, {
    gateway: IPV4_ANY,
    mtu: locked ? Math.min(route.mtu, pmtuMin.value) : mtu,
    locked,
    expires: host.clock.now() + pmtuExpires.value * SECOND,
  });
}

/** A better gateway for one target, from the gateway in use. (Linux: __ip_do_redirect; RFC 1122 §3.3.1.2) */
export function ipDoRedirect(host: Host, dev: NetDevice, from: Ipv4, target: Ipv4, gateway: Ipv4): void {
  const { inet } = host;
  const route = routeOutput(host, { target });
  if (isErrno(route) || route.entry === undefined || route.dev !== dev || route.gateway !== from) return;
  if (gateway === from || !inet.acceptsRedirects(dev.ifindex)) return;
  if (isMulticastIpv4(gateway) || gateway === IPV4_BROADCAST || gateway >>> 24 === 0) return;
  if (!inet.either(dev.ifindex, 'shared_media')) {
    if (!inet.onLink(dev.ifindex, gateway, from)) return;
    // Only to a gateway that this host has anyway.
    if (inet.either(dev.ifindex, 'secure_redirects') && !host.routes.isDefaultGateway(gateway, dev)) return;
  } else if (addressType(host, gateway) !== 'unicast' || !inet.onLink(dev.ifindex, gateway, IPV4_ANY)) return;
  const neighbour = host.neighbours.obtain(dev, gateway);
  if (neighbour === undefined) return;
  if (!neighbour.valid) host.neighbours.solicit(neighbour);
  learn(host, route.entry, target, {
    gateway,
    mtu: 0,
    locked: false,
    expires: host.clock.now() + host.routes.settings.redirectExpires.value * SECOND,
  });
}

/** (Linux: update_or_create_fnhe) */
function learn(host: Host, entry: FibEntry, target: Ipv4, news: Omit<RouteException, 'route'>): void {
  const exceptions = (entry.exceptions ??= new Map());
  const old = exceptions.get(target | 0);
  if (old === undefined && exceptions.size >= EXCEPTIONS_PER_ROUTE_MAX) {
    const [oldest] = exceptions.keys();
    if (oldest !== undefined) exceptions.delete(oldest);
  }
  exceptions.set(target | 0, {
    gateway: news.gateway !== IPV4_ANY ? news.gateway : (old?.gateway ?? IPV4_ANY),
    mtu: news.mtu > 0 ? news.mtu : (old?.mtu ?? 0),
    locked: news.mtu > 0 ? news.locked : (old?.locked ?? false),
    expires: news.expires,
    route: undefined,
  });
  host.routes.bump();
}

export function traceLookup(host: Host, target: Ipv4, entry: FibEntry, skb?: SkBuff): void {
  host.trace.point('fib_table_lookup', skb, {
    target: formatIpv4(target),
    prefix: `${formatIpv4(entry.target)}/${entry.prefix}`,
    type: entry.type,
    gateway: entry.gateway === IPV4_ANY ? '' : formatIpv4(entry.gateway),
    dev: entry.dev?.name ?? '',
    metric: entry.metric,
  });
}
