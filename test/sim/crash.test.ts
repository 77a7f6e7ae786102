/** A device crashes at any moment: in a hello of its wires, in ARP, in a question, in a transfer. Its neighbours go on. */
import { expect, test } from 'vitest';
import { crashes } from '../kit/crash.ts';
import { TEST_SEED } from '../kit/random.ts';
import { ringShape } from '../kit/soak-labs.ts';
import { virtualLab } from '../kit/virtual-lab.ts';

const KILLS = 200;

test(`${KILLS} crashes at random moments: wires come back, neighbours go on, every frame is known (seed ${TEST_SEED})`, async () => {
  const shape = ringShape(20_000);
  await using net = await virtualLab(shape.lab, { seed: TEST_SEED });
  expect(await crashes(net, shape, { seed: TEST_SEED, kills: KILLS })).toEqual([]);
});
