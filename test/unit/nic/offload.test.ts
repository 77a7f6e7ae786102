import { expect, test } from 'vitest';
import { gsoSegment } from '../../../shared/net/gso.ts';
import type { SkBuff } from '../../../shared/net/skbuff.ts';
import { Gro } from '../../../shared/nic/gro.ts';
import { transmitFrame, transmitSegments } from '../../../shared/nic/offload.ts';
import { Phy } from '../../../shared/nic/phy.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import { cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { testRandom } from '../../kit/random.ts';
import { cardVerdict, frameBytes, type TcpFrame, tcpSkb } from '../../kit/tcp-frames.ts';

const clock = new ManualClock();
const host = cardHost('alice', clock);

/** What a function writes to a cable, frame by frame, FCS checked at the other end. */
function onCable(write: (phy: Phy) => void): Uint8Array[] {
  const [near, far] = memoryWire(clock, 'a', 'b');
  const frames: Uint8Array[] = [];
  const deaf = { onFrame: () => {}, onBurstEnd: () => {}, onRefused: () => {}, onCarrier: () => {}, onReady: () => {} };
  const phy = new Phy(host, deaf, { name: 'eth0', mtu: 1_500 });
  const ear = new Phy(
    host,
    { ...deaf, onFrame: (batch, _i, at, size) => frames.push(batch.bytes.slice(at, at + size)) },
    { name: 'eth1', mtu: 1_500 },
  );
  phy.setPortUp(true);
  ear.setPortUp(true);
  phy.attach(near);
  ear.attach(far);
  write(phy);
  phy.kick();
  clock.run(clock.now());
  return frames;
}

function gso(frame: TcpFrame, size: number): SkBuff {
  const skb = tcpSkb(host, frame);
  skb.gsoSize = size;
  skb.gsoSegments = Math.ceil((frame.payload ?? 0) / size);
  return skb;
}

test('the card cuts a packet into the very segments that the stack would have cut it into', () => {
  const random = testRandom('tso');
  for (let run = 0; run < 60; run++) {
    const frame: TcpFrame = {
      payload: 1 + random.below(60_000),
      inHead: random.below(1_000),
      sequence: random.u32(),
      flags: [0x10, 0x18, 0x11, 0x99][random.below(4)]!,
      id: random.below(0x1_0000),
      options: random.below(2) === 0 ? [] : [0x0101_080a, random.u32(), random.u32()],
    };
    const given = { ...frame, inHead: Math.min(frame.inHead!, frame.payload!) };
    const size = 100 + random.below(1_348);
    const bySoftware = gsoSegment(host, gso(given, size)).map((skb) => frameBytes(host, skb));
    const skb = gso(given, size);
    const byCard = onCable((phy) => expect(transmitSegments(phy, skb)).toBe(bySoftware.length));
    host.skbs.consume(skb);
    expect(byCard.length).toBe(bySoftware.length);
    byCard.forEach((bytes, i) => {
      expect(Buffer.compare(bytes, bySoftware[i]!), `run ${run}, segment ${i}`).toBe(0);
    });
  }
  expect(host.skbs.counters.live).toBe(0);
});

test('a short packet is padded with zeros to 60 octets, and its checksum does not cover them', () => {
  const skb = tcpSkb(host, { payload: 1 });
  const [frame] = onCable((phy) => transmitFrame(phy, skb));
  expect(frame).toHaveLength(60);
  expect([...frame!.subarray(55)]).toEqual([0, 0, 0, 0, 0]);
  expect(cardVerdict(host, frame!)).toBe('good');
  frame![40]! ^= 1;
  expect(cardVerdict(host, frame!)).toBe('bad');
  host.skbs.consume(skb);
});

/** Frames through GRO as a poll would bring them: what goes up, as [payload octets, segments]. */
function merge(frames: readonly Uint8Array[]): {
  readonly up: [number, number][];
  readonly bytes: Uint8Array[];
  readonly again: Uint8Array[];
} {
  const up: [number, number][] = [];
  const bytes: Uint8Array[] = [];
  const again: Uint8Array[] = [];
  const gro = new Gro(host, (skb) => {
    up.push([skb.length - 54, Math.max(1, skb.gsoSegments)]);
    const whole = new Uint8Array(skb.length);
    skb.copyBits(0, skb.length, whole, 0);
    bytes.push(whole);
    skb.networkHeader = skb.data + 14;
    skb.transportHeader = skb.data + 34;
    if (skb.gsoSize > 0) again.push(...gsoSegment(host, skb).map((segment) => frameBytes(host, segment)));
    else again.push(frameBytes(host, skb));
  });
  for (const frame of frames) {
    const skb = host.skbs.alloc(2_048);
    skb.reserve(66);
    skb.bytes.set(frame, skb.put(frame.length));
    skb.checksum = cardVerdict(host, frame) === 'good' ? 'unnecessary' : 'none';
    gro.receive(skb);
  }
  gro.flushAll();
  expect(host.skbs.counters.live).toBe(0);
  return { up, bytes, again };
}

