/**
 * Connections between two hosts over a wire that is bad in ways drawn from a seed: loss, duplicates, disorder, flipped
 * bits, small MTUs, small buffers; programs that write and read in fits and starts, and end by half-closing, by closing,
 * or in the middle of it all. Whatever happens: the bytes that arrive are the bytes that were sent, connections end, and
 * nothing is left.
 */
import { expect } from 'vitest';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { isErrno } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import { MSG } from '../../shared/net/sock.ts';
import { setSocketOption } from '../../shared/net/socket.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import { MILLISECOND, type Micros, type Random, SECOND } from '../../shared/platform.ts';
import { platform } from './cards.ts';
import type { ManualClock } from './clock.ts';
import { pick } from './mutate.ts';
import { testRandom } from './random.ts';
import { auditHost } from './tcp-audit.ts';
import { connectTo, leftovers, listenOn, NOTHING_LEFT, type Pair, pattern, tcpPair, timersLeft } from './tcp-pair.ts';

const CONNECTIONS_MAX = 4;
const STREAM_BYTES_MAX = 80_000;
/** Ten lost of a hundred, both ways, and a window of one small segment: minutes, in lab time, for the unlucky. */
const PATIENCE: Micros = 3_600 * SECOND;
/** TIME-WAIT, and the longest that an orphan is kept: tcp_orphan_retries at RTOs that doubled up to 120 s. */
const AFTERWARDS: Micros = 1_200 * SECOND;
/** All rests of a program together. */
const RESTS_MAX: Micros = 20 * SECOND;
const AUDIT_EVERY: Micros = 500 * MILLISECOND;

/** How a program leaves: after the other's end; or before it, having written all or not, with a FIN or a RST. */
type Ending = 'polite' | 'early' | 'reset';

interface End {
  readonly name: string;
  readonly ending: Ending;
  readonly written: Uint8Array;
  readonly received: number[];
  /** Of the octets of `written`, what the kernel took. */
  taken: number;
  outcome: string;
  sk: TcpSock | undefined;
}

/** One program: pumps one end of a connection. */
class Pump {
  private readonly clock: ManualClock;
  private readonly random: Random;
  private readonly end: End;
  private readonly sk: TcpSock;
  private readonly chunkMax: number;
  private readonly buffer: Uint8Array;
  /** Chance, out of a thousand, to rest after a step. */
  private readonly laziness: number;
  private readonly leaveAt: number;
  private resting = false;
  private rested: Micros = 0;
  private shut = false;

  constructor(clock: ManualClock, random: Random, end: End, sk: TcpSock) {
    this.clock = clock;
    this.random = random;
    this.end = end;
    this.sk = sk;
    end.sk = sk;
    this.chunkMax = pick(random, [10, 1_000, 5_000, 50_000]);
    this.buffer = new Uint8Array(pick(random, [1, 500, 4_096, 65_536]));
    this.laziness = pick(random, [0, 1, 50, 300]);
    this.leaveAt = random.below(STREAM_BYTES_MAX);
    sk.wait.add(() => this.go());
    this.go();
  }

  go(): void {
    if (this.sk.state === 'SYN_SENT') return;
    while (this.end.outcome === '' && !this.resting) {
      const wrote = this.write();
      const read = this.read();
      this.leave();
      if (!wrote && !read) return;
      if (this.random.below(1_000) < this.laziness) this.rest();
    }
  }

  private rest(): void {
    const pause = this.random.below(pick(this.random, [100, 20 * MILLISECOND, SECOND]));
    this.rested += pause;
    if (this.rested > RESTS_MAX) return;
    this.resting = true;
    this.clock.after(pause, () => {
      this.resting = false;
      this.go();
    });
  }

  private write(): boolean {
    const { end, sk, random } = this;
    if (this.shut || end.outcome !== '') return false;
    if (end.taken === end.written.length) {
      this.shut = true;
      tcpProto.shutdown(sk, 'write');
      return true;
    }
    const chunk = end.written.subarray(end.taken, end.taken + 1 + random.below(this.chunkMax));
    const flags = random.below(10) === 0 ? MSG.MORE : 0;
    const sent = tcpProto.sendmsg(sk, chunk, { flags });
    if (sent === 'EAGAIN') return false;
    if (isErrno(sent)) this.over(sent);
    else end.taken += sent;
    return true;
  }

