import { describe, expect, test } from 'vitest';
import { formatIpv4 } from '../../../shared/header/address.ts';
import { ICMP_TYPE, UNREACHABLE } from '../../../shared/header/icmp.ts';
import { PROTOCOL } from '../../../shared/header/ipv4.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import type { Host } from '../../../shared/net/host.ts';
import { iptablesCommand, masquerade } from '../../../shared/net/iptables.ts';
import { addRoute, attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { listen, sendTcp, sendUdp } from '../../kit/datagram.ts';
import { listenEcho, sendEcho } from '../../kit/echo.ts';

/** alice and bob at home behind a masquerading router, a server on the other side that knows no way to them. */
function home() {
  const clock = newClock();
  const lan = new Cable(clock);
  const wan = new Cable(clock);
  const alice = makeHost('alice', clock);
  const bob = makeHost('bob', clock);
  const router = makeHost('router', clock);
  const server = makeHost('server', clock);
  attach(alice, 'eth0', lan, { addresses: ['192.168.1.10/24'] });
  attach(bob, 'eth0', lan, { addresses: ['192.168.1.11/24'] });
  attach(router, 'eth1', lan, { addresses: ['192.168.1.1/24'] });
  attach(router, 'eth0', wan, { addresses: ['203.0.113.1/24'] });
  attach(server, 'eth0', wan, { addresses: ['203.0.113.80/24'] });
  router.sysctl.set('net.ipv4.ip_forward', '1');
  addRoute(alice, 'default via 192.168.1.1');
  addRoute(bob, 'default via 192.168.1.1');
  masquerade(router, 'eth0');
  const all = [alice, bob, router, server];
  const live = () => all.reduce((n, host) => n + host.skbs.counters.live, 0);
  return { clock, lan, wan, alice, bob, router, server, live };
}

const ok = (host: Host, table: string, line: string) =>
  expect(iptablesCommand(host, table, line.split(' '))).toEqual({});

describe('masquerading', () => {
  test('a ping leaves with the address of the router, and the reply finds its way home', () => {
    const { clock, alice, router, wan, live } = home();
    const echoes = listenEcho(alice);
    sendEcho(alice, ip('203.0.113.80'), { id: 77 });
    clock.advance(1_000_000);
    expect(echoes.replies).toEqual([{ from: ip('203.0.113.80'), id: 77, sequence: 1, ttl: 63, size: 56, code: 0 }]);
    const outside = wan.frames.filter((frame) => frame.bytes[12] === 8 && frame.bytes[13] === 0);
    expect(outside[0]?.bytes.slice(26, 30)).toEqual(new Uint8Array([203, 0, 113, 1]));
    const [flow] = router.conntrack.list();
    expect(flow?.original.key.source).toBe(ip('192.168.1.10'));
    expect(flow?.reply.key.target).toBe(ip('203.0.113.1'));
    expect(router.tables.get('nat')?.chains.get('POSTROUTING')?.rules[0]?.packets).toBe(1);
    expect(live()).toBe(0);
  });

  test('two hosts with the same ports to the same server get different ones outside, both ways with good sums', () => {
    const { clock, alice, bob, server, live } = home();
    const seen = listen(server, PROTOCOL.UDP);
    const atAlice = listen(alice, PROTOCOL.UDP);
    const atBob = listen(bob, PROTOCOL.UDP);
    for (const host of [alice, bob]) sendUdp(host, ip('203.0.113.80'), { sourcePort: 5_000, targetPort: 53 });
    clock.advance(1_000_000);
    expect(seen.arrivals.map(({ source, checksumOk }) => [formatIpv4(source), checksumOk])).toEqual([
      ['203.0.113.1', true],
      ['203.0.113.1', true],
    ]);
    const ports = seen.arrivals.map((arrival) => arrival.sourcePort);
    expect(ports[0]).toBe(5_000);
    expect(ports[1]).not.toBe(5_000);
    for (const port of ports)
      sendUdp(server, ip('203.0.113.1'), { sourcePort: 53, targetPort: port, size: port === 5_000 ? 1 : 2 });
    clock.advance(1_000_000);
    expect(atAlice.arrivals).toEqual([
      {
        source: ip('203.0.113.80'),
        target: ip('192.168.1.10'),
        sourcePort: 53,
        targetPort: 5_000,
        length: 9,
        checksumOk: true,
        flags: 0,
      },
    ]);
    expect(atBob.arrivals.map(({ targetPort, length }) => [targetPort, length])).toEqual([[5_000, 10]]);
    expect(live()).toBe(0);
  });

  test('an ICMP error about a translated packet comes home with the quote translated back', () => {
    const { clock, alice, router, live } = home();
    const seen = listen(alice, PROTOCOL.UDP);
    // Nobody listens there: port unreachable, quoting what the server saw.
    sendUdp(alice, ip('203.0.113.80'), { sourcePort: 5_000, targetPort: 53 });
    clock.advance(1_000_000);
    expect(seen.errors).toEqual([
      {
        type: ICMP_TYPE.UNREACHABLE,
        code: UNREACHABLE.PORT,
        value: 0,
        from: ip('203.0.113.80'),
        quotedSource: ip('192.168.1.10'),
        quotedSourcePort: 5_000,
      },
    ]);
    expect(router.conntrack.count).toBe(1);
    expect(live()).toBe(0);
  });

  test('a TCP connection goes through its states and is forgotten in time', () => {
    const { clock, alice, router, server, live } = home();
    listen(server, PROTOCOL.TCP);
    listen(alice, PROTOCOL.TCP);
    const { SYN, ACK, FIN } = TCP_FLAG;
    const state = () => router.conntrack.list()[0]?.tcp?.state;
    const there = (flags: number) => {
      sendTcp(alice, ip('203.0.113.80'), { sourcePort: 40_000, targetPort: 80, flags });
      clock.advance(1_000);
    };
    const back = (flags: number) => {
      sendTcp(server, ip('203.0.113.1'), { sourcePort: 80, targetPort: 40_000, flags });
      clock.advance(1_000);
    };
    there(SYN);
    expect(state()).toBe('SYN_SENT');
    back(SYN | ACK);
    expect(state()).toBe('SYN_RECV');
    there(ACK);
    expect(state()).toBe('ESTABLISHED');
    expect(router.conntrack.list()[0]?.assured).toBe(true);
    expect(router.conntrack.list()[0]!.expires - clock.now()).toBeGreaterThan(431_990_000_000);
    there(FIN | ACK);
    expect(state()).toBe('FIN_WAIT');
    back(ACK);
    expect(state()).toBe('CLOSE_WAIT');
    back(FIN | ACK);
    expect(state()).toBe('LAST_ACK');
    there(ACK);
    expect(state()).toBe('TIME_WAIT');
    clock.advance(121_000_000);
    expect(router.conntrack.count).toBe(0);
    expect(live()).toBe(0);
  });

  test('a large TCP packet (TSO, GRO) passes the translation whole', () => {
    const { clock, alice, router, server, wan } = home();
    const seen = listen(server, PROTOCOL.TCP);
    // Alice's own TCP would answer a SYN-ACK that it never asked for with a RST.
    listen(alice, PROTOCOL.TCP);
    for (const host of [alice, router]) {
      for (const dev of host.devices.list()) dev.features.tso = dev.features.txChecksum = true;
    }
    sendTcp(alice, ip('203.0.113.80'), { sourcePort: 40_000, targetPort: 80, flags: TCP_FLAG.SYN });
    clock.advance(1_000_000);
    sendTcp(server, ip('203.0.113.1'), { sourcePort: 80, targetPort: 40_000, flags: TCP_FLAG.SYN | TCP_FLAG.ACK });
    clock.advance(1_000_000);
    sendTcp(alice, ip('203.0.113.80'), {
      sourcePort: 40_000,
      targetPort: 80,
      flags: TCP_FLAG.ACK,
      size: 20_000,
      gsoSize: 1_460,
    });
    clock.advance(1_000_000);
    expect(seen.arrivals.map((arrival) => arrival.length)).toEqual([20, 20_020]);
    expect(wan.frames.some((frame) => frame.bytes.length > 20_000)).toBe(true);
  });

  test('what the outside starts does not come in', () => {
    const { clock, bob, server, router } = home();
    const seen = listen(bob, PROTOCOL.UDP);
    sendUdp(server, ip('203.0.113.1'), { sourcePort: 53, targetPort: 5_000 });
    clock.advance(1_000_000);
    expect(seen.arrivals).toEqual([]);
    expect(router.conntrack.list()[0]?.sourceNat ?? false).toBe(false);
  });
});

describe('DNAT, SNAT and REDIRECT', () => {
  test('a forwarded port reaches the server inside, whose answers look like the router', () => {
    const { clock, bob, server, router, live } = home();
    ok(router, 'nat', '-A PREROUTING -i eth0 -p udp --dport 8053 -j DNAT --to-destination 192.168.1.11:53');
    const atBob = listen(bob, PROTOCOL.UDP);
    const atServer = listen(server, PROTOCOL.UDP);
    sendUdp(server, ip('203.0.113.1'), { sourcePort: 7_000, targetPort: 8_053 });
    clock.advance(1_000_000);
    expect(atBob.arrivals[0]).toMatchObject({ target: ip('192.168.1.11'), targetPort: 53, checksumOk: true });
    sendUdp(bob, ip('203.0.113.80'), { sourcePort: 53, targetPort: 7_000 });
    clock.advance(1_000_000);
    expect(atServer.arrivals[0]).toMatchObject({ source: ip('203.0.113.1'), sourcePort: 8_053, checksumOk: true });
    expect(live()).toBe(0);
  });

  test('what a host sends can be turned to itself', () => {
    const { clock, alice, live } = home();
    ok(alice, 'nat', '-A OUTPUT -p udp -d 198.51.100.1 --dport 53 -j REDIRECT --to-ports 5353');
    const seen = listen(alice, PROTOCOL.UDP);
    sendUdp(alice, ip('198.51.100.1'), { sourcePort: 6_000, targetPort: 53 });
    clock.advance(1_000_000);
    expect(seen.arrivals).toHaveLength(1);
    expect(seen.arrivals[0]).toMatchObject({ target: ip('127.0.0.1'), targetPort: 5_353 });
    expect(live()).toBe(0);
  });
});
