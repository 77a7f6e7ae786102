/**
 * A resolver's memory: sets of records whose TTL counts down, negative answers (RFC 2308), failures (RFC 9520), each
 * with how much it is to be trusted (RFC 2181 §5.4.1). Bounded: the entry that was not asked for longest goes first.
 *
 * Interface:
 * - `put`, `putNegative`, `putFailure` → only data at least as trustworthy replaces what is there.
 * - `get(name, type)` → a positive or negative answer that may be given to a client.
 * - `peek(name, type)` → any data, glue included, for finding servers.
 * - `entries()` → what `rndc dumpdb` and `resolvectl show-cache` print.
 */
import { type DnsName, isAtOrBelow, nameKey, parentName } from '../header/dns-name.ts';
import { type Micros, SECOND } from '../platform.ts';
import { type RRset, withTtl } from './rrset.ts';

/** RFC 2181 §5.4.1, least trusted first. From `answer` on a client may be given it. */
export const RANK = { glue: 1, referral: 2, authority: 3, answer: 4, authoritative: 5 } as const;
export type Rank = (typeof RANK)[keyof typeof RANK];

export interface CacheLimits {
  readonly entriesMax: number;
  /** Seconds; BIND: max-cache-ttl 1 week, max-ncache-ttl 3 h. */
  readonly ttlMax: number;
  readonly ttlMin?: number;
  readonly negativeTtlMax: number;
  readonly negativeTtlMin?: number;
}

export const RESOLVER_CACHE: CacheLimits = { entriesMax: 50_000, ttlMax: 604_800, negativeTtlMax: 10_800 };

export interface CacheEntry {
  readonly kind: 'positive' | 'nodata' | 'nxdomain' | 'failure';
  readonly name: DnsName;
  /** 0 for NXDOMAIN: it holds for all types. */
  readonly type: number;
  /** The records; for negative answers the SOA (none when there was none). */
  readonly set: RRset | undefined;
  readonly rank: Rank;
  readonly stored: Micros;
  readonly expires: Micros;
}

/** NXDOMAIN covers all types of a name (RFC 2308 §5). */
const ANY_TYPE = 0;

export class DnsCache {
  private readonly map = new Map<string, CacheEntry>();
  private readonly limits: CacheLimits;
  private readonly now: () => Micros;
  hits = 0;
  misses = 0;
  evictions = 0;

  constructor(now: () => Micros, limits: CacheLimits = RESOLVER_CACHE) {
    this.now = now;
    this.limits = limits;
  }

  get size(): number {
    return this.map.size;
  }

  /** Keep a set. Data that is less trusted than what is still valid is ignored; false then. */
  put(set: RRset, rank: Rank): boolean {
    const key = keyOf(set.name, set.type);
    const old = this.live(key);
    if (old !== undefined && old.rank > rank) return false;
    // Referrals and glue that repeat do not prolong themselves: a parent must be asked again (ghost domains).
    if (old?.kind === 'positive' && old.rank === rank && rank <= RANK.authority) return false;
    const { ttl } = this.clamped(set);
    this.store(key, { kind: 'positive', name: set.name, type: set.type, set, rank, ...this.span(ttl) });
    if (rank >= RANK.answer) this.map.delete(keyOf(set.name, ANY_TYPE));
    return true;
  }

  /** A set with a TTL that is neither too long nor too short for this cache. */
  clamped(set: RRset): RRset {
    return withTtl(set, Math.max(Math.min(set.ttl, this.limits.ttlMax), this.limits.ttlMin ?? 0));
  }

  /** The SOA of a negative answer in the same way. */
  clampedNegative(soa: RRset): RRset {
    return withTtl(soa, Math.max(Math.min(soa.ttl, this.limits.negativeTtlMax), this.limits.negativeTtlMin ?? 0));
  }

