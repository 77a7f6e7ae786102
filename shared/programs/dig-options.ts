/**
 * dig's command line (dig(1)): `dig [@server] [options] [name] [type] [class] [+options] …`, several questions on one
 * line; what stands before the first name holds for all of them.
 */
import { parseIpv4 } from '../header/address.ts';
import { parseIpv6 } from '../header/dns-codes.ts';
import { parseClass, parseType } from '../header/dns-type.ts';
import { Failure } from './failure.ts';

/** dig.c: timeout 5, tries 3; EDNS buffer size of flag day 2020. */
const TIMEOUT_SECONDS = 5;
const TRIES = 3;
const BUFFER_SIZE = 1_232;

/** What is printed, and how the question is put. */
export interface Flags {
  additional: boolean;
  answer: boolean;
  authority: boolean;
  question: boolean;
  comments: boolean;
  stats: boolean;
  cmd: boolean;
  qr: boolean;
  short: boolean;
  identify: boolean;
  class: boolean;
  ttlid: boolean;
  ttlunits: boolean;
  multiline: boolean;
  recurse: boolean;
  tcp: boolean;
  ignore: boolean;
  edns: boolean;
  dnssec: boolean;
  adflag: boolean;
  cdflag: boolean;
  aaflag: boolean;
  search: boolean;
  trace: boolean;
  nssearch: boolean;
  fail: boolean;
}

export interface Lookup {
  name: string;
  type: number | undefined;
  class: number | undefined;
  server: string | undefined;
  port: number;
  timeout: number;
  tries: number;
  bufsize: number;
  ednsVersion: number;
  flags: Flags;
}

export interface DigLine {
  readonly lookups: readonly Lookup[];
  /** Text for standard output before anything else: ignored types, the version. */
  readonly notes: readonly string[];
  readonly versionOnly: boolean;
}

const USAGE = [
  'Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}',
  '            {global-d-opt} host [@local-server] {local-d-opt}',
  '            [ host [@local-server] {local-d-opt} [...]]',
  '',
  'Use "dig -h" (or "dig -h | more") for complete list of options',
].join('\n');

const DEFAULT_FLAGS: Flags = {
  additional: true,
  answer: true,
  authority: true,
  question: true,
  comments: true,
  stats: true,
  cmd: true,
  qr: false,
  short: false,
  identify: false,
  class: true,
  ttlid: true,
  ttlunits: false,
  multiline: false,
  recurse: true,
  tcp: false,
  ignore: false,
  edns: true,
  dnssec: false,
  adflag: true,
  cdflag: false,
  aaflag: false,
  search: false,
  trace: false,
  nssearch: false,
  fail: true,
};

/** Options that are taken and change nothing here. */
const IGNORED = new Set([
  'besteffort',
  'cookie',
  'crypto',
  'defname',
  'dns64prefix',
  'expandaaaa',
  'expire',
  'header-only',
  'idnin',
  'idnout',
  'keepalive',
  'keepopen',
  'mapped',
  'nsid',
  'onesoa',
  'opcode',
  'padding',
  'raflag',
  'rrcomments',
  'showallmessages',
  'showbadcookie',
  'showsearch',
  'split',
  'subnet',
  'tcflag',
  'unknownformat',
  'yaml',
  'zflag',
  'badcookie',
  'domain',
  'ednsflags',
  'ednsnegotiation',
  'ednsopt',
]);
const ALIASES: Readonly<Record<string, keyof Flags>> = {
  recursive: 'recurse',
  rec: 'recurse',
  rdflag: 'recurse',
  vc: 'tcp',
  do: 'dnssec',
  cl: 'class',
  ttl: 'ttlid',
  ad: 'adflag',
  cd: 'cdflag',
  aa: 'aaflag',
  aaonly: 'aaflag',
  cdflag: 'cdflag',
};

export function parseDig(argv: readonly string[]): DigLine {
  return new DigParser(argv.slice(1)).parse();
}

class DigParser {
  private readonly words: string[];
  private readonly lookups: Lookup[] = [];
  private readonly notes: string[] = [];
  private readonly defaults: Lookup = {
    name: '',
    type: undefined,
    class: undefined,
    server: undefined,
    port: 53,
    timeout: TIMEOUT_SECONDS,
    tries: TRIES,
    bufsize: BUFFER_SIZE,
    ednsVersion: 0,
    flags: { ...DEFAULT_FLAGS },
  };
  private current: Lookup = this.defaults;

  constructor(words: string[]) {
    this.words = words;
  }

  parse(): DigLine {
    for (let word = this.words.shift(); word !== undefined; word = this.words.shift()) {
      if (word === '-v') return { lookups: [], notes: this.notes, versionOnly: true };
      if (word.startsWith('@')) this.current.server = word.slice(1);
      else if (word.startsWith('+')) this.plus(word.slice(1));
      else if (word.startsWith('-') && word.length > 1) this.dash(word);
      else this.word(word);
    }
    // A server given behind the last name is for that one; `dig name @server` means it all the same.
    if (this.lookups.length === 0) {
      const nothingGiven = this.defaults.type === undefined;
      this.lookups.push({ ...this.defaults, name: '.', type: nothingGiven ? parseType('NS') : this.defaults.type });
    }
    return { lookups: this.lookups, notes: this.notes, versionOnly: false };
  }

