/**
 * Connections between two hosts over a wire that is bad in ways drawn from a seed: loss, duplicates, disorder, bits that
 * flip on the wire or in a memory, small MTUs, small buffers, cards without offloads; programs that write and read in fits
 * and starts, turn socket options meanwhile, and end by half-closing, by closing, or in the middle of it all, at both ends.
 * Whatever happens: the bytes that arrive are the bytes that were sent, a flipped bit is found by FCS or checksum,
 * connections end, and nothing is left: no packet, no socket, no timer.
 */
import { expect } from 'vitest';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import type { DropReason } from '../../shared/net/drop.ts';
import { isErrno } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import { MSG } from '../../shared/net/sock.ts';
import { setSocketOption } from '../../shared/net/socket.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import { assert, MILLISECOND, type Micros, type Random, SECOND } from '../../shared/platform.ts';
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
/** What any seed may take, in lab time: most of it is silence after losses in a row. */
export const SOAK_SECONDS_MAX = 3_600;
/** Chance, out of a thousand, to turn an option after a step. */
const FIDDLING = 20;
/** All rests of a program together. */
const RESTS_MAX: Micros = 20 * SECOND;
/** Below it more is advertised than fits, as Linux does (net.ipv4.route.min_adv_mss, 256, and two headers). */
const MTU_LEAST = 296;
const OFFLOADS = ['tso', 'gso', 'gro', 'txChecksum', 'rxChecksum'] as const;
const AUDIT_EVERY: Micros = 500 * MILLISECOND;

/**
 * How a program leaves: after the other's end, having written all it wanted or not ('half'); or before it, with a FIN or a
 * RST; or deaf, having shut its reading side down first.
 */
