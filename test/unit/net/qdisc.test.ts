import { describe, expect, test } from 'vitest';
import { IPV4 } from '../../../shared/header/ipv4.ts';
import type { Host } from '../../../shared/net/host.ts';
import { devQueueXmit, type NetDevice, netifCarrier } from '../../../shared/net/netdev.ts';
import { makeNetDevice } from '../../../shared/net/netdev-registry.ts';
import type { QdiscOptions } from '../../../shared/net/qdisc.ts';
import { HEADROOM, type SkBuff } from '../../../shared/net/skbuff.ts';
import { programs } from '../../../shared/programs/registry.ts';
import { cardHost } from '../../kit/cards.ts';
import { ManualClock } from '../../kit/clock.ts';
import { runOn } from '../../kit/programs.ts';
import { newSock } from '../../kit/tcp-pair.ts';

/** A host with a card that takes everything, and notes when. */
function machine() {
  const clock = new ManualClock(1_000_000);
  const host = cardHost('alice', clock);
  host.processes.programs = programs;
  const sent: { at: number; mark: number; tos: number }[] = [];
  const dev = makeNetDevice(host, {
    name: 'eth0',
    mtu: 1_500,
    carrier: true,
    ops: {
      startXmit: (skb) => {
        const tos = skb.view.getUint8(skb.networkHeader + IPV4.TOS);
        sent.push({ at: clock.now() - 1_000_000, mark: skb.mark, tos });
        host.skbs.consume(skb);
        return 'ok';
      },
      open: () => {},
      stop: () => {},
      statistics: () => new Map(),
      describe: () => ({ driver: '', speedMbit: 0, rxRing: 0, txRing: 0, rxRingMax: 0, txRingMax: 0, irq: 0 }),
    },
  });
  host.devices.register(dev);
  host.devices.setUp(dev, true);
  const tc = (line: string) => runOn(host, clock, ['tc', ...line.split(' ')]);
  return { clock, host, dev, sent, tc };
}

/** An IP packet of `length` octets on the link. `flow` is its source address. */
function packet(
  host: Host,
  {
    length = 1_000,
    flow = 1,
    tos = 0,
    mark = 0,
    departs = 0,
    owner,
  }: Partial<Record<'length' | 'flow' | 'tos' | 'mark' | 'departs', number>> & { owner?: unknown } = {},
): SkBuff {
  const skb = host.skbs.alloc(HEADROOM + length);
  skb.reserve(HEADROOM);
  const at = skb.put(length);
  skb.bytes.fill(0, at, at + length);
  skb.networkHeader = at + 14;
  skb.protocol = 0x0800;
  skb.view.setUint8(skb.networkHeader, 0x45);
  skb.view.setUint8(skb.networkHeader + IPV4.TOS, tos);
  skb.view.setUint32(skb.networkHeader + IPV4.SOURCE, flow);
  skb.mark = mark;
  skb.deliveryTime = departs;
  skb.owner = owner;
  return skb;
}

function replace(host: Host, dev: NetDevice, kind: string, options?: QdiscOptions) {
  const query = { type: 'RTM_NEWQDISC', dev: dev.name, how: 'replace', kind } as const;
  return host.netlink.ask(options === undefined ? query : { ...query, options });
}

describe('pfifo and bfifo', () => {
  test('limit 0 lets nothing through, not even into an idle card, and says so to the sender', () => {
    const { host, dev, sent } = machine();
    replace(host, dev, 'pfifo', { limit: 0 });
    expect(devQueueXmit(host, packet(host), dev)).toBe('NET_XMIT_DROP');
    expect(sent).toEqual([]);
    expect([dev.qdisc.drops, host.skbs.counters.drops.get('qdisc_full'), dev.counters.txDropped]).toEqual([1, 1, 1]);
    replace(host, dev, 'pfifo', { limit: 1 });
    expect(devQueueXmit(host, packet(host), dev)).toBeUndefined();
    expect(sent).toHaveLength(1);
    expect(host.skbs.counters.live).toBe(0);
  });

  test('bfifo counts octets', () => {
    const { host, dev } = machine();
    replace(host, dev, 'bfifo', { limit: 2_500 });
    dev.stopped = true;
    const answers = [1, 2, 3].map(() => devQueueXmit(host, packet(host), dev));
    expect(answers).toEqual([undefined, undefined, 'NET_XMIT_DROP']);
    expect([dev.qdisc.packets, dev.qdisc.bytes]).toEqual([2, 2_000]);
    host.devices.setUp(dev, false);
  });

  test('a device that is down, or without carrier, tells its senders to slow down', () => {
    const { host, dev } = machine();
    netifCarrier(host, dev, false);
    expect(devQueueXmit(host, packet(host), dev)).toBe('NET_XMIT_CN');
    host.devices.setUp(dev, false);
    expect(devQueueXmit(host, packet(host), dev)).toBe('NET_XMIT_CN');
  });
});

