/**
 * A recursive resolver (RFC 1034 §5.3.3): answers from its cache, or by asking from the root down (iterate.ts), and
 * starts again at the target of every CNAME. It does no I/O of its own: a ResolverIo is handed in with each question,
 * so causes of concurrent questions stay apart, and a test runs it on a manual clock.
 *
 * Interface:
 * - `resolve(question, io)` → an outcome, never an exception. Identical questions under way share one.
 * - `cache`, `servers` → what it remembers; `flush()` forgets it.
 *
 * Left out: DNSSEC validation (AD is never set), IPv6 transport, serving stale data.
 */
import type { Question, ResourceRecord } from '../header/dns.ts';
import { DNS_ROOT, type DnsName, nameKey, nameWithoutDot } from '../header/dns-name.ts';
import { rdataName } from '../header/dns-rdata.ts';
import { EDE, formatType, RCODE, TYPE } from '../header/dns-type.ts';
import { type Micros, SECOND } from '../platform.ts';
import { type CacheLimits, DnsCache, RANK, RESOLVER_CACHE } from './cache.ts';
import type { Delegation, NameServer, RootHints } from './delegation.ts';
import { Exchanger, type ResolverIo } from './exchange.ts';
import { Budget, Iteration } from './iterate.ts';
import type { RRset } from './rrset.ts';
import { Servers } from './servers.ts';

/** unbound's max-query-restarts. */
const RESTARTS_MAX = 11;
/** BIND's resolver-query-timeout. */
const RESOLVE_TIMEOUT: Micros = 10 * SECOND;
/** Seconds that a failure is remembered (RFC 9520 §3.2: at least 1, at most 300; BIND's servfail-ttl is 1). */
const FAILURE_SECONDS = 1;

export interface ResolverOptions {
  readonly hints: RootHints;
  readonly now: () => Micros;
  readonly cache?: CacheLimits;
  /** Ask servers only for as much of a name as they need to know (RFC 9156). Off: the root sees the whole name. */
  readonly minimiseNames?: boolean;
  readonly mixCase?: boolean;
  /** Confirm the hints with `. NS` first (RFC 9609). */
  readonly prime?: boolean;
  /** Servers may have addresses in 127/8: for tests on one machine. */
  readonly allowLoopbackServers?: boolean;
  /** A name that does not exist has nothing below it (RFC 8020). */
  readonly nothingBelowNxdomain?: boolean;
  /** Zones whose servers the operator names; `forward`: that are asked to recurse. */
  readonly zones?: readonly {
    readonly zone: DnsName;
    readonly servers: readonly NameServer[];
    readonly forward?: boolean;
  }[];
  readonly failureSeconds?: number;
  /** Believe the NS set beside a positive answer. Off: it is how a cache is talked into wrong servers (CVE-2025-11411). */
  readonly keepServersOfAnswers?: boolean;
}

export interface Resolution {
  readonly rcode: number;
  /** The chain of CNAMEs and what it ends in. */
  readonly answers: readonly RRset[];
  /** The SOA of a negative answer. */
  readonly authorities: readonly RRset[];
  readonly kind: 'answer' | 'nodata' | 'nxdomain' | 'servfail';
  /** Nothing had to be asked. */
  readonly cached: boolean;
  readonly ede?: { readonly code: number; readonly text?: string };
}

/** What a name and type come to without following a CNAME. */
export type Step =
  | { readonly kind: 'answer'; readonly chain: readonly RRset[]; readonly sets: readonly RRset[] }
  | { readonly kind: 'cname'; readonly chain: readonly RRset[]; readonly target: DnsName }
  | { readonly kind: 'nodata' | 'nxdomain'; readonly chain: readonly RRset[]; readonly soa: RRset | undefined }
  | { readonly kind: 'servfail'; readonly why: string; readonly ede: number };

export class Resolver {
  readonly cache: DnsCache;
  readonly servers: Servers;
  readonly exchanger: Exchanger;
  readonly options: ResolverOptions;
  /** Questions under way, by name and type. */
  private readonly underWay = new Map<string, Promise<Resolution>>();

  constructor(options: ResolverOptions) {
    this.options = options;
    this.cache = new DnsCache(options.now, options.cache ?? RESOLVER_CACHE);
    this.servers = new Servers(options.now);
    this.exchanger = new Exchanger(this.servers);
  }

  flush(): void {
    this.cache.flush();
    this.servers.flush();
  }

