/** The short soak, packed on virtual time. The same on processes: test/soak; as long as you like: test/long. */
import { expect, test } from 'vitest';
import { SECOND } from '../../shared/platform.ts';
import { TEST_SEED } from '../kit/random.ts';
import { soak } from '../kit/soak.ts';
import { ringShape, type SoakShape, urlToPageShape } from '../kit/soak-labs.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

async function played(shape: SoakShape, micros: number): Promise<void> {
  await using net = await virtualLab(shape.lab, { seed: TEST_SEED });
  const { problems, counts } = await soak(net, shape, { seed: TEST_SEED, micros });
  expect(problems).toEqual([]);
  expect(counts.faults).toBeGreaterThan(4);
  for (const what of ['transfers', 'names', 'connections'] as const) expect(counts[what].completed).toBeGreaterThan(0);
}

test(`faults on url-to-page lose nothing and leave nothing behind (seed ${TEST_SEED})`, async () => {
  await played(urlToPageShape(30_000), 20 * SECOND);
});

test(`faults on a ring of switches lose nothing and leave nothing behind (seed ${TEST_SEED})`, async () => {
  await played(ringShape(30_000), 20 * SECOND);
});
