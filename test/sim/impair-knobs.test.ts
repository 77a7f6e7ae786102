/** One knob of one direction never touches another: random turns of all knobs at both ends while frames flow both ways. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CABLE } from '../../shared/header/ethernet.ts';
import { crc32 } from '../../shared/header/fcs.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { type ImpairedWire, impaired } from '../../shared/wire/impair.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import type { VerdictKind } from '../../shared/wire/verdict.ts';
import { platform } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';

const SECOND = 1_000_000;
const SEED = 42;

/** What both ends do for a while: frames out of each, after its knobs were turned; then time passes. */
interface Turn {
  readonly knobs: readonly [a: Impairment, b: Impairment];
  readonly frames: readonly [a: number, b: number];
  readonly pause: number;
}

interface Outcome {
  readonly fates: ReadonlyMap<VerdictKind, readonly number[]>;
  readonly sent: number;
  readonly arrived: number;
  readonly passed: number;
  readonly waiting: number;
}

const SIZES = [80, 600, 1_526];

function send(wire: ImpairedWire, n: number): void {
  const size = SIZES[n % SIZES.length]!;
  const batch = wire.reserve(size);
  const at = batch.append(size, 1, n, 0);
  batch.bytes.fill(n & 255, at, at + size);
  const end = at + size - CABLE.FCS;
  batch.view.setUint32(end, crc32(batch.bytes, at + 8, end), true);
}

/** `pick`: which of the knobs that the turns say are there at all. */
function play(turns: readonly Turn[], pick: (knobs: Impairment, end: number) => Impairment): Outcome[] {
  const clock = new ManualClock();
  const wires = memoryWire(clock, 'a:eth0', 'b:eth0').map((end) =>
    impaired(end, { clock, platform, seed: SEED, impairment: {} }),
  );
  const sent = [0, 0];
  const arrived = [0, 0];
  for (const [i, wire] of wires.entries()) {
    wire.attach({ onBatch: (batch) => void (arrived[1 - i]! += batch.count), onCarrier: () => {}, onReady: () => {} });
    wire.setPortUp(true);
  }
  for (const { knobs, frames, pause } of turns) {
    for (const [i, wire] of wires.entries()) {
      wire.set(pick(knobs[i]!, i));
      for (let n = 0; n < frames[i]!; n++) send(wire, sent[i]!++);
      wire.kick();
    }
    clock.advance(pause);
  }
  clock.advance(60 * SECOND);
  return wires.map((wire, i) => {
    const { verdicts } = wire.log.since(0);
    const kinds = new Set(verdicts.map(({ verdict }) => verdict));
    const framesOf = (kind: VerdictKind): number[] => [
      ...new Set(verdicts.flatMap(({ frame, verdict }) => (verdict === kind ? [frame] : []))),
    ];
    return {
      fates: new Map([...kinds].map((kind) => [kind, framesOf(kind)])),
      sent: sent[i]!,
      arrived: arrived[i]!,
      passed: wire.verdicts.passed,
      waiting: wire.waiting,
    };
  });
}

const only =
  (...words: (keyof Impairment)[]) =>
  (knobs: Impairment): Impairment =>
    Object.fromEntries(Object.entries(knobs).filter(([word]) => words.includes(word as keyof Impairment)));

/** Up, down to 0 and away again. */
const share = fc.constantFrom(undefined, 0, 0.1, 0.5, 1);
const knobs = fc
  .record({
    loss: fc.oneof(share, fc.constant({ p: 0.1, r: 0.3, bad: 1, good: 0 })),
    duplicate: share,
    corrupt: share,
    mtu: fc.constantFrom(undefined, 400, 1_500),
    delay: fc.constantFrom(undefined, 0, 3_000),
    jitter: fc.constantFrom(undefined, 0, 2_000),
    reorder: share,
    rate: fc.constantFrom(undefined, undefined, 10_000_000),
  })
  .map((values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Impairment);
const turn: fc.Arbitrary<Turn> = fc.record({
  knobs: fc.tuple(knobs, knobs),
  frames: fc.tuple(fc.nat(30), fc.nat(30)),
  pause: fc.constantFrom(0, 100, 5_000, 50_000),
});

test('which frames a knob takes is its own affair: the same alone and among all others, whatever the other end does', () => {
  fc.assert(
    fc.property(fc.array(turn, { minLength: 1, maxLength: 10 }), (turns) => {
      const all = play(turns, (values) => values);
      for (const [i, { fates, sent, arrived, passed, waiting }] of all.entries()) {
        const alone = (...words: (keyof Impairment)[]) => play(turns, only(...words))[i]!.fates;
        const has = (from: ReadonlyMap<VerdictKind, readonly number[]>, kind: VerdictKind) => from.get(kind) ?? [];
        const tooLong = has(alone('mtu'), 'too_long');
        expect(has(fates, 'too_long')).toEqual(tooLong);
        const lost = has(alone('loss'), 'lost').filter((n) => !tooLong.includes(n));
        expect(has(fates, 'lost')).toEqual(lost);
        const gone = new Set([...tooLong, ...lost]);
        const twice = has(alone('duplicate'), 'duplicated').filter((n) => !gone.has(n));
        expect(has(fates, 'duplicated')).toEqual(twice);
        const corrupted = has(alone('corrupt'), 'corrupted').filter((n) => !gone.has(n));
        const also = has(fates, 'corrupted').filter((n) => !corrupted.includes(n));
        expect(has(fates, 'corrupted').filter((n) => corrupted.includes(n))).toEqual(corrupted);
        // More than that only of the second of a duplicated frame.
        expect(also.filter((n) => !twice.includes(n))).toEqual([]);
        // Each frame that is not gone comes, and those that were sent twice do twice.
        expect({ arrived, passed, waiting }).toEqual({
          arrived: sent - gone.size + twice.length,
          passed: sent - gone.size + twice.length,
          waiting: 0,
        });
        // The other direction has nothing to do with it.
        const single = play(turns, (values, end) => (end === i ? values : {}))[i]!;
        expect([...single.fates]).toEqual([...fates]);
      }
    }),
    { numRuns: 25, seed: 7 },
  );
});
