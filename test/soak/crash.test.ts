/** A handful of crashes of processes at random moments; hundreds of them, packed: test/sim/crash.test.ts. */
import { expect, test } from 'vitest';
import { lab } from 'wirelab';
import { crashes } from '../kit/crash.ts';
import { TEST_SEED } from '../kit/random.ts';
import { ringShape } from '../kit/soak-labs.ts';

const KILLS = 6;

test(`${KILLS} processes killed at random moments: wires are dialled anew, neighbours go on (seed ${TEST_SEED})`, async () => {
  const shape = ringShape(300_000);
  await using net = await lab(shape.lab, { seed: TEST_SEED });
  expect(await crashes(net, shape, { seed: TEST_SEED, kills: KILLS })).toEqual([]);
});
