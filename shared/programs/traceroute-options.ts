/** traceroute's command line (2.1.2). Left out: -d, -g, -A, -e, -O, -U, -D, --mtu, --back, modules. */
import { Failure } from './failure.ts';

export const QUERIES_PER_HOP_MAX = 10;
export const HOPS_MAX = 255;
/** Without -N. */
const SIMULTANEOUS = 16;
const PACKET_BYTES_DEFAULT = 60;
const PACKET_BYTES_MAX = 65_000;

export type TraceMethod = 'default' | 'icmp' | 'tcp';

export interface TraceOptions {
  host: string;
  method: TraceMethod;
  numeric: boolean;
  firstTtl: number;
  hops: number;
  queries: number;
  simultaneous: number;
  /** -w: at most, and times longer than a reply of the same hop, of a later hop. */
  waitMicros: number;
  hereFactor: number;
  nearFactor: number;
  port: number | undefined;
  packetBytes: number;
  dontFragment: boolean;
  tos: number;
  device: string | undefined;
  source: string | undefined;
}

export const TRACEROUTE_USAGE = `Usage:
  traceroute [ -4FITn ] [ -f first_ttl ] [ -i device ] [ -m max_ttl ] [ -N squeries ] [ -p port ] [ -t tos ] [ -w MAX,HERE,NEAR ] [ -q nqueries ] [ -s src_addr ] host [ packetlen ]
Options:
  -4                          Use IPv4
  -F  --dont-fragment         Do not fragment packets
  -f first_ttl  --first=first_ttl
                              Start from the first_ttl hop (instead from 1)
  -I  --icmp                  Use ICMP ECHO for tracerouting
  -T  --tcp                   Use TCP SYN for tracerouting (default port is 80)
  -i device  --interface=device
                              Specify a network interface to operate with
  -m max_ttl  --max-hops=max_ttl
                              Set the max number of hops (max TTL to be
                              reached). Default is 30
  -N squeries  --sim-queries=squeries
                              Set the number of probes to be tried
                              simultaneously (default is 16)
  -n                          Do not resolve IP addresses to their domain names
  -p port  --port=port        Set the destination port to use
  -t tos  --tos=tos           Set the TOS value for outgoing packets
  -w MAX,HERE,NEAR  --wait=MAX,HERE,NEAR
                              Wait for a probe no more than HERE (default 3)
                              times longer than a response from the same hop,
                              or no more than NEAR (default 10) times than some
                              next hop, or MAX (default 5.0) seconds
  -q nqueries  --queries=nqueries
                              Set the number of probes per each hop. Default is
                              3
  -s src_addr  --source=src_addr
                              Use source src_addr for outgoing packets
  -V  --version               Print version info and exit
  --help                      Read this help and exit

Arguments:
+     host          The host to traceroute to
      packetlen     The full packet length (default is the length of an IP
                    header plus 40). Can be ignored or increased to a minimal
                    allowed value
`;

/** Letter -> the argument's name in messages; empty: none. */
const LETTERS: Readonly<Record<string, string>> = {
  '4': '',
  d: '',
  F: '',
  I: '',
  T: '',
  n: '',
  r: '',
  V: '',
  f: 'first_ttl',
  i: 'device',
  m: 'max_ttl',
  N: 'squeries',
  p: 'port',
  q: 'nqueries',
  s: 'src_addr',
  t: 'tos',
  w: 'MAX,HERE,NEAR',
  z: 'sendwait',
};

const LONG_NAMES: Readonly<Record<string, string>> = {
  'dont-fragment': 'F',
  icmp: 'I',
  tcp: 'T',
  version: 'V',
  first: 'f',
  interface: 'i',
  'max-hops': 'm',
  'sim-queries': 'N',
  port: 'p',
  queries: 'q',
  source: 's',
  tos: 't',
  wait: 'w',
  sendwait: 'z',
};

/** What to print instead of tracing. */
export type TraceLine = TraceOptions | 'version' | 'help';

export function readTraceOptions(argv: readonly string[]): TraceLine {
  const options: TraceOptions = {
    host: '',
    method: 'default',
    numeric: false,
    firstTtl: 1,
    hops: 30,
    queries: 3,
    simultaneous: SIMULTANEOUS,
    waitMicros: 5_000_000,
    hereFactor: 3,
    nearFactor: 10,
    port: undefined,
    packetBytes: PACKET_BYTES_DEFAULT,
    dontFragment: false,
    tos: 0,
    device: undefined,
    source: undefined,
  };
  const operands: { text: string; at: number }[] = [];
  for (let at = 1; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (word === '--help') return 'help';
    if (!word.startsWith('-') || word === '-') operands.push({ text: word, at });
    else {
      const used = readWord(options, argv, at);
      if (used === 'version') return 'version';
      at += used;
    }
  }
  return finishOptions(options, operands, argv.length === 1);
}

