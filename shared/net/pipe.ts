/**
 * Pipes (pipe(7); Linux: fs/pipe.c): two ends, octets in order, 16 buffers of a page between them. What is written in one
 * go of up to PIPE_BUF octets stays together. Left out: packet mode (O_DIRECT), F_SETPIPE_SZ.
 */
import type { Errno, Result } from './errno.ts';
import { type OpenFile, PIPE_BYTES_MAX } from './file.ts';
import { POLL, WaitQueue } from './sock.ts';

/** What is written whole or not at all. */
const PIPE_BUF = 4_096;

/** What both ends hold. */
class Pipe {
  readonly wait = new WaitQueue();
  readonly chunks: Uint8Array[] = [];
  bytes = 0;
  readers = 1;
  writers = 1;
}

abstract class PipeEnd implements OpenFile {
  readonly sk: undefined = undefined;
  nonblock: boolean;
  references = 1;
  readonly pipe: Pipe;

  constructor(pipe: Pipe, nonblock: boolean) {
    this.pipe = pipe;
    this.nonblock = nonblock;
  }
  get wait(): WaitQueue {
    return this.pipe.wait;
  }
  abstract poll(): number;
  abstract read(into: Uint8Array): Result<number>;
  abstract write(bytes: Uint8Array): Result<number>;
  abstract release(): void;
}

export class PipeReader extends PipeEnd {
  poll(): number {
    const { bytes, writers } = this.pipe;
    return (bytes > 0 ? POLL.IN : 0) | (writers === 0 ? POLL.HUP : 0);
  }
  read(into: Uint8Array): Result<number> {
    const { pipe } = this;
    if (into.length === 0) return 0;
    if (pipe.bytes === 0) return pipe.writers === 0 ? 0 : 'EAGAIN';
    let at = 0;
    while (at < into.length) {
      const first = pipe.chunks[0];
      if (first === undefined) break;
      const count = Math.min(first.length, into.length - at);
      into.set(first.subarray(0, count), at);
      at += count;
      if (count === first.length) pipe.chunks.shift();
      else pipe.chunks[0] = first.subarray(count);
    }
    pipe.bytes -= at;
    pipe.wait.wakeAll(POLL.OUT);
    return at;
  }
  write(): Errno {
    return 'EBADF';
  }
  /** What waits, `max` octets at most, which stay until they are read. */
  peek(max: number): Uint8Array {
    const out = new Uint8Array(Math.min(max, this.pipe.bytes));
    let at = 0;
    for (const chunk of this.pipe.chunks) {
      if (at === out.length) break;
      const count = Math.min(chunk.length, out.length - at);
      out.set(chunk.subarray(0, count), at);
      at += count;
    }
    return out;
  }
  release(): void {
    this.pipe.readers = 0;
    this.pipe.wait.wakeAll();
  }
}

export class PipeWriter extends PipeEnd {
  poll(): number {
    const { bytes, readers } = this.pipe;
    return (bytes < PIPE_BYTES_MAX ? POLL.OUT : 0) | (readers === 0 ? POLL.ERR : 0);
  }
  read(): Errno {
    return 'EBADF';
  }
  write(bytes: Uint8Array): Result<number> {
    const { pipe } = this;
    if (pipe.readers === 0) return 'EPIPE';
    if (bytes.length === 0) return 0;
    const room = PIPE_BYTES_MAX - pipe.bytes;
    if (room === 0 || (bytes.length <= PIPE_BUF && room < bytes.length)) return 'EAGAIN';
    const count = Math.min(room, bytes.length);
    pipe.chunks.push(bytes.slice(0, count));
    pipe.bytes += count;
    pipe.wait.wakeAll(POLL.IN);
    return count;
  }
  /** Octets that fit now. */
  get room(): number {
    return PIPE_BYTES_MAX - this.pipe.bytes;
  }
  get broken(): boolean {
    return this.pipe.readers === 0;
  }
  release(): void {
    this.pipe.writers = 0;
    this.pipe.wait.wakeAll();
  }
}

export function makePipe(nonblock: boolean): { reader: PipeReader; writer: PipeWriter } {
  const pipe = new Pipe();
  return { reader: new PipeReader(pipe, nonblock), writer: new PipeWriter(pipe, nonblock) };
}
