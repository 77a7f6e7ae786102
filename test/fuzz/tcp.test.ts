/**
 * Any segments whatever, and any system calls between them: TCP never throws, its counts agree with its queues after each
 * step (the kit checks), and at the end nothing is left. The seed of a failure is in its title.
 */
import { expect, test } from 'vitest';
import { tcpProto } from '../../shared/net/tcp.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import type { Random } from '../../shared/platform.ts';
import { testRandom } from '../kit/random.ts';
import { type TcpScript, tcpScript } from '../kit/tcp.ts';
import { leftovers, NOTHING_LEFT } from '../kit/tcp-pair.ts';

const SEEDS = 300;
const STEPS = 120;
/** Orphans, TIME-WAIT, and the patience of retries. */
const AFTERWARDS_SECONDS = 1_500;

const FLAGS = ['.', '.', '.', '.', 'P.', 'P.', 'P.', 'PU.'];
/** These end a connection soon, so they are rare. */
const ROUGH_FLAGS = ['F.', 'R', 'R.', 'S', 'S.', 'FPU.', '-', 'FSRP.UEW', 'P', 'F'];

function somewhere(random: Random, near: number): number {
  const kind = random.below(8);
  if (kind < 5) return Math.max(0, near);
  if (kind < 7) return Math.max(0, near + random.below(6_000) - 3_000);
  return random.below(2_000_000_000);
}

function options(random: Random, una: number): string {
  const parts: string[] = [];
  if (random.below(4) === 0) {
    const from = una + random.below(8_000);
    parts.push('nop', 'nop', `sack ${from}:${from + 1 + random.below(4_000)}`);
  }
  if (random.below(6) === 0) parts.push('nop', 'nop', `TS val ${random.below(1_000_000)} ecr ${random.below(1_000)}`);
  if (random.below(9) === 0) parts.push('mss 10', 'wscale 14', 'sackOK');
  return parts.length === 0 ? '' : ` <${parts.join(',')}>`;
}

function segment(random: Random, t: TcpScript, sk: TcpSock): void {
  const start = somewhere(random, (sk.rcvNxt - sk.irs) | 0);
  const length = random.below(3) === 0 ? 0 : random.below(3_000);
  const una = (sk.sndUna - sk.iss) | 0;
  const sent = Math.max(0, (sk.sndNxt - sk.sndUna) | 0);
  const ack = somewhere(random, una + (sent > 0 ? random.below(sent + 1) : 0));
  const from = random.below(12) === 0 ? ROUGH_FLAGS : FLAGS;
  const flags = from[random.below(from.length)] ?? '.';
  const urgent = flags.includes('U') ? ` urg ${random.below(5)}` : '';
  const window = random.below(5) === 0 ? 0 : random.below(2_000);
  const end = start + length;
  t.inbound(`${flags} ${start}:${end}(${length}) ack ${ack} win ${window}${urgent}${options(random, una)}`);
}

function step(random: Random, t: TcpScript, sk: TcpSock, rough: number): void {
  switch (random.below(10)) {
    case 0:
      t.write(sk, 1 + random.below(40_000), random.below(4) === 0 ? 0x8000 : 0);
      return;
    case 1:
      t.read(sk, 1 + random.below(20_000), random.below(4) === 0 ? 2 : 0);
      return;
    case 2:
      t.wait(random.below(3_000) / 1_000);
      return;
    case 3:
      if (random.below(rough) === 0) t.shutdown(sk, random.below(2) === 0 ? 'write' : 'both');
      return;
    case 4:
      t.icmp(3, random.below(14), 68 + random.below(1_500), (sk.sndUna - sk.iss) | 0);
      return;
    case 5:
      tcpProto.setsockopt(sk, 'SOL_TCP', random.below(2) === 0 ? 'TCP_NODELAY' : 'TCP_CORK', random.below(2));
      return;
    default:
      segment(random, t, sk);
  }
  t.drain();
}

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}: whatever comes, TCP neither throws nor leaks`, () => {
    const random = testRandom(`tcp fuzz ${seed}`, seed);
    const t = tcpScript({ mss: 1_000 });
    const stamped = random.below(2) === 0;
    const sk = t.established(
      stamped
        ? {
            syn: 'S 0:0(0) win 32792 <mss 1000,sackOK,TS val 900 ecr 0,nop,wscale 7>',
            ack: '. 1:1(0) ack 1 win 320 <nop,nop,TS val 901 ecr 0>',
          }
        : {},
    );
    for (let i = 0; i < STEPS; i++) step(random, t, sk, 20);
    t.close(sk);
    for (let i = 0; i < 5; i++) segment(random, t, sk);
    t.wait(AFTERWARDS_SECONDS);
    expect(leftovers(t.host)).toEqual(NOTHING_LEFT);
  });
}
