/** netstat(8) of net-tools 2.10: sockets, routes (-r), interfaces (-i), counters (-s). Left out: -g, -M, -c, unix sockets. */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import type { LinkRecord, SocketRecord } from '../net/netlink.ts';
import type { ProgramContext } from '../net/syscalls.ts';
import { Failure, program } from './failure.ts';
import { HostNames, protocolName, Services } from './names.ts';
import { snmpText } from './netstat-statistics.ts';
import { getopt } from './options.ts';
import { routeTable } from './route-table.ts';
import { kernelState } from './ss-state.ts';
import { left, right } from './text.ts';

const NETSTAT_USAGE = `usage: netstat [-vWeenNcCF] [<Af>] -r         netstat {-V|--version|-h|--help}
       netstat [-vWnNcaeol] [<Socket> ...]
       netstat { [-vWeenNac] -i | -s [-6tuw] }

        -r, --route              display routing table
        -i, --interfaces         display interface table
        -s, --statistics         display networking statistics (like SNMP)

        -v, --verbose            be verbose
        -W, --wide               don't truncate IP addresses
        -n, --numeric            don't resolve names
        -e, --extend             display other/more information
        -p, --programs           display PID/Program name for sockets
        -o, --timers             display timers

        -l, --listening          display listening server sockets
        -a, --all                display all sockets (default: connected)
`;

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  route: 'r',
  interfaces: 'i',
  statistics: 's',
  verbose: 'v',
  wide: 'W',
  numeric: 'n',
  'numeric-hosts': 'n',
  'numeric-ports': 'n',
  extend: 'e',
  programs: 'p',
  timers: 'o',
  listening: 'l',
  all: 'a',
  tcp: 't',
  udp: 'u',
  raw: 'w',
  unix: 'x',
  version: 'V',
  help: 'h',
};

const USAGE_STATUS = 3;
const ADDRESS_WIDTH = 23;

type Flags = ReadonlySet<string>;

export const netstat = program(async (context) => {
  const line = getopt(context.argv, 'A:CFMacdeghilNnoprsStUuVvWwxZ64', LONG_OPTIONS);
  if (line.error !== undefined) throw new Failure(USAGE_STATUS, `${line.error}\n${NETSTAT_USAGE}`);
  const flags = new Set(line.options.map((option) => option.name));
  const { sys, out } = context;
  if (flags.has('h')) await context.err(NETSTAT_USAGE);
  else if (flags.has('V')) await out('net-tools 2.10\n');
  else if (flags.has('r')) await out(routeTable(sys, 'netstat', flags.has('n')));
  else if (flags.has('i')) await out(interfaceTable(sys.netlink({ type: 'RTM_GETLINK' }), flags.has('a')));
  else if (flags.has('s')) await out(snmpText(sys.netlink({ type: 'SNMP' }), flags));
  else await listSockets(context, flags);
  return 0;
});

function interfaceTable(links: readonly LinkRecord[], all: boolean): string {
  const shown = links
    .filter((link) => all || link.up)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const head =
    'Kernel Interface table\nIface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n';
  return head + shown.map(interfaceLine).join('');
}

function interfaceLine({ name, mtu, counters: c, ...link }: LinkRecord): string {
  const flags = `${link.kind === 'loopback' ? 'L' : 'BM'}${link.up && link.carrier ? 'R' : ''}${link.up ? 'U' : ''}`;
  const received = `${right(c.rxPackets, 8)} ${right(c.rxErrors, 6)} ${right(c.rxDropped, 6)} ${left(c.rxFifo, 6)}`;
  const sent = `${right(c.txPackets, 8)} ${right(c.txErrors, 6)} ${right(c.txDropped, 6)} ${right(c.txFifo, 6)}`;
  return `${left(name, 16)}${right(mtu, 5)} ${received} ${sent} ${flags}\n`;
}

