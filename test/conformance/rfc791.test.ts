/** RFC 791 (IPv4), RFC 815 and 8200 §4.5 (reassembly), RFC 6864 (IDs), with Linux's checks and limits. */
import { describe, expect, test } from 'vitest';
import type { Mac } from '../../shared/header/address.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { IPV4, IPV4_DF, IPV4_MF, PROTOCOL } from '../../shared/header/ipv4.ts';
import { netifReceive } from '../../shared/net/netdev.ts';
import { attach, Cable, type Frame, frameSkb, ip, makeHost, newClock } from '../kit/cable.ts';
import { listen, sendUdp } from '../kit/datagram.ts';
import { listenEcho, sendEcho } from '../kit/echo.ts';
import { ethernetFrame, type IpFields, icmpMessage, ipPacket, udpMessage } from '../kit/frames.ts';
import { stopsMidFlight } from '../kit/mid-flight.ts';

const SECOND = 1_000_000;
const ME = 0x0200_0000_0a0a as Mac;
const BOB = 0x0200_0000_0b0b as Mac;
const base = { source: ip('10.0.0.2'), target: ip('10.0.0.1'), protocol: PROTOCOL.ICMP };
const echo = icmpMessage(8, 0, 0x0007_0001, new Uint8Array(24));

function receiver() {
  const clock = newClock();
  const cable = new Cable(clock);
  const alice = makeHost('alice', clock);
  stopsMidFlight(alice, clock);
  const bob = makeHost('bob', clock);
  const eth0 = attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'], mac: ME });
  attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'], mac: BOB });
  // No question before the first answer: the tests count frames.
  alice.neighbours.update(alice.neighbours.obtain(eth0, ip('10.0.0.2'))!, BOB, 'PERMANENT', { admin: true });
  const receive = (fields: Partial<IpFields>, payload: Uint8Array = echo, trailer = 0) => {
    const packet = ipPacket({ ...base, ...fields }, payload);
    const frame = ethernetFrame(ME, BOB, ETHERTYPE.IPV4, new Uint8Array([...packet, ...new Uint8Array(trailer)]));
    netifReceive(alice, eth0, frameSkb(alice, frame));
    clock.advance(0);
  };
  const drops = () => Object.fromEntries(alice.skbs.counters.drops);
  return { clock, cable, alice, bob, eth0, receive, drops };
}

const header = (frame: Frame) => new DataView(frame.bytes.buffer, ETHERNET.SIZE);
const fragmentOf = (frame: Frame) => header(frame).getUint16(IPV4.FRAGMENT);

