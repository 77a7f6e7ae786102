import { expect, test } from 'vitest';
import { download, leftovers, NOTHING_LEFT, pattern, runUntil, tcpPair } from '../kit/tcp-pair.ts';

test('2 MB cross a good wire byte for byte, and nothing is left behind', () => {
  const pair = tcpPair();
  const bytes = pattern(2_000_000, 1);
  const run = download(pair, bytes);
  expect(runUntil(pair.clock, () => run.sink()?.end !== 'open' && run.sink() !== undefined, 60_000_000)).toBe(true);
  const sink = run.sink();
  expect(sink?.end).toBe('end');
  expect(Buffer.concat(sink?.parts ?? []).equals(bytes)).toBe(true);
  pair.clock.advance(70_000_000);
  expect(leftovers(pair.alice)).toEqual(NOTHING_LEFT);
  expect(leftovers(pair.bob)).toEqual(NOTHING_LEFT);
});
