/** Two hosts and a bad wire: both ends write, read, half-close, close and reset at random, and nothing is left of it. */
import { expect, test } from 'vitest';
import { isErrno } from '../../shared/net/errno.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import type { Random } from '../../shared/platform.ts';
import { platform } from '../kit/cards.ts';
import { testRandom } from '../kit/random.ts';
import { auditHost } from '../kit/tcp-audit.ts';
import {
  connectTo,
  leftovers,
  listenOn,
  NOTHING_LEFT,
  type Pair,
  pattern,
  pumpIn,
  pumpOut,
  runUntil,
  tcpPair,
} from '../kit/tcp-pair.ts';

const SEEDS = 40;
const CONNECTIONS = 6;
const STEPS = 150;
/** Time-outs of orphans on a bad wire, and TIME-WAIT. */
const AFTERWARDS = 2_000_000_000;

function badPair(seed: number): Pair {
  return tcpPair((clock, direction) => ({
    clock,
    platform,
    seed: seed * 2 + direction,
    impairment: { delay: 3_000, jitter: 500, loss: 0.05, duplicate: 0.02, reorder: 0.05 },
  }));
}

test('half a megabyte each way at once on one connection arrives whole at both ends', () => {
  for (const seed of [1, 2, 3]) {
    const pair = badPair(seed);
    const there = pattern(500_000, seed);
    const back = pattern(500_000, seed + 100);
    const sinks: ReturnType<typeof pumpIn>[] = [];
    const run = (sk: TcpSock, bytes: Uint8Array): void => {
      let ends = 0;
      const done = (): void => {
        if (++ends === 2) tcpProto.close(sk);
      };
      sinks.push(pumpIn(sk, done));
      // Half-close: the other direction goes on until its own end.
      pumpOut(sk, bytes, () => {
        tcpProto.shutdown(sk, 'write');
        done();
      });
    };
    const listener = listenOn(pair.bob, 80, (child) => run(child, back));
    const client = connectTo(pair.alice, '10.0.0.2', 80);
    const stop = client.wait.add(() => {
      if (client.state !== 'ESTABLISHED') return;
      stop();
      run(client, there);
    });
    const over = (): boolean => sinks.length === 2 && sinks.every((sink) => sink.end !== 'open');
    expect(runUntil(pair.clock, over, 300_000_000)).toBe(true);
    expect(sinks.map((sink) => sink.end)).toEqual(['end', 'end']);
    const texts = sinks.map((sink) => Buffer.concat(sink.parts));
    expect(texts.some((text) => text.equals(there)) && texts.some((text) => text.equals(back))).toBe(true);
    tcpProto.close(listener);
    pair.clock.advance(AFTERWARDS);
    expect([leftovers(pair.alice), leftovers(pair.bob)]).toEqual([NOTHING_LEFT, NOTHING_LEFT]);
    expect(pair.clock.pending).toBeLessThan(10);
  }
});

function step(random: Random, sk: TcpSock): void {
  const buffer = new Uint8Array(1 + random.below(60_000));
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      tcpProto.sendmsg(sk, buffer, { flags: random.below(5) === 0 ? 0x8000 : 0 });
      return;
    case 4:
    case 5:
    case 6:
    case 7:
      tcpProto.recvmsg(sk, buffer, 0);
      return;
    case 8:
      if (random.below(12) === 0) tcpProto.shutdown(sk, 'write');
      return;
    case 9:
      if (random.below(25) === 0) tcpProto.disconnect(sk);
      return;
    default:
  }
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: ends that write, read, half-close, reset and close at random leave nothing behind`, () => {
    const pair = badPair(seed);
    const random = testRandom(`traffic ${seed}`, seed);
    const open = new Set<TcpSock>();
    const listener = listenOn(pair.bob, 80, (child) => open.add(child), 3);
    for (let n = 0; n < CONNECTIONS; n++) open.add(connectTo(pair.alice, '10.0.0.2', 80));
    for (let n = 0; n < STEPS; n++) {
      for (const sk of [...open]) {
        step(random, sk);
        if (random.below(80) !== 0) continue;
        if (random.below(3) === 0) sk.linger = { on: true, seconds: 0 };
        tcpProto.close(sk);
        open.delete(sk);
      }
      pair.clock.advance(random.below(20_000));
      expect([...auditHost(pair.alice), ...auditHost(pair.bob)]).toEqual([]);
    }
    for (const sk of open) tcpProto.close(sk);
    tcpProto.close(listener);
    expect(isErrno(tcpProto.sendmsg(listener, new Uint8Array(1), {}))).toBe(true);
    pair.clock.advance(AFTERWARDS);
    expect([leftovers(pair.alice), leftovers(pair.bob)]).toEqual([NOTHING_LEFT, NOTHING_LEFT]);
  });
}
