/**
 * The frame check sequence (IEEE 802.3 §3.2.9): CRC-32 of the frame from the target MAC on, sent lowest byte first.
 * This is the plain fallback; a device hands the NIC something faster through `Platform.crc32`, with the same answers.
 */
const TABLE = makeTable();

function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb8_8320 ^ (c >>> 1) : c >>> 1;
    table[n] = c >>> 0;
  }
  return table;
}

/** CRC-32 of bytes[start, end), an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  let c = 0xffff_ffff;
  for (let at = start; at < end; at++) c = TABLE[(c ^ bytes[at]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
