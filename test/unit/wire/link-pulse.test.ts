import { expect, test } from 'vitest';
import { seededRandom } from '../../../shared/device/random.ts';
import { LinkPulse } from '../../../shared/wire/link-pulse.ts';

const random = seededRandom(20);
const chance = (): number => random.u32() / 2 ** 32;

interface Loop {
  /** How late a timer of ours fires at most. */
  readonly lateMs?: number;
  /** From when on, and for how long, our own process stands still. */
  readonly sleeps?: readonly { readonly at: number; readonly ms: number }[];
}

/** Pulses of the far end until it freezes, each `jitterMs` late at most; when we notice. */
function noticed(frozenAt: number, phase: number, loop: Loop = {}, jitterMs = 5): number {
  const pulse = new LinkPulse(0);
  let arrives = phase;
  for (let now = 0; now < frozenAt + 20_000; ) {
    let at = Math.max(now, pulse.next) + chance() * (loop.lateMs ?? 1);
    for (const { at: from, ms } of loop.sleeps ?? []) if (at >= from && at < from + ms) at = from + ms;
    for (; arrives <= Math.min(at, frozenAt); arrives += 1_000 + chance() * jitterMs) pulse.heard(arrives);
    now = at;
    pulse.look(now);
    if (pulse.dark) return now;
  }
  return Number.POSITIVE_INFINITY;
}

test('a far end that freezes at any phase is dark after 2.5 to 3.6 s, also while timers are 100 ms late', () => {
  for (let go = 0; go < 2_000; go++) {
    const frozenAt = 5_000 + chance() * 2_000;
    const took = noticed(frozenAt, chance() * 1_000, { lateMs: 100 }) - frozenAt;
    expect(took).toBeGreaterThan(2_400);
    expect(took).toBeLessThan(3_600);
  }
});

test('a far end whose pulses come is never dark, be we late or asleep for as long as we like', () => {
  for (let go = 0; go < 200; go++) {
    const sleeps = [{ at: 3_000 + chance() * 2_000, ms: chance() * 10_000 }];
    const pulse = new LinkPulse(0);
    // Its pulses of the time that we slept through come right after the look: timers are before the socket's octets.
    for (let now = 0, arrives = chance() * 1_000; now < 30_000; ) {
      now = Math.max(now, pulse.next) + chance() * 50;
      for (const { at, ms } of sleeps) if (now >= at && now < at + ms) now = at + ms;
      pulse.look(now);
      expect(pulse.dark).toBe(false);
      for (; arrives <= now; arrives += 1_000) pulse.heard(now);
    }
  }
});

test('a look that was late does not count: a far end that froze while we slept is dark later by as much', () => {
  const took = noticed(6_000, 0, { sleeps: [{ at: 6_500, ms: 2_000 }] }) - 6_000;
  expect(took).toBeGreaterThan(3_500 + 1_000);
  expect(took).toBeLessThan(3_500 + 3_000);
});

test('one that says nothing for ten seconds is dead, and a pulse brings it back', () => {
  const pulse = new LinkPulse(0);
  let sent = 0;
  while (!pulse.dead && pulse.next < 20_000) if (pulse.look(pulse.next)) sent++;
  expect(sent).toBe(10);
  expect([pulse.dark, pulse.dead]).toEqual([true, true]);
  pulse.heard(10_500);
  expect([pulse.dark, pulse.dead]).toEqual([false, false]);
});

/** Two ends that hear each other at once, from any phase: how often they wake for it, and how far apart their pulses are. */
function together(phase: number): { readonly wakes: number; readonly gapMs: number } {
  const ends = [new LinkPulse(0), new LinkPulse(phase)] as const;
  const sent = [0, phase];
  let wakes = 0;
  let gapMs = 0;
  for (let now = phase; now < 100_000; ) {
    const who = ends[0].next <= ends[1].next ? 0 : 1;
    now = Math.max(now, ends[who].next) + chance();
    wakes++;
    for (let from = who, due = ends[who].look(now); due; ) {
      gapMs = Math.max(gapMs, now - (sent[from] ?? 0));
      sent[from] = now;
      from = 1 - from;
      due = ends[from]?.heard(now) ?? false;
    }
  }
  return { wakes, gapMs };
}

test('two ends answer each other: they wake once a second, not twice, and no pulse comes later for it than after 1.1 s', () => {
  for (let go = 0; go < 200; go++) {
    const { wakes, gapMs } = together(chance() * 1_000);
    expect(wakes).toBeLessThan(110);
    expect(gapMs).toBeLessThan(1_100);
  }
});

test('pulses that come without end are answered twice a second at most', () => {
  const pulse = new LinkPulse(0);
  let answers = 0;
  for (let now = 0; now < 10_000; now += 1) if (pulse.heard(now)) answers++;
  expect(answers).toBeLessThan(20);
});
