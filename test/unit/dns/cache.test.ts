import { expect, test } from 'vitest';
import { DnsCache, RANK } from '../../../shared/dns/cache.ts';
import type { RRset } from '../../../shared/dns/rrset.ts';
import { dnsName } from '../../../shared/header/dns-name.ts';
import { TYPE } from '../../../shared/header/dns-type.ts';
import { SECOND } from '../../../shared/platform.ts';

const limits = { entriesMax: 3, ttlMax: 1000, negativeTtlMax: 100 };

function address(name: string, last: number, ttl = 60): RRset {
  const record = { name: dnsName(name), type: TYPE.A, class: 1, ttl, data: Uint8Array.of(10, 0, 0, last) };
  return { name: record.name, type: TYPE.A, ttl, records: [record] };
}

function makeCache() {
  const time = { now: 0 };
  return { time, cache: new DnsCache(() => time.now, limits) };
}

const lastOctet = (cache: DnsCache, name: string) => cache.peek(dnsName(name), TYPE.A)?.set?.records[0]?.data[3];

test('TTLs count down to the moment they end', () => {
  const { cache, time } = makeCache();
  cache.put(address('a.', 1, 10), RANK.authoritative);
  time.now = 9.5 * SECOND;
  expect(cache.get(dnsName('A.'), TYPE.A)?.set?.ttl).toBe(0);
  time.now = 10 * SECOND;
  expect(cache.get(dnsName('a.'), TYPE.A)).toBeUndefined();
  expect([cache.hits, cache.misses, cache.size]).toEqual([1, 1, 0]);
});

test('glue is for finding servers, not for answering, and does not replace an answer', () => {
  const { cache } = makeCache();
  cache.put(address('a.', 1), RANK.glue);
  expect(cache.get(dnsName('a.'), TYPE.A)).toBeUndefined();
  expect(lastOctet(cache, 'a.')).toBe(1);
  cache.put(address('a.', 2), RANK.authoritative);
  expect(cache.put(address('a.', 3), RANK.glue)).toBe(false);
  expect(lastOctet(cache, 'a.')).toBe(2);
});

test('glue that repeats does not prolong itself', () => {
  const { cache, time } = makeCache();
  cache.put(address('a.', 1, 10), RANK.glue);
  time.now = 6 * SECOND;
  cache.put(address('a.', 1, 10), RANK.glue);
  time.now = 10 * SECOND;
  expect(cache.peek(dnsName('a.'), TYPE.A)).toBeUndefined();
});

test('TTLs are bounded, and the entry that was not asked for longest goes first', () => {
  const { cache, time } = makeCache();
  cache.put(address('a.', 1, 1_000_000), RANK.answer);
  cache.put(address('b.', 2), RANK.answer);
  cache.put(address('c.', 3), RANK.answer);
  expect(cache.get(dnsName('a.'), TYPE.A)?.set?.ttl).toBe(1000);
  cache.put(address('d.', 4), RANK.answer);
  expect([...cache.entries()].map((entry) => entry.name)).toEqual(['c.', 'a.', 'd.']);
  expect(cache.evictions).toBe(1);
  time.now = 61 * SECOND;
  expect([...cache.entries()].map((entry) => entry.name)).toEqual(['a.']);
});

test('a negative answer without an SOA is not kept (RFC 2308 §5)', () => {
  const { cache } = makeCache();
  cache.putNegative('nxdomain', dnsName('nx.'), TYPE.A, undefined);
  expect(cache.get(dnsName('nx.'), TYPE.A)).toBeUndefined();
});
