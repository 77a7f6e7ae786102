/** The matches of iptables rules, by the names of their modules (iptables-extensions(8)). */
import { formatIpv4, type Ipv4, networkOf, parseIpv4 } from '../header/address.ts';
import { ICMP_TYPE } from '../header/icmp.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { SECOND } from '../platform.ts';
import { conntrackEnable, flowOf, UNTRACKED } from './conntrack.ts';
import type { Host } from './host.ts';
import { addrtypeModule, iprangeModule } from './iptables-match-address.ts';
import { connlimitModule, connmarkModule, hashlimitModule, recentModule } from './iptables-match-flow.ts';
import {
  dscpModule,
  lengthModule,
  macModule,
  pkttypeModule,
  statisticModule,
  tcpmssModule,
  tosModule,
  ttlMatchModule,
} from './iptables-match-packet.ts';
import { formatNetwork, type Match, type RulePacket } from './iptables-table.ts';
import { badParameter, badUse, parseNumber, parsePorts, type Words } from './iptables-words.ts';

const PROTOCOL_NAMES = new Map<string, number>([
  ['all', 0],
  ['icmp', 1],
  ['igmp', 2],
  ['tcp', 6],
  ['udp', 17],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['sctp', 132],
]);

export function protocolName(number: number): string {
  for (const [name, value] of PROTOCOL_NAMES) if (value === number) return name;
  return String(number);
}

export function parseProtocol(text: string): number {
  const number = PROTOCOL_NAMES.get(text.toLowerCase()) ?? (/^[0-9]{1,3}$/.test(text) ? Number(text) : undefined);
  if (number === undefined || number > 255) throw badUse(`unknown protocol "${text}" specified`);
  return number;
}

const not = (negated: boolean): string => (negated ? '! ' : '');

export function matchProtocol(number: number, negated: boolean): Match {
  return {
    save: `${not(negated)}-p ${protocolName(number)}`,
    list: '',
    test: (_, packet) => (packet.protocol === number) !== negated,
  };
}

/** An address with a mask, as bits or dotted. */
export function parseNetwork(text: string): { address: Ipv4; prefix: number } {
  const [host = '', mask] = text.split('/');
  const address = parseIpv4(host);
  if (address === undefined) throw badUse(`host/network \`${host}' not found`);
  let prefix = 32;
  if (mask !== undefined) {
    const dotted = parseIpv4(mask);
    prefix = /^[0-9]{1,2}$/.test(mask) ? Number(mask) : dotted === undefined ? 99 : Math.clz32(~dotted >>> 0);
    if (prefix > 32) throw badUse(`invalid mask \`${mask}' specified`);
  }
  return { address: networkOf(address, prefix), prefix };
}

export function matchAddress(which: 'source' | 'target', text: string, negated: boolean): Match & { shown: string } {
  const { address, prefix } = parseNetwork(text);
  const option = which === 'source' ? '-s' : '-d';
  return {
    save: `${not(negated)}${option} ${formatIpv4(address)}/${prefix}`,
    list: '',
    shown: `${negated ? '!' : ''}${formatNetwork(address, prefix)}`,
    test: (_, packet) => (networkOf(packet[which] as Ipv4, prefix) === address) !== negated,
  };
}

/** `eth0`, or `eth+` for all that begin so. */
export function matchDevice(which: 'input' | 'output', name: string, negated: boolean): Match {
  const wild = name.endsWith('+');
  const stem = wild ? name.slice(0, -1) : name;
  return {
    save: `${not(negated)}${which === 'input' ? '-i' : '-o'} ${name}`,
    list: '',
    test: (_, packet) => {
      const own = packet[which]?.name ?? '';
      return (wild ? own.startsWith(stem) : own === stem) !== negated;
    },
  };
}

export function matchFragment(negated: boolean): Match {
  return { save: `${not(negated)}-f`, list: '', test: (_, packet) => packet.fragment !== negated };
}

/** A module in the making: takes options until it has them all. */
export interface MatchModule {
  readonly name: string;
  /** True when the option was one of its own. */
  option(option: string, words: Words): boolean;
  finish(host: Host): Match;
}

const portText = ([low, high]: readonly [number, number], colon = ':'): string =>
  low === high ? String(low) : `${low}${colon}${high}`;

interface PortTest {
  readonly which: 'sourcePort' | 'targetPort';
  readonly range: readonly [number, number];
  readonly negated: boolean;
}

