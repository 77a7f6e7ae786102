import { describe, expect, test } from 'vitest';
import { nextModeration } from '../../../shared/nic/coalesce.ts';
import { programs } from '../../../shared/programs/registry.ts';
import { nicBench } from '../../kit/nic-bench.ts';
import { runOn } from '../../kit/programs.ts';

function bench() {
  const parts = nicBench();
  parts.host.processes.programs = programs;
  return { ...parts, run: (line: string) => runOn(parts.host, parts.clock, line) };
}

describe('interrupt coalescing', () => {
  test('off, as it is by default, every frame that comes alone interrupts at once', () => {
    const { stream, stat } = bench();
    stream(100, 10_000);
    expect([stat('rx_packets'), stat('interrupts'), stat('rx_coalesced')]).toEqual([100, 100, 0]);
  });

  test('rx-usecs: a frame waits so long for others, and no longer', async () => {
    const { run, send, clock, stat } = bench();
    expect((await run('ethtool -C eth0 rx-usecs 50')).status).toBe(0);
    send(1);
    clock.advance(49);
    expect(stat('rx_packets')).toBe(0);
    send(1);
    clock.advance(1);
    expect([stat('rx_packets'), stat('interrupts')]).toEqual([2, 1]);
    send(1);
    clock.advance(50);
    expect([stat('rx_packets'), stat('interrupts')]).toEqual([3, 2]);
  });

  test('rx-frames: so many frames wait no longer', async () => {
    const { run, send, clock, stat } = bench();
    await run('ethtool -C eth0 rx-usecs 1000 rx-frames 4');
    for (let i = 0; i < 12; i++) {
      send(1);
      clock.advance(1);
    }
    expect([stat('rx_packets'), stat('interrupts')]).toEqual([12, 3]);
    expect(stat('rx_coalesced')).toBe(9);
  });

  test('a ring that is half full does not wait', async () => {
    const { run, send, clock, stat } = bench();
    await run('ethtool -C eth0 rx-usecs 10000');
    send(300);
    clock.advance(0);
    expect(stat('rx_packets')).toBeGreaterThanOrEqual(128);
    expect(stat('rx_missed_errors')).toBe(0);
    clock.advance(10_000);
    expect(stat('rx_packets')).toBe(300);
  });

  test('adaptive-rx: small frames now and then do not wait long, a transfer does', async () => {
    const { run, send, clock, nic } = bench();
    await run('ethtool -C eth0 adaptive-rx on');
    for (let i = 0; i < 20; i++) {
      send(1, 60);
      clock.advance(1_000);
    }
    expect(nic.coalescer.rxUsecs).toBe(14);
    for (let i = 0; i < 2_000; i++) {
      send(1, 1_514);
      clock.advance(5);
    }
    expect(nic.coalescer.rxUsecs).toBe(250);
  });

  test('the moderation goes as e1000_update_itr', () => {
    expect(nextModeration(14, 2, 3_000)).toBe(50);
    expect(nextModeration(14, 2, 120)).toBe(14);
    expect(nextModeration(50, 20, 30_000)).toBe(250);
    expect(nextModeration(50, 40, 12_000)).toBe(14);
    expect(nextModeration(50, 1, 60)).toBe(14);
    expect(nextModeration(250, 40, 60_000)).toBe(50);
    expect(nextModeration(250, 20, 30_000)).toBe(250);
    expect(nextModeration(250, 2, 3_000)).toBe(50);
    expect(nextModeration(250, 0, 0)).toBe(250);
  });

  test('ethtool -c shows it; what would wait for ever or too long is refused', async () => {
    const { run } = bench();
    await run('ethtool -C eth0 rx-usecs 30 rx-frames 8');
    const { out } = await run('ethtool -c eth0');
    expect(out).toMatch(/^Coalesce parameters for eth0:\nAdaptive RX: off {2}TX: n\/a\nstats-block-usecs:\tn\/a\n/);
    expect(out).toContain('\nrx-usecs:\t30\nrx-frames:\t8\nrx-usecs-irq:\tn/a\n');
    expect((await run('ethtool -C eth0 rx-usecs 0')).err).toBe('netlink error: Invalid argument\n');
    expect((await run('ethtool -C eth0 rx-usecs 10001')).status).toBe(81);
    expect((await run('ethtool -C eth0 tx-usecs 3')).status).toBe(1);
    expect((await run('ethtool -c lo')).status).toBe(1);
  });
});

