/**
 * Wait for a promise while the clock is moved: real turns of the event loop (which Node's streams need) between instants
 * of lab time. Programs under test block by promise, so a clock alone brings nothing to an end.
 */
import { type Micros, SECOND } from '../../shared/platform.ts';
import type { ManualClock } from './clock.ts';

/** What a test waits for at most, in lab time. */
const WAIT_MAX: Micros = 600 * SECOND;

export async function runWith<T>(clock: ManualClock, promise: Promise<T>, max: Micros = WAIT_MAX): Promise<T> {
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  promise.then(end, end);
  const came = await clock.until(() => ended, max);
  if (!came) throw new Error(`nothing left that would end it, at ${clock.now()} µs of lab time`);
  return promise;
}
