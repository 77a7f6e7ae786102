/**
 * Interrupts and polling with a CPU whose work takes time: 5 us an interrupt, 2 us a poll, 5 us a packet. Frames of 60
 * octets come one by one, at a steady rate; the numbers are those of that model.
 */
import { describe, expect, test } from 'vitest';
import { nicBench } from '../kit/nic-bench.ts';

const COSTS = { irq: 5, poll: 2, packet: 5 };
const MICROS = 1_000_000;

function load(gap: number, options: { napi?: boolean; ring?: number; usecs?: number } = {}) {
  const { stream, stat, dev, cpu, host, clock } = nicBench(COSTS);
  dev.ops.card?.setFlags({ napi: options.napi ?? true });
  if (options.ring !== undefined) dev.ops.card?.setRings(options.ring, 256);
  if (options.usecs !== undefined) dev.ops.card?.setCoalesce({ rxUsecs: options.usecs });
  stream(gap, MICROS);
  const { processed, dropped, ksoftirqd, timeSqueeze } = cpu.softnet;
  const answer = {
    sent: MICROS / gap,
    received: processed,
    perInterrupt: stat('rx_packets') / stat('interrupts'),
    perPoll: processed / stat('napi_polls'),
    interrupts: stat('interrupts'),
    missed: stat('rx_missed_errors'),
    backlogDrops: dropped,
    ksoftirqd,
    timeSqueeze,
  };
  clock.advance(MICROS);
  expect(clock.pending).toBe(0);
  expect(host.skbs.counters.live).toBe(0);
  return answer;
}

describe('with NAPI', () => {
  test('interrupts per packet fall and polls fill as the rate rises', () => {
    const rates = [100, 20, 10, 8, 6, 4, 2].map((gap) => load(gap));
    const perPoll = rates.map((one) => one.perPoll);
    // 10,000 packets a second: an interrupt and a poll for each. 500,000: polls of 64, no interrupt to speak of.
    expect(rates[0]).toMatchObject({ perInterrupt: 1, perPoll: 1, missed: 0 });
    for (let i = 1; i < rates.length; i++) expect(perPoll[i]).toBeGreaterThanOrEqual(perPoll[i - 1]! - 0.01);
    expect(perPoll[4]).toBeGreaterThan(3);
    expect(rates.at(-1)?.perPoll).toBeGreaterThan(40);
    expect(rates.at(-1)?.perInterrupt).toBeGreaterThan(1_000);
  });

  test('a stack that is slower than the wire overruns the ring, and does as much as it can', () => {
    const { received, missed, sent, ksoftirqd, timeSqueeze } = load(4);
    // 5 us a packet and 2/64 us for its poll: 199,000 of 250,000 a second.
    expect(received).toBeGreaterThan(190_000);
    expect(received).toBeLessThan(200_000);
    expect(missed).toBeGreaterThan(sent - received - 600);
    // A round of 300 is 1.5 ms, so a softirq passes its 2 ms in the second, every 3 ms.
    expect(timeSqueeze).toBeGreaterThan(600);
    expect(ksoftirqd).toBeGreaterThan(300);
    expect(ksoftirqd).toBeLessThan(340);
  });

  test('twice the frames do not lower what is received', () => {
    const [one, two] = [load(4), load(2)];
    expect(two.received).toBeGreaterThan(0.98 * one.received);
  });

  test('a longer ring does not help a CPU that is too slow; it only makes packets wait', () => {
    const [short, long] = [load(4, { ring: 64 }), load(4, { ring: 4_096 })];
    expect(long.received / short.received).toBeGreaterThan(0.97);
    expect(long.received / short.received).toBeLessThan(1.03);
  });

  test('coalescing saves interrupts where NAPI alone has one for every packet', () => {
    const [alone, coalesced] = [load(20), load(20, { usecs: 200 })];
    expect(alone.perInterrupt).toBe(1);
    expect(coalesced.perInterrupt).toBeGreaterThan(9);
    expect(coalesced.received).toBeGreaterThan(alone.received - 20);
  });
});

test.each([
  ['10 rounds', 0.5, 10],
  ['2 ms', 5, 2],
])('ksoftirqd takes over after %s', (_, packet, rounds) => {
  const { send, clock, dev, cpu } = nicBench({ irq: 1, poll: 0, packet });
  dev.ops.card?.setRings(4_096, 256);
  send(4_000);
  while (cpu.softnet.ksoftirqd === 0) clock.advance(1);
  expect(cpu.softnet.timeSqueeze).toBe(rounds);
  expect(cpu.softnet.processed).toBe(rounds * 300);
});