type Ending = 'polite' | 'half' | 'early' | 'reset' | 'deaf';
const ENDINGS: readonly Ending[] = ['polite', 'polite', 'polite', 'half', 'early', 'reset', 'deaf'];
const inFull = (ending: Ending): boolean => ending === 'polite' || ending === 'half';

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
  private deaf = false;

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
      if (this.random.below(1_000) < FIDDLING) this.fiddle();
      if (!wrote && !read) return;
      if (this.random.below(1_000) < this.laziness) this.rest();
    }
  }

  /** Turn an option in the middle of things. */
  private fiddle(): void {
    const { random, sk } = this;
    const [level, name, value] = pick(random, [
      ['IPPROTO_TCP', 'TCP_NODELAY', random.below(2)],
      ['IPPROTO_TCP', 'TCP_CORK', random.below(2)],
      ['IPPROTO_TCP', 'TCP_QUICKACK', random.below(2)],
      ['IPPROTO_TCP', 'TCP_CONGESTION', { text: pick(random, ['reno', 'cubic']) }],
      ['IPPROTO_TCP', 'TCP_NOTSENT_LOWAT', random.below(20_000)],
      ['SOL_SOCKET', 'SO_RCVBUF', random.below(60_000)],
      ['SOL_SOCKET', 'SO_SNDBUF', random.below(60_000)],
    ] as const);
    if (this.end.outcome === '') setSocketOption(sk, level, name, value);
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
    const enough = end.ending === 'half' && end.taken + end.received.length >= this.leaveAt;
    if (enough || end.taken === end.written.length) {
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
    if (this.gone) return;
    const left = tcpProto.ioctl(this.sk, 'SIOCOUTQ');
    if (left === 0 || this.sk.state === 'CLOSE') return this.over('end');
    this.resting = true;
    this.clock.after(100 * MILLISECOND, () => {
      this.resting = false;
      this.whenAcknowledged();
    });
  }

  /** Those who do not wait for the end go when they have seen and said so much. */
  private leave(): void {
    const { end, sk } = this;
    if (inFull(end.ending) || end.outcome !== '' || end.taken + end.received.length < this.leaveAt) return;
    // Shutting down wakes us: it may be over when the call returns.
    if (end.ending === 'deaf' && !this.deaf) {
      this.deaf = true;
      tcpProto.shutdown(sk, pick(this.random, ['read', 'both']));
    }
    if (this.gone) return;
    if (end.ending === 'reset') sk.linger = { on: true, seconds: 0 };
    this.over('left');
  }

  private get gone(): boolean {
    return this.end.outcome !== '';
  }

  private over(outcome: string): void {
    assert(!this.gone, 'a program closes once');
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
    corrupt: pick(random, [some(0.03), { ratio: some(0.03), layer: 'ip' }, { ratio: some(0.03), layer: 'tcp' }]),
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
  const ending = pick(random, ENDINGS);
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
    assert(dev !== undefined, 'both have a card');
    if (random.below(2) === 0) host.devices.setMtu(dev, MTU_LEAST + random.below(1_501 - MTU_LEAST));
    for (const name of OFFLOADS) if (random.below(4) === 0) dev.features[name] = false;
    host.sysctl.set('net.ipv4.tcp_ecn', String(random.below(6)));
    host.sysctl.set('net.ipv4.tcp_ecn_option', String(random.below(4)));
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

/** One seed. Returns the lab time it took; what goes wrong is told with the command that repeats it. */
export function soak(seed: number, file: string): Micros {
  try {
    return soakOnce(seed);
  } catch (error) {
    const again = `npx vitest run --project ${file.split('/')[1]} ${file} -t 'seed ${seed}:'`;
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}\nseed ${seed}, again: ${again}`, { cause: error });
  }
}

function soakOnce(seed: number): Micros {
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
  for (const end of ends) abandon(end);
  stop();
  clock.advance(AFTERWARDS);
  for (const [i, end] of ends.entries()) checkStream(ends[i ^ 1]!, end, seed);
  checkCaught(pair, seed);
  checkNothingLeft(clock, [alice, bob], seed);
  return took;
}

/** Who waits in vain goes home: its program does nothing more, whatever rest it wakes from. */
function abandon(end: End): void {
  if (end.outcome !== '' || end.sk === undefined) return;
  end.outcome = 'abandoned';
  tcpProto.close(end.sk);
}

/** What a flipped bit may be found by. */
const CAUGHT: readonly DropReason[] = ['fcs_error', 'ip_bad_checksum', 'ip_bad_version', 'tcp_bad_checksum'];
const CAUGHT_TOO: readonly DropReason[] = ['ip_header_too_short', 'ip_truncated', 'ip_bad_length', 'tcp_header'];

/** Every frame with a flipped bit that reached its host was thrown away there: none less, and none that was sound. */
function checkCaught({ wires, alice, bob }: Pair, seed: number): void {
  for (const [wire, receiver] of [
    [wires[0]!, bob],
    [wires[1]!, alice],
  ] as const) {
    const { drops } = receiver.skbs.counters;
    const caught = [...CAUGHT, ...CAUGHT_TOO].reduce((sum, reason) => sum + (drops.get(reason) ?? 0), 0);
    const { corrupted, duplicated } = wire.verdicts;
    const what = `seed ${seed}: frames to ${receiver.name} with a flipped bit that were caught`;
    expect(caught, what).toBeLessThanOrEqual(corrupted + duplicated);
    // A queue in front of the wire may have lost some of them.
    if (wire.impairment.rate === undefined) expect(caught, what).toBeGreaterThanOrEqual(corrupted);
  }
}

/** Whose peer left in the middle may wait for ever: the RST may have been lost, and nobody asks (no keepalive). */
function abandoned(ends: readonly End[], end: End): boolean {
  const peer = ends[ends.indexOf(end) ^ 1]!;
  return peer.outcome === 'left' || neverMet(end, peer);
}

/** Three questions for an address lost in a row: connect says so, and the other end never heard of it. */
function neverMet(one: End, other: End): boolean {
  return (
    [one, other].some(({ outcome }) => outcome === 'EHOSTUNREACH') && [one, other].some(({ sk }) => sk === undefined)
  );
}

/** What came is what was sent, all of it between the polite; else its beginning. */
function checkStream(from: End, to: End, seed: number): void {
  const sent = from.written.subarray(0, from.taken);
  const received = Uint8Array.from(to.received);
  const what = `seed ${seed}: what ${to.name} (${to.outcome}) had of ${from.name} (${from.outcome})`;
  expect(received.length, what).toBeLessThanOrEqual(sent.length);
  expect(Buffer.compare(received, sent.subarray(0, received.length)), what).toBe(0);
  if (!inFull(from.ending) || !inFull(to.ending) || neverMet(from, to)) return;
  expect([from.outcome, to.outcome, received.length], what).toEqual(['end', 'end', sent.length]);
  if (from.ending === 'polite') expect(received.length, what).toBe(from.written.length);
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
