/** shared/net/README.md names files and functions: they must be there. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const rows = readFileSync(new URL('shared/net/README.md', root), 'utf8')
  .split('\n')
  .filter((line) => /^\| [0-9]/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test.each(rows.map((cells) => [cells[3] ?? '', cells[4] ?? ''] as const))('%s has %s', (file, name) => {
  const source = readFileSync(new URL(`shared/${file}`, root), 'utf8');
  expect(source).toMatch(new RegExp(`(function|async|private|^ ) *${name}\\(`, 'm'));
});
