/**
 * The wall between programs and the kernel, and the only thing a program can touch. Names, arguments and errors are
 * Linux's; what would block returns a promise; errors are thrown as SyscallError with `code`. User-to-kernel copies are
 * counted here. Implemented by `syscall-table.ts` for each process.
 */
import type { Micros, Timer } from '../platform.ts';
import type { EpollEvent, EpollOperation } from './eventpoll.ts';
import type { NetlinkAnswer, NetlinkQuery } from './netlink.ts';
import type {
  LinkAddress,
  ReceivedMessage,
  SendOptions,
  SockAddress,
  SocketType,
  SockoptAnswer,
  SockoptValue,
} from './sock.ts';
import type { TraceFields } from './trace.ts';

/** Stands for a pointer outside of the program's memory, where a call wants a buffer: EFAULT, when it comes to that. */
export const BAD_ADDRESS: Uint8Array = new Uint8Array(1);

export type Fd = number;
export type Signal = 'SIGINT' | 'SIGTERM' | 'SIGPIPE' | 'SIGHUP' | 'SIGURG';

export interface PollRequest {
  readonly fd: Fd;
  /** POLL bits asked for. */
  readonly events: number;
  /** POLL bits found. */
  revents: number;
}

export interface OpenFlags {
  readonly nonblock?: boolean;
}

export interface FcntlFlags extends OpenFlags {
  /** The process that is sent SIGURG (F_SETOWN). */
  readonly owner?: number;
}

export interface FileFlags extends OpenFlags {
  readonly access?: 'read' | 'write' | 'both';
  readonly create?: boolean;
  readonly truncate?: boolean;
  readonly append?: boolean;
}