  private start(name: string): Lookup {
    this.current = { ...this.defaults, name, flags: { ...this.defaults.flags } };
    this.lookups.push(this.current);
    return this.current;
  }

  private word(word: string): void {
    const type = this.current.type === undefined ? parseType(word) : undefined;
    if (type !== undefined) {
      this.current.type = type;
      return;
    }
    const dnsClass = this.current.class === undefined ? parseClass(word) : undefined;
    if (dnsClass !== undefined) this.current.class = dnsClass;
    else this.start(word);
  }

  private dash(word: string): void {
    const letter = word.charAt(1);
    if ('46iumr'.includes(letter) && word.length === 2) return;
    if (letter === 'h') throw new Failure(0, USAGE);
    if (!'bcfkpqtxy'.includes(letter)) throw new Failure(1, `Invalid option: ${word}\n${USAGE}`);
    const value = word.length > 2 ? word.slice(2) : this.words.shift();
    if (value === undefined) throw new Failure(1, `Invalid option: ${word}\n${USAGE}`);
    switch (letter) {
      case 'c':
        this.current.class = parseClass(value) ?? this.ignored(`;; Warning, ignoring invalid class ${value}`);
        return;
      case 't':
        this.current.type = parseType(value) ?? this.ignored(`;; Warning, ignoring invalid type ${value}`);
        return;
      case 'p':
        this.current.port = this.number(value, 65_535, "Couldn't parse port number");
        return;
      case 'q':
        this.start(value);
        return;
      case 'x': {
        const lookup = this.start(reverseName(value));
        lookup.type ??= parseType('PTR');
        return;
      }
      default: // -b, -f, -k, -y: no use for them here.
    }
  }

  private ignored(note: string): undefined {
    this.notes.push(note);
  }

  private plus(option: string): void {
    const [word = '', value] = option.split(/=(.*)/s, 2);
    const on = !word.startsWith('no');
    const name = on ? word : word.slice(2);
    const { flags } = this.current;
    switch (name) {
      case 'all':
        for (const flag of ['additional', 'answer', 'authority', 'question', 'comments', 'stats', 'cmd'] as const)
          flags[flag] = on;
        return;
      case 'time':
      case 'timeout':
        this.current.timeout = Math.max(this.number(value, 65_535, "Couldn't parse timeout"), 1);
        return;
      case 'tries':
        this.current.tries = Math.max(this.number(value, 65_535, "Couldn't parse tries"), 1);
        return;
      case 'retry':
        this.current.tries = this.number(value, 65_534, "Couldn't parse retries") + 1;
        return;
      case 'bufsize':
        this.current.bufsize =
          on && value !== undefined ? this.number(value, 65_535, "Couldn't parse buffer size") : BUFFER_SIZE;
        return;
      case 'ndots':
        return;
      case 'edns':
        flags.edns = on;
        this.current.ednsVersion = value === undefined ? 0 : this.number(value, 255, "Couldn't parse edns");
        return;
      case 'trace':
        this.trace(on);
        return;
      case 'short':
        flags.short = on;
        return;
      default:
        this.flag(name, on, word);
    }
  }

  private flag(name: string, on: boolean, word: string): void {
    const { flags } = this.current;
    const known = ALIASES[name] ?? (name in DEFAULT_FLAGS ? (name as keyof Flags) : unique(name));
    if (known !== undefined) {
      flags[known] = on;
      return;
    }
    if (IGNORED.has(name)) return;
    throw new Failure(1, `Invalid option: +${word}\n${USAGE}`);
  }

  /** dig.c: +trace prints answers and referrals alone, and asks for DNSSEC's records too. */
  private trace(on: boolean): void {
    const { flags } = this.current;
    flags.trace = on;
    if (!on) return;
    flags.recurse = false;
    flags.identify = true;
    flags.comments = false;
    flags.additional = false;
    flags.question = false;
    flags.dnssec = true;
  }

  private number(text: string | undefined, max: number, problem: string): number {
    if (text === undefined || !/^[0-9]{1,9}$/.test(text)) throw new Failure(1, `${problem}: not a valid number`);
    if (Number(text) > max) throw new Failure(1, `${problem}: out of range`);
    return Number(text);
  }
}

/** `+ans` for `+answer`, when nothing else starts so. */
function unique(name: string): keyof Flags | undefined {
  const found = name.length < 2 ? [] : Object.keys(DEFAULT_FLAGS).filter((flag) => flag.startsWith(name));
  return found.length === 1 ? (found[0] as keyof Flags) : undefined;
}

/** `192.0.2.80` as 80.2.0.192.in-addr.arpa. (RFC 1035 §3.5, RFC 3596 §2.5) */
export function reverseName(text: string): string {
  const address = parseIpv4(text);
  if (address !== undefined) return `${text.split('.').reverse().join('.')}.in-addr.arpa.`;
  const long = parseIpv6(text);
  if (long === undefined) return /^[0-9.]+$/.test(text) ? `${text.split('.').reverse().join('.')}.in-addr.arpa.` : text;
  const digits = Array.from(long, (octet) => octet.toString(16).padStart(2, '0')).join('');
  return `${[...digits].reverse().join('.')}.ip6.arpa.`;
}
