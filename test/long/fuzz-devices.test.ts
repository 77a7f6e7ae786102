/** test/fuzz/devices with many seeds. WIRELAB_SEED moves them all. */
import { expect, test } from 'vitest';
import { fuzzDevice } from '../kit/fuzz-device.ts';
import { report } from '../kit/fuzz-report.ts';
import { TEST_SEED } from '../kit/random.ts';
import { recordUrlToPage } from '../kit/recorded.ts';

const FRAMES = 20_000;
const SEEDS = Number(process.env['FUZZ_SEEDS'] ?? 40);
const DEVICES = [
  'alice',
  'www',
  'home-switch',
  'home-router',
  'core1',
  'root-dns',
  'com-dns',
  'server-dns',
  'local-dns',
] as const;
const recording = await recordUrlToPage();

for (const device of DEVICES) {
  test.each(Array.from({ length: SEEDS }, (_, i) => TEST_SEED + i))(
    `${device} survives ${FRAMES} frames made wrong, and keeps nothing (seed %i)`,
    async (seed) => {
      const drops = await fuzzDevice({ recording, device, seed, frames: FRAMES });
      report(`${device}, seed ${seed}`, drops);
      expect(drops.size).toBeGreaterThan(0);
    },
  );
}
