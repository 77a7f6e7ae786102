/** MD5 against the test suite of RFC 1321 §A.5, and at the edges of its blocks. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { md5 } from '../../../shared/net/md5.ts';

const hex = (text: string): string => Buffer.from(md5(Buffer.from(text))).toString('hex');

test('the suite of the RFC', () => {
  expect(hex('')).toBe('d41d8cd98f00b204e9800998ecf8427e');
  expect(hex('a')).toBe('0cc175b9c0f1b6a831c399e269772661');
  expect(hex('abc')).toBe('900150983cd24fb0d6963f7d28e17f72');
  expect(hex('message digest')).toBe('f96b697d7cb7938d525a2f31aaf161d0');
  expect(hex('abcdefghijklmnopqrstuvwxyz')).toBe('c3fcd3d76192e4007dfb496cca67e13b');
});

test('lengths around a block agree with another implementation', () => {
  for (const length of [54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1_480]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 7) & 255);
    expect(Buffer.from(md5(bytes)).toString('hex'), `${length}`).toBe(createHash('md5').update(bytes).digest('hex'));
  }
});
