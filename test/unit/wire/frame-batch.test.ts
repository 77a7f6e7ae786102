import { expect, test } from 'vitest';
import { BATCH_FRAMES_MAX, FrameBatch } from '../../../shared/wire/frame-batch.ts';
import { randomBytes, testRandom } from '../../kit/random.ts';

function fill(batch: FrameBatch, sizes: readonly number[]): Uint8Array[] {
  const random = testRandom('frame-batch');
  return sizes.map((size, i) => {
    const bytes = randomBytes(random, size);
    batch.bytes.set(bytes, batch.append(size, 7, i + 1, i % 3));
    return bytes;
  });
}

function frames(batch: FrameBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, i) =>
    batch.bytes.slice(batch.offset(i), batch.offset(i) + batch.size(i)),
  );
}

test('frames that stand back to back are copied to another batch in one piece, identities beside them', () => {
  const from = new FrameBatch();
  const sizes = [72, 127, 128, 1_526, 0, 20_000, 60];
  const bytes = fill(from, sizes);
  expect(from.runEnd(0, from.count)).toBe(sizes.length);
  const to = new FrameBatch();
  fill(to, [64]);
  expect(to.fitting(from, 2, 6)).toBe(4);
  to.appendRun(from, 2, 6);
  expect(frames(to).slice(1)).toEqual(bytes.slice(2, 6));
  expect([...to.traceNumbers.subarray(1, to.count)]).toEqual([3, 4, 5, 6]);
  expect(to.bytes.subarray(to.offset(1) - 3, to.end)).toEqual(
    from.bytes.subarray(from.offset(2) - 3, from.offset(5) + 20_000),
  );
});

test('only as many frames as there is room for count as fitting', () => {
  const from = new FrameBatch();
  fill(from, new Array(40).fill(1_526));
  const to = new FrameBatch();
  fill(to, new Array(30).fill(1_526));
  expect(to.fitting(from, 0, 40)).toBe(11);
  const many = new FrameBatch();
  fill(many, new Array(BATCH_FRAMES_MAX).fill(64));
  expect(many.hasRoom(64)).toBe(false);
  expect(many.fitting(from, 0, 40)).toBe(0);
});
