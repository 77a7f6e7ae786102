/**
 * The frame check sequence (IEEE 802.3 §3.2.9): CRC-32 of the frame from the target MAC on, sent lowest byte first.
 * Eight octets a step by eight tables ("slicing by 8", Kounavis and Berry): faster than a call into zlib for short frames;
 * for long ones a device hands the NIC something faster through `Platform.crc32`, with the same answers.
 */
const SLICES = 8;
const TABLES = makeTables();

/** TABLES[k * 256 + n]: what octet n does to the CRC when k octets follow it. */
function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb8_8320 ^ (c >>> 1) : c >>> 1;
    tables[n] = c;
  }
  for (let n = 0; n < 256; n++) {
    let c = tables[n]!;
    for (let k = 1; k < SLICES; k++) {
      c = tables[c & 255]! ^ (c >>> 8);
      tables[k * 256 + n] = c;
    }
  }
  return tables;
}

/** CRC-32 of bytes[start, end), an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  const t = TABLES;
  let c = -1;
  let at = start;
  const whole = start + ((end - start) & ~7);
  for (; at < whole; at += SLICES) {
    c ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    c =
      t[1792 + (c & 255)]! ^
      t[1536 + ((c >>> 8) & 255)]! ^
      t[1280 + ((c >>> 16) & 255)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < end; at++) c = t[(c ^ bytes[at]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
