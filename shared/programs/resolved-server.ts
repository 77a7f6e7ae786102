/**
 * What resolved does with one question: its cache, the hosts file, then the servers of resolv.conf in glibc's timing.
 * Limits are systemd-resolved's (resolved-dns-cache.c): 4096 records, two hours, SERVFAIL for ten seconds.
 */
import { DnsCache, RANK } from '../dns/cache.ts';
import { encodeReply, type Reply, receiveQuery } from '../dns/respond.ts';
import { groupRRsets, type RRset, withTtl } from '../dns/rrset.ts';
import { formatIpv4, type Ipv4, parseIpv4 } from '../header/address.ts';
import type { DnsMessage, Question, ResourceRecord } from '../header/dns.ts';
import {
  type DnsName,
  dnsName,
  isAtOrBelow,
  nameKey,
  nameLabels,
  nameWithoutDot,
  parseName,
  sameName,
} from '../header/dns-name.ts';
import { nameWire, rdataName, readSoa } from '../header/dns-rdata.ts';
import { CLASS, formatRcode, formatType, RCODE, TYPE } from '../header/dns-type.ts';
import type { Syscalls } from '../net/syscalls.ts';
import type { Asked } from './dns-server.ts';
import { addressesFor } from './getaddrinfo.ts';
import { hostsByAddress, hostsByName } from './hosts-file.ts';
import { askServers, readResolvConf, type StubOutcome } from './stub.ts';
import { linesOf } from './text.ts';

const CACHE_ENTRIES_MAX = 4_096;
const CACHE_TTL_MAX = 7_200;
const SERVFAIL_SECONDS = 10;
/** CNAMEs followed in the cache (resolved: CNAME_REDIRECT_MAX 16). */
const ALIASES_MAX = 16;
const LOCALHOST = dnsName('localhost.');
const REVERSE = dnsName('in-addr.arpa.');

export class StubServer {
  readonly cache: DnsCache;
  transactions = 0;
  private readonly underWay = new Map<string, Promise<Reply>>();
  /** The files as they were when the cache was filled. */
  private files = '';

  constructor(sys: Syscalls) {
    const limits = { entriesMax: CACHE_ENTRIES_MAX, ttlMax: CACHE_TTL_MAX, negativeTtlMax: CACHE_TTL_MAX };
    this.cache = new DnsCache(() => sys.clockGettime(), limits);
  }

  async handle(sys: Syscalls, asked: Asked): Promise<readonly Uint8Array[]> {
    const incoming = receiveQuery(asked.bytes, { recursionAvailable: true, tcp: asked.tcp });
    if (incoming.kind === 'ignore') return [];
    if (incoming.kind === 'reply') return [incoming.bytes];
    const { query, question } = incoming;
    const reply = query.recursionDesired ? await this.answer(sys, question) : { rcode: RCODE.REFUSED };
    return [encodeReply(query, { ...reply, recursionAvailable: true }, asked.tcp)];
  }

  /** Also for resolvectl query. */
  async answer(sys: Syscalls, question: Question): Promise<Reply> {
    if (question.class !== CLASS.IN) return { rcode: RCODE.REFUSED };
    this.flushWhenChanged(sys);
    this.transactions++;
    const asker = { name: nameWithoutDot(question.name), type: formatType(question.type) };
    const cached = this.fromCache(question);
    sys.mark('resolved:cache', {
      ...asker,
      hit: cached !== undefined,
      ...(cached === undefined ? {} : { ttl: ttlOf(cached) }),
    });
    if (cached !== undefined) return cached;
    const listed = fromHosts(sys, question);
    const address = listed === undefined ? {} : addressField(listed);
    if (canBeListed(question)) sys.mark('resolved:hosts', { name: asker.name, hit: listed !== undefined, ...address });
    return listed ?? (await this.fromServers(sys, question));
  }

  /** Names and servers may have changed under us: then nothing that is cached can be trusted. */
  private flushWhenChanged(sys: Syscalls): void {
    const files = ['/etc/hosts', '/etc/resolv.conf'].map((path) => linesOf(sys, path).join('\n')).join('\0');
    if (files !== this.files && this.files !== '') this.cache.flush();
    this.files = files;
  }

  private fromCache(question: Question): Reply | undefined {
    if (this.cache.failure(question.name, question.type) !== undefined) return { rcode: RCODE.SERVFAIL };
    const answers: ResourceRecord[] = [];
    let name = question.name;
    for (let links = 0; links < ALIASES_MAX; links++) {
      const entry = this.cache.get(name, question.type);
      if (entry?.kind === 'positive')
        return { rcode: RCODE.NOERROR, answers: [...answers, ...(entry.set?.records ?? [])] };
      if (entry !== undefined) {
        const rcode = entry.kind === 'nxdomain' ? RCODE.NXDOMAIN : RCODE.NOERROR;
        return { rcode, answers, authorities: entry.set?.records ?? [] };
      }
      const alias = this.cache.peek(name, TYPE.CNAME);
      const target =
        alias?.kind === 'positive' ? rdataName(alias.set?.records[0]?.data ?? new Uint8Array(0)) : undefined;
      if (target === undefined) return undefined;
      answers.push(...(alias?.set?.records ?? []));
      name = target;
    }
    return undefined;
  }