  resolve(question: Question, io: ResolverIo): Promise<Resolution> {
    const key = `${question.type} ${nameKey(question.name)}`;
    const same = this.underWay.get(key);
    if (same !== undefined) return same;
    const budget = new Budget(io.now() + RESOLVE_TIMEOUT);
    const resolving = this.follow(question.name, question.type, io, budget).finally(() => this.underWay.delete(key));
    this.underWay.set(key, resolving);
    return resolving;
  }

  /** From the cache alone: for questions that do not want recursion. */
  fromCache(name: DnsName, type: number): Step | undefined {
    return this.lookUp(name, type);
  }

  /** Restart at each CNAME's target until something ends the chain. Also used for the names of servers. */
  async follow(name: DnsName, type: number, io: ResolverIo, budget: Budget): Promise<Resolution> {
    const answers: RRset[] = [];
    const seen = new Set<string>();
    let cached = true;
    for (let restarts = 0; restarts <= RESTARTS_MAX; restarts++) {
      if (seen.has(nameKey(name))) return failure('the chain of CNAMEs is a loop');
      seen.add(nameKey(name));
      let step = this.lookUp(name, type);
      io.mark('named:cache', { name: nameWithoutDot(name), type: formatType(type), hit: step !== undefined });
      if (step === undefined) {
        cached = false;
        step = await new Iteration(this, io, budget).run(name, type);
        if (step.kind === 'servfail') this.cache.putFailure(name, type, this.options.failureSeconds ?? FAILURE_SECONDS);
      }
      if (step.kind === 'servfail') return { ...failure(step.why, step.ede), cached };
      answers.push(...step.chain);
      if (step.kind === 'answer') {
        answers.push(...step.sets);
        return { rcode: RCODE.NOERROR, answers, authorities: [], kind: 'answer', cached };
      }
      if (step.kind !== 'cname') {
        const rcode = step.kind === 'nxdomain' ? RCODE.NXDOMAIN : RCODE.NOERROR;
        return { rcode, answers, authorities: step.soa === undefined ? [] : [step.soa], kind: step.kind, cached };
      }
      name = step.target;
    }
    return failure('max. restarts reached');
  }

  private lookUp(name: DnsName, type: number): Step | undefined {
    if (this.cache.failure(name, type) !== undefined) {
      return { kind: 'servfail', why: 'cached failure', ede: EDE.CACHED_ERROR };
    }
    const entry = this.cache.get(name, type);
    if (entry?.kind === 'positive' && entry.set !== undefined) return { kind: 'answer', chain: [], sets: [entry.set] };
    if (entry?.kind === 'nodata' || entry?.kind === 'nxdomain') return { kind: entry.kind, chain: [], soa: entry.set };
    const cname = type === TYPE.CNAME ? undefined : this.cache.peek(name, TYPE.CNAME);
    if (cname?.kind === 'positive' && cname.set !== undefined && cname.rank >= RANK.answer) {
      const target = rdataName(cname.set.records[0]?.data ?? new Uint8Array(0));
      if (target !== undefined) return { kind: 'cname', chain: [cname.set], target };
    }
    if (this.options.nothingBelowNxdomain === false) return undefined;
    const above = this.cache.nxdomainAbove(name);
    return above === undefined ? undefined : { kind: 'nxdomain', chain: [], soa: above.set };
  }

  /** Zones that the operator configured, deepest first at or above `name`. */
  configured(name: DnsName): Delegation | undefined {
    let best: Delegation | undefined;
    for (const { zone, servers, forward } of this.options.zones ?? []) {
      const key = nameKey(zone);
      if (key !== '.' && nameKey(name) !== key && !nameKey(name).endsWith(`.${key}`)) continue;
      if (best !== undefined && best.zone.length >= zone.length && best.zone !== '.') continue;
      best = { zone, servers, from: 'configured', forward: forward ?? false };
    }
    return best;
  }

  hints(): Delegation {
    return { zone: DNS_ROOT, servers: this.options.hints.servers, from: 'hints' };
  }
}

/** Part of a chain is no answer: none of it is given. */
function failure(text: string, code: number = EDE.OTHER): Resolution {
  return { rcode: RCODE.SERVFAIL, answers: [], authorities: [], kind: 'servfail', cached: false, ede: { code, text } };
}

export function recordsOf(sets: readonly RRset[]): ResourceRecord[] {
  return sets.flatMap((set) => set.records);
}