/** `-m tcp`, `-m udp`: ports and TCP's flags. */
function portModule(name: 'tcp' | 'udp'): MatchModule {
  const ports: PortTest[] = [];
  const flags: { mask: number; compare: number; negated: boolean; syn: boolean }[] = [];
  return {
    name,
    option: (option, words) => {
      if (
        option === '--sport' ||
        option === '--source-port' ||
        option === '--dport' ||
        option === '--destination-port'
      ) {
        const which = option.includes('s') && option.startsWith('--s') ? 'sourcePort' : 'targetPort';
        ports.push({ which, range: parsePorts(words.value(option)), negated: words.negated });
        return true;
      }
      if (name !== 'tcp') return false;
      if (option === '--syn') {
        flags.push({ mask: 0x17, compare: 0x02, negated: words.negated, syn: true });
        return true;
      }
      if (option !== '--tcp-flags') return false;
      const mask = parseFlags(words.value(option));
      flags.push({ mask, compare: parseFlags(words.value(option)), negated: words.negated, syn: false });
      return true;
    },
    finish: () => ({
      save: [`-m ${name}`, ...ports.map(savePort), ...flags.map(saveFlags)].join(' '),
      list: [name, ...ports.map(listPort), ...flags.map(listFlags)].join(' '),
      test: (_, packet) =>
        packet.ports && ports.every((p) => portFits(p, packet)) && flags.every((f) => flagsFit(f, packet)),
    }),
  };
}

const portFits = ({ which, range, negated }: PortTest, packet: RulePacket): boolean =>
  (packet[which] >= range[0] && packet[which] <= range[1]) !== negated;
const savePort = ({ which, range, negated }: PortTest): string =>
  `${not(negated)}${which === 'sourcePort' ? '--sport' : '--dport'} ${portText(range)}`;
const listPort = ({ which, range, negated }: PortTest): string =>
  `${which === 'sourcePort' ? 'spt' : 'dpt'}${range[0] === range[1] ? '' : 's'}:${negated ? '!' : ''}${portText(range)}`;

interface FlagTest {
  readonly mask: number;
  readonly compare: number;
  readonly negated: boolean;
  readonly syn: boolean;
}

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] as const;

function parseFlags(text: string): number {
  if (text === 'ALL') return 0x3f;
  if (text === 'NONE') return 0;
  let bits = 0;
  for (const word of text.split(',')) {
    const at = FLAG_NAMES.indexOf(word.toUpperCase() as (typeof FLAG_NAMES)[number]);
    if (at < 0) throw badUse(`Unknown TCP flag \`${word}'`);
    bits |= 1 << at;
  }
  return bits;
}

const flagText = (bits: number): string => FLAG_NAMES.filter((_, i) => (bits & (1 << i)) !== 0).join(',') || 'NONE';
const flagsFit = (f: FlagTest, packet: RulePacket): boolean => ((packet.tcpFlags & f.mask) === f.compare) !== f.negated;
const saveFlags = (f: FlagTest): string => `${not(f.negated)}--tcp-flags ${flagText(f.mask)} ${flagText(f.compare)}`;
const listFlags = (f: FlagTest): string =>
  `flags:${f.negated ? '!' : ''}0x${f.mask.toString(16).padStart(2, '0')}/0x${f.compare.toString(16).padStart(2, '0')}`;

const ICMP_NAMES = new Map<string, readonly [number, number | undefined]>([
  ['any', [255, undefined]],
  ['echo-reply', [ICMP_TYPE.ECHO_REPLY, undefined]],
  ['pong', [ICMP_TYPE.ECHO_REPLY, undefined]],
  ['destination-unreachable', [ICMP_TYPE.UNREACHABLE, undefined]],
  ['network-unreachable', [3, 0]],
  ['host-unreachable', [3, 1]],
  ['protocol-unreachable', [3, 2]],
  ['port-unreachable', [3, 3]],
  ['fragmentation-needed', [3, 4]],
  ['source-quench', [4, undefined]],
  ['redirect', [5, undefined]],
  ['echo-request', [ICMP_TYPE.ECHO_REQUEST, undefined]],
  ['ping', [ICMP_TYPE.ECHO_REQUEST, undefined]],
  ['time-exceeded', [11, undefined]],
  ['ttl-exceeded', [11, undefined]],
  ['ttl-zero-during-transit', [11, 0]],
  ['parameter-problem', [12, undefined]],
  ['timestamp-request', [13, undefined]],
  ['timestamp-reply', [14, undefined]],
]);

