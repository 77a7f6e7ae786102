/**
 * Matches on what a single packet says: length, ttl, mac, pkttype, dscp, tos, tcpmss, statistic
 * (iptables-extensions(8)). Left out: owner, time, u32, string.
 */
import { formatMac, type Mac, parseMac, readMac } from '../header/address.ts';
import { ETHERNET } from '../header/ethernet.ts';
import { IPV4, PROTOCOL } from '../header/ipv4.ts';
import { TCP, tcpHeaderLength } from '../header/tcp.ts';
import type { MatchModule } from './iptables-match.ts';
import type { Match, RulePacket } from './iptables-table.ts';
import { badUse, missing, outOfRange, type Words } from './iptables-words.ts';
import type { SkBuff } from './skbuff.ts';

const not = (negated: boolean): string => (negated ? '! ' : '');

interface OneOption {
  readonly name: string;
  readonly option: string;
  /** Reads the value; says how to write, list and test it. */
  readonly parse: (text: string, negated: boolean) => { save: string; list: string; fits: (skb: SkBuff) => boolean };
}

/** A match with one option that it must have. */
function single({ name, option, parse }: OneOption): MatchModule {
  let made: Match | undefined;
  return {
    name,
    option: (word, words) => {
      if (word !== option) return false;
      const { negated } = words;
      const { save, list, fits } = parse(words.value(word), negated);
      made = {
        save: `-m ${name} ${not(negated)}${option} ${save}`,
        list,
        test: (_, { skb }) => skb !== undefined && fits(skb) !== negated,
      };
      return true;
    },
    finish: () => {
      if (made === undefined) throw missing(name, option);
      return made;
    },
  };
}

function within(text: string, max: number): number | undefined {
  const number = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
  return number <= max ? number : undefined;
}

/** `5`, `5:9`, `:9`, `5:`. */
function rangeOf(module: string, option: string, text: string): [number, number] {
  const [low = '', high] = text.split(':');
  const first = low === '' ? 0 : within(low, 65_535);
  const last = high === undefined ? first : high === '' ? 65_535 : within(high, 65_535);
  if (first === undefined || last === undefined)
    throw badUse(`${module}: bad value for option "${option}" near "${text}", or out of range (0-65535).\n`);
  return [first, last];
}

const rangeText = ([low, high]: readonly [number, number]): string => (low === high ? `${low}` : `${low}:${high}`);

export const lengthModule = (): MatchModule =>
  single({
    name: 'length',
    option: '--length',
    parse: (text, negated) => {
      const range = rangeOf('length', '--length', text);
      const fits = ({ view, networkHeader }: SkBuff) => {
        const length = view.getUint16(networkHeader + IPV4.TOTAL_LENGTH);
        return length >= range[0] && length <= range[1];
      };
      return { save: rangeText(range), list: `length ${negated ? '!' : ''}${rangeText(range)}`, fits };
    },
  });

export const macModule = (): MatchModule =>
  single({
    name: 'mac',
    option: '--mac-source',
    parse: (text, negated) => {
      const mac = parseMac(text);
      if (mac === undefined) throw badUse('Invalid MAC address specified.');
      return {
        save: formatMac(mac),
        list: `MAC ${not(negated)}${formatMac(mac)}`,
        fits: (skb) => sourceMac(skb) === mac,
      };
    },
  });

/** Undefined for a packet that came by no wire. */
function sourceMac(skb: SkBuff): Mac | undefined {
  return skb.macHeader + ETHERNET.SIZE === skb.networkHeader
    ? readMac(skb.view, skb.macHeader + ETHERNET.SOURCE)
    : undefined;
}

const PACKET_TYPES = new Map<string, string>([
  ['unicast', 'host'],
  ['host', 'host'],
  ['broadcast', 'broadcast'],
  ['bcast', 'broadcast'],
  ['multicast', 'multicast'],
  ['mcast', 'multicast'],
]);

export const pkttypeModule = (): MatchModule =>
  single({
    name: 'pkttype',
    option: '--pkt-type',
    parse: (text, negated) => {
      const type = PACKET_TYPES.get(text.toLowerCase());
      if (type === undefined) throw badUse(`Bad packet type '${text}'`);
      const shown = type === 'host' ? 'unicast' : type;
      return { save: shown, list: `PKTTYPE ${negated ? '!=' : '='} ${shown}`, fits: (skb) => skb.packetType === type };
    },
  });

