/**
 * System calls of a script, made through Syscalls as a program makes them. Descriptors are the script's own numbers.
 * A call that the stack does not know by that name (ENOPROTOOPT where the script expects success) is unsupported.
 */
import type { Ipv4 } from '../../shared/header/address.ts';
import { SyscallError } from '../../shared/net/errno.ts';
import { MSG, type ReceivedMessage, type SockAddress, type SockoptValue } from '../../shared/net/sock.ts';
import { BAD_ADDRESS, type Fd, type Syscalls } from '../../shared/net/syscalls.ts';
import { Epoll } from './epoll.ts';
import { type CallEvent, type Expression, Mismatch, ParseError, Unsupported } from './script.ts';
import { listOf, numberOf, structOf, wordOf } from './values.ts';

const O_RDWR = 2;
const O_NONBLOCK = 0o4000;
export const SERVICE_PORT = 8080;

/** What calls tell the interpreter about the connection under test. */
export interface Watcher {
  listening(): void;
  /** A connection is being opened from this port; its SYN may have been sent already, `maybe` long ago. */
  connecting(fd: Fd, maybe?: boolean): void;
  accepted(fd: Fd): void;
}

export class Calls {
  private readonly sys: Syscalls;
  private readonly local: Ipv4;
  private readonly remote: Ipv4;
  private readonly watcher: Watcher;
  private readonly fds = new Map<number, Fd>();
  private readonly flags = new Map<Fd, number>();
  private readonly epolls = new Map<number, Epoll>();

