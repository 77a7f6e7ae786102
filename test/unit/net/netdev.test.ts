import { describe, expect, test } from 'vitest';
import { fold, pseudoHeaderSum, sumBytes } from '../../../shared/header/checksum.ts';
import { ETHERNET } from '../../../shared/header/ethernet.ts';
import { IPV4, PROTOCOL } from '../../../shared/header/ipv4.ts';
import { TCP, TCP_FLAG } from '../../../shared/header/tcp.ts';
import { devQueueXmit, ETH_P_ALL, type NetDevice, netifCarrier, netifWakeQueue } from '../../../shared/net/netdev.ts';
import { makeNetDevice } from '../../../shared/net/netdev-registry.ts';
import { Fifo, PfifoFast } from '../../../shared/net/qdisc.ts';
import { HEADROOM, type SkBuff } from '../../../shared/net/skbuff.ts';
import { attach, Cable, type Frame, ip, makeHost, newClock } from '../../kit/cable.ts';
import { listen, sendTcp, sendUdp } from '../../kit/datagram.ts';
import { listenEcho, sendEcho } from '../../kit/echo.ts';
import { stopsMidFlight } from '../../kit/mid-flight.ts';

function pair(features = {}) {
  const clock = newClock();
  const cable = new Cable(clock);
  const alice = makeHost('alice', clock);
  const bob = makeHost('bob', clock);
  const eth0 = attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'], features });
  const other = attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'] });
  alice.neighbours.update(alice.neighbours.obtain(eth0, ip('10.0.0.2'))!, other.mac, 'PERMANENT', { admin: true });
  return { clock, cable, alice, bob, eth0 };
}

const tcpOf = (frame: Frame) => new DataView(frame.bytes.buffer, ETHERNET.SIZE + IPV4.SIZE);
const ipOf = (frame: Frame) => new DataView(frame.bytes.buffer, ETHERNET.SIZE);

function sumOk(frame: Frame): boolean {
  const view = ipOf(frame);
  const length = view.getUint16(IPV4.TOTAL_LENGTH) - IPV4.SIZE;
  const at = ETHERNET.SIZE + IPV4.SIZE;
  const pseudo = pseudoHeaderSum(
    view.getUint32(IPV4.SOURCE),
    view.getUint32(IPV4.TARGET),
    view.getUint8(IPV4.PROTOCOL),
    length,
  );
  return fold(sumBytes(frame.bytes, at, at + length, pseudo)) === 0xffff;
}

/** A device whose driver takes `room` packets, then is busy until it is woken. */
function stubborn() {
  const clock = newClock();
  const host = makeHost('host', clock);
  stopsMidFlight(host, clock);
  const sent: SkBuff[] = [];
  const state = { room: 0 };
  const dev: NetDevice = makeNetDevice(host, {
    name: 'eth0',
    mtu: 1_500,
    carrier: true,
    ops: {
      startXmit: (skb) => {
        if (state.room === 0) return 'busy';
        state.room--;
        sent.push(skb);
        return 'ok';
      },
      open: () => {},
      stop: () => {
        for (const skb of sent) host.skbs.consume(skb);
      },
      statistics: () => new Map(),
      describe: () => ({ driver: '', speedMbit: 0, rxRing: 0, txRing: 0, rxRingMax: 0, txRingMax: 0, irq: 0 }),
    },
  });
  host.devices.register(dev);
  host.devices.setUp(dev, true);
  const send = (mark: number) => {
    const skb = host.skbs.alloc(HEADROOM + 100);
    skb.reserve(HEADROOM);
    skb.put(60);
    skb.mark = mark;
    devQueueXmit(host, skb, dev);
  };
  const marks = () => sent.map((skb) => skb.mark);
  return { host, dev, send, sent, marks, state };
}

