/**
 * The kernel's side of a socket: what TCP, UDP, raw and packet sockets have in common (Linux: struct sock), and the
 * operations that a protocol implements (struct proto). Nothing here waits: an operation that cannot go on now answers
 * EAGAIN, and the system call layer waits on the sock's queue and asks again.
 */
import type { Ipv4 } from '../header/address.ts';
import type { Errno, Result } from './errno.ts';
import type { QueuedError } from './error-queue.ts';
import type { Host } from './host.ts';
import type { OptionsToSend } from './ip-options-echo.ts';
import type { PacketType, SkBuff } from './skbuff.ts';

/** IP_PMTUDISC_*. */
export type PmtuMode = 'dont' | 'want' | 'do' | 'probe' | 'interface' | 'omit';
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
/** Data, and room, in the words of System V: in force whenever IN and OUT are. */
const RDNORM = 0x40;
const WRNORM = 0x100;

/** All bits that go with `bits`, for those who ask by the other names. */
export function withNorm(bits: number): number {
  return bits | ((bits & POLL.IN) !== 0 ? RDNORM : 0) | ((bits & POLL.OUT) !== 0 ? WRNORM : 0);
}

/** Who speaks in the error queue (SO_EE_ORIGIN_*). */
export const ERROR_ORIGIN = { NONE: 0, LOCAL: 1, ICMP: 2, ICMP6: 3, TIMESTAMPING: 4, ZEROCOPY: 5, TXTIME: 6 } as const;
/** ee_code: zerocopy was asked for, but the octets were copied after all (SO_EE_CODE_ZEROCOPY_COPIED). */
export const CODE_ZEROCOPY_COPIED = 1;

/** What the error queue says of one packet, or of a range of calls (struct sock_extended_err). */
export interface ExtendedError {
  /** Undefined for 0: nothing went wrong. */
  readonly errno: Errno | undefined;
  /** ERROR_ORIGIN. */
  readonly origin: number;
  readonly type: number;
  readonly code: number;
  readonly info: number;
  readonly data: number;
  /** Who sent the ICMP message; 0 for nobody. */
  readonly offender: Ipv4;
}

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
  CONFIRM: 0x800,
  ERRQUEUE: 0x2000,
  NOSIGNAL: 0x4000,
  MORE: 0x8000,
  WAITFORONE: 0x1_0000,
  ZEROCOPY: 0x400_0000,
  /** The kernel's own (sendfile, splice): the octets are pages that nobody changes. */
  SPLICE_PAGES: 0x800_0000,
  FASTOPEN: 0x2000_0000,
  CMSG_CLOEXEC: 0x4000_0000,
} as const;

/** Ancillary data and the peer, beside the bytes of recvmsg (struct msghdr, cmsg). */
export interface ReceivedMessage {
  length: number;
  from?: SockAddress;
  /** MSG_TRUNC, MSG_ERRQUEUE … */
  flags: number;
  ttl?: number;
  tos?: number;
  /** IP options as they came (IP_RECVOPTS), or to be given for the way back (IP_RETOPTS). */
  options?: Uint8Array;
  /** The address the packet was sent to, and the interface (IP_PKTINFO). */
  target?: Ipv4;
  ifindex?: number;
  /** Where the packet was going before NAT sent it here (IP_RECVORIGDSTADDR). */
  originalTarget?: SockAddress;
  /** Lab time of arrival (SO_TIMESTAMP, SO_TIMESTAMPNS). */
  timestamp?: number;
  /** Lab time of arrival or sending, by software (SCM_TIMESTAMPING; there are no clocks in the cards). */
  softwareTimestamp?: number;
  /** How the connection stood when the packet was acknowledged (SCM_TIMESTAMPING_OPT_STATS), by the names of TCP_NLA_*. */
  timestampStats?: Readonly<Record<string, number>>;
  /** What the error queue said (IP_RECVERR). */
  extendedError?: ExtendedError;
  /** TCP_INQ: octets that can be read after these (TCP_CM_INQ). */
  inq?: number;
  /** Packet sockets: outgoing or not. */
  packetType?: PacketType;
}

