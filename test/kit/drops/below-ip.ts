/** Drops of card, driver and link layer. */
import type { Mac } from '../../../shared/header/address.ts';
import { isErrno } from '../../../shared/net/errno.ts';
import { devQueueXmit } from '../../../shared/net/netdev.ts';
import type { QdiscOptions } from '../../../shared/net/qdisc.ts';
import { assert, SECOND } from '../../../shared/platform.ts';
import { ip } from '../cable.ts';
import { sendUdp } from '../datagram.ts';
import { arpFrame } from '../frames.ts';
import {
  arpCache,
  type Counter,
  card,
  DropBench,
  type DropRecipes,
  EXPERIMENTAL,
  link,
  NO_COUNTER,
  PEER,
  softnetDropped,
  type Watch,
} from './bench.ts';

const ELSEWHERE = 0x0200_0000_0077 as Mac;
const SLOW = { irq: 5, poll: 2, packet: 50 };
/** What a card's TX ring and a queue of txqueuelen hold. */
const RING_AND_QUEUE = 256 + 1_000;
const QDISC_DROPPED: Counter = { command: 'tc -s qdisc show dev eth0', number: /dropped (\d+),/ };

/** More datagrams than ring and queue hold, sent while the CPU is too busy to clean the ring. */
function flood(bench: DropBench, count: number): void {
  for (let i = 0; i < count; i++) sendUdp(bench.host, ip('10.0.0.2'), { sourcePort: 9, targetPort: 9 });
}

export const CARD_DROPS: DropRecipes = {
  fcs_error: [
    {
      when: 'a bit flips on the wire',
      counter: link('rx', 'crc_errors'),
      make: (watch) =>
        new DropBench(watch).wire(new Uint8Array(60), (bytes, at) => {
          bytes[at + 20]! ^= 1;
        }),
    },
  ],
  frame_too_short: [
    {
      when: 'it has less than a header',
      counter: link('rx', 'length_errors'),
      make: (watch) => {
        const bench = new DropBench(watch);
        const { phy } = bench.port(0);
        const batch = phy.wire!.reserve(70);
        batch.bytes.fill(0, batch.append(20, 1, 1, 0), batch.end);
        phy.kick();
        bench.clock.advance(1);
      },
    },
  ],
  frame_too_long: [
    {
      when: 'it has more octets than the MTU allows',
      counter: link('rx', 'length_errors'),
      make: (watch) => new DropBench(watch).wire(new Uint8Array(1_519)),
    },
  ],
  bad_preamble: [
    {
      when: 'the start frame delimiter is damaged',
      counter: link('rx', 'frame_errors'),
      make: (watch) =>
        new DropBench(watch).wire(new Uint8Array(60), (bytes, at) => {
          bytes[at - 1]! ^= 2;
        }),
    },
  ],
  other_host: [
    {
      when: 'it is for another card',
      counter: card('rx_other_host'),
      make: (watch) => new DropBench(watch).frame(EXPERIMENTAL, new Uint8Array(46), ELSEWHERE),
    },
  ],
  rx_ring_full: [
    {
      when: 'frames come faster than a slow CPU polls them',
      counter: link('rx', 'missed_errors'),
      make: (watch) => {
        const bench = new DropBench(watch, { costs: SLOW });
        for (let i = 0; i < 300; i++) bench.frame(EXPERIMENTAL, new Uint8Array(46));
      },
    },
  ],
  no_carrier: [
    {
      when: 'the cable is pulled',
      counter: link('tx', 'dropped'),
      make: (watch) => {
        const bench = new DropBench(watch, { sysctls: { 'net.ipv4.conf.all.arp_evict_nocarrier': '0' } });
        bench.port(0).phy.setPortUp(false);
        bench.clock.advance(1);
        sendUdp(bench.host, ip('10.0.0.2'), { sourcePort: 9, targetPort: 9 });
      },
    },
  ],
  dev_down: [
    {
      when: 'packets are still in the queue as the interface is set down',
      counter: link('tx', 'dropped'),
      make: (watch) => {
        const bench = new DropBench(watch, { costs: SLOW });
        flood(bench, 300);
        bench.host.devices.setUp(bench.eth0, false);
      },
    },
    {
      when: 'frames are still in the ring as the interface is set down',
      place: 'e1000_clean_rx_ring',
      counter: NO_COUNTER,
      make: (watch) => {
        const bench = new DropBench(watch, { costs: SLOW });
        for (let i = 0; i < 20; i++) bench.frame(EXPERIMENTAL, new Uint8Array(46));
        bench.host.devices.setUp(bench.eth0, false);
      },
    },
  ],
  qdisc_full: [
    {
      when: 'more is sent than ring and queue hold',
      counter: link('tx', 'dropped'),
      make: (watch) => flood(new DropBench(watch, { costs: SLOW }), RING_AND_QUEUE + 7),
    },
    {
      when: 'the queue takes nothing (pfifo limit 0)',
      counter: QDISC_DROPPED,
      make: (watch) => flood(withQdisc(watch, 'pfifo', { limit: 0 }), 3),
    },
  ],
  qdisc_congested: [
    {
      when: 'it waited too long in fq_codel, behind others that did',
      counter: QDISC_DROPPED,
      make: (watch) => {
        const bench = withQdisc(watch, 'fq_codel', { target: 1, interval: 1 });
        flood(bench, RING_AND_QUEUE);
        bench.clock.advance(SECOND);
      },
    },
  ],
  qdisc_reset: [
    {
      when: 'tc puts another queue in the place of the one it waits in',
      counter: link('tx', 'dropped'),
      make: (watch) => {
        const bench = withQdisc(watch, 'fq', { maxrate: 1_000 });
        flood(bench, 3);
        replaceQdisc(bench, 'pfifo', {});
      },
    },
  ],
  fq_flow_limit: [
    {
      when: 'its flow has as many packets waiting in fq as it may',
      counter: QDISC_DROPPED,
      make: (watch) => flood(withQdisc(watch, 'fq', { maxrate: 1_000, flow_limit: 2 }), 4),
    },
  ],
  fq_horizon: [
    {
      when: 'its departure is further ahead than fq plans',
      counter: QDISC_DROPPED,
      make: (watch) => {
        const bench = withQdisc(watch, 'fq', {});
        const skb = bench.host.skbs.alloc(200);
        skb.put(60);
        skb.deliveryTime = bench.clock.now() + 11 * SECOND;
        devQueueXmit(bench.host, skb, bench.eth0);
      },
    },
  ],
};

