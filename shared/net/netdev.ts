/**
 * The net device: where the stack and a card meet, and the only place they do. A driver makes one (makeNetDevice),
 * registers it (host.devices.register), hands received packets up with netifReceive and takes packets to send in
 * `startXmit`. (Linux: net/core/dev.c)
 *
 * What the two sides owe each other:
 * - Up: skb.data at the link header, the frame without preamble and FCS. Counters rx* and tx* are the driver's.
 * - Down: skb.data at the link header; macHeader, networkHeader and transportHeader set; payload may stand in frags.
 * - checksum 'partial': the TCP or UDP checksum is not there yet, whatever the field holds. Who completes it (a card with
 *   txChecksum, or completeChecksum here) computes it whole, pseudo-header included, from the headers as they then are.
 *   So a packet that NAT rewrote needs nothing, and a receiver takes 'partial' (loopback) as 'unnecessary'.
 * - gsoSize > 0: a TCP packet that stands for gsoSegments; only devices with `tso` see one.
 */

import { isMulticastMac, MAC_BROADCAST, type Mac, readMac } from '../header/address.ts';
import { ETHERNET, ETHERTYPE } from '../header/ethernet.ts';
import { arpReceive } from './arp.ts';
import type { Errno } from './errno.ts';
import { completeChecksum, gsoSegment } from './gso.ts';
import type { Host } from './host.ts';
import { ipReceive } from './ip-input.ts';
import { orphanFrags } from './pages.ts';
import type { NetXmit, Qdisc } from './qdisc.ts';
import type { SkBuff } from './skbuff.ts';
import { schedTimestamp, sendTimestamp, TX_FLAG } from './timestamping.ts';

/** What `startXmit` answers: `busy` puts the packet back, and the driver calls wake() when there is room. */
export type XmitAnswer = 'ok' | 'busy';

/** Kept by the driver and the stack, as `ip -s link` shows them. */
export interface LinkCounters {
  rxPackets: number;
  rxBytes: number;
  rxErrors: number;
  rxDropped: number;
  rxMissed: number;
  /** IP packets in frames for others (rx_otherhost_dropped). */
  rxOtherhost: number;
  rxFifo: number;
  rxFrame: number;
  rxCrc: number;
  rxLength: number;
  multicast: number;
  txPackets: number;
  txBytes: number;
  txErrors: number;
  txDropped: number;
  txCarrier: number;
  txFifo: number;
  collisions: number;
  /** How often the carrier came, and went (carrier_up_count, carrier_down_count). */
  carrierUps: number;
  carrierDowns: number;
}

export interface Features {
  /** TCP segmentation by the card. */
  tso: boolean;
  /** Segmentation just above the driver when the card cannot. */
  gso: boolean;
  /** Received segments of a flow are merged in the poll loop. */
  gro: boolean;
  /** The card fills in transport checksums (ip_summed partial). */
  txChecksum: boolean;
  /** The card checks transport checksums. */
  rxChecksum: boolean;
}

export interface CardControls {
  readonly coalesce: { readonly rxUsecs: number; readonly rxFrames: number; readonly adaptiveRx: boolean };
  readonly flags: Readonly<Record<string, boolean>>;
  setRings(rx: number, tx: number): Errno | undefined;
  setCoalesce(wanted: Partial<CardControls['coalesce']>): Errno | undefined;
  setFlags(wanted: Readonly<Record<string, boolean>>): Errno | undefined;
}

export interface DeviceOps {
  /** Send one packet, link header in place. Owns `skb` when it answers `ok`. `more`: another follows at once. */
  startXmit(skb: SkBuff, more: boolean): XmitAnswer;
  /** ip link set up / down. */
  open(): void;
  stop(): void;
  /** Counters of driver and card by name, as `ethtool -S`. */
  statistics(): ReadonlyMap<string, number>;
  /** For `ethtool` and `ethtool -i`, `-g`. */
  describe(): {
    driver: string;
    speedMbit: number;
    rxRing: number;
    txRing: number;
    rxRingMax: number;
    txRingMax: number;
    irq: number;
  };
  /** What `ethtool` sets on a card; a device that is none has nothing to set. */
  readonly card?: CardControls;
}

