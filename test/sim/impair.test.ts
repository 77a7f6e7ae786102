import { expect, test } from 'vitest';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import type { ImpairedWire } from '../../shared/wire/impair.ts';
import { verdictText } from '../../shared/wire/verdict.ts';
import { ascending, cable, order } from '../kit/bad-cable.ts';

test('without a knob the inner wire is used as it is', () => {
  const { clock, wire, arrived, send } = cable({});
  send(100);
  clock.run(0);
  expect(order(arrived)).toEqual(ascending(100));
  expect(wire.verdicts.passed).toBe(0);
});

test('the fate of every frame is the same whatever the timing, and depends on seed and direction', () => {
  const knobs: Impairment = { loss: 0.1, duplicate: 0.1, corrupt: 0.1 };
  const fates = (seed: number, burst: number): string[] => {
    const { clock, arrived, send } = cable(knobs, seed);
    for (let n = 0; n < 1_000; n += burst) {
      send(burst);
      clock.advance(burst * 17);
    }
    return arrived.map(({ n, good }) => `${n}${good ? '' : '!'}`);
  };
  expect(fates(1, 1)).toEqual(fates(1, 100));
  expect(fates(1, 1)).not.toEqual(fates(2, 1));
});

test('a knob that is turned leaves the fates that others decide as they were', () => {
  const lost = (knobs: Impairment): number[] => {
    const { clock, arrived, send } = cable(knobs);
    send(500);
    clock.run(10_000_000);
    const seen = new Set(order(arrived));
    return ascending(500).filter((n) => !seen.has(n));
  };
  expect(lost({ loss: 0.2, duplicate: 0.3, delay: 5_000 })).toEqual(lost({ loss: 0.2 }));
});

test('loss, duplication and corruption are as frequent as asked, and every corrupted frame fails its FCS', () => {
  const { clock, wire, arrived, send } = cable({ loss: 0.02, duplicate: 0.01, corrupt: 0.05 });
  for (let i = 0; i < 200; i++) {
    send(100, 80);
    clock.advance(1);
  }
  const { verdicts } = wire;
  expect(Math.abs(verdicts.lost - 400)).toBeLessThan(80);
  expect(Math.abs(verdicts.duplicated - 196)).toBeLessThan(60);
  expect(Math.abs(verdicts.corrupted - 980)).toBeLessThan(130);
  expect(arrived).toHaveLength(20_000 - verdicts.lost + verdicts.duplicated);
  expect(arrived.filter(({ good }) => !good)).toHaveLength(verdicts.corrupted);
});

test('a delay holds every frame exactly that long, keeps order and lets as much through as without it', () => {
  const { clock, wire, arrived, send } = cable({ delay: 50_000 });
  // 20,000 frames of 1526 octets in 100 ms: 2.4 Gbit/s, 15 MB under way.
  for (let i = 0; i < 1_000; i++) {
    send(20);
    clock.advance(100);
  }
  expect(wire.held).toBeGreaterThan(9_000);
  clock.advance(50_000);
  expect(order(arrived)).toEqual(ascending(20_000));
  arrived.forEach(({ at, n }) => {
    expect(at - Math.floor((n - 1) / 20) * 100).toBe(50_000);
  });
  expect(clock.pending).toBe(0);
});

test.each(['uniform', 'normal', 'pareto'] as const)('%s jitter spreads arrivals around the delay', (distribution) => {
  const { clock, arrived, send } = cable({ delay: 20_000, jitter: 2_000, distribution });
  for (let i = 0; i < 2_000; i++) {
    send(1, 80);
    clock.advance(100);
  }
  clock.advance(100_000);
  const delays = arrived.map(({ at, n }) => at - (n - 1) * 100);
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
  expect(arrived).toHaveLength(2_000);
  expect(Math.abs(mean - 20_000)).toBeLessThan(300);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(distribution === 'normal' ? 12_000 : 18_000);
  expect(Math.max(...delays)).toBeGreaterThan(21_800);
  expect(order(arrived)).not.toEqual(ascending(2_000));
});

test('reordered frames overtake those that are delayed; gap says which may', () => {
  const { clock, wire, arrived, send } = cable({ delay: 10_000, reorder: 1, gap: 5 });
  send(20, 80);
  clock.advance(20_000);
  expect(order(arrived).slice(0, 4)).toEqual([5, 10, 15, 20]);
  expect(wire.verdicts.reordered).toBe(4);
  expect(arrived).toHaveLength(20);
});