describe('fq', () => {
  test('a packet leaves at its departure time; one that comes late but is due earlier passes the others of its flow', () => {
    const { clock, host, dev, sent } = machine();
    replace(host, dev, 'fq');
    const owner = connected(host);
    for (const [mark, departs] of [
      [1, 1_005_000],
      [2, 1_002_000],
      [3, 1_009_000],
    ] as const)
      devQueueXmit(host, packet(host, { mark, departs, owner }), dev);
    expect(sent).toEqual([]);
    clock.advance(20_000);
    expect(sent.map(({ at, mark }) => [at, mark])).toEqual([
      [5_000, 2],
      [5_000, 1],
      [9_000, 3],
    ]);
    expect(dev.qdisc.statistics()).toMatchObject({ flows: 1, inactive: 1, throttledFlows: 0 });
  });

  test('one socket’s rate does not hold up another', () => {
    const { clock, host, dev, sent } = machine();
    replace(host, dev, 'fq');
    const slow = connected(host);
    const quick = connected(host);
    for (let n = 0; n < 3; n++)
      devQueueXmit(host, packet(host, { mark: 1, departs: 1_000_000 + n * 10_000, owner: slow }), dev);
    devQueueXmit(host, packet(host, { mark: 2, departs: 1_000_000, owner: quick }), dev);
    expect(sent.map(({ mark }) => mark)).toEqual([1, 2]);
    clock.advance(30_000);
    expect(sent.map(({ at }) => at)).toEqual([0, 0, 10_000, 20_000]);
    expect([slow.pacingStatus, quick.pacingStatus]).toEqual(['fq', 'fq']);
  });

  test('maxrate spaces the packets of a flow; flows are served in turn', () => {
    const { clock, host, dev, sent } = machine();
    replace(host, dev, 'fq', { maxrate: 100_000, quantum: 1_000, initial_quantum: 1_000 });
    for (let n = 0; n < 4; n++) for (const flow of [1, 2]) devQueueXmit(host, packet(host, { flow, mark: flow }), dev);
    clock.advance(100_000);
    expect(sent.map(({ at, mark }) => [at, mark])).toEqual([
      [0, 1],
      [0, 2],
      [10_000, 1],
      [10_000, 2],
      [20_000, 1],
      [20_000, 2],
      [30_000, 1],
      [30_000, 2],
    ]);
  });

  test('more than flow_limit packets of a flow, and what departs beyond the horizon, are dropped with their reasons', () => {
    const { host, dev } = machine();
    replace(host, dev, 'fq', { flow_limit: 2, horizon: 1_000_000 });
    const owner = connected(host);
    const send = (departs: number) => devQueueXmit(host, packet(host, { departs, owner }), dev);
    expect([send(1_500_000), send(1_500_000), send(1_500_000), send(9_000_000)]).toEqual([
      undefined,
      undefined,
      'NET_XMIT_DROP',
      'NET_XMIT_DROP',
    ]);
    const { drops } = host.skbs.counters;
    expect([drops.get('fq_flow_limit'), drops.get('fq_horizon')]).toEqual([1, 1]);
    replace(host, dev, 'pfifo');
    expect(drops.get('qdisc_reset')).toBe(2);
    expect(host.skbs.counters.live).toBe(0);
  });

  test('horizon_cap sends it at the horizon instead', () => {
    const { clock, host, dev, sent } = machine();
    replace(host, dev, 'fq', { horizon: 50_000, horizon_drop: false });
    devQueueXmit(host, packet(host, { departs: 9_000_000, owner: connected(host) }), dev);
    clock.advance(60_000);
    expect(sent.map(({ at }) => at)).toEqual([50_000]);
  });
});

