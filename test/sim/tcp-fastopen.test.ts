/** Fast Open on a bad wire: whatever happens to SYNs with data, every byte arrives once and in order, and nothing is left. */
import { expect, test } from 'vitest';
import { isErrno } from '../../shared/net/errno.ts';
import { MSG } from '../../shared/net/sock.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import { ip } from '../kit/cable.ts';
import { platform } from '../kit/cards.ts';
import { auditHost } from '../kit/tcp-audit.ts';
import {
  leftovers,
  listenOn,
  NOTHING_LEFT,
  newSock,
  type Pair,
  pattern,
  pumpIn,
  pumpOut,
  type Sink,
  tcpPair,
} from '../kit/tcp-pair.ts';

const SEEDS = 12;
const CONNECTIONS = 6;

/** One connection that writes with its SYN, reads the answer and closes. */
function exchange(pair: Pair, bytes: Uint8Array): { sink: () => Sink | undefined } {
  const sk: TcpSock = newSock(pair.alice);
  const to = { address: ip('10.0.0.2'), port: 80 };
  const sent = tcpProto.sendmsg(sk, bytes, { to, flags: MSG.FASTOPEN });
  expect(isErrno(sent) ? sent : 'sent').toMatch(/^(sent|EINPROGRESS)$/);
  const rest = bytes.subarray(typeof sent === 'number' ? sent : 0);
  let sink: Sink | undefined;
  const go = (): void => {
    if (sink !== undefined || sk.state === 'SYN_SENT') return;
    sink = pumpIn(sk, () => tcpProto.close(sk));
    pumpOut(sk, rest, () => tcpProto.shutdown(sk, 'write'));
  };
  sk.wait.add(go);
  return { sink: () => sink };
}

function run(seed: number): void {
  const impairment = { delay: 10_000, jitter: 8_000, loss: 0.1, duplicate: 0.05, reorder: 0.1 };
  const pair = tcpPair((clock, direction) => ({ clock, platform, seed: seed * 2 + direction, impairment }));
  const { alice, bob, clock } = pair;
  // What is tried here is TCP: the neighbours know each other.
  for (const [from, to, address] of [
    [alice, bob, '10.0.0.2'],
    [bob, alice, '10.0.0.1'],
  ] as const) {
    const mac = to.devices.byName('eth0')!.mac;
    from.netlink.ask({ type: 'RTM_NEWNEIGH', address: ip(address), dev: 'eth0', mac, state: 'PERMANENT' });
  }
  bob.sysctl.set('net.ipv4.tcp_fastopen', seed % 2 === 0 ? '0x403' : '0x603');
  const listener = listenOn(bob, 80, (child) => {
    const sink = pumpIn(child, () => pumpOut(child, Buffer.concat(sink.parts), () => tcpProto.close(child)));
  });
  for (let n = 0; n < CONNECTIONS; n++) {
    const bytes = pattern(1 + ((seed * 977 + n * 1_531) % 6_000), seed + n);
    const { sink } = exchange(pair, bytes);
    for (let i = 0; i < 4_000 && sink()?.end !== 'end'; i++) {
      clock.advance(200_000);
      expect([...auditHost(alice), ...auditHost(bob)], `seed ${seed}`).toEqual([]);
    }
    expect(sink()?.end, `seed ${seed}, connection ${n}`).toBe('end');
    expect(Buffer.concat(sink()?.parts ?? []).equals(bytes), `seed ${seed}, connection ${n}`).toBe(true);
  }
  tcpProto.close(listener);
  clock.advance(400_000_000);
  expect([leftovers(alice), leftovers(bob)], `seed ${seed}`).toEqual([NOTHING_LEFT, NOTHING_LEFT]);
}

test(`${SEEDS} seeds of lost, doubled and overtaking SYNs with data: what was written comes back whole`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) run(seed);
});
