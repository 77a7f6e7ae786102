/** test/sim/tcp-soak.test.ts with more seeds. */
import { expect, test } from 'vitest';
import { SECOND } from '../../shared/platform.ts';
import { soak } from '../kit/tcp-soak.ts';

const SEEDS = 1_000;
const SECONDS_MAX = 1_800;

test.each(Array.from({ length: SEEDS }, (_, i) => 101 + i))(
  'bytes arrive as sent, all ends, nothing is left (seed %i)',
  (seed) => {
    expect(soak(seed) / SECOND).toBeLessThan(SECONDS_MAX);
  },
);
