/**
 * Octets from one descriptor to another without the program: sendfile, splice, tee (Linux: fs/splice.c). Pages of a file
 * go into packets as they are (MSG_SPLICE_PAGES): nothing is copied on the way to the card.
 * Left out: splice with an offset into a file, vmsplice.
 */
import { type Errno, isErrno, type Result, SyscallError } from './errno.ts';
import { type OpenFile, PIPE_BYTES_MAX } from './file.ts';
import { PipeReader, PipeWriter } from './pipe.ts';
import type { Process } from './process.ts';
import { MSG } from './sock.ts';
import { RegularFile } from './syscall-file.ts';
import { type Caller, receiveNow, sendNow } from './syscall-socket.ts';
import { blockOn } from './syscall-wait.ts';
import type { Fd } from './syscalls.ts';

/** SPLICE_F_*. */
export const SPLICE = { MOVE: 1, NONBLOCK: 2, MORE: 4, GIFT: 8 } as const;
/** MAX_RW_COUNT. */
const COUNT_MAX = 0x7fff_f000;

function fileOf(process: Process, syscall: string, fd: Fd): OpenFile {
  const file = process.files[fd];
  if (file === undefined) throw new SyscallError(syscall, 'EBADF');
  return file;
}

/** Octets go to `file`: a socket takes them as pages, more to come or not. */
function give(caller: Caller, file: OpenFile, bytes: Uint8Array, more: boolean): Result<number> {
  if (file.sk === undefined) return file.write(bytes);
  const flags = MSG.SPLICE_PAGES | (more ? MSG.MORE : 0);
  return sendNow(caller, file.sk, bytes, { flags });
}

/** Send all of `bytes`, or what there is room for when nobody waits. */
async function giveAll(
  caller: Caller,
  to: { syscall: string; fd: Fd; file: OpenFile; dontWait: boolean },
  bytes: Uint8Array,
  more: boolean,
): Promise<number> {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += await blockOn(caller.process, to, () => give(caller, to.file, bytes.subarray(at), more));
    } catch (error) {
      if (at > 0 && error instanceof SyscallError) return at;
      throw error;
    }
    if (at < bytes.length && (to.file.nonblock || to.dontWait)) break;
  }
  return at;
}

/** Linux: do_sendfile, splice_direct_to_actor: by 16 pages at a time. */
export async function sendfile(
  caller: Caller,
  to: Fd,
  from: Fd,
  offset: number | undefined,
  count: number,
): Promise<number> {
  const { process } = caller;
  const source = fileOf(process, 'sendfile', from);
  const file = fileOf(process, 'sendfile', to);
  if (!(source instanceof RegularFile)) throw new SyscallError('sendfile', 'EINVAL');
  if (source.access === 'write') throw new SyscallError('sendfile', 'EBADF');
  if (offset !== undefined && offset < 0) throw new SyscallError('sendfile', 'EINVAL');
  const bytes = source.bytes;
  if (isErrno(bytes)) throw new SyscallError('sendfile', bytes);
  const start = offset ?? source.position;
  const end = Math.min(bytes.length, start + Math.min(count, COUNT_MAX));
  let at = start;
  while (at < end) {
    const piece = bytes.subarray(at, Math.min(end, at + PIPE_BYTES_MAX));
    const more = at + piece.length < start + count && at + piece.length < end;
    try {
      const sent = await giveAll(caller, { syscall: 'sendfile', fd: to, file, dontWait: false }, piece, more);
      at += sent;
      if (sent < piece.length) break;
    } catch (error) {
      if (at > start && error instanceof SyscallError) break;
      throw error;
    }
  }
  if (offset === undefined) source.position = at;
  return at - start;
}

/** Linux: do_splice: one end at least is a pipe. */
export async function splice(caller: Caller, from: Fd, to: Fd, count: number, flags: number): Promise<number> {
  const { process } = caller;
  if (count === 0) return 0;
  if ((flags & ~15) !== 0) throw new SyscallError('splice', 'EINVAL');
  const source = fileOf(process, 'splice', from);
  const target = fileOf(process, 'splice', to);
  const dontWait = (flags & SPLICE.NONBLOCK) !== 0;
  if (source instanceof PipeReader) return fromPipe(caller, { from, to, source, target }, count, flags);
  if (!(target instanceof PipeWriter)) throw new SyscallError('splice', 'EINVAL');
  if (target.broken) throw new SyscallError('splice', 'EPIPE');
  const into = new Uint8Array(Math.min(count, Math.max(1, await roomOf(caller, to, target, dontWait))));
  const block = { syscall: 'splice', fd: from, file: source, dontWait };
  const got = await blockOn(process, block, () => take(caller, source, into));
  target.write(into.subarray(0, got));
  return got;
}

/** What there is, without waiting for more (tcp_splice_read once it has something). */
function take(caller: Caller, source: OpenFile, into: Uint8Array): Result<number> {
  if (source.sk === undefined) return source.read(into);
  const message = receiveNow(caller, source.sk, into, MSG.SPLICE_PAGES);
  return isErrno(message) ? message : message.length;
}

function roomOf(caller: Caller, fd: Fd, target: PipeWriter, dontWait: boolean): Promise<number> {
  const block = { syscall: 'splice', fd, file: target, dontWait };
  return blockOn(caller.process, block, () => (target.room > 0 ? target.room : 'EAGAIN'));
}

async function fromPipe(
  caller: Caller,
  ends: { from: Fd; to: Fd; source: PipeReader; target: OpenFile },
  count: number,
  flags: number,
): Promise<number> {
  const { source, target } = ends;
  if (target instanceof PipeWriter && target.pipe === source.pipe) throw new SyscallError('splice', 'EINVAL');
  const dontWait = (flags & SPLICE.NONBLOCK) !== 0;
  const block = { syscall: 'splice', fd: ends.from, file: source, dontWait };
  const ready = await blockOn<{ bytes: Uint8Array }>(caller.process, block, () => {
    if (source.pipe.bytes > 0) return { bytes: source.peek(count) };
    return source.pipe.writers === 0 ? { bytes: new Uint8Array(0) } : 'EAGAIN';
  });
  const { bytes } = ready;
  if (bytes.length === 0) return 0;
  const more = (flags & SPLICE.MORE) !== 0;
  const out = { syscall: 'splice', fd: ends.to, file: target, dontWait };
  const given = await giveAll(caller, out, bytes, more);
  source.read(new Uint8Array(given));
  return given;
}

/** Linux: do_tee. */
export function tee(caller: Caller, from: Fd, to: Fd, count: number, flags: number): number {
  const source = fileOf(caller.process, 'tee', from);
  const target = fileOf(caller.process, 'tee', to);
  if ((flags & ~15) !== 0) throw new SyscallError('tee', 'EINVAL');
  if (count === 0) return 0;
  if (!(source instanceof PipeReader) || !(target instanceof PipeWriter) || source.pipe === target.pipe) {
    throw new SyscallError('tee', 'EINVAL');
  }
  const bytes = source.peek(Math.min(count, target.room));
  if (bytes.length === 0) {
    const why: Errno | undefined = source.pipe.bytes === 0 && source.pipe.writers === 0 ? undefined : 'EAGAIN';
    if (why !== undefined) throw new SyscallError('tee', why);
    return 0;
  }
  target.write(bytes);
  return bytes.length;
}
