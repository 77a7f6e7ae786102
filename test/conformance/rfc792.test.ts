/** RFC 792 (ICMP) with RFC 1122 §3.2.2 and RFC 1812 §4.3, as Linux does it. */
import { describe, expect, test } from 'vitest';
import { MAC_BROADCAST, type Mac } from '../../shared/header/address.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import { icmpErrno } from '../../shared/net/icmp.ts';
import { netifReceive } from '../../shared/net/netdev.ts';
import { routeOutput } from '../../shared/net/route.ts';
import { addRoute, attach, Cable, type Frame, frameSkb, ip, makeHost, newClock } from '../kit/cable.ts';
import { listenEcho } from '../kit/echo.ts';
import { ethernetFrame, type IpFields, icmpMessage, ipPacket, udpMessage } from '../kit/frames.ts';
import { stopsMidFlight } from '../kit/mid-flight.ts';
import { answerRoute } from '../kit/route.ts';

const SECOND = 1_000_000;
const ME = 0x0200_0000_0a0a as Mac;
const BOB = 0x0200_0000_0b0b as Mac;
const base = { source: ip('10.0.0.2'), target: ip('10.0.0.1'), protocol: PROTOCOL.ICMP };
const ports = { source: base.source, target: base.target, sourcePort: 9, targetPort: 33_434 };

function target() {
  const clock = newClock();
  const cable = new Cable(clock);
  const alice = makeHost('alice', clock);
  stopsMidFlight(alice, clock);
  const bob = makeHost('bob', clock);
  const eth0 = attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'], mac: ME });
  attach(bob, 'eth0', cable, { mac: BOB });
  for (const last of [2, 3])
    alice.neighbours.update(alice.neighbours.obtain(eth0, ip(`10.0.0.${last}`))!, BOB, 'PERMANENT', { admin: true });
  const receive = (fields: Partial<IpFields>, payload: Uint8Array, to: Mac = ME) => {
    const frame = ethernetFrame(to, BOB, ETHERTYPE.IPV4, ipPacket({ ...base, ...fields }, payload));
    netifReceive(alice, eth0, frameSkb(alice, frame));
    clock.advance(0);
  };
  const udp = (fields: Partial<IpFields> = {}, size = 20, to: Mac = ME) =>
    receive({ protocol: PROTOCOL.UDP, ...fields }, udpMessage({ ...ports, ...fields }, new Uint8Array(size)), to);
  const drops = () => Object.fromEntries(alice.skbs.counters.drops);
  return { clock, cable, alice, eth0, receive, udp, drops };
}

const ipOf = (frame: Frame) => new DataView(frame.bytes.buffer, ETHERNET.SIZE);
const icmpOf = (frame: Frame) => frame.bytes.slice(ETHERNET.SIZE + IPV4.SIZE);

describe('echo', () => {
  test('[1122-3.2.2.6a, 1122-3.2.2.6c, 1122-3.2.2.6d, 792-echo, 1122-3.1a] the reply comes from the address that was asked, with the same id, sequence, data and code', () => {
    const { cable, receive } = target();
    const data = Uint8Array.from({ length: 40 }, (_, i) => 255 - i);
    receive({ tos: 0x10 }, icmpMessage(8, 9, 0x1234_5678, data));
    const [reply] = cable.frames;
    expect(icmpOf(reply!)).toEqual(icmpMessage(0, 9, 0x1234_5678, data));
    expect(ipOf(reply!).getUint32(IPV4.SOURCE)).toBe(ip('10.0.0.1'));
    expect(ipOf(reply!).getUint8(IPV4.TOS)).toBe(0x10);
    expect(ipOf(reply!).getUint8(IPV4.TTL)).toBe(64);
    expect(ipOf(reply!).getUint16(IPV4.FRAGMENT)).toBe(0);
  });

  test('[1122-3.2.2.6b] a bad checksum, a short message, a broadcast: no reply', () => {
    const { cable, receive, drops } = target();
    const bad = icmpMessage(8, 0, 1, new Uint8Array(8));
    bad[3] = bad[3]! ^ 1;
    receive({}, bad);
    receive({}, new Uint8Array([255, 255, 0, 0]));
    receive({ target: ip('10.0.0.255') }, icmpMessage(8, 0, 1, new Uint8Array(8)), MAC_BROADCAST);
    receive({ target: ip('224.0.0.1') }, icmpMessage(8, 0, 1, new Uint8Array(8)), 0x0100_5e00_0001 as Mac);
    expect(drops()).toEqual({ icmp_bad_checksum: 1, icmp_too_short: 1, icmp_broadcast: 2 });
    expect(cable.frames).toEqual([]);
  });

  test('[1122-3.2.2.8b] timestamps are answered with the lab’s milliseconds since midnight', () => {
    const { clock, cable, receive } = target();
    clock.advance(5 * SECOND);
    receive({}, icmpMessage(13, 0, 0x0007_0001, new Uint8Array([0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 0])));
    const view = new DataView(icmpOf(cable.frames[0]!).buffer);
    expect([view.getUint8(0), view.getUint32(8), view.getUint32(12), view.getUint32(16)]).toEqual([
      14, 42, 5_000, 5_000,
    ]);
  });

  test('[1122-3.2.2a, 1122-3.2.2.7, 1122-3.2.2.9b] an unknown type is dropped in silence (RFC 1122 §3.2.2)', () => {
    const { cable, receive, drops } = target();
    receive({}, icmpMessage(42, 0, 0, new Uint8Array(8)));
    // Address mask and information requests.
    receive({}, icmpMessage(17, 0, 0, new Uint8Array(8)));
    receive({}, icmpMessage(15, 0, 0, new Uint8Array(8)));
    expect(drops()).toEqual({ icmp_unknown_type: 3 });
    expect(cable.frames).toEqual([]);
  });
});

