import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pcapngHeader, pcapngPacket } from '../../../shared/device/pcapng.ts';
import { crc32 } from '../../../shared/header/fcs.ts';

function frame(payload: number): Uint8Array {
  const bytes = new Uint8Array(14 + payload + 4);
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
  new DataView(bytes.buffer).setUint32(14 + payload, crc32(bytes, 0, 14 + payload), true);
  return bytes;
}

test('every block is a whole number of words and says its length at both ends', () => {
  const file = Buffer.concat([
    pcapngHeader([{ name: 'a:eth0', description: 'x' }]),
    pcapngPacket({
      interface: 0,
      time: 1_700_000_000_123_456,
      direction: 'out',
      bytes: frame(47),
      comment: 'dropped: loss',
    }),
  ]);
  let at = 0;
  const types: number[] = [];
  while (at < file.length) {
    const length = file.readUInt32LE(at + 4);
    expect(length % 4).toBe(0);
    expect(file.readUInt32LE(at + length - 4)).toBe(length);
    types.push(file.readUInt32LE(at));
    at += length;
  }
  expect(types).toEqual([0x0a0d0d0a, 1, 6]);
  expect(at).toBe(file.length);
});

function hasTshark(): boolean {
  try {
    execFileSync('tshark', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.skipIf(!hasTshark())('tshark reads interface, time, direction, comment and a good FCS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-pcapng-'));
  try {
    const path = join(folder, 'x.pcapng');
    const packets = [
      pcapngPacket({ interface: 1, time: 1_700_000_000_123_456, direction: 'in', bytes: frame(46), comment: 'ok' }),
      pcapngPacket({ interface: 0, time: 1_700_000_000_200_000, direction: 'out', bytes: frame(46) }),
    ];
    const interfaces = ['a:eth0', 'sw:p1'].map((name) => ({ name, description: 'end' }));
    writeFileSync(path, Buffer.concat([pcapngHeader(interfaces), ...packets]));
    const fields = [
      'frame.interface_name',
      'frame.time_epoch',
      'frame.packet_flags_direction',
      'eth.fcs.status',
      'frame.comment',
    ];
    const out = execFileSync(
      'tshark',
      ['-r', path, '-o', 'eth.check_fcs:TRUE', '-T', 'fields', ...fields.flatMap((f) => ['-e', f])],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
    const rows = out
      .trim()
      .split('\n')
      .map((row) => row.split('\t'));
    expect(rows[0]).toEqual(['sw:p1', '1700000000.123456000', '0x00000001', '1', 'ok']);
    expect(rows[1]?.slice(0, 4)).toEqual(['a:eth0', '1700000000.200000000', '0x00000002', '1']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