describe('rings', () => {
  test('ethtool -G: a longer ring holds more frames, and sizes are bounded and rounded as e1000e does', async () => {
    const { run, send, clock, stat, cpu } = bench();
    expect((await run('ethtool -G eth0 rx 1021 tx 10')).status).toBe(0);
    const { out } = await run('ethtool -g eth0');
    expect(out).toMatch(/maximums:\nRX:\t\t4096\n[\s\S]*settings:\nRX:\t\t1024\n[\s\S]*TX:\t\t64\n/);
    expect(await run('ethtool -G eth0 rx 5000')).toMatchObject({ status: 81 });
    cpu.configure({ irq: 5, poll: 2, packet: 20 });
    send(2_000);
    clock.advance(1_000_000);
    expect(stat('rx_missed_errors')).toBeGreaterThan(2_000 - 1_024 - 65);
    expect(stat('rx_missed_errors')).toBeLessThanOrEqual(2_000 - 1_024);
  });

  test('what is in the rings when they are made anew is lost, with a reason, and nothing stays behind', async () => {
    const { run, send, clock, host, stat, cpu } = bench();
    cpu.configure({ irq: 5, poll: 2, packet: 20 });
    send(200);
    clock.advance(1);
    const before = stat('rx_packets');
    await run('ethtool -G eth0 rx 512');
    expect(host.skbs.counters.dropPlaces.get('dev_down')?.get('e1000_clean_rx_ring')).toBeGreaterThan(0);
    clock.advance(100_000);
    send(1);
    clock.advance(100_000);
    expect(stat('rx_packets')).toBeGreaterThan(before);
    expect(host.skbs.counters.live).toBe(0);
    expect(clock.pending).toBe(0);
  });
});

test('softirqs are counted in /proc/softirqs, polls and interrupts in ethtool -S', async () => {
  const { run, send, clock } = bench();
  send(3);
  clock.advance(10);
  const { out } = await run('cat /proc/softirqs');
  expect(out).toMatch(/^ {20}CPU0 {7}\n {10}HI: {10}0\n/);
  expect(out).toMatch(/ {6}NET_RX: {10}1\n/);
  const { out: statistics } = await run('ethtool -S eth0');
  expect(statistics).toMatch(/interrupts: 1\n[\s\S]*napi_polls: 1\n {5}napi_polls_full: 0\n {5}napi_completes: 1\n/);
});

test('settings that are no counts are refused', () => {
  const { dev } = bench();
  const { card } = dev.ops;
  for (const wrong of [Number.NaN, -1, 1.5, 1e9]) {
    expect([card?.setRings(wrong, 256), card?.setRings(256, wrong)]).toEqual(['EINVAL', 'EINVAL']);
    expect(card?.setCoalesce({ rxUsecs: wrong })).toBe('EINVAL');
    expect(card?.setCoalesce({ rxFrames: wrong })).toBe('EINVAL');
  }
});

test('private flags are shown and set by name', async () => {
  const { run } = bench();
  expect((await run('ethtool --show-priv-flags eth0')).out).toBe('Private flags for eth0:\nnapi: on\n');
  expect((await run('ethtool --set-priv-flags eth0 napi off')).status).toBe(0);
  expect((await run('ethtool --show-priv-flags eth0')).out).toBe('Private flags for eth0:\nnapi: off\n');
  expect((await run('ethtool --set-priv-flags eth0 warp on')).status).toBe(1);
  expect((await run('ethtool -f eth0')).status).toBe(1);
});
