/** The kernel's answers to `ip` and `nstat`: links, addresses, routes, neighbours, counters (Linux: rtnetlink.c). */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { dropOrigin } from './drop-place.ts';
import type { Errno } from './errno.ts';
import { isErrno } from './errno.ts';
import type { FibEntry } from './fib.ts';
import type { Host } from './host.ts';
import type { NetDevice } from './netdev.ts';
import type { NeighbourRecord, NetlinkTable, RouteRecord } from './netlink.ts';
import { TX_QUEUE_PACKETS_MAX } from './qdisc.ts';
import { localAddressOf, routeOutput } from './route.ts';
import { listSnmp } from './snmp.ts';
import { CONGESTION_CONTROLS } from './tcp-congestion.ts';

export function rtnetlinkInit(host: Host): void {
  const { netlink } = host;
  registerLinks(host);
  registerAddresses(host);
  registerRoutes(host);
  registerNeighbours(host);
  netlink.register('SNMP', () => listSnmp(host.snmp));
  netlink.register('SYSLOG', ({ clear }) => {
    const lines = [...host.log.lines];
    if (clear === true) host.log.clear();
    return lines;
  });
  netlink.register('NET_DM', () =>
    [...host.skbs.counters.dropPlaces].flatMap(([reason, places]) =>
      [...places].map(([place, count]) => ({ reason, place, origin: dropOrigin(place), count })),
    ),
  );
}

function registerLinks(host: Host): void {
  host.netlink.register('RTM_GETLINK', () =>
    host.devices.list().map((dev) => ({
      ifindex: dev.ifindex,
      name: dev.name,
      kind: dev.kind,
      mac: dev.mac,
      mtu: dev.mtu,
      mtuMax: dev.mtuMax,
      up: dev.up,
      carrier: dev.carrier,
      promiscuous: dev.promiscuous,
      qdisc: dev.qdisc.kind,
      queueLength: TX_QUEUE_PACKETS_MAX,
      master: dev.master === 0 ? undefined : host.devices.byIndex(dev.master)?.name,
      counters: dev.counters,
    })),
  );
  host.netlink.register('RTM_SETLINK', (query) => {
    const dev = host.devices.byName(query.dev);
    if (dev === undefined) return 'ENODEV';
    if (query.mtu !== undefined) {
      const errno = host.devices.setMtu(dev, query.mtu);
      if (errno !== undefined) return errno;
    }
    if (query.mac !== undefined) host.devices.setMac(dev, query.mac);
    if (query.promiscuous !== undefined) dev.promiscuous = query.promiscuous;
    if (query.up !== undefined) host.devices.setUp(dev, query.up);
    return undefined;
  });
}

function registerAddresses(host: Host): void {
  const { netlink, inet, devices } = host;
  netlink.register('RTM_GETADDR', () =>
    inet.list().flatMap((part) =>
      part.addresses.map(({ dev, address, prefix, broadcast, scope, secondary }) => ({
        ifindex: dev.ifindex,
        dev: dev.name,
        address,
        prefix,
        broadcast,
        scope,
        secondary,
      })),
    ),
  );
  netlink.register('RTM_NEWADDR', (query) => {
    const dev = devices.byName(query.dev);
    if (dev === undefined) return 'ENODEV';
    return inet.addAddress(dev, query.address, { prefix: query.prefix, broadcast: query.broadcast });
  });
  netlink.register('RTM_DELADDR', (query) => {
    const dev = devices.byName(query.dev);
    return dev === undefined ? 'ENODEV' : inet.deleteAddress(dev, query.address, query.prefix);
  });
}

function registerRoutes(host: Host): void {
  const { netlink, routes } = host;
  netlink.register('RTM_GETROUTE', ({ table = 'main' }) => {
    const local = table === 'main' ? [] : routes.local.list();
    const main = table === 'local' ? [] : routes.main.list();
    return [...local, ...main].map(recordOf);
  });
  netlink.register('RTM_LOOKUP', (query) => lookup(host, query));
  netlink.register('RTM_NEWROUTE', (query) => {
    const dev = deviceOf(host, query.dev);
    if (isErrno(dev)) return dev;
    const { routeType, protocol, target, prefix, gateway, source, metric, metrics } = query;
    if (metrics?.congctl !== undefined && !CONGESTION_CONTROLS.has(metrics.congctl)) return 'EINVAL';
    const spec = { type: routeType, protocol, target, prefix, gateway, dev, source, metric, metrics };
    return routes.add(spec, query.change === true ? 'change' : query.replace === true ? 'replace' : 'create');
  });
  netlink.register('RTM_DELROUTE', (query) => {
    const dev = deviceOf(host, query.dev);
    if (isErrno(dev)) return dev;
    const { target, prefix, gateway, metric } = query;
    return routes.delete({ target, prefix, gateway, dev, metric });
  });
}

