/**
 * A stream protocol without a network: connections between sockets of one host, a buffer each way. It stands in for TCP
 * where a test is about what lies above it: system calls, Node streams, http.
 */

import { IPV4_LOOPBACK } from '../../shared/header/address.ts';
import type { Errno, Result } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import { POLL, type Proto, type ReceivedMessage, Sock, type SockAddress } from '../../shared/net/sock.ts';

const BUFFER_BYTES_MAX = 65_536;

class LoopSock extends Sock {
  readonly backlog: LoopSock[] = [];
  listening = false;
  peer: LoopSock | undefined;
  inbox: Uint8Array[] = [];
  inboxBytes = 0;
  ended = false;
  closed = false;
}

/** Give a host stream sockets; returns those that listen, by port. */
export function loopStreamInit(host: Host): Map<number, Sock> {
  const listeners = new Map<number, LoopSock>();
  let nextPort = 40_000;
  const proto: Proto = {
    name: 'TCP',
    create: () => new LoopSock(host, { family: 'inet', type: 'stream', proto, protocol: 6 }),
    bind: (sk, address) => {
      sk.localAddress = address.address;
      sk.localPort = address.port || nextPort++;
      return undefined;
    },
    listen: (sk) => {
      if (listeners.has(sk.localPort)) return 'EADDRINUSE';
      listeners.set(sk.localPort, sk as LoopSock);
      (sk as LoopSock).listening = true;
      return undefined;
    },
    connect: (sk, address) => connect(sk as LoopSock, address),
    disconnect: () => 'EINVAL',
    accept: (sk) => (sk as LoopSock).backlog.shift() ?? 'EAGAIN',
    sendmsg: (sk, bytes) => send(sk as LoopSock, bytes),
    recvmsg: (sk, into) => receive(sk as LoopSock, into),
    shutdown: (sk, how) => {
      if (how !== 'read') end(sk as LoopSock);
      return undefined;
    },
    close: (sk) => close(sk as LoopSock),
    poll: (sk) => poll(sk as LoopSock),
    setsockopt: () => undefined,
    getsockopt: () => 'ENOPROTOOPT',
    ioctl: () => 'EINVAL',
  };

  function connect(sk: LoopSock, { address, port }: SockAddress): Errno | undefined {
    if (sk.localPort !== 0 && sk.remotePort !== 0) return 'EISCONN';
    const listener = listeners.get(port);
    sk.localPort ||= nextPort++;
    sk.localAddress = IPV4_LOOPBACK;
    sk.remoteAddress = address;
    sk.remotePort = port;
    host.clock.after(100, () => {
      if (listener === undefined) return sk.fail('ECONNREFUSED');
      const child = new LoopSock(host, { family: 'inet', type: 'stream', proto, protocol: 6 });
      child.localAddress = address;
      child.localPort = port;
      child.remoteAddress = sk.localAddress;
      child.remotePort = sk.localPort;
      child.cause = sk.cause;
      child.peer = sk;
      sk.peer = child;
      listener.backlog.push(child);
      listener.wake();
      sk.wake();
    });
    return 'EINPROGRESS';
  }
  function send(sk: LoopSock, bytes: Uint8Array): Result<number> {
    if (sk.shutdownWrite || sk.peer?.closed) return 'EPIPE';
    if (sk.peer === undefined) return 'EAGAIN';
    const n = Math.min(bytes.length, BUFFER_BYTES_MAX - sk.peer.inboxBytes);
    if (n === 0) return 'EAGAIN';
    const { peer } = sk;
    peer.inbox.push(bytes.slice(0, n));
    peer.inboxBytes += n;
    peer.cause = sk.cause;
    peer.wake();
    return n;
  }
  function receive(sk: LoopSock, into: Uint8Array): Result<ReceivedMessage> {
    const error = sk.takeError();
    if (error !== undefined) return error;
    const first = sk.inbox[0];
    if (first === undefined) return sk.ended ? { length: 0, flags: 0 } : 'EAGAIN';
    const n = Math.min(first.length, into.length);
    into.set(first.subarray(0, n));
    if (n === first.length) sk.inbox.shift();
    else sk.inbox[0] = first.subarray(n);
    sk.inboxBytes -= n;
    sk.peer?.wake();
    return { length: n, flags: 0 };
  }
  function end(sk: LoopSock): void {
    sk.shutdownWrite = true;
    if (sk.peer !== undefined) sk.peer.ended = true;
    sk.peer?.wake();
  }
  function close(sk: LoopSock): void {
    sk.closed = true;
    if (sk.listening) listeners.delete(sk.localPort);
    if (sk.inboxBytes > 0) sk.peer?.fail('ECONNRESET');
    end(sk);
  }
  function poll(sk: LoopSock): number {
    if (sk.listening) return sk.backlog.length > 0 ? POLL.IN : 0;
    if (sk.error !== undefined) return POLL.ERR | POLL.HUP | POLL.IN | POLL.OUT;
    if (sk.peer === undefined) return 0;
    const room = sk.peer.inboxBytes < BUFFER_BYTES_MAX || sk.peer.closed;
    return (sk.inboxBytes > 0 || sk.ended ? POLL.IN : 0) | (sk.ended ? POLL.RDHUP : 0) | (room ? POLL.OUT : 0);
  }

  host.sockets.register({ family: 'inet', type: 'stream', protocol: 6, proto });
  return listeners;
}