function icmpModule(): MatchModule {
  let wanted: readonly [number, number | undefined] | undefined;
  let negated = false;
  return {
    name: 'icmp',
    option: (option, words) => {
      if (option !== '--icmp-type') return false;
      negated = words.negated;
      wanted = parseIcmpType(words.value(option));
      return true;
    },
    finish: () => {
      const [type, code] = wanted ?? [255, undefined];
      const text = type === 255 ? 'any' : code === undefined ? String(type) : `${type}/${code}`;
      const shown = type === 255 ? 'icmptype 255' : `icmptype ${type}${code === undefined ? '' : ` code ${code}`}`;
      return {
        save: wanted === undefined ? '-m icmp' : `-m icmp ${not(negated)}--icmp-type ${text}`,
        list: wanted === undefined ? 'icmp' : `${negated ? '!' : ''}${shown}`,
        test: (_, packet) => {
          if (!packet.ports) return false;
          const fits = type === 255 || (packet.icmpType === type && (code === undefined || packet.icmpCode === code));
          return fits !== negated;
        },
      };
    },
  };
}

function parseIcmpType(text: string): readonly [number, number | undefined] {
  const named = ICMP_NAMES.get(text.toLowerCase());
  if (named !== undefined) return named;
  const parts = /^([0-9]{1,3})(?:\/([0-9]{1,3}))?$/.exec(text);
  if (parts === null) throw badParameter(`Invalid ICMP type \`${text}'`);
  return [Number(parts[1]), parts[2] === undefined ? undefined : Number(parts[2])];
}

/** Ports in a list, up to fifteen. */
function multiportModule(): MatchModule {
  let option = '';
  let ranges: (readonly [number, number])[] = [];
  let negated = false;
  const names: Readonly<Record<string, string>> = {
    '--sports': 'sports',
    '--source-ports': 'sports',
    '--dports': 'dports',
    '--destination-ports': 'dports',
    '--ports': 'ports',
  };
  return {
    name: 'multiport',
    option: (word, words) => {
      const name = names[word];
      if (name === undefined) return false;
      option = name;
      negated = words.negated;
      ranges = words.value(word).split(',').map(parsePorts);
      if (ranges.length > 15) throw badUse('too many ports specified');
      return true;
    },
    finish: () => {
      if (option === '') throw badUse('multiport expection an option');
      const text = ranges.map((range) => portText(range)).join(',');
      const within = (port: number) => ranges.some(([low, high]) => port >= low && port <= high);
      return {
        save: `-m multiport ${not(negated)}--${option} ${text}`,
        list: `multiport ${option} ${negated ? '!' : ''}${text}`,
        test: (_, packet) => {
          if (!packet.ports) return false;
          const source = option !== 'dports' && within(packet.sourcePort);
          const target = option !== 'sports' && within(packet.targetPort);
          return (source || target) !== negated;
        },
      };
    },
  };
}

const CT_STATES = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT'] as const;

/** `-m conntrack --ctstate` and the older `-m state --state`. */
function stateModule(name: 'conntrack' | 'state'): MatchModule {
  const option = name === 'state' ? '--state' : '--ctstate';
  let wanted: string[] = [];
  let negated = false;
  return {
    name,
    option: (word, words) => {
      if (word !== option) return false;
      negated = words.negated;
      wanted = words.value(option).toUpperCase().split(',');
      for (const state of wanted)
        if (!CT_STATES.some((known) => known === state))
          throw badParameter(`Bad ${option.slice(2)} parameter "${state}"`);
      return true;
    },
    finish: (host) => {
      if (wanted.length === 0) throw badUse(`${name}: at least one option is required`);
      conntrackEnable(host);
      const sorted = CT_STATES.filter((state) => wanted.includes(state)).join(',');
      return {
        save: `-m ${name} ${not(negated)}${option} ${sorted}`,
        list: `${negated ? '! ' : ''}${option.slice(2)} ${sorted}`,
        test: (_, packet) => ctStates(packet).some((state) => wanted.includes(state)) !== negated,
      };
    },
  };
}

function ctStates(packet: RulePacket): string[] {
  const info = packet.skb === undefined ? undefined : flowOf(packet.skb);
  if (packet.skb?.conntrack === UNTRACKED) return ['UNTRACKED'];
  if (info === undefined) return ['INVALID'];
  const states = [info.state.toUpperCase()];
  if (info.flow.sourceNat) states.push('SNAT');
  if (info.flow.targetNat) states.push('DNAT');
  return states;
}

