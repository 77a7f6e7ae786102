/** ip tcp_metrics: show, delete, flush (iproute2 ip/tcp_metrics.c). Left out: get, and the `source` keyword. */
import { formatIpv4, networkOf } from '../header/address.ts';
import type { TcpMetricsRecord } from '../net/netlink.ts';
import { Failure } from './failure.ts';
import {
  choose,
  type Ip,
  type Prefix,
  parseAddress,
  parsePrefix,
  print,
  USAGE_STATUS,
  type Words,
} from './ip-common.ts';
import type { Json } from './json.ts';

const METRICS_USAGE = `Usage:	ip tcp_metrics/tcpmetrics { COMMAND | help }
	ip tcp_metrics { show | flush } SELECTOR
	ip tcp_metrics delete [ address ] ADDRESS
SELECTOR := [ [ address ] PREFIX ]
`;
/** In the order of printing; round trips come last. */
const METRICS = ['ssthresh', 'cwnd', 'reordering', 'rtt', 'rttvar'] as const;
const TIMES: readonly string[] = ['rtt', 'rttvar'];
const CHOICES = ['show', 'lst', 'list', 'delete', 'flush', 'help'] as const;

export async function ipTcpMetrics(ip: Ip, words: Words): Promise<number> {
  const word = words.next() ?? 'show';
  switch (choose(word, CHOICES)) {
    case 'show':
    case 'lst':
    case 'list':
      return show(ip, readSelector(words));
    case 'delete':
      return remove(ip, words);
    case 'flush':
      for (const { source, target } of chosen(ip, readSelector(words))) {
        ip.sys.netlink({ type: 'TCP_METRICS_DEL', source, target });
      }
      return 0;
    case 'help':
      throw new Failure(USAGE_STATUS, METRICS_USAGE);
    case undefined:
      throw new Failure(USAGE_STATUS, `Command "${word}" is unknown, try "ip tcp_metrics help".`);
  }
}

function readSelector(words: Words): Prefix {
  let selector: Prefix = { address: parseAddress('0.0.0.0'), prefix: 0 };
  for (let word = words.next(); word !== undefined; word = words.next()) {
    selector = parsePrefix(word === 'address' ? words.argument() : word);
  }
  return selector;
}

function chosen(ip: Ip, selector: Prefix): readonly TcpMetricsRecord[] {
  const { address, prefix } = selector;
  const records = ip.sys.netlink({ type: 'TCP_METRICS_GET' });
  return records.filter(({ target }) => networkOf(target, prefix) === networkOf(address, prefix));
}

function remove(ip: Ip, words: Words): number {
  const word = words.argument();
  const target = parseAddress(word === 'address' ? words.argument() : word);
  const found = chosen(ip, { address: target, prefix: 32 });
  if (found.length === 0) throw new Failure(2, 'RTNETLINK answers: No such process');
  for (const { source } of found) ip.sys.netlink({ type: 'TCP_METRICS_DEL', source, target });
  return 0;
}

/** `12.345`: seconds from microseconds. */
function seconds(micros: number): string {
  return (Math.floor(micros / 1_000) / 1_000).toFixed(3);
}

function line(record: TcpMetricsRecord): string {
  const parts = [formatIpv4(record.target), `age ${seconds(record.age)}sec`];
  for (const name of METRICS)
    if (record[name] > 0) parts.push(`${name} ${record[name]}${TIMES.includes(name) ? 'us' : ''}`);
  if (record.fastopenMss > 0) parts.push(`fo_mss ${record.fastopenMss}`);
  if (record.synDrops > 0) parts.push(`fo_syn_drops ${record.synDrops}/${seconds(record.synDropAge)}sec ago`);
  if (record.cookie !== '') parts.push(`fo_cookie ${record.cookie}`);
  parts.push(`source ${formatIpv4(record.source)}`);
  return `${parts.join(' ')}\n`;
}

function json(record: TcpMetricsRecord): Json {
  return {
    dst: formatIpv4(record.target),
    age: Number(seconds(record.age)),
    ...Object.fromEntries(METRICS.filter((name) => record[name] > 0).map((name) => [name, record[name]])),
    fo_mss: record.fastopenMss > 0 ? record.fastopenMss : undefined,
    fo_syn_drops: record.synDrops > 0 ? record.synDrops : undefined,
    fo_syn_drop_ts: record.synDrops > 0 ? Number(seconds(record.synDropAge)) : undefined,
    fo_cookie: record.cookie === '' ? undefined : record.cookie,
    source: formatIpv4(record.source),
  };
}

function show(ip: Ip, selector: Prefix): Promise<number> {
  const records = chosen(ip, selector);
  return print(
    ip,
    () => records.map(json),
    () => records.map(line).join(''),
  );
}
