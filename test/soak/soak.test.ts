/** The short soak on processes, both labs at once, under two minutes: real time, real sockets, real signals. */
import { expect, test } from 'vitest';
import { lab } from 'wirelab';
import { SECOND } from '../../shared/platform.ts';
import { TEST_SEED } from '../kit/random.ts';
import { soak } from '../kit/soak.ts';
import { ringShape, type SoakShape, urlToPageShape } from '../kit/soak-labs.ts';

async function played(shape: SoakShape, micros: number): Promise<void> {
  await using net = await lab(shape.lab, { seed: TEST_SEED });
  const { problems, counts } = await soak(net, shape, { seed: TEST_SEED, micros });
  expect(problems).toEqual([]);
  expect(counts.faults).toBeGreaterThan(3);
  for (const what of ['transfers', 'names', 'connections'] as const) expect(counts[what].completed).toBeGreaterThan(0);
}

test.concurrent(`faults on url-to-page lose nothing and leave nothing behind (seed ${TEST_SEED})`, async () => {
  await played(urlToPageShape(300_000), 25 * SECOND);
});

test.concurrent(`faults on a ring of switches lose nothing and leave nothing behind (seed ${TEST_SEED})`, async () => {
  await played(ringShape(300_000), 25 * SECOND);
});
