/** SipHash-2-4 against the vectors of its authors: the key 00 01 … 0f, the message 00 01 … of each length. */
import { expect, test } from 'vitest';
import { siphash } from '../../../shared/net/siphash.ts';

const count = (n: number): Uint8Array => Uint8Array.from({ length: n }, (_, i) => i);

test('messages of 0, 1, 7, 8, 15 and 63 octets hash as in the reference vectors', () => {
  const hex = (n: number) => siphash(count(16), count(n)).toString(16).padStart(16, '0');
  expect([0, 1, 7, 8, 15, 63].map(hex)).toEqual([
    '726fdb47dd0e0e31',
    '74f839c593dc67fd',
    'ab0200f58b01d137',
    '93f5f5799a932462',
    'a129ca6149be45e5',
    '958a324ceb064572',
  ]);
});