/** Kept by whoever makes a call that may take several attempts. */
export interface HeldCall {
  /** The octets that stay in the program's memory (zerocopy.ts). */
  zerocopy?: { release(): void } | undefined;
}

export interface SendOptions {
  readonly to?: SockAddress;
  readonly flags?: number;
  /** IP_TTL and IP_TOS as control messages. */
  readonly ttl?: number;
  readonly tos?: number;
  /** IP_PKTINFO as one: the address to speak from, and the interface to leave by; 0 for any. */
  readonly source?: Ipv4;
  readonly ifindex?: number;
  /** SO_TIMESTAMPING as a control message: the SOF_TIMESTAMPING_TX_ bits of this call. */
  readonly timestamping?: number;
  /** Lengths of the parts that the octets come in (struct iovec); absent: one part. */
  readonly parts?: readonly number[];
  /** The caller waits for room and comes again with what was not taken: what TCP keeps of the call until it is whole. */
  readonly held?: HeldCall;
  /** It has come again. */
  readonly resumed?: boolean;
}

/** What a wake-up is about: POLL bits; this one concerns everybody (a NULL key). */
export const WAKE_ANY = -1;
/** Told of a wake-up; an exclusive waiter answers whether it took it. */
export type Waker = (key: number) => unknown;

/** Wakes whoever waits for a sock: one per sock (sk_sleep). */
export class WaitQueue {
  private waiting: Set<Waker> = new Set();
  /** Of these, the first that takes a wake-up keeps it to itself (WQ_FLAG_EXCLUSIVE). */
  private exclusive: Set<Waker> | undefined = undefined;

