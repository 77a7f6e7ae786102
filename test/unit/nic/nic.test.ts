import { expect, test } from 'vitest';
import type { Mac } from '../../../shared/header/address.ts';
import { type CpuCosts, cpuOf } from '../../../shared/nic/napi.ts';
import { Phy } from '../../../shared/nic/phy.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import { addCard, cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { tcpSkb } from '../../kit/tcp-frames.ts';

const MINE = 0x0200_0000_0002 as Mac;

/** A card with a cable on which a test writes frames of its own. */
function bench(costs?: CpuCosts) {
  const clock = new ManualClock();
  const host = cardHost('dut', clock);
  const [near, far] = memoryWire(clock, 'dut:eth0', 'test:0');
  if (costs !== undefined) cpuOf(host).configure(costs);
  const { dev, nic } = addCard(host, 'eth0', near, { mac: MINE });
  const answers: Uint8Array[] = [];
  const phy = new Phy(
    host,
    {
      onFrame: (batch, _i, at, size) => answers.push(batch.bytes.slice(at, at + size)),
      onBurstEnd: () => {},
      onRefused: () => {},
      onCarrier: () => {},
      onReady: () => {},
    },
    { name: 'test', mtu: 1_500 },
  );
  phy.setPortUp(true);
  phy.attach(far);
  const send = (count: number, { target = MINE as number, size = 60, type = 0x88b5 } = {}): void => {
    for (let i = 0; i < count; i++) {
      const at = phy.start(size, 5, i + 1, 3);
      phy.out.bytes.fill(0, at, at + size);
      phy.out.view.setUint16(at, Math.floor(target / 0x1_0000_0000));
      phy.out.view.setUint32(at + 2, target % 0x1_0000_0000);
      phy.out.view.setUint16(at + 6, 0x0200);
      phy.out.view.setUint16(at + 12, type);
      phy.finish();
    }
    phy.kick();
  };
  const drops = (): Record<string, number> => Object.fromEntries(host.skbs.counters.drops);
  const stat = (name: string): number | undefined => dev.ops.statistics().get(name);
  return { clock, host, dev, nic, phy, answers, send, drops, stat, cpu: cpuOf(host) };
}

test('the card takes frames for its MAC, broadcast and multicast; others are counted and dropped', () => {
  const { clock, send, drops, stat, dev, host } = bench();
  send(1);
  send(2, { target: 0xffff_ffff_ffff });
  send(3, { target: 0x0100_5e00_0001 });
  send(4, { target: 0x0200_0000_0099 });
  clock.run(0);
  expect(stat('rx_packets')).toBe(6);
  expect([stat('rx_broadcast'), stat('rx_multicast'), stat('rx_other_host')]).toEqual([2, 3, 4]);
  expect(drops()).toEqual({ other_host: 4, unhandled_protocol: 6 });
  expect(dev.counters.rxErrors).toBe(0);
  dev.promiscuous = true;
  send(1, { target: 0x0200_0000_0099 });
  clock.run(0);
  expect(stat('rx_packets')).toBe(7);
  expect(host.skbs.counters.live).toBe(0);
});

test('damaged frames are dropped with their reasons and counted as ethtool and ip do', () => {
  const { clock, phy, send, drops, stat, dev } = bench();
  const damage = (change: (at: number) => void, size = 60): void => {
    send(1, { size });
    change(phy.out.offset(phy.out.count - 1));
  };
  damage((at) => {
    phy.out.bytes[at + 20]! ^= 1;
  });
  damage((at) => {
    phy.out.bytes[at + 3]! ^= 1;
  });
  send(1, { size: 1_514 + 5 });
  clock.run(0);
  const batch = phy.wire!.reserve(70);
  batch.bytes.fill(0, batch.append(20, 1, 1, 0), batch.end);
  phy.kick();
  clock.run(0);
  expect(drops()).toEqual({ fcs_error: 1, bad_preamble: 1, frame_too_long: 1, frame_too_short: 1 });
  expect([stat('rx_crc_errors'), stat('rx_align_errors'), stat('rx_length_errors'), stat('rx_errors')]).toEqual([
    1, 1, 2, 4,
  ]);
  expect(dev.counters).toMatchObject({ rxErrors: 4, rxCrc: 1, rxFrame: 1, rxLength: 2 });
});

