import { expect, test } from 'vitest';
import { SECOND } from '../../shared/platform.ts';
import { SOAK_SECONDS_MAX, soak } from '../kit/tcp-soak.ts';

/** Of the thousand; test/long has them all. */
const SEEDS = 100;

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
  'seed %i: odd buffers, MTUs and programs on a bad wire: bytes arrive as sent, all ends, nothing is left',
  (seed) => {
    expect(soak(seed, 'test/sim/tcp-soak.test.ts') / SECOND).toBeLessThan(SOAK_SECONDS_MAX);
  },
);
