/**
 * System calls of a script, made through Syscalls as a program makes them. Descriptors are the script's own numbers.
 * A call that the stack does not know by that name (ENOPROTOOPT where the script expects success) is unsupported.
 */
import type { Ipv4 } from '../../shared/header/address.ts';
import { SyscallError } from '../../shared/net/errno.ts';
import { MSG, type SendOptions, type SockAddress, type SocketType } from '../../shared/net/sock.ts';
import { BAD_ADDRESS, type Fd, type Syscalls } from '../../shared/net/syscalls.ts';
import { epollControl, epollWait } from './epoll-calls.ts';
import {
  addressOf,
  compareMessage,
  type Epoch,
  isNull,
  isUnspecified,
  lengthOf,
  must,
  partsOf,
  sendOptionsOf,
} from './message.ts';
import { compareOption, optionValue } from './option-value.ts';
import { type CallEvent, type Expression, ParseError, Unsupported } from './script.ts';
import { listOf, numberOf, structOf, wordOf } from './values.ts';

const O_ACCMODE = 3;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
export const SERVICE_PORT = 8080;

/** What calls tell the interpreter about the connection under test. */
export interface Watcher {
  listening(fd: Fd): void;
  /** A connection is being opened; its SYN may have been sent already, `maybe` long ago. */
  connecting(fd: Fd, to: SockAddress, maybe?: boolean): void;
  accepted(fd: Fd): void;
  /** A socket for datagrams, from here on the one under test. */
  datagrams(fd: Fd): void;
}

/** The addresses and ports that `...` stands for. */
export interface Ends {
  readonly local: Ipv4;
  readonly remote: Ipv4;
  readonly bindPort: number;
  readonly connectPort: number;
}

export class Calls {
  private readonly sys: Syscalls;
  private readonly ends: Ends;
  private readonly watcher: Watcher;
  private readonly fds = new Map<number, Fd>();
  private readonly flags = new Map<Fd, number>();
  private readonly closeOnExec = new Set<Fd>();
  private readonly types = new Map<Fd, SocketType>();
  private readonly connected = new Set<Fd>();
  /** When the script began, for the times in control messages. */
  epoch: Epoch = { zero: 0, tolerance: 0 };

  constructor(sys: Syscalls, ends: Ends, watcher: Watcher) {
    this.sys = sys;
    this.ends = ends;
    this.watcher = watcher;
  }

