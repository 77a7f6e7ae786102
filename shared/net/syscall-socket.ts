/**
 * The socket system calls (Linux: net/socket.c, inet_stream_connect, inet_accept). Here user data crosses into the kernel
 * and back, so here those copies are counted; and here causes pass: what a thread received last is what it sends for.
 */
import { formatIpv4 } from '../header/address.ts';
import { isErrno, type Result, SyscallError } from './errno.ts';
import { SocketFile } from './file.ts';
import type { Process } from './process.ts';
import {
  type HeldCall,
  type LinkAddress,
  MSG,
  POLL,
  type ReceivedMessage,
  type SendOptions,
  type Sock,
  type SockAddress,
  type SocketType,
} from './sock.ts';
import { type BlockOptions, blockOn, must, neverReturns } from './syscall-wait.ts';
import { BAD_ADDRESS, type Fd, type OpenFlags } from './syscalls.ts';

/** Who calls: a process and, in it, one thread of cause. */
export interface Caller {
  readonly process: Process;
  cause: number;
}

export function socketFile(caller: Caller, syscall: string, fd: Fd): SocketFile {
  const file = caller.process.files[fd];
  if (file === undefined) throw new SyscallError(syscall, 'EBADF');
  if (!(file instanceof SocketFile)) throw new SyscallError(syscall, 'ENOTSOCK');
  return file;
}

export function openSocket(
  caller: Caller,
  kind: { family: 'inet' | 'packet'; type: SocketType; protocol: number },
  flags: OpenFlags,
): Fd {
  const { process } = caller;
  const host = process.host;
  if (!process.alive) throw new SyscallError('socket', 'EINTR');
  const sk = host.sockets.create(host, kind.family, kind.type, kind.protocol);
  if (isErrno(sk)) throw new SyscallError('socket', sk);
  return installSocket(caller, 'socket', sk, flags);
}

function installSocket(caller: Caller, syscall: string, sk: Sock, flags: OpenFlags): Fd {
  const { process } = caller;
  sk.pid = process.pid;
  sk.processName = process.name;
  const fd = process.install(new SocketFile(sk, flags.nonblock ?? false));
  if (isErrno(fd)) {
    sk.proto.close(sk);
    throw new SyscallError(syscall, fd);
  }
  return fd;
}

export function bindSocket(caller: Caller, fd: Fd, address: SockAddress | LinkAddress): void {
  const { sk } = socketFile(caller, 'bind', fd);
  if ('ifindex' in address) {
    must('bind', sk.proto.bindLink?.(sk, address) ?? (sk.proto.bindLink ? undefined : 'EINVAL'));
    return;
  }
  must('bind', sk.proto.bind(sk, address));
}

export function listenSocket(caller: Caller, fd: Fd, backlog: number): void {
  const { sk } = socketFile(caller, 'listen', fd);
  must('listen', sk.proto.listen === undefined ? 'EOPNOTSUPP' : sk.proto.listen(sk, backlog));
}

export async function acceptSocket(caller: Caller, fd: Fd, flags: OpenFlags): Promise<{ fd: Fd; peer: SockAddress }> {
  const file = socketFile(caller, 'accept', fd);
  const options = { syscall: 'accept', fd, file, timeout: file.receiveTimeout };
  const child = await blockOn(caller.process, options, () => acceptNow(file.sk));
  return finishAccept(caller, child, flags);
}

/** A connection if one is ready, for the adapters. */
export function tryAcceptSocket(caller: Caller, fd: Fd, flags: OpenFlags): { fd: Fd; peer: SockAddress } | undefined {
  const child = acceptNow(socketFile(caller, 'accept', fd).sk);
  if (child === 'EAGAIN') return undefined;
  return finishAccept(caller, must('accept', child), flags);
}

function acceptNow(sk: Sock): Result<Sock> {
  return sk.proto.accept === undefined ? 'EOPNOTSUPP' : sk.proto.accept(sk);
}

