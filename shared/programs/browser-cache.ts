/**
 * A browser's two caches, with Chrome's numbers: names for 60 seconds whatever their TTL (the operating system does not
 * tell it), and responses for as long as their headers allow (RFC 9111).
 * Left out: Vary, Expires, heuristic freshness, partitioning by top-level site, the stalest-first scan (the oldest goes).
 */
import type { Ipv4 } from '../header/address.ts';
import { type Micros, SECOND } from '../platform.ts';

/** Chrome: kCacheEntryTTLSeconds; a name that was not found is not kept (kNegativeCacheEntryTTLSeconds = 0). */
const DNS_TTL: Micros = 60 * SECOND;
/** Chrome's HostCache::kMaxHostCacheEntries. */
const DNS_ENTRIES_MAX = 1_000;
const HTTP_BYTES_MAX = 64 * 1_048_576;
const HTTP_ENTRIES_MAX = 1_000;

interface DnsEntry {
  readonly addresses: readonly Ipv4[];
  readonly expires: Micros;
}

export class DnsCache {
  private readonly entries: Map<string, DnsEntry> = new Map();

  /** What is known of a name, with the seconds that it still holds. */
  get(name: string, now: Micros): { addresses: readonly Ipv4[]; ttl: number } | undefined {
    const entry = this.entries.get(name);
    if (entry === undefined) return undefined;
    if (entry.expires <= now) {
      this.entries.delete(name);
      return undefined;
    }
    return { addresses: entry.addresses, ttl: Math.ceil((entry.expires - now) / SECOND) };
  }

  put(name: string, addresses: readonly Ipv4[], now: Micros): void {
    this.entries.delete(name);
    this.entries.set(name, { addresses, expires: now + DNS_TTL });
    evict(this.entries, DNS_ENTRIES_MAX);
  }

  list(now: Micros): { name: string; addresses: readonly Ipv4[]; ttl: number }[] {
    return [...this.entries.keys()].flatMap((name) => {
      const found = this.get(name, now);
      return found === undefined ? [] : [{ name, ...found }];
    });
  }
  clear(): void {
    this.entries.clear();
  }
}

export interface CachedResponse {
  readonly url: string;
  readonly body: Uint8Array;
  readonly type: string;
  readonly etag: string | undefined;
  /** When it was received or last found unchanged. */
  readonly stored: Micros;
  /** How long it is fresh after that. */
  readonly lifetime: Micros;
}

export class HttpCache {
  private readonly entries: Map<string, CachedResponse> = new Map();
  private bytes = 0;

  get(url: string): CachedResponse | undefined {
    return this.entries.get(url);
  }

  /** Keep a 200, if its headers allow it and something is gained. */
  put(url: string, body: Uint8Array, headers: Readonly<Record<string, unknown>>, now: Micros): void {
    this.remove(url);
    const control = directivesOf(headers['cache-control']);
    const etag = textOf(headers['etag']);
    const lifetime = lifetimeOf(control);
    if (control.has('no-store') || (lifetime === 0 && etag === undefined)) return;
    const type = textOf(headers['content-type']) ?? '';
    this.entries.set(url, { url, body, type, etag, stored: now, lifetime });
    this.bytes += body.length;
    while (this.bytes > HTTP_BYTES_MAX || this.entries.size > HTTP_ENTRIES_MAX) {
      const oldest = this.entries.keys().next();
      if (oldest.done === true) return;
      this.remove(oldest.value);
    }
  }

  /** A 304 came: what we have is good for another while. */
  refresh(entry: CachedResponse, headers: Readonly<Record<string, unknown>>, now: Micros): void {
    const control = directivesOf(headers['cache-control']);
    const lifetime = control.size === 0 ? entry.lifetime : lifetimeOf(control);
    this.entries.set(entry.url, { ...entry, stored: now, lifetime });
  }

  list(now: Micros): { url: string; bytes: number; type: string; age: number; ttl: number }[] {
    return [...this.entries.values()].map((entry) => ({
      url: entry.url,
      bytes: entry.body.length,
      type: entry.type,
      age: Math.floor((now - entry.stored) / SECOND),
      ttl: Math.max(0, Math.ceil((entry.stored + entry.lifetime - now) / SECOND)),
    }));
  }
  clear(): void {
    this.entries.clear();
    this.bytes = 0;
  }

  private remove(url: string): void {
    this.bytes -= this.entries.get(url)?.body.length ?? 0;
    this.entries.delete(url);
  }
}

/** Whether a kept response may be used without asking. */
export function isFresh(entry: CachedResponse, now: Micros): boolean {
  return now < entry.stored + entry.lifetime;
}

function directivesOf(header: unknown): ReadonlyMap<string, string> {
  const directives = new Map<string, string>();
  for (const part of (textOf(header) ?? '').split(',')) {
    const [name = '', value = ''] = part.trim().toLowerCase().split('=');
    if (name !== '') directives.set(name, value.replaceAll('"', ''));
  }
  return directives;
}

function lifetimeOf(control: ReadonlyMap<string, string>): Micros {
  if (control.has('no-cache') || control.has('no-store')) return 0;
  const seconds = Number(control.get('max-age') ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * SECOND : 0;
}

function textOf(header: unknown): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

/** Forget the oldest until no more than `max` are left. */
function evict(entries: Map<string, unknown>, max: number): void {
  for (const key of entries.keys()) {
    if (entries.size <= max) return;
    entries.delete(key);
  }
}
