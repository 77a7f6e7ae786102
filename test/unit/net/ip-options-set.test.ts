import fc from 'fast-check';
import { expect, test } from 'vitest';
import { optionsGet, optionsUndo } from '../../../shared/net/ip-options-set.ts';
import { hex } from '../../kit/frames.ts';

const SEED = 9_293;

test(`whatever octets a program gives: refused, or told again as they were but for padding (seed ${SEED})`, () => {
  const some = fc.oneof(
    fc.uint8Array({ maxLength: 44 }),
    // Kinds that mean something, with lengths and pointers that nearly do.
    fc
      .array(
        fc.tuple(
          fc.constantFrom(1, 7, 68, 131, 137, 148),
          fc.integer({ min: 2, max: 12 }),
          fc.integer({ min: 3, max: 9 }),
        ),
        { maxLength: 4 },
      )
      .map((options) =>
        Uint8Array.from(options.flatMap(([kind, length, pointer]) => optionOf(kind, length, pointer))).slice(0, 44),
      ),
  );
  fc.assert(
    fc.property(some, (given) => {
      const before = given.slice();
      const options = optionsGet(given);
      expect(given).toEqual(before);
      if (options === 'EINVAL') return;
      const back = optionsUndo(options);
      expect(back.length % 4).toBe(0);
      expect(back.slice(0, given.length)).toEqual(given);
      expect(back.slice(given.length).every((octet) => octet === 0)).toBe(true);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

function optionOf(kind: number, length: number, pointer: number): number[] {
  if (kind === 1) return [1];
  return [kind, length, pointer, ...Array.from({ length: Math.max(0, length - 3) }, (_, i) => i)].slice(0, length);
}

test('the first hop of a source route is taken out, a record route’s next slot is claimed', () => {
  const route = optionsGet(hex('89 0b 04 0a000009 c6336407 00'));
  expect(route).toMatchObject({ firstHop: 0x0a00_0009, strict: true, sourceRoute: 0 });
  const record = optionsGet(hex('01 07 07 04 00000000'));
  expect(record).toMatchObject({ record: 1, bytes: hex('01 07 07 08 00000000') });
});
