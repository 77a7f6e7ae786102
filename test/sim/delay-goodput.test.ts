/** A delay must not collapse throughput: the window grows to what the path holds, and nothing else is in the way. */
import { expect, test } from 'vitest';
import { arrived, RATE } from '../kit/goodput.ts';

test('at 100mbit a delay of 20 ms each way keeps 95 % of the goodput without one (30 s of it in test/long)', () => {
  const [without = 0] = arrived({}, 2);
  const [delayed = 0] = arrived({ delay: 20_000 }, 2);
  // 1448 octets of data take 1538 of line time.
  expect(without).toBeGreaterThan((RATE / 8) * 2 * (1_448 / 1_538) * 0.97);
  expect(delayed / without).toBeGreaterThan(0.95);
});