function finishAccept(caller: Caller, child: Sock, flags: OpenFlags): { fd: Fd; peer: SockAddress } {
  caller.cause = child.cause;
  const peer = { address: child.remoteAddress, port: child.remotePort };
  return { fd: installSocket(caller, 'accept', child, flags), peer };
}

export async function connectSocket(caller: Caller, fd: Fd, address: SockAddress): Promise<void> {
  const { process } = caller;
  if (!process.alive) return neverReturns();
  const file = socketFile(caller, 'connect', fd);
  const sk = file.sk;
  if (caller.cause !== 0) sk.cause = caller.cause;
  const { trace } = sk.host;
  if (trace.on) {
    const to = `${formatIpv4(address.address)}:${address.port}`;
    trace.mark('sys_enter_connect', caller.cause, { fd, to, program: sk.processName });
  }
  const answer = sk.proto.connect(sk, address);
  if (answer === undefined) return;
  if (answer !== 'EINPROGRESS' && !(answer === 'EALREADY' && !file.nonblock)) throw new SyscallError('connect', answer);
  const options = { syscall: 'connect', fd, file, timeout: file.sendTimeout };
  if (file.nonblock) throw new SyscallError('connect', answer);
  try {
    await blockOn(process, options, () => connectOutcome(sk));
  } finally {
    // As inet_stream_connect does when it wakes: the socket learns that the program knows.
    if (process.files[fd] === file && connectOutcome(sk) !== 'EAGAIN') sk.proto.connect(sk, address);
  }
}

/** How a handshake ended, or EAGAIN while it goes on. */
export function connectOutcome(sk: Sock): Result<true> {
  const error = sk.takeError();
  if (error !== undefined) return error;
  const ready = sk.proto.poll(sk);
  if ((ready & POLL.OUT) !== 0 && (ready & POLL.HUP) === 0) return true;
  if ((ready & (POLL.HUP | POLL.ERR)) !== 0) return 'ECONNABORTED';
  return 'EAGAIN';
}

function flagsOf(options: SendOptions): number {
  return options.flags ?? 0;
}

/** One attempt to send; counts the copy. */
export function sendNow(caller: Caller, sk: Sock, bytes: Uint8Array, options: SendOptions): Result<number> {
  if (caller.cause !== 0) sk.cause = caller.cause;
  // Nothing is copied; errors of the socket come first.
  if (bytes === BAD_ADDRESS) return sk.takeError() ?? (sk.shutdownWrite ? 'EPIPE' : 'EFAULT');
  const sent = sk.proto.sendmsg(sk, bytes, options);
  // sk_stream_error: a stream that is broken tells the process, unless it asked not to.
  if (sent === 'EPIPE' && sk.type === 'stream' && (flagsOf(options) & MSG.NOSIGNAL) === 0) {
    caller.process.signal('SIGPIPE', false);
  }
  if (typeof sent === 'number') {
    const counters = sk.host.skbs.counters;
    // What stays in the program's memory is not copied, or it is counted where it has to be (skb_copy_ubufs).
    const flags = flagsOf(options);
    const stays = (flags & MSG.SPLICE_PAGES) !== 0 || ((flags & MSG.ZEROCOPY) !== 0 && sk.zerocopy);
    if (!stays || sk.type !== 'stream') {
      counters.copies.userToKernel++;
      counters.copiedBytes.userToKernel += sent;
    }
  }
  return sent;
}

export async function sendSocket(caller: Caller, fd: Fd, bytes: Uint8Array, options: SendOptions): Promise<number> {
  const file = socketFile(caller, 'send', fd);
  const { sk } = file;
  const { trace } = sk.host;
  if (trace.on) trace.mark('sys_enter_sendto', caller.cause, { fd, length: bytes.length, program: sk.processName });
  const dontWait = ((options.flags ?? 0) & MSG.DONTWAIT) !== 0;
  const block = { syscall: 'send', fd, file, dontWait, timeout: file.sendTimeout };
  if (sk.type !== 'stream') return blockOn(caller.process, block, () => sendNow(caller, sk, bytes, options));
  if (file.nonblock || dontWait) return blockOn(caller.process, block, () => sendNow(caller, sk, bytes, options));
  return sendAll(caller, block, bytes, options);
}

