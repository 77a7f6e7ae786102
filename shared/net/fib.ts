/**
 * The routing tables (Linux: net/ipv4/fib_*.c): `local` first, then `main`, each a map per prefix length, so that the
 * longest match is found by asking the lengths in use from the longest down. Left out: multipath, policy rules, TOS.
 */
import {
  broadcastOf,
  IPV4_ANY,
  IPV4_BROADCAST,
  type Ipv4,
  isLoopbackIpv4,
  isMulticastIpv4,
  maskOf,
  networkOf,
} from '../header/address.ts';
import type { DropReason } from './drop.ts';
import type { Errno, Result } from './errno.ts';
import type { Host } from './host.ts';
import type { InetAddress } from './inet-address.ts';
import type { NetDevice } from './netdev.ts';
import type { RouteRecord, RouteType } from './netlink.ts';
import { Route, type RouteException, type RouteSettings, registerRouteSysctls } from './route.ts';
import type { RouteMetrics } from './route-metrics.ts';

/** Routes per table: enough for any lab, a bound for a mistake. */
export const ROUTES_MAX = 65_536;
/** Answers kept of the last targets looked up; forgotten at any change. */
const LOOKUP_CACHE_MAX = 4_096;

export type RouteScope = RouteRecord['scope'];

/** One route (struct fib_alias with its fib_info and only nexthop). */
export interface FibEntry {
  readonly table: 'local' | 'main';
  readonly type: RouteType;
  readonly target: Ipv4;
  readonly prefix: number;
  /** 0 for a target on the link. */
  readonly gateway: Ipv4;
  /** Undefined for unreachable, blackhole and prohibit. */
  readonly dev: NetDevice | undefined;
  /** `src`: what to speak from, or 0. */
  readonly source: Ipv4;
  readonly metric: number;
  readonly scope: RouteScope;
  readonly protocol: RouteRecord['protocol'];
  /** mtu, advmss, initcwnd … when any is set. */
  readonly metrics: RouteMetrics | undefined;
  /** RTNH_F_LINKDOWN. */
  linkdown: boolean;
  /** What routeOutput and routeInput hand out for it; made anew when the generation changes. */
  route: Route | undefined;
  /** What ICMP taught about single targets: path MTU, a better gateway. */
  exceptions: Map<number, RouteException> | undefined;
}

export interface RouteSpec {
  readonly type?: RouteType | undefined;
  readonly target: Ipv4;
  readonly prefix: number;
  readonly gateway?: Ipv4 | undefined;
  readonly dev?: NetDevice | undefined;
  readonly source?: Ipv4 | undefined;
  readonly metric?: number | undefined;
  readonly metrics?: RouteMetrics | undefined;
  readonly scope?: RouteScope | undefined;
  readonly protocol?: RouteRecord['protocol'] | undefined;
  readonly table?: 'local' | 'main';
}

class FibTable {
  /** By prefix length, then network as a signed number; entries of one prefix in the order of their metrics. */
  readonly byPrefix: (Map<number, FibEntry[]> | undefined)[] = [];
  /** Lengths in use, longest first. */
  lengths: number[] = [];
  size = 0;

  at(target: Ipv4, prefix: number): FibEntry[] | undefined {
    return this.byPrefix[prefix]?.get(networkOf(target, prefix) | 0);
  }

  insert(entry: FibEntry): void {
    let map = this.byPrefix[entry.prefix];
    if (map === undefined) {
      this.byPrefix[entry.prefix] = map = new Map();
      this.lengths = [...this.lengths, entry.prefix].sort((a, b) => b - a);
    }
    const key = entry.target | 0;
    const list = map.get(key) ?? [];
    const at = list.findIndex((other) => other.metric > entry.metric);
    map.set(key, at < 0 ? [...list, entry] : [...list.slice(0, at), entry, ...list.slice(at)]);
    this.size++;
  }

  remove(entry: FibEntry): void {
    const map = this.byPrefix[entry.prefix];
    const rest = map?.get(entry.target | 0)?.filter((other) => other !== entry);
    if (map === undefined || rest === undefined) return;
    this.size--;
    if (rest.length > 0) map.set(entry.target | 0, rest);
    else map.delete(entry.target | 0);
    if (map.size > 0) return;
    this.byPrefix[entry.prefix] = undefined;
    this.lengths = this.lengths.filter((length) => length !== entry.prefix);
  }

