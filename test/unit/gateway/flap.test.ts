import { expect, test } from 'vitest';
import { Flap } from '../../../services/gateway/flap.ts';
import { ManualClock } from '../../kit/clock.ts';

/** The times at which a flap turns the wire over within `until`, and what to. */
function turnsOf(period: number, duty: number, until: number): (readonly [at: number, plugged: boolean])[] {
  const clock = new ManualClock();
  const turns: (readonly [number, boolean])[] = [];
  const schedule = (delay: number, fire: () => void) => {
    const timer = clock.after(delay, fire);
    return () => timer.stop();
  };
  const flap = new Flap({ period, duty }, schedule, (plugged) => turns.push([clock.now(), plugged]));
  flap.start();
  clock.advance(until);
  flap.stop();
  clock.advance(10 * period);
  return turns;
}

test.each([
  [20_000, 0.001],
  [33_333, 0.5],
  [100_001, 1 / 3],
  [2_000_000, 0.999],
  [20_001, 0.5],
])('a period of %i us with duty %f is out first, and begins on time however often it has turned', (period, duty) => {
  const turns = turnsOf(period, duty, period * 100 - 1);
  expect(turns).toHaveLength(200);
  const out = turns.filter(([, plugged]) => !plugged).map(([at]) => at);
  expect(out).toEqual(Array.from({ length: 100 }, (_, n) => n * period));
  // In for the share of each period that was asked, to the microsecond.
  for (const [i, [at, plugged]] of turns.entries()) {
    if (plugged) expect(period - (at - turns[i - 1]![0])).toBe(Math.round(period * duty));
  }
});

test('a duty of 0% pulls the plug once and for all, and one of 100% never does', () => {
  expect(turnsOf(100_000, 0, 10_000_000)).toEqual([[0, false]]);
  expect(turnsOf(100_000, 1, 10_000_000).every(([, plugged]) => plugged)).toBe(true);
});
