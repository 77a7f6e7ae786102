/** nmap's OS detection (nmap book, chapter 8) sees Linux: its probes as frames through card and stack, its reading of the answers. */
import { describe, expect, test } from 'vitest';
import { compare, matches, parseFingerprint, printFingerprint, tableOf } from '../nmap/fingerprint.ts';
import { LINUX_4_15_TO_5_6 } from '../nmap/linux.ts';
import { fingerprintOfTarget, target } from '../nmap/target.ts';

const REFERENCE = parseFingerprint(LINUX_4_15_TO_5_6);

/** Fields that lie outside of the reference, `T1.T=40`. */
async function outside(sysctls: Record<string, string>, name?: string): Promise<string[]> {
  const rows = compare(await fingerprintOfTarget(await target(sysctls, name)), REFERENCE);
  return rows.filter((row) => !row.inside).map((row) => `${row.line}.${row.field}=${row.ours}`);
}

test('every field lies inside the reference entry "Linux 4.15 - 5.6"', async () => {
  const under = await target();
  const rows = compare(await fingerprintOfTarget(under), REFERENCE);
  console.log(tableOf(rows));
  expect(rows.length).toBeGreaterThan(90);
  expect(tableOf(rows.filter((row) => !row.inside))).toBe(tableOf([]));
  under.clock.advance(130_000_000);
  expect(under.host.skbs.counters.live).toBe(0);
});

test('whatever the keys of its hashes are, only the spread of the sequence numbers may lie a little beside', async () => {
  // Five steps are few: the database's own entries differ by as much.
  let beside = 0;
  for (let seed = 0; seed < 20; seed++) {
    const fields = await outside({}, `target${seed}`);
    expect(fields.filter((field) => !/^SEQ\.(SP|ISR)=/.test(field))).toEqual([]);
    if (fields.length > 0) beside++;
  }
  expect(beside).toBeLessThan(10);
});

describe('what is not as Linux is found', () => {
  test('another TTL', async () => {
    const fields = await outside({ 'net.ipv4.ip_default_ttl': '128' });
    expect(fields).toContain('T1.T=80');
    expect(fields).toContain('IE.TG=80');
  });
  test('timestamps that are off by another amount for each connection, as Linux 6.12 has them', async () => {
    const fields = await outside({ 'wirelab.ts_offset': 'connection' });
    expect(fields).toEqual([expect.stringMatching(/^SEQ\.TS=/)]);
  });
  test('no timestamps, no window scale, no SACK, no ECN', async () => {
    expect(await outside({ 'net.ipv4.tcp_timestamps': '0' })).toContain('OPS.O1=M5B4NNSNW7');
    expect(await outside({ 'net.ipv4.tcp_window_scaling': '0' })).toContain('OPS.O1=M5B4ST11');
    expect(await outside({ 'net.ipv4.tcp_sack': '0' })).toContain('ECN.O=M5B4NW7');
    expect(await outside({ 'net.ipv4.tcp_ecn': '0' })).toEqual(['ECN.CC=N']);
  });
  test('a receive buffer of another size', async () => {
    const fields = await outside({ 'net.ipv4.tcp_rmem': '4096 131072 33554432' });
    expect(fields).toContain('OPS.O1=M5B4ST11NWA');
  });
  test('no answer to echo requests', async () => {
    expect(await outside({ 'net.ipv4.icmp_echo_ignore_all': '1' })).toContain('IE.R=N');
  });
});

describe('nmap’s expressions', () => {
  test('alternatives, ranges, bounds, and numbers inside a word', () => {
    expect(matches('I', 'Z|I')).toBe(true);
    expect(matches('40', '3B-45')).toBe(true);
    expect(matches('46', '3B-45')).toBe(false);
    expect(matches('108', '<109')).toBe(true);
    expect(matches('108', '>108')).toBe(false);
    expect(matches('', '|R')).toBe(true);
    expect(matches('', 'R')).toBe(false);
    expect(matches('M5B4ST11NW7', 'M5B4ST11NW[5-9|C]')).toBe(true);
    expect(matches('M5B4ST11NWA', 'M5B4ST11NW[5-9|C]')).toBe(false);
    expect(matches('M5B4ST11NW7', 'M5B4ST11NW')).toBe(false);
  });
  test('what nmap itself prints can be read, broken lines and all', () => {
    const text = 'OS:SCAN(V=7.93%E=4)SEQ(SP=104%GCD=1%I\nOS:SR=108%TI=Z)T2(R=N)ECN(R=Y%Q=)\n';
    expect(printFingerprint(parseFingerprint(text))).toBe('SEQ(SP=104%GCD=1%ISR=108%TI=Z)\nT2(R=N)\nECN(R=Y%Q=)');
  });
  test('a field that is missing is outside', () => {
    const rows = compare(parseFingerprint('T1(R=Y)'), parseFingerprint('T1(R=Y%DF=Y)'));
    expect(rows.map((row) => row.inside)).toEqual([true, false]);
  });
});
