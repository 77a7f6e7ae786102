/**
 * ip route: show, get, add, replace, change, append, del, flush (iproute2 ip/iproute.c). Left out: policy rules,
 * several next hops.
 */
import { formatIpv4, networkOf } from '../header/address.ts';
import type { Errno } from '../net/errno.ts';
import { isErrno } from '../net/errno.ts';
import type { NetlinkTable, RouteRecord, RouteType } from '../net/netlink.ts';
import { Failure, failOn, netlinkFailure } from './failure.ts';
import {
  choose,
  duplicateOrGarbage,
  formatPrefix,
  type Ip,
  invalidArgument,
  matches,
  type Prefix,
  parseAddress,
  parseCount,
  parsePrefix,
  print,
  requireLink,
  USAGE_STATUS,
  unknownCommand,
  type Words,
} from './ip-common.ts';
import { hiddenByFilter, ipRouteFilter, type RouteFilter, routePasses } from './ip-route-filter.ts';
import { metricsJson, metricWords, readMetric } from './ip-route-metrics.ts';
import type { Json } from './json.ts';
import { left } from './text.ts';

const ROUTE_USAGE = `Usage: ip route { list | flush } SELECTOR
       ip route get ADDRESS [ from ADDRESS ] [ oif STRING ]
       ip route { add | del | change | append | replace } ROUTE
SELECTOR := [ root PREFIX ] [ match PREFIX ] [ exact PREFIX ]
            [ table TABLE_ID ] [ proto RTPROTO ]
            [ type TYPE ] [ scope SCOPE ] [ dev STRING ] [ via ADDRESS ]
ROUTE := [ TYPE ] PREFIX [ via ADDRESS ] [ dev STRING ] [ src ADDRESS ]
         [ metric METRIC ] [ METRICS ]
METRICS := [ mtu [ lock ] NUMBER ] [ advmss NUMBER ] [ window NUMBER ] [ rtt TIME ] [ rttvar TIME ]
           [ ssthresh NUMBER ] [ cwnd NUMBER ] [ reordering NUMBER ] [ hoplimit NUMBER ] [ initcwnd NUMBER ]
           [ initrwnd NUMBER ] [ features ecn ] [ rto_min TIME ] [ quickack BOOL ] [ congctl NAME ]
           [ fastopen_no_cookie BOOL ]
TYPE := { unicast | unreachable | prohibit | blackhole }
TABLE_ID := [ local | main | all ]
SCOPE := [ host | link | global ]
RTPROTO := [ kernel | boot | static ]
`;

const ROUTE_TYPES: readonly RouteType[] = [
  'unicast',
  'local',
  'broadcast',
  'multicast',
  'unreachable',
  'blackhole',
  'prohibit',
];

/** What the kernel says beside the errno (extended acknowledgement). */
const ROUTE_SENTENCES: Partial<Record<Errno, string>> = {
  ENETUNREACH: 'Nexthop has invalid gateway',
  ENETDOWN: 'Device for nexthop is not up',
};

export async function ipRoute(ip: Ip, words: Words): Promise<number> {
  const word = words.peek();
  if (word === undefined) return showRoutes(ip, words);
  const choices = [
    'add',
    'change',
    'chg',
    'replace',
    'prepend',
    'append',
    'delete',
    'list',
    'show',
    'lst',
    'get',
    'flush',
    'help',
  ] as const;
  const command = choose(word, choices);
  if (command === undefined) throw unknownCommand(word, 'route');
  words.next();
  switch (command) {
    case 'add':
    case 'append':
    case 'prepend':
      return addRoute(ip, words, 'add');
    case 'change':
    case 'chg':
      return addRoute(ip, words, 'change');
    case 'replace':
      return addRoute(ip, words, 'replace');
    case 'delete':
      return deleteRoute(ip, words);
    case 'list':
    case 'show':
    case 'lst':
      return showRoutes(ip, words);
    case 'get':
      return getRoute(ip, words);
    case 'flush':
      return flushRoutes(ip, words);
    case 'help':
      throw new Failure(USAGE_STATUS, ROUTE_USAGE);
  }
}

type NewRoute = NetlinkTable['RTM_NEWROUTE']['query'];

