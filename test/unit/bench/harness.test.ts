import { expect, test } from 'vitest';
import { alternate, atLeast, atMost, type Figure, isMet, judged, percentile, spread } from '../../bench/harness.ts';

const figure = (fields: Partial<Figure>): Figure => ({
  name: 'goodput',
  unit: 'Gbit/s',
  ours: [],
  against: 'that',
  theirs: [],
  ...fields,
});

test('the median of an even number of values is the mean of the middle two', () => {
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spread([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 });
  expect(spread([]).median).toBeNaN();
});

test('a percentile is the nearest rank: of 200 values p99 is the third largest', () => {
  const values = Array.from({ length: 200 }, (_, i) => i + 1);
  expect(percentile(values, 0.99)).toBe(198);
  expect(percentile(values, 0.5)).toBe(100);
  expect(percentile([7], 0.99)).toBe(7);
});

test('the ratio is the median of the pairs, which is not the ratio of the medians', () => {
  // The machine slows down threefold in the middle: each pair says 2, the medians of the columns would, too, but not these.
  const drifting = figure({ ours: [6, 6, 2, 2, 2], theirs: [3, 3, 1, 1, 4] });
  expect(judged(drifting)).toEqual({ median: 2, min: 0.5, max: 2 });
  expect(spread(drifting.ours).median / spread(drifting.theirs).median).not.toBe(2);
});

test('a wrong ratio shows: a target that is missed by a hair is missed', () => {
  const ours = [2.4, 2.5, 2.4];
  const theirs = [1, 1, 1];
  expect(isMet(figure({ ours, theirs, target: atLeast(2.5) }))).toBe(false);
  expect(isMet(figure({ ours, theirs, target: atLeast(2.4) }))).toBe(true);
  expect(isMet(figure({ ours, theirs, target: atMost(2.3) }))).toBe(false);
  expect(isMet(figure({ ours: theirs, theirs: ours, target: atLeast(2.5) }))).toBe(false);
});

test('a target of a difference or of a value looks at no ratio', () => {
  const memory = figure({ ours: [30, 33, 31], theirs: [8, 8, 8], target: atMost(25, 'difference') });
  expect(isMet(memory)).toBe(true);
  expect(judged(memory).median).toBe(23);
  expect(isMet({ ...memory, ours: [34, 34, 34] })).toBe(false);
  const rate = figure({ ours: [1_100, 900, 1_200], theirs: [100, 100, 100], target: atLeast(1_000, 'value') });
  expect(isMet(rate)).toBe(true);
  expect(isMet({ ...rate, ours: [999, 900, 1_200] })).toBe(false);
});

test('what was not measured keeps no target, and a figure without one is not judged', () => {
  expect(isMet(figure({ ours: [1], theirs: [Number.NaN], target: atMost(3) }))).toBe(false);
  expect(isMet(figure({ ours: [], theirs: [], target: atLeast(0) }))).toBe(false);
  expect(isMet(figure({ ours: [1], theirs: [1] }))).toBeUndefined();
});

test('things are measured in turn, none of them always first, each as often', async () => {
  const order: string[] = [];
  let clock = 0;
  const measure = (name: string) => async () => {
    order.push(name);
    return clock++;
  };
  const rounds: number[] = [];
  const measured = await alternate(3, { a: measure('a'), b: measure('b') }, (round) => rounds.push(round));
  expect(order).toEqual(['a', 'b', 'b', 'a', 'a', 'b']);
  expect(measured).toEqual({ a: [0, 3, 4], b: [1, 2, 5] });
  expect(rounds).toEqual([0, 1, 2]);
});