/** A stream takes what it has room for, and the caller waits until all is taken or an error comes. */
async function sendAll(
  caller: Caller,
  block: { syscall: string; fd: Fd; file: SocketFile; timeout: number },
  bytes: Uint8Array,
  options: SendOptions,
): Promise<number> {
  const { sk } = block.file;
  const held: HeldCall = {};
  const deadline = block.timeout > 0 ? sk.host.clock.now() + block.timeout : 0;
  let at = 0;
  let rest: SendOptions = { ...options, held };
  if (sk.proto.writeConnects?.(sk, flagsOf(options)) === true) {
    at = await sendOpening(caller, block, bytes, options);
    if (at > 0 && at === bytes.length) return at;
    rest = { ...rest, flags: flagsOf(options) & ~MSG.FASTOPEN };
  }
  sk.writePending++;
  try {
    do {
      const left = deadline === 0 ? 0 : Math.max(1, deadline - sk.host.clock.now());
      at += await blockOn(caller.process, { ...block, timeout: left }, () => {
        const sent = sendNow(caller, sk, at === 0 ? bytes : bytes.subarray(at), rest);
        if (rest.resumed !== true) rest = { ...rest, resumed: true };
        return sent;
      });
      if (options.parts !== undefined) rest = { ...rest, parts: partsFrom(options.parts, at) };
    } while (at < bytes.length);
  } catch (error) {
    // What was taken was taken: the error comes with the next call.
    if (at === 0 || !(error instanceof SyscallError)) throw error;
    sk.proto.sendmsgEnd?.(sk, rest);
  } finally {
    sk.writePending--;
    held.zerocopy?.release();
  }
  return at;
}

/** A write that connects (Fast Open): wait until the handshake is over. Returns how much went with the SYN. */
async function sendOpening(
  caller: Caller,
  block: BlockOptions,
  bytes: Uint8Array,
  options: SendOptions,
): Promise<number> {
  const { process } = caller;
  const { sk } = block.file as SocketFile;
  const sent = sendNow(caller, sk, bytes, options);
  if (isErrno(sent) && sent !== 'EINPROGRESS') throw new SyscallError(block.syscall, sent);
  const at = typeof sent === 'number' ? sent : 0;
  if (sk.proto.handshaking?.(sk) !== true) return at;
  // With all of it in the SYN there is nothing that the ACK could wait for.
  const more = isErrno(sent) || at < bytes.length ? 1 : 0;
  sk.writePending += more;
  try {
    await blockOn(process, block, () => connectOutcome(sk));
  } finally {
    sk.writePending -= more;
    const to = { address: sk.remoteAddress, port: sk.remotePort };
    if (process.files[block.fd] === block.file && connectOutcome(sk) !== 'EAGAIN') sk.proto.connect(sk, to);
  }
  return at;
}

/** What is left of an iovec when `at` octets were taken. */
function partsFrom(parts: readonly number[], at: number): number[] {
  const left: number[] = [];
  let skip = at;
  for (const part of parts) {
    if (part > skip) left.push(part - skip);
    skip = Math.max(0, skip - part);
  }
  return left;
}

export function trySendSocket(caller: Caller, fd: Fd, bytes: Uint8Array, options: SendOptions): number {
  const { sk } = socketFile(caller, 'send', fd);
  const sent = sendNow(caller, sk, bytes, options);
  if (sent === 'EAGAIN') return 0;
  return must('send', sent);
}

