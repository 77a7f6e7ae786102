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
  ['us', 1],
  ['ms', MILLISECOND],
  ['s', SECOND],
]);

const RATE_UNITS = new Map<string, number>([
  ['bit', 1],
  ['kbit', 1_000],
  ['mbit', 1_000_000],
  ['gbit', 1_000_000_000],
]);

export const DELAY_EXPECTED = 'a time such as 200us, 5ms or 1.5s, at most 3600s';
export const RATIO_EXPECTED = 'a percentage from 0% to 100%';
export const RATE_EXPECTED = 'a rate such as 56kbit, 10mbit or 1gbit';

const QUANTITY = /^([0-9]+(?:\.[0-9]+)?) ?([a-z]+)$/i;

/** `5ms` in microseconds; undefined for anything else. */
export function parseDelay(text: string): Micros | undefined {
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
  const match = /^([0-9]+(?:\.[0-9]+)?) ?%$/.exec(text);
  if (match === null) return undefined;
  const percent = Number(match[1]);
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
  const unit = units.get((match[2] ?? '').toLowerCase());
  return unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
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
  for (const [unit, scale] of [...RATE_UNITS].reverse()) {
    if (bits >= scale && (bits * 1_000) % scale === 0) return `${bits / scale}${unit}`;
  }
  return `${bits}bit`;
}
