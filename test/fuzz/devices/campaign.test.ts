/** A slice of the campaign against each kind of device: test/hostile has the million, test/long the ten. */
import { expect, test } from 'vitest';
import { campaign, campaignText } from '../../kit/campaign.ts';
import { CAMPAIGN_KINDS } from '../../kit/campaign-scenes.ts';
import { TEST_SEED } from '../../kit/random.ts';

const FRAMES = 8_000;

test.each(CAMPAIGN_KINDS)(
  `%s takes ${FRAMES} frames made wrong, and keeps nothing (seed ${TEST_SEED})`,
  async (kind) => {
    const report = await campaign({ kind, frames: FRAMES, seed: TEST_SEED });
    if (process.env['FUZZ_REPORT'] !== undefined) process.stdout.write(campaignText(report));
    expect(report.liveSkbs).toBe(0);
    expect(report.replies).toBeGreaterThan(FRAMES / 20);
    expect(report.drops.size).toBeGreaterThan(kind === 'switch' ? 5 : 20);
  },
);

test('a fault that one frame sets off is found, with the frame, the seed and the command that does it again', async () => {
  const VERSION = 14;
  const planted = campaign({
    kind: 'host',
    frames: FRAMES,
    seed: TEST_SEED,
    plant: ({ phys }) => {
      phys.get('eth0')!.tap = (direction, bytes, at) => {
        if (direction === 'in' && bytes[at + VERSION] === 0x65) throw new Error('planted');
      };
    },
  });
  const error = await planted.then(
    () => undefined,
    (thrown: Error) => thrown,
  );
  expect(error?.message).toMatch(
    /^host, seed \d+: frame \d+ into eth0: (55){7}d5[0-9a-f]{28}65[0-9a-f]+, that one alone\n/,
  );
  expect(error?.message).toMatch(
    /again: CAMPAIGN=host:\d+:\d+ npx vitest run --project hostile -t 'one campaign again'$/,
  );
  expect(error?.cause).toMatchObject({ message: 'planted' });
});
