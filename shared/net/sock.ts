/**
 * The kernel's side of a socket: what TCP, UDP, raw and packet sockets have in common (Linux: struct sock), and the
 * operations that a protocol implements (struct proto). Nothing here waits: an operation that cannot go on now answers
 * EAGAIN, and the system call layer waits on the sock's queue and asks again.
 */
import type { Ipv4 } from '../header/address.ts';
import type { Errno, Result } from './errno.ts';
import type { Host } from './host.ts';
import type { PacketType, SkBuff } from './skbuff.ts';

export type SocketType = 'stream' | 'dgram' | 'raw';
export type Family = 'inet' | 'packet';

export interface SockAddress {
  readonly address: Ipv4;
  readonly port: number;
}

/** A packet socket's address (struct sockaddr_ll). */
export interface LinkAddress {
  readonly ifindex: number;
  readonly protocol: number;
}

/** What poll(2) reports: bits as in Linux. */
export const POLL = { IN: 1, PRI: 2, OUT: 4, ERR: 8, HUP: 16, NVAL: 32, RDHUP: 0x2000 } as const;

/** MSG_ flags of send and receive, Linux's values. */
export const MSG = {
  OOB: 0x1,
  PEEK: 0x2,
  DONTROUTE: 0x4,
  CTRUNC: 0x8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  ERRQUEUE: 0x2000,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  ZEROCOPY: 0x400_0000,
  FASTOPEN: 0x2000_0000,
} as const;

/** Ancillary data and the peer, beside the bytes of recvmsg (struct msghdr, cmsg). */
export interface ReceivedMessage {
  length: number;
  from?: SockAddress;
  /** MSG_TRUNC, MSG_ERRQUEUE … */
  flags: number;
  ttl?: number;
  tos?: number;
  /** The address the packet was sent to, and the interface (IP_PKTINFO). */
  target?: Ipv4;
  ifindex?: number;
  /** Lab time of arrival (SO_TIMESTAMP). */
  timestamp?: number;
  /** IP_RECVERR: what an ICMP error said. */
  extendedError?: { errno: Errno; type: number; code: number; info: number; offender: Ipv4 };
  /** TCP_INQ: octets that can be read after these (TCP_CM_INQ). */
  inq?: number;
  /** Packet sockets: outgoing or not. */
  packetType?: PacketType;
}

export interface SendOptions {
  readonly to?: SockAddress;
  readonly flags?: number;
  readonly ttl?: number;
  readonly tos?: number;
}

/** Wakes whoever waits for a sock: one per sock (sk_sleep). */
export class WaitQueue {
  private waiting: Set<() => void> = new Set();

  /** Call `wake` at every event until the returned function is called. */
  add(wake: () => void): () => void {
    this.waiting.add(wake);
    return () => this.waiting.delete(wake);
  }
  wakeAll(): void {
    if (this.waiting.size === 0) return;
    for (const wake of [...this.waiting]) wake();
  }
  get size(): number {
    return this.waiting.size;
  }
}

export interface Proto {
  readonly name: 'TCP' | 'UDP' | 'RAW' | 'PING' | 'PACKET';
  /** Make the sock, when the protocol keeps more in it than Sock does (Linux: sk_prot_alloc, sk->sk_prot->init). */
  create?(host: Host, type: SocketType, protocol: number): Sock;
  bind(sk: Sock, address: SockAddress): Errno | undefined;
  /** bind() of a packet socket: one interface (or 0) and an EtherType. */
  bindLink?(sk: Sock, address: LinkAddress): Errno | undefined;
  listen?(sk: Sock, backlog: number): Errno | undefined;
  /** EINPROGRESS while a handshake is under way; asked again by poll and SO_ERROR, as Linux does. */
  connect(sk: Sock, address: SockAddress): Errno | undefined;
  /** connect() to AF_UNSPEC. */
  disconnect(sk: Sock): Errno | undefined;
  /** The next connection that is ready, or EAGAIN. */
  accept?(sk: Sock): Result<Sock>;
  /** Octets taken, at least one, or an errno. */
  sendmsg(sk: Sock, bytes: Uint8Array, options: SendOptions): Result<number>;
  /** Fill `into` from its start; length 0 is the end of a stream. */
  recvmsg(sk: Sock, into: Uint8Array, flags: number): Result<ReceivedMessage>;
  shutdown(sk: Sock, how: 'read' | 'write' | 'both'): Errno | undefined;
  /** Whether a write with these flags begins a handshake (MSG_FASTOPEN, TCP_FASTOPEN_CONNECT). */
  writeConnects?(sk: Sock, flags: number): boolean;
  /** A handshake is under way, begun by connect() or by a write with MSG_FASTOPEN. */
  handshaking?(sk: Sock): boolean;
  /** The last descriptor is gone. */
  close(sk: Sock): void;
  /** POLL bits in force now. */
  poll(sk: Sock): number;
  setsockopt(sk: Sock, level: string, name: string, value: SockoptValue): Errno | undefined;
  getsockopt(sk: Sock, level: string, name: string): Result<SockoptAnswer>;
  /** SIOCINQ, SIOCOUTQ … */
  ioctl(sk: Sock, request: string): Result<number>;
}

