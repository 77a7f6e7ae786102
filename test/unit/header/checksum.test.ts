import { expect, test } from 'vitest';
import { fold, sumBytes, sumView } from '../../../shared/header/checksum.ts';
import { randomBytes, testRandom } from '../../kit/random.ts';

test('the sum through a view is the sum of the octets, for any start and length', () => {
  const random = testRandom('sum');
  const bytes = randomBytes(random, 66_000);
  const view = new DataView(bytes.buffer);
  for (let run = 0; run < 500; run++) {
    const start = random.below(70);
    const end = start + random.below(run < 400 ? 100 : 65_536);
    expect(fold(sumView(view, start, end)) % 0xffff).toBe(fold(sumBytes(bytes, start, end)) % 0xffff);
  }
  const ones = new Uint8Array(65_535).fill(0xff);
  expect(sumView(new DataView(ones.buffer), 0, 65_534)).toBe(0xffff);
});