/** One word of options; answers how many words after it were taken as its argument. */
function readWord(options: TraceOptions, argv: readonly string[], at: number): number | 'version' {
  const word = argv[at] ?? '';
  if (word.startsWith('--')) {
    const [name = '', given] = word.slice(2).split('=', 2);
    const letter = LONG_NAMES[name];
    if (letter === undefined) throw new Failure(2, `Bad option \`${word}' (argc ${at})`);
    if (letter === 'V') return 'version';
    return setOption(options, letter, word, given ?? argv[at + 1], at, given === undefined);
  }
  for (let i = 1; i < word.length; i++) {
    const letter = word.charAt(i);
    const argument = LETTERS[letter];
    if (argument === undefined) throw new Failure(2, `Bad option \`-${letter}' (argc ${at})`);
    if (letter === 'V') return 'version';
    if (argument !== '') {
      const attached = i + 1 < word.length ? word.slice(i + 1) : undefined;
      return setOption(options, letter, `-${letter}`, attached ?? argv[at + 1], at, attached === undefined);
    }
    setOption(options, letter, `-${letter}`, '', at, false);
  }
  return 0;
}

function setOption(
  options: TraceOptions,
  letter: string,
  name: string,
  value: string | undefined,
  at: number,
  next: boolean,
): number {
  const argument = LETTERS[letter] ?? '';
  if (argument === '') {
    if (letter === 'F') options.dontFragment = true;
    else if (letter === 'I') options.method = 'icmp';
    else if (letter === 'T') options.method = 'tcp';
    else if (letter === 'n') options.numeric = true;
    return 0;
  }
  if (value === undefined) {
    throw new Failure(2, `Option \`${name}' (argc ${at}) requires an argument: \`${name} ${argument}'`);
  }
  if (!setValue(options, letter, value)) {
    throw new Failure(2, `Cannot handle \`${name}' option with arg \`${value}' (argc ${next ? at + 1 : at})`);
  }
  return next ? 1 : 0;
}

function setValue(options: TraceOptions, letter: string, value: string): boolean {
  if (letter === 'i') options.device = value;
  else if (letter === 's') options.source = value;
  else if (letter === 'w') return setWait(options, value);
  else if (letter === 'z') return /^[0-9.]+$/.test(value);
  else {
    if (!/^[0-9]+$/.test(value)) return false;
    const number = Number(value);
    if (letter === 'f') options.firstTtl = number;
    else if (letter === 'm') options.hops = number;
    else if (letter === 'N') options.simultaneous = Math.max(1, number);
    else if (letter === 'p') options.port = number;
    else if (letter === 'q') options.queries = number;
    else if (letter === 't') options.tos = number;
  }
  return true;
}

function setWait(options: TraceOptions, value: string): boolean {
  const parts = value.split(',');
  if (parts.length > 3 || parts.some((part) => !/^[0-9]*\.?[0-9]+$/.test(part))) return false;
  const [max, here, near] = parts.map(Number);
  if (max !== undefined) options.waitMicros = Math.round(max * 1_000_000);
  // A lone MAX means: wait that long, whatever others answered.
  options.hereFactor = here ?? 0;
  options.nearFactor = near ?? 0;
  return true;
}

function finishOptions(
  options: TraceOptions,
  operands: readonly { text: string; at: number }[],
  empty: boolean,
): TraceLine {
  if (empty) return 'help';
  const [host, length, extra] = operands;
  if (host === undefined) throw new Failure(2, 'Specify "host" missing argument.');
  if (extra !== undefined) throw new Failure(2, `Extra arg \`${extra.text}' (position 3, argc ${extra.at})`);
  options.host = host.text;
  if (length !== undefined) {
    if (!/^[0-9]+$/.test(length.text)) {
      throw new Failure(2, `Cannot handle "packetlen" cmdline arg \`${length.text}' on position 2 (argc ${length.at})`);
    }
    options.packetBytes = Number(length.text);
  }
  if (options.firstTtl < 1 || options.firstTtl > options.hops) throw new Failure(2, 'first hop out of range');
  if (options.hops > HOPS_MAX) throw new Failure(2, 'max hops cannot be more than 255');
  if (options.queries < 1 || options.queries > QUERIES_PER_HOP_MAX) {
    throw new Failure(2, `no more than ${QUERIES_PER_HOP_MAX} probes per hop`);
  }
  if (options.packetBytes > PACKET_BYTES_MAX)
    throw new Failure(2, `too big packetlen ${options.packetBytes} specified`);
  return options;
}
