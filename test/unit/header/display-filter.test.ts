import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Filter, parseFilter } from '../../../shared/header/display-filter.ts';
import { dissect } from '../../../shared/header/dissect.ts';
import { crc32 } from '../../../shared/header/fcs.ts';
import { FILTER_FIELDS } from '../../../shared/header/filter-fields.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { frameBytes, tcpSkb } from '../../kit/tcp-frames.ts';

function filterOf(text: string): Filter {
  const parsed = parseFilter(text);
  if ('problem' in parsed) throw new Error(`${text}: ${parsed.problem.message}`);
  return parsed;
}

function problemOf(text: string) {
  const parsed = parseFilter(text);
  return 'problem' in parsed ? parsed.problem : undefined;
}

/** A SYN from 10.0.0.1:40000 to 10.0.0.2:80 with an MSS option, and its FCS. */
function synBytes(): Uint8Array {
  const host = cardHost('alice', new ManualClock());
  const skb = tcpSkb(host, { ports: (40_000 << 16) | 80, flags: TCP_FLAG.SYN, options: [0x0204_05b4] });
  const frame = frameBytes(host, skb);
  const bytes = new Uint8Array(frame.length + 4);
  bytes.set(frame);
  new DataView(bytes.buffer).setUint32(frame.length, crc32(frame, 0, frame.length), true);
  return bytes;
}

const bytes = synBytes();
const frame = dissect(bytes);
const fits = (text: string): boolean => filterOf(text)(frame, bytes.length);

describe('what fits a SYN from 10.0.0.1:40000 to 10.0.0.2:80', () => {
  test.each([
    'tcp',
    'tcp.flags.syn == 1 && tcp.flags.ack == 0',
    'tcp.flags.syn==true and not tcp.flags.ack==true',
    'tcp.flags.syn eq 1',
    'tcp.flags & 0x02',
    'tcp.flags & 0x12 == 2',
    'ip.addr == 10.0.0.2',
    'ip.src == 10.0.0.0/8',
    'ip.dst != 10.0.0.1',
    '!(udp || icmp) && (tcp)',
    'tcp.port in {22, 79..81}',
    'tcp.dstport < 1024',
    'tcp.srcport ge 40000',
    'eth.type == 0x0800',
    'frame.len >= 60',
    'tcp.options.mss_val',
    'ip.src contains "0.0.1"',
    'ip.ttl == 64 || arp',
  ])('%s', (text) => expect(fits(text)).toBe(true));

  test.each([
    'udp',
    'tcp.flags.ack == 1',
    'ip.addr != 10.0.0.1',
    'udp.port != 53',
    'tcp.port in {443}',
    'ip.src == 192.168.0.0/16',
    'tcp.dstport > 80',
    '!tcp',
    'http.host contains "server"',
  ])('but not: %s', (text) => expect(fits(text)).toBe(false));
});

test.each([
  ['tcp.sny == 1', 1, 'no protocol or field is called "tcp.sny"'],
  ['tcp &&', 7, 'expected a protocol or a field, found the end'],
  ['tcp.port ==', 12, 'expected a value, found the end'],
  ['(tcp', 5, 'a parenthesis is not closed'],
  ['tcp) || udp', 4, 'did not expect ")"'],
  ['tcp.port in 80', 13, 'expected { after in'],
  ['tcp.port < x', 12, 'expected a number after <, found x'],
  ['tcp == 1', 1, 'tcp is a protocol: it stands alone, or as one of its fields'],
  ['ip.src == 10.0.0.1/40', 11, '10.0.0.1/40 is no network'],
  ['', 1, 'expected a protocol or a field, found the end'],
  [`${'('.repeat(60)}tcp`, 51, 'deeper than 50'],
  ['t'.repeat(1_001), 1_001, 'longer than 1000 characters'],
  ['tcp.flags.syn=1', 14, '= is no operator'],
  ['tcp.port => 80', 10, '=> is no operator'],
  ['tcp | udp', 5, '| is no operator'],
  ['tcp & udp', 5, 'expected a number after &, found udp'],
])('%s: what is wrong has a column', (text, column, message) => {
  expect(problemOf(text)).toMatchObject({ column, message });
});

test('no text makes the parser throw, and none that it takes makes a filter throw', () => {
  const parts = [
    'tcp',
    'ip.src',
    '==',
    '(',
    ')',
    '!',
    '&&',
    '"',
    '{',
    '}',
    ',',
    '&',
    '1',
    '..',
    'in',
    ' ',
    '\\',
    '10.0.0.1/8',
  ];
  let state = 7;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  let taken = 0;
  for (let i = 0; i < 5_000; i++) {
    const text = Array.from({ length: 1 + next(8) }, () => parts[next(parts.length)]).join(next(2) === 0 ? ' ' : '');
    const parsed = parseFilter(text);
    if ('problem' in parsed) continue;
    taken++;
    expect(typeof parsed(frame, bytes.length)).toBe('boolean');
  }
  expect(taken).toBeGreaterThan(50);
});

test('every field that a dissector shows is a name that a filter knows, and none is known that no dissector shows', () => {
  const folder = new URL('../../../shared/header/', import.meta.url);
  const sources = readdirSync(folder).filter((name) => name.startsWith('dissect'));
  const text = sources.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n');
  const shown = new Set(
    [...text.matchAll(/'((?:arp|data|dns|eth|icmp|ip|tcp|udp)\.[a-z0-9_.]+)'/g)].map(([, name]) => name),
  );
  expect([...shown].filter((name) => !FILTER_FIELDS.includes(name ?? ''))).toEqual([]);
  // Made of two parts in the source: flags by their table, checksums by their protocol.
  const made = /^(tcp\.flags\.|dns\.flags\.|tcp\.checksum|udp\.checksum|frame\.len)/;
  expect(FILTER_FIELDS.filter((name) => !shown.has(name) && !made.test(name))).toEqual([]);
});
