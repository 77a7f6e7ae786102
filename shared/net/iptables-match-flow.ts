/**
 * Matches that remember: connmark, connlimit, recent, hashlimit (iptables-extensions(8)). What they remember is bounded,
 * as the modules' parameters have it. Left out: recent's /proc files and --reap, hashlimit by bytes.
 */
import { formatIpv4, type Ipv4, maskOf, parseIpv4 } from '../header/address.ts';
import { SECOND } from '../platform.ts';
import { conntrackEnable, flowOf } from './conntrack.ts';
import type { Host } from './host.ts';
import type { MatchModule } from './iptables-match.ts';
import type { Match, RulePacket } from './iptables-table.ts';
import { badUse, missing, outOfRange, parseNumber, type Words } from './iptables-words.ts';

const not = (negated: boolean): string => (negated ? '! ' : '');
/** xt_recent: ip_list_tot and ip_pkt_list_tot. */
const RECENT_ADDRESSES_MAX = 100;
const RECENT_STAMPS_MAX = 20;
/** hashlimit_max: buckets that one rule may have. */
const HASHLIMIT_MAX = 65_536;

export function connmarkModule(): MatchModule {
  let wanted: { value: number; mask: number; negated: boolean } | undefined;
  return {
    name: 'connmark',
    option: (word, words) => {
      if (word !== '--mark') return false;
      const { negated } = words;
      const [a = '', b] = words.value(word).split('/');
      wanted = { value: parseNumber(a, word), mask: b === undefined ? 0xffff_ffff : parseNumber(b, word), negated };
      return true;
    },
    finish: (host) => {
      if (wanted === undefined) throw missing('connmark', '--mark');
      conntrackEnable(host);
      const { value, mask, negated } = wanted;
      const text = `0x${value.toString(16)}${mask === 0xffff_ffff ? '' : `/0x${mask.toString(16)}`}`;
      return {
        save: `-m connmark ${not(negated)}--mark ${text}`,
        list: `connmark match ${negated ? '!' : ''} ${text}`.replace('!  ', '! '),
        test: (_, { skb }) => {
          const info = skb === undefined ? undefined : flowOf(skb);
          return info !== undefined && ((info.flow.mark & mask) >>> 0 === value) !== negated;
        },
      };
    },
  };
}

/** How many connections the packet's host, or network, has open. */
export function connlimitModule(): MatchModule {
  let limit: number | undefined;
  let above = true;
  let mask = 32;
  let which: 'source' | 'target' = 'source';
  return {
    name: 'connlimit',
    option: (word, words) => {
      if (word === '--connlimit-above' || word === '--connlimit-upto') {
        above = (word === '--connlimit-above') !== words.negated;
        limit = parseNumber(words.value(word), word);
      } else if (word === '--connlimit-mask') {
        mask = parseNumber(words.value(word), word);
        if (mask > 32) throw outOfRange('connlimit', word, '0-32');
      } else if (word === '--connlimit-saddr') which = 'source';
      else if (word === '--connlimit-daddr') which = 'target';
      else return false;
      return true;
    },
    finish: (host) => {
      if (limit === undefined) throw badUse('You must specify "--connlimit-above" or "--connlimit-upto".');
      conntrackEnable(host);
      const most = limit;
      const side = which === 'source' ? 'saddr' : 'daddr';
      return {
        save: `-m connlimit --connlimit-${above ? 'above' : 'upto'} ${most} --connlimit-mask ${mask} --connlimit-${side}`,
        list: `#conn ${which === 'source' ? 'src' : 'dst'}/${mask} ${above ? '>' : '<='} ${most}`,
        test: (h, packet) => connections(h, packet, which, mask) > most === above,
      };
    },
  };
}

/** Open connections of the same network, the packet's own included. (Linux: nf_conncount_count) */
function connections(host: Host, packet: RulePacket, which: 'source' | 'target', mask: number): number {
  const bits = maskOf(mask);
  const network = packet[which] & bits;
  const own = packet.skb === undefined ? undefined : flowOf(packet.skb)?.flow;
  let count = own === undefined || own.confirmed ? 0 : 1;
  for (const flow of host.conntrack.list()) {
    if (flow !== own && (flow.tcp?.state === 'TIME_WAIT' || flow.tcp?.state === 'CLOSE')) continue;
    if ((flow.original.key[which] & bits) === network) count++;
  }
  return count;
}

