/** RFC 1812 (routers), as Linux forwards. */
import { describe, expect, test } from 'vitest';
import { MAC_BROADCAST, type Mac } from '../../shared/header/address.ts';
import { fold, sumBytes } from '../../shared/header/checksum.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { IPV4, IPV4_DF, PROTOCOL } from '../../shared/header/ipv4.ts';
import { netifReceive } from '../../shared/net/netdev.ts';
import { addRoute, attach, Cable, type Frame, frameSkb, ip, makeHost, newClock } from '../kit/cable.ts';
import { ethernetFrame, type IpFields, ipPacket, udpMessage } from '../kit/frames.ts';

const SECOND = 1_000_000;
const ROUTER = 0x0200_0000_0a0a as Mac;
const ALICE = 0x0200_0000_0b0b as Mac;
const BOB = 0x0200_0000_0c0c as Mac;
const base = { source: ip('10.0.1.2'), target: ip('10.0.2.2'), protocol: PROTOCOL.UDP };

function between(mtu = 1_500) {
  const clock = newClock();
  const left = new Cable(clock);
  const right = new Cable(clock);
  const router = makeHost('router', clock);
  const eth0 = attach(router, 'eth0', left, { addresses: ['10.0.1.1/24'], mac: ROUTER });
  const eth1 = attach(router, 'eth1', right, { addresses: ['10.0.2.1/24'], mtu });
  attach(makeHost('left', clock), 'eth0', left);
  attach(makeHost('right', clock), 'eth0', right);
  const know = (dev: typeof eth0, address: string, mac: Mac) =>
    router.neighbours.update(router.neighbours.obtain(dev, ip(address))!, mac, 'PERMANENT', { admin: true });
  know(eth0, '10.0.1.2', ALICE);
  know(eth0, '10.0.1.3', ALICE);
  know(eth1, '10.0.2.2', BOB);
  router.sysctl.set('net.ipv4.ip_forward', '1');
  const receive = (fields: Partial<IpFields>, size = 20, to: Mac = ROUTER) => {
    const all = { ...base, ...fields };
    const payload = udpMessage({ ...all, sourcePort: 1, targetPort: 2 }, new Uint8Array(size));
    netifReceive(router, eth0, frameSkb(router, ethernetFrame(to, ALICE, ETHERTYPE.IPV4, ipPacket(all, payload))));
    clock.advance(0);
  };
  const drops = () => Object.fromEntries(router.skbs.counters.drops);
  return { clock, left, right, router, eth0, eth1, receive, drops };
}

const icmp = (frame: Frame | undefined) => [...(frame?.bytes.slice(34, 36) ?? [])];
const view = (frame: Frame) => new DataView(frame.bytes.buffer, ETHERNET.SIZE);

