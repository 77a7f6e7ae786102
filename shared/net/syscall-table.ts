/**
 * The system calls of one process: what a program holds as `sys`. Thin: each call checks the descriptor and goes to the
 * file or socket behind it. `thread` makes another one over the same process, with a cause of its own.
 */
import type { Micros, Timer } from '../platform.ts';
import { isErrno, SyscallError } from './errno.ts';
import { type EpollEvent, EpollFile, type EpollOperation } from './eventpoll.ts';
import { type OpenFile, OutputFile, type SocketFile } from './file.ts';
import type { FileStatus } from './filesystem.ts';
import type { NetlinkAnswer, NetlinkQuery } from './netlink.ts';
import type { Process } from './process.ts';
import type {
  LinkAddress,
  ReceivedMessage,
  SendOptions,
  SockAddress,
  SocketType,
  SockoptAnswer,
  SockoptValue,
} from './sock.ts';
import { POLL } from './sock.ts';
import { getSocketOption, levelOf, setSocketOption } from './socket.ts';
import * as files from './syscall-file.ts';
import { pollFiles, watchFile } from './syscall-poll.ts';
import * as sockets from './syscall-socket.ts';
import * as splices from './syscall-splice.ts';
import { blockOn, lingerOn, must, neverReturns, sleepOn } from './syscall-wait.ts';
import type {
  FcntlFlags,
  Fd,
  FileFlags,
  OpenFlags,
  PollRequest,
  Signal,
  SpawnedProcess,
  SpawnOptions,
  Syscalls,
} from './syscalls.ts';
import type { TraceFields } from './trace.ts';

export class ProcessCalls implements Syscalls {
  readonly process: Process;
  cause: number;

  constructor(process: Process, cause: number) {
    this.process = process;
    this.cause = cause;
  }

  socket(family: 'inet' | 'packet', type: SocketType, protocol = 0, flags: OpenFlags = {}): Fd {
    return sockets.openSocket(this, { family, type, protocol }, flags);
  }
  bind(fd: Fd, address: SockAddress | LinkAddress): void {
    sockets.bindSocket(this, fd, address);
  }
  listen(fd: Fd, backlog: number): void {
    sockets.listenSocket(this, fd, backlog);
  }
  accept(fd: Fd, flags: OpenFlags = {}): Promise<{ fd: Fd; peer: SockAddress }> {
    return sockets.acceptSocket(this, fd, flags);
  }
  tryAccept(fd: Fd, flags: OpenFlags = {}): { fd: Fd; peer: SockAddress } | undefined {
    return sockets.tryAcceptSocket(this, fd, flags);
  }
  connect(fd: Fd, address: SockAddress): Promise<void> {
    return sockets.connectSocket(this, fd, address);
  }
  disconnect(fd: Fd): void {
    const { sk } = sockets.socketFile(this, 'connect', fd);
    must('connect', sk.proto.disconnect(sk));
  }
  getsockname(fd: Fd): SockAddress {
    const { sk } = sockets.socketFile(this, 'getsockname', fd);
    return { address: sk.localAddress, port: sk.localPort };
  }
  getpeername(fd: Fd): SockAddress {
    const { sk } = sockets.socketFile(this, 'getpeername', fd);
    const known = sk.proto.peerKnown?.(sk) ?? (sk.remotePort !== 0 || sk.remoteAddress !== 0);
    if (!known) throw new SyscallError('getpeername', 'ENOTCONN');
    return { address: sk.remoteAddress, port: sk.remotePort };
  }
  setsockopt(fd: Fd, level: string, name: string, value: SockoptValue): void {
    const file = sockets.socketFile(this, 'setsockopt', fd);
    if (levelOf(level) === 'SOL_SOCKET' && setTimeouts(file, name, value)) return;
    must('setsockopt', setSocketOption(file.sk, level, name, value));
  }
  getsockopt(fd: Fd, level: string, name: string): SockoptAnswer {
    const file = sockets.socketFile(this, 'getsockopt', fd);
    if (name === 'SO_RCVTIMEO') return file.receiveTimeout;
    if (name === 'SO_SNDTIMEO') return file.sendTimeout;
    return must('getsockopt', getSocketOption(file.sk, level, name));
  }
  shutdown(fd: Fd, how: 'read' | 'write' | 'both'): void {
    const { sk } = sockets.socketFile(this, 'shutdown', fd);
    must('shutdown', sk.proto.shutdown(sk, how));
  }
  async send(fd: Fd, bytes: Uint8Array, options: SendOptions = {}): Promise<number> {
    if (!this.process.alive) return neverReturns();
    return sockets.sendSocket(this, fd, bytes, options);
  }
  trySend(fd: Fd, bytes: Uint8Array, options: SendOptions = {}): number {
    return sockets.trySendSocket(this, fd, bytes, options);
  }
  async recv(fd: Fd, into: Uint8Array, flags = 0): Promise<ReceivedMessage> {
    if (!this.process.alive) return neverReturns();
    return sockets.receiveSocket(this, fd, into, flags);
  }
  tryRecv(fd: Fd, into: Uint8Array, flags = 0): ReceivedMessage | undefined {
    return sockets.tryReceiveSocket(this, fd, into, flags);
  }