async function listSockets(context: ProgramContext, flags: Flags): Promise<void> {
  const chosen = ['t', 'u', 'w', 'x'].filter((letter) => flags.has(letter));
  const wants = (letter: string) => chosen.length === 0 || chosen.includes(letter);
  const scope = flags.has('a') ? 'servers and established' : flags.has('l') ? 'only servers' : 'w/o servers';
  let text = '';
  if (wants('t') || wants('u') || wants('w')) {
    const columns = [
      ...(flags.has('e') ? ['User       Inode     '] : []),
      ...(flags.has('p') ? ['PID/Program name    '] : []),
      ...(flags.has('o') ? ['Timer'] : []),
    ];
    const title = `Active Internet connections (${scope})\nProto Recv-Q Send-Q Local Address           Foreign Address         State       `;
    text += `${columns.length === 0 ? title.slice(0, -1) : title}${columns.join(' ')}\n`;
    const all = context.sys.netlink({ type: 'SOCK_DIAG', protocols: ['tcp', 'udp', 'raw'] });
    const names = { services: new Services(context.sys), hosts: new HostNames(context.sys) };
    for (const [letter, protocol] of [
      ['t', 'tcp'],
      ['u', 'udp'],
      ['w', 'raw'],
    ] as const) {
      if (!wants(letter)) continue;
      const own = all.filter((one) => one.protocol === protocol && isShown(one, flags));
      const listeners = own.filter((one) => one.state === 'LISTEN');
      for (const record of [...listeners, ...own.filter((one) => one.state !== 'LISTEN')]) {
        text += `${socketLine(record, flags, names)}\n`;
      }
    }
  }
  if (wants('x')) {
    text += `Active UNIX domain sockets (${scope})\nProto RefCnt Flags       Type       State         I-Node   Path\n`;
  }
  await context.out(text);
}

function isShown(record: SocketRecord, flags: Flags): boolean {
  if (flags.has('a')) return true;
  const state = kernelState(record);
  const server = state === 'LISTEN' || (record.protocol !== 'tcp' && state === 'CLOSE');
  return flags.has('l') ? server : !server;
}

interface Names {
  readonly services: Services;
  readonly hosts: HostNames;
}

function socketLine(record: SocketRecord, flags: Flags, names: Names): string {
  const numeric = flags.has('n');
  const end = (address: Ipv4, port: number, local: boolean) => {
    const host = numeric || address === 0 ? formatIpv4(address) : names.hosts.show(address);
    return `${host}:${portText(record, port, local, numeric, names.services)}`;
  };
  const wide = (text: string) => (flags.has('W') ? text : text.slice(0, ADDRESS_WIDTH));
  const words = [
    left(record.protocol, 4),
    right(record.receiveQueue, 7),
    // /proc/net/tcp has no place for a listener's backlog.
    right(record.state === 'LISTEN' ? 0 : record.sendQueue, 6),
    left(wide(end(record.localAddress, record.localPort, true)), ADDRESS_WIDTH),
    left(wide(end(record.remoteAddress, record.remotePort, false)), ADDRESS_WIDTH),
    left(stateText(record), 11),
  ];
  if (flags.has('e')) words.push(left(numeric ? 0 : 'root', 10), left(record.inode, 10));
  if (flags.has('p')) words.push(left(record.pid > 0 ? `${record.pid}/${record.processName}` : '-', 20));
  if (flags.has('o')) words.push(timerOf(record));
  return words.join(' ');
}

/** Sockets without connections have no state; raw ones show the number of CLOSE. */
function stateText(record: SocketRecord): string {
  const state = kernelState(record);
  if (record.protocol === 'raw') return state === 'ESTABLISHED' ? '1' : '7';
  return state === 'CLOSE' && record.protocol === 'udp' ? '' : state;
}

function portText(record: SocketRecord, port: number, local: boolean, numeric: boolean, services: Services): string {
  if (record.protocol === 'raw') {
    if (!local || port === 0) return '*';
    return numeric ? String(port) : (protocolName(port) ?? String(port));
  }
  if (port === 0) return '*';
  return numeric ? String(port) : (services.name(port, record.protocol) ?? String(port));
}

function timerOf({ timer }: SocketRecord): string {
  if (timer === undefined) return 'off (0.00/0/0)';
  return `${timer.name} (${(Math.max(0, timer.expires) / 1_000_000).toFixed(2)}/${timer.retransmits}/0)`;
}
