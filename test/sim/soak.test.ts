/** The short soak, packed on virtual time. The same on processes: test/soak; as long as you like: test/long. */
import { expect, test } from 'vitest';
import type { Net } from '../../services/lab/index.ts';
import type { LabNet } from '../../services/lab/net/net.ts';
import type { PackedDriver } from '../../services/lab/net/packed.ts';
import { SECOND } from '../../shared/platform.ts';
import { TEST_SEED } from '../kit/random.ts';
import { soak } from '../kit/soak.ts';
import { armedTimers } from '../kit/soak-checks.ts';
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

test('a kernel timer that goes on in a lab at rest is found, by its device and function', async () => {
  await using net = await virtualLab('two-hosts', { seed: TEST_SEED });
  await net.host('alice').exec('curl', '-sS', 'http://10.0.0.2/');
  await net.wait.time('300s');
  expect(await armedTimers(net)).toBe('');
  const { packed } = (net as LabNet).driver as PackedDriver;
  const planted = packed.device('bob').host.softTimer('tcp_write_timer', () => {});
  planted.arm(3_600 * SECOND);
  expect(await armedTimers(net)).toBe('bob: tcp_write_timer');
  planted.stop();
  expect(await armedTimers(net)).toBe('');
});

test('what each program leaves in memory is found after a second round at rest', async () => {
  const shape = ringShape(30_000);
  await using net = await virtualLab(shape.lab, { seed: TEST_SEED });
  const kept: string[][] = [];
  const leaky = new Proxy(net, {
    get: (target, name: keyof Net) => {
      const value: unknown = target[name];
      // A fifth of a megabyte for each look at a host.
      if (name === 'host') kept.push(Array.from({ length: 5_000 }, (_, i) => `${kept.length} ${i}`));
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const { problems } = await soak(leaky, shape, { seed: TEST_SEED, micros: 2 * SECOND, rounds: 2 });
  expect(problems).toEqual([expect.stringMatching(/^at rest \d+ MB more are held than after the first round$/)]);
});