test('a rate lets through what it says, and what its queue has no room for is lost and counted', () => {
  const { clock, wire, arrived, send } = cable({ rate: 10_000_000, limit: 100 });
  for (let i = 0; i < 1_000; i++) {
    send(2);
    clock.advance(1_000);
  }
  clock.advance(1_000_000);
  const seconds = (arrived.at(-1)!.at - arrived[0]!.at) / 1e6;
  const bitsPerSecond = (arrived.length * (1_526 + 12) * 8) / seconds;
  expect(Math.abs(bitsPerSecond - 10_000_000)).toBeLessThan(200_000);
  expect(wire.verdicts.overLimit).toBe(2_000 - arrived.length);
  expect(arrived.length).toBeGreaterThan(800);
});

test('packets longer than the wire’s MTU are lost', () => {
  const { clock, wire, arrived, send } = cable({ mtu: 1_000 });
  send(3, 1_026);
  send(3, 1_027);
  clock.advance(1);
  expect(arrived).toHaveLength(3);
  expect(wire.verdicts.tooLong).toBe(3);
});

test('a delay that is taken away holds nobody: those that wait go first, at once, and the last knob cleared costs nothing again', () => {
  const { clock, wire, arrived, send } = cable({ delay: 3_600_000_000 });
  send(3, 80);
  clock.advance(5_000);
  wire.set({});
  send(3, 80);
  clock.advance(0);
  expect(order(arrived)).toEqual([1, 2, 3, 4, 5, 6]);
  const passed = wire.verdicts.passed;
  send(3, 80);
  clock.advance(0);
  expect(arrived).toHaveLength(9);
  expect(wire.verdicts.passed).toBe(passed);
});

test('a delay that changes is that of the next frame; a longer one leaves those that wait as they were, a shorter one hurries them', () => {
  const { clock, wire, arrived, send } = cable({ delay: 10_000 });
  send(1, 80);
  clock.advance(1_000);
  wire.set({ delay: 50_000 });
  send(1, 80);
  clock.advance(2_000);
  wire.set({ delay: 20_000, loss: 0.000_001 });
  send(1, 80);
  clock.advance(100_000);
  expect(arrived.map(({ at, n }) => [n, at])).toEqual([
    [1, 10_000],
    [2, 23_000],
    [3, 23_000],
  ]);
});

test('a rate that changes is that of the frames that wait for it as well, and one that is taken away lets them all go', () => {
  const rate = (1_526 + 12) * 8 * 10;
  const { clock, wire, arrived, send } = cable({ rate, delay: 1_000 });
  send(20);
  clock.advance(250_000);
  expect(arrived).toHaveLength(2);
  wire.set({ rate: rate * 10, delay: 1_000 });
  clock.advance(100_000);
  // The third had half of itself to go: 5 ms; the others 10 ms each; and all the delay.
  expect(arrived.slice(2, 6).map(({ at }) => at)).toEqual([256_000, 266_000, 276_000, 286_000]);
  wire.set({ rate: rate / 1_000, delay: 1_000 });
  clock.advance(1_000_000);
  const before = arrived.length;
  expect(before).toBeLessThan(13);
  wire.set({});
  send(1);
  clock.advance(0);
  expect(order(arrived)).toEqual(ascending(21));
});

test('frames that wait on a wire that is unplugged are lost', () => {
  const { clock, wire, arrived, send } = cable({ delay: 10_000 });
  send(7, 80);
  clock.advance(5_000);
  (wire as ImpairedWire).unplug();
  wire.plug();
  clock.advance(20_000);
  expect(arrived).toHaveLength(0);
  expect(wire.verdicts.darkened).toBe(7);
  const { verdicts } = (wire as ImpairedWire).log.since(0);
  expect(verdicts.map(({ frame, time, verdict }) => [frame, time, verdict])).toEqual(
    Array.from({ length: 7 }, (_, n) => [n, 5_000, 'darkened']),
  );
  expect(verdictText(verdicts[0]!)).toBe('lost as it waited by loss of carrier');
  send(1, 80);
  clock.advance(10_000);
  expect(arrived).toHaveLength(1);
});

