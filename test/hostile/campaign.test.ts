/**
 * A million frames made wrong, through every kind of device, while its configuration changes; CAMPAIGN_FRAMES says how many in all, WIRELAB_SEED where the
 * seeds begin. `CAMPAIGN=KIND:SEED:FRAMES … -t 'one campaign again'` repeats one round.
 */
import { expect, test } from 'vitest';
import { campaign, campaignText, reach } from '../kit/campaign.ts';
import { CAMPAIGN_KINDS, type CampaignKind } from '../kit/campaign-scenes.ts';
import { TEST_SEED } from '../kit/random.ts';

const FRAMES = Number(process.env['CAMPAIGN_FRAMES'] ?? 1_000_000) / CAMPAIGN_KINDS.length;
const GROWN_BYTES_MAX = 30_000_000;
/** Reasons that a wire can set off and a tenth of a million does not: about ten, by chance others each time. */
const MISSED_MAX = 24;
const again = process.env['CAMPAIGN']?.split(':');

test.skipIf(again !== undefined).each(CAMPAIGN_KINDS)(
  `%s takes ${FRAMES} frames made wrong without an exception (seed ${TEST_SEED})`,
  async (kind) => {
    const report = await campaign({ kind, frames: FRAMES, seed: TEST_SEED * 1_000 });
    process.stdout.write(campaignText(report));
    expect(report.liveSkbs).toBe(0);
    expect(report.grownBytes).toBeLessThan(GROWN_BYTES_MAX);
    const { missed, unforeseen } = reach(report);
    expect(unforeseen, 'reasons that no wire can set off here').toEqual([]);
    expect(missed.length, `not reached: ${missed}`).toBeLessThanOrEqual(MISSED_MAX);
  },
);

if (again !== undefined) {
  test('one campaign again', async () => {
    const [kind, seed, frames] = again;
    const report = await campaign({ kind: kind as CampaignKind, seed: Number(seed), frames: Number(frames) });
    process.stdout.write(campaignText(report));
  });
}
