import { expect, test } from 'vitest';
import { decodeBatch, encodeBatch } from '../../shared/wire/codec.ts';
import { FrameBatch } from '../../shared/wire/frame-batch.ts';
import { randomBytes, TEST_SEED, testRandom } from '../kit/random.ts';

test(`any bytes are decoded or refused, never thrown at, and never read beyond their end (seed ${TEST_SEED})`, () => {
  const random = testRandom('codec fuzz');
  const source = new FrameBatch();
  const target = new FrameBatch(new Uint8Array(0));
  let accepted = 0;
  for (let run = 0; run < 20_000; run++) {
    source.clear();
    source.first = random.u32();
    for (let n = random.below(6); n > 0; n--) {
      const bytes = randomBytes(random, random.below(100));
      source.bytes.set(bytes, source.append(bytes.length, random.u32(), random.u32(), random.below(2)));
    }
    const { start, end } = encodeBatch(source);
    const message = random.below(4) === 0 ? randomBytes(random, random.below(80)) : source.bytes.slice(start, end);
    for (let n = random.below(4); n > 0 && message.length > 0; n--)
      message[random.below(message.length)] = random.u32();
    const cut = random.below(3) === 0 ? message.subarray(0, random.below(message.length + 1)) : message;
    if (decodeBatch(cut, target) !== undefined) continue;
    accepted++;
    for (let i = 0; i < target.count; i++) {
      expect(target.offset(i) + target.size(i)).toBeLessThanOrEqual(cut.length);
      expect(target.runEnd(i, target.count)).toBeGreaterThan(i);
    }
  }
  expect(accepted).toBeGreaterThan(1_000);
});