  private read(): boolean {
    const { end, sk, buffer } = this;
    if (end.outcome !== '') return false;
    const answer = tcpProto.recvmsg(sk, buffer, 0);
    if (answer === 'EAGAIN') return false;
    if (isErrno(answer)) this.over(answer);
    else if (answer.length > 0) for (let i = 0; i < answer.length; i++) end.received.push(buffer[i]!);
    else if (!this.shut) return false;
    else this.whenAcknowledged();
    return true;
  }

  /** Who closes before all is acknowledged leaves it to a kernel that gives up after some 100 s, as Linux does. */
  private whenAcknowledged(): void {
    const left = tcpProto.ioctl(this.sk, 'SIOCOUTQ');
    if (this.end.outcome !== '' || left === 0 || this.sk.state === 'CLOSE') return this.over('end');
    this.resting = true;
    this.clock.after(100 * MILLISECOND, () => {
      this.resting = false;
      this.whenAcknowledged();
    });
  }

  /** Those who do not wait for the end go when they have seen and said so much. */
  private leave(): void {
    const { end, sk } = this;
    if (end.ending === 'polite' || end.outcome !== '' || end.taken + end.received.length < this.leaveAt) return;
    if (end.ending === 'reset') sk.linger = { on: true, seconds: 0 };
    this.over('left');
  }

  private over(outcome: string): void {
    this.end.outcome = outcome;
    tcpProto.close(this.sk);
  }
}

function trouble(random: Random): Impairment {
  const some = (max: number): number => (random.below(3) === 0 ? 0 : (random.below(1_000) / 1_000) * max);
  const delay = pick(random, [0, 100, 5 * MILLISECOND, 60 * MILLISECOND]);
  return {
    delay,
    jitter: random.below(delay + 1),
    loss: some(0.1),
    duplicate: some(0.05),
    reorder: delay === 0 ? 0 : some(0.1),
    corrupt: some(0.03),
    ...(random.below(4) === 0
      ? { rate: pick(random, [200_000, 2_000_000, 50_000_000]), limit: 5 + random.below(50) }
      : {}),
  };
}

/** Odd buffers and odd wishes. */
function outfit(random: Random, sk: TcpSock): void {
  if (random.below(2) === 0) setSocketOption(sk, 'SOL_SOCKET', 'SO_RCVBUF', random.below(30_000));
  if (random.below(2) === 0) setSocketOption(sk, 'SOL_SOCKET', 'SO_SNDBUF', random.below(30_000));
  if (random.below(3) === 0) setSocketOption(sk, 'IPPROTO_TCP', 'TCP_NODELAY', 1);
  if (random.below(6) === 0) setSocketOption(sk, 'IPPROTO_TCP', 'TCP_QUICKACK', 0);
  if (random.below(6) === 0) setSocketOption(sk, 'IPPROTO_TCP', 'TCP_MAXSEG', 88 + random.below(1_400));
}

function newEnd(random: Random, name: string, seed: number): End {
  const ending = pick(random, ['polite', 'polite', 'polite', 'polite', 'early', 'reset'] as const);
  const written = pattern(random.below(pick(random, [1, 2_000, STREAM_BYTES_MAX])), seed);
  return { name, ending, written, received: [], taken: 0, outcome: '', sk: undefined };
}

function newPair(random: Random, seed: number): Pair {
  const pair = tcpPair((clock, direction) => ({
    clock,
    platform,
    seed: seed * 2 + direction,
    impairment: trouble(random),
  }));
  for (const host of [pair.alice, pair.bob]) {
    const dev = host.devices.byName('eth0');
    if (dev !== undefined && random.below(2) === 0) host.devices.setMtu(dev, 552 + random.below(949));
    for (const name of ['sack', 'timestamps', 'window_scaling'])
      if (random.below(4) === 0) host.sysctl.set(`net.ipv4.tcp_${name}`, '0');
    if (random.below(3) === 0) host.sysctl.set('net.ipv4.tcp_congestion_control', 'reno');
  }
  return pair;
}