/** Linux: xt_limit, a bucket of `burst` tokens filled at the rate. */
function limitModule(): MatchModule {
  const units: Readonly<Record<string, number>> = {
    second: 1,
    sec: 1,
    s: 1,
    minute: 60,
    min: 60,
    m: 60,
    hour: 3_600,
    h: 3_600,
    day: 86_400,
    d: 86_400,
  };
  let perUnit = 3;
  let unit = 'hour';
  let burst = 5;
  return {
    name: 'limit',
    option: (option, words) => {
      if (option === '--limit') {
        const text = words.value(option);
        const parts = /^([0-9]+)(?:\/([a-z]+))?$/.exec(text);
        const seconds = units[parts?.[2] ?? 'second'];
        if (parts === null || seconds === undefined || Number(parts[1]) === 0) throw badUse(`bad rate "${text}"'`);
        perUnit = Number(parts[1]);
        unit = seconds === 1 ? 'sec' : seconds === 60 ? 'min' : seconds === 3_600 ? 'hour' : 'day';
        return true;
      }
      if (option !== '--limit-burst') return false;
      burst = parseNumber(words.value(option), '--limit-burst', 10_000);
      return true;
    },
    finish: (host) => {
      const cost = ((units[unit] ?? 1) * SECOND) / perUnit;
      let credit = burst * cost;
      let last = host.clock.now();
      return {
        save: `-m limit --limit ${perUnit}/${unit}${burst === 5 ? '' : ` --limit-burst ${burst}`}`,
        list: `limit: avg ${perUnit}/${unit} burst ${burst}`,
        test: ({ clock }) => {
          credit = Math.min(burst * cost, credit + (clock.now() - last));
          last = clock.now();
          if (credit < cost) return false;
          credit -= cost;
          return true;
        },
      };
    },
  };
}

function commentModule(): MatchModule {
  let text = '';
  return {
    name: 'comment',
    option: (option, words) => {
      if (option !== '--comment') return false;
      text = words.value(option);
      return true;
    },
    finish: () => ({
      save: `-m comment --comment ${/[\s"]/.test(text) ? JSON.stringify(text) : text}`,
      list: `/* ${text} */`,
      test: () => true,
    }),
  };
}

function markModule(): MatchModule {
  let value = 0;
  let mask = 0xffff_ffff;
  let negated = false;
  return {
    name: 'mark',
    option: (option, words) => {
      if (option !== '--mark') return false;
      negated = words.negated;
      const [a = '', b] = words.value(option).split('/');
      value = parseNumber(a, '--mark');
      if (b !== undefined) mask = parseNumber(b, '--mark');
      return true;
    },
    finish: () => {
      const text = `0x${value.toString(16)}${mask === 0xffff_ffff ? '' : `/0x${mask.toString(16)}`}`;
      return {
        save: `-m mark ${not(negated)}--mark ${text}`,
        list: `mark match ${negated ? '!' : ''}${text}`,
        test: (_, packet) => (((packet.skb?.mark ?? 0) & mask) >>> 0 === value) !== negated,
      };
    },
  };
}

/** A module by name; undefined when there is none. `protocol`: what -p said, for tcp, udp and icmp. */
export function matchModule(name: string, protocol: number | undefined): MatchModule | undefined {
  const needs = (number: number, make: () => MatchModule) => {
    if (protocol !== number) throw badUse(`unknown option "-m ${name}" without -p ${name}`);
    return make();
  };
  switch (name) {
    case 'tcp':
      return needs(PROTOCOL.TCP, () => portModule('tcp'));
    case 'udp':
      return needs(PROTOCOL.UDP, () => portModule('udp'));
    case 'icmp':
      return needs(PROTOCOL.ICMP, icmpModule);
    case 'multiport':
      return multiportModule();
    case 'conntrack':
    case 'state':
      return stateModule(name);
    case 'limit':
      return limitModule();
    case 'comment':
      return commentModule();
    case 'mark':
      return markModule();
    case 'tcpmss':
      if (protocol !== PROTOCOL.TCP) throw badUse('unknown option "-m tcpmss" without -p tcp');
      return tcpmssModule();
    default:
      return MORE.get(name)?.();
  }
}

/** Modules in files of their own. */
const MORE: ReadonlyMap<string, () => MatchModule> = new Map([
  ['addrtype', addrtypeModule],
  ['connlimit', connlimitModule],
  ['connmark', connmarkModule],
  ['dscp', dscpModule],
  ['hashlimit', hashlimitModule],
  ['iprange', iprangeModule],
  ['length', lengthModule],
  ['mac', macModule],
  ['pkttype', pkttypeModule],
  ['recent', recentModule],
  ['statistic', statisticModule],
  ['tos', tosModule],
  ['ttl', ttlMatchModule],
]);