const DSCP_CLASSES = new Map<string, number>([
  ['BE', 0],
  ['EF', 46],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n): [string, number] => [`CS${n}`, n * 8]),
  ...[1, 2, 3, 4].flatMap((n) => [1, 2, 3].map((d): [string, number] => [`AF${n}${d}`, n * 8 + d * 2])),
]);

export function dscpOfClass(text: string): number {
  const dscp = DSCP_CLASSES.get(text.toUpperCase());
  if (dscp === undefined) throw badUse(`Invalid DSCP value \`${text}'`);
  return dscp;
}

export const dscpText = (dscp: number): string => `0x${dscp.toString(16).padStart(2, '0')}`;

/** Six bits above ECN's two. */
export function dscpModule(): MatchModule {
  let wanted: { dscp: number; negated: boolean } | undefined;
  return {
    name: 'dscp',
    option: (word, words) => {
      if (word !== '--dscp' && word !== '--dscp-class') return false;
      const { negated } = words;
      const text = words.value(word);
      const dscp = word === '--dscp' ? within(text, 63) : dscpOfClass(text);
      if (dscp === undefined) throw outOfRange('dscp', '--dscp', '0-63');
      wanted = { dscp, negated };
      return true;
    },
    finish: () => {
      if (wanted === undefined) throw badUse('DSCP match: Parameter --dscp is required');
      const { dscp, negated } = wanted;
      return {
        save: `-m dscp ${not(negated)}--dscp ${dscpText(dscp)}`,
        list: `DSCP match ${negated ? '!' : ''}${dscpText(dscp)}`,
        test: (_, { skb }) => skb !== undefined && (tosOf(skb) >>> 2 === dscp) !== negated,
      };
    },
  };
}

function tosOf({ view, networkHeader }: SkBuff): number {
  return view.getUint8(networkHeader + IPV4.TOS);
}

const TOS_NAMES = new Map<string, number>([
  ['minimize-delay', 0x10],
  ['maximize-throughput', 0x08],
  ['maximize-reliability', 0x04],
  ['minimize-cost', 0x02],
  ['normal-service', 0x00],
]);

/** `VALUE[/MASK]` or a name, whose mask leaves ECN's bits and the precedence out. */
export function parseTos(text: string, option: string, module: string): { value: number; mask: number } {
  const named = TOS_NAMES.get(text.toLowerCase());
  if (named !== undefined) return { value: named, mask: 0x3f };
  const [low = '', high] = text.split('/');
  const value = within(low, 255);
  const mask = high === undefined ? 0xff : within(high, 255);
  if (value === undefined || mask === undefined) throw outOfRange(module, option, '0-255');
  return { value, mask };
}

export const tosModule = (): MatchModule =>
  single({
    name: 'tos',
    option: '--tos',
    parse: (text, negated) => {
      const { value, mask } = parseTos(text, '--tos', 'tos');
      const save = `${dscpText(value)}/${dscpText(mask)}`;
      return { save, list: `tos match${negated ? '!' : ''}${save}`, fits: (skb) => (tosOf(skb) & mask) === value };
    },
  });

export const tcpmssModule = (): MatchModule =>
  single({
    name: 'tcpmss',
    option: '--mss',
    parse: (text, negated) => {
      const range = rangeOf('tcpmss', '--mss', text);
      const fits = (skb: SkBuff) => {
        const mss = mssOf(skb);
        return mss !== undefined && mss >= range[0] && mss <= range[1];
      };
      return { save: rangeText(range), list: `tcpmss match ${negated ? '!' : ''}${rangeText(range)}`, fits };
    },
  });

/** Where the MSS option's value stands; undefined when there is none. */
export function mssOffset(skb: SkBuff): number | undefined {
  const { view, transportHeader: at } = skb;
  if (view.getUint8(skb.networkHeader + IPV4.PROTOCOL) !== PROTOCOL.TCP || at + TCP.SIZE > skb.tail) return undefined;
  const end = Math.min(at + tcpHeaderLength(view, at), skb.tail);
  for (let option = at + TCP.SIZE; option < end; ) {
    const kind = view.getUint8(option);
    if (kind === 0) return undefined;
    const length = kind === 1 ? 1 : option + 1 < end ? view.getUint8(option + 1) : 0;
    if (length < 1 || (kind !== 1 && length < 2) || option + length > end) return undefined;
    if (kind === 2 && length === 4) return option + 2;
    option += length;
  }
  return undefined;
}

