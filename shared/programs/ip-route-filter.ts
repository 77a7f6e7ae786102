/** The selector of `ip route list` and `flush`: which routes, and which of their parts then go without saying. */
import { networkOf } from '../header/address.ts';
import type { RouteRecord } from '../net/netlink.ts';
import { Failure } from './failure.ts';
import {
  type Ip,
  invalidArgument,
  matches,
  type Prefix,
  parsePrefix,
  print,
  requireLink,
  type Words,
} from './ip-common.ts';

export interface RouteFilter {
  table: 'main' | 'local' | 'all';
  /** `table cache`: exceptions, which no listing here has. */
  cached: boolean;
  dev: string | undefined;
  via: Prefix | undefined;
  source: Prefix | undefined;
  protocol: string | undefined;
  scope: string | undefined;
  type: string | undefined;
  exact: Prefix | undefined;
  /** At least this prefix (`root`), at most this one (`match`). */
  root: Prefix | undefined;
  match: Prefix | undefined;
}

export function ipRouteFilter(ip: Ip, words: Words): RouteFilter {
  const filter: RouteFilter = {
    table: 'main',
    cached: false,
    dev: undefined,
    via: undefined,
    source: undefined,
    protocol: undefined,
    scope: undefined,
    type: undefined,
    exact: undefined,
    root: undefined,
    match: undefined,
  };
  for (let word = words.next(); word !== undefined; word = words.next()) readSelector(ip, filter, word, words);
  return filter;
}

function readSelector(ip: Ip, filter: RouteFilter, word: string, words: Words): void {
  if (matches(word, 'table')) {
    setTable(filter, words.argument());
  } else if (word === 'cache' || word === 'cached') filter.cached = true;
  else if (word === 'dev' || word === 'oif') filter.dev = requireLink(ip, words.argument()).name;
  else if (word === 'via') filter.via = parsePrefix(words.argument());
  else if (word === 'src') filter.source = parsePrefix(words.argument());
  else if (matches(word, 'protocol')) filter.protocol = words.argument();
  else if (matches(word, 'scope')) filter.scope = words.argument();
  else if (word === 'type') filter.type = words.argument();
  else if (word === 'root') filter.root = parsePrefix(words.argument());
  else if (word === 'match') filter.match = parsePrefix(words.argument());
  else if (word === 'exact') filter.exact = parsePrefix(words.argument());
  else if (word === 'to') readSelector(ip, filter, words.argument(), words);
  else filter.exact = parsePrefix(word);
}

function setTable(filter: RouteFilter, name: string): void {
  if (name === 'cache') filter.cached = true;
  else if (name === 'main' || name === 'local' || name === 'all') filter.table = name;
  else if (name === '254') filter.table = 'main';
  else if (name === '255') filter.table = 'local';
  else throw invalidArgument(name, 'table id value is invalid');
}

export function routePasses(route: RouteRecord, filter: RouteFilter): boolean {
  if (filter.cached) return false;
  if (filter.table !== 'all' && route.table !== filter.table) return false;
  if (filter.dev !== undefined && route.dev !== filter.dev) return false;
  if (filter.via !== undefined && !contains(filter.via, route.gateway)) return false;
  if (filter.source !== undefined && !contains(filter.source, route.source)) return false;
  if (filter.protocol !== undefined && filter.protocol !== 'all' && route.protocol !== filter.protocol) return false;
  if (filter.scope !== undefined && filter.scope !== 'all' && route.scope !== filter.scope) return false;
  if (filter.type !== undefined && route.type !== filter.type) return false;
  const { exact, root, match } = filter;
  if (exact !== undefined && (route.target !== exact.address || route.prefix !== exact.prefix)) return false;
  if (root !== undefined && (route.prefix < root.prefix || networkOf(route.target, root.prefix) !== root.address)) {
    return false;
  }
  return (
    match === undefined || (route.prefix <= match.prefix && networkOf(match.address, route.prefix) === route.target)
  );
}

function contains(prefix: Prefix, address: RouteRecord['gateway']): boolean {
  return address !== undefined && networkOf(address, prefix.prefix) === networkOf(prefix.address, prefix.prefix);
}

/** A part that the selector fixes is not repeated on every line. */
export function hiddenByFilter(filter: RouteFilter) {
  return {
    dev: filter.dev !== undefined,
    via: filter.via?.prefix === 32,
    source: filter.source?.prefix === 32,
    protocol: filter.protocol !== undefined && filter.protocol !== 'all',
    scope: filter.scope !== undefined && filter.scope !== 'all',
  };
}

const RULES = [
  [0, 'local'],
  [32_766, 'main'],
  [32_767, 'default'],
] as const;

/** `ip rule`: the three rules that every Linux starts with; no lab has others. */
export function ipRules(ip: Ip, word: string | undefined): Promise<number> {
  if (word !== undefined && !['show', 'list', 'lst'].some((full) => matches(word, full))) {
    throw new Failure(2, 'RTNETLINK answers: Operation not supported');
  }
  const list = RULES.map(([priority, table]) => ({ priority, src: 'all', table }));
  const text = () => list.map(({ priority, src, table }) => `${priority}:\tfrom ${src} lookup ${table}\n`).join('');
  return print(ip, () => list, text);
}