describe('RFC 1812 §5: forwarding', () => {
  test('[1812-5.2.1, 1122-3.1b] TTL one less, checksum right, addresses and payload as they were, MACs of the next hop', () => {
    const { right, receive } = between();
    for (const ttl of [2, 64, 255]) receive({ ttl, id: ttl });
    for (const [i, ttl] of [1, 63, 254].entries()) {
      const frame = right.frames[i]!;
      expect(view(frame).getUint8(IPV4.TTL)).toBe(ttl);
      expect(fold(sumBytes(frame.bytes, ETHERNET.SIZE, ETHERNET.SIZE + 20))).toBe(0xffff);
      expect([view(frame).getUint32(IPV4.SOURCE), view(frame).getUint32(IPV4.TARGET)]).toEqual([
        base.source,
        base.target,
      ]);
      expect([...frame.bytes.slice(0, 6)]).toEqual([2, 0, 0, 0, 0x0c, 0x0c]);
    }
  });

  test('[1812-4.2.2.9, 1812-5.2.7.3] §5.3.1: TTL 1 is not forwarded; its sender hears "time exceeded" from the near address', () => {
    const { left, right, receive, drops } = between();
    receive({ ttl: 1 });
    expect(right.frames).toEqual([]);
    expect(icmp(left.frames[0])).toEqual([11, 0]);
    expect(view(left.frames[0]!).getUint32(IPV4.SOURCE)).toBe(ip('10.0.1.1'));
    expect(drops()).toEqual({ ip_ttl_exceeded: 1 });
  });

  test('[1812-5.3.4] §5.3.4: link broadcasts are not forwarded, and not answered', () => {
    const { left, right, receive, drops } = between();
    receive({}, 20, MAC_BROADCAST);
    expect([...left.frames, ...right.frames]).toEqual([]);
    expect(drops()).toEqual({ ip_link_broadcast: 1 });
  });

  test('[1812-5.3.5.2] a directed broadcast of the next network is not forwarded', () => {
    const { right, router, receive } = between();
    receive({ target: ip('10.0.2.255') });
    expect(right.frames).toEqual([]);
    expect(router.skbs.counters.live).toBe(0);
  });

  test('[1812-5.3.7, 1812-4.2.2.11a] §5.3.7: martians are not forwarded', () => {
    const { right, receive, drops } = between();
    receive({ source: ip('127.0.0.1') });
    receive({ source: ip('224.0.0.1') });
    receive({ source: ip('10.0.1.255') });
    receive({ target: ip('127.0.0.1') });
    receive({ target: ip('0.0.0.1') });
    expect(right.frames).toEqual([]);
    expect(drops()).toEqual({ ip_invalid_source: 3, ip_invalid_target: 2 });
  });

  test('[1812-5.2.7.1a] §5.2.7.1: no route is "network unreachable"; an unreachable route says host, a prohibited one so', () => {
    const { left, router, receive } = between();
    receive({ target: ip('192.0.2.1') });
    router.routes.add({ type: 'unreachable', target: ip('198.51.100.0'), prefix: 24 });
    router.routes.add({ type: 'prohibit', target: ip('203.0.113.0'), prefix: 24 });
    router.routes.add({ type: 'blackhole', target: ip('233.252.0.0'), prefix: 24 });
    receive({ target: ip('198.51.100.1') });
    receive({ target: ip('203.0.113.1') });
    expect(left.frames.map(icmp)).toEqual([
      [3, 0],
      [3, 1],
      [3, 13],
    ]);
  });

  test('[1812-5.2.7.1c] a next hop that does not answer ARP is "host unreachable"', () => {
    const { clock, left, receive, drops } = between();
    receive({ target: ip('10.0.2.77') });
    clock.advance(4 * SECOND);
    expect(icmp(left.frames[0])).toEqual([3, 1]);
    expect(drops()).toEqual({ neigh_failed: 1 });
  });

  test('[1812-5.2.5, 1812-5.2.7.1b] too long with DF: "fragmentation needed" with the MTU (RFC 1191); without DF: cut', () => {
    const { left, right, receive } = between(600);
    receive({ fragment: IPV4_DF }, 1_000);
    expect(icmp(left.frames[0])).toEqual([3, 4]);
    expect(new DataView(left.frames[0]!.bytes.buffer).getUint16(40)).toBe(600);
    receive({}, 1_000);
    expect(right.frames.map((frame) => frame.bytes.length)).toEqual([14 + 596, 14 + 20 + 1_008 - 576]);
  });

  test('[1812-5.3.9] fragments are forwarded as they are, and cut again where they must be', () => {
    const { right, receive } = between(300);
    receive({ fragment: 0x2000 | 100 }, 392);
    expect(right.frames.map((frame) => view(frame).getUint16(IPV4.FRAGMENT))).toEqual([0x2000 | 100, 0x2000 | 135]);
  });

  test('[1812-5.2.7.2] §5.2.7.2: a redirect when it leaves by the way it came, fewer and fewer', () => {
    const { clock, left, router, receive } = between();
    addRoute(router, '198.51.100.0/24 via 10.0.1.3');
    for (let n = 0; n < 10; n++) {
      receive({ target: ip('198.51.100.1'), id: n });
      clock.advance(30_000);
    }
    const redirects = left.frames.filter((frame) => view(frame).getUint8(IPV4.PROTOCOL) === PROTOCOL.ICMP);
    expect(left.frames.length - redirects.length).toBe(10);
    expect(icmp(redirects[0])).toEqual([5, 1]);
    expect(new DataView(redirects[0]!.bytes.buffer).getUint32(38)).toBe(ip('10.0.1.3'));
    expect(redirects.length).toBeLessThan(5);
    router.sysctl.set('net.ipv4.conf.all.send_redirects', '0');
    router.sysctl.set('net.ipv4.conf.eth0.send_redirects', '0');
    clock.advance(60 * SECOND);
    const before = left.frames.length;
    receive({ target: ip('198.51.100.1') });
    expect(left.frames.length).toBe(before + 1);
  });

  test('[1122-3.1c] forwarding is off by default, and per device', () => {
    const { right, router, receive, drops } = between();
    router.sysctl.set('net.ipv4.conf.eth0.forwarding', '0');
    receive({});
    expect(drops()).toEqual({ ip_not_forwarding: 1 });
    router.sysctl.set('net.ipv4.conf.eth0.forwarding', '1');
    receive({});
    expect(right.frames).toHaveLength(1);
  });

  test('[1812-5.3.8] §5.3.8: with rp_filter what comes by the wrong way is dropped', () => {
    const { router, receive, drops } = between();
    router.sysctl.set('net.ipv4.conf.all.rp_filter', '1');
    receive({ source: ip('10.0.2.99') });
    expect(drops()).toEqual({ ip_rpfilter: 1 });
    expect(router.snmp.TcpExtIPReversePathFilter).toBe(1);
  });

  test('nothing is left of it all', () => {
    const { clock, router, receive } = between(300);
    receive({ target: ip('10.0.2.77') }, 1_000);
    receive({}, 1_000);
    clock.advance(100 * SECOND);
    expect(router.skbs.counters.live).toBe(0);
  });
});
