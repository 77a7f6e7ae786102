/**
 * The soak as long as asked: WIRELAB_SOAK_MINUTES (10 when left out) of faults on processes and sixty times as much lab
 * time packed, from WIRELAB_SEED.
 */
import { expect, test } from 'vitest';
import { type LabOptions, lab } from 'wirelab';
import { SECOND } from '../../shared/platform.ts';
import { TEST_SEED } from '../kit/random.ts';
import { soak } from '../kit/soak.ts';
import { ringShape, type SoakShape, urlToPageShape } from '../kit/soak-labs.ts';

const MINUTES = Number(process.env['WIRELAB_SOAK_MINUTES'] ?? 10);
/** An hour of lab time at a time, so that a failing one is not too long to read. */
const PACKED_MINUTES = 60;

async function played(shape: SoakShape, minutes: number, seed: number, options: LabOptions): Promise<void> {
  await using net = await lab(shape.lab, { ...options, seed });
  const rounds = net.engine === 'packed' ? 2 : 1;
  const { problems, counts, grown } = await soak(net, shape, { seed, micros: minutes * 60 * SECOND, rounds });
  const memory = rounds > 1 ? `, ${Math.round(grown / 1e5) / 10} MB more after the second half` : '';
  console.log(`${shape.name} on ${net.engine}, seed ${seed}: ${JSON.stringify(counts)}${memory}`);
  expect(problems).toEqual([]);
}

for (const [name, shapeOf] of [
  ['url-to-page', urlToPageShape],
  ['a ring of switches', ringShape],
] as const) {
  test(`${MINUTES} minutes of faults on ${name}, on processes (seed ${TEST_SEED})`, async () => {
    await played(shapeOf(1_000_000), MINUTES, TEST_SEED, {});
  });
  test(`${MINUTES} hours of faults on ${name}, packed (from seed ${TEST_SEED} on)`, async () => {
    for (let i = 0; i < MINUTES; i++) {
      await played(shapeOf(100_000), PACKED_MINUTES, TEST_SEED + i, { engine: 'packed', clock: 'virtual' });
    }
  });
}
