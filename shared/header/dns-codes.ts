/** Octets as text: hex, base64, base32hex (RFC 4648), IPv6 addresses (RFC 4291, printed by RFC 5952). */

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const BASE32HEX = '0123456789ABCDEFGHIJKLMNOPQRSTUV';

export function formatHex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
}

/** Even number of hex digits, or undefined. */
export function parseHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

function formatBits(octets: Uint8Array, alphabet: string, bitsPerDigit: number): string {
  let text = '';
  let value = 0;
  let bits = 0;
  for (const octet of octets) {
    value = ((value << 8) | octet) & 0xffff;
    bits += 8;
    while (bits >= bitsPerDigit) {
      bits -= bitsPerDigit;
      text += alphabet.charAt((value >> bits) & (alphabet.length - 1));
    }
  }
  return bits === 0 ? text : text + alphabet.charAt((value << (bitsPerDigit - bits)) & (alphabet.length - 1));
}

function parseBits(text: string, alphabet: string, bitsPerDigit: number): Uint8Array | undefined {
  const octets: number[] = [];
  let value = 0;
  let bits = 0;
  for (const char of text) {
    const digit = alphabet.indexOf(char);
    if (digit < 0) return undefined;
    value = ((value << bitsPerDigit) | digit) & 0xffff;
    bits += bitsPerDigit;
    if (bits >= 8) {
      bits -= 8;
      octets.push((value >> bits) & 255);
    }
  }
  return bits < bitsPerDigit ? Uint8Array.from(octets) : undefined;
}

export function formatBase64(octets: Uint8Array): string {
  const text = formatBits(octets, BASE64, 6);
  return text + '='.repeat((4 - (text.length % 4)) % 4);
}

export function parseBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  return parseBits(text.replace(/={1,2}$/, ''), BASE64, 6);
}

/** Without padding, as NSEC3 writes it. */
export function formatBase32Hex(octets: Uint8Array): string {
  return formatBits(octets, BASE32HEX, 5);
}

export function parseBase32Hex(text: string): Uint8Array | undefined {
  return parseBits(text.toUpperCase(), BASE32HEX, 5);
}

/** Sixteen octets from `at`. The longest run of two or more zero groups becomes `::`. */
export function formatIpv6(view: DataView, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(at + 2 * i));
  let [runStart, runLength] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > runLength) [runStart, runLength] = [i, length];
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return runStart < 0 ? hex(0, 8) : `${hex(0, runStart)}::${hex(runStart + runLength, 8)}`;
}

export function parseIpv6(text: string): Uint8Array | undefined {
  const dotted = /^(.*:)([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(2).map(Number) as [number, number, number, number];
    if (Math.max(a, b, c, d) > 255) return undefined;
    text = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string | undefined) => (half === undefined || half === '' ? [] : half.split(':'));
  const [left, right] = [groupsOf(halves[0]), groupsOf(halves[1])];
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...left, ...Array.from({ length: missing }, () => '0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
  );
}
