/** test/sim/tcp-soak.test.ts with all of its seeds. */
import { expect, test } from 'vitest';
import { SECOND } from '../../shared/platform.ts';
import { SOAK_SECONDS_MAX, soak } from '../kit/tcp-soak.ts';

const SEEDS = 1_000;

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
  'seed %i: bytes arrive as sent, all ends, nothing is left',
  (seed) => {
    expect(soak(seed, 'test/long/tcp-soak.test.ts') / SECOND).toBeLessThan(SOAK_SECONDS_MAX);
  },
);