  /** NODATA for a type, or NXDOMAIN. The SOA's TTL is already min(TTL, minimum). */
  putNegative(kind: 'nodata' | 'nxdomain', name: DnsName, type: number, soa: RRset | undefined): void {
    // RFC 2308 §5: without an SOA nothing says for how long.
    const set = soa === undefined ? undefined : this.clampedNegative(soa);
    if (set === undefined || set.ttl === 0) return;
    const keyType = kind === 'nxdomain' ? ANY_TYPE : type;
    this.store(keyOf(name, keyType), {
      kind,
      name,
      type: keyType,
      set,
      rank: RANK.authoritative,
      ...this.span(set.ttl),
    });
  }

  /** Nobody answered: do not ask again for a while. */
  putFailure(name: DnsName, type: number, seconds: number): void {
    const entry = { name, type, set: undefined, rank: RANK.glue, ...this.span(seconds) } as const;
    this.store(`fail ${keyOf(name, type)}`, { kind: 'failure', ...entry });
  }

  failure(name: DnsName, type: number): CacheEntry | undefined {
    return this.live(`fail ${keyOf(name, type)}`);
  }

  /** What may be answered to a client, TTLs counted down; counts a hit or a miss. */
  get(name: DnsName, type: number): CacheEntry | undefined {
    const found = this.answerable(name, type);
    if (found === undefined) this.misses++;
    else this.hits++;
    return found;
  }

  private answerable(name: DnsName, type: number): CacheEntry | undefined {
    const nxdomain = this.touch(keyOf(name, ANY_TYPE));
    if (nxdomain !== undefined) return this.aged(nxdomain);
    const entry = this.touch(keyOf(name, type));
    return entry === undefined || entry.rank < RANK.answer ? undefined : this.aged(entry);
  }

  /** Data of any rank, TTLs counted down; negative entries too. */
  peek(name: DnsName, type: number): CacheEntry | undefined {
    const entry = this.touch(keyOf(name, type)) ?? this.touch(keyOf(name, ANY_TYPE));
    return entry === undefined ? undefined : this.aged(entry);
  }

  /** RFC 8020: nothing exists below a name that does not. The SOA that says so, aged. */
  nxdomainAbove(name: DnsName): CacheEntry | undefined {
    for (let at = nameKey(name); at !== '.'; at = parentName(at)) {
      const entry = this.live(keyOf(at, ANY_TYPE));
      if (entry !== undefined) return this.aged(entry);
    }
    return undefined;
  }

  delete(name: DnsName, type: number): void {
    this.map.delete(keyOf(name, type));
  }

  flush(): void {
    this.map.clear();
  }

  /** All that is valid at or below a name, TTLs counted down, in order of storing. */
  *entries(below?: DnsName): Generator<CacheEntry> {
    for (const [key, entry] of this.map) {
      if (this.live(key) === undefined) continue;
      if (below === undefined || isAtOrBelow(entry.name, below)) yield this.aged(entry);
    }
  }

  /** Whole seconds that an entry has left. */
  secondsLeft(entry: CacheEntry): number {
    return Math.max(Math.floor((entry.expires - this.now()) / SECOND), 0);
  }

  private span(seconds: number): { stored: Micros; expires: Micros } {
    const now = this.now();
    return { stored: now, expires: now + seconds * SECOND };
  }

  private store(key: string, entry: CacheEntry): void {
    this.map.delete(key);
    this.map.set(key, entry);
    if (this.map.size <= this.limits.entriesMax) return;
    const [oldest] = this.map.keys();
    if (oldest !== undefined) this.map.delete(oldest);
    this.evictions++;
  }

  private live(key: string): CacheEntry | undefined {
    const entry = this.map.get(key);
    if (entry === undefined) return undefined;
    if (entry.expires > this.now()) return entry;
    this.map.delete(key);
    return undefined;
  }

  private touch(key: string): CacheEntry | undefined {
    const entry = this.live(key);
    if (entry === undefined) return undefined;
    this.map.delete(key);
    this.map.set(key, entry);
    return entry;
  }

  private aged(entry: CacheEntry): CacheEntry {
    if (entry.set === undefined) return entry;
    return { ...entry, set: withTtl(entry.set, this.secondsLeft(entry)) };
  }
}

function keyOf(name: DnsName, type: number): string {
  return `${type} ${nameKey(name)}`;
}
