/**
 * SOCK_DIAG: the sockets of a host, for ss and netstat, and /proc/net/{udp,raw,packet,sockstat} (Linux: inet_diag.c,
 * udp_diag.c, raw_diag.c, af_packet's; udp4_format_sock, raw_format_sock, sockstat_seq_show).
 *
 * Each protocol registers what lists its sockets. Who owns one is found in the processes' tables, as ss does with
 * /proc/PID/fd.
 */
import type { Ipv4 } from '../header/address.ts';
import type { Host } from './host.ts';
import type { SocketRecord } from './netlink.ts';
import type { Sock } from './sock.ts';

/** TCP_ESTABLISHED and TCP_CLOSE, the two states that datagram sockets have. */
const STATE_NUMBER: Readonly<Record<string, number>> = { ESTABLISHED: 1, CLOSE: 7 };

export type DiagProtocol = SocketRecord['protocol'];
type Lister = () => SocketRecord[];

export class SockDiag {
  private readonly listers: Map<DiagProtocol, Lister> = new Map();

  register(protocol: DiagProtocol, list: Lister): void {
    this.listers.set(protocol, list);
  }

  list(protocol: DiagProtocol): SocketRecord[] {
    return this.listers.get(protocol)?.() ?? [];
  }

  all(host: Host, protocols: readonly DiagProtocol[]): SocketRecord[] {
    const owners = ownersOf(host);
    return protocols.flatMap((protocol) => this.list(protocol)).map((record) => withOwner(record, owners));
  }
}

interface Owner {
  readonly pid: number;
  readonly processName: string;
  readonly fd: number;
}

/** Which process holds which socket, by inode; the first of several. */
function ownersOf(host: Host): ReadonlyMap<number, Owner> {
  const owners = new Map<number, Owner>();
  for (const process of host.processes.list()) {
    for (const [fd, file] of process.files.entries()) {
      const inode = file?.sk?.inode;
      if (inode === undefined || owners.has(inode)) continue;
      owners.set(inode, { pid: process.pid, processName: process.name, fd });
    }
  }
  return owners;
}

function withOwner(record: SocketRecord, owners: ReadonlyMap<number, Owner>): SocketRecord {
  const owner = owners.get(record.inode);
  // TIME-WAIT and orphans belong to nobody any more.
  return owner === undefined ? { ...record, pid: 0, processName: '', fd: -1 } : { ...record, ...owner };
}

/** What any sock has to say; protocols add their own. */
export function describeSock(sk: Sock, protocol: DiagProtocol, state: string): SocketRecord {
  return {
    protocol,
    state,
    localAddress: sk.localAddress,
    localPort: sk.localPort,
    remoteAddress: sk.remoteAddress,
    remotePort: sk.remotePort,
    receiveQueue: sk.receiveMemory,
    sendQueue: sk.sendMemory,
    inode: sk.inode,
    pid: sk.pid,
    processName: sk.processName,
    fd: -1,
    timer: undefined,
    info: undefined,
    // SK_MEMINFO, as `ss -m` prints it: skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0).
    memory: {
      r: sk.receiveMemory,
      rb: sk.rcvbuf,
      t: sk.sendMemory,
      tb: sk.sndbuf,
      f: 0,
      w: 0,
      o: 0,
      bl: 0,
      d: sk.drops,
    },
  };
}

const ALL: readonly DiagProtocol[] = ['tcp', 'udp', 'raw', 'packet'];

export function sockDiagInit(host: Host): void {
  host.netlink.register('SOCK_DIAG', ({ protocols }) => host.sockDiag.all(host, protocols ?? ALL));
  host.procfs.register('/proc/net/udp', () => datagramTable(host, 'udp'));
  host.procfs.register('/proc/net/raw', () => datagramTable(host, 'raw'));
  host.procfs.register('/proc/net/packet', () => packetTable(host));
  host.procfs.register('/proc/net/sockstat', () => sockstat(host));
}

/** An address as /proc/net prints it: the octets in memory order of a little-endian machine. */
export function hexAddress(address: Ipv4): string {
  const swapped = ((address << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24)) >>> 0;
  return swapped.toString(16).toUpperCase().padStart(8, '0');
}

const hex = (n: number, width: number): string => n.toString(16).toUpperCase().padStart(width, '0');

/** Linux: udp4_format_sock. */
function datagramTable(host: Host, protocol: 'udp' | 'raw'): string {
  const head =
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops';
  const lines = host.sockDiag.list(protocol).map((record, slot) => {
    const local = `${hexAddress(record.localAddress)}:${hex(record.localPort, 4)}`;
    const remote = `${hexAddress(record.remoteAddress)}:${hex(record.remotePort, 4)}`;
    const queues = `${hex(record.sendQueue, 8)}:${hex(record.receiveQueue, 8)}`;
    const state = hex(STATE_NUMBER[record.state] ?? 7, 2);
    const tail = `00:00000000 00000000     0        0 ${record.inode} 2 0000000000000000 ${record.memory['d'] ?? 0}`;
    return `${String(slot).padStart(5)}: ${local} ${remote} ${state} ${queues} ${tail}`;
  });
  return `${[head.padEnd(127), ...lines.map((line) => line.padEnd(127))].join('\n')}\n`;
}

/** Linux: packet_seq_show. */
function packetTable(host: Host): string {
  const lines = host.sockDiag.list('packet').map((record) => {
    const kind = String(record.state === 'RAW' ? 3 : 2).padEnd(6);
    const place = `${hex(record.localPort, 4)}   ${String(record.remotePort).padEnd(5)}`;
    return `0000000000000000 3      ${kind} ${place} 1       ${String(record.receiveQueue).padEnd(6)} 0      ${record.inode}`;
  });
  return `${['sk       RefCnt Type Proto  Iface R Rmem   User   Inode', ...lines].join('\n')}\n`;
}

/** Linux: sockstat_seq_show; memory in pages of 4 kB. */
function sockstat(host: Host): string {
  const tcp = host.sockDiag.list('tcp');
  const udp = host.sockDiag.list('udp');
  const pages = (records: readonly SocketRecord[]): number =>
    Math.ceil(records.reduce((sum, record) => sum + record.receiveQueue + record.sendQueue, 0) / 4_096);
  const waiting = tcp.filter((record) => record.state === 'TIME_WAIT').length;
  const inUse = tcp.length - waiting;
  const open = host.processes
    .list()
    .reduce((sum, process) => sum + process.files.filter((file) => file?.sk !== undefined).length, 0);
  return [
    `sockets: used ${open}`,
    `TCP: inuse ${inUse} orphan 0 tw ${waiting} alloc ${inUse} mem ${pages(tcp)}`,
    `UDP: inuse ${udp.length} mem ${pages(udp)}`,
    'UDPLITE: inuse 0',
    `RAW: inuse ${host.sockDiag.list('raw').length}`,
    `FRAG: inuse ${host.fragments.queues.size} memory ${host.fragments.bytes}`,
    '',
  ].join('\n');
}