  /** Identical questions at once are one question to the servers. */
  private fromServers(sys: Syscalls, question: Question): Promise<Reply> {
    const key = `${question.type} ${nameKey(question.name)}`;
    const same = this.underWay.get(key);
    if (same !== undefined) return same;
    const asking = this.ask(sys, question).finally(() => this.underWay.delete(key));
    this.underWay.set(key, asking);
    return asking;
  }

  private async ask(sys: Syscalls, question: Question): Promise<Reply> {
    const name = nameWithoutDot(question.name);
    const type = formatType(question.type);
    const conf = { ...readResolvConf(sys), edns: true };
    const outcome = await askServers(sys, conf, question, {
      query: (server) => sys.mark('resolved:query', { server, name, type }),
    });
    const rcode = typeof outcome === 'string' ? RCODE.SERVFAIL : outcome.rcode;
    const addresses = typeof outcome === 'string' ? [] : addressesFor(outcome, question.name).addresses.map(formatIpv4);
    const what = typeof outcome === 'string' ? outcome : formatRcode(rcode);
    sys.mark('resolved:answer', { name, rcode: what, ...(addresses.length === 0 ? {} : { addresses }) });
    return this.keep(question, outcome);
  }

  private keep(question: Question, outcome: StubOutcome): Reply {
    if (typeof outcome === 'string' || outcome.rcode === RCODE.SERVFAIL) {
      // Silence is not remembered: a cable may be back a second later. A server's own failure is.
      if (typeof outcome !== 'string') this.cache.putFailure(question.name, question.type, SERVFAIL_SECONDS);
      return { rcode: RCODE.SERVFAIL };
    }
    const { rcode, answers } = outcome;
    if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return { rcode };
    for (const set of groupRRsets(answers)) this.cache.put(set, RANK.answer);
    const end = chainEnd(outcome, question);
    const isPositive = answers.some((record) => record.type === question.type && sameName(record.name, end));
    if (isPositive) return { rcode, answers };
    const soa = negativeSoa(outcome, end);
    this.cache.putNegative(rcode === RCODE.NXDOMAIN ? 'nxdomain' : 'nodata', end, question.type, soa);
    return { rcode, answers, authorities: soa?.records ?? [] };
  }
}

/** Where the aliases of an answer end: that name is what is negative. */
function chainEnd(message: DnsMessage, question: Question): DnsName {
  let name = question.name;
  for (let links = 0; links < ALIASES_MAX && question.type !== TYPE.CNAME; links++) {
    const alias = message.answers.find((record) => record.type === TYPE.CNAME && sameName(record.name, name));
    const target = alias === undefined ? undefined : rdataName(alias.data);
    if (target === undefined) break;
    name = target;
  }
  return name;
}

/** The SOA of a negative answer with min(TTL, minimum) (RFC 2308 §5). */
function negativeSoa(message: DnsMessage, name: DnsName): RRset | undefined {
  const soa = groupRRsets(message.authorities).find((set) => set.type === TYPE.SOA && isAtOrBelow(name, set.name));
  if (soa === undefined) return undefined;
  return withTtl(soa, Math.min(soa.ttl, readSoa(soa.records[0]?.data ?? new Uint8Array(0))?.minimum ?? 0));
}

function ttlOf(reply: Reply): number {
  const records = [...(reply.answers ?? []), ...(reply.authorities ?? [])];
  return records.reduce((least, record) => Math.min(least, record.ttl), records[0]?.ttl ?? 0);
}

function addressField(reply: Reply): { address: string } | Record<string, never> {
  const first = reply.answers?.find((record) => record.type === TYPE.A);
  return first === undefined ? {} : { address: first.data.join('.') };
}

const canBeListed = (question: Question): boolean =>
  question.type === TYPE.A || question.type === TYPE.AAAA || question.type === TYPE.PTR;

/** /etc/hosts, and localhost that needs no line (RFC 6761). A name that is listed has no AAAA. */
function fromHosts(sys: Syscalls, question: Question): Reply | undefined {
  const { name, type } = question;
  const answer = (data: Uint8Array, of: number): ResourceRecord => ({ name, type: of, class: CLASS.IN, ttl: 0, data });
  if (type === TYPE.PTR) {
    const address = reversedAddress(name);
    const names = address === undefined ? undefined : hostsByAddress(sys, address);
    const targets = (names ?? []).map((text) => parseName(text)).filter((target) => typeof target === 'string');
    return targets.length === 0
      ? undefined
      : { rcode: RCODE.NOERROR, answers: targets.map((target) => answer(nameWire(target), TYPE.PTR)) };
  }
  if (type !== TYPE.A && type !== TYPE.AAAA) return undefined;
  const listed = hostsByName(sys, nameWithoutDot(name));
  const addresses = listed.length === 0 && isAtOrBelow(name, LOCALHOST) ? [0x7f00_0001 as Ipv4] : listed;
  if (addresses.length === 0) return undefined;
  const octets = (address: Ipv4) => Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address);
  return {
    rcode: RCODE.NOERROR,
    answers: type === TYPE.A ? addresses.map((address) => answer(octets(address), TYPE.A)) : [],
  };
}

/** 10.2.0.192.in-addr.arpa. as 192.0.2.10. */
function reversedAddress(name: DnsName): Ipv4 | undefined {
  if (!isAtOrBelow(name, REVERSE)) return undefined;
  return parseIpv4(nameLabels(name).slice(0, -2).reverse().join('.'));
}
