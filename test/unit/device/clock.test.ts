import { expect, test } from 'vitest';
import { SystemClock } from '../../../shared/device/clock.ts';
import { DeviceClock } from '../../../shared/device/device-clock.ts';
import { ManualClock } from '../../kit/clock.ts';
import { testRandom } from '../../kit/random.ts';

test('timers fire in the order of their deadlines, and of their arming at the same microsecond', () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  clock.after(20, () => fired.push('b20'));
  clock.after(10, () => fired.push('a10'));
  clock.after(20, () => fired.push('c20'));
  clock.after(0, () => fired.push('now'));
  clock.run(20);
  expect(fired).toEqual(['now', 'a10', 'b20', 'c20']);
});

test('a timer that is armed again moves, to later and to earlier, and takes its place anew', () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  const early = clock.after(10, () => fired.push('moved'));
  clock.after(30, () => fired.push('fixed'));
  early.arm(30);
  clock.run(29);
  expect(fired).toEqual([]);
  clock.run(30);
  expect(fired).toEqual(['fixed', 'moved']);
  const late = clock.after(1_000, () => fired.push('early'));
  late.arm(5);
  clock.advance(5);
  expect(fired.at(-1)).toBe('early');
  expect(late.armed).toBe(false);
});

test('a stopped timer does not fire, and can be armed again from its own callback', () => {
  const clock = new ManualClock();
  let count = 0;
  const timer = clock.timer(() => {
    if (++count < 3) timer.arm(10);
  });
  timer.arm(10);
  const stopped = clock.after(5, () => expect.unreachable());
  stopped.stop();
  clock.runUntilIdle(1_000);
  expect(count).toBe(3);
  expect(clock.now()).toBe(30);
  expect(clock.pending).toBe(0);
});

test("a device's timers go with its power, those that it arms later, too; the others keep their order", () => {
  const clock = new ManualClock();
  const fired: string[] = [];
  const devices = ['a', 'b'].map((name) => ({ name, own: new DeviceClock(clock) }));
  const timers = [30, 10, 20].flatMap((at) =>
    devices.map(({ name, own }) => own.after(at, () => void fired.push(`${name}${at}`))),
  );
  const unarmed = devices[0]?.own.timer(() => void fired.push('unarmed'));
  clock.run(10);
  devices[0]?.own.off();
  unarmed?.arm(5);
  timers[0]?.arm(1);
  expect(clock.pending).toBe(2);
  clock.run(100);
  expect(fired).toEqual(['a10', 'b10', 'b20', 'b30']);
});

test('the heap agrees with a sorted list over 20,000 random armings and stops', () => {
  const random = testRandom('heap');
  const clock = new ManualClock();
  const expected = new Map<number, { deadline: number; order: number }>();
  const fired: number[] = [];
  const timers = Array.from({ length: 2_000 }, (_, n) =>
    clock.timer(() => {
      fired.push(n);
    }),
  );
  for (let order = 0; order < 20_000; order++) {
    const n = random.below(timers.length);
    if (random.below(4) === 0) {
      timers[n]!.stop();
      expected.delete(n);
    } else {
      const delay = random.below(500);
      timers[n]!.arm(delay);
      expected.set(n, { deadline: delay, order });
    }
  }
  expect(clock.pending).toBe(expected.size);
  clock.run(1_000);
  const sorted = [...expected].sort(([, a], [, b]) => a.deadline - b.deadline || a.order - b.order);
  expect(fired).toEqual(sorted.map(([n]) => n));
});

test('on the system clock after(0) keeps its order, runs after the work under way and lets I/O in between', async () => {
  const clock = new SystemClock();
  const seen: string[] = [];
  let chained = 0;
  const chain = (): void => {
    if (++chained < 5) clock.after(0, chain);
  };
  clock.after(0, () => seen.push('first'));
  clock.after(0, () => seen.push('second'));
  clock.after(0, chain);
  seen.push('under way');
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(['under way', 'first', 'second']);
  expect(chained).toBeLessThan(5);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(chained).toBe(5);
  clock.stop();
});

test('the system clock counts from the origin of the lab, fires late rather than early, and stops at rate 0', async () => {
  const clock = new SystemClock({ originUnixMicros: (Date.now() - 5_000) * 1_000 });
  expect(clock.now()).toBeGreaterThanOrEqual(4_999_000);
  expect(clock.now()).toBeLessThan(6_000_000);
  const start = clock.now();
  const firedAt = await new Promise<number>((resolve) => clock.after(3_500, () => resolve(clock.now())));
  expect(firedAt - start).toBeGreaterThanOrEqual(3_500);
  clock.setRate(0);
  const stood = clock.now();
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(clock.now()).toBe(stood);
  clock.stop();
});
