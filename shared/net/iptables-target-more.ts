/**
 * Targets that change a packet's marks, TOS, MSS or TTL, leave it untracked, or map networks (iptables-extensions(8)).
 * Left out: TCPMSS adding the option to a SYN that has none, CT's zones, helpers and events.
 */
import { formatIpv4, type Ipv4, maskOf } from '../header/address.ts';
import { updateChecksum } from '../header/checksum.ts';
import { IPV4, PROTOCOL } from '../header/ipv4.ts';
import { TCP } from '../header/tcp.ts';
import { conntrackEnable, flowOf, UNTRACKED } from './conntrack.ts';
import { isErrno } from './errno.ts';
import type { Host } from './host.ts';
import { parseNetwork } from './iptables-match.ts';
import { dscpOfClass, dscpText, mssOffset, parseTos } from './iptables-match-packet.ts';
import type { RulePacket, Target } from './iptables-table.ts';
import { ANY_PLACE, plainTarget, type TargetModule } from './iptables-target.ts';
import { badUse, outOfRange, parseNumber, type Words } from './iptables-words.ts';
import { natSetup } from './nat.ts';
import { HOOK } from './netfilter.ts';
import { type Route, routeOutput } from './route.ts';
import type { SkBuff } from './skbuff.ts';

const MANGLE = { tables: ['mangle'], hooks: [] } as const;
const ALL = 0xffff_ffff;
const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** `VALUE[/MASK]`. */
function valueAndMask(words: Words, option: string): { value: number; mask: number | undefined } {
  const [a = '', b] = words.value(option).split('/');
  return { value: parseNumber(a, option), mask: b === undefined ? undefined : parseNumber(b, option) };
}

/** All ways to change a mark come down to `(mark & ~clear) ^ flip`; --set-mark clears its own bits, too. */
interface MarkChange {
  readonly flip: number;
  readonly clear: number;
}

function markChange(option: string, words: Words): MarkChange | undefined {
  switch (option) {
    case '--set-mark': {
      const { value, mask } = valueAndMask(words, option);
      return { flip: value, clear: mask === undefined ? ALL : (mask | value) >>> 0 };
    }
    case '--set-xmark': {
      const { value, mask } = valueAndMask(words, option);
      return { flip: value, clear: mask ?? ALL };
    }
    case '--and-mark':
      return { flip: 0, clear: ~parseNumber(words.value(option), option) >>> 0 };
    case '--or-mark': {
      const bits = parseNumber(words.value(option), option);
      return { flip: bits, clear: bits };
    }
    case '--xor-mark':
      return { flip: parseNumber(words.value(option), option), clear: 0 };
    default:
      return undefined;
  }
}

const changed = (mark: number, { flip, clear }: MarkChange): number => ((mark & ~clear) ^ flip) >>> 0;

function listMark({ flip, clear }: MarkChange): string {
  if (flip === 0) return `and ${hex(~clear)}`;
  if (flip === clear) return `or ${hex(flip)}`;
  if (clear === 0) return `xor ${hex(flip)}`;
  return clear === ALL ? `set ${hex(flip)}` : `xset ${hex(flip)}/${hex(clear)}`;
}

export function markTarget(): TargetModule {
  let change: MarkChange | undefined;
  return {
    name: 'MARK',
    ...ANY_PLACE,
    option: (option, words) => {
      const found = markChange(option, words);
      if (found !== undefined) change = found;
      return found !== undefined;
    },
    finish: () => {
      if (change === undefined)
        throw badUse('MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required');
      const how = change;
      return {
        ...plainTarget('MARK', (_, { skb }) => {
          if (skb !== undefined) skb.mark = changed(skb.mark, how);
          return 'continue';
        }),
        save: `--set-xmark ${hex(how.flip)}/${hex(how.clear)}`,
        list: `MARK ${listMark(how)}`,
      };
    },
  };
}

/** The flow's mark: set, kept from the packet, or given back to it. */
export function connmarkTarget(): TargetModule {
  let change: MarkChange | undefined;
  let copy: 'save' | 'restore' | undefined;
  let [nfmask, ctmask] = [ALL, ALL];
  return {
    name: 'CONNMARK',
    ...ANY_PLACE,
    option: (option, words) => {
      if (option === '--save-mark' || option === '--restore-mark') copy = option === '--save-mark' ? 'save' : 'restore';
      else if (option === '--nfmask') nfmask = parseNumber(words.value(option), option);
      else if (option === '--ctmask') ctmask = parseNumber(words.value(option), option);
      else if (option === '--mask') nfmask = ctmask = parseNumber(words.value(option), option);
      else {
        const found = markChange(option, words);
        if (found === undefined) return false;
        change = found;
      }
      return true;
    },
    finish: (host) => {
      if (change === undefined && copy === undefined) throw badUse('CONNMARK target: No operation specified');
      conntrackEnable(host);
      const how = change;
      return {
        ...plainTarget('CONNMARK', (_, { skb }) => {
          const flow = skb === undefined ? undefined : flowOf(skb)?.flow;
          if (skb === undefined || flow === undefined) return 'continue';
          if (how !== undefined) flow.mark = changed(flow.mark, how);
          else if (copy === 'save') flow.mark = ((flow.mark & ~ctmask) ^ (skb.mark & nfmask)) >>> 0;
          else skb.mark = ((skb.mark & ~nfmask) ^ (flow.mark & ctmask)) >>> 0;
          return 'continue';
        }),
        save:
          how !== undefined
            ? `--set-xmark ${hex(how.flip)}/${hex(how.clear)}`
            : `--${copy}-mark --nfmask ${hex(nfmask)} --ctmask ${hex(ctmask)}`,
        list: `CONNMARK ${how !== undefined ? listMark(how) : `${copy}${listMasks(copy, nfmask, ctmask)}`}`,
      };
    },
  };
}

