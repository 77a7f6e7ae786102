import { expect, test } from 'vitest';
import { SECOND } from '../../shared/platform.ts';
import { soak } from '../kit/tcp-soak.ts';

const SEEDS = 100;
const SECONDS_MAX = 1_800;

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: odd buffers, MTUs and programs on a bad wire: bytes arrive as sent, all ends, nothing is left`, () => {
    expect(soak(seed) / SECOND).toBeLessThan(SECONDS_MAX);
  });
}
