/** test/hostile's campaign with ten million frames, or CAMPAIGN_FRAMES. WIRELAB_SEED moves its seeds. */
import { expect, test } from 'vitest';
import { campaign, campaignText, reach } from '../kit/campaign.ts';
import { CAMPAIGN_KINDS } from '../kit/campaign-scenes.ts';
import { TEST_SEED } from '../kit/random.ts';

const FRAMES = Number(process.env['CAMPAIGN_FRAMES'] ?? 10_000_000) / CAMPAIGN_KINDS.length;
/** Seeds of its own: the million of CI is not run again. */
const SEED = TEST_SEED * 1_000_000;
/** A round of 20,000 leaves some 0.7 MB: a host that something of Node's keeps after its programs were killed. */
const GROWN_BYTES_MAX = 100_000_000;
/** Of the drop reasons that a wire can set off. */
const MISSED_MAX = 6;

test.each(CAMPAIGN_KINDS)(`%s takes ${FRAMES} frames made wrong without an exception (seed ${SEED})`, async (kind) => {
  const report = await campaign({ kind, frames: FRAMES, seed: SEED });
  process.stdout.write(campaignText(report));
  expect(report.liveSkbs).toBe(0);
  expect(report.grownBytes).toBeLessThan(GROWN_BYTES_MAX);
  const { missed, unforeseen } = reach(report);
  expect(unforeseen, 'reasons that no wire can set off here').toEqual([]);
  expect(missed.length, `not reached: ${missed}`).toBeLessThanOrEqual(MISSED_MAX);
});