describe('fq_codel', () => {
  /** A card that takes a packet every `gap`, and a queue that is 30 deep for so many of them. */
  function overload(tos: number) {
    const { clock, host, dev, sent } = machine();
    replace(host, dev, 'fq_codel');
    dev.stopped = true;
    let open = false;
    const real = dev.ops.startXmit;
    (dev.ops as { startXmit: typeof real }).startXmit = (skb, more) => {
      if (!open) return 'busy';
      open = false;
      return real(skb, more);
    };
    for (let n = 0; n < 30; n++) devQueueXmit(host, packet(host, { tos }), dev);
    for (let n = 0; n < 400; n++) {
      clock.advance(1_000);
      devQueueXmit(host, packet(host, { tos }), dev);
      open = true;
      dev.stopped = false;
      devQueueXmit(host, packet(host, { tos, flow: 2, length: 60 }), dev);
      dev.stopped = true;
    }
    host.devices.setUp(dev, false);
    return { dev, sent, host };
  }

  test('packets that wait too long for an interval are dropped, sooner and sooner', () => {
    const { dev, host } = overload(0);
    const dropped = host.skbs.counters.drops.get('qdisc_congested') ?? 0;
    expect(dropped).toBeGreaterThan(2);
    expect(dev.qdisc.statistics()['ecnMark']).toBe(0);
    expect(dev.qdisc.drops).toBe(dropped);
  });

  test('or marked, when their ends speak ECN', () => {
    const { dev, sent, host } = overload(2);
    const marks = dev.qdisc.statistics()['ecnMark'] ?? 0;
    expect(marks).toBeGreaterThan(2);
    expect(sent.filter(({ tos }) => tos === 3).length).toBeGreaterThan(2);
    expect(host.skbs.counters.drops.get('qdisc_congested')).toBeUndefined();
  });

  test('over its limit the longest flow pays, and a sender whose packet it was is told', () => {
    const { host, dev } = machine();
    replace(host, dev, 'fq_codel', { limit: 10 });
    dev.stopped = true;
    for (let n = 0; n < 10; n++) expect(devQueueXmit(host, packet(host, { flow: 1 }), dev)).toBeUndefined();
    expect(devQueueXmit(host, packet(host, { flow: 77 }), dev)).toBeUndefined();
    expect([dev.qdisc.packets, dev.qdisc.drops]).toEqual([6, 5]);
    for (let n = 0; n < 4; n++) devQueueXmit(host, packet(host, { flow: 1 }), dev);
    expect(devQueueXmit(host, packet(host, { flow: 1 }), dev)).toBe('NET_XMIT_CN');
    host.devices.setUp(dev, false);
  });
});

test('tbf: a burst goes at once, the rest at the rate, and what finds no room is dropped', () => {
  const { clock, host, dev, sent } = machine();
  replace(host, dev, 'tbf', { rate: 100_000, burst: 2_000, limit: 3_000 });
  const answers = Array.from({ length: 6 }, () => devQueueXmit(host, packet(host), dev));
  expect(answers).toEqual([undefined, undefined, undefined, undefined, undefined, 'NET_XMIT_DROP']);
  clock.advance(100_000);
  expect(sent.map(({ at }) => at)).toEqual([0, 0, 10_000, 20_000, 30_000]);
});

test('tbf: what is thrown away with the carrier is counted out, and there is room again', () => {
  const { clock, host, dev, sent } = machine();
  replace(host, dev, 'tbf', { rate: 100_000, burst: 2_000, limit: 3_000 });
  for (let n = 0; n < 5; n++) devQueueXmit(host, packet(host), dev);
  netifCarrier(host, dev, false);
  expect([dev.qdisc.packets, dev.qdisc.bytes]).toEqual([0, 0]);
  netifCarrier(host, dev, true);
  clock.advance(100_000);
  sent.length = 0;
  const answers = Array.from({ length: 5 }, () => devQueueXmit(host, packet(host), dev));
  expect(answers).toEqual([undefined, undefined, undefined, undefined, undefined]);
  clock.advance(100_000);
  expect(sent).toHaveLength(5);
});

