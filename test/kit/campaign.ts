/**
 * A campaign: so many frames made wrong, against one kind of device whose configuration changes meanwhile (turmoil.ts), in
 * rounds with a fresh device and a seed each, so that what goes wrong in the nine-millionth frame is repeated in a second:
 * the failure says the command.
 */
import type { Device } from '../../shared/device/device.ts';
import { DROP_REASONS, type DropReason } from '../../shared/net/drop.ts';
import { byItself, outOfReach } from './campaign-reach.ts';
import { type CampaignKind, sceneOf } from './campaign-scenes.ts';
import { DeviceFuzz } from './fuzz-device.ts';
import { type FedFrame, FuzzFailure } from './fuzz-scene.ts';
import { type Recording, recordUrlToPage } from './recorded.ts';
import { collectedMemory } from './soak-checks.ts';

/** Frames that one device is fed; then it must come to rest with nothing left, and the next is built. */
export const ROUND_FRAMES = 20_000;
/** What a failure shows of the frames before it. */
const SHOWN_FRAMES_MAX = 8;

export interface CampaignOptions {
  readonly kind: CampaignKind;
  readonly frames: number;
  /** Of the first round; the next has the next. */
  readonly seed: number;
  /** Something to find: for the test of the campaign itself. */
  readonly plant?: (device: Device) => void;
}

export interface CampaignReport extends CampaignOptions {
  /** A campaign with one ends there, by throwing. */
  readonly exceptions: 0;
  readonly drops: ReadonlyMap<DropReason, number>;
  /** Frames that devices sent. */
  readonly replies: number;
  /** After each round, when time had passed: held to 0. */
  readonly liveSkbs: number;
  /** States in which TCP connections were seen. */
  readonly states: ReadonlySet<string>;
  /** Growth of the heap from after the first round to after the last, collected. */
  readonly grownBytes: number;
  readonly seconds: number;
}

let recorded: Promise<Recording> | undefined;

export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const { kind, frames, seed, plant } = options;
  recorded ??= recordUrlToPage();
  const recording = await recorded;
  const began = performance.now();
  const drops = new Map<DropReason, number>();
  const states = new Set<string>();
  let replies = 0;
  let liveSkbs = 0;
  let heapFirst = 0;
  for (let fed = 0, round = 0; fed < frames; fed += ROUND_FRAMES, round++) {
    const one = { kind, seed: seed + round, frames: Math.min(ROUND_FRAMES, frames - fed), ...(plant && { plant }) };
    const fuzz = await oneRound(recording, one);
    for (const [reason, count] of fuzz.drops) drops.set(reason, (drops.get(reason) ?? 0) + count);
    for (const state of fuzz.states) states.add(state);
    replies += fuzz.replies;
    liveSkbs += fuzz.device.host.skbs.counters.live;
    if (round === 0) heapFirst = collectedMemory().heapUsed;
  }
  const seconds = (performance.now() - began) / 1_000;
  const grownBytes = Math.max(0, collectedMemory().heapUsed - heapFirst);
  return { ...options, exceptions: 0, drops, replies, liveSkbs, states, grownBytes, seconds };
}

async function oneRound(recording: Recording, { kind, seed, frames, plant }: CampaignOptions): Promise<DeviceFuzz> {
  const { device, ...scene } = { ...sceneOf(kind, seed), ...(plant && { made: plant }) };
  const make = (): DeviceFuzz => new DeviceFuzz({ recording, device, seed, frames, scene });
  const fuzz = make();
  try {
    await fuzz.prepare();
    await fuzz.run(frames);
    await fuzz.finish();
    return fuzz;
  } catch (error) {
    const last = error instanceof FuzzFailure ? error.batch.at(-1)?.number : undefined;
    const repeat = `CAMPAIGN=${kind}:${seed}:${last ?? frames} npx vitest run --project hostile -t 'one campaign again'`;
    const found = error instanceof FuzzFailure ? await guilty(error, make) : 'at the end, when all should be at rest';
    throw new Error(`${kind}, seed ${seed}: ${found}\nagain: ${repeat}`, { cause: error });
  }
}

/** The frame that does it on its own, to a device that has seen nothing else; or the batch, when none does. */
async function guilty(failure: FuzzFailure, make: () => DeviceFuzz): Promise<string> {
  for (const frame of failure.batch) if (await fails(make(), [frame])) return `frame ${shown(frame)}, that one alone`;
  const [first, last] = [failure.batch[0], failure.batch.at(-1)];
  const alone = (await fails(make(), failure.batch)) ? 'these alone' : 'after all those before';
  const list = failure.batch.slice(-SHOWN_FRAMES_MAX).map(shown).join('\n  ');
  return `frames ${first?.number} to ${last?.number}, ${alone}; the last of them:\n  ${list}`;
}

async function fails(fuzz: DeviceFuzz, frames: readonly FedFrame[]): Promise<boolean> {
  try {
    await fuzz.prepare();
    await fuzz.replay(frames);
    fuzz.device.stop();
    return false;
  } catch {
    return true;
  }
}

const shown = ({ number, port, bytes }: FedFrame): string =>
  `${number} into ${port}: ${Buffer.from(bytes).toString('hex')}`;

/** Reasons that the wire could have set off and did not, and those that it did though it cannot. */
export function reach({ kind, drops }: Pick<CampaignReport, 'kind' | 'drops'>): {
  readonly missed: readonly DropReason[];
  readonly unforeseen: readonly DropReason[];
} {
  const beyond = outOfReach(kind);
  const all = Object.keys(DROP_REASONS) as DropReason[];
  return {
    missed: all.filter((reason) => !drops.has(reason) && !beyond.has(reason)),
    unforeseen: all.filter((reason) => drops.has(reason) && beyond.has(reason) && !byItself(kind, reason)),
  };
}

/** One line of sums, then what was dropped, what was not and could have been, and what no wire can set off here. */
export function campaignText(report: CampaignReport): string {
  const { kind, frames, seed, replies, liveSkbs, grownBytes, seconds, drops, states } = report;
  const rows = [...drops]
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${String(count).padStart(9)} ${reason}`);
  const { missed } = reach(report);
  const beyond = new Map<string, DropReason[]>();
  for (const [reason, why] of outOfReach(kind)) beyond.set(why, [...(beyond.get(why) ?? []), reason]);
  const rate = Math.round(frames / seconds);
  return [
    `${kind}: ${frames} frames from seed ${seed}, 0 exceptions, ${replies} replies, ${liveSkbs} live skbs, heap +${Math.round(grownBytes / 1_000)} kB, ${rate} frames/s`,
    `  TCP states: ${[...states].sort().join(' ') || 'none'}`,
    `  ${drops.size} reasons:`,
    ...rows,
    `  not reached: ${missed.join(' ') || 'none'}`,
    ...[...beyond].map(([why, reasons]) => `  out of reach, as ${why}: ${reasons.join(' ')}`),
    '',
  ].join('\n');
}