export interface Syscalls {
  // Sockets.
  /** `protocol`: IP protocol number, or EtherType for family `packet`. */
  socket(family: 'inet' | 'packet', type: SocketType, protocol?: number, flags?: OpenFlags): Fd;
  bind(fd: Fd, address: SockAddress | LinkAddress): void;
  listen(fd: Fd, backlog: number): void;
  accept(fd: Fd, flags?: OpenFlags): Promise<{ fd: Fd; peer: SockAddress }>;
  /** Never waits: undefined when no connection is ready. */
  tryAccept(fd: Fd, flags?: OpenFlags): { fd: Fd; peer: SockAddress } | undefined;
  connect(fd: Fd, address: SockAddress): Promise<void>;
  disconnect(fd: Fd): void;
  getsockname(fd: Fd): SockAddress;
  getpeername(fd: Fd): SockAddress;
  setsockopt(fd: Fd, level: string, name: string, value: SockoptValue): void;
  getsockopt(fd: Fd, level: string, name: string): SockoptAnswer;
  shutdown(fd: Fd, how: 'read' | 'write' | 'both'): void;
  /** Blocking: all octets; non-blocking: what fits, at least one. Datagrams: one packet. */
  send(fd: Fd, bytes: Uint8Array, options?: SendOptions): Promise<number>;
  /** Never waits: octets taken, or 0 when it would block (the adapters' fast path); throws other errors. */
  trySend(fd: Fd, bytes: Uint8Array, options?: SendOptions): number;
  recv(fd: Fd, into: Uint8Array, flags?: number): Promise<ReceivedMessage>;
  /** Never waits: undefined when it would block. */
  tryRecv(fd: Fd, into: Uint8Array, flags?: number): ReceivedMessage | undefined;
  // Files, pipes and terminals: 0, 1 and 2 are open when a program starts.
  /** Files of the host: /etc, /proc, /sys, and the lab's folder as the working directory. */
  readFile(path: string): Uint8Array;
  writeFile(path: string, bytes: Uint8Array): void;
  readDirectory(path: string): readonly string[];
  /** Whether it is there, and what. */
  stat(path: string): { kind: 'file' | 'directory'; size: number } | undefined;
  /** Up to `into.length` octets from a descriptor; 0 at the end. */
  read(fd: Fd, into: Uint8Array): Promise<number>;
  write(fd: Fd, bytes: Uint8Array): Promise<number>;
  close(fd: Fd): void;
  /** The same, but it waits as SO_LINGER asks: until what is left and the FIN are acknowledged, or the seconds are over. */
  closeLingering(fd: Fd): Promise<void>;
  /** A file by its path; `truncate` and `create` as O_TRUNC and O_CREAT. */
  open(path: string, flags?: FileFlags): Fd;
  unlink(path: string): void;
  pipe(flags?: OpenFlags): { reader: Fd; writer: Fd };
  /** From a file to anywhere, `offset` on or where the file stands; answers octets, fewer at its end or without room. */
  sendfile(to: Fd, from: Fd, offset: number | undefined, count: number): Promise<number>;
  /** Between a pipe and something else; `flags`: SPLICE bits. */
  splice(from: Fd, to: Fd, count: number, flags?: number): Promise<number>;
  /** From pipe to pipe, and the octets stay in the first. */
  tee(from: Fd, to: Fd, count: number, flags?: number): number;
  fcntl(fd: Fd, flags: FcntlFlags): void;
  ioctl(fd: Fd, request: string): number;
  // Readiness.
  /** Wait until one is ready; `timeout` in microseconds, undefined for ever. Returns how many are. */
  poll(requests: PollRequest[], timeout?: Micros): Promise<number>;
  /**
   * Call `changed` whenever readiness may have changed, until the returned function is called (epoll, edge-triggered);
   * once more when the descriptor is closed, then with readiness POLL.NVAL. Runs after the kernel's work, never inside it.
   */
  watch(fd: Fd, changed: () => void): () => void;
  /** POLL bits in force now. */
  readiness(fd: Fd): number;
  epollCreate(): Fd;
  /** `event` for add and mod: EPOLL bits, and a number that comes back with what was found. */
  epollCtl(epoll: Fd, operation: EpollOperation, fd: Fd, event?: EpollEvent): void;
  /** `timeout` in microseconds, undefined for ever. */
  epollWait(epoll: Fd, max: number, timeout?: Micros): Promise<EpollEvent[]>;
  // Time, chance, signals, identity.
  /** Lab time. */
  clockGettime(): Micros;
  /** Unix time in microseconds (CLOCK_REALTIME): lab time since the moment the lab came up. */
  clockRealtime(): Micros;
  nanosleep(micros: Micros): Promise<void>;
  /** A timer on the lab clock that can be armed often and stopped (timerfd); ends with the process. */
  timer(fire: () => void): Timer;
  getrandom(): number;
  /** Handle a signal instead of dying of it; blocked calls end with EINTR. */
  signal(signal: Signal, handle: (() => void) | 'default'): void;
  kill(pid: number, signal: Signal): void;
  getpid(): number;
  gethostname(): string;
  uptime(): Micros;
  // Configuration and listings: what ip, ss, iptables and sysctl speak to.
  netlink<Q extends NetlinkQuery>(query: Q): NetlinkAnswer<Q>;
  sysctl(name: string): string | undefined;
  setSysctl(name: string, value: string): void;
  sysctls(): readonly string[];
  // Tracing.
  /** A program's own trace point, `browser:parse-url`; costs nothing while nobody traces. */
  mark(point: string, fields?: TraceFields): void;
  /** The cause in force: what is sent from here on inherits it. Set by every receive; 0 for none. */
  readonly cause: number;
  setCause(cause: number): void;
  /** The same process and descriptors with a cause of its own: one per request that a server works on at once. */
  thread(cause?: number): Syscalls;
  /** Start another program (fork and exec). Resolves with its exit status. */
  spawn(argv: readonly string[], options?: SpawnOptions): SpawnedProcess;
}

export interface SpawnOptions {
  readonly stdin?: 'inherit' | 'null';
  readonly stdout?: 'inherit' | 'null' | ((bytes: Uint8Array) => void);
}

export interface SpawnedProcess {
  readonly pid: number;
  readonly exited: Promise<number>;
  kill(signal: Signal): void;
}

/** What a program is started with. Exit status 0 to 255; a throw is status 1 with the message on standard error. */
export type Program = (context: ProgramContext) => Promise<number>;

export interface ProgramContext {
  readonly sys: Syscalls;
  /** argv[0] is the program's name. */
  readonly argv: readonly string[];
  /** Write text to standard output or standard error; resolves when there is room for more. */
  out(text: string): Promise<void>;
  err(text: string): Promise<void>;
}
