/**
 * What the parts of ip(8) share: options, the words that are still to read, device look-up, prefixes. Errors and exit
 * statuses are iproute2 6.1's: 1 for what is found wrong here, 255 (-1) for bad use, 2 for the kernel's answer.
 */
import { broadcastOf, formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import type { LinkRecord } from '../net/netlink.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { Failure } from './failure.ts';
import { type Json, writeJson } from './json.ts';

export interface IpOptions {
  /** -s given so often. */
  statistics: number;
  details: boolean;
  json: boolean;
  pretty: boolean;
  brief: boolean;
  oneline: boolean;
  numeric: boolean;
  /** -4, -6, -0 or none of them. */
  family: 'any' | 'inet' | 'inet6' | 'link';
}

/** As nobody has said anything yet. */
export function ipOptions(): IpOptions {
  return {
    statistics: 0,
    details: false,
    json: false,
    pretty: false,
    brief: false,
    oneline: false,
    numeric: false,
    family: 'any',
  };
}

export interface Ip {
  readonly sys: Syscalls;
  readonly context: ProgramContext;
  readonly options: IpOptions;
}

export const USAGE_STATUS = 255;

/** matches(): `word` may be any beginning of `full`. */
export function matches(word: string, full: string): boolean {
  return word !== '' && full.startsWith(word);
}

/** The first of `choices` that `word` begins. */
export function choose<C extends string>(word: string, choices: readonly C[]): C | undefined {
  return choices.find((choice) => matches(word, choice));
}

/** The rest of the command line. */
export class Words {
  private readonly words: readonly string[];
  private at = 0;

  constructor(words: readonly string[]) {
    this.words = words;
  }

  get done(): boolean {
    return this.at >= this.words.length;
  }

  /** The next word; `undefined` at the end. */
  next(): string | undefined {
    return this.words[this.at++];
  }

  peek(): string | undefined {
    return this.words[this.at];
  }

  /** The argument of a keyword (NEXT_ARG): the line may not end here. */
  argument(): string {
    const word = this.words[this.at++];
    if (word === undefined) throw new Failure(USAGE_STATUS, 'Command line is not complete. Try option "help"');
    return word;
  }
}

export function invalidArgument(value: string, why: string): Failure {
  return new Failure(USAGE_STATUS, `Error: argument "${value}" is wrong: ${why}\n`);
}

export function duplicateOrGarbage(keyword: string, word: string): Failure {
  return new Failure(USAGE_STATUS, `Error: either "${keyword}" is duplicate, or "${word}" is a garbage.`);
}

export interface Prefix {
  readonly address: Ipv4;
  readonly prefix: number;
}

/** `default`, `any`, an address, or an address with a length; short forms as inet_aton's are filled with zeros. */
export function parsePrefix(text: string, what = 'any valid prefix'): Prefix {
  if (text === 'default' || text === 'any' || text === 'all') return { address: 0 as Ipv4, prefix: 0 };
  const [host = '', length, ...more] = text.split('/');
  const parts = host.split('.').filter((part) => part !== '');
  const padded = [...parts, '0', '0', '0'].slice(0, 4).join('.');
  const address = parts.length === 0 ? undefined : parseIpv4(padded);
  const prefix = length === undefined ? 32 : prefixLength(length);
  if (address === undefined || prefix === undefined || more.length > 0) {
    throw new Failure(1, `Error: ${what} is expected rather than "${text}".`);
  }
  return { address, prefix };
}

/** `24` or `255.255.255.0`. */
function prefixLength(text: string): number | undefined {
  if (/^[0-9]{1,2}$/.test(text)) return Number(text) <= 32 ? Number(text) : undefined;
  const mask = parseIpv4(text);
  if (mask === undefined) return undefined;
  const inverted = ~mask >>> 0;
  return (inverted & (inverted + 1)) === 0 ? Math.clz32(inverted) : undefined;
}

export function parseAddress(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new Failure(1, `Error: inet address is expected rather than "${text}".`);
  return address;
}

/** `+` after brd or broadcast. */
export function broadcastArgument(text: string, local: Prefix): Ipv4 | undefined {
  if (text === '+') return broadcastOf(local.address, local.prefix);
  if (text === '-') return undefined;
  return parseAddress(text);
}

export function formatPrefix(address: Ipv4, prefix: number): string {
  if (prefix === 0 && address === 0) return 'default';
  return prefix === 32 ? formatIpv4(address) : `${formatIpv4(address)}/${prefix}`;
}

export function parseCount(text: string, keyword: string): number {
  if (!/^[0-9]+$/.test(text)) throw invalidArgument(text, `Invalid "${keyword}" value`);
  return Number(text);
}

export function links(ip: Ip): readonly LinkRecord[] {
  return ip.sys.netlink({ type: 'RTM_GETLINK' });
}

export function findLink(ip: Ip, name: string): LinkRecord | undefined {
  return links(ip).find((link) => link.name === name);
}

/** For changes: `Cannot find device`; listings say `does not exist` (requireListed). */
export function requireLink(ip: Ip, name: string): LinkRecord {
  const link = findLink(ip, name);
  if (link === undefined) throw new Failure(1, `Cannot find device "${name}"`);
  return link;
}

export function requireListed(ip: Ip, name: string): LinkRecord {
  const link = findLink(ip, name);
  if (link === undefined) throw new Failure(1, `Device "${name}" does not exist.`);
  return link;
}

/** Print records: as JSON with -j, else the lines. */
export async function print(ip: Ip, json: () => Json, lines: () => string): Promise<number> {
  await ip.context.out(ip.options.json ? `${writeJson(json(), ip.options.pretty)}\n` : lines());
  return 0;
}

/** -o: one line a record. */
export function separator(ip: Ip): string {
  return ip.options.oneline ? '\\' : '\n';
}

export function unknownCommand(word: string, object: string): Failure {
  return new Failure(USAGE_STATUS, `Command "${word}" is unknown, try "ip ${object} help".`);
}
