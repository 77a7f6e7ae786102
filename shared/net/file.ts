/**
 * Open file descriptions: what a descriptor stands for (Linux: struct file and its operations). A socket, the end of a
 * pipe that feeds standard input, or the one that takes standard output. Nothing here waits; EAGAIN is the answer, and
 * `wait` is where to wait.
 */
import { type Errno, isErrno, type Result } from './errno.ts';
import { POLL, type Sock, WaitQueue } from './sock.ts';

/** Linux's pipe: 16 pages of 4 kB. */
export const PIPE_BYTES_MAX = 65_536;

export interface OpenFile {
  /** The sock, when it is a socket. */
  readonly sk: Sock | undefined;
  /** O_NONBLOCK. */
  nonblock: boolean;
  /** Descriptors that stand for it: a child shares its parent's standard streams. */
  references: number;
  readonly wait: WaitQueue;
  /** POLL bits in force now. */
  poll(): number;
  read(into: Uint8Array): Result<number>;
  /** Octets taken, at least one. */
  write(bytes: Uint8Array): Result<number>;
  /** The last descriptor is gone. */
  release(): void;
}

export class SocketFile implements OpenFile {
  readonly sk: Sock;
  nonblock: boolean;
  references = 1;
  /** SO_RCVTIMEO and SO_SNDTIMEO in microseconds; 0 waits for ever. */
  receiveTimeout = 0;
  sendTimeout = 0;

  constructor(sk: Sock, nonblock: boolean) {
    this.sk = sk;
    this.nonblock = nonblock;
  }
  get wait(): WaitQueue {
    return this.sk.wait;
  }
  poll(): number {
    return this.sk.proto.poll(this.sk);
  }
  read(into: Uint8Array): Result<number> {
    const message = this.sk.proto.recvmsg(this.sk, into, 0);
    return isErrno(message) ? message : message.length;
  }
  write(bytes: Uint8Array): Result<number> {
    return this.sk.proto.sendmsg(this.sk, bytes, {});
  }
  release(): void {
    this.sk.proto.close(this.sk);
  }
}

/** Standard input: bytes that somebody outside writes, in order, and an end. */
export class InputFile implements OpenFile {
  readonly sk: undefined = undefined;
  nonblock = false;
  references = 1;
  readonly wait: WaitQueue = new WaitQueue();
  private readonly chunks: Uint8Array[] = [];
  private bytes = 0;
  private ended: boolean;
  private drained: (() => void) | undefined;

  constructor(ended: boolean) {
    this.ended = ended;
  }

  /** From outside; false when it is full enough for now: wait for onDrain. What comes after the end is ignored. */
  feed(bytes: Uint8Array): boolean {
    if (this.ended || bytes.length === 0) return true;
    this.chunks.push(bytes.slice());
    this.bytes += bytes.length;
    this.wait.wakeAll();
    return this.bytes < PIPE_BYTES_MAX;
  }
  end(): void {
    this.ended = true;
    this.wait.wakeAll();
  }
  onDrain(drained: () => void): void {
    this.drained = drained;
  }
  poll(): number {
    return (this.bytes > 0 ? POLL.IN : 0) | (this.ended ? POLL.IN | POLL.HUP : 0);
  }
  read(into: Uint8Array): Result<number> {
    const first = this.chunks[0];
    if (first === undefined) return this.ended ? 0 : 'EAGAIN';
    const n = Math.min(first.length, into.length);
    into.set(first.subarray(0, n));
    if (n === first.length) this.chunks.shift();
    else this.chunks[0] = first.subarray(n);
    this.bytes -= n;
    if (this.bytes === 0) this.drained?.();
    return n;
  }
  write(): Errno {
    return 'EBADF';
  }
  release(): void {
    this.chunks.length = 0;
    this.bytes = 0;
    this.ended = true;
    this.drained?.();
  }
}

/** Where standard output goes; a promise means: not faster than this. */
export type Sink = (bytes: Uint8Array) => void | Promise<void>;

export class OutputFile implements OpenFile {
  readonly sk: undefined = undefined;
  nonblock = false;
  references = 1;
  readonly wait: WaitQueue = new WaitQueue();
  private readonly sink: Sink;
  private pending = 0;
  private broken = false;

  constructor(sink: Sink) {
    this.sink = sink;
  }
  poll(): number {
    return (this.pending < PIPE_BYTES_MAX ? POLL.OUT : 0) | (this.broken ? POLL.ERR : 0);
  }
  read(): Errno {
    return 'EBADF';
  }
  write(bytes: Uint8Array): Result<number> {
    if (this.broken) return 'EPIPE';
    if (this.pending >= PIPE_BYTES_MAX) return 'EAGAIN';
    if (bytes.length === 0) return 0;
    // The reader gets bytes of its own: the program may use its buffer again at once.
    const taken = this.sink(bytes.slice());
    if (taken !== undefined) this.hold(bytes.length, taken);
    return bytes.length;
  }
  release(): void {}

  private hold(size: number, taken: Promise<void>): void {
    this.pending += size;
    const release = (): void => {
      this.pending -= size;
      this.wait.wakeAll();
    };
    taken.then(release, () => {
      this.broken = true; // The reader is gone.
      release();
    });
  }
}
