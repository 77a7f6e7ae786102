/** The ledger of processes under faults upon faults: crashes, restarts and plugs in the middle of batches. Packed: test/sim. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lab } from 'wirelab';
import { LIES_LAB, lies } from '../kit/ledger-lies.ts';
import { TEST_SEED } from '../kit/random.ts';
import { site } from '../kit/soak-labs.ts';

/** LEDGER_SEEDS says how many, from WIRELAB_SEED on. */
const SEEDS = Number(process.env['LEDGER_SEEDS'] ?? 1);

const folder = mkdtempSync(join(tmpdir(), 'wirelab-lies-'));
mkdirSync(join(folder, 'site'));
site(join(folder, 'site'), 2_000_000);
writeFileSync(join(folder, 'lab.yaml'), LIES_LAB);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(`${SEEDS} seeds of faults upon faults on processes, from ${TEST_SEED} on: no frame is unaccounted for`, async () => {
  for (let seed = TEST_SEED; seed < TEST_SEED + SEEDS; seed++) {
    await using net = await lab(folder, { seed });
    const { problems, log } = await lies(net, seed);
    if (problems.length > 0) process.stderr.write(`${log.join('\n')}\n`);
    expect(problems).toEqual([]);
  }
});
