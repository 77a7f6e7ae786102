/**
 * Cookies of TCP Fast Open (RFC 7413 §4.1.2): a server's proof that the client is where it says, eight octets of SipHash
 * over both addresses under a secret key, and an older key that is still good (Linux: tcp_fastopen_cookie_gen).
 */
import type { Ipv4 } from '../header/address.ts';
import { FASTOPEN_COOKIE_MAX, type TcpOptions } from '../header/tcp-options.ts';
import type { Random } from '../platform.ts';
import { siphash } from './siphash.ts';
import type { Sysctl } from './sysctl.ts';

/** TCP_FASTOPEN_KEY_LENGTH, and of two of them (TCP_FASTOPEN_KEY_BUF_LENGTH). */
export const FASTOPEN_KEY_BYTES = 16;
/** TCP_FASTOPEN_COOKIE_SIZE: of those that we make. */
export const FASTOPEN_COOKIE_BYTES = 8;

/** A cookie as it is kept and sent; length 0 asks for one, -1 is none (struct tcp_fastopen_cookie). */
export class FastopenCookie {
  length = -1;
  /** In the experimental option (kind 254). */
  exp = false;
  readonly value = new Uint8Array(FASTOPEN_COOKIE_MAX);

  set(other: FastopenCookie): void {
    this.length = other.length;
    this.exp = other.exp;
    this.value.set(other.value);
  }

  /** What a SYN or SYN-ACK brought. */
  take(o: TcpOptions): void {
    this.length = o.fastopenLength;
    this.exp = o.fastopenExp;
    this.value.set(o.fastopenCookie);
  }

  /** Into the options of a segment to send. */
  put(o: TcpOptions): void {
    o.fastopenLength = this.length;
    o.fastopenExp = this.exp;
    o.fastopenCookie.set(this.value);
  }
}

/** The keys of a host or of one listener: the first makes cookies, all are accepted. */
export class FastopenKeys {
  keys: readonly Uint8Array[] = [];

  /** 16 octets, or 32 for a key and its predecessor (tcp_fastopen_reset_cipher). */
  set(bytes: Uint8Array): void {
    this.keys = bytes.length > FASTOPEN_KEY_BYTES ? [bytes.slice(0, 16), bytes.slice(16, 32)] : [bytes.slice(0, 16)];
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.keys.flatMap((key) => [...key]));
  }

  /** A key by chance where none was set (tcp_fastopen_init_key_once). */
  initOnce(random: Random): void {
    if (this.keys.length > 0) return;
    this.keys = [Uint8Array.from({ length: FASTOPEN_KEY_BYTES }, () => random.below(256))];
  }
}

function make(key: Uint8Array, client: Ipv4, server: Ipv4): Uint8Array {
  const path = new Uint8Array(8);
  const view = new DataView(path.buffer);
  view.setUint32(0, client);
  view.setUint32(4, server);
  const hash = siphash(key, path);
  view.setBigUint64(0, hash, true);
  return path;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return b.every((octet, i) => a[i] === octet);
}

/**
 * What the first key makes goes into `valid`. Answers by which key `offered` is good, from 1; 0: by none.
 * (Linux: tcp_fastopen_cookie_gen_check)
 */
export function checkCookie(
  keys: FastopenKeys,
  ends: { readonly client: Ipv4; readonly server: Ipv4 },
  offered: FastopenCookie,
  valid: FastopenCookie,
): number {
  let answer = 0;
  for (const [i, key] of keys.keys.entries()) {
    const cookie = make(key, ends.client, ends.server);
    if (i === 0) {
      valid.value.set(cookie);
      valid.length = FASTOPEN_COOKIE_BYTES;
    }
    if (answer === 0 && offered.length === FASTOPEN_COOKIE_BYTES && same(offered.value, cookie)) answer = i + 1;
  }
  return answer;
}

function keyText(key: Uint8Array): string {
  const view = new DataView(key.buffer, key.byteOffset);
  return [0, 4, 8, 12].map((at) => view.getUint32(at, true).toString(16).padStart(8, '0')).join('-');
}

function keyOf(text: string): Uint8Array | undefined {
  const words = text.trim().split('-');
  if (words.length !== 4 || words.some((word) => !/^[0-9a-fA-F]{1,8}$/.test(word))) return undefined;
  const key = new Uint8Array(FASTOPEN_KEY_BYTES);
  const view = new DataView(key.buffer);
  for (const [i, word] of words.entries()) view.setUint32(4 * i, Number.parseInt(word, 16), true);
  return key;
}

/** net.ipv4.tcp_fastopen_key: `x-x-x-x`, or two of them and a comma (proc_tcp_fastopen_key). */
export function fastopenKeySysctl(sysctl: Sysctl): FastopenKeys {
  const keys = new FastopenKeys();
  sysctl.register('net.ipv4.tcp_fastopen_key', {
    read: () => {
      const known = keys.keys.length > 0 ? keys.keys : [new Uint8Array(FASTOPEN_KEY_BYTES)];
      return known.map(keyText).join(',');
    },
    write: (text) => {
      const parsed = text.trim().split(',').map(keyOf);
      const [first, second] = parsed;
      if (first === undefined || parsed.length > 2 || (parsed.length === 2 && second === undefined)) return 'EINVAL';
      keys.keys = second === undefined ? [first] : [first, second];
      return undefined;
    },
  });
  return keys;
}
