/** RFC 1122 §3 (hosts' internet layer): what the other RFCs' tests leave open. */
import { describe, expect, test } from 'vitest';
import type { Mac } from '../../shared/header/address.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import { iptablesCommand } from '../../shared/net/iptables.ts';
import { netifReceive } from '../../shared/net/netdev.ts';
import { addRoute, attach, Cable, type Frame, frameSkb, ip, makeHost, newClock } from '../kit/cable.ts';
import { listen, sendUdp } from '../kit/datagram.ts';
import { listenEcho, sendEcho } from '../kit/echo.ts';
import { ethernetFrame, icmpMessage, ipPacket } from '../kit/frames.ts';
import { stopsMidFlight } from '../kit/mid-flight.ts';

const BOB = 0x0200_0000_0b0b as Mac;

/** A host with two cards, one neighbour on each that answers. */
function multihomed() {
  const clock = newClock();
  const [a, b] = [new Cable(clock), new Cable(clock)];
  const host = makeHost('host', clock);
  stopsMidFlight(host, clock);
  const eth0 = attach(host, 'eth0', a, { addresses: ['10.0.0.1/24'] });
  attach(host, 'eth1', b, { addresses: ['10.0.1.1/24'] });
  const near = makeHost('near', clock);
  attach(near, 'eth0', a, { addresses: ['10.0.0.2/24'], mac: BOB });
  const far = makeHost('far', clock);
  attach(far, 'eth0', b, { addresses: ['10.0.1.2/24'] });
  const raw = (type: number, payload: Uint8Array, target: Mac = eth0.mac) => {
    netifReceive(host, eth0, frameSkb(host, ethernetFrame(target, BOB, type, payload)));
    clock.advance(1_000);
  };
  return { clock, a, b, host, eth0, near, far, raw };
}

const packets = (cable: Cable) => cable.frames.filter((frame) => frame.bytes[12] === 8 && frame.bytes[13] === 0);
const sourceOf = (frame: Frame | undefined) => new DataView(frame!.bytes.buffer, ETHERNET.SIZE).getUint32(IPV4.SOURCE);
const echo = icmpMessage(8, 0, 1, new Uint8Array(8));

describe('RFC 1122 §3.3.4: several addresses', () => {
  test('[1122-3.2.1.3b] the source is the address of the device that the route leads out of', () => {
    const { clock, a, b, host } = multihomed();
    sendEcho(host, ip('10.0.0.2'));
    sendEcho(host, ip('10.0.1.2'));
    clock.advance(1_000);
    expect([sourceOf(packets(a)[0]), sourceOf(packets(b)[0])]).toEqual([ip('10.0.0.1'), ip('10.0.1.1')]);
  });

  test('[1122-3.3.4.2a] weak end system: a packet for the other card’s address is taken and answered from it', () => {
    const { clock, near } = multihomed();
    const echoes = listenEcho(near);
    addRoute(near, '10.0.1.0/24 via 10.0.0.1');
    sendEcho(near, ip('10.0.1.1'));
    clock.advance(1_000);
    expect(echoes.replies.map((reply) => reply.from)).toEqual([ip('10.0.1.1')]);
  });

  test('[1122-3.1d, 1122-3.1e, 1122-3.2.1.3c] a host does not forward', () => {
    const { clock, b, host, near } = multihomed();
    addRoute(near, '10.0.1.0/24 via 10.0.0.1');
    sendEcho(near, ip('10.0.1.2'));
    clock.advance(1_000_000);
    expect(b.frames).toEqual([]);
    expect(host.skbs.counters.drops.get('ip_not_forwarding')).toBe(1);
  });
});

describe('RFC 1122 §3.2.1.3, §3.3.6: broadcasts', () => {
  test('[1122-3.2.1.3e, 1122-4.1.3.6b] limited and directed broadcasts are heard; their source is never a broadcast address', () => {
    const { clock, host, near } = multihomed();
    const seen = listen(host, PROTOCOL.UDP);
    sendUdp(near, ip('10.0.0.255'), { sourcePort: 1, targetPort: 2 });
    sendUdp(near, ip('255.255.255.255'), { sourcePort: 1, targetPort: 2, ifindex: 2 });
    clock.advance(1_000);
    expect(seen.arrivals.map(({ source, target }) => [source, target])).toEqual([
      [ip('10.0.0.2'), ip('10.0.0.255')],
      [ip('10.0.0.2'), ip('255.255.255.255')],
    ]);
    expect(sendUdp(near, ip('10.0.0.1'), { sourcePort: 1, targetPort: 2, source: ip('255.255.255.255') })).toBe(
      'EINVAL',
    );
    near.skbs.counters.drops.clear();
  });
});