export type SockoptValue =
  | number
  | Uint8Array
  | { readonly on: boolean; readonly seconds: number }
  | { readonly text: string };
/** Strings are answered wrapped, so that an errno is never mistaken for one. */
export type SockoptAnswer = number | Uint8Array | { readonly [field: string]: unknown };

/** Linux defaults: net.core.rmem_default and wmem_default. */
export const RCVBUF_DEFAULT = 212_992;
export const SNDBUF_DEFAULT = 212_992;

/** No limit to a socket's rate (~0UL). */
export const PACING_RATE_NONE = Number.MAX_SAFE_INTEGER;

export class Sock {
  readonly host: Host;
  readonly family: Family;
  readonly type: SocketType;
  readonly proto: Proto;
  /** IP protocol number (6, 17, 1 …); EtherType for packet sockets. */
  readonly protocol: number;
  /** Unique per host, shown as the inode of the socket. */
  readonly inode: number;

  /** Local and remote end; address 0 and port 0 mean any. */
  localAddress = 0 as Ipv4;
  localPort = 0;
  remoteAddress = 0 as Ipv4;
  remotePort = 0;
  /** bind() was called with an address of its own (SOCK_BINDADDR_LOCK). */
  addressLocked = false;
  /** SO_BINDTODEVICE. */
  boundIfindex = 0;

  error: Errno | undefined = undefined;
  softError: Errno | undefined = undefined;
  shutdownRead = false;
  shutdownWrite = false;
  /** SO_RCVBUF, SO_SNDBUF as the kernel keeps them (doubled when set by a program). */
  rcvbuf: number;
  sndbuf: number;
  rcvbufLocked = false;
  sndbufLocked = false;
  /** Memory charged to the socket: sk_rmem_alloc, sk_wmem_alloc. */
  receiveMemory = 0;
  sendMemory = 0;
  readonly receiveQueue: SkBuff[] = [];
  reuseAddress = false;
  reusePort = false;
  broadcast = false;
  keepalive = false;
  linger: { on: boolean; seconds: number } = { on: false, seconds: 0 };
  ttl = 0;
  multicastTtl = 1;
  tos = 0;
  mark = 0;
  priority = 0;
  /** Octets a second that a pacer lets through, and what SO_MAX_PACING_RATE allows at most (sk_pacing_rate). */
  pacingRate = PACING_RATE_NONE;
  maxPacingRate = PACING_RATE_NONE;
  /** Who paces: nobody, TCP itself by a timer, or the fq below (sk_pacing_status). */
  pacingStatus: 'none' | 'needed' | 'fq' = 'none';
  receiveErrors = false;
  packetInfo = false;
  receiveTtl = false;
  receiveTos = false;
  timestamps = false;
  /** IP_MTU_DISCOVER. */
  pmtuDiscovery: 'dont' | 'want' | 'do' | 'probe' | 'interface' | 'omit' = 'want';
  /** Route in use, kept by ip-output (sk_dst_cache; route.ts: Route). */
  route: unknown = undefined;
  /** Counter of IP IDs while connected (inet_id); negative until first used. */
  ipId = -1;
  readonly wait = new WaitQueue();
  /** The process that opened it, for `ss -p`. */
  pid = 0;
  processName = '';
  /** Cause of what was last received; what is sent inherits it (trace.ts). */
  cause = 0;
  drops = 0;
  /** Calls that sleep with something to write (sk_write_pending). */
  writePending = 0;

  constructor(host: Host, options: { family: Family; type: SocketType; proto: Proto; protocol: number }) {
    this.host = host;
    this.family = options.family;
    this.type = options.type;
    this.proto = options.proto;
    this.protocol = options.protocol;
    this.inode = host.nextInode();
    this.rcvbuf = host.core.rmemDefault.value;
    this.sndbuf = host.core.wmemDefault.value;
  }

  /** Data, space, state or an error: whoever waits looks again. */
  wake(): void {
    this.wait.wakeAll();
  }

  /** Report an error to the program (sk_error_report). */
  fail(errno: Errno): void {
    this.error = errno;
    this.wake();
  }

  /** The pending error, once (sock_error). */
  takeError(): Errno | undefined {
    const error = this.error;
    this.error = undefined;
    return error;
  }
}
