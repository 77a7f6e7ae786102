/** RFC 7413 §4.1.3: what a client remembers of a server, as `ip tcp_metrics` lists it; two hosts that open fast. */
import { expect, test } from 'vitest';
import { MSG } from '../../../shared/net/sock.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { programs } from '../../../shared/programs/registry.ts';
import { ip } from '../../kit/cable.ts';
import { platform } from '../../kit/cards.ts';
import { runOn } from '../../kit/programs.ts';
import { leftovers, listenOn, NOTHING_LEFT, newSock, type Pair, pumpIn, tcpPair } from '../../kit/tcp-pair.ts';

function openFast(pair: Pair, length: number): { sk: TcpSock; sent: ReturnType<typeof tcpProto.sendmsg> } {
  const sk = newSock(pair.alice);
  const to = { address: ip('10.0.0.2'), port: 80 };
  return { sk, sent: tcpProto.sendmsg(sk, new Uint8Array(length), { to, flags: MSG.FASTOPEN }) };
}

test('the first connection brings a cookie, the second has its data read after half a round trip', async () => {
  const pair = tcpPair((clock, direction) => ({ clock, platform, seed: direction, impairment: { delay: 50_000 } }));
  const { alice, bob, clock } = pair;
  expect(bob.sysctl.set('net.ipv4.tcp_fastopen', '0x403')).toBeUndefined();
  const came: { at: number; total: number }[] = [];
  listenOn(bob, 80, (child) => {
    const sink = pumpIn(child, () => tcpProto.close(child));
    came.push({ at: clock.now(), total: sink.total });
  });
  const first = openFast(pair, 100);
  expect(first.sent).toBe('EINPROGRESS');
  clock.advance(1_000_000);
  tcpProto.close(first.sk);
  clock.advance(1_000_000);
  alice.processes.programs = programs;
  const shown = await runOn(alice, clock, ['ip', 'tcp_metrics']);
  expect(shown.out).toMatch(/^10\.0\.0\.2 age [\d.]+sec .*fo_mss 1460 fo_cookie [0-9a-f]{16} source 10\.0\.0\.1\n$/);

  const before = clock.now();
  const second = openFast(pair, 100);
  expect(second.sent).toBe(100);
  clock.advance(500_000);
  expect(came.map(({ total }) => total)).toEqual([0, 100]);
  expect(came[1]!.at - before).toBeLessThan(60_000);
  expect([alice.snmp.TcpExtTCPFastOpenActive, bob.snmp.TcpExtTCPFastOpenPassive]).toEqual([1, 1]);
  tcpProto.close(second.sk);
  clock.advance(130_000_000);
  expect(leftovers(alice)).toEqual(NOTHING_LEFT);

  await runOn(alice, clock, ['ip', 'tcp_metrics', 'flush']);
  expect((await runOn(alice, clock, ['ip', 'tcp_metrics', 'show'])).out).toBe('');
  const third = openFast(pair, 100);
  expect(third.sent).toBe('EINPROGRESS');
  tcpProto.close(third.sk);
  clock.advance(130_000_000);
});
