/** Rates, sizes and times as tc(8) reads and writes them (iproute2 tc/tc_util.c, lib/utils_math.c). */
import { Failure } from './failure.ts';

/** Suffix of a rate -> octets a second; a bare number is bits a second. */
const RATES: ReadonlyMap<string, number> = new Map([
  ['', 1 / 8],
  ['bit', 1 / 8],
  ['kibit', 1_024 / 8],
  ['kbit', 1_000 / 8],
  ['mibit', 1_024 ** 2 / 8],
  ['mbit', 1e6 / 8],
  ['gibit', 1_024 ** 3 / 8],
  ['gbit', 1e9 / 8],
  ['bps', 1],
  ['kibps', 1_024],
  ['kbps', 1_000],
  ['mibps', 1_024 ** 2],
  ['mbps', 1e6],
  ['gbps', 1e9],
]);
const SIZES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1_024],
  ['kb', 1_024],
  ['m', 1_024 ** 2],
  ['mb', 1_024 ** 2],
  ['g', 1_024 ** 3],
  ['gb', 1_024 ** 3],
  ['kbit', 1_024 / 8],
  ['mbit', 1_024 ** 2 / 8],
]);
/** In microseconds; a bare number is microseconds. */
const TIMES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['us', 1],
  ['usec', 1],
  ['usecs', 1],
  ['ms', 1e3],
  ['msec', 1e3],
  ['msecs', 1e3],
  ['s', 1e6],
  ['sec', 1e6],
  ['secs', 1e6],
]);

function scaled(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const parts = /^([0-9]+(?:\.[0-9]*)?)([a-z]*)$/i.exec(text);
  const unit = parts === null ? undefined : units.get((parts[2] ?? '').toLowerCase());
  return unit === undefined ? undefined : Math.floor(Number(parts?.[1]) * unit);
}

function reader(units: ReadonlyMap<string, number>) {
  return (keyword: string, text: string): number => {
    const value = scaled(text, units);
    if (value === undefined) throw new Failure(1, `Illegal "${keyword}"`);
    return value;
  };
}

export const readRate = reader(RATES);
export const readSize = reader(SIZES);
export const readTime = reader(TIMES);
export function readCount(keyword: string, text: string): number {
  if (!/^[0-9]{1,10}$/.test(text)) throw new Failure(1, `Illegal "${keyword}"`);
  return Number(text);
}

/** `550Kbit`: a larger unit where it divides evenly, or from a thousand of it on (tc_print_rate). */
export function rateText(octets: number): string {
  let rate = octets * 8;
  let unit = 0;
  const units = ['', 'K', 'M', 'G', 'T'];
  while (unit < units.length - 1 && rate >= 1_000 && (rate % 1_000 === 0 || rate >= 1_000_000)) {
    rate /= 1_000;
    unit++;
  }
  return `${Math.floor(rate)}${units[unit]}bit`;
}

/** `32Kb`, `3028b` (print_size). */
export function sizeText(octets: number): string {
  const mega = 1_024 * 1_024;
  if (octets >= mega && Math.abs(mega * Math.round(octets / mega) - octets) < 1_024)
    return `${Math.round(octets / mega)}Mb`;
  if (octets >= 1_024 && Math.abs(1_024 * Math.round(octets / 1_024) - octets) < 16)
    return `${Math.round(octets / 1_024)}Kb`;
  return `${octets}b`;
}

/** `40ms`, `10us` (print_time). */
export function timeText(micros: number): string {
  if (micros >= 1e6) return `${Number((micros / 1e6).toPrecision(3))}s`;
  return micros >= 1e3 ? `${Number((micros / 1e3).toPrecision(3))}ms` : `${Math.floor(micros)}us`;
}