describe('RFC 791: the header', () => {
  test('[791-2.3] a sound packet for us goes up; padding behind it is cut off', () => {
    const { cable, receive } = receiver();
    receive({}, echo, 10);
    expect(cable.frames).toHaveLength(1);
    expect(header(cable.frames[0]!).getUint16(IPV4.TOTAL_LENGTH)).toBe(20 + echo.length);
  });

  test.each<[string, Partial<IpFields>, string]>([
    ['version 5', { version: 5 }, 'ip_bad_version'],
    ['a wrong checksum', { checksumError: 1 }, 'ip_bad_checksum'],
    ['a total length beyond the packet', { totalLength: 2_000 }, 'ip_truncated'],
    ['a total length below the header', { totalLength: 19 }, 'ip_bad_length'],
    ['a multicast source', { source: ip('224.0.0.5') }, 'ip_invalid_source'],
    ['a broadcast source', { source: ip('255.255.255.255') }, 'ip_invalid_source'],
    ['a loopback source', { source: ip('127.0.0.1') }, 'ip_invalid_source'],
    ['our own address as source', { source: ip('10.0.0.1') }, 'ip_invalid_source'],
    ['a source in 0/8', { source: ip('0.0.0.9') }, 'ip_invalid_source'],
    ['a loopback target', { target: ip('127.0.0.1') }, 'ip_invalid_target'],
    ['a target in 0/8', { target: ip('0.1.2.3') }, 'ip_invalid_target'],
    ['somebody else’s target while forwarding is off', { target: ip('10.0.0.9') }, 'ip_not_forwarding'],
    ['a multicast group that nobody joined', { target: ip('224.9.9.9') }, 'ip_not_member'],
  ])('%s is dropped and not answered', (_, fields, reason) => {
    const { cable, receive, drops, alice } = receiver();
    receive(fields);
    expect(drops()).toEqual({ [reason]: 1 });
    expect(cable.frames).toEqual([]);
    expect(alice.skbs.counters.live).toBe(0);
  });

  test('[1122-3.2.1.8a, 1122-3.2.1.8b] unknown and known options are tolerated', () => {
    const { cable, receive } = receiver();
    receive({ options: new Uint8Array([1, 0x5e, 4, 0, 0, 0, 0, 0]) });
    receive({ options: new Uint8Array([7, 7, 4, 0, 0, 0, 0, 0]) });
    expect(cable.frames).toHaveLength(2);
  });

  test('[1122-3.2.1.7b, 1812-5.3.1] RFC 1122 §3.2.1.7: a TTL of 0 or 1 does not matter to the target', () => {
    const { cable, receive } = receiver();
    receive({ ttl: 1 });
    receive({ ttl: 0 });
    expect(cable.frames).toHaveLength(2);
  });

  test('[1122-3.2.2.1a] an unknown protocol is answered with "protocol unreachable"', () => {
    const { cable, receive, drops } = receiver();
    receive({ protocol: 132 });
    expect(drops()).toEqual({ ip_no_protocol: 1 });
    expect([...cable.frames[0]!.bytes.slice(34, 36)]).toEqual([3, 2]);
  });
});

describe('RFC 6864: identification', () => {
  test('[6864-4.1] zero with DF where there is no connection, a counter without', () => {
    const { clock, cable, alice } = receiver();
    for (const dontFragment of [true, true, false, false, false])
      sendUdp(alice, ip('10.0.0.2'), { sourcePort: 1, targetPort: 2, dontFragment });
    clock.advance(0);
    const ids = cable.frames.filter((f) => f.from.startsWith('alice')).map((f) => header(f).getUint16(IPV4.ID));
    expect(ids.slice(0, 2)).toEqual([0, 0]);
    expect((ids[3]! - ids[2]!) & 0xffff).toBe(1);
    expect((ids[4]! - ids[3]!) & 0xffff).toBe(1);
  });
});

describe('RFC 791 §3.2: fragmentation', () => {
  test('[791-3.2a] fragments carry multiples of eight octets, share the ID, and all but the last have MF', () => {
    const { clock, cable, alice } = receiver();
    sendEcho(alice, ip('10.0.0.2'), { size: 3_000 });
    clock.advance(0);
    const mine = cable.frames.filter((frame) => frame.from.startsWith('alice') && frame.bytes[13] === 0);
    expect(mine.map(fragmentOf)).toEqual([IPV4_MF, IPV4_MF | 185, 370]);
    expect(new Set(mine.map((frame) => header(frame).getUint16(IPV4.ID))).size).toBe(1);
    expect(mine.map((frame) => header(frame).getUint16(IPV4.TOTAL_LENGTH))).toEqual([1_500, 1_500, 68]);
  });

  test('[791-3.2b] what may not be cut is refused: EMSGSIZE', () => {
    const { alice } = receiver();
    const big = { sourcePort: 1, targetPort: 2, size: 3_000, dontFragment: true };
    expect(sendUdp(alice, ip('10.0.0.2'), big)).toBe('EMSGSIZE');
    expect(sendUdp(alice, ip('10.0.0.2'), { sourcePort: 1, targetPort: 2, size: 65_508 })).toBe('EMSGSIZE');
    expect(alice.skbs.counters.live).toBe(0);
  });
});

