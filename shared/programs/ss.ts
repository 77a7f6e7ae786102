/**
 * ss(8) of iproute2 6.1: TCP, UDP, raw and packet sockets of this host. Left out: unix, netlink, vsock and tipc sockets
 * (no device has any), -K, -E, -b, SELinux contexts.
 */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import type { SocketRecord } from '../net/netlink.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { Failure, program } from './failure.ts';
import { HostNames, protocolName, Services } from './names.ts';
import { getopt, type ParsedLine } from './options.ts';
import { readSocketFilter } from './ss-filter.ts';
import { listenerInfo, tcpInfoText, timerText } from './ss-info.ts';
import { ALL_STATES, CONNECTED, kernelState, shownState } from './ss-state.ts';
import { socketSummary } from './ss-summary.ts';
import { renderSockets, type SocketRow } from './ss-table.ts';

type Protocol = SocketRecord['protocol'];

const SS_USAGE = `Usage: ss [ OPTIONS ]
       ss [ OPTIONS ] [ FILTER ]
   -h, --help          this message
   -V, --version       output version information
   -n, --numeric       don't resolve service names
   -r, --resolve       resolve host names
   -a, --all           display all sockets
   -l, --listening     display listening sockets
   -o, --options       show timer information
   -e, --extended      show detailed socket information
   -m, --memory        show socket memory usage
   -p, --processes     show process using socket
   -i, --info          show internal TCP information
   -s, --summary       show socket usage summary

   -4, --ipv4          display only IP version 4 sockets
   -0, --packet        display PACKET sockets
   -t, --tcp           display only TCP sockets
   -u, --udp           display only UDP sockets
   -w, --raw           display only RAW sockets

   -H, --no-header     Suppress header line
   -O, --oneline       socket's data printed on a single line

   -A, --query=QUERY, --socket=QUERY
       QUERY := {all|inet|tcp|udp|raw|packet}[,QUERY]

       FILTER := [ state STATE-FILTER ] [ EXPRESSION ]
       STATE-FILTER := {all|connected|synchronized|bucket|big|TCP-STATES}
         TCP-STATES := {established|syn-sent|syn-recv|fin-wait-{1,2}|time-wait|closed|close-wait|last-ack|listening|closing}
`;

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  help: 'h',
  version: 'V',
  numeric: 'n',
  resolve: 'r',
  all: 'a',
  listening: 'l',
  options: 'o',
  extended: 'e',
  memory: 'm',
  processes: 'p',
  info: 'i',
  summary: 's',
  ipv4: '4',
  ipv6: '6',
  packet: '0',
  tcp: 't',
  udp: 'u',
  raw: 'w',
  unix: 'x',
  'no-header': 'H',
  oneline: 'O',
  family: 'f:',
  query: 'A:',
  socket: 'A:',
};

const QUERIES: Readonly<Record<string, readonly Protocol[]>> = {
  all: ['packet', 'raw', 'udp', 'tcp'],
  inet: ['raw', 'udp', 'tcp'],
  tcp: ['tcp'],
  udp: ['udp'],
  raw: ['raw'],
  packet: ['packet'],
  packet_raw: ['packet'],
  packet_dgram: ['packet'],
};

/** In the order in which ss lists them. */
const ORDER: readonly Protocol[] = ['packet', 'raw', 'udp', 'tcp'];

interface Show {
  readonly flags: ReadonlySet<string>;
  readonly protocols: ReadonlySet<Protocol>;
  /** A protocol was named, so that -4 does not have to choose. */
  readonly other: boolean;
}

export const ss = program(async (context) => {
  const { sys, argv } = context;
  const line = getopt(argv, 'haletuwxn0rspimoOHV46f:A:', LONG_OPTIONS, false);
  if (line.error !== undefined) throw new Failure(255, `${line.error}\n${SS_USAGE}`);
  const show = readShow(line);
  if (show.flags.has('h')) {
    await context.out(SS_USAGE);
    return 0;
  }
  if (show.flags.has('V')) {
    await context.out('ss utility, iproute2-6.1.0\n');
    return 0;
  }
  if (show.flags.has('s')) {
    await context.out(socketSummary(sys.netlink({ type: 'SOCK_DIAG' })));
    if (show.protocols.size === 0 && !show.other) return 0;
  }
  await listSockets(context, show, line.operands);
  return 0;
});

function readShow(line: ParsedLine): Show {
  const flags = new Set<string>();
  const protocols = new Set<Protocol>();
  let other = false;
  const letters: Readonly<Record<string, Protocol>> = { t: 'tcp', u: 'udp', w: 'raw', 0: 'packet' };
  for (const { name, value } of line.options) {
    const protocol = letters[name];
    if (protocol !== undefined) protocols.add(protocol);
    else if (name === 'x' || name === '6') other = true;
    else if (name === 'A') readQuery(value, protocols);
    else if (name === 'f') {
      if (value === 'inet') flags.add('4');
      else if (value === 'link') protocols.add('packet');
      else if (value === 'unix' || value === 'inet6' || value === 'netlink') other = true;
      else throw new Failure(255, `ss: "${value}" is invalid family`);
    } else flags.add(name);
  }
  if (flags.has('e')) flags.add('o');
  return { flags, protocols, other };
}

