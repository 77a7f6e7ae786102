import { expect, test } from 'vitest';
import { JiffyTimer } from '../../../shared/net/jiffies.ts';
import { cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { tcpScript } from '../../kit/tcp.ts';

function firesAt(hz: number, armedAt: number, delay: number): number {
  const clock = new ManualClock(0);
  const host = cardHost('dut', clock);
  expect(host.sysctl.set('wirelab.hz', String(hz))).toBeUndefined();
  let fired = -1;
  const timer = new JiffyTimer(host, 'test', () => {
    fired = clock.now();
  });
  clock.run(armedAt);
  timer.arm(delay);
  clock.advance(1_000_000);
  return fired;
}

test('a timer fires on a tick, at most one and a part late, and never early', () => {
  expect(firesAt(1_000, 1_500, 27_000)).toBe(29_000);
  expect(firesAt(250, 1_500, 27_000)).toBe(32_000);
  expect(firesAt(100, 1_500, 27_000)).toBe(40_000);
  expect(firesAt(1_000, 2_000, 1)).toBe(4_000);
});

test('wirelab.hz takes the ticks that kernels are built with', () => {
  const host = cardHost('dut', new ManualClock(0));
  for (const hz of ['100', '250', '300', '1000']) expect(host.sysctl.set('wirelab.hz', hz)).toBeUndefined();
  for (const hz of ['0', '60', '-1', 'fast']) expect(host.sysctl.set('wirelab.hz', hz)).toBe('EINVAL');
});

test('the RTO is a whole number of jiffies', () => {
  const t = tcpScript({ sysctls: { 'wirelab.hz': '250' } });
  const sk = t.established({ rtt: 0.013 });
  expect(sk.rto % 4_000).toBe(0);
  expect(sk.rto).toBeGreaterThanOrEqual(200_000 + 13_000);
});
