/**
 * The stub resolver of glibc (resolv/res_send.c, res_query.c), measured on 2.36: /etc/resolv.conf, search list and
 * ndots, five seconds a try, two rounds over the servers, one socket and ID per server, TCP after TC. It caches nothing.
 *
 * Left out: AAAA beside A, `rotate`, `single-request`, names under local. (mDNS).
 */
import { formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import {
  DNS_PORT,
  type DnsMessage,
  decodeDns,
  dnsQuery,
  encodeDns,
  type Question,
  UDP_OCTETS_EDNS,
} from '../header/dns.ts';
import { type DnsName, parseName, sameName } from '../header/dns-name.ts';
import { RCODE } from '../header/dns-type.ts';
import { isMalformed } from '../header/malformed.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';
import { DnsDatagram, type Exchanged, exchangeTcp } from './dns-socket.ts';
import { linesOf } from './text.ts';

/** resolv.conf(5): MAXNS, and the caps of its options. */
const SERVERS_MAX = 3;
const TIMEOUT_SECONDS_MAX = 30;
const ATTEMPTS_MAX = 5;
const NDOTS_MAX = 15;
/** Without a nameserver line glibc asks this machine. */
const LOCALHOST = 0x7f00_0001 as Ipv4;

export interface ResolvConf {
  readonly servers: readonly Ipv4[];
  readonly search: readonly string[];
  readonly ndots: number;
  /** Seconds. */
  readonly timeout: number;
  readonly attempts: number;
  readonly useTcp: boolean;
  readonly edns: boolean;
}

export function readResolvConf(sys: Pick<Syscalls, 'readFile'>): ResolvConf {
  const servers: Ipv4[] = [];
  let search: string[] = [];
  const options = new Map<string, string>();
  for (const line of linesOf(sys, '/etc/resolv.conf')) {
    const [keyword = '', ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    const address = keyword === 'nameserver' ? parseIpv4(words[0] ?? '') : undefined;
    if (address !== undefined && servers.length < SERVERS_MAX) servers.push(address);
    if (keyword === 'search' || keyword === 'domain') search = words;
    if (keyword === 'options')
      for (const word of words) options.set(word.split(':')[0] ?? '', word.split(':')[1] ?? '');
  }
  const number = (name: string, fallback: number, max: number): number => {
    const value = Number(options.get(name) ?? fallback);
    return Number.isInteger(value) && value >= 0 ? Math.min(value, max) : fallback;
  };
  return {
    servers: servers.length === 0 ? [LOCALHOST] : servers,
    search,
    ndots: number('ndots', 1, NDOTS_MAX),
    timeout: number('timeout', 5, TIMEOUT_SECONDS_MAX),
    attempts: number('attempts', 2, ATTEMPTS_MAX),
    useTcp: options.has('use-vc'),
    edns: options.has('edns0'),
  };
}

/** The names to try, in order (res_search): with enough dots as it is first, otherwise the search list first. */
export function candidateNames(text: string, conf: Pick<ResolvConf, 'search' | 'ndots'>): DnsName[] {
  const parsed = (name: string): DnsName[] => {
    const result = parseName(name);
    return typeof result === 'string' ? [result] : [];
  };
  if (text.endsWith('.')) return parsed(text);
  const dots = text.split('.').length - 1;
  const searched = conf.search.flatMap((suffix) => parsed(suffix === '.' ? text : `${text}.${suffix}`));
  const plain = parsed(text);
  return dots >= conf.ndots ? [...plain, ...searched] : [...searched, ...plain];
}

export type StubOutcome = DnsMessage | 'timeout' | 'unreachable';

export interface AskObserver {
  readonly query?: (server: string) => void;
}

/** Ask the servers in turn until one gives an answer that counts: SERVFAIL, NOTIMP and REFUSED do not. */
export async function askServers(
  sys: Syscalls,
  conf: ResolvConf,
  question: Question,
  observer: AskObserver = {},
): Promise<StubOutcome> {
  const sockets = new Map<Ipv4, DnsDatagram>();
  const edns = conf.edns ? { edns: { udpSize: UDP_OCTETS_EDNS, version: 0, dnssecOk: false, options: [] } } : {};
  let last: StubOutcome = 'timeout';
  try {
    const query = dnsQuery(question, { id: sys.getrandom() & 0xffff, recursionDesired: true, ...edns });
    for (let attempt = 0; attempt < conf.attempts; attempt++) {
      for (const [index, server] of conf.servers.entries()) {
        observer.query?.(formatIpv4(server));
        const timeout = secondsFor(conf, index) * SECOND;
        const outcome = await askOnce(sys, sockets, { server, query, timeout, useTcp: conf.useTcp });
        if (typeof outcome !== 'string' && !isRefusal(outcome)) return outcome;
        if (typeof last === 'string' || typeof outcome !== 'string') last = outcome;
      }
      // Only silence is worth asking again; who refused will refuse.
      if (last !== 'timeout') return last;
    }
    return last;
  } finally {
    for (const socket of sockets.values()) socket.close();
  }
}

/** res_send.c: the first server gets the whole timeout, later ones a share that grows. */
function secondsFor(conf: ResolvConf, index: number): number {
  const seconds = conf.timeout * 2 ** index;
  return Math.max(index === 0 ? seconds : Math.floor(seconds / conf.servers.length), 1);
}

function isRefusal(message: DnsMessage): boolean {
  return message.rcode === RCODE.SERVFAIL || message.rcode === RCODE.NOTIMP || message.rcode === RCODE.REFUSED;
}

async function askOnce(
  sys: Syscalls,
  sockets: Map<Ipv4, DnsDatagram>,
  asked: { server: Ipv4; query: DnsMessage; timeout: number; useTcp: boolean },
): Promise<StubOutcome> {
  const target = { address: asked.server, port: DNS_PORT };
  const bytes = encodeDns(asked.query);
  let reply: DnsMessage | undefined;
  const accept = (octets: Uint8Array): boolean => {
    const message = decodeDns(octets);
    if (isMalformed(message) || !isReplyTo(message, asked.query)) return false;
    reply = message;
    return true;
  };
  const { timeout } = asked;
  if (!asked.useTcp) {
    const socket = sockets.get(asked.server) ?? (await DnsDatagram.open(sys, target));
    if (socket === undefined) return 'unreachable';
    sockets.set(asked.server, socket);
    const got = await socket.exchange(bytes, timeout, accept);
    if (typeof got === 'string' || reply === undefined) return typeof got === 'string' ? got : 'timeout';
    if (!reply.truncated) return reply;
  }
  const got: Exchanged = await exchangeTcp(sys, target, bytes, { timeout, accept });
  return typeof got === 'string' || reply === undefined ? (typeof got === 'string' ? got : 'timeout') : reply;
}

export function isReplyTo(reply: DnsMessage, query: DnsMessage): boolean {
  const [theirs] = reply.questions;
  const [ours] = query.questions;
  if (!reply.response || reply.id !== query.id) return false;
  if (theirs === undefined || ours === undefined) return reply.rcode !== RCODE.NOERROR;
  return theirs.type === ours.type && theirs.class === ours.class && sameName(theirs.name, ours.name);
}