/** `port`: a switch's, which has no MAC address of its own. */
export type DeviceKind = 'ether' | 'loopback' | 'bridge' | 'port';

export interface NetDevice {
  readonly name: string;
  readonly ifindex: number;
  readonly kind: DeviceKind;
  mac: Mac;
  readonly permanentMac: Mac;
  mtu: number;
  /** The largest MTU that the driver takes (max_mtu). */
  readonly mtuMax: number;
  /** IFF_UP. */
  up: boolean;
  /** IFF_LOWER_UP, from the card. */
  carrier: boolean;
  promiscuous: boolean;
  /** Octets of link header that packets for this device need in front. */
  readonly hardHeaderLength: number;
  readonly counters: LinkCounters;
  readonly features: Features;
  /** Set while the driver answered busy (netif_queue_stopped). */
  stopped: boolean;
  qdisc: Qdisc;
  /** Its default is noqueue (IFF_NO_QUEUE). */
  readonly queueless: boolean;
  readonly ops: DeviceOps;
  /** The bridge that this device is a port of, by ifindex; 0 for none. */
  master: number;
  /** Takes every frame before the protocols do (rx_handler): a bridge port's. Owns the skb when it answers true. */
  receiveHandler: ((skb: SkBuff) => boolean) | undefined;
  /** The queue is being emptied further up the call chain (__QDISC_STATE_RUNNING). */
  queueRunning: boolean;
}

/**
 * Who looks at packets beside the protocols (packet sockets). `deliver` sees the frame from skb.macHeader on, with
 * skb.packetType saying which way it goes, and clones what it keeps; it owns nothing.
 */
export interface PacketTap {
  /** EtherType, or ETH_P_ALL to see what is sent, too. */
  readonly protocol: number;
  /** 0 for every device. */
  readonly ifindex: number;
  deliver(skb: SkBuff, dev: NetDevice): void;
}
export const ETH_P_ALL = 3;

/** Send a packet whose link header is in place. Consumes `skb`. (Linux: __dev_queue_xmit) */
export function devQueueXmit(host: Host, skb: SkBuff, dev: NetDevice): NetXmit | undefined {
  if (host.trace.on) host.trace.point('dev_queue_xmit', skb, { dev: dev.name, length: skb.length });
  skb.ifindex = dev.ifindex;
  if ((skb.txFlags & TX_FLAG.SCHED) !== 0) schedTimestamp(host, skb);
  // A device that is down or without carrier has noop's queue: congestion, to the sender (noop_enqueue).
  if (!dev.up) return dropTx(host, skb, dev, 'dev_down');
  if (!dev.carrier) return dropTx(host, skb, dev, 'no_carrier');
  const { qdisc } = dev;
  const idle = !dev.stopped && !dev.queueRunning;
  if (idle && qdisc.bypass && qdisc.packets === 0) {
    // An empty queue is passed by (TCQ_F_CAN_BYPASS).
    qdisc.countSent(skb);
    dev.queueRunning = true;
    schedXmit(host, skb, dev);
    dev.queueRunning = false;
    if (qdisc.packets > 0) qdiscRun(host, dev);
    return undefined;
  }
  if (qdisc.kind === 'noqueue' && !dev.stopped) {
    schedXmit(host, skb, dev);
    return undefined;
  }
  const answer = qdisc.enqueue(skb);
  if (idle) qdiscRun(host, dev);
  return answer;
}

function dropTx(host: Host, skb: SkBuff, dev: NetDevice, reason: 'dev_down' | 'no_carrier'): NetXmit {
  dev.counters.txDropped++;
  host.skbs.drop(skb, reason);
  return 'NET_XMIT_CN';
}