function routeArguments(ip: Ip, words: Words): NewRoute {
  let target: Prefix | undefined;
  const route: Partial<NewRoute> = {};
  const metrics: Parameters<typeof readMetric>[2] = {};
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'via') {
      const next = words.argument();
      route.gateway = parseAddress(next === 'inet' ? words.argument() : next);
    } else if (word === 'dev' || word === 'oif') route.dev = requireLink(ip, words.argument()).name;
    else if (word === 'src') route.source = parseAddress(words.argument());
    else if (word === 'metric' || matches(word, 'preference')) route.metric = parseCount(words.argument(), 'metric');
    else if (matches(word, 'protocol')) route.protocol = protocolArgument(words.argument());
    else if (word === 'scope' || word === 'table' || word === 'tos') words.argument();
    else if (word === 'onlink' || readMetric(word, words, metrics)) continue;
    else if (target === undefined) {
      const type = ROUTE_TYPES.find((known) => known === word);
      if (type !== undefined) route.routeType = type;
      target = parsePrefix(type !== undefined || word === 'to' ? words.argument() : word);
    } else throw duplicateOrGarbage('to', word);
  }
  if (target === undefined) throw new Failure(USAGE_STATUS, ROUTE_USAGE);
  if (networkOf(target.address, target.prefix) !== target.address) {
    throw new Failure(2, 'Error: Invalid prefix for given prefix length.');
  }
  const more = Object.keys(metrics).length > 0 ? { metrics } : {};
  return { ...route, ...more, target: target.address, prefix: target.prefix };
}

function protocolArgument(text: string): RouteRecord['protocol'] {
  if (text === 'kernel' || text === 'boot' || text === 'static' || text === 'redirect') return text;
  throw invalidArgument(text, '"protocol" value is invalid');
}

async function addRoute(ip: Ip, words: Words, how: 'add' | 'replace' | 'change'): Promise<number> {
  const route = routeArguments(ip, words);
  const { routeType } = route;
  const unreal = routeType === 'unreachable' || routeType === 'blackhole' || routeType === 'prohibit';
  if (!unreal && route.gateway === undefined && route.dev === undefined) throw netlinkFailure('ENODEV');
  failOn(
    ip.sys.netlink({ type: 'RTM_NEWROUTE', ...route, ...(how === 'add' ? {} : { [how]: true }) }),
    ROUTE_SENTENCES,
  );
  return 0;
}

async function deleteRoute(ip: Ip, words: Words): Promise<number> {
  const { target, prefix, gateway, dev, metric } = routeArguments(ip, words);
  const answer = ip.sys.netlink({
    type: 'RTM_DELROUTE',
    target,
    prefix,
    ...(gateway === undefined ? {} : { gateway }),
    ...(dev === undefined ? {} : { dev }),
    ...(metric === undefined ? {} : { metric }),
  });
  failOn(answer);
  return 0;
}

function chosenRoutes(ip: Ip, filter: RouteFilter): readonly RouteRecord[] {
  if (ip.options.family === 'inet6') return [];
  const routes = ip.sys
    .netlink({ type: 'RTM_GETROUTE', table: filter.table })
    .filter((route) => routePasses(route, filter));
  // The main table is dumped first.
  return [...routes.filter(({ table }) => table === 'main'), ...routes.filter(({ table }) => table !== 'main')];
}

async function showRoutes(ip: Ip, words: Words): Promise<number> {
  const filter = ipRouteFilter(ip, words);
  const routes = chosenRoutes(ip, filter);
  return print(
    ip,
    () => routes.map((route) => routeJson(ip, route, filter)),
    () => routes.map((route) => `${routeText(ip, route, filter)}\n`).join(''),
  );
}

async function flushRoutes(ip: Ip, words: Words): Promise<number> {
  if (words.done) throw new Failure(1, '"ip route flush" requires arguments.');
  const filter = ipRouteFilter(ip, words);
  if (filter.cached) {
    ip.sys.setSysctl('net.ipv4.route.flush', '-1');
    return 0;
  }
  for (const { target, prefix, gateway, dev, metric } of chosenRoutes(ip, filter)) {
    const device = dev === '' ? {} : { dev };
    failOn(
      ip.sys.netlink({
        type: 'RTM_DELROUTE',
        target,
        prefix,
        metric,
        ...device,
        ...(gateway === undefined ? {} : { gateway }),
      }),
    );
  }
  return 0;
}

/** What is said of a route, in iproute2's order; each is left out where it says nothing new. */
function routeParts(ip: Ip, route: RouteRecord, filter: RouteFilter) {
  const all = ip.options.details;
  const hidden = hiddenByFilter(filter);
  const unreal = route.type === 'unreachable' || route.type === 'blackhole' || route.type === 'prohibit';
  return {
    type: route.type !== 'unicast' || all ? route.type : undefined,
    dst: formatPrefix(route.target, route.prefix),
    gateway: route.gateway === undefined || hidden.via ? undefined : formatIpv4(route.gateway),
    dev: unreal || route.dev === '' || hidden.dev ? undefined : route.dev,
    table: route.table === 'main' || filter.table !== 'all' ? undefined : route.table,
    protocol: (route.protocol !== 'boot' || all) && !hidden.protocol ? route.protocol : undefined,
    scope: (route.scope !== 'global' || all) && !hidden.scope ? route.scope : undefined,
    source: route.source === undefined || hidden.source ? undefined : formatIpv4(route.source),
    metric: route.metric === 0 ? undefined : route.metric,
    flags: route.linkdown ? ['linkdown'] : [],
    metrics: route.metrics,
  };
}

