import { describe, expect, test } from 'vitest';
import { type Filter, parseFilter } from '../../../shared/header/display-filter.ts';
import { dissect } from '../../../shared/header/dissect.ts';
import { crc32 } from '../../../shared/header/fcs.ts';
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
const fits = (text: string): boolean => filterOf(text)(frame);

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
    'frame contains 0a:00:00:01',
    'ip[12:4] == 0a:00:00:01',
    'tcp[13] & 2',
    'eth.src[0:1] == 02 && eth.src[-1] == 01',
    'ip.src < 10.0.0.2 && ip.src in {10.0.0.1..10.0.0.9}',
    'tcp.srcport != tcp.dstport',
    'tcp.port not in {443}',
    'not udp.port in {53}',
    'any ip.addr != 10.0.0.1',
    'ip.addr !== 10.0.0.1',
    'all ip.addr == 10.0.0.0/24',
    "tcp.dstport == 0120 && tcp.dstport == 0b1010000 && tcp.dstport == 'P'",
    'len(tcp) > 20 && count(ip.addr) == 2',
    'frame matches r"^.{12}\\x08"',
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
    'tcp.port === 80',
    'all ip.addr == 10.0.0.1',
    'ip.src == ip.dst',
    'tcp[60]',
    'frame contains "GET"',
  ])('but not: %s', (text) => expect(fits(text)).toBe(false));
});

test.each([
  ['tcp.sny == 1', 1, 'no protocol or field is called "tcp.sny"'],
  ['tcp &&', 7, 'expected a protocol or a field, found the end'],
  ['tcp.port ==', 12, 'expected a value after ==, found the end'],
  ['(tcp', 5, 'a parenthesis is not closed'],
  ['tcp) || udp', 4, 'did not expect ")"'],
  ['tcp.port in 80', 13, 'expected { after in'],
  ['tcp.port < x', 12, 'tcp.port is a number, not x'],
  ['tcp.port == 70000', 13, 'tcp.port is at most 65535, not 70000'],
  ['tcp.port == "80"', 13, 'tcp.port is a number, not "80"'],
  ['ip.ttl == 300', 11, 'ip.ttl is at most 255, not 300'],
  ['ip.src == 10.0.0', 11, 'ip.src is an IPv4 address, not 10.0.0'],
  ['ip.src == foo', 11, 'ip.src is an IPv4 address, not foo'],
  ['eth.src == 02:00', 12, 'eth.src is a MAC address, not 02:00'],
  ['tcp.flags.syn == maybe', 18, 'tcp.flags.syn is true or false, not maybe'],
  ['tcp.port contains 80', 1, 'tcp.port is a number; contains is for text, octets, a MAC address'],
  ['ip.src matches "1"', 1, 'ip.src is an IPv4 address; matches is for text, octets'],
  ['tcp.port[0] == 1', 1, 'tcp.port is a number; […] is for text, octets, a MAC address, an IPv4 address'],
  ['http.host matches "("', 19, '"(" is no regular expression'],
  ['http.host == "a\\.b"', 16, '\\. is no escape: say \\\\., or r"…"'],
  ['tcp.options.sack == 1', 21, 'tcp.options.sack is there or not; it has no value to compare'],
  ['ip.src == tcp.port', 11, 'ip.src and tcp.port do not compare; a text stands in quotes'],
  [
    'tcp.seq == 1',
    1,
    'tcp.seq is worked out from more frames than the one that is looked at; of one frame there is tcp.seq_raw',
  ],
  [
    'tcp.analysis.retransmission',
    1,
    'tcp.analysis.retransmission is worked out from more frames than the one that is looked at',
  ],
  ['ip.src#2 == 1.2.3.4', 1, 'the number of a layer is left out: ip.src'],
  ['tcp.dstport == 40 + 40', 19, 'arithmetic is left out'],
  ['max(ip.ttl) == 4', 1, 'no function is called "max"; there are count, len, lower, upper'],
  ['tcp[1', 6, 'a slice is not closed: expected ]'],
  ['tcp[a]', 5, 'a slice is [offset], [offset:length], [from-to], [:length] or [offset:]'],
  ['http.x_foo', 1, 'no protocol or field is called "http.x_foo"'],
  [
    'tcp == 1',
    1,
    'tcp is a protocol: it stands alone, or with contains, matches, [offset:length], or one of its fields',
  ],
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
    expect(typeof parsed(frame)).toBe('boolean');
  }
  expect(taken).toBeGreaterThan(50);
});
