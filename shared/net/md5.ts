/** MD5 (RFC 1321), for the signatures of RFC 2385 alone: nothing secret should rest on it. */

/** floor(2^32 * |sin(i + 1)|), as the RFC's table T. */
const SINES = Uint32Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
/** Rotations, four a round. */
const SHIFTS: readonly (readonly number[])[] = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
const BLOCK = 64;

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** Which word of the block a step takes, and what it mixes of the state. */
function step(i: number, b: number, c: number, d: number): readonly [number, number] {
  if (i < 16) return [(b & c) | (~b & d), i];
  if (i < 32) return [(d & b) | (~d & c), (5 * i + 1) & 15];
  if (i < 48) return [b ^ c ^ d, (3 * i + 5) & 15];
  return [c ^ (b | ~d), (7 * i) & 15];
}

function block(state: Uint32Array, view: DataView, at: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (let i = 0; i < 64; i++) {
    const [mixed, word] = step(i, b, c, d);
    const sum = (a + mixed + SINES[i]! + view.getUint32(at + 4 * word, true)) | 0;
    a = d;
    d = c;
    c = b;
    b = (b + rotate(sum, SHIFTS[i >> 4]![i & 3]!)) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}

/** The digest of `bytes`: 16 octets. */
export function md5(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, (bytes.length * 8) >>> 0, true);
  view.setUint32(padded.length - 4, Math.floor(bytes.length / 2 ** 29), true);
  const state = Uint32Array.of(0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476);
  for (let at = 0; at < padded.length; at += BLOCK) block(state, view, at);
  const digest = new Uint8Array(16);
  const out = new DataView(digest.buffer);
  for (const [i, word] of state.entries()) out.setUint32(4 * i, word, true);
  return digest;
}