describe('what the stack does for a card that cannot', () => {
  test('transport checksums are completed, odd lengths and all', () => {
    const { clock, cable, alice } = pair();
    for (const size of [0, 1, 2, 7, 1_001]) sendUdp(alice, ip('10.0.0.2'), { sourcePort: 1, targetPort: 2, size });
    clock.advance(0);
    const mine = cable.frames.filter((frame) => frame.from === 'alice:eth0' && frame.bytes[13] === 0);
    expect(mine.map(sumOk)).toEqual([true, true, true, true, true]);
  });

  test('a large TCP packet is cut: sequence and ID count up, PSH and FIN on the last alone, payload as it was', () => {
    const { clock, cable, alice, bob } = pair();
    const seen = listen(bob, PROTOCOL.TCP);
    const { ACK, PSH, FIN } = TCP_FLAG;
    const segment = {
      sourcePort: 1,
      targetPort: 2,
      flags: ACK | PSH | FIN,
      size: 3_001,
      sequence: 0xffff_ff00,
      gsoSize: 1_000,
    };
    sendTcp(alice, ip('10.0.0.2'), segment);
    clock.advance(0);
    const mine = cable.frames.filter((frame) => frame.from === 'alice:eth0');
    expect(mine.map((frame) => frame.bytes.length)).toEqual([1_054, 1_054, 1_054, 55]);
    expect(mine.map((frame) => tcpOf(frame).getUint32(TCP.SEQUENCE))).toEqual([0xffff_ff00, 0x2e8, 0x6d0, 0xab8]);
    expect(mine.map((frame) => tcpOf(frame).getUint8(TCP.FLAGS))).toEqual([ACK, ACK, ACK, ACK | PSH | FIN]);
    expect(mine.map(sumOk)).toEqual([true, true, true, true]);
    const payload = mine.flatMap((frame) => [...frame.bytes.slice(54)]);
    expect(payload).toEqual(Array.from({ length: 3_001 }, (_, i) => i & 255));
    expect(seen.arrivals).toHaveLength(4);
    expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
  });

  test('a card with TSO and checksums gets it whole', () => {
    const { clock, cable, alice } = pair({ tso: true, txChecksum: true });
    sendTcp(alice, ip('10.0.0.2'), { sourcePort: 1, targetPort: 2, flags: TCP_FLAG.ACK, size: 3_000, gsoSize: 1_000 });
    clock.advance(0);
    expect(cable.frames[0]?.bytes.length).toBe(3_054);
  });
});

describe('the transmit queue', () => {
  test('a busy driver’s packet is the next to go; the rest follow in order when it is woken', () => {
    const { host, dev, send, sent, marks, state } = stubborn();
    state.room = 1;
    for (const mark of [1, 2, 3, 4]) send(mark);
    expect(marks()).toEqual([1]);
    expect([dev.stopped, dev.qdisc.packets]).toEqual([true, 3]);
    state.room = 2;
    netifWakeQueue(host, dev);
    expect(marks()).toEqual([1, 2, 3]);
    send(5);
    state.room = 9;
    netifWakeQueue(host, dev);
    expect(marks()).toEqual([1, 2, 3, 4, 5]);
    for (const skb of sent) host.skbs.consume(skb);
    expect(host.skbs.counters.live).toBe(0);
  });

  test('the queue is bounded, what does not fit is dropped and counted', () => {
    const { host, dev, send } = stubborn();
    for (let n = 0; n < 1_100; n++) send(n);
    expect(dev.qdisc.packets).toBeLessThanOrEqual(1_001);
    expect(host.skbs.counters.drops.get('qdisc_full')).toBe(1_100 - dev.qdisc.packets);
    expect(dev.counters.txDropped).toBe(1_100 - dev.qdisc.packets);
  });

  test('carrier loss and going down empty the queue; nothing is sent while it lasts', () => {
    const { host, dev, send } = stubborn();
    for (const mark of [1, 2, 3]) send(mark);
    netifCarrier(host, dev, false);
    send(4);
    expect(host.skbs.counters.drops.get('no_carrier')).toBe(4);
    netifCarrier(host, dev, true);
    send(5);
    host.devices.setUp(dev, false);
    send(6);
    expect(host.skbs.counters.drops.get('dev_down')).toBe(2);
    expect(host.skbs.counters.live).toBe(0);
  });

  test('[1122-2.4b] pfifo_fast: minimum delay first, bulk last', () => {
    const { host, dev } = stubborn();
    const queue = new PfifoFast(host, dev);
    const packet = (tos: number) => {
      const skb = host.skbs.alloc(200);
      skb.reserve(100);
      skb.networkHeader = skb.put(20);
      skb.protocol = 0x0800;
      skb.view.setUint8(skb.networkHeader + IPV4.TOS, tos);
      skb.mark = tos;
      return skb;
    };
    for (const tos of [0x08, 0x00, 0x10, 0x00, 0x10]) queue.enqueue(packet(tos));
    const order = [];
    for (let skb = queue.dequeue(); skb !== undefined; skb = queue.dequeue()) {
      order.push(skb.mark);
      host.skbs.consume(skb);
    }
    expect(order).toEqual([0x10, 0x10, 0x00, 0x00, 0x08]);
  });

  test('a queue that never runs dry does not grow, and counts octets right', () => {
    const { host, dev } = stubborn();
    const queue = new Fifo(host, dev, 'pfifo');
    const skb = host.skbs.alloc(100);
    skb.put(50);
    for (let n = 0; n < 5_000; n++) {
      queue.enqueue(skb);
      if (n >= 3) queue.dequeue();
    }
    expect([queue.packets, queue.bytes]).toEqual([3, 150]);
    host.skbs.consume(skb);
  });
});