/** One attempt to receive; counts the copy, and the thread's cause becomes the packet's. */
export function receiveNow(caller: Caller, sk: Sock, into: Uint8Array, flags: number): Result<ReceivedMessage> {
  if (into === BAD_ADDRESS) {
    const there = sk.proto.recvmsg(sk, new Uint8Array(1), flags | MSG.PEEK);
    return isErrno(there) || there.length === 0 ? there : 'EFAULT';
  }
  const message = sk.proto.recvmsg(sk, into, flags);
  if (isErrno(message)) return message;
  caller.cause = sk.cause;
  if (message.length > 0) {
    const counters = sk.host.skbs.counters;
    const copied = Math.min(message.length, into.length);
    counters.copies.kernelToUser++;
    counters.copiedBytes.kernelToUser += copied;
    const { trace } = sk.host;
    // Datagrams mark it themselves, with the packet's identity.
    if (trace.on && sk.type === 'stream') {
      trace.mark('skb_copy_datagram', sk.cause, { protocol: sk.proto.name, length: copied, program: sk.processName });
    }
  }
  return message;
}

export async function receiveSocket(caller: Caller, fd: Fd, into: Uint8Array, flags: number): Promise<ReceivedMessage> {
  const file = socketFile(caller, 'recv', fd);
  const { sk } = file;
  const { trace } = sk.host;
  if (trace.on) trace.mark('sys_enter_recvfrom', caller.cause, { fd, program: sk.processName });
  const dontWait = (flags & (MSG.DONTWAIT | MSG.ERRQUEUE | MSG.OOB)) !== 0;
  const block = { syscall: 'recv', fd, file, dontWait, timeout: file.receiveTimeout };
  const attempt = (): Result<ReceivedMessage> => receiveNow(caller, sk, into, flags);
  const target = (flags & MSG.WAITALL) !== 0 ? into.length : Math.min(sk.rcvlowat, into.length);
  const once = sk.type !== 'stream' || target <= 1 || file.nonblock || dontWait || (flags & MSG.ERRQUEUE) !== 0;
  if (once || into === BAD_ADDRESS) return blockOn(caller.process, block, attempt);
  return receiveAtLeast(caller, block, into, { flags, target });
}

/** More will not come, or not as data that may be read with what is there: the end, an error, urgent data. */
function nothingFollows(sk: Sock): boolean {
  if ((sk.proto.poll(sk) & (POLL.RDHUP | POLL.HUP | POLL.ERR)) !== 0) return true;
  return sk.proto.ioctl(sk, 'SIOCATMARK') === 1;
}

/**
 * Wait until there are `target` octets (MSG_WAITALL, SO_RCVLOWAT), unless the stream ends, an error comes or time is up:
 * then what there is (Linux: the loop of tcp_recvmsg_locked). A peek looks at all of it again.
 */
async function receiveAtLeast(
  caller: Caller,
  block: { syscall: string; fd: Fd; file: SocketFile; timeout: number },
  into: Uint8Array,
  { flags, target }: { flags: number; target: number },
): Promise<ReceivedMessage> {
  const { sk } = block.file;
  const peek = (flags & MSG.PEEK) !== 0;
  const deadline = block.timeout > 0 ? sk.host.clock.now() + block.timeout : 0;
  let at = 0;
  let last: ReceivedMessage = { length: 0, flags: 0 };
  const attempt = (): Result<{ ended: boolean }> => {
    const got = receiveNow(caller, sk, peek ? into : into.subarray(at), flags);
    if (isErrno(got)) return got;
    const more = peek ? got.length - at : got.length;
    at += more;
    last = got;
    const ended = at >= target || got.length === 0 || nothingFollows(sk);
    return ended || more > 0 ? { ended } : 'EAGAIN';
  };
  for (;;) {
    const left = deadline === 0 ? 0 : Math.max(1, deadline - sk.host.clock.now());
    try {
      const { ended } = await blockOn(caller.process, { ...block, timeout: left }, attempt);
      if (ended) break;
    } catch (error) {
      if (at > 0 && error instanceof SyscallError) break;
      throw error;
    }
  }
  return { ...last, length: at };
}

export function tryReceiveSocket(caller: Caller, fd: Fd, into: Uint8Array, flags: number): ReceivedMessage | undefined {
  const { sk } = socketFile(caller, 'recv', fd);
  const message = receiveNow(caller, sk, into, flags);
  if (message === 'EAGAIN') return undefined;
  return must('recv', message);
}
