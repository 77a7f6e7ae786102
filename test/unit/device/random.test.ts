import { expect, test } from 'vitest';
import { seededRandom } from '../../../shared/device/random.ts';

test('the same seed gives the same sequence, another seed another', () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 8 }, () => random.u32());
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  expect(draw(0).every((n) => Number.isInteger(n) && n >= 0 && n <= 0xffff_ffff)).toBe(true);
});

test('a fork depends on seed and name alone, not on what was drawn before', () => {
  const fresh = seededRandom(3);
  const used = seededRandom(3);
  for (let i = 0; i < 100; i++) used.u32();
  expect(used.fork('tcp').u32()).toBe(fresh.fork('tcp').u32());
  expect(fresh.fork('tcp').u32()).not.toBe(fresh.fork('udp').u32());
});

test('below() reaches every value about as often', () => {
  const random = seededRandom(5);
  const counts = new Array<number>(6).fill(0);
  for (let i = 0; i < 60_000; i++) counts[random.below(6)]!++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  expect(random.below(1)).toBe(0);
});
