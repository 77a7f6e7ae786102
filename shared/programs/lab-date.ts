/**
 * Dates for the few outputs that have one, from what clockRealtime() says. On a manual clock the lab comes up at the
 * beginning of 1970 UTC.
 */
import type { Micros } from '../platform.ts';

const DAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed'] as const;
const MONTHS = [
  ['Jan', 31],
  ['Feb', 28],
  ['Mar', 31],
  ['Apr', 30],
  ['May', 31],
  ['Jun', 30],
  ['Jul', 31],
  ['Aug', 31],
  ['Sep', 30],
  ['Oct', 31],
  ['Nov', 30],
  ['Dec', 31],
] as const;
const DAY_SECONDS = 86_400;
const two = (value: number) => String(value).padStart(2, '0');

interface CivilDate {
  readonly year: number;
  /** From 0. */
  readonly month: number;
  readonly day: number;
}

function civilDate(days: number): CivilDate {
  let left = days;
  let year = 1970;
  for (; ; year++) {
    const length = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 366 : 365;
    if (left < length) break;
    left -= length;
  }
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  for (let month = 0; month < MONTHS.length; month++) {
    const length = (MONTHS[month]?.[1] ?? 31) + (month === 1 && leap ? 1 : 0);
    if (left < length) return { year, month, day: left + 1 };
    left -= length;
  }
  return { year, month: 11, day: 31 };
}

/** `18:05:01`, of the day. */
export function labTimeOfDay(at: Micros): string {
  const seconds = Math.floor(at / 1_000_000) % DAY_SECONDS;
  return `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** ctime(3): `Thu Jan  1 00:00:05 1970`. */
export function labDate(at: Micros): string {
  const days = Math.floor(at / 1_000_000 / DAY_SECONDS);
  const { year, month, day } = civilDate(days);
  return `${DAYS[days % 7]} ${MONTHS[month]?.[0]} ${String(day).padStart(2)} ${labTimeOfDay(at)} ${year}`;
}

/** `1970-01-01`. */
export function labDay(at: Micros): string {
  const { year, month, day } = civilDate(Math.floor(at / 1_000_000 / DAY_SECONDS));
  return `${year}-${two(month + 1)}-${two(day)}`;
}

/** IMF-fixdate, RFC 9110 §5.6.7: `Thu, 01 Jan 1970 00:00:05 GMT`. */
export function httpDate(at: Micros): string {
  const days = Math.floor(at / 1_000_000 / DAY_SECONDS);
  const { year, month, day } = civilDate(days);
  return `${DAYS[days % 7]}, ${two(day)} ${MONTHS[month]?.[0]} ${year} ${labTimeOfDay(at)} GMT`;
}
