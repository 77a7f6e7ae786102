/** Any text is a filter or a problem with a column; any filter says yes or no to any frame. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAC_BROADCAST, parseIpv4, parseMac } from '../../../shared/header/address.ts';
import { filterNames, parseFilter } from '../../../shared/header/display-filter.ts';
import { dissect } from '../../../shared/header/dissect.ts';
import { FILTER_FIELDS } from '../../../shared/header/filter-fields.ts';
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
  '[0:2]',
  '[',
  ']',
  '~',
  '===',
  'all',
  'any',
  'lower',
  'len(',
  "'a'",
  'r"\\."',
  '00:01',
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
      } else expect(typeof parsed(frame)).toBe('boolean');
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
    for (let n = 0; n < 4; n++) expect(typeof anyFilter(random)(read)).toBe('boolean');
  }
});

test('every field of a recorded lab is a name that a filter knows, and its value is of the kind that is said', async () => {
  const { frames } = await recordUrlToPage();
  const fields = [...frames.values()]
    .flat()
    .flatMap((frame) => dissect(frame, { fcs: false }).layers.flatMap((layer) => layer.fields));
  const strangers = fields.filter(({ name, value }) => {
    const kind = FILTER_FIELDS.get(name);
    if (kind === 'ipv4') return parseIpv4(String(value)) === undefined;
    if (kind === 'mac') return parseMac(String(value)) === undefined;
    return kind === 'text' ? typeof value !== 'string' : kind !== 'present' && typeof value !== 'number';
  });
  expect([...new Set(strangers.map(({ name }) => name).filter((name) => !name.startsWith('cable.')))]).toEqual([]);
  const shown = new Set(fields.map(({ name }) => name));
  // What this traffic has none of: FCS, errors of a rarer kind, options, headers that neither end sends.
  const rare = /^(eth\.fcs|frame\.|icmp\.(mtu|redir)|tcp\.(options\.(acc_ecn|sack$|unknown)|flags)|http\.|dns\.ptr)/;
  expect([...FILTER_FIELDS.keys()].filter((name) => !shown.has(name) && !rare.test(name))).toEqual([]);
});
