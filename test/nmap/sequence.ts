/** The SEQ line: how initial sequence numbers, IP identifications and timestamps run (osscan2.cc: makeFP, get_ipid_sequence). */
import { IPV4, ipv4HeaderLength } from '../../shared/header/ipv4.ts';
import { TCP, TCP_OPTION, tcpHeaderLength } from '../../shared/header/tcp.ts';
import type { Answers } from './analyse.ts';
import type { SendTimes } from './probes.ts';

const hexOf = (n: number): string => n.toString(16).toUpperCase();
/** Above it the steps are divided by their common divisor before their spread is taken. */
const GCD_DIVIDES_FROM = 10;
const EIGHTHS = 8;

/** Kind, and where its value stands, of each option in turn. */
function* walkOptions(packet: DataView, tcp: number): Generator<{ kind: number; at: number }> {
  const end = tcp + tcpHeaderLength(packet, tcp);
  for (let at = tcp + TCP.SIZE; at < end; ) {
    const kind = packet.getUint8(at);
    yield { kind, at };
    if (kind === TCP_OPTION.EOL) return;
    at += kind === TCP_OPTION.NOP ? 1 : Math.max(2, packet.getUint8(at + 1));
  }
}

/** Options in nmap's letters: `M5B4ST11NW7`. */
export function optionsOf(packet: DataView, tcp: number): string {
  let text = '';
  for (const { kind, at } of walkOptions(packet, tcp)) {
    if (kind === TCP_OPTION.EOL) text += 'L';
    else if (kind === TCP_OPTION.NOP) text += 'N';
    else if (kind === TCP_OPTION.MSS) text += `M${hexOf(packet.getUint16(at + 2))}`;
    else if (kind === TCP_OPTION.WINDOW_SCALE) text += `W${hexOf(packet.getUint8(at + 2))}`;
    else if (kind === TCP_OPTION.SACK_PERMITTED) text += 'S';
    else if (kind === TCP_OPTION.TIMESTAMPS) {
      text += `T${packet.getUint32(at + 2) === 0 ? 0 : 1}${packet.getUint32(at + 6) === 0 ? 0 : 1}`;
    }
  }
  return text;
}

function timestampOf(packet: DataView): number | undefined {
  const tcp = ipv4HeaderLength(packet, 0);
  for (const { kind, at } of walkOptions(packet, tcp)) {
    if (kind === TCP_OPTION.TIMESTAMPS) return packet.getUint32(at + 2);
  }
  return undefined;
}

/** The way round the circle of 2^32 that is shorter. */
function distance(a: number, b: number): number {
  return Math.min((a - b) >>> 0, (b - a) >>> 0);
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

interface Sample {
  readonly at: number;
  readonly packet: DataView;
}

/** Difference by difference: of the values, and of the times in seconds. */
function steps(
  samples: readonly Sample[],
  numberOf: (packet: DataView) => number,
): { diff: number; seconds: number }[] {
  return samples.slice(1).map(({ at, packet }, i) => {
    const before = samples[i];
    if (before === undefined) return { diff: 0, seconds: 1 };
    return {
      diff: distance(numberOf(packet), numberOf(before.packet)),
      seconds: Math.max(1, at - before.at) / 1_000_000,
    };
  });
}

function isnFields(fields: Map<string, string>, samples: readonly Sample[]): void {
  const isnOf = (packet: DataView): number => packet.getUint32(ipv4HeaderLength(packet, 0) + TCP.SEQUENCE);
  const diffs = steps(samples, isnOf);
  const rates = diffs.map(({ diff, seconds }) => diff / seconds);
  const mean = rates.reduce((a, b) => a + b, 0) / rates.length;
  const divisor = diffs.reduce((so, { diff }) => gcd(so, diff), 0);
  const by = divisor >= GCD_DIVIDES_FROM ? divisor : 1;
  const squares = rates.reduce((sum, rate) => sum + ((rate - mean) / by) ** 2, 0);
  const spread = Math.sqrt(squares / Math.max(1, samples.length - 2));
  const eighths = (n: number): number => (n <= 1 ? 0 : Math.floor(Math.log2(n) * EIGHTHS + 0.5));
  fields.set('SP', hexOf(divisor === 0 ? 0 : eighths(spread)));
  fields.set('GCD', hexOf(divisor));
  fields.set('ISR', hexOf(divisor === 0 ? 0 : eighths(mean)));
}

/** The class of a series of IP identifications, or undefined when it has none. */
export function ipIdClass(packets: readonly DataView[]): string | undefined {
  const ids = packets.map((packet) => packet.getUint16(IPV4.ID));
  const diffs = ids.slice(1).map((id, i) => (id - (ids[i] ?? 0)) & 0xffff);
  if (ids.every((id) => id === 0)) return 'Z';
  if (ids.length > 2 && diffs.some((diff) => diff > 20_000)) return 'RD';
  if (diffs.every((diff) => diff === 0)) return hexOf(ids[0] ?? 0);
  if (diffs.some((diff) => diff > 1_000 && (diff % 256 !== 0 || diff >= 25_600))) return 'RI';
  if (diffs.every((diff) => diff % 256 === 0 && diff <= 5_120)) return 'BI';
  return diffs.every((diff) => diff < 10) ? 'I' : undefined;
}

/** How fast timestamps run: A is 1000 Hz, the rounded binary logarithm. */
function timestampClass(samples: readonly Sample[]): string | undefined {
  const stamps = samples.map(({ packet }) => timestampOf(packet));
  if (stamps.some((stamp) => stamp === undefined)) return 'U';
  if (stamps.some((stamp) => stamp === 0)) return '0';
  const diffs = steps(samples, (packet) => timestampOf(packet) ?? 0);
  const hertz = diffs.reduce((sum, { diff, seconds }) => sum + diff / seconds, 0) / diffs.length;
  if (hertz > 0 && hertz <= 5.66) return '1';
  if (hertz > 70 && hertz <= 150) return '7';
  if (hertz > 150 && hertz <= 350) return '8';
  return hertz === 0 ? undefined : hexOf(Math.max(0, Math.floor(0.5 + Math.log2(hertz))));
}

export function sequenceLine(answers: Answers, times: SendTimes): Map<string, string> {
  const fields = new Map<string, string>();
  const samples: Sample[] = [];
  for (const [i, at] of times.entries()) {
    const packet = answers.tcp.get(`SEQ${i + 1}`);
    if (packet !== undefined) samples.push({ at, packet });
  }
  if (samples.length >= 4) isnFields(fields, samples);
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined) fields.set(name, value);
  };
  const resets = ['T5', 'T6', 'T7'].flatMap((name) => answers.tcp.get(name) ?? []);
  const echoes = answers.echo.flatMap((packet) => packet ?? []);
  if (samples.length >= 3) set('TI', ipIdClass(samples.map(({ packet }) => packet)));
  if (resets.length >= 2) set('CI', ipIdClass(resets));
  if (echoes.length === 2) set('II', ipIdClass(echoes));
  if (samples.length >= 2) set('TS', timestampClass(samples));
  return fields;
}
