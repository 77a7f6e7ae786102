import { expect, test } from 'vitest';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import { addCard, cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';

function card() {
  const clock = new ManualClock();
  const host = cardHost('alice', clock);
  const [wire] = memoryWire(clock, 'alice:eth0', 'sw:p1');
  return { host, ...addCard(host, 'eth0', wire) };
}

test('ethtool is told of rings, driver, carrier, counters and offloads', () => {
  const { host } = card();
  const asked = host.netlink.ask({ type: 'ETHTOOL', dev: 'eth0' });
  expect(asked).toMatchObject({ answer: { driver: 'wirelab', rxRing: 256, txRing: 256, carrier: false } });
  expect(asked).toMatchObject({
    answer: { features: { tso: true, gro: true } },
  });
  expect(host.netlink.ask({ type: 'ETHTOOL', dev: 'eth9' })).toEqual({ answer: 'ENODEV' });
});

test('offloads are switched by name, and a card that does not sum does not segment', () => {
  const { host, dev } = card();
  const set = (features: Record<string, boolean>): unknown =>
    host.netlink.ask({ type: 'ETHTOOL_SET', dev: 'eth0', features });
  expect(set({ gro: false, txChecksum: false })).toEqual({ answer: undefined });
  expect(dev.features).toMatchObject({ gro: false, txChecksum: false, tso: false });
  expect(set({ gro: true, warp: true })).toEqual({ answer: 'EOPNOTSUPP' });
  expect(dev.features.gro).toBe(false);
});

test('interrupts and softirqs are in /proc', () => {
  const { host } = card();
  expect(host.procfs.lookup('/proc/interrupts')?.read()).toMatch(/CPU0[\s\S]*24: +0 .*eth0\n/);
  expect(host.procfs.lookup('/proc/net/softnet_stat')?.read()).toMatch(/^([0-9a-f]{8} ){14}[0-9a-f]{8}\n$/);
});
