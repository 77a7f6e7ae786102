/** What each queueing discipline takes on tc's command line, and how its settings and counters are written (iproute2 tc/q_*.c). */
import type { QdiscRecord } from '../net/netlink.ts';
import type { QdiscOptions } from '../net/qdisc.ts';
import { Failure } from './failure.ts';
import type { Words } from './ip-common.ts';
import { rateText, readCount, readRate, readSize, readTime, sizeText, timeText } from './tc-units.ts';

type Options = Record<string, number | boolean | string>;
type Read = (keyword: string, text: string) => number;

export interface TcKind {
  /** Keywords with one argument. */
  readonly values: ReadonlyMap<string, { readonly name: string; readonly read: Read }>;
  /** Keywords that stand alone. */
  readonly flags: ReadonlyMap<string, { readonly name: string; readonly value: boolean }>;
  /** After all words were read: what the kernel is asked. */
  finish?(options: Options): Options;
  text(record: QdiscRecord): string;
  statistics?(record: QdiscRecord): string[];
}

const value = (keyword: string, read: Read, name = keyword) => [keyword, { name, read }] as const;
const flag = (keyword: string, name: string, on: boolean) => [keyword, { name, value: on }] as const;
const number = (record: QdiscRecord, name: string): number => Number(record.options[name] ?? 0);
const count = (record: QdiscRecord, name: string): number => record.statistics[name] ?? 0;

const fifo = (unit: 'p' | 'b'): TcKind => ({
  values: new Map([value('limit', unit === 'b' ? readSize : readCount)]),
  flags: new Map(),
  text: (r) => `limit ${unit === 'p' ? `${number(r, 'limit')}p` : sizeText(number(r, 'limit'))} `,
});

const plain: TcKind = { values: new Map(), flags: new Map(), text: () => '' };

const FQ_NONE = 0xffff_ffff;

const fq: TcKind = {
  values: new Map([
    value('limit', readCount),
    value('flow_limit', readCount),
    value('quantum', readSize),
    value('initial_quantum', readSize),
    value('maxrate', readRate),
    value('low_rate_threshold', readRate),
    value('buckets', (keyword, text) => Math.floor(Math.log2(readCount(keyword, text)))),
    value('refill_delay', readTime),
    value('orphan_mask', readCount),
    value('ce_threshold', readTime),
    value('timer_slack', (keyword, text) => readTime(keyword, text) * 1_000),
    value('horizon', readTime),
  ]),
  flags: new Map([
    flag('pacing', 'pacing', true),
    flag('nopacing', 'pacing', false),
    flag('horizon_drop', 'horizon_drop', true),
    flag('horizon_cap', 'horizon_drop', false),
  ]),
  text(r) {
    const words = [
      `limit ${number(r, 'limit')}p flow_limit ${number(r, 'flow_limit')}p`,
      `buckets ${number(r, 'buckets')} orphan_mask ${number(r, 'orphan_mask')}`,
    ];
    if (r.options['pacing'] !== true) words.push('nopacing');
    words.push(`quantum ${sizeText(number(r, 'quantum'))} initial_quantum ${sizeText(number(r, 'initial_quantum'))}`);
    if (number(r, 'maxrate') !== FQ_NONE) words.push(`maxrate ${rateText(number(r, 'maxrate'))}`);
    words.push(`low_rate_threshold ${rateText(number(r, 'low_rate_threshold'))}`);
    words.push(`refill_delay ${timeText(number(r, 'refill_delay'))}`);
    if (number(r, 'ce_threshold') !== FQ_NONE) words.push(`ce_threshold ${timeText(number(r, 'ce_threshold'))}`);
    words.push(`timer_slack ${timeText(number(r, 'timer_slack') / 1_000)} horizon ${timeText(number(r, 'horizon'))}`);
    words.push(r.options['horizon_drop'] === true ? 'horizon_drop' : 'horizon_cap');
    return `${words.join(' ')} `;
  },
  statistics(r) {
    const delay = count(r, 'timeNextDelayedNanos');
    const flows = `  flows ${count(r, 'flows')} (inactive ${count(r, 'inactive')} throttled ${count(r, 'throttledFlows')})`;
    let second = `  gc ${count(r, 'gc')} highprio 0 throttled ${count(r, 'throttled')}`;
    if (count(r, 'unthrottleLatencyNanos') > 0) second += ` latency ${count(r, 'unthrottleLatencyNanos')}ns`;
    if (count(r, 'ceMark') > 0) second += ` ce_mark ${count(r, 'ceMark')}`;
    if (count(r, 'flowsPlimit') > 0) second += ` flows_plimit ${count(r, 'flowsPlimit')}`;
    const lines = [delay > 0 ? `${flows} next packet delay ${delay} ns` : flows, second];
    if (count(r, 'pktsTooLong') > 0) lines.push(`  too long pkts ${count(r, 'pktsTooLong')} alloc errors 0`);
    if (count(r, 'horizonDrops') + count(r, 'horizonCaps') > 0)
      lines.push(`  horizon_drops ${count(r, 'horizonDrops')} horizon_caps ${count(r, 'horizonCaps')}`);
    return lines;
  },
};