describe('errors that we send', () => {
  test('[1122-3.2.2b, 1122-3.2.2c, 1122-3.2.2e, 1122-3.3.8, 1122-4.1.3.1, 1812-4.3.2.3, 1812-4.3.2.5] port unreachable quotes the packet unchanged, up to 576 octets in all, with TOS 0xc0', () => {
    const { cable, udp } = target();
    udp({}, 300);
    udp({ source: ip('10.0.0.3'), tos: 0x1f }, 1_000);
    const [small, large] = cable.frames;
    const original = ipPacket({ ...base, protocol: PROTOCOL.UDP }, udpMessage(ports, new Uint8Array(300)));
    expect([...icmpOf(small!).slice(0, 2)]).toEqual([3, 3]);
    expect(icmpOf(small!).slice(8)).toEqual(original);
    expect(ipOf(small!).getUint8(IPV4.TOS)).toBe(0xc0);
    expect(ipOf(large!).getUint16(IPV4.TOTAL_LENGTH)).toBe(576);
    expect(ipOf(large!).getUint8(IPV4.TOS)).toBe(0xdc);
  });

  test('[1812-4.3.2.7] never about broadcasts, multicasts, later fragments or ICMP errors', () => {
    const { cable, udp, receive } = target();
    udp({ target: ip('10.0.0.255') }, 20, MAC_BROADCAST);
    udp({}, 20, MAC_BROADCAST);
    udp({ fragment: 1 });
    receive({ protocol: 132, target: ip('224.0.0.1') }, new Uint8Array(20), 0x0100_5e00_0001 as Mac);
    expect(cable.frames).toEqual([]);
  });

  test('[1812-4.3.2.8] one target gets six at once, then one a second; another is not affected', () => {
    const { clock, cable, udp, alice } = target();
    for (let n = 0; n < 20; n++) udp();
    expect(cable.frames).toHaveLength(6);
    udp({ source: ip('10.0.0.3') });
    expect(cable.frames).toHaveLength(7);
    for (let n = 0; n < 30; n++) {
      clock.advance(SECOND / 10);
      udp();
    }
    expect(cable.frames).toHaveLength(10);
    expect(alice.snmp.IcmpOutRateLimitHost).toBe(14 + 27);
  });

  test('in all at most icmp_msgs_burst at once', () => {
    const { cable, udp, alice, eth0 } = target();
    for (let n = 0; n < 100; n++) {
      const source = ip(`10.0.0.${100 + n}`);
      alice.neighbours.update(alice.neighbours.obtain(eth0, source)!, BOB, 'PERMANENT', { admin: true });
      udp({ source });
    }
    // Each takes 0, 1 or 2 credits, so that nobody outside can count them.
    expect(cable.frames.length).toBeGreaterThan(35);
    expect(cable.frames.length).toBeLessThan(70);
    expect(alice.snmp.IcmpOutRateLimitGlobal).toBe(100 - cable.frames.length);
  });
});

