import { describe, expect, test } from 'vitest';
import { formatIpv4 } from '../../../shared/header/address.ts';
import { isErrno } from '../../../shared/net/errno.ts';
import type { Host } from '../../../shared/net/host.ts';
import { ipUpdatePmtu, routeOutput, routeValid } from '../../../shared/net/route.ts';
import { addRoute, attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { answerRoute } from '../../kit/route.ts';

function twoNics() {
  const clock = newClock();
  const [a, b] = [new Cable(clock), new Cable(clock)];
  const host = makeHost('host', clock);
  const other = makeHost('other', clock);
  const eth0 = attach(host, 'eth0', a, { addresses: ['10.0.0.1/24'] });
  const eth1 = attach(host, 'eth1', b, { addresses: ['10.0.1.1/24'] });
  attach(other, 'eth0', a);
  attach(other, 'eth1', b);
  return { clock, a, b, host, eth0, eth1 };
}

const to = (host: Host, target: string, source?: string): string => answerRoute(host, target, source);

describe('routing table', () => {
  test('the longest prefix wins, whatever the order in which routes came', () => {
    const { host } = twoNics();
    expect(addRoute(host, 'default via 10.0.0.254')).toBeUndefined();
    expect(addRoute(host, '172.16.0.0/12 via 10.0.0.2')).toBeUndefined();
    expect(addRoute(host, '172.16.5.0/24 via 10.0.1.2')).toBeUndefined();
    expect(addRoute(host, '172.16.5.7/32 via 10.0.0.7')).toBeUndefined();
    expect(to(host, '172.16.5.7')).toBe('via 10.0.0.7 dev eth0 src 10.0.0.1');
    expect(to(host, '172.16.5.8')).toBe('via 10.0.1.2 dev eth1 src 10.0.1.1');
    expect(to(host, '172.17.0.1')).toBe('via 10.0.0.2 dev eth0 src 10.0.0.1');
    expect(to(host, '8.8.8.8')).toBe('via 10.0.0.254 dev eth0 src 10.0.0.1');
    expect(to(host, '10.0.1.9')).toBe('dev eth1 src 10.0.1.1');
  });

  test('[1122-3.3.1.2c, 1122-3.3.1.5] the lower metric wins; without it the next', () => {
    const { host } = twoNics();
    addRoute(host, 'default via 10.0.1.254 metric 20');
    addRoute(host, 'default via 10.0.0.254 metric 10');
    expect(to(host, '8.8.8.8')).toBe('via 10.0.0.254 dev eth0 src 10.0.0.1');
    host.routes.delete({ target: ip('0.0.0.0'), prefix: 0, metric: 10 });
    expect(to(host, '8.8.8.8')).toBe('via 10.0.1.254 dev eth1 src 10.0.1.1');
  });

  test('carrier loss marks routes linkdown; they are passed over only when the sysctl says so', () => {
    const { host, a } = twoNics();
    addRoute(host, 'default via 10.0.0.254 metric 10');
    addRoute(host, 'default via 10.0.1.254 metric 20');
    a.setCarrier(false);
    expect(host.routes.main.list().filter((entry) => entry.linkdown)).toHaveLength(2);
    expect(to(host, '8.8.8.8')).toBe('via 10.0.0.254 dev eth0 src 10.0.0.1');
    expect(host.sysctl.set('net.ipv4.conf.all.ignore_routes_with_linkdown', '1')).toBeUndefined();
    expect(to(host, '8.8.8.8')).toBe('via 10.0.1.254 dev eth1 src 10.0.1.1');
    expect(to(host, '10.0.0.1')).toBe('local dev lo src 10.0.0.1');
    a.setCarrier(true);
    expect(to(host, '8.8.8.8')).toBe('via 10.0.0.254 dev eth0 src 10.0.0.1');
  });

  test('a device that goes down loses its routes, static ones too; up brings back its own subnet', () => {
    const { host, eth0 } = twoNics();
    addRoute(host, 'default via 10.0.0.254');
    host.devices.setUp(eth0, false);
    expect(to(host, '10.0.0.9')).toBe('ENETUNREACH');
    host.devices.setUp(eth0, true);
    expect(to(host, '10.0.0.9')).toBe('dev eth0 src 10.0.0.1');
    expect(to(host, '8.8.8.8')).toBe('ENETUNREACH');
  });

  test('a gateway must be a neighbour, and no address of our own', () => {
    const { host } = twoNics();
    expect(addRoute(host, '172.16.0.0/12 via 192.0.2.1')).toBe('ENETUNREACH');
    expect(addRoute(host, '172.16.0.0/12 via 10.0.0.1')).toBe('EINVAL');
    expect(addRoute(host, '172.16.0.1/12 via 10.0.0.2')).toBe('EINVAL');
    expect(addRoute(host, 'default via 10.0.0.254')).toBeUndefined();
    expect(addRoute(host, 'default via 10.0.0.253')).toBe('EEXIST');
    expect(host.routes.delete({ target: ip('10.9.0.0'), prefix: 16 })).toBe('ESRCH');
  });

  test('unreachable, prohibit and blackhole have errors of their own', () => {
    const { host } = twoNics();
    for (const [type, net] of [
      ['unreachable', 1],
      ['prohibit', 2],
      ['blackhole', 3],
    ] as const)
      expect(host.routes.add({ type, target: ip(`172.16.${net}.0`), prefix: 24 })).toBeUndefined();
    expect(['1', '2', '3'].map((n) => to(host, `172.16.${n}.9`))).toEqual(['EHOSTUNREACH', 'EACCES', 'EINVAL']);
  });

  test('src says what to speak from; a source that is not ours is refused', () => {
    const { host } = twoNics();
    expect(addRoute(host, '172.16.0.0/12 via 10.0.0.2 src 10.0.1.1')).toBeUndefined();
    expect(to(host, '172.16.0.1')).toBe('via 10.0.0.2 dev eth0 src 10.0.1.1');
    expect(to(host, '172.16.0.1', '192.0.2.9')).toBe('EINVAL');
    expect(addRoute(host, '172.32.0.0/12 via 10.0.0.2 src 192.0.2.9')).toBe('EINVAL');
  });

  test('a secondary address speaks only when asked; it goes with its primary', () => {
    const { host, eth0 } = twoNics();
    host.inet.addAddress(eth0, ip('10.0.0.5'), { prefix: 24 });
    expect(to(host, '10.0.0.9')).toBe('dev eth0 src 10.0.0.1');
    expect(host.routes.addressType(ip('10.0.0.5'))).toBe('local');
    host.inet.deleteAddress(eth0, ip('10.0.0.1'), 24);
    expect(host.inet.device(eth0.ifindex)?.addresses).toEqual([]);
    expect(to(host, '10.0.0.9')).toBe('ENETUNREACH');
  });

  test('[1191-3b, 1191-6.3] a path MTU is learned for one target, holds 600 s, never goes below 552', () => {
    const { clock, host } = twoNics();
    addRoute(host, 'default via 10.0.0.254');
    const before = routeOutput(host, { target: ip('8.8.8.8') });
    ipUpdatePmtu(host, ip('8.8.8.8'), 1_300);
    const learned = routeOutput(host, { target: ip('8.8.8.8') });
    const other = routeOutput(host, { target: ip('8.8.4.4') });
    if (isErrno(before) || isErrno(learned) || isErrno(other)) throw new Error('a route');
    expect(routeValid(host, before)).toBe(false);
    expect([learned.mtu, other.mtu]).toEqual([1_300, 1_500]);
    ipUpdatePmtu(host, ip('8.8.8.8'), 100);
    expect(routeOutput(host, { target: ip('8.8.8.8') })).toMatchObject({ mtu: 552, mtuLocked: true });
    clock.advance(600_000_000);
    expect(routeValid(host, learned)).toBe(false);
    expect(routeOutput(host, { target: ip('8.8.8.8') })).toMatchObject({ mtu: 1_500, mtuLocked: false });
  });

  test('a broadcast goes out of the device of its subnet, and 255.255.255.255 where the source is', () => {
    const { host } = twoNics();
    expect(routeOutput(host, { target: ip('10.0.1.255') })).toMatchObject({ type: 'broadcast' });
    const route = routeOutput(host, { target: ip('255.255.255.255'), source: ip('10.0.1.1') });
    expect(isErrno(route) ? route : `${route.type} ${route.dev.name} ${formatIpv4(route.source)}`).toBe(
      'broadcast eth1 10.0.1.1',
    );
  });
});
