/** A delay must not collapse throughput, over half a minute. */
import { expect, test } from 'vitest';
import { arrived } from '../kit/goodput.ts';

test('at 100mbit a delay of 20 ms each way keeps 95 % of the goodput without one, over 30 s', () => {
  expect(arrived({ delay: 20_000 }, 30)[0]! / arrived({}, 30)[0]!).toBeGreaterThan(0.95);
});

test.each(['uniform', 'normal', 'pareto'] as const)(
  'and so it does with %s jitter that keeps order',
  (distribution) => {
    const [base = 0] = arrived({}, 30);
    const [jittered = 0] = arrived({ delay: 20_000, jitter: 5_000, order: 'kept', distribution }, 30);
    expect(jittered / base).toBeGreaterThan(0.95);
  },
);
