/** Descriptors that are no sockets: files by their path, pipes, epoll (Linux: do_sys_open, do_pipe2, do_epoll_ctl). */
import type { Micros } from '../platform.ts';
import { type Errno, isErrno, type Result, SyscallError } from './errno.ts';
import { EPOLL_EVENTS_MAX, type EpollEvent, EpollFile, type EpollOperation, epollWait } from './eventpoll.ts';
import type { OpenFile } from './file.ts';
import type { Filesystem } from './filesystem.ts';
import { makePipe } from './pipe.ts';
import type { Process } from './process.ts';
import { POLL, WaitQueue } from './sock.ts';
import { neverReturns, sleepOn } from './syscall-wait.ts';
import type { Fd, FileFlags, OpenFlags } from './syscalls.ts';

/** A file of the host, with a place in it. What it holds is looked up anew at each read. */
export class RegularFile implements OpenFile {
  readonly sk: undefined = undefined;
  nonblock = false;
  references = 1;
  readonly wait: WaitQueue = new WaitQueue();
  readonly path: string;
  readonly access: 'read' | 'write' | 'both';
  readonly append: boolean;
  position = 0;
  private readonly filesystem: Filesystem;

  constructor(filesystem: Filesystem, path: string, flags: FileFlags) {
    this.filesystem = filesystem;
    this.path = path;
    this.access = flags.access ?? 'read';
    this.append = flags.append ?? false;
  }
  get bytes(): Result<Uint8Array> {
    return this.filesystem.readFile(this.path);
  }
  poll(): number {
    return POLL.IN | POLL.OUT;
  }
  read(into: Uint8Array): Result<number> {
    if (this.access === 'write') return 'EBADF';
    const { bytes } = this;
    if (isErrno(bytes)) return bytes;
    const part = bytes.subarray(this.position, this.position + into.length);
    into.set(part);
    this.position += part.length;
    return part.length;
  }
  write(bytes: Uint8Array): Result<number> {
    if (this.access === 'read') return 'EBADF';
    const before = this.bytes;
    if (isErrno(before)) return before;
    const at = this.append ? before.length : this.position;
    const whole = new Uint8Array(Math.max(before.length, at + bytes.length));
    whole.set(before);
    whole.set(bytes, at);
    const error = this.filesystem.writeFile(this.path, whole);
    if (error !== undefined) return error;
    this.position = at + bytes.length;
    return bytes.length;
  }
  release(): void {}
}

export function installFile(process: Process, syscall: string, file: OpenFile): Fd {
  const fd = process.install(file);
  if (!isErrno(fd)) return fd;
  file.release();
  throw new SyscallError(syscall, fd);
}

export function openFile(process: Process, path: string, flags: FileFlags): Fd {
  const { filesystem } = process.host;
  const there = filesystem.readFile(path);
  const writes = flags.access === 'write' || flags.access === 'both';
  let error: Errno | undefined;
  if (isErrno(there)) {
    error = there === 'ENOENT' && flags.create === true ? filesystem.writeFile(path, new Uint8Array(0)) : there;
  } else if (writes && flags.truncate === true) error = filesystem.writeFile(path, new Uint8Array(0));
  if (error !== undefined) throw new SyscallError('open', error);
  return installFile(process, 'open', new RegularFile(filesystem, path, flags));
}

export function openPipe(process: Process, flags: OpenFlags): { reader: Fd; writer: Fd } {
  const { reader, writer } = makePipe(flags.nonblock ?? false);
  const first = installFile(process, 'pipe2', reader);
  return { reader: first, writer: installFile(process, 'pipe2', writer) };
}

function epollOf(process: Process, syscall: string, fd: Fd): EpollFile {
  const file = process.files[fd];
  if (file === undefined) throw new SyscallError(syscall, 'EBADF');
  if (!(file instanceof EpollFile)) throw new SyscallError(syscall, 'EINVAL');
  return file;
}

export function controlEpoll(
  process: Process,
  epoll: Fd,
  asked: { operation: EpollOperation; fd: Fd; event: EpollEvent | undefined },
): void {
  const { operation, fd, event } = asked;
  const target = process.files[fd];
  if (process.files[epoll] === undefined || target === undefined) throw new SyscallError('epoll_ctl', 'EBADF');
  // A file that is always ready cannot be waited for.
  if (target instanceof RegularFile) throw new SyscallError('epoll_ctl', 'EPERM');
  const error = epollOf(process, 'epoll_ctl', epoll).control(operation, fd, target, event);
  if (error !== undefined) throw new SyscallError('epoll_ctl', error);
}

export async function waitEpoll(process: Process, epoll: Fd, max: number, timeout?: Micros): Promise<EpollEvent[]> {
  if (!process.alive) return neverReturns();
  if (max <= 0 || max > EPOLL_EVENTS_MAX) throw new SyscallError('epoll_wait', 'EINVAL');
  const file = epollOf(process, 'epoll_wait', epoll);
  const found = await epollWait(process, file, max, (queue, left) => sleepOn(process, [queue], left), timeout);
  if (isErrno(found)) throw new SyscallError('epoll_wait', found);
  return found;
}
