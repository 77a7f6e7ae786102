/**
 * Quantities with their units, in the words of tc-netem(8) and tc(8): `5ms`, `0.5%`, `100mbit`. A bare number has no
 * unit and is refused, so that nobody has to know whether 5 was seconds.
 */
import { MILLISECOND, type Micros, SECOND } from '../platform.ts';

/** A longer delay is a mistake, not a network. */
const DELAY_MAX: Micros = 3_600 * SECOND;
/** Bits per second; tc's own limit is far above, but nothing here is faster than this. */
const RATE_BITS_MAX = 1_000_000_000_000;

const DELAY_UNITS = new Map<string, number>([
  ...['us', 'usec', 'usecs'].map((unit) => [unit, 1] as const),
  ...['ms', 'msec', 'msecs'].map((unit) => [unit, MILLISECOND] as const),
  ...['s', 'sec', 'secs'].map((unit) => [unit, SECOND] as const),
]);

/** tc's: `mbit` are 10^6 bits, `mibit` 2^20, and `mbps` are 10^6 octets per second. */
const RATE_PREFIXES = ['', 'k', 'm', 'g', 't'];
const RATE_UNITS = new Map<string, number>(
  RATE_PREFIXES.flatMap((prefix, power) => [
    [`${prefix}bit`, 1_000 ** power] as const,
    [`${prefix}bps`, 8 * 1_000 ** power] as const,
    ...(power === 0
      ? []
      : [[`${prefix}ibit`, 1_024 ** power] as const, [`${prefix}ibps`, 8 * 1_024 ** power] as const]),
  ]),
);

export const DELAY_EXPECTED = 'a time such as 200us, 5ms or 1.5s, at most 3600s';
export const RATIO_EXPECTED = 'a percentage from 0% to 100%';
export const RATE_EXPECTED = 'a rate such as 56kbit, 10mbit or 1gbit';

/** A number as strtod(3) reads it, without sign: `5`, `0.5`, `.5`, `1e-3`. */
const NUMBER = '([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?';
/** For the JSON Schema. */
export const DELAY_PATTERN = `^(0|${NUMBER} ?([uUmM]?[sS]([eE][cC][sS]?)?))$`;
export const RATE_PATTERN = `^${NUMBER} ?([kKmMgGtT][iI]?)?[bB]([iI][tT]|[pP][sS])$`;
/** Without its ends, as more may follow. */
export const RATIO_PATTERN = `${NUMBER} ?%`;
const QUANTITY = new RegExp(`^(?<number>${NUMBER}) ?(?<unit>[a-z]+)$`, 'i');
const RATIO = new RegExp(`^(?<number>${NUMBER}) ?%$`);

/** `5ms` in microseconds; undefined for anything else. Nothing is nothing in any unit: `0`. */
export function parseDelay(text: string): Micros | undefined {
  if (text === '0') return 0;
  const value = quantity(text, DELAY_UNITS);
  return value === undefined || value > DELAY_MAX ? undefined : value;
}

/** `100mbit` in bits per second, at least 1. */
export function parseRate(text: string): number | undefined {
  const value = quantity(text, RATE_UNITS);
  return value === undefined || value < 1 || value > RATE_BITS_MAX ? undefined : value;
}

/** `0.5%` as a ratio from 0 to 1. */
export function parseRatio(text: string): number | undefined {
  if (text === '0') return 0;
  const match = RATIO.exec(text);
  if (match === null) return undefined;
  const percent = Number(match.groups?.['number']);
  return percent > 100 ? undefined : percent / 100;
}

/** A decimal whole number in a range; no signs, no exponents, no hexadecimal. */
export function parseWhole(text: string, min: number, max: number): number | undefined {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) return undefined;
  const value = Number(text);
  return value < min || value > max ? undefined : value;
}

function quantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const unit = units.get((match.groups?.['unit'] ?? '').toLowerCase());
  if (unit === undefined) return undefined;
  const value = Number(match.groups?.['number']) * unit;
  // Less than the clock can tell is not the same as nothing.
  return value > 0 && value < 0.5 ? undefined : Math.round(value);
}

/** Microseconds as a lab file says them: `200us`, `5ms`, `1.5s`. */
export function formatDelay(micros: Micros): string {
  if (micros >= SECOND && micros % 1_000 === 0) return `${micros / SECOND}s`;
  return micros >= MILLISECOND ? `${micros / MILLISECOND}ms` : `${micros}us`;
}

/** A ratio as a percentage: `0.5%`. */
export function formatRatio(ratio: number): string {
  return `${Number((ratio * 100).toPrecision(12))}%`;
}

/** Bits per second as a rate: `100mbit`. */
export function formatRate(bits: number): string {
  for (let power = RATE_PREFIXES.length - 1; power > 0; power--) {
    const scale = 1_000 ** power;
    if (bits >= scale && (bits * 1_000) % scale === 0) return `${bits / scale}${RATE_PREFIXES[power]}bit`;
  }
  return `${bits}bit`;
}
