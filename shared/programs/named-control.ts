/** What named says to rndc: status, its cache with TTLs counting down, counters, and how to forget. */

import { type CacheEntry, type DnsCache, RANK } from '../dns/cache.ts';
import type { Resolver } from '../dns/resolver.ts';
import type { Zones } from '../dns/zone.ts';
import { type DnsName, isAtOrBelow, nameKey, nameWithoutDot, parseName } from '../header/dns-name.ts';
import { formatRdata } from '../header/dns-text.ts';
import { formatType } from '../header/dns-type.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';
import type { NamedCounters } from './named-server.ts';

/** rndc's channel in BIND. */
export const RNDC_PORT = 953;

export class NamedControl {
  private readonly sys: Syscalls;
  private readonly zones: Zones;
  private readonly resolver: Resolver | undefined;
  private readonly counters: NamedCounters;

  constructor(sys: Syscalls, zones: Zones, resolver: Resolver | undefined, counters: NamedCounters) {
    this.sys = sys;
    this.zones = zones;
    this.resolver = resolver;
    this.counters = counters;
  }

  answer(line: string): string {
    const [command = '', ...words] = line.split(/\s+/);
    switch (command) {
      case 'status':
        return this.status();
      case 'stats':
        return this.stats();
      case 'dumpdb':
        return this.dump(words);
      case 'flush':
        this.resolver?.flush();
        return '';
      case 'flushname':
      case 'flushtree':
        return this.forget(words[0], command === 'flushtree');
      default:
        return `rndc: '${command}' failed: unknown command\n`;
    }
  }

  private status(): string {
    const zones = [...this.zones.all()].map((zone) => nameWithoutDot(zone.origin));
    return [
      'version: wirelab named',
      `running on ${this.sys.gethostname()}`,
      `number of zones: ${zones.length}${zones.length === 0 ? '' : ` (${zones.join(', ')})`}`,
      `recursion: ${this.resolver === undefined ? 'off' : 'on'}`,
      `up for: ${Math.floor(this.sys.uptime() / SECOND)} seconds`,
      'server is up and running',
      '',
    ].join('\n');
  }

  private stats(): string {
    const rows = (map: ReadonlyMap<string, number>) =>
      [...map].map(([name, count]) => `${String(count).padStart(20)} ${name}`);
    const cache = this.resolver?.cache;
    return [
      '++ Incoming Queries ++',
      ...rows(this.counters.types),
      '++ Outgoing Rcodes ++',
      ...rows(this.counters.rcodes),
      '++ Cache Statistics ++',
      `${String(cache?.hits ?? 0).padStart(20)} cache hits`,
      `${String(cache?.misses ?? 0).padStart(20)} cache misses`,
      `${String(cache?.size ?? 0).padStart(20)} cache database nodes`,
      `${String(this.resolver?.exchanger.sent ?? 0).padStart(20)} queries sent`,
      '',
    ].join('\n');
  }

  private dump(words: readonly string[]): string {
    const wantsZones = words.includes('-zones') || words.includes('-all');
    const lines: string[] = [];
    if (!words.includes('-zones') && this.resolver !== undefined) lines.push(...dumpCache(this.resolver.cache));
    if (wantsZones) {
      for (const zone of this.zones.all()) {
        lines.push(';', `; Zone dump of '${nameWithoutDot(zone.origin)}/IN'`, ';');
        for (const { name, ttl, type, data } of zone.records())
          lines.push(`${name}\t${ttl}\tIN ${formatType(type)}\t${formatRdata(type, data)}`);
      }
    }
    return `${[...lines, '; Dump complete'].join('\n')}\n`;
  }

  private forget(text: string | undefined, below: boolean): string {
    const name = parseName(text ?? '');
    if (typeof name !== 'string') return `rndc: 'flushname' failed: bad name\n`;
    const matches = (other: DnsName) => (below ? isAtOrBelow(other, name) : nameKey(other) === nameKey(name));
    const cache = this.resolver?.cache;
    for (const entry of [...(cache?.entries() ?? [])]) if (matches(entry.name)) cache?.delete(entry.name, entry.type);
    return '';
  }
}

const RANK_WORDS: ReadonlyMap<number, string> = new Map([
  [RANK.glue, 'glue'],
  [RANK.referral, 'glue'],
  [RANK.authority, 'authauthority'],
  [RANK.answer, 'answer'],
  [RANK.authoritative, 'authanswer'],
]);

/** As `rndc dumpdb -cache` writes named_dump.db: what it is worth, then the records. */
export function dumpCache(cache: DnsCache): string[] {
  const lines = [';', "; Cache dump of view '_default' (cache _default)", ';'];
  for (const entry of cache.entries()) lines.push(...dumpEntry(entry, cache.secondsLeft(entry)));
  return lines;
}

function dumpEntry(entry: CacheEntry, seconds: number): string[] {
  const name = entry.name.padEnd(24);
  if (entry.kind === 'failure') return [`; ${entry.name}/${formatType(entry.type)} [ttl ${seconds}] SERVFAIL`];
  const soa = entry.set?.records[0];
  const proof = soa === undefined ? [] : [`; ${soa.name} SOA ${formatRdata(soa.type, soa.data)}`];
  if (entry.kind === 'nxdomain') return ['; authanswer', `${name}${seconds}\t\\-ANY\t;-$NXDOMAIN`, ...proof];
  if (entry.kind === 'nodata')
    return ['; authanswer', `${name}${seconds}\t\\-${formatType(entry.type)}\t;-$NXRRSET`, ...proof];
  const records = entry.set?.records ?? [];
  const rows = records.map(
    (record) => `${name}${seconds}\tIN ${formatType(record.type)}\t${formatRdata(record.type, record.data)}`,
  );
  return [`; ${RANK_WORDS.get(entry.rank) ?? ''}`, ...rows];
}
