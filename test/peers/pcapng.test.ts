/** A capture of frames made wrong is a good file: tshark reads every frame of it and has no complaint about the container. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pcapngHeader, pcapngPacket } from '../../shared/device/pcapng.ts';
import { MAC_BROADCAST } from '../../shared/header/address.ts';
import { ip } from '../kit/cable.ts';
import { mutate, pick } from '../kit/mutate.ts';
import { randomBytes, TEST_SEED, testRandom } from '../kit/random.ts';
import { recordUrlToPage } from '../kit/recorded.ts';

const FRAMES = 5_000;
const COMMENTS = ['', 'lost: loss 5%', 'ü'.repeat(40), '\0\n', 'x'.repeat(70_000), '𝄞'];

function hasTshark(): boolean {
  try {
    execFileSync('tshark', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.skipIf(!hasTshark())(`tshark reads ${FRAMES} frames made wrong without a word (seed ${TEST_SEED})`, async () => {
  const random = testRandom('pcapng');
  const recorded = [...(await recordUrlToPage()).frames.values()].flat();
  const around = { macs: [MAC_BROADCAST], addresses: [ip('10.0.0.1'), ip('192.0.2.80')] };
  const blocks = [
    pcapngHeader([
      { name: 'alice:eth0', description: 'a port' },
      { name: 'bob:eth0', description: '' },
    ]),
  ];
  for (let n = 0; n < FRAMES; n++) {
    const frame =
      random.below(20) === 0 ? randomBytes(random, random.below(80)) : mutate(random, pick(random, recorded), around);
    blocks.push(
      pcapngPacket({
        interface: random.below(2),
        time: pick(random, [0, 1, 1_764_000_000_000_000, 1_764_000_000_000_000 + random.u32(), 2 ** 51]),
        direction: pick(random, ['in', 'out']),
        bytes: frame,
        ...(random.below(4) === 0 ? { comment: pick(random, COMMENTS) } : {}),
        ...(random.below(4) === 0 ? { drops: random.u32() } : {}),
        ...(random.below(2) === 0 ? { identity: { device: random.u32(), number: random.u32() } } : {}),
      }),
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-garbage-'));
  try {
    const file = join(folder, 'garbage.pcapng');
    writeFileSync(file, Buffer.concat(blocks));
    const read = spawnSync('tshark', ['-n', '-r', file, '-T', 'fields', '-e', 'frame.number'], { encoding: 'utf8' });
    expect(read.stderr.replace(/^Running as user "root".*\n/, '')).toBe('');
    expect(read.status).toBe(0);
    expect(read.stdout.trim().split('\n')).toHaveLength(FRAMES);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
