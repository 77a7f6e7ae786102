import { describe, expect, test } from 'vitest';
import { addRoute, attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { listenEcho, sendEcho } from '../../kit/echo.ts';

function pair() {
  const clock = newClock();
  const cable = new Cable(clock);
  const alice = makeHost('alice', clock);
  const bob = makeHost('bob', clock);
  attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
  attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'] });
  return { clock, cable, alice, bob, echoes: listenEcho(alice) };
}

describe('ping', () => {
  test('a first ping asks by ARP, and the reply carries id, sequence, data and code back', () => {
    const { clock, cable, alice, bob, echoes } = pair();
    sendEcho(alice, ip('10.0.0.2'), { id: 9, sequence: 4, size: 56, code: 3 });
    clock.advance(1_000);
    expect(echoes.replies).toEqual([{ from: ip('10.0.0.2'), id: 9, sequence: 4, ttl: 64, size: 56, code: 3 }]);
    // Question, answer, request, reply.
    expect(cable.frames.map((frame) => frame.from)).toEqual(['alice:eth0', 'bob:eth0', 'alice:eth0', 'bob:eth0']);
    expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
    expect(bob.snmp.IcmpInEchos).toBe(1);
  });

  test('[1122-2.3.2.2, 1122-2.4c] packets that wait for ARP go out in their order', () => {
    const { clock, alice, echoes } = pair();
    for (const sequence of [1, 2, 3, 4, 5]) sendEcho(alice, ip('10.0.0.2'), { sequence });
    clock.advance(1_000);
    expect(echoes.replies.map((reply) => reply.sequence)).toEqual([1, 2, 3, 4, 5]);
  });

  test('a host answers itself over lo', () => {
    const { clock, alice, cable, echoes } = pair();
    sendEcho(alice, ip('10.0.0.1'));
    sendEcho(alice, ip('127.0.0.1'), { sequence: 2 });
    clock.advance(1_000);
    expect(echoes.replies.map((reply) => reply.from)).toEqual([ip('10.0.0.1'), ip('127.0.0.1')]);
    expect(cable.frames).toHaveLength(0);
    expect(alice.skbs.counters.live).toBe(0);
  });

  test('a ping of 4000 octets is cut on the way out and put together at the other end', () => {
    const { clock, cable, alice, bob, echoes } = pair();
    sendEcho(alice, ip('10.0.0.2'), { size: 4_000 });
    clock.advance(1_000);
    expect(echoes.replies.map((reply) => reply.size)).toEqual([4_000]);
    expect(cable.frames).toHaveLength(2 + 3 + 3);
    expect(alice.snmp.IpFragCreates).toBe(3);
    expect(bob.snmp.IpReasmOKs).toBe(1);
    expect(alice.skbs.counters.copies.fragment).toBe(3);
    expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
    expect(alice.fragments.queues.size).toBe(0);
  });

  test('nobody there: three questions, one a second, then "host unreachable" from ourselves', () => {
    const { clock, cable, alice, echoes } = pair();
    sendEcho(alice, ip('10.0.0.77'));
    clock.advance(10_000_000);
    expect(cable.frames.map((frame) => frame.at)).toEqual([0, 1_000_000, 2_000_000]);
    expect(echoes.errors).toEqual([{ type: 3, code: 1, value: 0, from: ip('10.0.0.1') }]);
    expect(alice.skbs.counters.drops.get('neigh_failed')).toBe(1);
    expect(alice.skbs.counters.live).toBe(0);
  });

  test('[1122-3.3.1.2b] through a router: one hop less, and MACs of the router', () => {
    const clock = newClock();
    const left = new Cable(clock);
    const right = new Cable(clock);
    const alice = makeHost('alice', clock);
    const router = makeHost('router', clock);
    const bob = makeHost('bob', clock);
    attach(alice, 'eth0', left, { addresses: ['10.0.1.2/24'] });
    attach(router, 'eth0', left, { addresses: ['10.0.1.1/24'] });
    attach(router, 'eth1', right, { addresses: ['10.0.2.1/24'] });
    attach(bob, 'eth0', right, { addresses: ['10.0.2.2/24'] });
    expect(router.sysctl.set('net.ipv4.ip_forward', '1')).toBeUndefined();
    expect(addRoute(alice, 'default via 10.0.1.1')).toBeUndefined();
    expect(addRoute(bob, 'default via 10.0.2.1')).toBeUndefined();
    const echoes = listenEcho(alice);
    sendEcho(alice, ip('10.0.2.2'));
    clock.advance(1_000);
    expect(echoes.replies.map(({ from, ttl }) => ({ from, ttl }))).toEqual([{ from: ip('10.0.2.2'), ttl: 63 }]);
    sendEcho(alice, ip('10.0.2.2'), { ttl: 1 });
    sendEcho(alice, ip('192.0.2.1'), { ttl: 9 });
    clock.advance(1_000);
    expect(echoes.errors.map(({ type, code, from }) => ({ type, code, from }))).toEqual([
      { type: 11, code: 0, from: ip('10.0.1.1') },
      { type: 3, code: 0, from: ip('10.0.1.1') },
    ]);
    expect(router.snmp.IpForwDatagrams).toBe(2);
    for (const host of [alice, router, bob]) expect(host.skbs.counters.live).toBe(0);
  });
});