test('losses in bursts: Gilbert-Elliott’s share, and runs as long as 1/r, whatever the timing', () => {
  const loss = { p: 0.01, r: 0.25, bad: 1, good: 0 };
  const lostIn = (burst: number): number[] => {
    const { clock, arrived, send } = cable({ loss });
    for (let n = 0; n < 40_000; n += burst) {
      send(burst, 80);
      clock.advance(1);
    }
    const seen = new Set(order(arrived));
    return ascending(40_000).filter((n) => !seen.has(n));
  };
  const lost = lostIn(100);
  // In the long run p / (p + r) of the frames are in the bad state.
  expect(Math.abs(lost.length / 40_000 - 0.01 / 0.26)).toBeLessThan(0.008);
  const runs = lost.filter((n, i) => lost[i - 1] !== n - 1).length;
  expect(Math.abs(lost.length / runs - 4)).toBeLessThan(0.7);
  expect(lostIn(1_000)).toEqual(lost);
});

test('a burst model that is set in the middle of a run decides as if it had been there from the start', () => {
  const loss = { p: 0.02, r: 0.1, bad: 1, good: 0 };
  const lostFrom = (setAt: number): number[] => {
    const { clock, wire, arrived, send } = cable({});
    send(setAt, 80);
    wire.set({ loss });
    send(2_000 - setAt, 80);
    clock.advance(1);
    const seen = new Set(order(arrived));
    return ascending(2_000).filter((n) => !seen.has(n));
  };
  expect(lostFrom(1_000)).toEqual(lostFrom(0).filter((n) => n > 1_000));
  expect(lostFrom(1_000).length).toBeGreaterThan(50);
});

test('a frame has its number whether knobs were set before it or not', () => {
  const lostAfter = (before: Impairment): number[] => {
    const { clock, wire, arrived, send } = cable(before);
    send(100, 80);
    clock.advance(10);
    wire.set({});
    send(50, 80);
    clock.advance(10);
    wire.set({ loss: 0.3 });
    send(100, 80);
    clock.advance(10);
    const seen = new Set(order(arrived));
    expect(wire.taken).toBe(250);
    return ascending(250).filter((n) => n > 150 && !seen.has(n));
  };
  expect(lostAfter({ duplicate: 0.5 })).toEqual(lostAfter({}));
  expect(lostAfter({ mtu: 9_000 }).length).toBeGreaterThan(15);
});

test('jitter that keeps order delays frames but lets none overtake another', () => {
  const { clock, arrived, send } = cable({ delay: 20_000, jitter: 5_000, order: 'kept' });
  for (let i = 0; i < 500; i++) {
    send(1, 80);
    clock.advance(500);
  }
  clock.advance(100_000);
  expect(order(arrived)).toEqual(ascending(500));
  const delays = arrived.map(({ at, n }) => at - (n - 1) * 500);
  expect(Math.min(...delays)).toBeLessThan(19_000);
  expect(Math.max(...delays)).toBeGreaterThan(23_000);
});

test('the log says what was done to which frame and by which rule, and forgets the oldest', () => {
  const { clock, wire, arrived, send } = cable({ loss: 0.1 });
  send(1_000, 80);
  clock.advance(1);
  const { verdicts, missed } = wire.log.since(0);
  const seen = new Set(order(arrived));
  expect(verdicts.map(({ frame }) => frame + 1)).toEqual(ascending(1_000).filter((n) => !seen.has(n)));
  expect(verdicts[0]).toMatchObject({ sequence: 0, verdict: 'lost', rule: 'loss 10%' });
  expect(missed).toBe(0);
  for (let i = 0; i < 60; i++) {
    send(1_000, 80);
    clock.advance(1);
  }
  const later = wire.log.since(0);
  expect(later.verdicts).toHaveLength(4_096);
  expect(later.missed).toBe(wire.verdicts.lost - 4_096);
  expect(wire.log.since(later.next).verdicts).toEqual([]);
});

test('a cut darkens the far end alone, loses what is sent into it, and is mended', () => {
  const { clock, wire, far, arrived, send } = cable({});
  wire.setCut(true);
  expect([wire.carrier, far.carrier]).toEqual([true, false]);
  send(3, 80);
  clock.advance(1);
  expect(arrived).toHaveLength(0);
  expect(wire.counters.lostByCut).toBe(3);
  wire.setCut(false);
  expect(far.carrier).toBe(true);
  send(1, 80);
  clock.advance(1);
  expect(order(arrived)).toEqual([4]);
});