  readFile(path: string): Uint8Array {
    return must('open', this.process.host.filesystem.readFile(path));
  }
  writeFile(path: string, bytes: Uint8Array): void {
    must('open', this.process.host.filesystem.writeFile(path, bytes));
  }
  readDirectory(path: string): readonly string[] {
    const { filesystem } = this.process.host;
    const names = filesystem.readDirectory(path);
    if (names !== undefined) return names;
    throw new SyscallError('opendir', filesystem.stat(path) === undefined ? 'ENOENT' : 'ENOTDIR');
  }
  stat(path: string): FileStatus | undefined {
    return this.process.host.filesystem.stat(path);
  }
  async read(fd: Fd, into: Uint8Array): Promise<number> {
    if (!this.process.alive) return neverReturns();
    const file = this.file('read', fd);
    if (file.sk !== undefined) return (await this.recv(fd, into)).length;
    return blockOn(this.process, { syscall: 'read', fd, file }, () => file.read(into));
  }
  async write(fd: Fd, bytes: Uint8Array): Promise<number> {
    if (!this.process.alive) return neverReturns();
    const file = this.file('write', fd);
    if (file.sk !== undefined) return this.send(fd, bytes);
    return blockOn(this.process, { syscall: 'write', fd, file }, () => file.write(bytes));
  }
  close(fd: Fd): void {
    if (!this.process.close(fd)) throw new SyscallError('close', 'EBADF');
  }
  async closeLingering(fd: Fd): Promise<void> {
    const { sk, references } = this.file('close', fd);
    this.close(fd);
    if (sk !== undefined && references === 1) await lingerOn(this.process, sk);
  }
  open(path: string, flags: FileFlags = {}): Fd {
    return files.openFile(this.process, path, flags);
  }
  unlink(path: string): void {
    must('unlink', this.process.host.filesystem.unlink(path));
  }
  pipe(flags: OpenFlags = {}): { reader: Fd; writer: Fd } {
    return files.openPipe(this.process, flags);
  }
  sendfile(to: Fd, from: Fd, offset: number | undefined, count: number): Promise<number> {
    return splices.sendfile(this, to, from, offset, count);
  }
  splice(from: Fd, to: Fd, count: number, flags = 0): Promise<number> {
    return splices.splice(this, from, to, count, flags);
  }
  tee(from: Fd, to: Fd, count: number, flags = 0): number {
    return splices.tee(this, from, to, count, flags);
  }
  fcntl(fd: Fd, flags: FcntlFlags): void {
    const file = this.file('fcntl', fd);
    if (flags.owner !== undefined && file.sk !== undefined) {
      const owner = this.process.host.processes.byPid(flags.owner);
      if (owner === undefined) throw new SyscallError('fcntl', 'ESRCH');
      file.sk.urgentOwner = () => owner.signal('SIGURG');
    }
    if (flags.nonblock !== undefined) file.nonblock = flags.nonblock;
  }
  ioctl(fd: Fd, request: string): number {
    const { sk } = sockets.socketFile(this, 'ioctl', fd);
    return must('ioctl', sk.proto.ioctl(sk, request));
  }