function deviceOf(host: Host, name: string | undefined): NetDevice | undefined | Errno {
  if (name === undefined) return undefined;
  return host.devices.byName(name) ?? 'ENODEV';
}

function recordOf(entry: FibEntry): RouteRecord {
  return {
    type: entry.type,
    target: entry.target,
    prefix: entry.prefix,
    gateway: entry.gateway === IPV4_ANY ? undefined : entry.gateway,
    dev: entry.dev?.name ?? 'lo',
    source: entry.source === IPV4_ANY ? undefined : entry.source,
    metric: entry.metric,
    scope: entry.scope,
    protocol: entry.protocol,
    table: entry.table,
    metrics: entry.metrics,
    linkdown: entry.linkdown,
  };
}

/** ip route get: what a packet to `target` would do now. */
function lookup(host: Host, query: { target: Ipv4; source?: Ipv4; dev?: string }): RouteRecord | Errno {
  const dev = deviceOf(host, query.dev);
  if (isErrno(dev)) return dev;
  const route = routeOutput(host, { target: query.target, source: query.source, ifindex: dev?.ifindex });
  if (isErrno(route)) return route;
  const learned = Number.isFinite(route.expires);
  return {
    type: route.type,
    target: query.target,
    prefix: 32,
    gateway: route.gateway === IPV4_ANY ? undefined : route.gateway,
    dev: route.dev.name,
    source: query.source ?? route.source,
    metric: 0,
    scope: route.scope,
    protocol: 'boot',
    table: localAddressOf(host, query.target) ? 'local' : 'main',
    metrics: learned
      ? { ...route.metrics, mtu: route.mtu, ...(route.mtuLocked ? { locked: ['mtu'] } : {}) }
      : route.metrics,
    linkdown: route.entry?.linkdown ?? false,
    cacheExpires: learned ? Math.max(0, route.expires - host.clock.now()) : undefined,
  };
}

function registerNeighbours(host: Host): void {
  const { netlink, neighbours } = host;
  netlink.register('RTM_GETNEIGH', (): NeighbourRecord[] => {
    const now = host.clock.now();
    return neighbours
      .list()
      .filter((n) => n.state !== 'NOARP' && n.state !== 'NONE')
      .map((n) => ({
        address: n.address,
        dev: n.dev.name,
        mac: n.valid ? n.mac : undefined,
        state: n.state,
        used: now - n.used,
        confirmed: now - n.confirmed,
        updated: now - n.updated,
        probes: n.probes,
        references: n.timer.armed ? 1 : 0,
      }));
  });
  netlink.register('RTM_GETPNEIGH', () =>
    neighbours.proxies.list().map(({ dev, address }) => ({ address, dev: dev.name })),
  );
  netlink.register('RTM_NEWNEIGH', (query) => newNeighbour(host, query));
  netlink.register('RTM_DELNEIGH', (query) => {
    const dev = host.devices.byName(query.dev);
    if (dev === undefined) return 'ENODEV';
    if (query.proxy === true) return neighbours.proxies.delete(dev, query.address);
    const neighbour = neighbours.lookup(dev, query.address);
    if (neighbour === undefined) return 'ENOENT';
    neighbours.remove(neighbour);
    return undefined;
  });
  netlink.register('RTM_FLUSHNEIGH', (query) => {
    const dev = query.dev === undefined ? undefined : host.devices.byName(query.dev);
    return query.dev !== undefined && dev === undefined ? 0 : neighbours.flush(dev);
  });
}

/** (Linux: neigh_add) */
function newNeighbour(host: Host, query: NetlinkTable['RTM_NEWNEIGH']['query']): Errno | undefined {
  const { neighbours } = host;
  const { address, mac, how = 'add' } = query;
  const dev = host.devices.byName(query.dev);
  if (dev === undefined) return 'ENODEV';
  if (query.proxy === true) return neighbours.proxies.add(dev, address);
  const known = neighbours.lookup(dev, address);
  if (known === undefined && how === 'change') return 'ENOENT';
  if (known !== undefined && how === 'add') return 'EEXIST';
  const neighbour = known ?? neighbours.obtain(dev, address);
  if (neighbour === undefined) return 'ENOBUFS';
  return neighbours.update(neighbour, mac, query.state ?? 'PERMANENT', { admin: true, override: true });
}
