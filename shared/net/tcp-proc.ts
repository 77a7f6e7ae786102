/**
 * /proc/net/tcp, column by column (Linux: tcp4_seq_show with get_tcp4_sock, get_openreq4, get_timewait4_sock). Kernel
 * pointers are zeros, as for users without privileges. References are the socket's own and one for each timer that runs.
 */
import type { SocketRecord } from './netlink.ts';
import type { Tcp } from './tcp-host.ts';
import { recordsOf, TCP_STATE_NUMBER } from './tcp-info.ts';
import { INFINITE_SSTHRESH, type TcpSock, type TcpState } from './tcp-sock.ts';
import { inPingpongMode } from './tcp-transmit.ts';

const LINE_LENGTH = 149;
/** USER_HZ: a clock tick is 10 ms, whatever the kernel's own are. */
const TICK = 10_000;
const POINTER = '0'.repeat(16);
/** Of a TIME-WAIT: in two hashes, and its timer's. */
const TIME_WAIT_REFERENCES = 3;
const TIMER_NUMBER: Readonly<Record<string, number>> = { on: 1, keepalive: 2, timewait: 3, persist: 4 };

const hex = (n: number, width: number): string => (n >>> 0).toString(16).toUpperCase().padStart(width, '0');

/** As the little-endian machine's 32-bit word. */
const address = (a: number): string =>
  hex(((a & 255) << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24), 8);

export function procNetTcp(tcp: Tcp): string {
  const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
  const lines = recordsOf(tcp).map(
    ({ sk, record }, i) =>
      `${commonColumns(record, i)} ${sk === undefined ? smallColumns(record) : sockColumns(sk, record)}`,
  );
  return `${[head, ...lines].map((line) => line.padEnd(LINE_LENGTH)).join('\n')}\n`;
}

/** As far as the retransmissions, and whose it is: root's. */
function commonColumns(r: SocketRecord, i: number): string {
  const local = `${address(r.localAddress)}:${hex(r.localPort, 4)}`;
  const remote = `${address(r.remoteAddress)}:${hex(r.remotePort, 4)}`;
  const state = hex(TCP_STATE_NUMBER[r.state as TcpState] ?? 7, 2);
  // Of a listener, what waits for accept; how many may is said elsewhere (ss).
  const queues = `${hex(r.state === 'LISTEN' ? 0 : r.sendQueue, 8)}:${hex(r.receiveQueue, 8)}`;
  const when = hex(Math.floor((r.timer?.expires ?? 0) / TICK), 8);
  const timer = `${hex(TIMER_NUMBER[r.timer?.name ?? ''] ?? 0, 2)}:${when} ${hex(retransmitsOf(r), 8)}`;
  return `${String(i).padStart(4)}: ${local} ${remote} ${state} ${queues} ${timer} ${'0'.padStart(5)}`;
}

/** Of a probe or a keepalive the number stands in the next column but one. */
function retransmitsOf({ timer }: SocketRecord): number {
  return timer?.name === 'on' ? timer.retransmits : 0;
}

function sockColumns(sk: TcpSock, { inode }: SocketRecord): string {
  const timers = [sk.retransmitTimer, sk.delackTimer, sk.keepaliveTimer, sk.compressedAckTimer, sk.pacingTimer];
  const references = 1 + timers.filter((timer) => timer.armed).length;
  const turns = (sk.ackQuick << 1) | Number(inPingpongMode(sk));
  const more = [Math.floor(sk.rto / TICK), Math.floor(sk.ato / TICK), turns, sk.sndCwnd, thresholdOf(sk)];
  return `${String(sk.probesOut).padStart(8)} ${inode} ${references} ${POINTER} ${more.join(' ')}`;
}

/** -1 while nothing was lost yet; of a listener, how many Fast Open requests may wait. */
function thresholdOf(sk: TcpSock): number {
  if (sk.state === 'LISTEN') return sk.fastopenQueue.max;
  return sk.sndSsthresh >= INFINITE_SSTHRESH ? -1 : sk.sndSsthresh;
}

/** Handshakes and TIME-WAITs are no whole sockets. */
function smallColumns({ timer }: SocketRecord): string {
  const references = timer?.name === 'timewait' ? TIME_WAIT_REFERENCES : 0;
  return `${'0'.padStart(8)} 0 ${references} ${POINTER}`;
}