  constructor(sys: Syscalls, ends: { local: Ipv4; remote: Ipv4 }, watcher: Watcher) {
    this.sys = sys;
    this.local = ends.local;
    this.remote = ends.remote;
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
        this.sys.bind(this.fd(args[0]), this.address(args[1], this.local));
        return 0;
      case 'listen':
        this.sys.listen(this.fd(args[0]), this.int(args[1]));
        this.watcher.listening();
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
        this.sys.shutdown(this.fd(args[0]), (['read', 'write', 'both'] as const)[this.int(args[1])] ?? 'both');
        return 0;
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
      case 'epoll_create1': {
        const number = this.scriptFd(event);
        this.epolls.set(number, new Epoll(this.sys));
        return number;
      }
      case 'epoll_ctl':
        return this.epollControl(args);
      case 'epoll_wait':
        return this.epollWait(args);
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

  private address(expression: Expression | undefined, fallback: Ipv4): SockAddress {
    if (expression === undefined || expression.kind === 'ellipsis') return { address: fallback, port: SERVICE_PORT };
    throw new Unsupported('socket addresses that are spelt out');
  }

  private socket(event: CallEvent): number {
    const [family, type, protocol] = event.args;
    if (family?.kind === 'word' && family.text !== 'AF_INET') throw new Unsupported(`address family ${family.text}`);
    const bits = this.int(type);
    if ((bits & 15) !== 1) throw new Unsupported('sockets that are no streams');
    const nonblock = (bits & O_NONBLOCK) !== 0;
    const fd = this.sys.socket('inet', 'stream', protocol === undefined ? 0 : this.int(protocol), { nonblock });
    return this.define(event, fd, O_RDWR | (nonblock ? O_NONBLOCK : 0));
  }

  private async accept(event: CallEvent): Promise<number> {
    const nonblock = event.args[3] !== undefined && (this.int(event.args[3]) & O_NONBLOCK) !== 0;
    const { fd } = await this.sys.accept(this.fd(event.args[0]), { nonblock });
    this.watcher.accepted(fd);
    return this.define(event, fd, O_RDWR | (nonblock ? O_NONBLOCK : 0));
  }

  private async connect(args: readonly Expression[]): Promise<number> {
    const fd = this.fd(args[0]);
    const family = args[1];
    if (family?.kind === 'word' && family.text === 'AF_UNSPEC') {
      this.sys.disconnect(fd);
      return 0;
    }
    const outcome = this.sys.connect(fd, this.address(args[1], this.remote));
    this.watcher.connecting(fd);
    await outcome;
    return 0;
  }

  private async send(event: CallEvent): Promise<number> {
    const { name, args } = event;
    const [fd, what] = args;
    if (name === 'sendmsg') {
      const { fields } = structOf(what);
      const control = fields.get('msg_control');
      if (control !== undefined && control.kind !== 'ellipsis') throw new Unsupported('msg_control of sendmsg');
      return this.sendBytes(fd, lengthOf(fields.get('msg_iov')), this.int(args[2]));
    }
    if (name === 'writev') return this.sendBytes(fd, lengthOf(what), 0);
    if (isNull(what)) {
      const flags = name === 'write' ? 0 : this.int(args[3]);
      if ((flags & MSG.FASTOPEN) !== 0) return this.sendOpening(fd, BAD_ADDRESS, flags);
      return this.sys.send(this.fd(fd), BAD_ADDRESS, { flags });
    }
    return this.sendBytes(fd, this.int(args[2]), name === 'write' ? 0 : this.int(args[3]));
  }

  private sendBytes(fd: Expression | undefined, length: number, flags: number): Promise<number> {
    if ((flags & MSG.ZEROCOPY) !== 0) throw new Unsupported('MSG_ZEROCOPY');
    if ((flags & MSG.FASTOPEN) !== 0) return this.sendOpening(fd, new Uint8Array(length), flags);
    return this.sys.send(this.fd(fd), new Uint8Array(length), { flags });
  }

  /** A write that connects. */
  private sendOpening(expression: Expression | undefined, bytes: Uint8Array, flags: number): Promise<number> {
    const fd = this.fd(expression);
    const sent = this.sys.send(fd, bytes, { flags, to: { address: this.remote, port: SERVICE_PORT } });
    this.watcher.connecting(fd, true);
    return sent;
  }

  private async receive(event: CallEvent): Promise<number> {
    const { name, args } = event;
    const fd = this.fd(args[0]);
    if (name === 'recvmsg') {
      const { fields } = structOf(args[1]);
      const flags = this.int(args[2]);
      const message = await this.sys.recv(fd, new Uint8Array(lengthOf(fields.get('msg_iov'))), flags);
      compareMessage(message, fields);
      return message.length;
    }
    const flags = name === 'recv' || name === 'recvfrom' ? this.int(args[3]) : 0;
    const length = name === 'readv' ? lengthOf(args[1]) : this.int(args[2]);
    const into = isNull(args[1]) ? BAD_ADDRESS : new Uint8Array(length);
    return (await this.sys.recv(fd, into, flags)).length;
  }

  private close(args: readonly Expression[]): number {
    const number = this.int(args[0]);
    if (this.epolls.delete(number)) return 0;
    const fd = this.fd(args[0]);
    this.sys.close(fd);
    this.fds.delete(number);
    return 0;
  }

  private fcntl(args: readonly Expression[]): number {
    const fd = this.fd(args[0]);
    const command = wordOf(args[1]);
    if (command === 'F_GETFL') return this.flags.get(fd) ?? O_RDWR;
    if (command !== 'F_SETFL') throw new Unsupported(`fcntl ${command}`);
    const flags = this.int(args[2]);
    this.sys.fcntl(fd, { nonblock: (flags & O_NONBLOCK) !== 0 });
    this.flags.set(fd, flags);
    return 0;
  }

  private ioctl(args: readonly Expression[]): number {
    const request = wordOf(args[1]);
    const got = this.sys.ioctl(this.fd(args[0]), request);
    const want = args[2];
    if (want?.kind === 'list') must(request, this.int(want.items[0]), got);
    return 0;
  }

  private getsockopt(args: readonly Expression[]): number {
    const name = wordOf(args[2]);
    const got = this.sys.getsockopt(this.fd(args[0]), wordOf(args[1]), name);
    const want = args[3];
    if (want === undefined || want.kind === 'ellipsis') return 0;
    if (want.kind === 'text') {
      const text =
        typeof got === 'object' && 'name' in got
          ? got['name']
          : typeof got === 'object' && 'text' in got
            ? got['text']
            : got;
      must(name, want.text, text);
      return 0;
    }
    if (typeof got !== 'number' || want.kind !== 'list') throw new Unsupported(`the value of socket option ${name}`);
    must(name, this.int(want.items[0]), got);
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

  private epoll(expression: Expression | undefined): Epoll {
    const epoll = this.epolls.get(this.int(expression));
    if (epoll === undefined) throw new SyscallError('epoll_ctl', 'EBADF');
    return epoll;
  }

  private epollControl(args: readonly Expression[]): number {
    const epoll = this.epoll(args[0]);
    const command = wordOf(args[1]);
    const fd = this.fd(args[2]);
    if (command === 'EPOLL_CTL_DEL') {
      if (!epoll.remove(fd)) throw new SyscallError('epoll_ctl', 'ENOENT');
      return 0;
    }
    const events = this.int(structOf(args[3]).fields.get('events'));
    if (command === 'EPOLL_CTL_ADD' && !epoll.add(fd, events)) throw new SyscallError('epoll_ctl', 'EEXIST');
    if (command === 'EPOLL_CTL_MOD' && !epoll.modify(fd, events)) throw new SyscallError('epoll_ctl', 'ENOENT');
    return 0;
  }

  private async epollWait(args: readonly Expression[]): Promise<number> {
    const found = await this.epoll(args[0]).wait(this.int(args[2]), this.int(args[3]));
    const want = args[1];
    if (want?.kind !== 'struct') return found.length;
    const events = want.fields.get('events');
    if (events !== undefined) must('events', numberOf(events), found[0]?.events ?? 0);
    const fd = want.fields.get('fd');
    if (fd !== undefined && found[0] !== undefined) must('fd', this.fd(fd), found[0].fd);
    return found.length;
  }
}

function must(what: string, expected: unknown, got: unknown): void {
  if (expected !== got) throw new Mismatch(`${what}: expected ${String(expected)}, got ${String(got)}`);
}

function isNull(expression: Expression | undefined): boolean {
  return expression?.kind === 'word' && expression.text === 'NULL';
}

/** Octets of an iovec array. */
function lengthOf(iov: Expression | undefined): number {
  let length = 0;
  for (const entry of listOf(iov)) {
    const { items, fields } = structOf(entry);
    const size = items[1] ?? fields.get('iov_len');
    if (size !== undefined) length += numberOf(size);
  }
  return length;
}

/** Octets of a text such as "\\xa1\\xb2"; undefined for one without escapes. */
function escapedBytes(text: string): Uint8Array | undefined {
  if (!text.includes('\\x')) return undefined;
  const octets = text.match(/\\x[0-9a-fA-F]{2}|./gs) ?? [];
  return Uint8Array.from(octets, (octet) => (octet.length > 1 ? Number(`0x${octet.slice(2)}`) : octet.charCodeAt(0)));
}

function optionValue(expression: Expression | undefined): SockoptValue {
  if (expression?.kind === 'list' && expression.items.length === 1) return optionValue(expression.items[0]);
  if (expression?.kind === 'text') {
    const bytes = escapedBytes(expression.text);
    return bytes ?? { text: expression.text };
  }
  if (expression?.kind === 'number' || expression?.kind === 'word' || expression?.kind === 'or') {
    return numberOf(expression) | 0;
  }
  if (expression?.kind === 'struct') {
    const on = expression.fields.get('onoff') ?? expression.fields.get('l_onoff');
    const seconds = expression.fields.get('linger') ?? expression.fields.get('l_linger');
    if (on !== undefined) return { on: numberOf(on) !== 0, seconds: seconds === undefined ? 0 : numberOf(seconds) };
  }
  throw new Unsupported('a socket option of this shape');
}

/** Flags and control messages of recvmsg. */
function compareMessage(message: ReceivedMessage, fields: ReadonlyMap<string, Expression>): void {
  const flags = fields.get('msg_flags');
  if (flags !== undefined && flags.kind !== 'ellipsis') must('msg_flags', numberOf(flags), message.flags);
  const control = fields.get('msg_control');
  if (control === undefined || control.kind === 'ellipsis') return;
  for (const item of listOf(control)) {
    const cmsg = structOf(item).fields;
    const type = cmsg.get('cmsg_type');
    const name = type?.kind === 'word' ? type.text : 'of this shape';
    const data = cmsg.get('cmsg_data');
    if (name !== 'TCP_CM_INQ' || data === undefined) throw new Unsupported(`control message ${name}`);
    must('TCP_CM_INQ', numberOf(data), message.inq);
  }
}
