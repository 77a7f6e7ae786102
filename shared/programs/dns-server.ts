/**
 * A server's sockets: UDP and TCP on one address and port, each question worked on beside the others in a thread of its
 * own, so that what it causes is told apart. TCP connections may ask many questions without waiting (RFC 7766).
 */
import type { SockAddress } from '../net/sock.ts';
import type { Fd, Syscalls } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';
import { DnsStream } from './dns-socket.ts';

/** BIND's recursive-clients: questions worked on at once; more are dropped, the asker tries again. */
const WORKING_MAX = 1_000;
/** BIND's tcp-clients and tcp-idle-timeout. */
const CONNECTIONS_MAX = 150;
const IDLE_TIMEOUT = 30 * SECOND;
/** Questions of one connection that are worked on at once. */
const PIPELINE_MAX = 100;
const BACKLOG = 10;
/** Longest question that is read; more than any client sends. */
const QUERY_MAX = 4_096;

export interface Asked {
  readonly bytes: Uint8Array;
  readonly tcp: boolean;
  readonly from: SockAddress;
}

/** Messages to send back, none to say nothing. Runs in `sys`'s thread. */
export type Handler = (sys: Syscalls, asked: Asked) => Promise<readonly Uint8Array[]>;

/** Bind and serve until the process ends; throws SyscallError when an address cannot be had. */
export async function serveDns(sys: Syscalls, address: SockAddress, handler: Handler): Promise<void> {
  const udp = sys.socket('inet', 'dgram');
  sys.bind(udp, address);
  const tcp = sys.socket('inet', 'stream');
  sys.setsockopt(tcp, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
  sys.bind(tcp, address);
  sys.listen(tcp, BACKLOG);
  await Promise.all([serveUdp(sys.thread(0), udp, handler), serveTcp(sys.thread(0), tcp, handler)]);
}

async function serveUdp(sys: Syscalls, fd: Fd, handler: Handler): Promise<void> {
  const buffer = new Uint8Array(QUERY_MAX);
  let working = 0;
  for (;;) {
    const message = await sys.recv(fd, buffer);
    if (message.from === undefined || working >= WORKING_MAX) continue;
    const asked = { bytes: buffer.slice(0, Math.min(message.length, buffer.length)), tcp: false, from: message.from };
    working++;
    void answerDatagram(sys.thread(sys.cause), fd, asked, handler).finally(() => working--);
  }
}

async function answerDatagram(sys: Syscalls, fd: Fd, asked: Asked, handler: Handler): Promise<void> {
  try {
    const cause = sys.cause;
    const [reply] = await handler(sys, asked);
    if (reply === undefined) return;
    // What was read in between belongs to the same question.
    sys.setCause(cause);
    await sys.send(fd, reply, { to: asked.from });
  } catch {
    // No way back to the asker: it will notice by itself.
  }
}

async function serveTcp(sys: Syscalls, listener: Fd, handler: Handler): Promise<void> {
  let connections = 0;
  for (;;) {
    const { fd, peer } = await sys.accept(listener);
    if (connections >= CONNECTIONS_MAX) {
      sys.close(fd);
      continue;
    }
    connections++;
    void converse(sys.thread(sys.cause), fd, peer, handler).finally(() => connections--);
  }
}

async function converse(sys: Syscalls, fd: Fd, from: SockAddress, handler: Handler): Promise<void> {
  const stream = new DnsStream(sys, fd);
  const working = new Set<Promise<void>>();
  try {
    for (;;) {
      const bytes = await stream.next(IDLE_TIMEOUT);
      if (typeof bytes === 'string' || bytes === undefined) break;
      const answering = answerOnStream(sys.thread(sys.cause), stream, { bytes, tcp: true, from }, handler);
      working.add(answering);
      void answering.finally(() => working.delete(answering));
      if (working.size >= PIPELINE_MAX) await Promise.race(working);
    }
    await Promise.all(working);
  } catch {
    // The connection broke; its questions have nobody to be answered to.
  } finally {
    sys.close(fd);
  }
}

async function answerOnStream(sys: Syscalls, stream: DnsStream, asked: Asked, handler: Handler): Promise<void> {
  try {
    for (const reply of await handler(sys, asked)) await stream.send(reply);
  } catch {
    // As above: whoever reads the stream closes it.
  }
}
