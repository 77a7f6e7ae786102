/**
 * Sockets as Node's own streams, so that Node's `http` and `tls` run over the emulated TCP as they are. A SocketStream is
 * what net.Socket is to a program: a Duplex with back-pressure both ways, half-close, Node's error codes, and addresses.
 *
 * Interface:
 * - connectStream(sys, { address, port }) dials; `connect` or `error` follows, as with net.connect.
 * - listenStream(sys, { port }, onConnection) takes connections; feed them to http with server.emit('connection', stream).
 * - Timeouts run on the lab clock. ref() and unref() change nothing: a process here ends when its program returns.
 * - When the process has ended, its streams fall silent: no event reaches code that no longer runs.
 *
 * No promise and no closure per packet: one watch a socket, and reads into one buffer that all sockets share.
 */
import { Buffer } from 'node:buffer';
import { Duplex } from 'node:stream';
import { formatIpv4, IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { errorText, SyscallError } from '../net/errno.ts';
import { POLL, type SockAddress } from '../net/sock.ts';
import type { Fd, Syscalls } from '../net/syscalls.ts';
import type { Timer } from '../platform.ts';

/** libuv's read size. */
const READ_BYTES = 65_536;
/** Node's default backlog. */
const BACKLOG = 511;
const HIGH_WATER_BYTES = 65_536;

/** Filled and copied out before anything else can run, so one is enough. */
const readBuffer = new Uint8Array(READ_BYTES);

interface Unsent {
  chunk: Uint8Array;
  at: number;
  readonly done: (error?: Error | null) => void;
}

/** An error as Node words it: `connect ECONNREFUSED 10.0.0.2:80`. */
export function nodeError(error: unknown, syscall: string, peer?: SockAddress): Error {
  if (!(error instanceof SyscallError)) return error instanceof Error ? error : new Error(String(error));
  const where = peer === undefined ? '' : ` ${formatIpv4(peer.address)}:${peer.port}`;
  const address = peer === undefined ? {} : { address: formatIpv4(peer.address), port: peer.port };
  const { code, errno } = error;
  return Object.assign(new Error(`${syscall} ${code}${where}`), {
    code,
    errno,
    syscall,
    ...address,
    reason: errorText(code),
  });
}

export interface StreamOptions {
  readonly allowHalfOpen?: boolean;
}

export class SocketStream extends Duplex {
  /** A thread of its own: what arrives here sets the cause of what is sent here. */
  readonly sys: Syscalls;
  readonly fd: Fd;
  connecting = false;
  bytesRead = 0;
  bytesWritten = 0;
  timeout = 0;
  private peer: SockAddress | undefined;
  private local: SockAddress | undefined;
  private closed_ = false;
  private wantsData = false;
  private unsent: Unsent | undefined;
  private finish: ((error?: Error | null) => void) | undefined;
  private readonly unwatch: () => void;
  private idle: Timer | undefined;
  private lastActivity = 0;
  /** Set by Node's http, on both sides: what reads this connection's messages. */
  declare parser?: { close(): void } | null | undefined;

  constructor(sys: Syscalls, fd: Fd, options: StreamOptions = {}) {
    const mark = { readableHighWaterMark: HIGH_WATER_BYTES, writableHighWaterMark: HIGH_WATER_BYTES };
    super({ ...mark, allowHalfOpen: options.allowHalfOpen ?? false, autoDestroy: true });
    this.sys = sys;
    this.fd = fd;
    this.unwatch = sys.watch(fd, () => this.changed());
  }

  /** Dial. The result comes as `connect` or `error`. */
  dial(peer: SockAddress): this {
    this.connecting = true;
    this.peer = peer;
    this.sys.connect(this.fd, peer).then(
      () => this.connected(),
      (error: unknown) => this.destroy(nodeError(error, 'connect', peer)),
    );
    return this;
  }

  /** An accepted connection knows its peer from the start. */
  adopt(peer: SockAddress): this {
    this.peer = peer;
    return this;
  }

  override _read(): void {
    this.wantsData = true;
    if (!this.connecting) this.pump();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.unsent = { chunk, at: 0, done };
    if (!this.connecting) this.flush();
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.connecting) {
      this.finish = done;
      return;
    }
    try {
      this.sys.shutdown(this.fd, 'write');
      done();
    } catch (error) {
      // The peer was faster: there is nothing left to shut.
      done(error instanceof SyscallError && error.code === 'ENOTCONN' ? null : nodeError(error, 'shutdown'));
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.connecting = false;
    this.idle?.stop();
    this.unsent = undefined;
    if (!this.closed_) {
      this.closed_ = true;
      this.unwatch();
      this.local ??= this.localNow();
      if ((this.sys.readiness(this.fd) & POLL.NVAL) === 0) this.sys.close(this.fd);
    }
    done(error);
  }

  /** End our direction, and close when all is written (net.Socket's, which http uses). */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** Close with a RST. */
  resetAndDestroy(): this {
    if (!this.closed_) this.sys.setsockopt(this.fd, 'SOL_SOCKET', 'SO_LINGER', { on: true, seconds: 0 });
    return this.destroy();
  }

  /** `timeout` is emitted after so many milliseconds of lab time without traffic; 0 for never. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    this.timeout = milliseconds;
    if (listener !== undefined) {
      if (milliseconds === 0) this.removeListener('timeout', listener);
      else this.once('timeout', listener);
    }
    this.touch();
    if (milliseconds === 0 || this.closed_) {
      this.idle?.stop();
      return this;
    }
    this.idle ??= this.sys.timer(() => this.checkIdle());
    this.idle.arm(milliseconds * 1_000);
    return this;
  }

  setNoDelay(on = true): this {
    return this.option('SOL_TCP', 'TCP_NODELAY', Number(on));
  }
  setKeepAlive(on = false): this {
    return this.option('SOL_SOCKET', 'SO_KEEPALIVE', Number(on));
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  address(): { address: string; family: string; port: number } | Record<string, never> {
    const at = this.localNow();
    return at === undefined ? {} : { address: formatIpv4(at.address), family: 'IPv4', port: at.port };
  }
  get pending(): boolean {
    return this.connecting;
  }
  get readyState(): string {
    if (this.connecting) return 'opening';
    if (this.readable && this.writable) return 'open';
    return this.readable ? 'readOnly' : this.writable ? 'writeOnly' : 'closed';
  }
  get remoteAddress(): string | undefined {
    return this.peer === undefined ? undefined : formatIpv4(this.peer.address);
  }
  get remotePort(): number | undefined {
    return this.peer?.port;
  }
  get remoteFamily(): string | undefined {
    return this.peer === undefined ? undefined : 'IPv4';
  }
  get localAddress(): string | undefined {
    const at = this.localNow();
    return at === undefined ? undefined : formatIpv4(at.address);
  }
  get localPort(): number | undefined {
    return this.localNow()?.port;
  }
  get localFamily(): string {
    return 'IPv4';
  }

  private connected(): void {
    if (this.closed_) return;
    this.connecting = false;
    this.local = this.localNow();
    this.touch();
    this.emit('connect');
    this.emit('ready');
    if (this.unsent !== undefined) this.flush();
    if (this.wantsData) this.pump();
    const { finish } = this;
    this.finish = undefined;
    if (finish !== undefined) this._final(finish);
  }

  /** The kernel says that something about the socket changed. */
  private changed(): void {
    if (this.closed_ || this.connecting) return this.fallSilentIfClosed();
    const ready = this.sys.readiness(this.fd);
    if ((ready & POLL.NVAL) !== 0) return this.fallSilentIfClosed();
    if (this.unsent !== undefined && (ready & (POLL.OUT | POLL.ERR | POLL.HUP)) !== 0) this.flush();
    if (this.wantsData && (ready & (POLL.IN | POLL.RDHUP | POLL.ERR | POLL.HUP)) !== 0) this.pump();
  }

  /** The process has ended and took the descriptor with it. */
  private fallSilentIfClosed(): void {
    if (this.closed_ || (this.sys.readiness(this.fd) & POLL.NVAL) === 0) return;
    this.removeAllListeners();
    this.on('error', () => {});
    // Node's http would have let go of it at `close`, which nobody hears now; until then V8 keeps it, and by it the host.
    this.parser?.close();
    this.parser = undefined;
    this.destroy();
  }

  /** Hand on what has arrived until the reader has enough or there is no more. */
  private pump(): void {
    try {
      while (this.wantsData && !this.closed_) {
        const message = this.sys.tryRecv(this.fd, readBuffer);
        if (message === undefined) return;
        this.touch();
        if (message.length === 0) {
          this.wantsData = false;
          this.push(null);
          // Nobody may be reading any more (net.Socket does the same): let `end` come through.
          if (this.readableLength === 0) this.read(0);
          return;
        }
        this.bytesRead += message.length;
        this.wantsData = false; // push() asks again through _read when there is room for more.
        if (this.push(Buffer.from(readBuffer.subarray(0, message.length)))) this.wantsData = true;
      }
    } catch (error) {
      this.destroy(nodeError(error, 'read'));
    }
  }

  /** Send what waits; what does not fit stays, and its writer waits with it. */
  private flush(): void {
    const { unsent } = this;
    if (unsent === undefined) return;
    try {
      while (unsent.at < unsent.chunk.length) {
        const n = this.sys.trySend(this.fd, unsent.at === 0 ? unsent.chunk : unsent.chunk.subarray(unsent.at));
        if (n === 0) return;
        unsent.at += n;
        this.bytesWritten += n;
        this.touch();
      }
    } catch (error) {
      this.unsent = undefined;
      unsent.done(nodeError(error, 'write'));
      return;
    }
    this.unsent = undefined;
    unsent.done();
  }

  private option(level: string, name: string, value: number): this {
    // As in Node, an option on a socket that is gone changes nothing.
    if (!this.closed_ && (this.sys.readiness(this.fd) & POLL.NVAL) === 0) {
      this.sys.setsockopt(this.fd, level, name, value);
    }
    return this;
  }

  private localNow(): SockAddress | undefined {
    if (this.closed_ || (this.sys.readiness(this.fd) & POLL.NVAL) !== 0) return this.local;
    return this.sys.getsockname(this.fd);
  }

  private touch(): void {
    this.lastActivity = this.sys.clockGettime();
  }

  private checkIdle(): void {
    if (this.closed_ || this.timeout === 0) return;
    const left = this.lastActivity + this.timeout * 1_000 - this.sys.clockGettime();
    if (left > 0) this.idle?.arm(left);
    else this.emit('timeout');
  }
}

/** Dial an address; as net.connect. */
export function connectStream(
  sys: Syscalls,
  options: { peer: SockAddress; source?: SockAddress; allowHalfOpen?: boolean; cause?: number },
): SocketStream {
  const thread = sys.thread(options.cause);
  const fd = thread.socket('inet', 'stream', PROTOCOL.TCP);
  try {
    if (options.source !== undefined) thread.bind(fd, options.source);
    return new SocketStream(thread, fd, options).dial(options.peer);
  } catch (error) {
    thread.close(fd);
    throw nodeError(error, 'bind', options.source);
  }
}

export interface StreamListener {
  readonly port: number;
  readonly address: Ipv4;
  close(): void;
}

/** Listen, and hand every connection on; as net.createServer().listen(). Throws when the address is taken. */
export function listenStream(
  sys: Syscalls,
  options: { port: number; address?: Ipv4; backlog?: number; allowHalfOpen?: boolean },
  onConnection: (stream: SocketStream) => void,
): StreamListener {
  const address = options.address ?? IPV4_ANY;
  const fd = sys.socket('inet', 'stream', PROTOCOL.TCP, { nonblock: true });
  try {
    sys.setsockopt(fd, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
    sys.bind(fd, { address, port: options.port });
    sys.listen(fd, options.backlog ?? BACKLOG);
  } catch (error) {
    sys.close(fd);
    throw error;
  }
  const unwatch = sys.watch(fd, () => acceptAll(sys, fd, options.allowHalfOpen ?? false, onConnection));
  const { port } = sys.getsockname(fd);
  const close = (): void => {
    unwatch();
    if ((sys.readiness(fd) & POLL.NVAL) === 0) sys.close(fd);
  };
  return { port, address, close };
}

function acceptAll(sys: Syscalls, fd: Fd, allowHalfOpen: boolean, onConnection: (stream: SocketStream) => void): void {
  while ((sys.readiness(fd) & (POLL.IN | POLL.NVAL)) === POLL.IN) {
    const thread = sys.thread(0);
    try {
      const accepted = thread.tryAccept(fd);
      if (accepted === undefined) return;
      onConnection(new SocketStream(thread, accepted.fd, { allowHalfOpen }).adopt(accepted.peer));
    } catch (error) {
      // Out of descriptors, or the peer gave up in between: the next connection may do better.
      if (error instanceof SyscallError && error.code !== 'EMFILE') continue;
      if (error instanceof SyscallError) return;
      throw error;
    }
  }
}