  /** Call `wake` at every event until the returned function is called. */
  add(wake: Waker): () => void {
    this.waiting.add(wake);
    return () => this.waiting.delete(wake);
  }
  /** As `add`, but an event is for one of those that are added so (add_wait_queue_exclusive). */
  addExclusive(wake: Waker): () => void {
    const exclusive = this.exclusive ?? new Set();
    this.exclusive = exclusive;
    exclusive.add(wake);
    return () => exclusive.delete(wake);
  }
  wakeAll(key: number = WAKE_ANY): void {
    if (this.waiting.size > 0) for (const wake of [...this.waiting]) wake(key);
    if (this.exclusive === undefined) return;
    for (const wake of [...this.exclusive]) if (wake(key) === true) return;
  }
  get size(): number {
    return this.waiting.size + (this.exclusive?.size ?? 0);
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
  /** A caller that waited for room gives up: what was taken is all of the call (the end of tcp_sendmsg_locked). */
  sendmsgEnd?(sk: Sock, options: SendOptions): void;
  /** Fill `into` from its start; length 0 is the end of a stream. */
  recvmsg(sk: Sock, into: Uint8Array, flags: number): Result<ReceivedMessage>;
  shutdown(sk: Sock, how: 'read' | 'write' | 'both'): Errno | undefined;
  /** Whether a write with these flags begins a handshake (MSG_FASTOPEN, TCP_FASTOPEN_CONNECT). */
  writeConnects?(sk: Sock, flags: number): boolean;
  /** A handshake is under way, begun by connect() or by a write with MSG_FASTOPEN. */
  handshaking?(sk: Sock): boolean;
  /** The last descriptor is gone. */
  close(sk: Sock): void;
  /** Closed, and something is still to be sent or acknowledged: what SO_LINGER waits for. */
  lingers?(sk: Sock): boolean;
  /** POLL bits in force now. */
  poll(sk: Sock): number;
  setsockopt(sk: Sock, level: string, name: string, value: SockoptValue): Errno | undefined;
  getsockopt(sk: Sock, level: string, name: string): Result<SockoptAnswer>;
  /** SIOCINQ, SIOCOUTQ … */
  ioctl(sk: Sock, request: string): Result<number>;
  /** Whether getpeername has an answer; absent: when there is a remote port. */
  peerKnown?(sk: Sock): boolean;
  /** What SOF_TIMESTAMPING_OPT_ID counts from; 0 where packets are counted. `written`: OPT_ID_TCP. */
  timestampStart?(sk: Sock, written: boolean): Result<number>;
  /** SOF_TIMESTAMPING_OPT_STATS. */
  timestampStats?(sk: Sock): Readonly<Record<string, number>>;
}

export type SockoptValue =
  | number
  | Uint8Array
  | { readonly on: boolean; readonly seconds: number }
  | { readonly text: string }
  /** struct tcp_md5sig: whose segments are signed with which key. */
  | { readonly md5: { address: Ipv4; prefix?: number; ifindex?: number; key: Uint8Array } };
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
  /** IP_LOCAL_PORT_RANGE: the lowest port, and 16 bits up the highest; 0 in either: as the host has it. */
  localPortRange = 0;
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
  /** IP_RECVTOS, IP_RECVORIGDSTADDR. */
  receiveTos = false;
  receiveOriginal = false;
  /** IP_RECVOPTS, IP_RETOPTS. */
  receiveOptions = false;
  returnOptions = false;
  /** IP_OPTIONS, in every header of this socket (inet_opt). */
  ipOptions: OptionsToSend | undefined = undefined;
  /** No descriptor refers to it any more (SOCK_DEAD): nobody is to hear of anything. */
  dead = false;
  /** SO_TIMESTAMP, SO_TIMESTAMPNS. */
  timestamps: 'off' | 'micros' | 'nanos' = 'off';
  /** SO_TIMESTAMPING: SOF_TIMESTAMPING bits, and what OPT_ID counts from (sk_tsflags, sk_tskey). */
  timestamping = 0;
  timestampKey = 0;
  /** SO_ZEROCOPY, and the number of the next call (sk_zckey); octets of the queue's memory in use (sk_omem_alloc). */
  zerocopy = false;
  zerocopyKey = 0;
  optionMemory = 0;
  /** What went wrong, or how things went, for recvmsg with MSG_ERRQUEUE (error-queue.ts). */
  readonly errorQueue: QueuedError[] = [];
  /** IP_MTU_DISCOVER. */
  pmtuDiscovery: PmtuMode = 'want';
  /** SO_RCVLOWAT, SO_OOBINLINE, SO_SELECT_ERR_QUEUE; SO_PEEK_OFF, -1 for off. */
  rcvlowat = 1;
  urgInline = false;
  /** Who is sent SIGURG (F_SETOWN). */
  urgentOwner: (() => void) | undefined = undefined;
  selectErrorQueue = false;
  peekOffset = -1;
  /** Memory of what waits and what is sent but not acknowledged (sk_wmem_queued); a stream's. */
  wmemQueued = 0;
  /** Options that are kept to be told again, where they differ from their first value. */
  readonly plainOptions = new Map<string, number>();
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
    // net.ipv4.ip_no_pmtu_disc: DF on nothing (inet_create).
    if (host.routes.settings.noPmtuDisc.value !== 0) this.pmtuDiscovery = 'dont';
    this.rcvbuf = host.core.rmemDefault.value;
    this.sndbuf = host.core.wmemDefault.value;
  }

  /** Data, space, state or an error: whoever waits looks again. `key`: POLL bits, when it is about them alone. */
  wake(key: number = WAKE_ANY): void {
    this.wait.wakeAll(key);
  }

  /** Report an error to the program (sk_error_report). */
  fail(errno: Errno): void {
    this.error = errno;
    this.reportError();
  }

  /** Tell whoever waits that there is an error, pending or in the queue. */
  reportError(): void {
    this.wake(POLL.ERR);
  }

  /** The pending error, once (sock_error). */
  takeError(): Errno | undefined {
    const error = this.error;
    this.error = undefined;
    return error;
  }
}
