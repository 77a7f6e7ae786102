/** ping's command line (iputils 20221126). Left out: -m, -L, -T, IPv6's options, node information. */
import { Failure } from './failure.ts';
import { getopt, parseInteger } from './options.ts';

/** Octets of IP header, ICMP header and the longest IPv4 packet. */
const HEADERS = 28;
const PACKET_BYTES_MAX = 65_535;
/** Room for a time stamp (struct timeval). */
export const STAMP_SIZE = 16;
const PATTERN_BYTES_MAX = 16;
const MILLIS = 1_000;
const MICROS = 1_000_000;
/** strtol's limits as ping prints them. */
const LONG_MAX = '9223372036854775807';
const INT_MAX = 2_147_483_647;

export interface PingOptions {
  target: string;
  count: number;
  /** Between packets; 0 floods. */
  intervalMicros: number;
  size: number;
  /** -w, undefined when not given. */
  deadlineMicros: number | undefined;
  /** -W: how long to wait for the last replies while none has come. */
  lingerMicros: number;
  ttl: number | undefined;
  tos: number;
  device: string | undefined;
  preload: number;
  pattern: readonly number[] | undefined;
  quiet: boolean;
  numeric: boolean;
  flood: boolean;
  adaptive: boolean;
  audible: boolean;
  outstanding: boolean;
  timestamps: boolean;
  verbose: boolean;
  broadcast: boolean;
  pathMtu: 'want' | 'do' | 'dont' | undefined;
}

export const PING_USAGE = `
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -a                 use audible ping
  -A                 use adaptive ping
  -c <count>         stop after <count> replies
  -D                 print timestamps
  -f                 flood ping
  -h                 print help and exit
  -I <interface>     either interface name or address
  -i <interval>      seconds between sending each packet
  -l <preload>       send <preload> number of packages while waiting replies
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -n                 no dns name resolution
  -O                 report outstanding replies
  -p <pattern>       contents of padding byte
  -q                 quiet output
  -Q <tclass>        use quality of service <tclass> bits
  -s <size>          use <size> as number of data bytes to be sent
  -t <ttl>           define time to live
  -v                 verbose output
  -V                 print version and exit
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response

IPv4 options:
  -4                 use IPv4
  -b                 allow pinging broadcast

For more details see ping(8).
`;

/** A version to print, or what to do. */
export function readPingOptions(argv: readonly string[]): PingOptions | { readonly version: true } {
  const line = getopt(argv, '4aAbBc:CdDfhI:i:l:M:nOp:qQ:rs:S:t:UvVw:W:');
  if (line.error !== undefined) throw new Failure(2, `${line.error}\n${PING_USAGE}`);
  const options: PingOptions = {
    target: '',
    count: 0,
    intervalMicros: MICROS,
    size: 56,
    deadlineMicros: undefined,
    lingerMicros: 10 * MICROS,
    ttl: undefined,
    tos: 0,
    device: undefined,
    preload: 1,
    pattern: undefined,
    quiet: false,
    numeric: false,
    flood: false,
    adaptive: false,
    audible: false,
    outstanding: false,
    timestamps: false,
    verbose: false,
    broadcast: false,
    pathMtu: undefined,
  };
  let intervalGiven = false;
  for (const { name, value } of line.options) {
    if (name === 'V') return { version: true };
    if (name === 'h') throw new Failure(2, PING_USAGE);
    if (name === 'i') intervalGiven = true;
    if (!setSwitch(options, name)) setValue(options, name, value);
  }
  if (options.flood && !intervalGiven) options.intervalMicros = 0;
  const target = line.operands.at(-1);
  if (target === undefined) throw new Failure(1, 'ping: usage error: Destination address required');
  options.target = target;
  return options;
}

function setSwitch(options: PingOptions, name: string): boolean {
  switch (name) {
    case 'a':
      options.audible = true;
      return true;
    case 'A':
      options.adaptive = true;
      return true;
    case 'b':
      options.broadcast = true;
      return true;
    case 'D':
      options.timestamps = true;
      return true;
    case 'f':
      options.flood = true;
      return true;
    case 'n':
      options.numeric = true;
      return true;
    case 'O':
      options.outstanding = true;
      return true;
    case 'q':
      options.quiet = true;
      return true;
    case 'v':
      options.verbose = true;
      return true;
    default:
      return '4BCdrU'.includes(name);
  }
}

function setValue(options: PingOptions, name: string, value: string): void {
  switch (name) {
    case 'c':
      options.count = long(value, 1, Number.MAX_SAFE_INTEGER, LONG_MAX);
      return;
    case 'i':
      options.intervalMicros = Math.round(seconds(value) * MILLIS) * MILLIS;
      return;
    case 's':
      options.size = long(value, 0, INT_MAX);
      if (options.size > PACKET_BYTES_MAX - HEADERS) {
        throw new Failure(
          1,
          `ping: invalid argument: '${value}': out of range: 0 <= value <= ${PACKET_BYTES_MAX - HEADERS}`,
        );
      }
      return;
    case 't':
      options.ttl = long(value, 0, 255);
      return;
    case 'w':
      options.deadlineMicros = long(value, 0, INT_MAX) * MICROS;
      return;
    case 'W':
      options.lingerMicros = Math.round(seconds(value) * MICROS);
      return;
    case 'l':
      options.preload = long(value, 1, 65_536);
      return;
    case 'Q':
      options.tos = long(value, 0, 255);
      return;
    case 'I':
      options.device = value;
      return;
    case 'p':
      options.pattern = patternBytes(value);
      return;
    case 'M':
      if (value !== 'do' && value !== 'dont' && value !== 'want') {
        throw new Failure(2, `ping: invalid -M argument: ${value}`);
      }
      options.pathMtu = value;
      return;
  }
}

function long(text: string, min: number, max: number, maxText = String(max)): number {
  const value = parseInteger(text);
  if (value === undefined) throw new Failure(1, `ping: invalid argument: '${text}'`);
  if (value < min || value > max) {
    throw new Failure(1, `ping: invalid argument: '${text}': out of range: ${min} <= value <= ${maxText}`);
  }
  return value;
}

function seconds(text: string): number {
  const value = Number(text.replace(',', '.'));
  if (text === '' || Number.isNaN(value)) throw new Failure(1, `ping: option argument contains garbage: ${text}`);
  if (value < 0) throw new Failure(1, `ping: bad timing interval: ${text}`);
  return value;
}

/** Up to 16 octets in hex, repeated behind the time stamp. */
function patternBytes(text: string): readonly number[] {
  if (!/^[0-9a-fA-F]+$/.test(text)) throw new Failure(2, 'ping: patterns must be specified as hex digits');
  const bytes: number[] = [];
  for (let at = 0; at < text.length && bytes.length < PATTERN_BYTES_MAX; at += 2) {
    bytes.push(Number.parseInt(text.slice(at, at + 2), 16));
  }
  return bytes;
}