/** A bench whose eth0 has another queueing discipline. */
function withQdisc(watch: Watch, kind: string, options: QdiscOptions): DropBench {
  const bench = new DropBench(watch, { costs: SLOW });
  replaceQdisc(bench, kind, options);
  return bench;
}

function replaceQdisc(bench: DropBench, kind: string, options: QdiscOptions): void {
  const query = { type: 'RTM_NEWQDISC', dev: 'eth0', how: 'replace', kind, options } as const;
  assert(!isErrno(bench.host.netlink.ask(query)), `tc qdisc replace dev eth0 root ${kind}`);
}

/** An ARP packet of 10.0.0.55's about 10.0.0.1, to everybody. */
function arp(operation: number): Uint8Array {
  const targetMac = 0 as Mac;
  const packet = { operation, senderMac: PEER, senderIp: ip('10.0.0.55'), targetMac, targetIp: ip('10.0.0.1') };
  return arpFrame(0xffff_ffff_ffff as Mac, PEER, packet);
}

const NOBODY = ip('10.0.0.77');
const toNobody = (bench: DropBench, size = 10) => sendUdp(bench.host, NOBODY, { sourcePort: 9, targetPort: 9, size });

export const LINK_DROPS: DropRecipes = {
  cpu_backlog: [
    {
      when: 'more loops back than netdev_max_backlog lets wait',
      counter: softnetDropped,
      make: (watch) => {
        const bench = new DropBench(watch, { sysctls: { 'net.core.netdev_max_backlog': '2' } });
        for (let i = 0; i < 5; i++) sendUdp(bench.host, ip('127.0.0.1'), { sourcePort: 9, targetPort: 9 });
      },
    },
    {
      when: 'a card without NAPI interrupts faster than the softirq runs',
      counter: softnetDropped,
      make: (watch) => {
        const bench = new DropBench(watch, { costs: SLOW, sysctls: { 'net.core.netdev_max_backlog': '2' } });
        bench.eth0.ops.card?.setFlags({ napi: false });
        for (let i = 0; i < 20; i++) bench.frame(EXPERIMENTAL, new Uint8Array(46));
      },
    },
  ],
  unhandled_protocol: [
    {
      when: 'nobody here knows its EtherType',
      counter: link('rx', 'dropped'),
      make: (watch) => new DropBench(watch).frame(EXPERIMENTAL, new Uint8Array(46)),
    },
  ],
  packet_type_other: [
    {
      when: 'a promiscuous card takes an IP packet for another host',
      counter: link('rx', 'otherhost_dropped'),
      make: (watch) => {
        const bench = new DropBench(watch);
        bench.eth0.promiscuous = true;
        bench.udp(9, {}, ELSEWHERE);
      },
    },
  ],
  arp_malformed: [
    {
      when: 'it speaks of another kind of hardware than Ethernet',
      counter: NO_COUNTER,
      make: (watch) => {
        const frame = arp(1);
        frame[15] = 6;
        new DropBench(watch).wire(frame);
      },
    },
  ],
  arp_ignored: [
    {
      when: 'an answer comes that nobody asked for',
      counter: NO_COUNTER,
      make: (watch) => new DropBench(watch).wire(arp(2)),
    },
  ],
  neigh_queue_full: [
    {
      when: 'more waits for one address than unres_qlen_bytes',
      counter: arpCache(11),
      make: (watch) => {
        const bench = new DropBench(watch, { sysctls: { 'net.ipv4.neigh.default.unres_qlen_bytes': '2000' } });
        for (let i = 0; i < 5; i++) toNobody(bench);
      },
    },
  ],
  neigh_failed: [
    {
      when: 'nobody answers three questions',
      counter: arpCache(6),
      counts: 1,
      make: (watch) => {
        const bench = new DropBench(watch);
        toNobody(bench);
        toNobody(bench);
        bench.clock.advance(5 * SECOND);
      },
    },
  ],
  neigh_dead: [
    {
      when: 'the interface goes down while it waits for an answer',
      counter: NO_COUNTER,
      make: (watch) => {
        const bench = new DropBench(watch);
        toNobody(bench);
        bench.host.devices.setUp(bench.eth0, false);
      },
    },
  ],
  neigh_table_full: [
    {
      when: 'gc_thresh3 neighbours are there already',
      counter: arpCache(12),
      make: (watch) => {
        const bench = new DropBench(watch);
        bench.host.sysctl.set('net.ipv4.neigh.default.gc_thresh3', '0');
        toNobody(bench);
      },
    },
  ],
};