test('without a cost model nothing is ever missed, and interrupts are few', () => {
  const { clock, send, stat, cpu } = bench();
  send(5_000);
  clock.run(0);
  expect(stat('rx_packets')).toBe(5_000);
  expect(stat('rx_missed_errors')).toBe(0);
  expect(cpu.interrupts.lines[0]!.count).toBeLessThan(200);
  expect(cpu.softnet.processed).toBe(5_000);
});

test('with a cost model the ring of 256 overruns, budgets are squeezed and ksoftirqd takes over', () => {
  const { clock, send, stat, drops, cpu, host } = bench({ irq: 5, poll: 2, packet: 20 });
  send(2_000);
  clock.run(0);
  expect(stat('rx_missed_errors')).toBeGreaterThan(1_700);
  clock.advance(100_000);
  const received = stat('rx_packets')!;
  expect(received).toBeGreaterThanOrEqual(256);
  expect(received + drops()['rx_ring_full']!).toBe(2_000);
  // 25,000 frames a second are 20 % more than 20 us a frame allow for.
  for (let i = 0; i < 5_000; i++) {
    send(3);
    clock.advance(50);
  }
  expect(cpu.softnet.timeSqueeze).toBeGreaterThan(0);
  expect(cpu.softnet.ksoftirqd).toBeGreaterThan(0);
  clock.advance(1_000_000);
  expect(clock.pending).toBe(0);
  expect(host.skbs.counters.live).toBe(0);
});

test('a light load costs an interrupt a frame, a heavy one is polled with the line masked', () => {
  const { clock, send, cpu } = bench({ irq: 5, poll: 2, packet: 1 });
  const line = cpu.interrupts.lines[0]!;
  for (let i = 0; i < 100; i++) {
    send(1);
    clock.advance(1_000);
  }
  expect(line.count).toBe(100);
  for (let i = 0; i < 100; i++) {
    send(50);
    clock.advance(50);
  }
  expect(line.count - 100).toBeLessThan(100);
  expect(cpu.interrupts.text()).toContain('eth0');
});

test('the queue stops when 256 packets are in the ring and goes on when the card has sent them; nothing is lost', () => {
  const { clock, host, dev, nic, stat } = bench();
  const { ops } = dev;
  let accepted = 0;
  for (let i = 0; i < 300; i++) {
    const skb = tcpSkb(host, { payload: 10 });
    if (ops.startXmit(skb, false) === 'ok') accepted++;
    else host.skbs.consume(skb);
  }
  expect(accepted).toBe(256);
  expect(dev.stopped).toBe(true);
  clock.run(0);
  expect(dev.stopped).toBe(false);
  expect(stat('tx_packets')).toBe(256);
  expect(nic.tx?.free).toBe(256);
  expect(host.skbs.counters.live).toBe(0);
});

test('a packet’s identity and cause cross the wire beside its octets', () => {
  const { clock, host, send } = bench();
  const seen: unknown[] = [];
  host.trace.listen((event) => {
    if (event.point === 'netif_receive_skb') seen.push([event.skb, event.cause]);
  });
  send(1);
  clock.run(0);
  expect(seen).toMatchObject([[{ device: 5, number: 1 }, 3]]);
});

test('ip link set down empties the rings, and nothing comes in until it is up again', () => {
  const { clock, host, dev, send, stat, drops } = bench({ irq: 5, poll: 2, packet: 20 });
  send(100);
  clock.run(0);
  host.devices.setUp(dev, false);
  send(10);
  clock.advance(10_000);
  expect(stat('rx_packets')).toBe(0);
  expect(drops()['dev_down']).toBeGreaterThanOrEqual(100);
  host.devices.setUp(dev, true);
  send(10);
  clock.advance(10_000);
  expect(stat('rx_packets')).toBe(10);
  expect(host.skbs.counters.live).toBe(0);
});

test('a larger MTU lets larger frames in at once, a smaller one keeps them out', () => {
  const { clock, host, dev, phy, send, stat, drops } = bench();
  Object.assign(phy, { port: { name: 'test', mtu: 9_000 } });
  host.devices.setMtu(dev, 9_000);
  send(1, { size: 9_014 });
  clock.run(0);
  expect(stat('rx_packets')).toBe(1);
  host.devices.setMtu(dev, 1_000);
  send(1, { size: 1_514 });
  clock.run(0);
  expect(drops()['frame_too_long']).toBe(1);
  expect(host.skbs.counters.live).toBe(0);
});
