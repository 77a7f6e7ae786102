/** Records of one name and type belong together (RFC 2181 §5): the unit of zones, caches and answers. */
import type { ResourceRecord } from '../header/dns.ts';
import type { DnsName } from '../header/dns-name.ts';

export interface RRset {
  readonly name: DnsName;
  readonly type: number;
  readonly ttl: number;
  readonly records: readonly ResourceRecord[];
}

export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The records as sets, in order of first appearance: duplicates gone, the smallest TTL for all (RFC 2181 §5.2). */
export function groupRRsets(records: readonly ResourceRecord[]): RRset[] {
  const groups = new Map<string, ResourceRecord[]>();
  for (const record of records) {
    const key = `${record.type} ${record.name.toLowerCase()}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else if (!group.some((other) => sameOctets(other.data, record.data))) group.push(record);
  }
  return Array.from(groups.values(), rrsetOf);
}

function rrsetOf(records: readonly ResourceRecord[]): RRset {
  const [first] = records;
  if (first === undefined) throw new Error('a set has at least one record');
  const ttl = records.reduce((least, record) => Math.min(least, record.ttl), first.ttl);
  return withTtl({ name: first.name, type: first.type, ttl: -1, records }, ttl);
}

/** The same set with another TTL. */
export function withTtl(set: RRset, ttl: number): RRset {
  if (set.ttl === ttl) return set;
  return { ...set, ttl, records: set.records.map((record) => (record.ttl === ttl ? record : { ...record, ttl })) };
}

/** The same set under another owner (wildcards). */
export function withOwner(set: RRset, name: DnsName): RRset {
  return { ...set, name, records: set.records.map((record) => ({ ...record, name })) };
}