  /** Make the call; the outcome is its value, or the errno that came. What it filled in is compared here. */
  async make(event: CallEvent): Promise<number | string> {
    try {
      return await this.dispatch(event);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error.code === 'ENOPROTOOPT' && event.errno !== 'ENOPROTOOPT' && event.name.endsWith('sockopt')) {
        throw new Unsupported(`socket option ${wordOf(event.args[2])}`);
      }
      return error.code;
    }
  }

  private dispatch(event: CallEvent): number | Promise<number> {
    const { name, args } = event;
    switch (name) {
      case 'socket':
        return this.socket(event);
      case 'bind':
        this.sys.bind(this.fd(args[0]), this.address(args[1], this.localService));
        return 0;
      case 'listen':
        this.sys.listen(this.fd(args[0]), this.int(args[1]));
        this.watcher.listening(this.fd(args[0]));
        return 0;
      case 'accept':
      case 'accept4':
        return this.accept(event);
      case 'connect':
        return this.connect(args);
      case 'write':
      case 'send':
      case 'sendto':
      case 'sendmsg':
      case 'writev':
        return this.send(event);
      case 'read':
      case 'recv':
      case 'recvfrom':
      case 'recvmsg':
      case 'readv':
        return this.receive(event);
      case 'close':
        return this.close(args);
      case 'shutdown':
        return this.shutdown(args);
      default:
        return this.control(event);
    }
  }

  private control(event: CallEvent): number | Promise<number> {
    const { name, args } = event;
    switch (name) {
      case 'fcntl':
        return this.fcntl(args);
      case 'ioctl':
        return this.ioctl(args);
      case 'setsockopt':
        this.sys.setsockopt(this.fd(args[0]), wordOf(args[1]), wordOf(args[2]), optionValue(args[3]));
        return 0;
      case 'getsockopt':
        return this.getsockopt(args);
      case 'poll':
        return this.poll(args);
      case 'epoll_create':
      case 'epoll_create1':
        return this.define(event, this.sys.epollCreate(), O_RDWR);
      case 'getsockname':
        this.sys.getsockname(this.fd(args[0]));
        return 0;
      case 'getpeername':
        this.sys.getpeername(this.fd(args[0]));
        return 0;
      case 'open':
        return this.open(event);
      case 'pipe':
      case 'pipe2':
        return this.pipe(event);
      case 'sendfile':
        return this.sendfile(args);
      case 'splice':
        return this.sys.splice(this.fd(args[0]), this.fd(args[2]), this.int(args[4]), this.int(args[5]));
      case 'tee':
        return this.sys.tee(this.fd(args[0]), this.fd(args[1]), this.int(args[2]), this.int(args[3]));
      case 'epoll_ctl':
        return epollControl(this.sys, args, (it) => this.fd(it));
      case 'epoll_wait':
        return epollWait(this.sys, args, (it) => this.fd(it));
      default:
        throw new Unsupported(`system call ${name}`);
    }
  }

  private fd(expression: Expression | undefined): Fd {
    const fd = this.fds.get(this.int(expression));
    return fd ?? -1;
  }

  private int(expression: Expression | undefined): number {
    if (expression === undefined) throw new ParseError('an argument is missing');
    return numberOf(expression);
  }

  /** The number that the script gives the new descriptor. */
  private scriptFd(event: CallEvent): number {
    return event.result?.kind === 'number' && event.errno === undefined ? event.result.value : -1;
  }

  private define(event: CallEvent, fd: Fd, flags: number): number {
    const number = this.scriptFd(event);
    this.fds.set(number, fd);
    this.flags.set(fd, flags);
    return number;
  }

  private address(expression: Expression | undefined, fallback: SockAddress): SockAddress {
    if (expression === undefined || expression.kind === 'ellipsis') return fallback;
    const address = addressOf(expression);
    if (address === undefined) throw new ParseError('a socket address was expected');
    return address;
  }

  private socket(event: CallEvent): number {
    const [family, type, protocol] = event.args;
    if (family?.kind === 'word' && family.text !== 'AF_INET') throw new Unsupported(`address family ${family.text}`);
    const bits = this.int(type);
    const kind = SOCKET_TYPES.get(bits & 15);
    if (kind === undefined) throw new Unsupported(`socket type ${bits & 15}`);
    const nonblock = (bits & O_NONBLOCK) !== 0;
    const fd = this.sys.socket('inet', kind, protocol === undefined ? 0 : this.int(protocol), { nonblock });
    this.types.set(fd, kind);
    if (kind === 'dgram') this.watcher.datagrams(fd);
    return this.define(event, fd, O_RDWR | (nonblock ? O_NONBLOCK : 0));
  }

  private async accept(event: CallEvent): Promise<number> {
    const nonblock = event.args[3] !== undefined && (this.int(event.args[3]) & O_NONBLOCK) !== 0;
    const { fd } = await this.sys.accept(this.fd(event.args[0]), { nonblock });
    this.watcher.accepted(fd);
    return this.define(event, fd, O_RDWR | (nonblock ? O_NONBLOCK : 0));
  }

  private get remoteService(): SockAddress {
    return { address: this.ends.remote, port: this.ends.connectPort };
  }

  private get localService(): SockAddress {
    return { address: this.ends.local, port: this.ends.bindPort };
  }

  private async connect(args: readonly Expression[]): Promise<number> {
    const fd = this.fd(args[0]);
    if (isUnspecified(args[1])) {
      this.connected.delete(fd);
      this.sys.disconnect(fd);
      return 0;
    }
    this.connected.add(fd);
    const family = args[1];
    if (family?.kind === 'word' && family.text === 'AF_UNSPEC') {
      this.sys.disconnect(fd);
      return 0;
    }
    const to = this.address(args[1], this.remoteService);
    const outcome = this.sys.connect(fd, to);
    if (this.types.get(fd) !== 'dgram') this.watcher.connecting(fd, to);
    await outcome;
    return 0;
  }

  private async send(event: CallEvent): Promise<number> {
    const { name, args } = event;
    const [fd, what] = args;
    if (name === 'sendmsg') {
      const { fields } = structOf(what);
      const options = sendOptionsOf(fields, this.int(args[2]));
      const to = addressOf(fields.get('msg_name'));
      return this.sendBytes(fd, lengthOf(fields.get('msg_iov')), to === undefined ? options : { ...options, to });
    }
    if (name === 'writev') return this.sendBytes(fd, lengthOf(what), { parts: partsOf(what) });
    const flags = name === 'write' ? 0 : this.int(args[3]);
    if (isNull(what) && this.int(args[2]) > 0) {
      if ((flags & MSG.FASTOPEN) !== 0) return this.sendOpening(fd, BAD_ADDRESS, { flags });
      return this.sys.send(this.fd(fd), BAD_ADDRESS, { flags });
    }
    const to = name === 'sendto' ? addressOf(args[4]) : undefined;
    return this.sendBytes(fd, this.int(args[2]), to === undefined ? { flags } : { flags, to });
  }

  private sendBytes(fd: Expression | undefined, length: number, options: SendOptions): Promise<number> {
    if (options.to === undefined && this.types.get(this.fd(fd)) === 'dgram' && !this.connected.has(this.fd(fd))) {
      return this.sys.send(this.fd(fd), new Uint8Array(length), { ...options, to: this.remoteService });
    }
    if (((options.flags ?? 0) & MSG.FASTOPEN) !== 0) {
      return this.sendOpening(fd, new Uint8Array(length), options);
    }
    return this.sys.send(this.fd(fd), new Uint8Array(length), options);
  }

  /** A write that connects. */
  private sendOpening(expression: Expression | undefined, bytes: Uint8Array, options: SendOptions): Promise<number> {
    const fd = this.fd(expression);
    const opening = { to: this.remoteService, ...options };
    const sent = this.sys.send(fd, bytes, opening);
    this.watcher.connecting(fd, opening.to, true);
    return sent;
  }

  private async receive(event: CallEvent): Promise<number> {
    const { name, args } = event;
    const fd = this.fd(args[0]);
    if (name === 'recvmsg') {
      const { fields } = structOf(args[1]);
      const flags = this.int(args[2]);
      const message = await this.sys.recv(fd, new Uint8Array(lengthOf(fields.get('msg_iov'))), flags);
      const nanos = this.sys.getsockopt(fd, 'SOL_SOCKET', 'SO_TIMESTAMPNS') === 1;
      compareMessage(message, fields, { epoch: this.epoch, nanos });
      return message.length;
    }
    const flags = name === 'recv' || name === 'recvfrom' ? this.int(args[3]) : 0;
    const length = name === 'readv' ? lengthOf(args[1]) : this.int(args[2]);
    const into = isNull(args[1]) && length > 0 ? BAD_ADDRESS : new Uint8Array(length);
    if (name === 'read') return this.sys.read(fd, into);
    return (await this.sys.recv(fd, into, flags)).length;
  }

  private open(event: CallEvent): number {
    const [path, flags] = event.args;
    if (path?.kind !== 'text') throw new ParseError('a path in quotes was expected');
    const bits = this.int(flags);
    const fd = this.sys.open(path.text, {
      access: (['read', 'write', 'both'] as const)[bits & 3] ?? 'read',
      create: (bits & O_CREAT) !== 0,
      truncate: (bits & O_TRUNC) !== 0,
      append: (bits & O_APPEND) !== 0,
    });
    return this.define(event, fd, bits);
  }

  /** `pipe([5, 6]) = 0`: the numbers are the script's. */
  private pipe(event: CallEvent): number {
    const [reader, writer] = listOf(event.args[0]);
    const flags = event.args[1] === undefined ? 0 : this.int(event.args[1]);
    const made = this.sys.pipe({ nonblock: (flags & O_NONBLOCK) !== 0 });
    this.fds.set(this.int(reader), made.reader);
    this.fds.set(this.int(writer), made.writer);
    this.flags.set(made.reader, flags);
    this.flags.set(made.writer, 1 | flags);
    return 0;
  }

  /** `sendfile(4, 5, [0], 5000) = 5000`; NULL for where the file stands. */
  private async sendfile(args: readonly Expression[]): Promise<number> {
    const at = args[2]?.kind === 'list' ? this.int(args[2].items[0]) : undefined;
    return this.sys.sendfile(this.fd(args[0]), this.fd(args[1]), at, this.int(args[3]));
  }

  private async close(args: readonly Expression[]): Promise<number> {
    const number = this.int(args[0]);
    const fd = this.fd(args[0]);
    this.fds.delete(number);
    await this.sys.closeLingering(fd);
    return 0;
  }

  private shutdown(args: readonly Expression[]): number {
    const how = (['read', 'write', 'both'] as const)[this.int(args[1])];
    if (how === undefined) throw new SyscallError('shutdown', 'EINVAL');
    this.sys.shutdown(this.fd(args[0]), how);
    return 0;
  }

  private fcntl(args: readonly Expression[]): number {
    const fd = this.fd(args[0]);
    const command = wordOf(args[1]);
    if (command === 'F_GETFL') return this.flags.get(fd) ?? O_RDWR;
    if (command === 'F_GETFD') return Number(this.closeOnExec.has(fd));
    const flags = this.int(args[2]);
    if (command === 'F_SETFD') {
      if ((flags & 1) !== 0) this.closeOnExec.add(fd);
      else this.closeOnExec.delete(fd);
      return 0;
    }
    if (command !== 'F_SETFL') throw new Unsupported(`fcntl ${command}`);
    this.sys.fcntl(fd, { nonblock: (flags & O_NONBLOCK) !== 0 });
    this.flags.set(fd, ((this.flags.get(fd) ?? O_RDWR) & O_ACCMODE) | (flags & ~O_ACCMODE));
    return 0;
  }

  private ioctl(args: readonly Expression[]): number {
    const request = wordOf(args[1]);
    const fd = this.fd(args[0]);
    const want = args[2];
    if (request === 'FIONBIO') {
      const nonblock = this.int(want?.kind === 'list' ? want.items[0] : want) !== 0;
      this.sys.fcntl(fd, { nonblock });
      this.flags.set(fd, ((this.flags.get(fd) ?? O_RDWR) & ~O_NONBLOCK) | (nonblock ? O_NONBLOCK : 0));
      return 0;
    }
    const got = this.sys.ioctl(fd, request);
    if (want?.kind === 'list' && want.items[0]?.kind !== 'ellipsis') must(request, this.int(want.items[0]), got);
    return 0;
  }

  private getsockopt(args: readonly Expression[]): number {
    const name = wordOf(args[2]);
    const got = this.sys.getsockopt(this.fd(args[0]), wordOf(args[1]), name);
    compareOption(name, args[3] ?? { kind: 'ellipsis' }, got);
    return 0;
  }

  private async poll(args: readonly Expression[]): Promise<number> {
    const wanted = listOf(args[0]).map((item) => structOf(item).fields);
    const requests = wanted.map((fields) => {
      return { fd: this.fd(fields.get('fd')), events: this.int(fields.get('events')), revents: 0 };
    });
    const timeout = this.int(args[2]);
    const ready = await this.sys.poll(requests, timeout < 0 ? undefined : timeout * 1_000);
    for (const [i, fields] of wanted.entries()) {
      const revents = fields.get('revents');
      if (revents !== undefined) must('revents', numberOf(revents), requests[i]!.revents);
    }
    return ready;
  }
}

const SOCKET_TYPES: ReadonlyMap<number, SocketType> = new Map([
  [1, 'stream'],
  [2, 'dgram'],
  [3, 'raw'],
]);