const segment = (n: number, change: TcpFrame = {}): Uint8Array =>
  frameBytes(
    host,
    tcpSkb(host, { payload: 1_000, inHead: 1_000, sequence: 5_000 + n * 1_000, id: 50 + n, firstOctet: n, ...change }),
  );

test('segments that follow each other go up as one packet, which cut again gives the very same frames', () => {
  const frames = [0, 1, 2, 3].map((n) => segment(n, n === 3 ? { flags: 0x18, payload: 700, inHead: 700 } : {}));
  const { up, again } = merge(frames);
  expect(up).toEqual([[3_700, 4]]);
  expect(again).toEqual(frames);
});

test.each<[string, (n: number) => TcpFrame]>([
  ['another acknowledgement', (n) => ({ ack: 2_000 + n })],
  ['another window', (n) => ({ window: 500 + n })],
  ['another TTL', (n) => ({ ttl: 64 - n })],
  ['another TOS', (n) => ({ tos: n * 4 })],
  ['other flags', (n) => ({ flags: n % 2 === 0 ? 0x10 : 0x50 })],
  ['other options', (n) => ({ options: [0x0101_080a, n, 1] })],
  ['an ID out of line', (n) => ({ id: 50 + n * 3 })],
  ['a gap', (n) => ({ sequence: 5_000 + n * 1_001 })],
  ['a sequence that goes back', (n) => ({ sequence: 5_000 - n * 1_000 })],
  ['URG', () => ({ flags: 0x30 })],
  ['another flow', (n) => ({ ports: 0x1234_0050 + n })],
  ['another sender on the link', (n) => ({ sourceMac: (0x0200_0000_0001 + n) as never })],
])('segments with %s are not merged, and go up as they came, in order', (_, change) => {
  const frames = [0, 1, 2].map((n) => segment(n, change(n)));
  const { up, again } = merge(frames);
  expect(up.map(([, segments]) => segments)).toEqual([1, 1, 1]);
  expect(again).toEqual(frames);
});

test('a segment whose IP header sum is wrong is not merged: nobody would look at that sum again', () => {
  const frames = [0, 1, 2].map((n) => segment(n));
  // A bit of the sum itself: everything else fits.
  frames[1]![14 + 10]! ^= 1;
  const { up, again } = merge(frames);
  expect(up.map(([, segments]) => segments)).toEqual([1, 1, 1]);
  expect(again).toContainEqual(frames[1]);
});

test('PSH ends a packet, a pure ACK of the flow goes up after what was held, and another flow does not disturb', () => {
  const frames = [
    segment(0),
    segment(0, { ports: 0x9999_0050 }),
    segment(1, { flags: 0x18 }),
    segment(2),
    frameBytes(host, tcpSkb(host, { sequence: 8_000 })),
    segment(1, { ports: 0x9999_0050 }),
  ];
  const { up } = merge(frames);
  expect(up).toEqual([
    [2_000, 2],
    [1_000, 1],
    [6, 1],
    [2_000, 2],
  ]);
});

test('no packet grows beyond what its length field can say', () => {
  const frames = Array.from({ length: 100 }, (_, n) => segment(n));
  const { up } = merge(frames);
  expect(up).toEqual([
    [65_000, 65],
    [35_000, 35],
  ]);
});

test('the octets of any mixture of segments come out of GRO as they went in, flow by flow', () => {
  const random = testRandom('gro');
  for (let run = 0; run < 50; run++) {
    const frames: Uint8Array[] = [];
    const next = [0, 0, 0];
    for (let i = 0; i < 60; i++) {
      const flow = random.below(3);
      const n = random.below(12) === 0 ? random.below(40) : next[flow]!++;
      const flags = random.below(8) === 0 ? 0x18 : 0x10;
      const payload = random.below(10) === 0 ? random.below(1_000) : 1_000;
      frames.push(segment(n, { ports: flow + 1, flags, payload, inHead: payload }));
    }
    const { again } = merge(frames);
    for (const flow of [1, 2, 3]) {
      const of = (list: readonly Uint8Array[]): string[] =>
        list.filter((bytes) => bytes[37] === flow).map((bytes) => Buffer.from(bytes).toString('hex'));
      expect(of(again), `run ${run}`).toEqual(of(frames));
    }
  }
});
