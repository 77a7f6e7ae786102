/** JSON from outside, changed anywhere: a device's slice of the plan, and what a wire is to do to its frames. */
import { expect, test } from 'vitest';
import { ConfigError, impairmentChecker, readConfig } from '../../shared/device/config.ts';
import { problemsOf } from '../../shared/device/validate.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { assert, type Random } from '../../shared/platform.ts';
import { impaired } from '../../shared/wire/impair.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { platform } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { planFrom } from '../kit/lab.ts';
import { pick } from '../kit/mutate.ts';
import { TEST_SEED, testRandom } from '../kit/random.ts';

const ROUNDS = 4_000;
const FRAMES = 20;
const FRAME_BYTES = 72;
const LAB_TIME = 100_000_000_000;
const ODD = [
  null,
  true,
  '',
  'x',
  '10.0.0.1/33',
  -1,
  0,
  0.5,
  1,
  2,
  1e9,
  1e308,
  [],
  {},
  [null],
  [[]],
  { a: 1 },
  '__proto__',
];
const KNOBS = [
  'delay',
  'jitter',
  'distribution',
  'loss',
  'duplicate',
  'reorder',
  'gap',
  'corrupt',
  'rate',
  'limit',
  'mtu',
  'x',
];

/** Something somewhere in it becomes something else, goes, or comes. */
function change(random: Random, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || random.below(6) === 0) return pick(random, ODD);
  const keys = Object.keys(value);
  if (keys.length === 0 || random.below(12) === 0)
    return { ...value, [pick(random, ['x', 'name', 'ports'])]: pick(random, ODD) };
  const key = pick(random, keys);
  const copy = structuredClone(value) as Record<string, unknown>;
  if (random.below(6) === 0 && !Array.isArray(copy)) delete copy[key];
  else copy[key] = change(random, copy[key]);
  return copy;
}

test(`a slice of the plan, changed anywhere, is a configuration or a list of what is wrong (seed ${TEST_SEED})`, () => {
  const random = testRandom('config');
  const plans = planFrom('url-to-page').devices;
  let refused = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const text = JSON.stringify(change(random, pick(random, plans)));
    const cut = random.below(10) === 0 ? text.slice(0, random.below(text.length)) : text;
    try {
      readConfig({ WIRELAB_DEVICE: cut, WIRELAB_TOKEN: 'a-token-long-enough', WIRELAB_CLOCK_ORIGIN: '1' });
    } catch (error) {
      expect(error, cut).toBeInstanceOf(ConfigError);
      assert(error instanceof ConfigError, 'just expected');
      expect(error.problems.join()).not.toMatch(/\[object|^$/);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(ROUNDS / 2);
});

test(`whatever knobs are taken, frames come out of the wire or are counted, and none waits for ever (seed ${TEST_SEED})`, () => {
  const random = testRandom('knobs');
  let taken = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const knobs: Record<string, unknown> = {};
    const values = [...ODD, 0.01, 10, 1_000, 'uniform', 'normal', 'pareto', 0.99];
    for (let n = 1 + random.below(3); n > 0; n--) knobs[pick(random, KNOBS)] = pick(random, values);
    if (problemsOf(impairmentChecker, knobs).length > 0) continue;
    taken++;
    const clock = new ManualClock();
    const [near, far] = memoryWire(clock, 'a:p', 'b:p');
    const wire = impaired(near, { clock, platform, seed: round, impairment: knobs as Impairment });
    let came = 0;
    far.attach({ onBatch: (batch) => void (came += batch.count), onCarrier: () => {}, onReady: () => {} });
    far.setPortUp(true);
    wire.setPortUp(true);
    for (let i = 0; i < FRAMES; i++) {
      wire.reserve(FRAME_BYTES).append(FRAME_BYTES, 0, 0, 0);
      wire.kick();
      clock.advance(random.below(1_000));
    }
    clock.advance(LAB_TIME);
    const { lost, duplicated, tooLong, overLimit } = wire.verdicts;
    const slow =
      Number(knobs['rate'] ?? 1e9) < 1_000 ||
      Number(knobs['delay'] ?? 0) + 100 * Number(knobs['jitter'] ?? 0) > LAB_TIME;
    if (!slow) expect(came + lost + tooLong + overLimit, JSON.stringify(knobs)).toBe(FRAMES + duplicated);
  }
  expect(taken).toBeGreaterThan(100);
});
