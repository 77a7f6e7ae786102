/**
 * DNS messages over sockets, for every program that asks or serves: one datagram each (RFC 1035 §4.2.1), or a stream
 * with a length before each message (§4.2.2, RFC 7766: length and message in one write).
 */

import type { Ipv4 } from '../header/address.ts';
import { type Errno, errnoName } from '../net/errno.ts';
import { POLL, type SockAddress } from '../net/sock.ts';
import type { Fd, Syscalls } from '../net/syscalls.ts';
import type { Micros } from '../platform.ts';
import { errnoOf } from './failure.ts';

/** The largest DNS message, and with that the largest datagram worth reading. */
const MESSAGE_MAX = 65_535;

export type Exchanged = Uint8Array | 'timeout' | 'unreachable';

/** A UDP socket that is connected to one server: the kernel drops what comes from elsewhere. */
export class DnsDatagram {
  private readonly sys: Syscalls;
  private readonly fd: Fd;
  private readonly buffer = new Uint8Array(MESSAGE_MAX);
  /** Why the last exchange failed, when it did. */
  errno: Errno | undefined;

  private constructor(sys: Syscalls, fd: Fd) {
    this.sys = sys;
    this.fd = fd;
  }

  /** undefined: there is no way to that address (no route); the errno is told to `failed`. */
  static async open(
    sys: Syscalls,
    server: SockAddress,
    options: { source?: SockAddress; failed?: (errno: Errno) => void } = {},
  ): Promise<DnsDatagram | undefined> {
    const fd = openSocket(sys, 'dgram', options.failed);
    if (fd === undefined) return undefined;
    try {
      if (options.source !== undefined) sys.bind(fd, options.source);
      await sys.connect(fd, server);
    } catch (error) {
      sys.close(fd);
      options.failed?.(errnoOf(error));
      return undefined;
    }
    return new DnsDatagram(sys, fd);
  }

  /** Send, and wait for a message that is accepted; others are as if they had not come. */
  async exchange(bytes: Uint8Array, timeout: Micros, accept: (reply: Uint8Array) => boolean): Promise<Exchanged> {
    try {
      await this.sys.send(this.fd, bytes);
      return await this.receive(timeout, accept);
    } catch (error) {
      this.errno = errnoOf(error);
      return 'unreachable';
    }
  }

  private async receive(timeout: Micros, accept: (reply: Uint8Array) => boolean): Promise<Exchanged> {
    const deadline = this.sys.clockGettime() + timeout;
    for (;;) {
      const left = deadline - this.sys.clockGettime();
      if (left <= 0) return 'timeout';
      const request = { fd: this.fd, events: POLL.IN, revents: 0 };
      if ((await this.sys.poll([request], left)) === 0) return 'timeout';
      const message = this.sys.tryRecv(this.fd, this.buffer);
      if (message === undefined) continue;
      const reply = this.buffer.slice(0, Math.min(message.length, MESSAGE_MAX));
      if (accept(reply)) return reply;
    }
  }

  close(): void {
    this.sys.close(this.fd);
  }
}

/** A socket, unless the process has too many. */
function openSocket(
  sys: Syscalls,
  type: 'dgram' | 'stream',
  failed: ((errno: Errno) => void) | undefined,
): Fd | undefined {
  try {
    return sys.socket('inet', type, 0, { nonblock: true });
  } catch (error) {
    failed?.(errnoOf(error));
    return undefined;
  }
}

/** One question over UDP from a fresh port. */
export async function exchangeUdp(
  sys: Syscalls,
  server: SockAddress,
  bytes: Uint8Array,
  options: { timeout: Micros; accept: (reply: Uint8Array) => boolean; source?: SockAddress },
): Promise<Exchanged> {
  const socket = await DnsDatagram.open(sys, server, options.source === undefined ? {} : { source: options.source });
  if (socket === undefined) return 'unreachable';
  try {
    return await socket.exchange(bytes, options.timeout, options.accept);
  } finally {
    socket.close();
  }
}

/** One question over a TCP connection of its own. */
export async function exchangeTcp(
  sys: Syscalls,
  server: SockAddress,
  bytes: Uint8Array,
  options: { timeout: Micros; accept: (reply: Uint8Array) => boolean; failed?: (errno: Errno) => void },
): Promise<Exchanged> {
  const deadline = sys.clockGettime() + options.timeout;
  const stream = await connectStream(sys, server, options.timeout, options.failed);
  if (typeof stream === 'string') return stream;
  try {
    await stream.send(bytes);
    for (;;) {
      const reply = await stream.next(deadline - sys.clockGettime());
      if (reply === 'timeout') return 'timeout';
      if (reply === undefined) return 'unreachable';
      if (options.accept(reply)) return reply;
    }
  } catch (error) {
    options.failed?.(errnoOf(error));
    return 'unreachable';
  } finally {
    stream.close();
  }
}

/** A connected stream, or why there is none. */
export async function connectStream(
  sys: Syscalls,
  server: SockAddress,
  timeout: Micros,
  failed?: (errno: Errno) => void,
): Promise<DnsStream | 'timeout' | 'unreachable'> {
  const fd = openSocket(sys, 'stream', failed);
  if (fd === undefined) return 'unreachable';
  try {
    await sys.connect(fd, server);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'EINPROGRESS') {
      sys.close(fd);
      failed?.(errno);
      return 'unreachable';
    }
  }
  const request = { fd, events: POLL.OUT, revents: 0 };
  if ((await sys.poll([request], timeout)) === 0) {
    sys.close(fd);
    return 'timeout';
  }
  const errno = errnoName(Number(sys.getsockopt(fd, 'SOL_SOCKET', 'SO_ERROR')));
  if (errno !== undefined) {
    sys.close(fd);
    failed?.(errno);
    return errno === 'ETIMEDOUT' ? 'timeout' : 'unreachable';
  }
  sys.fcntl(fd, { nonblock: false });
  return new DnsStream(sys, fd);
}

/** Messages on a connected stream socket. */
export class DnsStream {
  private readonly sys: Syscalls;
  readonly fd: Fd;
  private readonly buffer = new Uint8Array(MESSAGE_MAX + 2);
  private length = 0;

  constructor(sys: Syscalls, fd: Fd) {
    this.sys = sys;
    this.fd = fd;
  }

  async send(message: Uint8Array): Promise<void> {
    const framed = new Uint8Array(message.length + 2);
    new DataView(framed.buffer).setUint16(0, message.length);
    framed.set(message, 2);
    for (let at = 0; at < framed.length; ) at += await this.sys.send(this.fd, framed.subarray(at));
  }

  /** The next whole message; undefined at the end of the stream. */
  async next(timeout: Micros): Promise<Uint8Array | 'timeout' | undefined> {
    const deadline = this.sys.clockGettime() + timeout;
    for (;;) {
      const size = this.length < 2 ? Number.POSITIVE_INFINITY : new DataView(this.buffer.buffer).getUint16(0) + 2;
      if (this.length >= size) {
        const message = this.buffer.slice(2, size);
        this.buffer.copyWithin(0, size, this.length);
        this.length -= size;
        return message;
      }
      const left = deadline - this.sys.clockGettime();
      if (left <= 0) return 'timeout';
      const request = { fd: this.fd, events: POLL.IN, revents: 0 };
      if ((await this.sys.poll([request], left)) === 0) return 'timeout';
      const got = await this.sys.recv(this.fd, this.buffer.subarray(this.length));
      if (got.length === 0) return undefined;
      this.length += got.length;
    }
  }

  close(): void {
    this.sys.close(this.fd);
  }
}

export const at = (address: Ipv4, port: number): SockAddress => ({ address, port });