  /** In the order of `ip route`: shorter prefixes after the default, by network, then metric. */
  list(): FibEntry[] {
    const all = this.byPrefix.flatMap((map) => (map === undefined ? [] : [...map.values()].flat()));
    return all.sort((a, b) => a.target - b.target || a.prefix - b.prefix || a.metric - b.metric);
  }
}

/** /proc/net/stat/rt_cache: packets that came in, by what the routing made of them (struct rt_cache_stat). */
class RouteStatistics {
  inSlow = 0;
  inMulticast = 0;
  inNoRoute = 0;
  inBroadcast = 0;
  inMartianTarget = 0;
  inMartianSource = 0;

  /** A packet that came in got this route, or none for that reason (RT_CACHE_STAT_INC). */
  count(reason: DropReason | undefined, route: unknown): void {
    if (reason === undefined) {
      const type = route instanceof Route ? route.type : 'unicast';
      if (type === 'multicast') this.inMulticast++;
      else if (type === 'broadcast') this.inBroadcast++;
      else this.inSlow++;
    } else if (reason === 'ip_invalid_source') this.inMartianSource++;
    else if (reason === 'ip_invalid_target') this.inMartianTarget++;
    else if (reason === 'ip_no_route' || reason === 'ip_not_forwarding') this.inNoRoute++;
  }
}

export class Fib {
  readonly statistics = new RouteStatistics();
  /** Changes whenever a route handed out earlier may be wrong now (rt_genid). */
  generation = 1;
  readonly local = new FibTable();
  readonly main = new FibTable();
  private readonly host: Host;
  private readonly cache = new Map<number, FibEntry>();
  /** For broadcast and multicast that come in, by ifindex. */
  private readonly inputRoutes = new Map<number, { broadcast: Route; multicast: Route }>();
  readonly settings: RouteSettings;

  constructor(host: Host) {
    this.host = host;
    this.settings = registerRouteSysctls(host);
    host.devices.watch((event, dev) => {
      if (event === 'up') this.deviceUp(dev);
      else if (event === 'down' || event === 'unregister') this.flushDevice(dev);
      else if (event === 'change') this.setLinkdown(dev, !dev.carrier);
      this.bump();
    });
    host.inet.watch((event, address) => {
      if (event === 'add') this.addAddress(address);
      else this.deleteAddress(address);
    });
  }

  /** What ICMP taught is forgotten: `ip route flush cache` (rt_cache_flush). */
  flushCache(): void {
    for (const table of [this.local, this.main]) for (const entry of table.list()) entry.exceptions = undefined;
    this.bump();
  }

  /** Everything that was cached is out of date. */
  bump(): void {
    this.generation++;
    this.cache.clear();
  }

  /** The best route to a target. `ifindex` 0 for any device. (Linux: fib_lookup, fib_table_lookup) */
  lookup(target: Ipv4, ifindex = 0): FibEntry | undefined {
    if (ifindex !== 0) return this.search(this.local, target, ifindex) ?? this.search(this.main, target, ifindex);
    const cached = this.cache.get(target | 0);
    if (cached !== undefined) return cached;
    const found = this.search(this.local, target, 0) ?? this.search(this.main, target, 0);
    if (found === undefined) return undefined;
    if (this.cache.size >= LOOKUP_CACHE_MAX) this.cache.clear();
    this.cache.set(target | 0, found);
    return found;
  }

  /** The route of a broadcast or multicast packet that came in by a device: up to whoever listens. */
  inputRoute(dev: NetDevice, type: 'broadcast' | 'multicast'): Route {
    let both = this.inputRoutes.get(dev.ifindex);
    if (both === undefined || both.broadcast.generation !== this.generation) {
      both = { broadcast: this.groupInput(dev, 'broadcast'), multicast: this.groupInput(dev, 'multicast') };
      this.inputRoutes.set(dev.ifindex, both);
    }
    return both[type];
  }

  private groupInput(dev: NetDevice, type: 'broadcast' | 'multicast'): Route {
    return new Route({
      type,
      dev,
      gateway: IPV4_ANY,
      source: IPV4_ANY,
      mtu: dev.mtu,
      scope: 'link',
      generation: this.generation,
      expires: Number.POSITIVE_INFINITY,
      entry: undefined,
    });
  }

  private search(table: FibTable, target: Ipv4, ifindex: number): FibEntry | undefined {
    for (const prefix of table.lengths) {
      const list = table.byPrefix[prefix]?.get(target & maskOf(prefix));
      if (list === undefined) continue;
      for (const entry of list) if (this.usable(entry, ifindex)) return entry;
    }
    return undefined;
  }

