/**
 * HalfSipHash-2-4 (Aumasson and Bernstein) over 32-bit words: a keyed hash of 32 bits, for initial sequence numbers,
 * ports and the fates of frames. Linux uses SipHash with 64-bit words for the same; scripts have none.
 */

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** Keyed hash of whole words; an unsigned 32-bit number. */
export function halfSipHash(key0: number, key1: number, words: readonly number[]): number {
  let v0 = key0 | 0;
  let v1 = key1 | 0;
  let v2 = key0 ^ 0x6c79_6765;
  let v3 = key1 ^ 0x7465_6462;
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) | 0;
      v1 = rotate(v1, 5) ^ v0;
      v0 = rotate(v0, 16);
      v2 = (v2 + v3) | 0;
      v3 = rotate(v3, 8) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = rotate(v3, 7) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = rotate(v1, 13) ^ v2;
      v2 = rotate(v2, 16);
    }
  };
  for (const word of words) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  const last = (words.length * 4) << 24;
  v3 ^= last;
  rounds(2);
  v0 ^= last;
  v2 ^= 0xff;
  rounds(4);
  return (v1 ^ v3) >>> 0;
}
