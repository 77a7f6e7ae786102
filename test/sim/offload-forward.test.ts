import { expect, test } from 'vitest';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { addRoute, ip } from '../kit/cable.ts';
import { addCard, cardHost } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { listenEcho, sendEcho } from '../kit/echo.ts';
import { cardVerdict, tcpSkb } from '../kit/tcp-frames.ts';

test('a burst that a router merged on the way in leaves it as the segments that came, one hop older', () => {
  const clock = new ManualClock();
  const [a, left] = memoryWire(clock, 'alice:eth0', 'r:eth0');
  const [right, b] = memoryWire(clock, 'r:eth1', 'bob:eth0');
  const router = cardHost('r', clock);
  router.sysctl.set('net.ipv4.ip_forward', '1');
  const inside = addCard(router, 'eth0', left, { addresses: ['10.0.0.254/24'] });
  addCard(router, 'eth1', right, { addresses: ['10.0.1.254/24'] });
  const alice = cardHost('alice', clock);
  const bob = cardHost('bob', clock);
  const near = addCard(alice, 'eth0', a, { addresses: ['10.0.0.1/24'] });
  const far = addCard(bob, 'eth0', b, { addresses: ['10.0.1.2/24'] });
  addRoute(alice, 'default via 10.0.0.254');
  addRoute(bob, 'default via 10.0.1.254');
  const echoes = listenEcho(alice);
  sendEcho(alice, ip('10.0.1.2'), { sequence: 1 });
  clock.advance(10_000);
  expect(echoes.replies).toHaveLength(1);

  const frames: Uint8Array[] = [];
  far.nic.phy.tap = (direction, bytes, at, size) => {
    if (direction === 'in') frames.push(bytes.slice(at, at + size - 4));
  };
  const skb = tcpSkb(alice, {
    source: ip('10.0.0.1'),
    target: ip('10.0.1.2'),
    targetMac: inside.dev.mac,
    sourceMac: near.dev.mac,
    payload: 40_000,
    flags: 0x18,
    sequence: 0xffff_f000,
    id: 77,
  });
  skb.gsoSize = 1_448;
  skb.gsoSegments = Math.ceil(40_000 / 1_448);
  expect(near.dev.ops.startXmit(skb, false)).toBe('ok');
  clock.advance(10_000);

  expect(frames).toHaveLength(28);
  let octet = 0;
  frames.forEach((frame, i) => {
    const view = new DataView(frame.buffer);
    expect(cardVerdict(alice, frame)).toBe('good');
    expect([view.getUint16(18), frame[22]]).toEqual([77 + i, 63]);
    expect(view.getUint32(38)).toBe((0xffff_f000 + i * 1_448) >>> 0);
    expect(frame[47]).toBe(i === 27 ? 0x18 : 0x10);
    for (let at = 54; at < frame.length; at++) if (frame[at] !== ((octet++ * 7) & 255)) expect.unreachable();
  });
  expect(octet).toBe(40_000);
  expect(inside.dev.ops.statistics().get('rx_gro_merged')).toBeGreaterThan(20);
  clock.advance(60_000_000);
  for (const host of [alice, bob, router]) expect(host.skbs.counters.live).toBe(0);
});