  private usable(entry: FibEntry, ifindex: number): boolean {
    if (entry.dev === undefined) return true;
    if (ifindex !== 0 && entry.dev.ifindex !== ifindex) return false;
    return !entry.linkdown || !this.host.inet.either(entry.dev.ifindex, 'ignore_routes_with_linkdown');
  }

  /** Whether a default route leads by way of `gateway`. (Linux: ip_fib_check_default) */
  isDefaultGateway(gateway: Ipv4, dev: NetDevice): boolean {
    return (this.main.at(IPV4_ANY, 0) ?? []).some((entry) => entry.gateway === gateway && entry.dev === dev);
  }

  /** ip route add, replace. (Linux: fib_table_insert, fib_create_info) */
  add(spec: RouteSpec, how: 'create' | 'replace' | 'change' | 'append' = 'create'): Errno | undefined {
    const entry = this.check(spec);
    if (typeof entry === 'string') return entry;
    const table = entry.table === 'local' ? this.local : this.main;
    const same = table.at(entry.target, entry.prefix)?.filter((other) => other.metric === entry.metric) ?? [];
    if (how === 'create' && same.length > 0) return 'EEXIST';
    if (how === 'change' && same.length === 0) return 'ENOENT';
    if (table.size >= ROUTES_MAX) return 'ENOBUFS';
    if ((how === 'replace' || how === 'change') && same[0] !== undefined) table.remove(same[0]);
    table.insert(entry);
    this.bump();
    return undefined;
  }

  /** ip route del: the first that fits what was given. (Linux: fib_table_delete) */
  delete(spec: RouteSpec): Errno | undefined {
    const table = spec.table === 'local' ? this.local : this.main;
    const found = table.at(spec.target, spec.prefix)?.find((entry) => {
      if (entry.target !== networkOf(spec.target, spec.prefix)) return false;
      if (spec.type !== undefined && entry.type !== spec.type) return false;
      if (spec.metric !== undefined && spec.metric !== 0 && entry.metric !== spec.metric) return false;
      if (spec.gateway !== undefined && entry.gateway !== spec.gateway) return false;
      return spec.dev === undefined || entry.dev === spec.dev;
    });
    if (found === undefined) return 'ESRCH';
    table.remove(found);
    this.bump();
    return undefined;
  }

  /** Sound the parts of a new route out and resolve its device. (Linux: fib_create_info, fib_check_nh) */
  private check(spec: RouteSpec): Result<FibEntry> {
    const type = spec.type ?? 'unicast';
    const { target, prefix } = spec;
    if (prefix < 0 || prefix > 32 || networkOf(target, prefix) !== target) return 'EINVAL';
    const rejecting = type === 'unreachable' || type === 'blackhole' || type === 'prohibit';
    let { dev } = spec;
    if (rejecting) {
      if (spec.gateway !== undefined || dev !== undefined) return 'EINVAL';
    } else if (spec.gateway !== undefined && spec.gateway !== IPV4_ANY) {
      const resolved = this.resolveGateway(spec.gateway, dev);
      if (typeof resolved === 'string') return resolved;
      dev = resolved;
    } else if (dev === undefined) {
      return 'ENODEV';
    }
    if (dev !== undefined && !dev.up && type !== 'local') return 'ENETDOWN';
    if (spec.source !== undefined && spec.source !== IPV4_ANY && this.host.inet.findDevice(spec.source) === undefined)
      return 'EINVAL';
    const viaGateway = (spec.gateway ?? IPV4_ANY) !== IPV4_ANY;
    return {
      table: spec.table ?? 'main',
      type,
      target,
      prefix,
      gateway: spec.gateway ?? IPV4_ANY,
      dev,
      source: spec.source ?? IPV4_ANY,
      metric: spec.metric ?? 0,
      scope: spec.scope ?? (type === 'local' ? 'host' : viaGateway || rejecting ? 'global' : 'link'),
      protocol: spec.protocol ?? 'boot',
      metrics: spec.metrics,
      linkdown: dev !== undefined && type !== 'local' && !dev.carrier,
      route: undefined,
      exceptions: undefined,
    };
  }