function mssOf(skb: SkBuff): number | undefined {
  const at = mssOffset(skb);
  return at === undefined ? undefined : skb.view.getUint16(at);
}

const TTL_TESTS: Readonly<Record<string, { sign: string; fits: (ttl: number, value: number) => boolean }>> = {
  '--ttl-eq': { sign: '==', fits: (ttl, value) => ttl === value },
  '--ttl-lt': { sign: '<', fits: (ttl, value) => ttl < value },
  '--ttl-gt': { sign: '>', fits: (ttl, value) => ttl > value },
};

export function ttlMatchModule(): MatchModule {
  let made: Match | undefined;
  return {
    name: 'ttl',
    option: (word, words) => {
      const how = TTL_TESTS[word === '--ttl' ? '--ttl-eq' : word];
      if (how === undefined) return false;
      const { negated } = words;
      const value = within(words.value(word), 255);
      if (value === undefined) throw outOfRange('ttl', word, '0-255');
      made = {
        save: `-m ttl ${not(negated)}${word === '--ttl' ? '--ttl-eq' : word} ${value}`,
        list: `TTL match TTL ${negated ? '!=' : how.sign} ${value}`,
        test: (_, { skb }) =>
          skb !== undefined && how.fits(skb.view.getUint8(skb.networkHeader + IPV4.TTL), value) !== negated,
      };
      return true;
    },
    finish: () => {
      if (made === undefined) throw badUse("TTL match: You must specify one of `--ttl-eq', `--ttl-lt', `--ttl-gt");
      return made;
    },
  };
}

/** One in so many, by chance or by count. */
export function statisticModule(): MatchModule {
  let mode = '';
  let negated = false;
  let probability: number | undefined;
  let every: number | undefined;
  let packet: number | undefined;
  const number = (words: Words, option: string, max: number) => {
    const value = within(words.value(option), max);
    if (value === undefined) throw outOfRange('statistic', option, `0-${max}`);
    return value;
  };
  return {
    name: 'statistic',
    option: (word, words) => {
      if (word === '--mode') {
        mode = words.value(word);
        if (mode !== 'random' && mode !== 'nth') throw badUse(`Bad mode "${mode}"`);
      } else if (word === '--probability') {
        negated = words.negated;
        probability = Number(words.value(word));
        if (!(probability >= 0 && probability <= 1)) throw outOfRange('statistic', word, '0-1');
      } else if (word === '--every') {
        negated = words.negated;
        every = number(words, word, 0xffff_ffff);
      } else if (word === '--packet') packet = number(words, word, 0xffff_ffff);
      else return false;
      return true;
    },
    finish: () => {
      if (mode === 'nth') {
        if (every === undefined) throw badUse('--every must be specified when using nth mode');
        if (packet === undefined) throw badUse('statistic: option "--every" also requires "--packet".\n');
        return nthMatch(every, packet, negated);
      }
      if (probability === undefined) throw badUse('--probability must be specified when using random mode');
      const chance = probability;
      const text = chance.toFixed(11);
      return {
        save: `-m statistic --mode random ${not(negated)}--probability ${text}`,
        list: `statistic mode random ${not(negated)}probability ${text}`,
        test: (host) => host.random.below(0x8000_0000) / 0x8000_0000 < chance !== negated,
      };
    },
  };
}

function nthMatch(every: number, packet: number, negated: boolean): Match {
  if (packet >= every) throw badUse('the --packet p must be 0 <= p <= n-1');
  // Linux counts from every - packet - 1, so that the packet of that number is the first to fit.
  let count = every - packet - 1;
  return {
    save: `-m statistic --mode nth ${not(negated)}--every ${every} --packet ${packet}`,
    list: `statistic mode nth ${not(negated)}every ${every} packet ${packet}`,
    test: (_host, _packet: RulePacket) => {
      count = (count + 1) % every;
      return (count === 0) !== negated;
    },
  };
}
