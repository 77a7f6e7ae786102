/** Values inside record data as text: times to live, RRSIG's times, NSEC's type bit maps. */
import { formatType, parseType } from './dns-type.ts';

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };
const TTL_SECONDS_MAX = 0xffff_ffff;

/** `300`, `1h30m`, `2W`: seconds; undefined for anything else. (BIND's extension of RFC 1035) */
export function parseTtl(text: string): number | undefined {
  let seconds = 0;
  if (/^[0-9]{1,10}$/.test(text)) {
    seconds = Number(text);
  } else {
    if (!/^([0-9]{1,10}[smhdw])+$/i.test(text)) return undefined;
    for (const [, count, unit] of text.toLowerCase().matchAll(/([0-9]+)([smhdw])/g)) {
      seconds += Number(count) * (UNIT_SECONDS[unit ?? 's'] ?? 1);
    }
  }
  return seconds <= TTL_SECONDS_MAX ? seconds : undefined;
}

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

function daysBefore(year: number): number {
  const y = year - 1;
  return 365 * (year - 1970) + (Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400)) - 477;
}

function dayOfYear(year: number, month: number, day: number): number {
  return (DAYS_BEFORE_MONTH[month - 1] ?? 0) + (month > 2 && isLeap(year) ? 1 : 0) + day - 1;
}

/** Seconds since 1970 as YYYYMMDDHHmmSS (RFC 4034 §3.2). */
export function formatTime(seconds: number): string {
  let days = Math.floor(seconds / 86_400);
  let year = 1970;
  while (days >= (isLeap(year) ? 366 : 365)) days -= isLeap(year++) ? 366 : 365;
  let month = 12;
  while (dayOfYear(year, month, 1) > days) month--;
  const rest = seconds % 86_400;
  const two = (n: number) => String(n).padStart(2, '0');
  const day = days - dayOfYear(year, month, 1) + 1;
  return `${year}${two(month)}${two(day)}${two(Math.floor(rest / 3_600))}${two(Math.floor(rest / 60) % 60)}${two(rest % 60)}`;
}

export function parseTime(text: string): number | undefined {
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  const match = /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})$/.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59)
    return undefined;
  return (daysBefore(year) + dayOfYear(year, month, day)) * 86_400 + hour * 3_600 + minute * 60 + second;
}

/** Type bit maps (RFC 4034 §4.1.2) as type names. */
export function formatBitmap(view: DataView, at: number, end: number): string {
  const names: string[] = [];
  while (at < end) {
    const window = view.getUint8(at);
    const size = view.getUint8(at + 1);
    for (let bit = 0; bit < size * 8; bit++) {
      if (view.getUint8(at + 2 + (bit >> 3)) & (0x80 >> (bit & 7))) names.push(formatType(window * 256 + bit));
    }
    at += 2 + size;
  }
  return names.join(' ');
}

export function parseBitmap(words: readonly string[]): Uint8Array | undefined {
  const windows = new Map<number, number[]>();
  for (const word of words) {
    const type = parseType(word);
    if (type === undefined) return undefined;
    const bits = windows.get(type >> 8) ?? [];
    const low = type & 255;
    while (bits.length <= low >> 3) bits.push(0);
    bits[low >> 3] = (bits[low >> 3] ?? 0) | (0x80 >> (low & 7));
    windows.set(type >> 8, bits);
  }
  const ordered = [...windows].sort(([a], [b]) => a - b);
  return Uint8Array.from(ordered.flatMap(([window, bits]) => [window, bits.length, ...bits]));
}