function listMasks(copy: 'save' | 'restore' | undefined, nfmask: number, ctmask: number): string {
  if (nfmask === ALL && ctmask === ALL) return '';
  if (nfmask === ctmask) return ` mask ${hex(nfmask)}`;
  return copy === 'save'
    ? ` nfmask ${hex(nfmask)} ctmask ~${hex(ctmask)}`
    : ` ctmask ${hex(ctmask)} nfmask ~${hex(nfmask)}`;
}

/** Change TOS; the header's sum follows by the difference. */
function setTos(host: Host, skb: SkBuff, tos: number): void {
  host.skbs.cow(skb);
  const { view, networkHeader: at } = skb;
  const before = view.getUint16(at);
  const after = (before & 0xff00) | tos;
  view.setUint16(at, after);
  view.setUint16(at + IPV4.CHECKSUM, updateChecksum(view.getUint16(at + IPV4.CHECKSUM), before, after));
}

const tosOf = (skb: SkBuff): number => skb.view.getUint8(skb.networkHeader + IPV4.TOS);

export function dscpTarget(): TargetModule {
  let dscp: number | undefined;
  return {
    name: 'DSCP',
    ...MANGLE,
    option: (option, words) => {
      if (option === '--set-dscp') {
        dscp = Number(words.value(option));
        if (!(dscp >= 0 && dscp <= 63)) throw outOfRange('DSCP', option, '0-63');
      } else if (option === '--set-dscp-class') dscp = dscpOfClass(words.value(option));
      else return false;
      return true;
    },
    finish: () => {
      if (dscp === undefined) throw badUse('DSCP target: Parameter --set-dscp is required');
      const value = dscp;
      return {
        ...plainTarget('DSCP', (host, { skb }) => {
          if (skb !== undefined) setTos(host, skb, (tosOf(skb) & 3) | (value << 2));
          return 'continue';
        }),
        save: `--set-dscp ${dscpText(value)}`,
        list: `DSCP set ${dscpText(value)}`,
      };
    },
  };
}

export function tosTarget(): TargetModule {
  let change: { value: number; mask: number } | undefined;
  const bits = (words: Words, option: string) => parseNumber(words.value(option), option, 255);
  return {
    name: 'TOS',
    ...MANGLE,
    option: (option, words) => {
      if (option === '--set-tos') change = parseTos(words.value(option), option, 'TOS');
      else if (option === '--and-tos') change = { value: 0, mask: ~bits(words, option) & 0xff };
      else if (option === '--or-tos') {
        const value = bits(words, option);
        change = { value, mask: value };
      } else if (option === '--xor-tos') change = { value: bits(words, option), mask: 0 };
      else return false;
      return true;
    },
    finish: () => {
      if (change === undefined) throw badUse('TOS: An action is required');
      const { value, mask } = change;
      const text = `${dscpText(value)}/${dscpText(mask)}`;
      return {
        ...plainTarget('TOS', (host, { skb }) => {
          if (skb !== undefined) setTos(host, skb, ((tosOf(skb) & ~mask) ^ value) & 0xff);
          return 'continue';
        }),
        save: `--set-tos ${text}`,
        list: `TOS set ${text}`,
      };
    },
  };
}

const TTL_WORDS: Readonly<Record<string, string>> = {
  '--ttl-set': 'set to',
  '--ttl-dec': 'decrement by',
  '--ttl-inc': 'increment by',
};

/** A TTL of one's own, or a hop more or less. */
export function ttlTarget(): TargetModule {
  let how: { option: string; value: number } | undefined;
  return {
    name: 'TTL',
    ...MANGLE,
    option: (option, words) => {
      if (TTL_WORDS[option] === undefined) return false;
      how = { option, value: parseNumber(words.value(option), option, 255) };
      if (how.value === 0 && option !== '--ttl-set') throw badUse('TTL: increasing/decreasing by 0?');
      return true;
    },
    finish: () => {
      if (how === undefined) throw badUse('TTL: You must specify an action');
      const { option, value } = how;
      return {
        ...plainTarget('TTL', (host, { skb }) => {
          if (skb !== undefined) setTtl(host, skb, option, value);
          return 'continue';
        }),
        save: `${option} ${value}`,
        list: `TTL ${TTL_WORDS[option]} ${value}`,
      };
    },
  };
}