describe('tc', () => {
  test('shows what there is as iproute2 does', async () => {
    const { tc } = machine();
    expect((await tc('qdisc')).out).toBe(
      'qdisc noqueue 0: dev lo root refcnt 2 \n' +
        'qdisc pfifo_fast 0: dev eth0 root refcnt 2 bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1 \n',
    );
    await tc('qdisc replace dev eth0 root fq');
    expect((await tc('qdisc show dev eth0')).out).toBe(
      'qdisc fq 8001: root refcnt 2 limit 10000p flow_limit 100p buckets 1024 orphan_mask 1023 quantum 3028b ' +
        'initial_quantum 15140b low_rate_threshold 550Kbit refill_delay 40ms timer_slack 10us horizon 10s horizon_drop \n',
    );
    await tc('qdisc replace dev eth0 root handle 1: fq_codel target 10ms noecn');
    expect((await tc('-s qdisc show dev eth0')).out).toBe(
      'qdisc fq_codel 1: root refcnt 2 limit 10240p flows 1024 quantum 1514 target 10ms interval 100ms memory_limit 32Mb drop_batch 64 \n' +
        ' Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n' +
        '  maxpacket 256 drop_overlimit 0 new_flow_count 0 ecn_mark 0\n  new_flows_len 0 old_flows_len 0\n',
    );
    await tc('qdisc replace dev eth0 root tbf rate 1mbit burst 32kb latency 400ms');
    expect((await tc('qdisc show dev eth0')).out).toBe(
      'qdisc tbf 8002: root refcnt 2 rate 1Mbit burst 32Kb lat 400ms \n',
    );
  });

  test('add, change, replace and delete fail where Linux’s do', async () => {
    const { tc, dev } = machine();
    const said = async (line: string) => {
      const { status, err } = await tc(line);
      return [status, err];
    };
    expect(await said('qdisc change dev eth0 root pfifo limit 3')).toEqual([
      2,
      'Error: Qdisc not found. To create specify NLM_F_CREATE flag.\n',
    ]);
    expect(await said('qdisc del dev eth0 root')).toEqual([2, 'Error: Cannot delete qdisc with handle of zero.\n']);
    expect(await said('qdisc add dev eth0 root pfifo limit 3')).toEqual([0, '']);
    expect(await said('qdisc add dev eth0 root fq')).toEqual([2, 'Error: Exclusivity flag on, cannot modify.\n']);
    expect(await said('qdisc change dev eth0 root fq')).toEqual([2, 'Error: Invalid qdisc name.\n']);
    const before = dev.qdisc;
    expect(await said('qdisc replace dev eth0 root pfifo limit 4')).toEqual([0, '']);
    expect(dev.qdisc).toBe(before);
    expect(dev.qdisc.options()).toEqual({ limit: 4 });
    expect(await said('qdisc add dev eth9 root fq')).toEqual([1, 'Cannot find device "eth9"\n']);
    expect((await said('qdisc replace dev eth0 root sfq'))[1]).toBe('Error: Specified qdisc kind is unknown.\n');
    expect(await said('qdisc del dev eth0 root')).toEqual([0, '']);
    expect(dev.qdisc.kind).toBe('pfifo_fast');
  });

  test('net.core.default_qdisc is what a device gets that comes up for the first time; ip link names it', async () => {
    const { host, clock } = machine();
    expect(host.sysctl.set('net.core.default_qdisc', 'nonsense')).toBe('EINVAL');
    expect(host.sysctl.set('net.core.default_qdisc', 'fq_codel')).toBeUndefined();
    const idle = {
      open: () => {},
      stop: () => {},
      statistics: () => new Map(),
      describe: () => host.devices.byName('lo')!.ops.describe(),
    };
    const dev = makeNetDevice(host, { name: 'eth1', mtu: 1_500, ops: { ...idle, startXmit: () => 'busy' } });
    host.devices.register(dev);
    expect(dev.qdisc.kind).toBe('noop');
    host.devices.setUp(dev, true);
    expect((await runOn(host, clock, ['ip', 'link', 'show', 'eth1'])).out).toContain('qdisc fq_codel');
    expect(host.devices.byName('eth0')?.qdisc.kind).toBe('pfifo_fast');
  });
});

function connected(host: Host) {
  const sk = newSock(host);
  sk.remotePort = 80;
  return sk;
}
