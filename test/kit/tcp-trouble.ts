/** Downloads over a wire that loses, doubles, delays and reorders: run in the simulation for some seeds, and for many in test/long. */
import { expect } from 'vitest';
import { platform } from './cards.ts';
import { auditHost } from './tcp-audit.ts';
import { download, leftovers, NOTHING_LEFT, pattern, runUntil, tcpPair, timersLeft } from './tcp-pair.ts';

const DOWNLOAD_BYTES = 2_000_000;
/** With 2 % loss both ways CUBIC makes 2 MB in some ten seconds. */
const PATIENCE = 600_000_000;
/** TIME-WAIT, and the last time-outs of an orphan. */
const AFTERWARDS = 200_000_000;

/** One seed of the download: 2 % loss, 1 % duplicates, 5 ms, 2 % reordered, in both directions. Returns lab seconds. */
export function troubledDownload(seed: number): number {
  const pair = tcpPair((clock, direction) => ({
    clock,
    platform,
    seed: seed * 2 + direction,
    impairment: { delay: 5_000, jitter: 300, loss: 0.02, duplicate: 0.01, reorder: 0.02 },
  }));
  const start = pair.clock.now();
  const bytes = pattern(DOWNLOAD_BYTES, seed);
  const run = download(pair, bytes);
  const over = (): boolean => {
    expect([...auditHost(pair.alice), ...auditHost(pair.bob)], `seed ${seed} at ${pair.clock.now()}`).toEqual([]);
    return run.sink() !== undefined && run.sink()?.end !== 'open';
  };
  expect(runUntil(pair.clock, over, PATIENCE), `seed ${seed} comes to its end`).toBe(true);
  const took = pair.clock.now() - start;
  const sink = run.sink();
  expect(sink?.end, `seed ${seed}`).toBe('end');
  expect(Buffer.concat(sink?.parts ?? []).equals(bytes), `seed ${seed}: every byte`).toBe(true);
  pair.clock.advance(AFTERWARDS);
  expect([leftovers(pair.alice), leftovers(pair.bob)], `seed ${seed}: nothing left`).toEqual([
    NOTHING_LEFT,
    NOTHING_LEFT,
  ]);
  expect(timersLeft(pair.clock, [pair.alice, pair.bob], AFTERWARDS), `seed ${seed}: armed timers`).toBe(0);
  return took / 1_000_000;
}