  /** A gateway must be a neighbour: its own route leads out of a device directly. (Linux: fib_check_nh_v4_gw) */
  private resolveGateway(gateway: Ipv4, dev: NetDevice | undefined): Result<NetDevice> {
    const ifindex = dev?.ifindex ?? 0;
    const find = (table: FibTable) => {
      for (const prefix of table.lengths) {
        for (const entry of table.byPrefix[prefix]?.get(gateway & maskOf(prefix)) ?? [])
          if (ifindex === 0 || entry.dev?.ifindex === ifindex) return entry;
      }
      return undefined;
    };
    const entry = find(this.local) ?? find(this.main);
    if (entry === undefined || entry.dev === undefined) return 'ENETUNREACH';
    if (entry.type !== 'unicast') return 'EINVAL';
    if (entry.gateway !== IPV4_ANY) return 'ENETUNREACH';
    return entry.dev.up ? entry.dev : 'ENETDOWN';
  }

  /** An address brings its own route, its subnet's and the broadcast's. (Linux: fib_add_ifaddr) */
  private addAddress(address: InetAddress): void {
    const { dev, prefix } = address;
    this.addMagic('local', 'local', address.address, 32, address);
    if (dev.up) this.addSubnet(address, prefix);
    this.bump();
  }

  private addSubnet(address: InetAddress, prefix: number): void {
    const { dev } = address;
    const { broadcast } = address;
    if (broadcast !== undefined && broadcast !== IPV4_BROADCAST)
      this.addMagic('local', 'broadcast', broadcast, 32, address);
    const network = networkOf(address.address, prefix);
    if (address.secondary || (network === address.address && prefix === 32)) return;
    if (network >>> 24 !== 0) {
      const loopback = dev.kind === 'loopback';
      this.addMagic(loopback ? 'local' : 'main', loopback ? 'local' : 'unicast', network, prefix, address);
    }
    if (prefix < 31) this.addMagic('local', 'broadcast', broadcastOf(network, prefix), 32, address);
  }

  /** (Linux: fib_magic) */
  private addMagic(table: 'local' | 'main', type: RouteType, target: Ipv4, prefix: number, address: InetAddress): void {
    const scope = type === 'local' ? 'host' : 'link';
    const { dev } = address;
    const to = table === 'local' ? this.local : this.main;
    const there = to.at(target, prefix)?.some((e) => e.type === type && e.dev === dev && e.source === address.address);
    if (there === true) return;
    to.insert({
      table,
      type,
      target,
      prefix,
      gateway: IPV4_ANY,
      dev,
      source: address.address,
      metric: 0,
      scope,
      protocol: 'kernel',
      metrics: undefined,
      linkdown: scope !== 'host' && !dev.carrier,
      route: undefined,
      exceptions: undefined,
    });
  }

  /** The routes that an address brought go, and those that speak from it. (Linux: fib_del_ifaddr, fib_sync_down_addr) */
  private deleteAddress(address: InetAddress): void {
    for (const table of [this.local, this.main]) {
      for (const entry of table.list()) {
        if (entry.source === address.address && entry.dev === address.dev) table.remove(entry);
      }
    }
    // Another address of the subnet keeps the subnet's routes alive.
    for (const other of this.host.inet.device(address.dev.ifindex)?.addresses ?? []) {
      this.addMagic('local', 'local', other.address, 32, other);
      if (other.dev.up) this.addSubnet(other, other.prefix);
    }
    this.bump();
  }

  private deviceUp(dev: NetDevice): void {
    for (const address of this.host.inet.device(dev.ifindex)?.addresses ?? []) this.addAddress(address);
    this.setLinkdown(dev, !dev.carrier);
  }

  /** The device went down: its routes are gone, static ones too. (Linux: fib_disable_ip, fib_flush) */
  private flushDevice(dev: NetDevice): void {
    for (const table of [this.local, this.main])
      for (const entry of table.list()) if (entry.dev === dev) table.remove(entry);
  }

  /** Carrier: routes stay, marked; own addresses are never linkdown. (Linux: fib_sync_down_dev, fib_sync_up) */
  private setLinkdown(dev: NetDevice, linkdown: boolean): void {
    for (const table of [this.local, this.main])
      for (const entry of table.list()) if (entry.dev === dev && entry.scope !== 'host') entry.linkdown = linkdown;
  }

  /** What kind of address this is here. (Linux: inet_addr_type) */
  addressType(address: Ipv4): 'local' | 'broadcast' | 'multicast' | 'unicast' {
    if (address === IPV4_BROADCAST || address >>> 24 === 0) return 'broadcast';
    if (isMulticastIpv4(address)) return 'multicast';
    const entry = this.search(this.local, address, 0);
    if (entry?.type === 'local') return 'local';
    if (entry?.type === 'broadcast') return 'broadcast';
    return isLoopbackIpv4(address) && entry !== undefined ? 'local' : 'unicast';
  }
}