function routeText(ip: Ip, route: RouteRecord, filter: RouteFilter): string {
  const parts = routeParts(ip, route, filter);
  const words: string[] = [];
  if (parts.type !== undefined) words.push(parts.type);
  words.push(parts.dst);
  if (parts.gateway !== undefined) words.push('via', parts.gateway);
  if (parts.dev !== undefined) words.push('dev', parts.dev);
  if (parts.table !== undefined) words.push('table', parts.table);
  if (parts.protocol !== undefined) words.push('proto', parts.protocol);
  if (parts.scope !== undefined) words.push('scope', parts.scope);
  if (parts.source !== undefined) words.push('src', parts.source);
  if (parts.metric !== undefined) words.push('metric', String(parts.metric));
  words.push(...parts.flags);
  words.push(...metricWords(parts.metrics));
  return `${words.join(' ')} `;
}

function routeJson(ip: Ip, route: RouteRecord, filter: RouteFilter): Json {
  const parts = routeParts(ip, route, filter);
  return {
    type: parts.type,
    dst: parts.dst,
    gateway: parts.gateway,
    dev: parts.dev,
    table: parts.table,
    protocol: parts.protocol,
    scope: parts.scope,
    prefsrc: parts.source,
    metric: parts.metric,
    flags: parts.flags,
    metrics: metricsJson(parts.metrics),
  };
}

interface Lookup {
  target: Prefix | undefined;
  from: Prefix | undefined;
  dev: string | undefined;
}

async function getRoute(ip: Ip, words: Words): Promise<number> {
  const lookup: Lookup = { target: undefined, from: undefined, dev: undefined };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    if (word === 'from') lookup.from = parsePrefix(words.argument());
    else if (word === 'oif' || word === 'dev') lookup.dev = requireLink(ip, words.argument()).name;
    else if (['iif', 'tos', 'dsfield', 'mark', 'uid', 'sport', 'dport', 'ipproto'].includes(word)) words.argument();
    else lookup.target = parsePrefix(word === 'to' ? words.argument() : word);
  }
  if (lookup.target === undefined) throw new Failure(1, 'need at least a destination address');
  const answer = ip.sys.netlink({
    type: 'RTM_LOOKUP',
    target: lookup.target.address,
    ...(lookup.from === undefined ? {} : { source: lookup.from.address }),
    ...(lookup.dev === undefined ? {} : { dev: lookup.dev }),
  });
  if (isErrno(answer)) throw netlinkFailure(answer);
  const target = formatIpv4(lookup.target.address);
  const from = lookup.from === undefined ? undefined : formatIpv4(lookup.from.address);
  return print(
    ip,
    () => [cacheJson(answer, target, from)],
    () => cacheText(ip, answer, target, from),
  );
}

/** RTCF_ flags of a route as output uses it. */
function cacheFlags(route: RouteRecord): string[] {
  if (route.type === 'local') return ['local'];
  if (route.type === 'broadcast') return ['local', 'brd'];
  return route.type === 'multicast' ? ['local', 'mc'] : [];
}

function secondsLeft(route: RouteRecord): number | undefined {
  return route.cacheExpires === undefined ? undefined : Math.round(route.cacheExpires / 1_000_000);
}

function cacheText(ip: Ip, route: RouteRecord, target: string, from: string | undefined): string {
  const words: string[] = route.type === 'unicast' && !ip.options.details ? [] : [route.type];
  words.push(target);
  if (from !== undefined) words.push('from', from);
  if (route.gateway !== undefined) words.push('via', formatIpv4(route.gateway));
  words.push('dev', route.type === 'local' ? 'lo' : route.dev);
  if (ip.options.details) words.push('table', route.table);
  if (route.source !== undefined && from === undefined) words.push('src', formatIpv4(route.source));
  words.push('uid', '0');
  const flags = cacheFlags(route);
  const cache = ['cache'];
  if (flags.length > 0) cache.push(`<${flags.join(',')}>`);
  const expires = secondsLeft(route);
  if (expires !== undefined) cache.push('expires', `${expires}sec`);
  cache.push(...metricWords(route.metrics));
  const end = ip.options.oneline ? '\\' : '\n';
  return `${words.join(' ')} ${end}${left('', 4)}${cache.join(' ')} \n`;
}

function cacheJson(route: RouteRecord, target: string, from: string | undefined): Json {
  return {
    type: route.type === 'unicast' ? undefined : route.type,
    dst: target,
    from,
    gateway: route.gateway === undefined ? undefined : formatIpv4(route.gateway),
    dev: route.type === 'local' ? 'lo' : route.dev,
    prefsrc: route.source === undefined || from !== undefined ? undefined : formatIpv4(route.source),
    flags: [],
    uid: 0,
    cache: cacheFlags(route),
    expires: secondsLeft(route),
    metrics: metricsJson(route.metrics),
  };
}