/** Empty the queue into the driver until it has no more room, or nothing may go now. (Linux: __qdisc_run) */
export function qdiscRun(host: Host, dev: NetDevice): void {
  if (dev.queueRunning) return;
  dev.queueRunning = true;
  while (!dev.stopped) {
    const skb = dev.qdisc.dequeue();
    if (skb === undefined) break;
    schedXmit(host, skb, dev);
  }
  dev.queueRunning = false;
}

/** One packet from the queue to the driver, cut and summed if the card cannot. Consumes it. (sch_direct_xmit, validate_xmit_skb) */
function schedXmit(host: Host, skb: SkBuff, dev: NetDevice): void {
  const { features } = dev;
  if (skb.gsoSize > 0 && !features.tso) {
    const segments = gsoSegment(host, skb);
    for (const [i, segment] of segments.entries()) {
      if (!features.txChecksum) completeChecksum(segment);
      if (hardStartXmit(host, segment, dev, i + 1 < segments.length || dev.qdisc.packets > 0)) continue;
      // No room: this one and those after it go back, in order, to the front of the queue.
      for (let n = segments.length - 1; n >= i; n--) dev.qdisc.requeue(segments[n]!);
      return;
    }
    return;
  }
  if (skb.checksum === 'partial' && !features.txChecksum) completeChecksum(skb);
  if (!hardStartXmit(host, skb, dev, dev.qdisc.packets > 0)) dev.qdisc.requeue(skb);
}

/** False when the driver was busy: the packet is still the caller's. (Linux: dev_hard_start_xmit) */
function hardStartXmit(host: Host, skb: SkBuff, dev: NetDevice, more: boolean): boolean {
  if (dev.stopped) return false;
  if (host.packetTaps.size > 0) tapOutgoing(host, skb, dev);
  if (host.trace.on) host.trace.point('net_dev_start_xmit', skb, { dev: dev.name, length: skb.length });
  if ((skb.txFlags & TX_FLAG.SOFTWARE) !== 0) sendTimestamp(host, skb);
  if (dev.ops.startXmit(skb, more) === 'ok') return true;
  dev.stopped = true;
  return false;
}

function tapOutgoing(host: Host, skb: SkBuff, dev: NetDevice): void {
  const before = skb.packetType;
  skb.packetType = 'outgoing';
  skb.macHeader = skb.data;
  for (const tap of host.packetTaps) {
    if (tap.protocol === ETH_P_ALL && (tap.ifindex === 0 || tap.ifindex === dev.ifindex)) tap.deliver(skb, dev);
  }
  skb.packetType = before;
}

/** The driver has room again. (Linux: netif_wake_queue) */
export function netifWakeQueue(host: Host, dev: NetDevice): void {
  if (!dev.stopped) return;
  dev.stopped = false;
  host.softirqs.NET_TX++;
  qdiscRun(host, dev);
}

/** Throw away what waits for a device. (Linux: qdisc_reset) */
export function qdiscReset(host: Host, dev: NetDevice, reason: 'dev_down' | 'no_carrier' | 'qdisc_reset'): void {
  for (let skb = dev.qdisc.remove(); skb !== undefined; skb = dev.qdisc.remove()) {
    dev.counters.txDropped++;
    host.skbs.drop(skb, reason);
  }
}

/** The card found or lost link pulses. (Linux: netif_carrier_on, netif_carrier_off and linkwatch, at once) */
export function netifCarrier(host: Host, dev: NetDevice, up: boolean): void {
  if (dev.carrier === up) return;
  dev.carrier = up;
  if (up) dev.counters.carrierUps++;
  else dev.counters.carrierDowns++;
  if (!up) qdiscReset(host, dev, 'no_carrier');
  dev.stopped = false;
  if (host.trace.on) host.trace.point(up ? 'netif_carrier_on' : 'netif_carrier_off', undefined, { dev: dev.name });
  host.devices.notify('change', dev);
}

