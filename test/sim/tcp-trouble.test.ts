import { expect, test } from 'vitest';
import { troubledDownload } from '../kit/tcp-trouble.ts';

const SEEDS = 200;
/** The slowest of many hundred seeds took ten seconds of lab time. */
const SECONDS_MAX = 60;

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: 2 MB arrive byte for byte through loss, duplicates, delay and disorder`, () => {
    expect(troubledDownload(seed)).toBeLessThan(SECONDS_MAX);
  });
}
