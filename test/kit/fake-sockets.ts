/**
 * Sockets of a kernel that a test plays: what a program sends is handed to the test, which answers with messages and
 * errors at lab times of its choosing. For programs whose protocol is not what is tested.
 */
import type { Errno, Result } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import {
  MSG,
  POLL,
  type Proto,
  type ReceivedMessage,
  type SendOptions,
  Sock,
  type SockAddress,
  type SocketType,
} from '../../shared/net/sock.ts';

export interface FakeMessage {
  readonly bytes: Uint8Array;
  readonly message: Partial<ReceivedMessage>;
}

export class FakeSocket {
  readonly messages: FakeMessage[] = [];
  readonly errors: FakeMessage[] = [];
  readonly options = new Map<string, unknown>();
  readonly sk: Sock;

  constructor(sk: Sock) {
    this.sk = sk;
  }

  receive(message: FakeMessage): void {
    this.messages.push(message);
    this.sk.wake();
  }

  /** Put into the error queue, as IP_RECVERR does. */
  fail(message: FakeMessage): void {
    this.errors.push(message);
    this.sk.wake();
  }
}

export interface FakeNetwork {
  readonly family?: 'inet' | 'packet';
  readonly type: SocketType;
  readonly protocol: number;
  /** A packet was sent: answer the errno of sendmsg, or nothing. */
  sent?(socket: FakeSocket, bytes: Uint8Array, options: SendOptions): Errno | undefined;
  connect?(socket: FakeSocket, address: SockAddress): Errno | undefined;
  bind?(socket: FakeSocket, address: SockAddress): Errno | undefined;
}

/** Serve sockets of this kind by hand. */
export function fakeSockets(host: Host, network: FakeNetwork): FakeSocket[] {
  const opened: FakeSocket[] = [];
  const bySk = new Map<Sock, FakeSocket>();
  const of = (sk: Sock): FakeSocket => {
    let socket = bySk.get(sk);
    if (socket === undefined) {
      socket = new FakeSocket(sk);
      bySk.set(sk, socket);
      opened.push(socket);
    }
    return socket;
  };
  const proto: Proto = {
    name: 'RAW',
    create: (owner: Host, type: SocketType, protocol: number) => {
      const sk = new Sock(owner, { family: network.family ?? 'inet', type, proto, protocol });
      of(sk);
      return sk;
    },
    bind: (sk, address) => network.bind?.(of(sk), address),
    bindLink: () => undefined,
    connect: (sk, address) => {
      sk.remoteAddress = address.address;
      return network.connect?.(of(sk), address);
    },
    disconnect: () => undefined,
    sendmsg: (sk, bytes, options) => network.sent?.(of(sk), bytes.slice(), options) ?? bytes.length,
    recvmsg: (sk, into, flags) => take(of(sk), into, flags),
    shutdown: () => undefined,
    close: () => undefined,
    poll: (sk) => POLL.OUT | (of(sk).messages.length > 0 ? POLL.IN : 0) | (of(sk).errors.length > 0 ? POLL.ERR : 0),
    setsockopt: (sk, _level, name, value) => void of(sk).options.set(name, value),
    getsockopt: () => 'ENOPROTOOPT',
    ioctl: () => 'EINVAL',
  };
  host.sockets.register({ family: network.family ?? 'inet', type: network.type, protocol: network.protocol, proto });
  return opened;
}

function take(socket: FakeSocket, into: Uint8Array, flags: number): Result<ReceivedMessage> {
  const queue = (flags & MSG.ERRQUEUE) !== 0 ? socket.errors : socket.messages;
  const first = queue.shift();
  if (first === undefined) return 'EAGAIN';
  into.set(first.bytes.subarray(0, into.length));
  return { length: first.bytes.length, flags: 0, ...first.message };
}
