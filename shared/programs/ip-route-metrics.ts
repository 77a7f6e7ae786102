/** The metrics of a route as ip(8) reads and writes them: `mtu lock 1400 advmss 1360 rto_min 5ms` (iproute2 ip/iproute.c). */
import type { RouteMetric, RouteMetrics } from '../net/route-metrics.ts';
import { invalidArgument, matches, parseCount, type Words } from './ip-common.ts';
import type { Json } from './json.ts';

/** In the kernel's order, which is that of printing (mx_names). */
const ROUTE_METRICS: readonly RouteMetric[] = [
  'mtu',
  'window',
  'rtt',
  'rttvar',
  'ssthresh',
  'cwnd',
  'advmss',
  'reordering',
  'hoplimit',
  'initcwnd',
  'features',
  'rto_min',
  'initrwnd',
  'quickack',
  'congctl',
  'fastopen_no_cookie',
];
/** RTAX_FEATURE_ECN. */
const FEATURE_ECN = 1;
/** Those that iproute2 takes cut short; the others are written out. */
const SHORT: readonly RouteMetric[] = [
  'hoplimit',
  'advmss',
  'reordering',
  'rttvar',
  'window',
  'cwnd',
  'initcwnd',
  'initrwnd',
  'features',
  'quickack',
  'congctl',
  'ssthresh',
];
const TIMES: readonly RouteMetric[] = ['rtt', 'rttvar', 'rto_min'];
const FLAGS: readonly RouteMetric[] = ['quickack', 'fastopen_no_cookie'];
const MILLISECOND = 1_000;

type Mutable = { -readonly [K in keyof RouteMetrics]: RouteMetrics[K] };

function metricOf(word: string): RouteMetric | undefined {
  return ROUTE_METRICS.find((name) => name === word) ?? SHORT.find((name) => word.length > 2 && matches(word, name));
}

/** Read `word` and what belongs to it into `metrics`; false when it is no metric. */
export function readMetric(word: string, words: Words, metrics: Mutable): boolean {
  const name = metricOf(word);
  if (name === undefined) return false;
  // The shortest time-out is always locked.
  let locked = name === 'rto_min';
  if (words.peek() === 'lock' && !FLAGS.includes(name)) {
    words.next();
    locked = true;
  }
  const text = words.argument();
  if (name === 'congctl') metrics.congctl = text;
  else if (name === 'features') {
    if (text !== 'ecn') throw invalidArgument(text, '"features" value not valid');
    metrics.features = (metrics.features ?? 0) | FEATURE_ECN;
  } else if (TIMES.includes(name)) metrics[name] = readTime(text, name);
  else metrics[name] = parseCount(text, name);
  if (FLAGS.includes(name) && (metrics[name] as number) > 1)
    throw invalidArgument(text, `"${name}" value should be 0 or 1`);
  if (locked) metrics.locked = [...(metrics.locked ?? []), name];
  return true;
}

/** `200ms`, `1s`; a bare number is milliseconds. In microseconds. */
function readTime(text: string, name: string): number {
  const parts = /^([0-9]+(?:\.[0-9]+)?)(s|sec|secs|ms|msec|msecs)?$/.exec(text);
  if (parts === null) throw invalidArgument(text, `"${name}" value is invalid`);
  return Math.round(Number(parts[1]) * (parts[2]?.startsWith('s') === true ? 1_000 : 1)) * MILLISECOND;
}

function timeText(micros: number): string {
  const ms = Math.floor(micros / MILLISECOND);
  return ms >= 1_000 ? `${ms / 1_000}s` : `${ms}ms`;
}

function valueText(name: RouteMetric, metrics: RouteMetrics): string {
  if (name === 'congctl') return metrics.congctl ?? '';
  const value = metrics[name] ?? 0;
  if (name === 'features') return value === FEATURE_ECN ? 'ecn' : `0x${value.toString(16)}`;
  return TIMES.includes(name) ? timeText(value) : String(value);
}

/** In the kernel's order, each with its lock. */
export function metricWords(metrics: RouteMetrics | undefined): string[] {
  if (metrics === undefined) return [];
  return ROUTE_METRICS.filter((name) => metrics[name] !== undefined).flatMap((name) => [
    name,
    ...(metrics.locked?.includes(name) === true ? ['lock'] : []),
    valueText(name, metrics),
  ]);
}

/** One record in a list, as iproute2's JSON has it. */
export function metricsJson(metrics: RouteMetrics | undefined): Json | undefined {
  const names = metrics === undefined ? [] : ROUTE_METRICS.filter((name) => metrics[name] !== undefined);
  if (metrics === undefined || names.length === 0) return undefined;
  return [Object.fromEntries(names.map((name) => [name, metrics[name] as string | number]))];
}