function setTtl(host: Host, skb: SkBuff, option: string, value: number): void {
  host.skbs.cow(skb);
  const { view } = skb;
  const at = skb.networkHeader + IPV4.TTL;
  const before = view.getUint16(at);
  const ttl = before >>> 8;
  const wanted = option === '--ttl-set' ? value : option === '--ttl-inc' ? ttl + value : ttl - value;
  const after = (Math.min(255, Math.max(0, wanted)) << 8) | (before & 255);
  view.setUint16(at, after);
  const sum = skb.networkHeader + IPV4.CHECKSUM;
  view.setUint16(sum, updateChecksum(view.getUint16(sum), before, after));
}

/** A SYN's MSS made smaller, never larger: to a number, or to what the way there and back carries. (xt_TCPMSS) */
export function tcpmssTarget(protocol: number | undefined): TargetModule {
  let mss: number | 'clamp' | undefined;
  return {
    name: 'TCPMSS',
    ...ANY_PLACE,
    misplaced: () => protocol !== PROTOCOL.TCP,
    option: (option, words) => {
      if (option === '--clamp-mss-to-pmtu') mss = 'clamp';
      else if (option === '--set-mss') mss = parseNumber(words.value(option), option, 65_495);
      else return false;
      return true;
    },
    finish: () => {
      if (mss === undefined) throw badUse('TCPMSS target: At least one parameter is required');
      const how = mss;
      return {
        ...plainTarget('TCPMSS', (host, packet) => {
          const { skb } = packet;
          const at = skb === undefined || packet.fragment ? undefined : mssOffset(skb);
          if (skb !== undefined && at !== undefined)
            lowerMss(host, skb, at, how === 'clamp' ? pathMss(host, packet) : how);
          return 'continue';
        }),
        save: how === 'clamp' ? '--clamp-mss-to-pmtu' : `--set-mss ${how}`,
        list: `TCPMSS ${how === 'clamp' ? 'clamp to PMTU' : `set ${how}`}`,
      };
    },
  };
}

function pathMss(host: Host, { skb, source }: RulePacket): number {
  const forth = (skb?.route as Route | undefined)?.mtu ?? 65_535;
  const back = routeOutput(host, { target: source as Ipv4 });
  return Math.min(forth, isErrno(back) ? 65_535 : back.mtu) - IPV4.SIZE - TCP.SIZE;
}

function lowerMss(host: Host, skb: SkBuff, at: number, mss: number): void {
  const before = skb.view.getUint16(at);
  if (before <= mss) return;
  const offset = at - skb.transportHeader;
  host.skbs.cow(skb);
  const { view, transportHeader } = skb;
  view.setUint16(transportHeader + offset, mss);
  if (skb.checksum === 'partial') return;
  const sum = transportHeader + TCP.CHECKSUM;
  // An option at an odd offset has its octets in two words of the sum, swapped.
  const swap = (value: number) => (offset % 2 === 0 ? value : ((value & 255) << 8) | (value >>> 8));
  view.setUint16(sum, updateChecksum(view.getUint16(sum), swap(before), swap(mss)));
}

/** Before connection tracking: this packet has no flow. `-j NOTRACK` is the older name. */
export function notrackTarget(name: 'CT' | 'NOTRACK'): TargetModule {
  let notrack = name === 'NOTRACK';
  return {
    name,
    tables: ['raw'],
    hooks: [],
    option: (option) => {
      if (name !== 'CT' || option !== '--notrack') return false;
      notrack = true;
      return true;
    },
    finish: () => {
      if (!notrack) throw badUse('CT: --notrack is all that is understood here');
      return {
        ...plainTarget(name, (_, { skb }) => {
          if (skb !== undefined && skb.conntrack === undefined) skb.conntrack = UNTRACKED;
          return 'continue';
        }),
        save: name === 'CT' ? '--notrack' : '',
        list: name === 'CT' ? 'CT notrack' : 'NOTRACK',
      };
    },
  };
}

/** A whole network onto another, host by host. (Linux: xt_NETMAP) */
export function netmapTarget(): TargetModule {
  let to: { address: Ipv4; prefix: number } | undefined;
  return {
    name: 'NETMAP',
    tables: ['nat'],
    hooks: [],
    option: (option, words) => {
      if (option !== '--to') return false;
      to = parseNetwork(words.value(option));
      return true;
    },
    finish: (): Target => {
      if (to === undefined) throw badUse('NETMAP: option "--to" must be specified\n');
      const { address, prefix } = to;
      const text = `${formatIpv4(address)}/${prefix}`;
      return {
        ...plainTarget('NETMAP', (host, { skb, hook, source, target }) => {
          const info = skb === undefined ? undefined : flowOf(skb);
          if (info === undefined) return 'accept';
          const ofTarget = hook === HOOK.PREROUTING || hook === HOOK.OUTPUT;
          const mapped = ((((ofTarget ? target : source) & ~maskOf(prefix)) | address) >>> 0) as Ipv4;
          const range = { addressMin: mapped, addressMax: mapped, portMin: 0, portMax: 0, random: false };
          return natSetup(host, info.flow, range, ofTarget ? 'target' : 'source') ? 'accept' : 'drop';
        }),
        save: `--to ${text}`,
        list: `to:${text}`,
      };
    },
  };
}
