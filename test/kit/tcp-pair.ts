/** Two hosts with cards on an impaired wire, and programs that only pump bytes: for tests of whole TCP connections. */
import { type Errno, isErrno } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import { tcpOf } from '../../shared/net/tcp-host.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import { assert, type Micros } from '../../shared/platform.ts';
import { type ImpairedWire, type ImpairOptions, impaired } from '../../shared/wire/impair.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { ip } from './cable.ts';
import { addCard, cardHost } from './cards.ts';
import { ManualClock } from './clock.ts';

export interface Pair {
  readonly clock: ManualClock;
  readonly alice: Host;
  readonly bob: Host;
  /** What was done to the frames of each sender; none without trouble. */
  readonly wires: readonly ImpairedWire[];
}

/** Alice 10.0.0.1 and bob 10.0.0.2, the same trouble in both directions. */
export function tcpPair(trouble?: (clock: ManualClock, direction: number) => ImpairOptions): Pair {
  const clock = new ManualClock(1_000_000);
  const [wireA, wireB] = memoryWire(clock, 'alice:eth0', 'bob:eth0');
  const alice = cardHost('alice', clock);
  const bob = cardHost('bob', clock);
  const wires = trouble === undefined ? [] : [impaired(wireA, trouble(clock, 0)), impaired(wireB, trouble(clock, 1))];
  addCard(alice, 'eth0', wires[0] ?? wireA, { addresses: ['10.0.0.1/24'] });
  addCard(bob, 'eth0', wires[1] ?? wireB, { addresses: ['10.0.0.2/24'] });
  return { clock, alice, bob, wires };
}

export function newSock(host: Host): TcpSock {
  return tcpProto.create!(host, 'stream', 6) as TcpSock;
}

/** A listener whose children go to `accepted` as they come. */
export function listenOn(host: Host, port: number, accepted: (child: TcpSock) => void, backlog = 128): TcpSock {
  const sk = newSock(host);
  assert(tcpProto.bind(sk, { address: ip('0.0.0.0'), port }) === undefined, 'a free port');
  assert(tcpProto.listen!(sk, backlog) === undefined, 'it listens');
  sk.wait.add(() => {
    for (let child = tcpProto.accept!(sk); !isErrno(child); child = tcpProto.accept!(sk)) accepted(child as TcpSock);
  });
  return sk;
}

export function connectTo(host: Host, address: string, port: number): TcpSock {
  const sk = newSock(host);
  const answer = tcpProto.connect(sk, { address: ip(address), port });
  assert(answer === 'EINPROGRESS', `connect: ${answer}`);
  return sk;
}

/** Writes `bytes` as room comes, then `done`. */
export function pumpOut(sk: TcpSock, bytes: Uint8Array, done: () => void, chunk = 65_536): void {
  let at = 0;
  let over = false;
  const go = (): void => {
    if (over) return;
    while (at < bytes.length) {
      const sent = tcpProto.sendmsg(sk, bytes.subarray(at, at + chunk), {});
      if (sent === 'EAGAIN') return;
      if (isErrno(sent)) {
        over = true;
        return;
      }
      at += sent;
    }
    over = true;
    done();
  };
  sk.wait.add(go);
  go();
}

export interface Sink {
  readonly parts: Uint8Array[];
  total: number;
  end: 'open' | 'end' | Errno;
}

/** Reads all that comes, to the end of the stream or an error. */
export function pumpIn(sk: TcpSock, done: (sink: Sink) => void = () => {}): Sink {
  const sink: Sink = { parts: [], total: 0, end: 'open' };
  const buffer = new Uint8Array(65_536);
  const go = (): void => {
    while (sink.end === 'open') {
      const answer = tcpProto.recvmsg(sk, buffer, 0);
      if (answer === 'EAGAIN') return;
      if (isErrno(answer)) sink.end = answer;
      else if (answer.length === 0) sink.end = 'end';
      else {
        sink.parts.push(buffer.slice(0, answer.length));
        sink.total += answer.length;
        continue;
      }
      done(sink);
    }
  };
  sk.wait.add(go);
  go();
  return sink;
}

/** Bytes that differ at every place, from a seed. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = (seed * 2_654_435_761 + 12_345) >>> 0;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

/** What is left of TCP on a host: nothing, after a while. */
export function leftovers(host: Host): Record<string, number> {
  const tcp = tcpOf(host);
  return {
    skbs: host.skbs.counters.live,
    socks: tcp.socks.size,
    timeWaits: tcp.timeWaits.size,
    requests: tcp.requests.size,
    binds: tcp.binds.size,
    orphans: tcp.orphans,
  };
}

export const NOTHING_LEFT = { skbs: 0, socks: 0, timeWaits: 0, requests: 0, binds: 0, orphans: 0 };

/** Take every device down and let `patience` pass: timers that are armed even then belong to nobody. */
export function timersLeft(clock: ManualClock, hosts: readonly Host[], patience: Micros): number {
  for (const host of hosts) for (const dev of host.devices.list()) host.devices.setUp(dev, false);
  clock.advance(patience);
  return clock.pending;
}

/** A download: bob serves `bytes` on port 80 and closes; alice reads to the end and closes. */
export function download(pair: Pair, bytes: Uint8Array): { sink: () => Sink | undefined; client: TcpSock } {
  const { alice, bob } = pair;
  const listener = listenOn(bob, 80, (child) => {
    pumpOut(child, bytes, () => tcpProto.close(child));
    tcpProto.close(listener);
  });
  const client = connectTo(alice, '10.0.0.2', 80);
  let sink: Sink | undefined;
  const start = (): void => {
    if (sink !== undefined || client.state === 'SYN_SENT') return;
    sink = pumpIn(client, () => tcpProto.close(client));
  };
  client.wait.add(start);
  return { sink: () => sink, client };
}

/** Let lab time pass until `done`, at most `max`. */
export function runUntil(clock: ManualClock, done: () => boolean, max: Micros): boolean {
  const end = clock.now() + max;
  while (!done() && clock.now() < end) clock.advance(10_000);
  return done();
}
