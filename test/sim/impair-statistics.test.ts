/** Chance as the knobs say it: shares, curves and bursts against netem's arithmetic and its tables, over many seeds. */
import { describe, expect, test } from 'vitest';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { type Distribution, jitterOf } from '../../shared/wire/distribution.ts';
import { DRAW, Fate } from '../../shared/wire/fate.ts';
import type { Verdict, VerdictKind } from '../../shared/wire/verdict.ts';
import { cable } from '../kit/bad-cable.ts';
import { platform } from '../kit/cards.ts';

const SEEDS = Array.from({ length: 10 }, (_, i) => i + 1);
/** Chance in 30,000 that a good source is further off; the seeds are fixed, so the answer is as well. */
const DEVIATIONS_MAX = 4;

const fateOf = (seed: number, direction = 'a:eth0'): Fate => new Fate(platform.hash, seed, direction);

/** How many deviations `hits` of `count` are from what `ratio` lets expect. */
const off = (hits: number, count: number, ratio: number): number =>
  Math.abs(hits - count * ratio) / Math.sqrt(count * ratio * (1 - ratio));

const frames = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe('shares', () => {
  test.each([0.0001, 0.001, 0.01, 0.25, 0.5, 0.999])(
    'a loss of %d is met from every seed, and one loss does not call the next',
    (loss) => {
      for (const seed of SEEDS) {
        const fate = fateOf(seed);
        const lost = frames(20_000).map((n) => fate.isLost(loss, n));
        expect(off(lost.filter(Boolean).length, lost.length, loss)).toBeLessThan(DEVIATIONS_MAX);
        const pairs = lost.filter((hit, n) => hit && lost[n - 1] === true).length;
        if (loss ** 2 * lost.length > 10) expect(off(pairs, lost.length, loss ** 2)).toBeLessThan(2 * DEVIATIONS_MAX);
      }
    },
  );

  test('0% is never and 100% always', () => {
    const fate = fateOf(1);
    expect(frames(20_000).some((n) => fate.isLost(0, n))).toBe(false);
    expect(frames(20_000).every((n) => fate.isLost(1, n))).toBe(true);
  });

  test('the two directions of a wire, other wires, other seeds and other knobs have nothing to do with each other', () => {
    const one = fateOf(1);
    const others = [fateOf(1, 'b:eth0'), fateOf(1, 'a:eth1'), fateOf(2)];
    const both = (other: Fate, knob: number): number =>
      frames(20_000).filter((n) => one.draw(DRAW.LOSS, n) < 0.3 && other.draw(knob, n) < 0.3).length;
    for (const other of others) expect(off(both(other, DRAW.LOSS), 20_000, 0.09)).toBeLessThan(DEVIATIONS_MAX);
    for (const knob of Object.values(DRAW).filter((knob) => knob !== DRAW.LOSS)) {
      expect(off(both(one, knob), 20_000, 0.09)).toBeLessThan(DEVIATIONS_MAX);
    }
  });
});

/** Quantiles of /usr/lib/tc/NAME.dist (iproute2), in deviations: 1, 10, 25, 50, 75, 90 and 99 of a hundred. */
const TABLES: Readonly<Record<Exclude<Distribution, 'uniform'>, readonly number[]>> = {
  normal: [-2.334, -1.282, -0.674, 0, 0.675, 1.281, 2.327],
  pareto: [-0.662, -0.619, -0.532, -0.32, 0.117, 0.872, 4],
  paretonormal: [-1.08, -0.785, -0.568, -0.24, 0.256, 0.974, 3.582],
};
const QUANTILES = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99];

describe('jitter', () => {
  test.each(Object.entries(TABLES))('%s is spread as in the table of tc', (name, table) => {
    QUANTILES.forEach((quantile, i) => {
      expect(Math.abs(jitterOf(name as Distribution, quantile) - table[i]!)).toBeLessThan(0.012);
    });
    expect(jitterOf(name as Distribution, 0)).toBeGreaterThanOrEqual(-4);
    expect(jitterOf(name as Distribution, 1 - 2 ** -32)).toBeLessThanOrEqual(4);
  });

  test.each(['uniform', 'normal', 'pareto', 'paretonormal'] as const)(
    '%s: delays follow the curve from every seed (Kolmogorov, Smirnov)',
    (distribution) => {
      for (const seed of SEEDS.slice(0, 4)) {
        const { clock, arrived, send } = cable({ delay: 1_000_000, jitter: 100_000, distribution }, seed);
        for (let sent = 0; sent < 1_000; sent += 100) send(100, 80);
        clock.advance(2_000_000);
        const delays = arrived.map(({ at }) => at).sort((one, other) => one - other);
        // How many come before a delay of the curve, against how many should.
        const furthest = frames(delays.length).map((i) => {
          const said = 1_000_000 + 100_000 * jitterOf(distribution, (i + 0.5) / delays.length);
          const before = delays.filter((delay) => delay < Math.min(said, 1_399_999)).length;
          return Math.abs(before - i) / delays.length;
        });
        // The one in a thousand bound, 1.95 / sqrt(n).
        expect(Math.max(...furthest)).toBeLessThan(1.95 / Math.sqrt(1_000));
      }
    },
  );
});

