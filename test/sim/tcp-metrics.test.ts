import { expect, test } from 'vitest';
import { setSocketOption } from '../../shared/net/socket.ts';
import { tcpProto } from '../../shared/net/tcp.ts';
import { programs } from '../../shared/programs/registry.ts';
import { platform } from '../kit/cards.ts';
import { runOn } from '../kit/programs.ts';
import { connectTo, listenOn, type Pair, pumpIn, pumpOut, tcpPair } from '../kit/tcp-pair.ts';

/** Alice sends to bob, and both close. */
function transfer({ clock, alice, bob }: Pair, port: number): void {
  listenOn(bob, port, (child) => void pumpIn(child, () => tcpProto.close(child)));
  const sk = connectTo(alice, '10.0.0.2', port);
  pumpOut(sk, new Uint8Array(200_000), () => tcpProto.close(sk));
  clock.advance(5_000_000);
}

test('a connection leaves round trip and cwnd for the next; ip tcp_metrics shows and forgets them', async () => {
  const pair = tcpPair((clock) => ({ clock, platform, seed: 1, impairment: { delay: 10_000 } }));
  const { clock, alice } = pair;
  alice.processes.programs = programs;
  const metrics = async (...words: string[]) => (await runOn(alice, clock, ['ip', 'tcp_metrics', ...words])).out;
  transfer(pair, 80);
  expect(await metrics('show', '10.0.0.2')).toMatch(
    /^10\.0\.0\.2 age [\d.]+sec cwnd \d+ rtt 2\d{4}us rttvar \d+us source 10\.0\.0\.1\n$/,
  );
  await metrics('flush');
  expect(await metrics()).toBe('');
  alice.sysctl.set('net.ipv4.tcp_no_metrics_save', '1');
  transfer(pair, 81);
  expect(await metrics()).toBe('');
  clock.advance(70_000_000);
});

test('ss -ti shows the pacing rate and what SO_MAX_PACING_RATE allows; the transfer keeps to it', async () => {
  const { clock, alice, bob } = tcpPair((timer) => ({
    clock: timer,
    platform,
    seed: 1,
    impairment: { delay: 10_000 },
  }));
  alice.processes.programs = programs;
  let total = 0;
  listenOn(bob, 80, (child) => {
    const sink = pumpIn(child, () => tcpProto.close(child));
    child.wait.add(() => void (total = sink.total));
  });
  const sk = connectTo(alice, '10.0.0.2', 80);
  expect(setSocketOption(sk, 'SOL_SOCKET', 'SO_MAX_PACING_RATE', 125_000)).toBeUndefined();
  pumpOut(sk, new Uint8Array(500_000), () => tcpProto.close(sk));
  clock.advance(2_000_000);
  expect((await runOn(alice, clock, ['ss', '-tni'])).out).toContain('pacing_rate 1000000bps/1000000bps');
  expect(total).toBeGreaterThan(200_000);
  expect(total).toBeLessThan(290_000);
  clock.advance(70_000_000);
  expect(total).toBe(500_000);
});
