/**
 * One question to one server, with what that takes: an unpredictable ID, letter case that must come back, EDNS and
 * doing without it, TCP when the answer was cut short (RFC 5452, 6891, 7766). Identical questions under way share one.
 */
import type { Ipv4 } from '../header/address.ts';
import { type DnsMessage, decodeDns, dnsQuery, encodeDns, type Question, UDP_OCTETS_EDNS } from '../header/dns.ts';
import { type DnsName, sameName } from '../header/dns-name.ts';
import { RCODE } from '../header/dns-type.ts';
import { isMalformed } from '../header/malformed.ts';
import type { TraceFields } from '../net/trace.ts';
import type { Micros } from '../platform.ts';
import type { Servers } from './servers.ts';

/** The ways out of a resolver. A program implements it on sockets, a test on a table of answers. */
export interface ResolverIo {
  now(): Micros;
  /** 32 random bits. */
  random(): number;
  /**
   * Send a message to port 53 from a fresh port and wait for the first one from there that `accept`s. Bytes that are
   * not accepted are as if they had not come.
   */
  exchange(server: Ipv4, bytes: Uint8Array, options: ExchangeOptions): Promise<Uint8Array | 'timeout' | 'unreachable'>;
  /** A trace point of the program that the resolver is part of. */
  mark(point: string, fields: TraceFields): void;
}

export interface ExchangeOptions {
  readonly tcp: boolean;
  readonly timeout: Micros;
  readonly accept: (reply: Uint8Array) => boolean;
}

export type Outcome = DnsMessage | 'timeout' | 'unreachable';

export interface AskOptions {
  readonly timeout: Micros;
  readonly recursionDesired: boolean;
  /** Mix the letter case of the name and insist on it (draft-vixie-dnsext-dns0x20). */
  readonly mixCase: boolean;
}

/** A TCP exchange has a handshake before it: patience of at least so long. */
const TCP_TIMEOUT_MIN: Micros = 3_000_000;

export class Exchanger {
  private readonly servers: Servers;
  private readonly underWay = new Map<string, Promise<Outcome>>();
  /** Messages sent to servers. */
  sent = 0;

  constructor(servers: Servers) {
    this.servers = servers;
  }

  /** RFC 5452 §5: no two identical questions to one server at once. */
  ask(io: ResolverIo, server: Ipv4, question: Question, options: AskOptions): Promise<Outcome> {
    const key = `${server} ${question.type} ${options.recursionDesired} ${question.name.toLowerCase()}`;
    const same = this.underWay.get(key);
    if (same !== undefined) return same;
    const asking = this.converse(io, server, question, options).finally(() => this.underWay.delete(key));
    this.underWay.set(key, asking);
    return asking;
  }

  private async converse(io: ResolverIo, server: Ipv4, question: Question, options: AskOptions): Promise<Outcome> {
    const edns = this.servers.speaksEdns(server);
    let outcome = await this.send(io, server, question, { ...options, edns, tcp: false });
    if (edns && typeof outcome !== 'string' && saysNoEdns(outcome)) {
      outcome = await this.send(io, server, question, { ...options, edns: false, tcp: false });
      if (typeof outcome !== 'string' && !saysNoEdns(outcome)) this.servers.refusesEdns(server);
    }
    if (typeof outcome === 'string' || !outcome.truncated) return outcome;
    const timeout = Math.max(options.timeout, TCP_TIMEOUT_MIN);
    const tcpEdns = this.servers.speaksEdns(server);
    return await this.send(io, server, question, { ...options, timeout, edns: tcpEdns, tcp: true });
  }

  private async send(
    io: ResolverIo,
    server: Ipv4,
    question: Question,
    options: AskOptions & { edns: boolean; tcp: boolean },
  ): Promise<Outcome> {
    const name = options.mixCase ? mixedCase(question.name, io) : question.name;
    const id = io.random() & 0xffff;
    const edns = { udpSize: UDP_OCTETS_EDNS, version: 0, dnssecOk: false, options: [] };
    const { recursionDesired } = options;
    const query = dnsQuery({ ...question, name }, { id, recursionDesired, ...(options.edns ? { edns } : {}) });
    let reply: DnsMessage | undefined;
    const accept = (bytes: Uint8Array): boolean => {
      const message = decodeDns(bytes);
      if (isMalformed(message) || !isReplyTo(message, query, options.mixCase)) return false;
      reply = message;
      return true;
    };
    this.sent++;
    const started = io.now();
    const got = await io.exchange(server, encodeDns(query), { tcp: options.tcp, timeout: options.timeout, accept });
    if (typeof got === 'string' || reply === undefined) {
      this.servers.timedOut(server);
      return typeof got === 'string' ? got : 'timeout';
    }
    if (!options.tcp) this.servers.replied(server, io.now() - started);
    return reply;
  }
}

/** ID and question must be ours; a server that could not read the question may leave it out. */
function isReplyTo(reply: DnsMessage, query: DnsMessage, exactCase: boolean): boolean {
  if (!reply.response || reply.id !== query.id || reply.opcode !== query.opcode) return false;
  const [theirs] = reply.questions;
  const [ours] = query.questions;
  if (theirs === undefined || ours === undefined) return reply.rcode === RCODE.FORMERR || reply.rcode === RCODE.NOTIMP;
  if (theirs.type !== ours.type || theirs.class !== ours.class || reply.questions.length > 1) return false;
  return exactCase ? theirs.name === ours.name : sameName(theirs.name, ours.name);
}

function saysNoEdns(reply: DnsMessage): boolean {
  if (reply.rcode === RCODE.BADVERS) return true;
  return (reply.rcode === RCODE.FORMERR || reply.rcode === RCODE.NOTIMP) && reply.edns === undefined;
}

function mixedCase(name: DnsName, io: ResolverIo): DnsName {
  let bits = 0;
  let left = 0;
  return name.replace(/[a-z]/gi, (letter) => {
    if (left-- === 0) {
      bits = io.random();
      left = 31;
    }
    bits >>>= 1;
    return (bits & 1) === 1 ? letter.toUpperCase() : letter.toLowerCase();
  }) as DnsName;
}
