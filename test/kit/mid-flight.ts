/** How a test names what is still under way at its end; live.ts does what is due, and then wants to find nothing. */
import type { Host } from '../../shared/net/host.ts';
import type { SkBuffs } from '../../shared/net/skbuff.ts';
import type { ManualClock } from './clock.ts';

/** Kernels that made a packet since the last test; live.ts fills it, from once for all files of a worker. */
export const used = new Set<SkBuffs>();
/** Kernels whose power went: what lived in them went with it. */
export const gone = new WeakSet<SkBuffs>();
export const patched = { done: false };
export const stopping = new Map<Host, ManualClock>();
export const resting = new Set<ManualClock>();

/** The test that runs ends before this host has come to rest: it is shut down after it. */
export function stopsMidFlight(host: Host, clock: ManualClock): void {
  stopping.set(host, clock);
}

/** What runs on this clock needs a while to come to rest after the test: FINs, and questions that nobody answers. */
export function comesToRest(clock: ManualClock): void {
  resting.add(clock);
}