/** A UDP datagram in pieces: offsets and lengths in octets of the datagram. */
function pieces() {
  const parts = receiver();
  const seen = listen(parts.alice, PROTOCOL.UDP);
  const data = Uint8Array.from({ length: 92 }, (_, i) => i);
  const datagram = udpMessage({ source: base.source, target: base.target, sourcePort: 9, targetPort: 53 }, data);
  const piece = (at: number, length: number, id = 1) => {
    const more = at + length < datagram.length ? IPV4_MF : 0;
    parts.receive({ protocol: PROTOCOL.UDP, id, fragment: more | (at / 8) }, datagram.slice(at, at + length));
  };
  return { ...parts, seen, piece };
}

describe('reassembly', () => {
  test.each([
    [
      'in order',
      [
        [0, 40],
        [40, 40],
        [80, 20],
      ],
    ],
    [
      'backwards',
      [
        [80, 20],
        [40, 40],
        [0, 40],
      ],
    ],
    [
      'with the first in the middle',
      [
        [40, 40],
        [0, 40],
        [80, 20],
      ],
    ],
    [
      'with a repetition',
      [
        [0, 40],
        [0, 40],
        [40, 40],
        [80, 20],
      ],
    ],
    [
      'with a repetition of a part of one',
      [
        [0, 40],
        [40, 40],
        [48, 8],
        [80, 20],
      ],
    ],
  ] as const)('fragments %s become the datagram again', (_, order) => {
    const { seen, piece, alice } = pieces();
    for (const [at, length] of order) piece(at, length);
    expect(seen.arrivals.map(({ length, checksumOk }) => ({ length, checksumOk }))).toEqual([
      { length: 100, checksumOk: true },
    ]);
    expect(alice.skbs.counters.live).toBe(0);
    expect(alice.fragments.bytes).toBe(0);
  });

  test('[791-3.2c] tiny first fragments are put together, too', () => {
    const { seen, piece } = pieces();
    for (let at = 0; at < 100; at += 8) piece(at, Math.min(8, 100 - at));
    expect(seen.arrivals[0]).toMatchObject({ length: 100, checksumOk: true });
  });

  test('[791-3.2d] datagrams with different IDs are kept apart', () => {
    const { seen, piece, alice } = pieces();
    piece(0, 40, 1);
    piece(40, 60, 2);
    expect(seen.arrivals).toEqual([]);
    piece(40, 60, 1);
    expect(seen.arrivals).toHaveLength(1);
    expect(alice.fragments.queues.size).toBe(1);
  });

  test('an overlap throws the whole datagram away', () => {
    const { seen, piece, drops, alice } = pieces();
    piece(0, 40);
    piece(32, 40);
    expect(drops()).toEqual({ frag_overlap: 2 });
    expect(alice.snmp.IpExtReasmOverlaps).toBe(1);
    piece(40, 60);
    expect(seen.arrivals).toEqual([]);
  });

  test('a repetition of a stretch that came in order is dropped alone, and is no failure', () => {
    const { seen, piece, drops, alice } = pieces();
    for (const [at, length] of [
      [0, 24],
      [24, 24],
      [8, 32],
      [48, 52],
    ] as const)
      piece(at, length);
    expect(seen.arrivals).toHaveLength(1);
    expect(drops()).toEqual({ frag_duplicate: 1 });
    expect(alice.snmp.IpReasmFails).toBe(0);
  });

  test('ipfrag_max_dist: when its source has sent too many others since, the datagram begins anew', () => {
    const { seen, piece, drops, alice } = pieces();
    alice.sysctl.set('net.ipv4.ipfrag_max_dist', '8');
    piece(0, 40, 1);
    for (let id = 10; id < 20; id++) piece(0, 40, id);
    piece(40, 60, 1);
    expect(seen.arrivals).toEqual([]);
    expect(drops()).toEqual({ frag_too_far: 1 });
    piece(0, 40, 1);
    expect(seen.arrivals).toHaveLength(1);
  });

  test('RFC 3168 §5.3: one CE mark marks the datagram; ECT and not-ECT in one is nobody’s packet', () => {
    const { receive, drops, alice } = receiver();
    const tos: number[] = [];
    alice.protocols.set(253, {
      receive: (_, skb) => {
        tos.push(skb.view.getUint8(skb.networkHeader + IPV4.TOS));
        alice.skbs.consume(skb);
      },
      error: () => {},
    });
    receive({ protocol: 253, id: 5, tos: 2, fragment: IPV4_MF }, new Uint8Array(8));
    receive({ protocol: 253, id: 5, tos: 3, fragment: 1 }, new Uint8Array(8));
    expect(tos).toEqual([3]);
    receive({ protocol: 253, id: 6, tos: 0, fragment: IPV4_MF }, new Uint8Array(8));
    receive({ protocol: 253, id: 6, tos: 2, fragment: 1 }, new Uint8Array(8));
    expect(tos).toEqual([3]);
    expect(drops()).toEqual({ frag_malformed: 2 });
  });

  test.each([
    ['empty', 0, 0],
    ['shorter than eight octets with more to come', 0, 7],
  ])('a fragment that is %s is malformed', (_, at, length) => {
    const { receive, drops, alice } = receiver();
    receive({ protocol: PROTOCOL.UDP, fragment: IPV4_MF | at }, new Uint8Array(length));
    expect(drops()).toEqual({ frag_malformed: 1 });
    expect(alice.fragments.queues.size).toBe(0);
  });

  test('[791-3.2e] a datagram beyond 65535 octets (ping of death) is malformed', () => {
    const { receive, drops } = receiver();
    receive({ fragment: 0x1fff }, new Uint8Array(400));
    expect(drops()).toEqual({ frag_malformed: 1 });
  });

  test('[1122-3.3.2b] after 30 s it is given up; the sender hears of it when the first fragment was there', () => {
    const { clock, cable, alice, piece, drops } = pieces();
    piece(0, 40);
    clock.advance(30 * SECOND - 1);
    expect(cable.frames).toEqual([]);
    clock.advance(1);
    expect([...cable.frames[0]!.bytes.slice(34, 36)]).toEqual([11, 1]);
    piece(40, 40, 2);
    clock.advance(40 * SECOND);
    expect(cable.frames).toHaveLength(1);
    expect(drops()).toEqual({ frag_timeout: 2 });
    expect(alice.snmp.IpReasmTimeout).toBe(2);
    expect(alice.skbs.counters.live).toBe(0);
  });

  test('its memory is bounded (ipfrag_high_thresh)', () => {
    const { alice, piece, drops } = pieces();
    expect(alice.sysctl.set('net.ipv4.ipfrag_high_thresh', '4000')).toBe('EINVAL');
    alice.sysctl.set('net.ipv4.ipfrag_low_thresh', '3000');
    alice.sysctl.set('net.ipv4.ipfrag_high_thresh', '4000');
    for (let id = 1; id <= 20; id++) piece(0, 40, id);
    expect(drops()['frag_memory']).toBeGreaterThan(10);
    expect(alice.fragments.bytes).toBeLessThan(6_000);
  });

  test('[1122-3.2.1.4, 1122-3.3.2a] RFC 1122 §3.3.2: a whole 60000-octet ping goes there and back', () => {
    const { clock, alice, bob, cable } = receiver();
    const echoes = listenEcho(alice);
    sendEcho(alice, ip('10.0.0.2'), { size: 60_000 });
    clock.advance(SECOND);
    expect(echoes.replies.map((reply) => reply.size)).toEqual([60_000]);
    expect(cable.frames.every((frame) => (fragmentOf(frame) & IPV4_DF) === 0 || frame.bytes[12] !== 8)).toBe(true);
    expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
  });
});
