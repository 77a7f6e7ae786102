/** The cookies that Linux makes: the same keys and addresses give the same octets. */
import { expect, test } from 'vitest';
import { Sysctl } from '../../../shared/net/sysctl.ts';
import {
  checkCookie,
  FastopenCookie,
  type FastopenKeys,
  fastopenKeySysctl,
} from '../../../shared/net/tcp-fastopen-cookie.ts';
import { ip } from '../../kit/cable.ts';

function keysFrom(text: string): { keys: FastopenKeys; sysctl: Sysctl } {
  const sysctl = new Sysctl();
  const keys = fastopenKeySysctl(sysctl);
  expect(sysctl.set('net.ipv4.tcp_fastopen_key', text)).toBeUndefined();
  return { keys, sysctl };
}

function cookie(keys: FastopenKeys, client: string, server: string): string {
  const valid = new FastopenCookie();
  checkCookie(keys, { client: ip(client), server: ip(server) }, new FastopenCookie(), valid);
  return Buffer.from(valid.value.subarray(0, valid.length)).toString('hex');
}

test('eight octets of SipHash over client and server, words of the key little-endian', () => {
  const { keys } = keysFrom('a0bf63f7-ed803d81-cd641d30-cebc4a90');
  expect(cookie(keys, '10.248.0.2', '192.168.0.2')).toBe('00abaaabe8e954c2');
  expect(cookie(keys, '10.248.0.3', '192.168.0.2')).toBe('1313a2da994a0951');
});

test('a second key is still good for cookies that were given out under it', () => {
  const { keys, sysctl } = keysFrom('1-2-3-4,a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4');
  expect(sysctl.getText('net.ipv4.tcp_fastopen_key')).toBe(
    '00000001-00000002-00000003-00000004,a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4',
  );
  const ends = { client: ip('192.0.2.1'), server: ip('192.168.0.1') };
  const offered = new FastopenCookie();
  offered.length = 8;
  offered.value.set(Buffer.from('3021b9d889017eeb', 'hex'));
  const valid = new FastopenCookie();
  expect(checkCookie(keys, ends, offered, valid)).toBe(2);
  expect(checkCookie(keys, ends, valid, valid)).toBe(1);
  offered.value[0]! ^= 1;
  expect(checkCookie(keys, ends, offered, valid)).toBe(0);
});

test('text that is no key is refused', () => {
  const { sysctl } = keysFrom('0-0-0-0');
  for (const bad of [
    '',
    'x',
    '1-2-3',
    '1-2-3-4-5',
    '1-2-3-4,',
    '1-2-3-4,5',
    '123456789-0-0-0',
    '1-1-1-1,2-2-2-2,3-3-3-3',
  ]) {
    expect(sysctl.set('net.ipv4.tcp_fastopen_key', bad)).toBe('EINVAL');
  }
});
