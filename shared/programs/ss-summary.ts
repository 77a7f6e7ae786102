/** ss -s: how many sockets of each kind there are (iproute2 misc/ss.c, print_summary). */
import type { SocketRecord } from '../net/netlink.ts';

/** States in which no program holds a connection open. */
const CLOSED_STATES: ReadonlySet<string> = new Set(['TIME_WAIT', 'CLOSE', 'LISTEN']);

export function socketSummary(sockets: readonly SocketRecord[]): string {
  const tcp = sockets.filter((socket) => socket.protocol === 'tcp');
  const count = (protocol: SocketRecord['protocol']) => sockets.filter((socket) => socket.protocol === protocol).length;
  const established = tcp.filter((socket) => socket.state === 'ESTABLISHED').length;
  const waiting = tcp.filter((socket) => socket.state === 'TIME_WAIT').length;
  const orphaned = tcp.filter((socket) => socket.pid === 0 && !CLOSED_STATES.has(socket.state)).length;
  const closed = tcp.filter((socket) => socket.state === 'TIME_WAIT' || socket.state === 'CLOSE').length;
  const live = tcp.length - waiting;
  const raw = count('raw');
  const udp = count('udp');
  const total = sockets.length - waiting;
  const row = (name: string, all: number) => `${name}\t  ${pad(all)} ${pad(all)} ${pad(0)}\n`;
  return [
    `Total: ${total}\n`,
    `TCP:   ${tcp.length} (estab ${established}, closed ${closed}, orphaned ${orphaned}, timewait ${waiting})\n\n`,
    'Transport Total     IP        IPv6\n',
    row('RAW', raw),
    row('UDP', udp),
    row('TCP', live),
    row('INET', raw + udp + live),
    row('FRAG', 0),
    '\n',
  ].join('');
}

const pad = (value: number) => String(value).padEnd(9);
