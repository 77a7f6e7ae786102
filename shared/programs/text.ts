/** printf's corner of the programs: columns, C's number formats where JavaScript's differ, dates of lab time. */
import { formatTime } from '../header/dns-text-codes.ts';

export const left = (value: string | number, width: number): string => String(value).padEnd(width);
export const right = (value: string | number, width: number): string => String(value).padStart(width);

/** `%g` with the usual six significant digits. */
export function formatG(value: number, digits = 6): string {
  if (value === 0) return '0';
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < digits) return String(Number(value.toPrecision(digits)));
  const [mantissa = '', power = '0'] = value.toExponential(digits - 1).split('e');
  const sign = power.startsWith('-') ? '-' : '+';
  return `${Number(mantissa)}e${sign}${power.replace(/^[-+]/, '').padStart(2, '0')}`;
}

/** The lines of a file, without the newline; none for a file that is not there. */
export function linesOf(sys: { readFile(path: string): Uint8Array }, path: string): readonly string[] {
  try {
    return decodeText(sys.readFile(path)).split('\n');
  } catch {
    return [];
  }
}

export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const WEEKDAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Lab time as date(1) prints it. Lab time starts in 1970, when the lab came up. */
export function clockDate(now: number): string {
  const seconds = Math.floor(now / 1_000_000);
  const days = Math.floor(seconds / 86_400);
  const digits = formatTime(seconds);
  const time = `${digits.slice(8, 10)}:${digits.slice(10, 12)}:${digits.slice(12, 14)}`;
  const month = MONTHS[Number(digits.slice(4, 6)) - 1] ?? '';
  return `${WEEKDAYS[days % 7]} ${month} ${digits.slice(6, 8)} ${time} UTC ${digits.slice(0, 4)}`;
}
