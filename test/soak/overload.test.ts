/** An overloaded machine is slow, not lossy. With a hundred hosts: test/long/overload.test.ts. */
import { expect, test } from 'vitest';
import { lab } from 'wirelab';
import { overload } from '../kit/overload.ts';

test('while 30 hosts boot and files move, no carrier drops and no wire loses a frame', async () => {
  expect(await overload(lab, 30)).toEqual([]);
});