describe('bursts', () => {
  test.each([
    { p: 0.01, r: 0.25, bad: 1, good: 0 },
    { p: 0.05, r: 0.95, bad: 1, good: 0 },
    { p: 0.02, r: 0.1, bad: 0.7, good: 0.01 },
    { p: 0.8, r: 0.7, bad: 1, good: 0 },
  ])('Gilbert-Elliott %j: the share, and runs as long as a chain of that kind makes them', (loss) => {
    const { p, r, bad, good } = loss;
    const share = (p * bad + r * good) / (p + r);
    // A run of losses ends with the chance that the frame behind a lost one is not lost.
    const inBad = (p * bad) / (p * bad + r * good);
    const [whenBad, whenGood] = [(1 - r) * bad + r * good, p * bad + (1 - p) * good];
    const goesOn = inBad * whenBad + (1 - inBad) * whenGood;
    const lost = SEEDS.flatMap((seed) => {
      const fate = fateOf(seed);
      return frames(20_000).map((n) => fate.isLost(loss, n));
    });
    const hits = lost.filter(Boolean).length;
    // Neighbours go together: the share is as sure as that many fewer frames.
    const spread = Math.sqrt((1 + Math.abs(1 - p - r)) / (1 - Math.abs(1 - p - r)));
    expect(off(hits, lost.length, share) / spread).toBeLessThan(DEVIATIONS_MAX);
    const pairs = lost.filter((hit, n) => hit && lost[n - 1] === true).length;
    expect(off(pairs, hits, goesOn)).toBeLessThan(DEVIATIONS_MAX);
  });

  test('what gemodel leaves out is as in netem: alone it is Bernoulli’s, and the first frame finds the wire good', () => {
    const firstLost = Array.from({ length: 2_000 }, (_, seed) =>
      fateOf(seed).isLost({ p: 0.9, r: 0.01, bad: 1, good: 0 }, 0),
    );
    expect(firstLost.some(Boolean)).toBe(false);
  });

  test('a chain of any length has the state of frame n, whenever it is asked', () => {
    for (const loss of [
      { p: 0.000_02, r: 0.000_03, bad: 1, good: 0 },
      { p: 0.9, r: 0.8, bad: 1, good: 0 },
      { p: 0.3, r: 0, bad: 1, good: 0 },
    ]) {
      const running = fateOf(3);
      for (const n of frames(150_000)) {
        const lost = running.isLost(loss, n);
        if (n % 29_999 === 0) expect(fateOf(3).isLost({ ...loss }, n)).toBe(lost);
      }
    }
  });
});

describe('reorder', () => {
  test('gap frames less one keep their place, then each goes ahead with the chance that is said, until one does', () => {
    const fate = fateOf(1);
    const ahead = frames(40_000).filter((n) => fate.goesAhead(0.25, 5, n));
    const gaps = ahead.slice(1).map((n, i) => n - ahead[i]! - 5);
    expect(Math.min(...gaps)).toBe(0);
    for (const longer of [0, 1, 2, 5]) {
      const share = 0.75 ** longer * 0.25;
      expect(off(gaps.filter((gap) => gap === longer).length, gaps.length, share)).toBeLessThan(DEVIATIONS_MAX);
    }
    // 4 that may not, and 4 that are asked until one goes: tc-netem(8)'s `reorder 25% gap 5`.
    expect(Math.abs(ahead.length - 40_000 / 8)).toBeLessThan(150);
  });

  test('at 100% it is every gap-th frame, whenever the knob was set', () => {
    expect(
      frames(10_000)
        .filter((n) => fateOf(1).goesAhead(1, 7, n))
        .every((n) => n % 7 === 6),
    ).toBe(true);
  }, 20_000);

  test('which frames go ahead is the same whenever the knob was set', () => {
    const running = fateOf(1);
    const all = frames(9_000).map((n) => running.goesAhead(0.4, 3, n));
    for (const n of [1, 2, 700, 4_097, 8_999]) expect(fateOf(1).goesAhead(0.4, 3, n)).toBe(all[n]);
  });
});

/** What one kind of verdict was said of, while the other knobs are turned at every turn. */
function fatesOf(kind: VerdictKind, knobs: Impairment, others: readonly Impairment[], burst: number): number[] {
  const { clock, wire, send } = cable(knobs);
  const seen: Verdict[] = [];
  wire.log.listener = (verdict) => void seen.push(verdict);
  for (let sent = 0; sent < 1_000; sent += burst) {
    wire.set({ ...others[(sent / burst) % Math.max(1, others.length)], ...knobs });
    send(burst, 80);
    clock.advance(burst * 13);
  }
  return seen.filter(({ verdict }) => verdict === kind).map(({ frame }) => frame);
}

test.each([
  ['lost', { loss: 0.2 }],
  ['lost', { loss: { p: 0.1, r: 0.3, bad: 0.9, good: 0.01 } }],
  ['duplicated', { duplicate: 0.2 }],
  ['reordered', { reorder: 0.3, gap: 3 }],
  ['corrupted', { corrupt: 0.2 }],
] as const)(
  'frames that are %s by %j are the same whatever the timing and however the other knobs are turned',
  (kind, knobs) => {
    const others: Impairment[] = [
      { delay: 5_000 },
      { delay: 700, jitter: 900, distribution: 'pareto' },
      {},
      { delay: 90, rate: 100_000_000, mtu: 1_500 },
      { delay: 5, limit: 1_000_000, match: [{ frames: 'tcp', loss: 1 }] },
    ];
    const alone = fatesOf(kind, knobs, [], 100);
    expect(alone.length).toBeGreaterThan(50);
    expect(fatesOf(kind, knobs, others, 10)).toEqual(alone);
  },
);