describe('errors that we get', () => {
  const quoted = (protocol: number, to = '10.0.0.2') =>
    ipPacket({ source: ip('10.0.0.1'), target: ip(to), protocol }, icmpMessage(8, 0, 7, new Uint8Array(8)));

  test('[1122-3.2.2d, 1122-3.2.2.4, 1122-3.2.2.5b] an error about an echo request reaches its sender', () => {
    const { alice, receive } = target();
    const echoes = listenEcho(alice);
    receive({ source: ip('10.0.0.3') }, icmpMessage(11, 0, 0, quoted(PROTOCOL.ICMP)));
    receive({ source: ip('10.0.0.3') }, icmpMessage(12, 0, 20 << 24, quoted(PROTOCOL.ICMP)));
    expect(echoes.errors).toEqual([
      { type: 11, code: 0, value: 0, from: ip('10.0.0.3') },
      { type: 12, code: 0, value: 20, from: ip('10.0.0.3') },
    ]);
  });

  test('"fragmentation needed" narrows the path for its target; TCP decides for itself', () => {
    const { alice, receive } = target();
    const tooBig = (protocol: number, to: string) => receive({}, icmpMessage(3, 4, 1_300, quoted(protocol, to)));
    tooBig(PROTOCOL.UDP, '10.0.0.2');
    tooBig(PROTOCOL.TCP, '10.0.0.3');
    expect(routeOutput(alice, { target: ip('10.0.0.2') })).toMatchObject({ mtu: 1_300 });
    expect(routeOutput(alice, { target: ip('10.0.0.3') })).toMatchObject({ mtu: 1_500 });
  });

  test('[792-quote] a quote that is cut short is counted and dropped', () => {
    const { alice, receive, drops } = target();
    receive({}, icmpMessage(3, 1, 0, quoted(PROTOCOL.UDP).slice(0, 27)));
    expect(drops()).toEqual({ icmp_too_short: 1 });
    expect(alice.snmp.IcmpInErrors).toBe(1);
  });

  test('[1122-3.2.2.2b, 1122-3.2.2.2d, 1122-3.3.1.2a] a redirect from the gateway in use is believed, from another not', () => {
    const { alice, receive } = target();
    addRoute(alice, 'default via 10.0.0.2');
    const about = ipPacket({ source: ip('10.0.0.1'), target: ip('198.51.100.1'), protocol: 17 }, new Uint8Array(8));
    const redirect = (from: string, gateway: string) =>
      receive({ source: ip(from) }, icmpMessage(5, 1, ip(gateway), about));
    redirect('10.0.0.3', '10.0.0.9');
    redirect('10.0.0.2', '192.0.2.1');
    expect(answerRoute(alice, '198.51.100.1')).toBe('via 10.0.0.2 dev eth0 src 10.0.0.1');
    redirect('10.0.0.2', '10.0.0.3');
    expect(answerRoute(alice, '198.51.100.1')).toBe('via 10.0.0.3 dev eth0 src 10.0.0.1');
    expect(answerRoute(alice, '198.51.100.2')).toBe('via 10.0.0.2 dev eth0 src 10.0.0.1');
    alice.sysctl.set('net.ipv4.conf.all.accept_redirects', '0');
    alice.sysctl.set('net.ipv4.conf.eth0.accept_redirects', '0');
    redirect('10.0.0.3', '10.0.0.2');
    expect(answerRoute(alice, '198.51.100.1')).toBe('via 10.0.0.3 dev eth0 src 10.0.0.1');
  });

  test('what errors mean to programs (icmp_err_convert)', () => {
    const codes = Array.from({ length: 16 }, (_, code) => icmpErrno(3, code)?.errno);
    expect(codes.slice(0, 6)).toEqual([
      'ENETUNREACH',
      'EHOSTUNREACH',
      'ENOPROTOOPT',
      'ECONNREFUSED',
      'EMSGSIZE',
      'EOPNOTSUPP',
    ]);
    expect(codes.slice(13)).toEqual(['EHOSTUNREACH', 'EHOSTUNREACH', 'EHOSTUNREACH']);
    expect([icmpErrno(11, 0)?.errno, icmpErrno(12, 0)?.errno, icmpErrno(4, 0)]).toEqual([
      'EHOSTUNREACH',
      'EPROTO',
      undefined,
    ]);
  });
});