  poll(requests: PollRequest[], timeout?: Micros): Promise<number> {
    return pollFiles(this.process, requests, timeout);
  }
  watch(fd: Fd, changed: () => void): () => void {
    return watchFile(this.process, fd, changed);
  }
  readiness(fd: Fd): number {
    return this.process.files[fd]?.poll() ?? POLL.NVAL;
  }
  epollCreate(): Fd {
    return files.installFile(this.process, 'epoll_create1', new EpollFile());
  }
  epollCtl(epoll: Fd, operation: EpollOperation, fd: Fd, event?: EpollEvent): void {
    files.controlEpoll(this.process, epoll, { operation, fd, event });
  }
  epollWait(epoll: Fd, max: number, timeout?: Micros): Promise<EpollEvent[]> {
    return files.waitEpoll(this.process, epoll, max, timeout);
  }

  clockGettime(): Micros {
    return this.process.host.clock.now();
  }
  clockRealtime(): Micros {
    const { clock } = this.process.host;
    return clock.epoch + clock.now();
  }
  async nanosleep(micros: Micros): Promise<void> {
    const why = await sleepOn(this.process, [], micros);
    if (why === 'interrupted') throw new SyscallError('nanosleep', 'EINTR');
  }
  timer(fire: () => void): Timer {
    return this.process.timer(fire);
  }
  getrandom(): number {
    return this.process.host.random.u32();
  }
  signal(signal: Signal, handle: (() => void) | 'default'): void {
    if (handle === 'default') this.process.handlers.delete(signal);
    else this.process.handlers.set(signal, handle);
  }
  kill(pid: number, signal: Signal): void {
    const target = this.process.host.processes.byPid(pid);
    if (target === undefined) throw new SyscallError('kill', 'ESRCH');
    target.signal(signal);
  }
  getpid(): number {
    return this.process.pid;
  }
  gethostname(): string {
    return this.process.host.name;
  }
  uptime(): Micros {
    return this.process.host.clock.now() - this.process.host.bootedAt;
  }

  netlink<Q extends NetlinkQuery>(query: Q): NetlinkAnswer<Q> {
    const asked = this.process.host.netlink.ask(query);
    if (isErrno(asked)) throw new SyscallError('netlink', asked);
    return asked.answer;
  }
  sysctl(name: string): string | undefined {
    return this.procSys(name)?.read().trimEnd();
  }
  setSysctl(name: string, value: string): void {
    const file = this.procSys(name);
    if (file === undefined) throw new SyscallError('sysctl', 'ENOENT');
    must('sysctl', file.write === undefined ? 'EACCES' : file.write(value));
  }
  sysctls(): readonly string[] {
    return this.process.host.procfs.below('/proc/sys').map((path) => path.replaceAll('/', '.'));
  }

  mark(point: string, fields: TraceFields = {}): void {
    const { trace } = this.process.host;
    if (trace.on) trace.mark(point, this.cause, { pid: this.process.pid, ...fields });
  }
  setCause(cause: number): void {
    this.cause = cause;
  }
  thread(cause: number = this.cause): Syscalls {
    return new ProcessCalls(this.process, cause);
  }
  spawn(argv: readonly string[], options: SpawnOptions = {}): SpawnedProcess {
    const { process } = this;
    const { processes } = process.host;
    const name = argv[0] ?? '';
    if (!processes.programs.has(name)) throw new SyscallError('execve', 'ENOENT');
    const child = processes.fork(argv, this.inherited(options), process.pid);
    processes.run(child, name, this.cause);
    return { pid: child.pid, exited: child.exited, kill: (signal) => child.signal(signal) };
  }

  private inherited(options: SpawnOptions): OpenFile[] {
    const output = typeof options.stdout === 'function' ? new OutputFile(options.stdout) : undefined;
    return [0, 1, 2].map((fd) => {
      if (fd === 1 && output !== undefined) return output;
      const file = this.file('fork', fd);
      file.references++;
      return file;
    });
  }

  private file(syscall: string, fd: Fd): OpenFile {
    const file = this.process.files[fd];
    if (file === undefined) throw new SyscallError(syscall, 'EBADF');
    return file;
  }

  private procSys(name: string) {
    return this.process.host.procfs.lookup(`/proc/sys/${name.replaceAll('.', '/')}`);
  }
}

/** SO_RCVTIMEO and SO_SNDTIMEO, in microseconds, belong to the file: the kernel's side never waits. */
function setTimeouts(file: SocketFile, name: string, value: SockoptValue): boolean {
  if (typeof value !== 'number' || value < 0) return false;
  if (name === 'SO_RCVTIMEO') file.receiveTimeout = value;
  else if (name === 'SO_SNDTIMEO') file.sendTimeout = value;
  else return false;
  return true;
}