describe('the sysctls', () => {
  function rounds(sysctls: Readonly<Record<string, string>>, napi = true) {
    const { send, clock, dev, cpu, host, stat } = nicBench({ irq: 1, poll: 0, packet: 5 });
    for (const [name, value] of Object.entries(sysctls)) expect(host.sysctl.set(name, value)).toBeUndefined();
    dev.ops.card?.setRings(4_096, 256);
    dev.ops.card?.setFlags({ napi });
    send(1_000);
    clock.advance(MICROS);
    return { ...cpu.softnet, polls: stat('napi_polls') };
  }

  test('netdev_budget packets are a round: with 100 of them 1000 packets squeeze ten times, with 2000 never', () => {
    expect(rounds({ 'net.core.netdev_budget': '100' }).timeSqueeze).toBe(10);
    expect(rounds({ 'net.core.netdev_budget': '2000' }).timeSqueeze).toBe(0);
  });

  test('netdev_budget_usecs end a round, too: polls of 64 packets take 320 us each, two make 500 us', () => {
    const { timeSqueeze } = rounds({ 'net.core.netdev_budget': '2000', 'net.core.netdev_budget_usecs': '500' });
    expect(timeSqueeze).toBeGreaterThanOrEqual(5);
    expect(timeSqueeze).toBeLessThanOrEqual(8);
  });

  test('netdev_max_backlog is what the backlog of a card without NAPI holds', () => {
    const { processed, dropped } = rounds({ 'net.core.netdev_max_backlog': '400' }, false);
    expect([processed, dropped]).toEqual([400, 600]);
  });

  test.each([
    ['64', 300],
    ['1', 21],
  ])('dev_weight %s: so much of the backlog is one turn, and a turn costs 100 us', (weight, processed) => {
    const { send, clock, dev, cpu, host } = nicBench({ irq: 1, poll: 100, packet: 0 });
    host.sysctl.set('net.core.dev_weight', weight);
    dev.ops.card?.setRings(4_096, 256);
    dev.ops.card?.setFlags({ napi: false });
    send(300);
    clock.advance(300 + 2_000);
    expect(cpu.softnet.processed).toBe(processed);
    clock.advance(MICROS);
    expect(cpu.softnet.processed).toBe(300);
  });

  test('what waits in the backlog stands in /proc/net/softnet_stat', () => {
    const { send, clock, dev, host } = nicBench({ irq: 1, poll: 0, packet: 1_000 });
    dev.ops.card?.setFlags({ napi: false });
    send(50);
    clock.advance(40);
    const columns = host.procfs.lookup('/proc/net/softnet_stat')?.read().trim().split(' ') ?? [];
    expect(columns).toHaveLength(15);
    const waiting = Number.parseInt(columns[11] ?? '', 16);
    expect(waiting).toBeGreaterThan(30);
    expect(Number.parseInt(columns[13] ?? '', 16)).toBe(waiting);
    expect(columns[12]).toBe('00000000');
    clock.advance(MICROS);
    expect(Number.parseInt(host.procfs.lookup('/proc/net/softnet_stat')?.read().split(' ')[11] ?? '', 16)).toBe(0);
  });
});

describe('without NAPI', () => {
  test('every frame interrupts', () => {
    const { interrupts, received, sent } = load(20, { napi: false });
    expect(interrupts).toBe(sent);
    expect(received).toBe(sent);
  });

  test('an interrupt storm: above the rate that interrupts alone can bear, next to nothing is received', () => {
    const [light, full, storm] = [16, 8, 5].map((gap) => load(gap, { napi: false }));
    // An interrupt and a packet are 10 us: all of 62,500, fewer of 125,000, of 200,000 almost none.
    expect(light?.received).toBe(light?.sent);
    expect(full?.received).toBeLessThan(75_000);
    expect(full?.backlogDrops).toBeGreaterThan(30_000);
    expect(storm?.received).toBeLessThan(0.02 * (storm?.sent ?? 0));
    expect(storm?.interrupts).toBeGreaterThan(190_000);
    expect(load(5).received).toBeGreaterThan(150_000);
  });
});
