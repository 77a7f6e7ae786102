/** Any text is a filter or a problem with a column; any filter says yes or no to any frame. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAC_BROADCAST } from '../../../shared/header/address.ts';
import { filterNames, parseFilter } from '../../../shared/header/display-filter.ts';
import { dissect } from '../../../shared/header/dissect.ts';
import { ip } from '../../kit/cable.ts';
import { anyFilter } from '../../kit/campaign-scenes.ts';
import { mutate } from '../../kit/mutate.ts';
import { TEST_SEED, testRandom } from '../../kit/random.ts';
import { recordUrlToPage } from '../../kit/recorded.ts';

const WORDS = [
  '&&',
  '||',
  '!',
  '(',
  ')',
  '{',
  '}',
  ',',
  '==',
  '!=',
  '<',
  '&',
  'in',
  'and',
  'not',
  'contains',
  'matches',
  '"',
  '"a"',
  '..',
  '80..90',
  '10.0.0.1/8',
  '::',
  '0x',
  '1e999',
  '-1',
  'tcp.flags.syn',
  'http.x',
  '\\',
];

test(`any text is a filter or a problem that names a column (seed ${TEST_SEED})`, () => {
  const word = fc.oneof(fc.constantFrom(...WORDS, ...filterNames), fc.string({ maxLength: 6 }));
  const any = fc.oneof(
    fc.array(word, { maxLength: 14 }).map((words) => words.join(' ')),
    fc.string({ maxLength: 60 }),
  );
  const frame = dissect(new Uint8Array(60));
  fc.assert(
    fc.property(any, (text) => {
      const parsed = parseFilter(text);
      if ('problem' in parsed) {
        expect(parsed.problem.column).toBeGreaterThanOrEqual(1);
        expect(parsed.problem.column).toBeLessThanOrEqual(text.length + 1);
        expect(parsed.problem.message).not.toBe('');
      } else expect(typeof parsed(frame, 60)).toBe('boolean');
    }),
    { numRuns: 4_000, seed: TEST_SEED },
  );
  for (const text of ['('.repeat(999), '!'.repeat(999), `${'('.repeat(400)}tcp${')'.repeat(400)}`, 'tcp&&'.repeat(199)])
    expect(parseFilter(text)).toHaveProperty('problem');
});

test(`any filter says yes or no to real frames made wrong (seed ${TEST_SEED})`, async () => {
  const random = testRandom('filters');
  const { frames } = await recordUrlToPage();
  const around = { macs: [MAC_BROADCAST], addresses: [ip('10.0.0.1')] };
  for (const frame of [...frames.values()].flat().slice(0, 1_500)) {
    const read = dissect(mutate(random, frame, around), { fcs: random.below(2) === 0 });
    for (let n = 0; n < 4; n++) expect(typeof anyFilter(random)(read, frame.length)).toBe('boolean');
  }
});