const fqCodel: TcKind = {
  values: new Map([
    value('limit', readCount),
    value('flows', readCount),
    value('quantum', readSize),
    value('target', readTime),
    value('ce_threshold', readTime),
    value('interval', readTime),
    value('memory_limit', readSize),
    value('drop_batch', readCount),
  ]),
  flags: new Map([flag('ecn', 'ecn', true), flag('noecn', 'ecn', false)]),
  text(r) {
    const words = [
      `limit ${number(r, 'limit')}p flows ${number(r, 'flows')} quantum ${number(r, 'quantum')}`,
      `target ${timeText(number(r, 'target'))}`,
    ];
    if (r.options['ce_threshold'] !== undefined) words.push(`ce_threshold ${timeText(number(r, 'ce_threshold'))}`);
    words.push(`interval ${timeText(number(r, 'interval'))} memory_limit ${sizeText(number(r, 'memory_limit'))}`);
    if (r.options['ecn'] === true) words.push('ecn');
    words.push(`drop_batch ${number(r, 'drop_batch')}`);
    return `${words.join(' ')} `;
  },
  statistics(r) {
    let first = `  maxpacket ${count(r, 'maxpacket')} drop_overlimit ${count(r, 'dropOverlimit')}`;
    first += ` new_flow_count ${count(r, 'newFlowCount')} ecn_mark ${count(r, 'ecnMark')}`;
    if (count(r, 'ceMark') > 0) first += ` ce_mark ${count(r, 'ceMark')}`;
    if (count(r, 'memoryUsed') > 0) first += ` memory_used ${count(r, 'memoryUsed')}`;
    if (count(r, 'dropOvermemory') > 0) first += ` drop_overmemory ${count(r, 'dropOvermemory')}`;
    return [first, `  new_flows_len ${count(r, 'newFlowsLength')} old_flows_len ${count(r, 'oldFlowsLength')}`];
  },
};

const tbf: TcKind = {
  values: new Map([
    value('rate', readRate),
    value('burst', readSize),
    value('buffer', readSize, 'burst'),
    value('maxburst', readSize, 'burst'),
    value('limit', readSize),
    value('latency', readTime),
  ]),
  flags: new Map(),
  finish({ latency, ...options }) {
    const { rate, burst } = options;
    if (typeof rate !== 'number') throw new Failure(1, 'Both "rate" and "burst" are required.');
    if (typeof burst !== 'number') throw new Failure(1, 'Both "rate" and "burst" are required.');
    if (options['limit'] !== undefined) return options;
    if (typeof latency !== 'number') throw new Failure(1, 'Either "limit" or "latency" is required.');
    return { ...options, limit: Math.floor((rate * latency) / 1e6) + burst };
  },
  text(r) {
    const latency = ((number(r, 'limit') - number(r, 'burst')) / number(r, 'rate')) * 1e6;
    const wait = latency >= 0 ? `lat ${timeText(latency)} ` : `limit ${sizeText(number(r, 'limit'))} `;
    return `rate ${rateText(number(r, 'rate'))} burst ${sizeText(number(r, 'burst'))} ${wait}`;
  },
};

const pfifoFast: TcKind = {
  ...plain,
  text: (r) => `bands ${number(r, 'bands')} priomap ${String(r.options['priomap'])} `,
};

export const TC_KINDS: ReadonlyMap<string, TcKind> = new Map([
  ['pfifo', fifo('p')],
  ['bfifo', fifo('b')],
  ['pfifo_fast', pfifoFast],
  ['noqueue', plain],
  ['noop', plain],
  ['fq', fq],
  ['fq_codel', fqCodel],
  ['tbf', tbf],
]);

/** The words behind the kind; undefined when there are none, so that the kernel's defaults stand. */
export function readOptions(kind: string, words: Words): QdiscOptions | undefined {
  const known = TC_KINDS.get(kind);
  if (words.done) return undefined;
  if (known === undefined)
    throw new Failure(1, `Unknown qdisc "${kind}", hence option "${words.peek() ?? ''}" is unparsable`);
  const options: Options = {};
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const taken = known.values.get(word);
    const alone = known.flags.get(word);
    if (taken !== undefined) options[taken.name] = taken.read(word, words.argument());
    else if (alone !== undefined) options[alone.name] = alone.value;
    else throw new Failure(1, `What is "${word}"?`);
  }
  return known.finish?.(options) ?? options;
}