/** A frame from a driver, skb.data at its link header. Consumes `skb`. (eth_type_trans, __netif_receive_skb_core) */
export function netifReceive(host: Host, dev: NetDevice, skb: SkBuff): void {
  skb.ifindex = dev.ifindex;
  skb.macHeader = skb.data;
  if (skb.timestamp === 0) skb.timestamp = host.clock.now();
  if (skb.headLength < ETHERNET.SIZE) return host.skbs.drop(skb, 'frame_too_short', 'eth_type_trans');
  const { view } = skb;
  const target = readMac(view, skb.data + ETHERNET.TARGET);
  const type = view.getUint16(skb.data + ETHERNET.TYPE);
  skb.protocol = type;
  if (target === dev.mac) skb.packetType = 'host';
  else if (target === MAC_BROADCAST) skb.packetType = 'broadcast';
  else if (isMulticastMac(target)) skb.packetType = 'multicast';
  else skb.packetType = 'otherhost';
  if (host.trace.on) host.trace.point('netif_receive_skb', skb, { dev: dev.name, type, length: skb.length });
  if (host.packetTaps.size > 0) tapIncoming(host, skb, dev, type);
  if (!dev.up) return host.skbs.drop(skb, 'dev_down', '__netif_receive_skb_core');
  if (dev.receiveHandler?.(skb) === true) return;
  skb.pull(ETHERNET.SIZE);
  skb.networkHeader = skb.data;
  deliver(host, dev, skb, type);
}

function tapIncoming(host: Host, skb: SkBuff, dev: NetDevice, type: number): void {
  for (const tap of host.packetTaps) {
    if ((tap.protocol === ETH_P_ALL || tap.protocol === type) && (tap.ifindex === 0 || tap.ifindex === dev.ifindex))
      tap.deliver(skb, dev);
  }
}

function deliver(host: Host, dev: NetDevice, skb: SkBuff, type: number): void {
  if (type === ETHERTYPE.IPV4) return ipReceive(host, skb, dev);
  if (type === ETHERTYPE.ARP) return arpReceive(host, skb, dev);
  // IPv6 and 802.3 length fields (LLC) have no handler here.
  dev.counters.rxDropped++;
  host.skbs.drop(skb, 'unhandled_protocol');
}

/** A packet that this host sends to itself: up the stack in the next softirq. Consumes `skb`. (Linux: netif_rx) */
export function netifRx(host: Host, skb: SkBuff): void {
  const { backlog, backlogMax } = host.devices;
  skb.timestamp = host.clock.now();
  if (skb.fragBytes > 0) orphanFrags(host.skbs, skb);
  if (backlog.length >= backlogMax.value) return dropBacklog(host, host.devices.byIndex(skb.ifindex), skb);
  backlog.push(skb);
  if (backlog.length === 1) host.devices.softirq.arm(0);
}

/** The CPU's queue is full. Consumes `skb`. (the end of enqueue_to_backlog) */
export function dropBacklog(host: Host, dev: NetDevice | undefined, skb: SkBuff): void {
  host.softnet.dropped++;
  if (dev !== undefined) dev.counters.rxDropped++;
  host.skbs.drop(skb, 'cpu_backlog');
}

/** What waits in the backlog goes up; what that sends comes in the next round. (Linux: process_backlog) */
export function processBacklog(host: Host): void {
  const burst = host.devices.takeBacklog();
  host.softnet.processed += burst.length;
  for (const skb of burst) {
    const dev = host.devices.byIndex(skb.ifindex);
    if (dev === undefined) host.skbs.drop(skb, 'dev_down', 'process_backlog');
    // A broadcast of ours (dev_loopback_xmit) never had a link header.
    else if (skb.packetType === 'loopback') deliver(host, dev, skb, skb.protocol);
    else netifReceive(host, dev, skb);
  }
  burst.length = 0;
}
