/** Waves on virtual time: at any moment the knob has the value of the formula, as its step began; and then it is as it was. */
import { describe, expect, test } from 'vitest';
import { runWave, type Wave, waveAt } from '../../services/lab/chaos-wave.ts';
import type { LabNet } from '../../services/lab/net/net.ts';
import type { PackedDriver } from '../../services/lab/net/packed.ts';
import { seededRandom } from '../../shared/device/random.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

const MS = 1_000;

/** The values that the knob had, each with the time since the wave began at which it was first seen; looked at every `look`. */
async function played(
  wave: Wave,
  look: number,
): Promise<{ seen: { at: number; value: unknown }[]; after: Impairment }> {
  await using net = await virtualLab('two-hosts');
  const { packed } = (net as LabNet).driver as PackedDriver;
  const knobs = (): Impairment => packed.end(wave.target).impairment;
  const began = net.now();
  const going = runWave(net, wave, seededRandom(7), () => false);
  const seen: { at: number; value: unknown }[] = [];
  while (net.now() - began < wave.over) {
    seen.push({ at: net.now() - began, value: knobs()[wave.knob as keyof Impairment] });
    await net.wait.time(`${look}us`);
  }
  await going;
  return { seen: seen.slice(1), after: knobs() };
}

const none = seededRandom(1);
const wave = (knob: string, shape: Wave['shape'], more: Partial<Wave>): Wave => {
  return { target: 'alice:eth0', knob, shape, from: 0, over: 2_000 * MS, ...more };
};

describe('at every point', () => {
  test.each([
    wave('delay', 'constant', { from: 5 * MS }),
    wave('delay', 'ramp', { from: 0, to: 100 * MS }),
    wave('jitter', 'ramp', { from: 50 * MS, to: 10 * MS, every: 100 * MS }),
    wave('loss', 'square', { from: 0.01, to: 0.3, period: 300 * MS, duty: 0.25 }),
    wave('duplicate', 'square', { from: 0.5, to: 0 }),
    wave('corrupt', 'ramp', { from: 0, to: 1 }),
    wave('reorder', 'constant', { from: 0.25 }),
    wave('rate', 'ramp', { from: 1_000_000, to: 9_000_000 }),
    wave('limit', 'square', { from: 10, to: 1_000, period: 500 * MS }),
    wave('mtu', 'ramp', { from: 600, to: 1_500 }),
    wave('gap', 'constant', { from: 5 }),
  ])('$knob, $shape from $from', async (one) => {
    const { seen, after } = await played(one, 7_001);
    const step = one.every ?? one.over / 20;
    expect(seen.length).toBeGreaterThan(200);
    for (const { at, value } of seen) {
      // A ramp goes in steps; the others change when they say.
      const since = one.shape === 'ramp' ? at - (at % step) : at;
      const said = waveAt(one, since, none);
      expect([at, Math.abs(Number(value) - said) <= 1e-9 + (said > 1 ? 0.5 : 0)]).toEqual([at, true]);
    }
    expect(after).toEqual({});
  });

  test('random: between the two, another one at each step, spread evenly', async () => {
    const { seen } = await played(
      wave('loss', 'random', { from: 0.2, to: 0.6, over: 20_000 * MS, every: 100 * MS }),
      50_000,
    );
    const values = [...new Set(seen.map(({ value }) => Number(value)))];
    expect(values.length).toBeGreaterThan(195);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0.2);
    expect(Math.max(...values)).toBeLessThan(0.6);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    // Deviation of an even spread over its root: 0.4 / sqrt(12) / sqrt(200).
    expect(Math.abs(mean - 0.4)).toBeLessThan(4 * 0.0082);
  });
});
