import { expect, test } from 'vitest';
import { fuzzDevice } from '../../kit/fuzz-device.ts';
import { report } from '../../kit/fuzz-report.ts';
import { TEST_SEED } from '../../kit/random.ts';
import { recordUrlToPage } from '../../kit/recorded.ts';

const FRAMES = 20_000;
const REASONS_MIN = 20;
const recording = await recordUrlToPage();

test.each(['alice', 'www'])(
  `%s survives ${FRAMES} frames made wrong, and keeps nothing (seed ${TEST_SEED})`,
  async (device) => {
    const drops = await fuzzDevice({ recording, device, seed: TEST_SEED, frames: FRAMES });
    report(device, drops);
    expect(drops.size).toBeGreaterThan(REASONS_MIN);
  },
);