describe('RFC 1122 §2.4: what the link layer hands up', () => {
  test('frames for other hosts are dropped by IP even when the card takes everything', () => {
    const { host, raw } = multihomed();
    raw(
      ETHERTYPE.IPV4,
      ipPacket({ source: ip('10.0.0.2'), target: ip('10.0.0.1'), protocol: 1 }, echo),
      0x0200_0000_9999 as Mac,
    );
    expect(host.skbs.counters.drops.get('packet_type_other')).toBe(1);
  });

  test('[1122-3.1f] a type that nobody handles, and a packet shorter than a header', () => {
    const { host, raw } = multihomed();
    raw(ETHERTYPE.IPV6, new Uint8Array(40));
    raw(46, new Uint8Array(46));
    raw(ETHERTYPE.IPV4, new Uint8Array(12));
    expect(Object.fromEntries(host.skbs.counters.drops)).toEqual({ unhandled_protocol: 2, ip_header_too_short: 1 });
  });
});

describe('what else a packet can die of', () => {
  const drops = (host: ReturnType<typeof makeHost>) => Object.fromEntries(host.skbs.counters.drops);

  test('no route: ENETUNREACH, and the packet says so', () => {
    const { host } = multihomed();
    expect(sendEcho(host, ip('192.0.2.1'))).toBe('ENETUNREACH');
    expect(drops(host)).toEqual({ ip_no_route: 1 });
    expect(host.snmp.IpOutNoRoutes).toBe(1);
  });

  test('too big and not to be cut: EMSGSIZE', () => {
    const { host } = multihomed();
    expect(sendEcho(host, ip('10.0.0.2'), { size: 2_000, dontFragment: true })).toBe('EMSGSIZE');
    expect(drops(host)).toEqual({ ip_too_big: 1 });
  });

  test('the neighbour entry is removed while a packet waits in it', () => {
    const { host, eth0 } = multihomed();
    sendEcho(host, ip('10.0.0.77'));
    host.neighbours.remove(host.neighbours.lookup(eth0, ip('10.0.0.77'))!);
    expect(drops(host)).toEqual({ neigh_dead: 1 });
    expect(host.skbs.counters.live).toBe(0);
  });

  test('echo requests while icmp_echo_ignore_all is set', () => {
    const { clock, host, near } = multihomed();
    host.sysctl.set('net.ipv4.icmp_echo_ignore_all', '1');
    sendEcho(near, ip('10.0.0.1'));
    clock.advance(1_000);
    expect(drops(host)).toEqual({ icmp_ignored: 1 });
  });

  test('a fragment that came before', () => {
    const { host, raw } = multihomed();
    const fields = { source: ip('10.0.0.2'), target: ip('10.0.0.1'), protocol: 17, fragment: 0x2000 };
    for (let n = 0; n < 2; n++) raw(ETHERTYPE.IPV4, ipPacket(fields, new Uint8Array(16)));
    expect(drops(host)).toEqual({ frag_duplicate: 1 });
  });

  test('a tracked connection for which no port is left', () => {
    const { clock, host, near, far } = multihomed();
    host.sysctl.set('net.ipv4.ip_forward', '1');
    addRoute(near, 'default via 10.0.0.1');
    const snat = '-A POSTROUTING -o eth1 -p udp -j SNAT --to-source 10.0.1.1:1000';
    expect(iptablesCommand(host, 'nat', snat.split(' '))).toEqual({});
    const seen = listen(far, PROTOCOL.UDP);
    for (const sourcePort of [1, 2]) sendUdp(near, ip('10.0.1.2'), { sourcePort, targetPort: 9 });
    clock.advance(1_000_000);
    expect(seen.arrivals.map((arrival) => arrival.sourcePort)).toEqual([1_000]);
    expect(drops(host)).toEqual({ nat_no_port: 1 });
  });
});
