import { expect, test } from 'vitest';
import { frameMemory } from '../../../shared/device/frame-memory.ts';
import { decodeBatch, encodeBatch } from '../../../shared/wire/codec.ts';
import { BATCH_FRAMES_MAX, FrameBatch, giveBatch, settle } from '../../../shared/wire/frame-batch.ts';
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

test('a received batch settles in a batch of the pool, from where it is encoded again into the same message', () => {
  const sent = new FrameBatch();
  const bytes = fill(sent, [72, 1_526, 127, 128, 20_000]);
  sent.first = 70_000;
  sent.sentAt = 1_234_567;
  const { start, end } = encodeBatch(sent);
  const message = sent.bytes.slice(start, end);
  const received = new FrameBatch(new Uint8Array(0));
  expect(decodeBatch(message, received)).toBeUndefined();

  const settled = settle(received);

  expect(settled).not.toBe(received);
  expect(settled.loose).toBe(true);
  expect(frames(settled)).toEqual(bytes);
  const again = encodeBatch(settled);
  expect(settled.bytes.slice(again.start, again.end)).toEqual(message);
  giveBatch(settled);
  expect(settled.loose).toBe(false);
});

test('a message whose frames do not stand back to back, or are too many octets, is walked through where it is', () => {
  const apart = new FrameBatch();
  fill(apart, [64, 64]);
  apart.offsets[1]! += 4;
  expect(settle(apart)).toBe(apart);
  const large = new FrameBatch(new Uint8Array(200_000));
  large.count = 2;
  large.sizes.set([60_000, 60_000]);
  large.offsets.set([100, 60_104]);
  expect(settle(large)).toBe(large);
  expect(settle(new FrameBatch()).loose).toBe(false);
});

test('a message that stands in frame memory already is walked through where it is', () => {
  const elsewhere = new FrameBatch();
  fill(elsewhere, new Array(20).fill(64));
  expect(settle(elsewhere)).not.toBe(elsewhere);
  // Nothing of it is left when other tests have used it; what stands there does not matter here.
  const { buffer } = frameMemory()!.take(0)!;
  const there = new FrameBatch(new Uint8Array(buffer, 0, 4_096));
  there.count = elsewhere.count;
  there.offsets.set(elsewhere.offsets);
  there.sizes.set(elsewhere.sizes);
  expect(settle(there)).toBe(there);
});
