/** An overloaded machine is slow, not lossy: on two cores a hundred processes come up beside a lab that moves files. */
import { expect, test } from 'vitest';
import { lab } from 'wirelab';
import { overload } from '../kit/overload.ts';

test('while 100 hosts boot and files move, no carrier drops and no wire loses a frame', async () => {
  expect(await overload(lab, 100)).toEqual([]);
});
