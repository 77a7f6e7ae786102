/**
 * SipHash-2-4 (Aumasson and Bernstein): a keyed hash of 64 bits, as Linux's siphash(). Only where its very value shows
 * outside, as in the cookies of Fast Open; what only has to be unguessable takes the platform's shorter hash.
 */

const MASK = 0xffff_ffff_ffff_ffffn;

function rotate(x: bigint, by: bigint): bigint {
  return ((x << by) | (x >> (64n - by))) & MASK;
}

/** The state of four words that rounds mix. */
type State = [bigint, bigint, bigint, bigint];

function rounds(v: State, count: number): void {
  for (let i = 0; i < count; i++) {
    v[0] = (v[0] + v[1]) & MASK;
    v[1] = rotate(v[1], 13n) ^ v[0];
    v[0] = rotate(v[0], 32n);
    v[2] = (v[2] + v[3]) & MASK;
    v[3] = rotate(v[3], 16n) ^ v[2];
    v[0] = (v[0] + v[3]) & MASK;
    v[3] = rotate(v[3], 21n) ^ v[0];
    v[2] = (v[2] + v[1]) & MASK;
    v[1] = rotate(v[1], 17n) ^ v[2];
    v[2] = rotate(v[2], 32n);
  }
}

/** Up to eight octets from `at` as a little-endian number; what is beyond the end counts as 0. */
function word(bytes: Uint8Array, at: number): bigint {
  let value = 0n;
  for (let i = 7; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return value;
}

/** Hash of `bytes` under a key of 16 octets. */
export function siphash(key: Uint8Array, bytes: Uint8Array): bigint {
  const [k0, k1] = [word(key, 0), word(key, 8)];
  const v: State = [
    k0 ^ 0x736f_6d65_7073_6575n,
    k1 ^ 0x646f_7261_6e64_6f6dn,
    k0 ^ 0x6c79_6765_6e65_7261n,
    k1 ^ 0x7465_6462_7974_6573n,
  ];
  const mix = (m: bigint): void => {
    v[3] ^= m;
    rounds(v, 2);
    v[0] ^= m;
  };
  const whole = bytes.length - (bytes.length % 8);
  for (let at = 0; at < whole; at += 8) mix(word(bytes, at));
  mix(word(bytes, whole) | (BigInt(bytes.length & 255) << 56n));
  v[2] ^= 0xffn;
  rounds(v, 4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