function readQuery(value: string, protocols: Set<Protocol>): void {
  for (const word of value.split(',')) {
    const named = QUERIES[word];
    if (named === undefined && !word.startsWith('unix')) {
      throw new Failure(255, `ss: "${word}" is illegal socket table id`);
    }
    for (const protocol of named ?? []) protocols.add(protocol);
  }
}

/** Which protocols, by the options: all of them when none was named. */
function wantedProtocols({ protocols, other, flags }: Show): ReadonlySet<Protocol> {
  if (protocols.size > 0 || other) return protocols;
  return new Set(flags.has('4') ? (QUERIES['inet'] ?? []) : (QUERIES['all'] ?? []));
}

function defaultStates({ flags }: Show, protocol: Protocol): ReadonlySet<string> {
  if (flags.has('a')) return ALL_STATES;
  if (flags.has('l')) return new Set(['LISTEN', 'CLOSE']);
  if (protocol === 'tcp') return CONNECTED;
  return new Set([protocol === 'packet' ? 'CLOSE' : 'ESTABLISHED']);
}

async function listSockets(context: ProgramContext, show: Show, operands: readonly string[]): Promise<void> {
  const { sys } = context;
  const services = new Services(sys);
  const filter = readSocketFilter(operands, services);
  const wanted = wantedProtocols(show);
  const states = new Set<string>();
  const records: SocketRecord[] = [];
  const all = sys.netlink({ type: 'SOCK_DIAG', protocols: ORDER.filter((protocol) => wanted.has(protocol)) });
  for (const protocol of ORDER) {
    if (!wanted.has(protocol)) continue;
    const allowed = filter.states ?? defaultStates(show, protocol);
    for (const state of allowed) states.add(state);
    const own = all.filter((one) => one.protocol === protocol && allowed.has(kernelState(one)) && filter.test(one));
    // Listeners have a table of their own, and it is read first.
    records.push(...own.filter((one) => one.state === 'LISTEN'), ...own.filter((one) => one.state !== 'LISTEN'));
  }
  const names = show.flags.has('r') ? new HostNames(sys) : undefined;
  const rows = records.map((record) => rowOf(record, show, services, names));
  const netid = wanted.size !== 1 || wanted.has('packet');
  await context.out(renderSockets(rows, { header: !show.flags.has('H'), netid, state: states.size !== 1 }));
}

const NETID: Readonly<Record<Protocol, string>> = { tcp: 'tcp', udp: 'udp', raw: 'raw', packet: 'p_raw' };

function rowOf(record: SocketRecord, show: Show, services: Services, names: HostNames | undefined): SocketRow {
  const numeric = show.flags.has('n') && !show.flags.has('r');
  const link = record.protocol === 'packet';
  const address = (value: Ipv4) => (link ? '*' : (names?.name(value) ?? formatIpv4(value)));
  const port = (value: number, local: boolean) => {
    if (link) return local ? '*' : '';
    if (record.protocol === 'raw')
      return local ? (numeric ? String(value) : (protocolName(value) ?? String(value))) : '*';
    if (value === 0) return '*';
    return numeric ? String(value) : (services.name(value, record.protocol) ?? String(value));
  };
  return {
    netid: NETID[record.protocol],
    state: shownState(kernelState(record)),
    receiveQueue: record.receiveQueue,
    sendQueue: record.sendQueue,
    localAddress: `${address(record.localAddress)}:`,
    localPort: port(record.localPort, true),
    peerAddress: link ? '*' : `${address(record.remoteAddress)}:`,
    peerPort: port(record.remotePort, false),
    extra: extraOf(record, show),
  };
}

function extraOf(record: SocketRecord, { flags }: Show): string {
  let text = '';
  if (flags.has('p') && record.pid > 0) {
    text += ` users:(("${record.processName}",pid=${record.pid},fd=${record.fd}))`;
  }
  if (flags.has('o') && record.timer !== undefined) {
    const { name, expires, retransmits } = record.timer;
    text += ` timer:(${name},${timerText(expires)},${retransmits})`;
  }
  if (flags.has('e')) text += ` ino:${record.inode} sk:${record.inode.toString(16)} <->`;
  const second = secondLine(record, flags);
  if (second === '') return text;
  return `${text}${flags.has('O') ? '' : '\n\t'}${second}`;
}

/** -m and -i. */
function secondLine(record: SocketRecord, flags: ReadonlySet<string>): string {
  let text = '';
  // A connection in TIME-WAIT has no buffers left.
  if (flags.has('m') && Object.keys(record.memory).length > 0) {
    const fields = [
      ['r', 'rmem_alloc'],
      ['rb', 'rcvbuf'],
      ['t', 'wmem_alloc'],
      ['tb', 'sndbuf'],
      ['f', 'fwd_alloc'],
      ['w', 'wmem_queued'],
      ['o', 'optmem'],
      ['bl', 'backlog'],
      ['d', 'drops'],
    ] as const;
    const memory = fields.map(([label, name]) => `${label}${record.memory[label] ?? record.memory[name] ?? 0}`);
    text += ` skmem:(${memory.join(',')})`;
  }
  if (flags.has('i') && record.info !== undefined)
    text += tcpInfoText(
      record.state === 'LISTEN' ? listenerInfo(record.info) : record.info,
      flags.has('o'),
      flags.has('n'),
    );
  return text;
}