interface Seen {
  /** Lab times of its last packets, the oldest first. */
  stamps: number[];
}

/** xt_recent's lists, shared by name among the rules of a host. */
const lists = new WeakMap<Host, Map<string, Map<number, Seen>>>();

function listNamed(host: Host, name: string): Map<number, Seen> {
  let own = lists.get(host);
  if (own === undefined) lists.set(host, (own = new Map()));
  let list = own.get(name);
  if (list === undefined) own.set(name, (list = new Map()));
  return list;
}

type RecentWhat = 'set' | 'rcheck' | 'update' | 'remove';
const RECENT_LISTED: Readonly<Record<RecentWhat, string>> = {
  set: 'SET',
  rcheck: 'CHECK',
  update: 'UPDATE',
  remove: 'REMOVE',
};

interface RecentOptions {
  what: RecentWhat | undefined;
  negated: boolean;
  name: string;
  side: 'source' | 'target';
  mask: Ipv4;
  seconds: number;
  hits: number;
}

export function recentModule(): MatchModule {
  const o: RecentOptions = {
    what: undefined,
    negated: false,
    name: 'DEFAULT',
    side: 'source',
    mask: 0xffff_ffff as Ipv4,
    seconds: 0,
    hits: 0,
  };
  return {
    name: 'recent',
    option: (word, words) => recentOption(o, word, words),
    finish: (host) => {
      if (o.what === undefined)
        throw badUse("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'");
      return recentMatch(host, { ...o, what: o.what });
    },
  };
}

function recentOption(o: RecentOptions, word: string, words: Words): boolean {
  switch (word) {
    case '--set':
    case '--rcheck':
    case '--update':
    case '--remove':
      o.what = word.slice(2) as RecentWhat;
      o.negated = words.negated;
      return true;
    case '--name':
      o.name = words.value(word);
      return true;
    case '--seconds':
      o.seconds = parseNumber(words.value(word), word);
      if (o.seconds === 0) throw outOfRange('recent', word, '1-4294967295');
      return true;
    case '--hitcount':
      o.hits = parseNumber(words.value(word), word);
      if (o.hits > RECENT_STAMPS_MAX) throw badUse(`recent: hitcount (${o.hits}) is larger than ${RECENT_STAMPS_MAX}`);
      return true;
    case '--mask': {
      const mask = parseIpv4(words.value(word));
      if (mask === undefined) throw badUse('recent: bad value for option "--mask"');
      o.mask = mask;
      return true;
    }
    case '--rsource':
    case '--rdest':
      o.side = word === '--rsource' ? 'source' : 'target';
      return true;
    default:
      return false;
  }
}

function recentMatch(host: Host, o: RecentOptions & { what: RecentWhat }): Match {
  const conditions = [o.seconds > 0 ? `--seconds ${o.seconds}` : '', o.hits > 0 ? `--hitcount ${o.hits}` : ''];
  const shown = [o.seconds > 0 ? `seconds: ${o.seconds}` : '', o.hits > 0 ? `hit_count: ${o.hits}` : ''];
  const words = (parts: readonly string[]) => parts.filter((part) => part !== '').join(' ');
  const mask = formatIpv4(o.mask);
  return {
    save: words([
      `-m recent ${not(o.negated)}--${o.what}`,
      ...conditions,
      `--name ${o.name} --mask ${mask} --r${o.side === 'source' ? 'source' : 'dest'}`,
    ]),
    list: words([
      `${not(o.negated)}recent: ${RECENT_LISTED[o.what]}`,
      ...shown,
      `name: ${o.name} side: ${o.side === 'source' ? 'source' : 'dest'} mask: ${mask}`,
    ]),
    test: (h, packet) => recentTest(h.clock.now(), listNamed(host, o.name), packet[o.side] & o.mask, o) !== o.negated,
  };
}

