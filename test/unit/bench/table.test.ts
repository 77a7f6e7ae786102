import { expect, test } from 'vitest';
import { atLeast, atMost, type Row } from '../../bench/harness.ts';
import { json, table, withTable } from '../../bench/table.ts';

const GOODPUT: Row = {
  name: 'goodput',
  unit: 'Gbit/s',
  ours: [2, 3, 4],
  against: 'vde_switch',
  theirs: [1, 1, 1],
  target: atLeast(2.5),
};
const MEMORY: Row = {
  name: 'memory',
  unit: 'MB',
  ours: [40, 41],
  against: 'bare node',
  theirs: [8, 9],
  target: atMost(25, 'difference'),
};
const SKIPPED: Row = { name: 'boot beside Mininet', why: 'needs root', failed: false };
const FAILED: Row = { name: 'growth', why: 'took longer than 3000 s', failed: true };

test('a line has both medians with their range, the ratio of the pairs, the target and whether it is met', () => {
  const [, , line] = table([GOODPUT]).split('\n');
  expect(line).toBe(
    '| goodput, Gbit/s | 3.00 (2.00 to 4.00) | vde_switch | 1.00 (1.00 to 1.00) | 3.00 (2.00 to 4.00) | at least 2.5 x | yes |',
  );
});

test('a planted wrong ratio shows in its line', () => {
  const planted = table([{ ...GOODPUT, ours: [2, 2.4, 4] }]);
  expect(planted).toContain('| 2.40 (2.00 to 4.00) | at least 2.5 x | **no** |');
  expect(table([MEMORY])).toContain('| at most 25 MB more | **no** |');
});

test('a row that was skipped or failed says why, and promises nothing', () => {
  const lines = table([SKIPPED, FAILED]).split('\n').slice(2);
  expect(lines).toEqual([
    '| boot beside Mininet | | | | skipped: needs root | | |',
    '| growth | | | | failed: took longer than 3000 s | | |',
  ]);
});

test('every line has as many cells as the head', () => {
  const lines = table([GOODPUT, MEMORY, SKIPPED, FAILED, { ...GOODPUT, target: atMost(1, 'value') }]).split('\n');
  expect(new Set(lines.map((line) => line.split('|').length))).toEqual(new Set([9]));
});

test('the JSON has every value, its pairs, and the verdict', () => {
  const { machine, figures } = JSON.parse(json([GOODPUT, SKIPPED], 'two cores'));
  expect(machine).toBe('two cores');
  expect(figures[0]).toMatchObject({
    ours: { median: 3, values: [2, 3, 4] },
    against: { name: 'vde_switch', values: [1, 1, 1] },
    ratio: { median: 3, min: 2, max: 4 },
    target: { limit: 2.5, judged: 3, met: true },
  });
  expect(figures[1]).toEqual(SKIPPED);
});

test('the table stands between its marks, whatever is in it; a document without marks takes none', () => {
  const document = 'a\n<!-- bench -->\nold\n<!-- /bench -->\nb';
  expect(withTable(document, '$1 & $& new')).toBe('a\n<!-- bench -->\n$1 & $& new\n<!-- /bench -->\nb');
  expect(withTable('a', 'new')).toBeUndefined();
});