describe('packet taps', () => {
  test('see both directions of their device, and keep a picture that later changes do not touch', () => {
    const { clock, alice, bob, eth0 } = pair();
    const seen: string[] = [];
    const kept: SkBuff[] = [];
    alice.packetTaps.add({
      protocol: ETH_P_ALL,
      ifindex: eth0.ifindex,
      deliver: (skb) => {
        seen.push(`${skb.packetType} ${skb.view.getUint16(skb.macHeader + ETHERNET.TYPE).toString(16)}`);
        kept.push(alice.skbs.clone(skb));
      },
    });
    sendEcho(alice, ip('10.0.0.2'));
    sendEcho(alice, ip('127.0.0.1'));
    clock.advance(1_000);
    expect(seen).toEqual(['outgoing 800', 'broadcast 806', 'outgoing 806', 'host 800']);
    for (const skb of kept) alice.skbs.consume(skb);
    expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
  });
});

describe('lo', () => {
  test('delivers in the next softirq, in bursts, without recursion', () => {
    const clock = newClock();
    const host = makeHost('host', clock);
    const echoes = listenEcho(host);
    for (let sequence = 0; sequence < 500; sequence++) sendEcho(host, ip('127.0.0.1'), { sequence });
    expect(echoes.replies).toEqual([]);
    clock.advance(0);
    expect(echoes.replies.map((reply) => reply.sequence)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect(host.devices.byName('lo')?.counters).toMatchObject({ rxPackets: 1_000, txPackets: 1_000 });
  });

  test('its backlog is bounded', () => {
    const clock = newClock();
    const host = makeHost('host', clock);
    for (let sequence = 0; sequence < 1_200; sequence++) sendEcho(host, ip('127.0.0.1'), { sequence });
    expect(host.skbs.counters.drops.get('cpu_backlog')).toBe(200);
    clock.advance(0);
    expect(host.skbs.counters.live).toBe(0);
  });

  test('a broadcast of ours is heard by ourselves, too', () => {
    const { clock, alice, cable } = pair();
    const seen = listen(alice, PROTOCOL.UDP);
    sendUdp(alice, ip('10.0.0.255'), { sourcePort: 1, targetPort: 2 });
    clock.advance(0);
    expect(seen.arrivals).toHaveLength(1);
    expect(cable.frames.some((frame) => frame.bytes[0] === 255)).toBe(true);
    expect(alice.skbs.counters.live).toBe(0);
  });
});