/** (Linux: recent_mt) */
function recentTest(
  now: number,
  list: Map<number, Seen>,
  key: number,
  { what, seconds, hits }: RecentOptions & { what: RecentWhat },
): boolean {
  const seen = list.get(key);
  const stamp = (entry: Seen) => {
    entry.stamps = [...entry.stamps, now].slice(-RECENT_STAMPS_MAX);
    list.delete(key);
    list.set(key, entry);
  };
  if (what === 'set') {
    if (seen === undefined && list.size >= RECENT_ADDRESSES_MAX) {
      const [oldest] = list.keys();
      if (oldest !== undefined) list.delete(oldest);
    }
    stamp(seen ?? { stamps: [] });
    return true;
  }
  if (seen === undefined) return false;
  if (what === 'remove') return list.delete(key);
  const since = seconds === 0 ? Number.NEGATIVE_INFINITY : now - seconds * SECOND;
  const count = seen.stamps.filter((at) => at >= since).length;
  const fits = count >= Math.max(1, hits);
  if (fits && what === 'update') stamp(seen);
  return fits;
}

const UNITS = { sec: 1, min: 60, hour: 3_600, day: 86_400 } as const;
type Unit = keyof typeof UNITS;
const MODES = ['srcip', 'srcport', 'dstip', 'dstport'] as const;

/** A bucket of tokens for each address, port or pair of them. */
export function hashlimitModule(): MatchModule {
  let rate: { count: number; unit: Unit } | undefined;
  let [above, burst, name] = [false, 5, ''];
  let modes: readonly string[] = [];
  return {
    name: 'hashlimit',
    option: (word, words) => {
      if (word === '--hashlimit-above' || word === '--hashlimit-upto' || word === '--hashlimit') {
        above = (word === '--hashlimit-above') !== words.negated;
        rate = parseRate(words.value(word));
      } else if (word === '--hashlimit-burst') burst = parseNumber(words.value(word), word);
      else if (word === '--hashlimit-name') name = words.value(word);
      else if (word === '--hashlimit-mode') {
        const given = words.value(word).split(',');
        const bad = given.find((mode) => !MODES.some((known) => known === mode));
        if (bad !== undefined) throw badUse(`hashlimit: Bad value for "--hashlimit-mode" option: "${bad}"`);
        modes = given;
      } else return false;
      return true;
    },
    finish: () => {
      if (rate === undefined) throw badUse('You have to specify one of hashlimit-upto or hashlimit-above');
      if (name === '') throw missing('hashlimit', '--hashlimit-name');
      const text = `${rate.count}/${rate.unit}`;
      const mode = modes.length === 0 ? '' : ` --hashlimit-mode ${modes.join(',')}`;
      return {
        save: `-m hashlimit --hashlimit-${above ? 'above' : 'upto'} ${text} --hashlimit-burst ${burst}${mode} --hashlimit-name ${name}`,
        list: `limit: ${above ? 'above' : 'up to'} ${text} burst ${burst}${modes.length === 0 ? '' : ` mode ${modes.join('-')}`}`,
        test: hashlimitTest((UNITS[rate.unit] * SECOND) / rate.count, burst, modes, above),
      };
    },
  };
}

function parseRate(text: string): { count: number; unit: Unit } {
  const parts = /^([0-9]+)(?:\/([a-z]+))?$/.exec(text);
  const word = parts?.[2] ?? 'sec';
  const unit = (Object.keys(UNITS) as Unit[]).find((known) => known.startsWith(word) || word.startsWith(known));
  if (parts === null || unit === undefined || Number(parts[1]) === 0) throw badUse(`bad rate "${text}"`);
  return { count: Number(parts[1]), unit };
}

function hashlimitTest(cost: number, burst: number, modes: readonly string[], above: boolean): Match['test'] {
  const buckets = new Map<string, { credit: number; last: number }>();
  return ({ clock }, packet) => {
    const now = clock.now();
    const key = [
      modes.includes('srcip') ? packet.source : '',
      modes.includes('srcport') ? packet.sourcePort : '',
      modes.includes('dstip') ? packet.target : '',
      modes.includes('dstport') ? packet.targetPort : '',
    ].join(' ');
    let bucket = buckets.get(key);
    if (bucket === undefined) {
      if (buckets.size >= HASHLIMIT_MAX) return above;
      buckets.set(key, (bucket = { credit: burst * cost, last: now }));
    }
    bucket.credit = Math.min(burst * cost, bucket.credit + (now - bucket.last));
    bucket.last = now;
    if (bucket.credit < cost) return above;
    bucket.credit -= cost;
    return !above;
  };
}
