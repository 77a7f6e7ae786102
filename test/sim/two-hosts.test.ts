import { expect, test } from 'vitest';
import { cpuOf } from '../../shared/nic/napi.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { ip } from '../kit/cable.ts';
import { addCard, cardHost } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { listenEcho, sendEcho } from '../kit/echo.ts';

function twoHosts() {
  const clock = new ManualClock();
  const [wireA, wireB] = memoryWire(clock, 'alice:eth0', 'bob:eth0');
  const alice = cardHost('alice', clock);
  const bob = cardHost('bob', clock);
  const a = addCard(alice, 'eth0', wireA, { addresses: ['10.0.0.1/24'] });
  const b = addCard(bob, 'eth0', wireB, { addresses: ['10.0.0.2/24'] });
  return { clock, wireA, wireB, alice, bob, a, b, echoes: listenEcho(alice) };
}

test('two hosts with cards ping over a wire, and no packet stays behind', () => {
  const { clock, alice, bob, a, b, echoes } = twoHosts();
  sendEcho(alice, ip('10.0.0.2'), { sequence: 1, size: 56 });
  clock.advance(1_000);
  expect(echoes.replies.map((reply) => [reply.sequence, reply.size, reply.ttl])).toEqual([[1, 56, 64]]);
  expect(a.dev.ops.statistics().get('tx_packets')).toBe(2);
  expect(b.dev.ops.statistics().get('rx_packets')).toBe(2);
  expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
  expect(cpuOf(bob).interrupts.lines[0]?.count).toBeGreaterThan(0);
});

test('a ping larger than the MTU crosses in fragments', () => {
  const { clock, alice, bob, echoes } = twoHosts();
  sendEcho(alice, ip('10.0.0.2'), { sequence: 1, size: 20_000 });
  clock.advance(1_000);
  expect(echoes.replies.map((reply) => reply.size)).toEqual([20_000]);
  expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
});

test('an unplugged wire takes both cards carrier down, and pings are lost until it is plugged in again', () => {
  const { clock, alice, wireB, a, b, echoes } = twoHosts();
  wireB.unplug();
  expect([a.dev.carrier, b.dev.carrier]).toEqual([false, false]);
  sendEcho(alice, ip('10.0.0.2'), { sequence: 1 });
  clock.advance(10_000);
  expect(echoes.replies).toEqual([]);
  wireB.plug();
  expect([a.dev.carrier, b.dev.carrier]).toEqual([true, true]);
  sendEcho(alice, ip('10.0.0.2'), { sequence: 2 });
  // The question that was asked in the dark is asked again after a second, and both pings follow.
  clock.advance(1_000_000);
  expect(echoes.replies.map((reply) => reply.sequence)).toEqual([1, 2]);
});

test('the same run gives the same frames', () => {
  const run = (): string[] => {
    const { clock, alice, a } = twoHosts();
    const seen: string[] = [];
    a.nic.phy.tap = (direction, bytes, at, size, _device, _number, _cause, frame) => {
      seen.push(
        `${clock.now()} ${direction} ${frame} ${Buffer.from(bytes.subarray(at + 12, at + size)).toString('hex')}`,
      );
    };
    for (let i = 1; i <= 5; i++) sendEcho(alice, ip('10.0.0.2'), { sequence: i });
    clock.advance(1_000);
    return seen.map((line) => line.replace(/0200000[0-9a-f]{5}/g, 'mac').slice(0, 60));
  };
  expect(run()).toEqual(run());
});
