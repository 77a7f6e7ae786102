/** Replay scenarios of unbound and Deckard that lie beside the project: what both unbound and BIND pass must pass here. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { runRpl } from '../../kit/rpl.ts';
import { sharedData } from '../../kit/shared-data.ts';

const folder = sharedData('conformance/rpl');

interface Row {
  readonly tier: string;
  readonly file: string;
  readonly both: boolean;
  readonly title: string;
}

function rows(): Row[] {
  if (folder === undefined) return [];
  const lines = readFileSync(`${folder}/index.tsv`, 'utf8').trim().split('\n').slice(1);
  return lines.map((line) => {
    const [tier = '', file = '', , , , unbound, bind, title = ''] = line.split('\t');
    return { tier, file, both: unbound === 'pass' && bind === 'pass', title };
  });
}

/** How many pass at least; raise it with the resolver. Tier 2 wants features that are not here (prefetch, serve-stale). */
const TIER_1_MIN = 40;
const TIER_2_MIN = 24;

const styleOf = (file: string) => (file.startsWith('deckard/') ? 'deckard' : 'unbound') as 'deckard' | 'unbound';
const textOf = (row: Row) => readFileSync(`${folder}/tier${row.tier}/${row.file}`, 'latin1');

describe.skipIf(folder === undefined)('replayed scenarios (beside the project)', () => {
  const all = rows();
  test.each(all.filter((row) => row.both))('$file: $title', async (row) => {
    const result = await runRpl(textOf(row), styleOf(row.file));
    expect(`${result.verdict} ${result.why}`).toBe('pass ');
  });

  const count = new Map<string, number>();
  test('the others: counted, and no fewer than before', async () => {
    const report: string[] = [];
    for (const row of all) {
      const result = await runRpl(textOf(row), styleOf(row.file));
      const key = `tier ${row.tier} ${result.verdict}`;
      count.set(key, (count.get(key) ?? 0) + 1);
      report.push(
        `${row.tier} ${result.verdict} ${row.both ? 'GATE ' : ''}${row.file} ${result.why} [${result.undefinedQueries.slice(0, 4).join('; ')}]`,
      );
    }
    if (process.env['WIRELAB_RPL_REPORT'] !== undefined) console.log(report.join('\n'));
    expect(count.get('tier 1 pass') ?? 0).toBeGreaterThanOrEqual(TIER_1_MIN);
    expect(count.get('tier 2 pass') ?? 0).toBeGreaterThanOrEqual(TIER_2_MIN);
  });
  afterAll(() =>
    console.log(
      [...count]
        .sort()
        .map(([key, n]) => `${key}: ${n}`)
        .join(', '),
    ),
  );
});