/** The connections of one seed: ends[2n] is alice's of connection n, ends[2n + 1] bob's. */
function connections(pair: Pair, random: Random, seed: number): { ends: End[]; stop: () => void } {
  const { clock, alice, bob } = pair;
  const ends: End[] = [];
  const listeners: TcpSock[] = [];
  for (let n = 1 + random.below(CONNECTIONS_MAX); n > 0; n--) {
    const port = 1_000 + n;
    const mine = newEnd(random, `alice ${n}`, seed * 16 + n);
    const theirs = newEnd(random, `bob ${n}`, seed * 16 + 8 + n);
    ends.push(mine, theirs);
    const listener = listenOn(bob, port, (child) => new Pump(clock, random.fork(theirs.name), theirs, child));
    outfit(random, listener);
    listeners.push(listener);
    clock.after(random.below(2 * SECOND), () => {
      const sk = connectTo(alice, '10.0.0.2', port);
      outfit(random, sk);
      new Pump(clock, random.fork(mine.name), mine, sk);
    });
  }
  return { ends, stop: () => listeners.map((listener) => tcpProto.close(listener)) };
}

/** One seed. Returns the lab time it took. */
export function soak(seed: number): Micros {
  const random = testRandom('tcp soak', seed);
  const pair = newPair(random, seed);
  const { clock, alice, bob } = pair;
  const { ends, stop } = connections(pair, random, seed);
  const start = clock.now();
  const waiting = (): End[] => ends.filter((end) => end.outcome === '' && !abandoned(ends, end));
  for (let n = 0; clock.now() - start < PATIENCE; n++) {
    clock.advance(AUDIT_EVERY);
    expect([...auditHost(alice), ...auditHost(bob)], `seed ${seed} at ${clock.now()}`).toEqual([]);
    if (n > 4 && waiting().length === 0) break;
  }
  expect(waiting().map((end) => story(ends, end))).toEqual([]);
  const took = clock.now() - start;
  for (const end of ends) if (end.outcome === '' && end.sk !== undefined) tcpProto.close(end.sk);
  stop();
  clock.advance(AFTERWARDS);
  for (const [i, end] of ends.entries()) checkStream(ends[i ^ 1]!, end, seed);
  checkNothingLeft(clock, [alice, bob], seed);
  return took;
}

/** Whose peer left in the middle may wait for ever: the RST may have been lost, and nobody asks (no keepalive). */
function abandoned(ends: readonly End[], end: End): boolean {
  return ends[ends.indexOf(end) ^ 1]?.outcome === 'left';
}

/** What came is what was sent, all of it between the polite; else its beginning. */
function checkStream(from: End, to: End, seed: number): void {
  const sent = from.written.subarray(0, from.taken);
  const received = Uint8Array.from(to.received);
  const what = `seed ${seed}: what ${to.name} (${to.outcome}) had of ${from.name} (${from.outcome})`;
  expect(received.length, what).toBeLessThanOrEqual(sent.length);
  expect(Buffer.compare(received, sent.subarray(0, received.length)), what).toBe(0);
  if (from.ending !== 'polite' || to.ending !== 'polite') return;
  expect([from.outcome, to.outcome, received.length], what).toEqual(['end', 'end', from.written.length]);
}

function checkNothingLeft(clock: ManualClock, hosts: readonly Host[], seed: number): void {
  const left = hosts.map(leftovers);
  expect(left, `seed ${seed}`).toEqual(hosts.map(() => NOTHING_LEFT));
  expect(timersLeft(clock, hosts, AFTERWARDS), `seed ${seed}: armed timers`).toBe(0);
}

function story(ends: readonly End[], end: End): string {
  const one = ({ name, sk, taken, written, outcome, received }: End): string =>
    `${name} ${outcome} ${sk?.state}, sent ${taken} of ${written.length}, had ${received.length}`;
  return `${one(end)}; ${one(ends[ends.indexOf(end) ^ 1]!)}`;
}
