/**
 * The driver of the card: start_xmit, the interrupt handler, and the NAPI poll. It is the net device's operations, and
 * the only file in which the stack and the card meet. The model is e1000e. (Linux: drivers/net/ethernet/intel/e1000e)
 *
 * Interface: probe(host, { name, mac, mtu, wire }) makes card and net device and registers it with the host; the device
 * comes up with host.devices.setUp (ip link set up). `nicOf(dev)` is the card behind a device, for captures.
 */
import { MAC_BROADCAST, type Mac } from '../header/address.ts';
import type { DropReason } from '../net/drop.ts';
import type { Host } from '../net/host.ts';
import {
  type DeviceOps,
  type LinkCounters,
  type NetDevice,
  netifCarrier,
  netifReceive,
  netifWakeQueue,
  type XmitAnswer,
} from '../net/netdev.ts';
import { makeNetDevice } from '../net/netdev-registry.ts';
import { PAGE_BYTES, SKB_STRUCT_BYTES, type SkBuff } from '../net/skbuff.ts';
import type { Identified } from '../net/trace.ts';
import { assert } from '../platform.ts';
import type { Wire } from '../wire/wire.ts';
import { Backlog } from './backlog.ts';
import { CardSettings } from './card-settings.ts';
import { driverStatistics, type NapiCounters } from './driver-statistics.ts';
import { Gro } from './gro.ts';
import { type Cpu, cpuOf, NAPI_WEIGHT, type Napi } from './napi.ts';
import { Nic, RX_PAD } from './nic.ts';
import { RING_DESCRIPTORS_MAX, TxRing } from './ring.ts';

/** A queue that was stopped is woken when this many descriptors are free (E1000_TX_WAKE_THRESHOLD). */
const TX_WAKE_DESCRIPTORS = 32;
/** What a received frame costs a socket: its page and the sk_buff (SKB_TRUESIZE). */
const RX_TRUESIZE = PAGE_BYTES + SKB_STRUCT_BYTES;
/** What `ethtool` says: wires are as fast as the machine, but a name must be given to it. */
const SPEED_MBIT = 10_000;

export interface ProbeOptions {
  readonly name: string;
  readonly mac: Mac;
  readonly mtu: number;
  /** The wire that is plugged in; it can also come later: nicOf(dev).phy.attach(wire). */
  readonly wire?: Wire | undefined;
}

class Driver implements DeviceOps, Napi {
  readonly name: string;
  readonly weight = NAPI_WEIGHT;
  readonly nic: Nic;
  readonly dev: NetDevice;
  scheduled = false;
  private readonly host: Host;
  private readonly cpu: Cpu;
  private readonly gro: Gro;
  private readonly backlog: Backlog;
  private readonly napi: NapiCounters = { polls: 0, fullPolls: 0, completes: 0 };
  readonly card: CardSettings;

  constructor(host: Host, options: ProbeOptions) {
    this.host = host;
    this.name = options.name;
    this.cpu = cpuOf(host);
    this.dev = makeNetDevice(host, {
      name: options.name,
      mac: options.mac,
      mtu: options.mtu,
      ops: this,
      features: { tso: true, gso: true, gro: true, txChecksum: true, rxChecksum: true },
    });
    this.backlog = new Backlog(host, this.cpu, this.dev);
    this.gro = new Gro(host, (skb) => netifReceive(host, this.dev, skb));
    const irq = this.cpu.interrupts.request(
      options.name,
      () => this.interrupt(),
      () => this.firstWaiting(),
    );
    this.nic = new Nic(host, this.cpu, {
      settings: this.dev,
      irq,
      onRefused: (reason) => countRefused(this.dev.counters, reason),
      onCarrier: (up) => this.carrier(up),
      onReady: () => this.wake(),
    });
    this.card = new CardSettings(this.nic, () => this.resetRings());
  }

  /** Hand a packet to the card. Owns `skb` when it answers `ok`. (Linux: e1000_xmit_frame) */
  startXmit(skb: SkBuff, more: boolean): XmitAnswer {
    const { nic, dev } = this;
    nic.tx ??= new TxRing(nic.ringSizes.tx);
    if (nic.tx.free === 0 || !nic.phy.ready) {
      dev.stopped = true;
      return 'busy';
    }
    dev.counters.txPackets += skb.gsoSize > 0 ? skb.gsoSegments : 1;
    dev.counters.txBytes += skb.length;
    nic.tx.post(skb);
    if (more && nic.tx.free > 0) return 'ok';
    nic.doorbell();
    // Stop before the next packet comes, not when it is here (netif_stop_queue).
    if (nic.tx.free === 0 || !nic.phy.ready) dev.stopped = true;
    return 'ok';
  }

  /** ip link set up (e1000_open). */
  open(): void {
    this.nic.phy.setPortUp(true);
  }

  /** ip link set down: what is in the rings is gone (e1000_close). */
  stop(): void {
    const { nic } = this;
    nic.phy.setPortUp(false);
    this.emptyRings();
  }

  /** New sizes: the rings are made anew, and what was in the old ones is lost, as on e1000e. */
  private resetRings(): void {
    const { nic } = this;
    this.emptyRings();
    nic.rx = undefined;
    nic.tx = undefined;
    this.wake();
  }

  /** What is in the rings is gone. (Linux: e1000_clean_tx_ring, e1000_clean_rx_ring) */
  private emptyRings(): void {
    const { nic, host } = this;
    nic.coalescer.emptied();
    while (nic.tx !== undefined && nic.tx.posted > 0) {
      host.skbs.dropFrame('dev_down', nic.tx.take(), { place: 'e1000_clean_tx_ring', dev: this.name });
    }
    this.cleanTx();
    while (nic.rx !== undefined && nic.rx.count > 0) {
      host.skbs.dropFrame('dev_down', nic.rx.identify(), { place: 'e1000_clean_rx_ring', dev: this.name });
      nic.rx.release();
    }
  }

  statistics(): ReadonlyMap<string, number> {
    return driverStatistics(this.dev, this.nic, this.gro.merged, this.napi);
  }

  describe(): ReturnType<DeviceOps['describe']> {
    const { irq, ringSizes } = this.nic;
    return {
      driver: 'wirelab',
      speedMbit: SPEED_MBIT,
      rxRing: ringSizes.rx,
      txRing: ringSizes.tx,
      rxRingMax: RING_DESCRIPTORS_MAX,
      txRingMax: RING_DESCRIPTORS_MAX,
      irq: irq.number,
    };
  }

  /** The hard interrupt: no more of them until the poll is done (e1000_intr_msi). */
  private interrupt(): void {
    if (!this.card.flags.napi) return this.interruptWithoutNapi();
    this.nic.irq.masked = true;
    this.cpu.schedule(this);
  }

  /** One frame an interrupt, to the CPU's backlog; the line stays open for the next. */
  private interruptWithoutNapi(): void {
    const { nic } = this;
    if (nic.rx !== undefined && nic.rx.count > 0) this.backlog.add(this.takeFrame());
    if (nic.rx === undefined || nic.rx.count === 0) nic.coalescer.emptied();
    nic.doorbell();
    this.cleanTx();
    nic.irq.pending = nic.hasWork;
  }

  /** Receive at most `budget` packets and free what was sent (e1000e_poll). */
  poll(budget: number): number {
    const { trace } = this.host;
    const first = trace.on ? this.nic.irq.identify() : undefined;
    const work = this.cleanRx(budget);
    this.napi.polls++;
    if (work === budget) this.napi.fullPolls++;
    else this.nic.coalescer.emptied();
    this.gro.flushAll();
    // What the stack posted while it had the packets and no `more` came to ring for it.
    this.nic.doorbell();
    this.cleanTx();
    if (trace.on) trace.point('napi_poll', first, { dev: this.name, work, budget });
    return work;
  }

  /** Unmask; what came since the poll raises the line again (napi_complete_done, e1000_irq_enable). */
  complete(): void {
    const { irq } = this.nic;
    this.napi.completes++;
    irq.pending = this.nic.hasWork;
    this.cpu.unmask(irq);
  }

  private cleanRx(budget: number): number {
    const { rx } = this.nic;
    if (rx === undefined) return 0;
    let work = 0;
    while (work < budget && rx.count > 0) {
      const skb = this.takeFrame();
      work++;
      if (this.dev.features.gro) this.gro.receive(skb);
      else netifReceive(this.host, this.dev, skb);
    }
    return work;
  }

  /** An sk_buff around the frame that waits longest; the caller's. (Linux: build_skb) */
  private takeFrame(): SkBuff {
    const { rx } = this.nic;
    assert(rx !== undefined, 'frames come from a ring');
    const slot = rx.first;
    const length = rx.lengths[slot]!;
    const skb = this.host.skbs.build(rx.pages[slot]!, RX_PAD, RX_PAD + length);
    const traceNumber = rx.traceNumbers[slot]!;
    if (traceNumber !== 0) {
      skb.traceDevice = rx.traceDevices[slot]!;
      skb.traceNumber = traceNumber;
    }
    skb.cause = rx.causes[slot]!;
    skb.timestamp = rx.timestamps[slot]!;
    skb.checksum = rx.checksums[slot] === 1 ? 'unnecessary' : 'none';
    skb.truesize = RX_TRUESIZE;
    skb.headFrag = true;
    skb.ifindex = this.dev.ifindex;
    skb.macHeader = RX_PAD;
    rx.release();
    const { counters } = this.dev;
    counters.rxPackets++;
    counters.rxBytes += length;
    if ((skb.bytes[RX_PAD]! & 1) === 1) this.countGroup(skb);
    return skb;
  }

  private countGroup(skb: SkBuff): void {
    const { view } = skb;
    const broadcast = view.getUint32(RX_PAD) === 0xffff_ffff && view.getUint16(RX_PAD + 4) === MAC_BROADCAST % 0x1_0000;
    if (!broadcast) this.dev.counters.multicast++;
  }

  /** Free what the card has sent, and wake the queue when there is room (e1000_clean_tx_irq). */
  private cleanTx(): void {
    const { tx } = this.nic;
    if (tx === undefined) return;
    while (tx.done > 0) this.host.skbs.consume(tx.reclaim());
    this.wake();
  }

  private wake(): void {
    const { nic, dev } = this;
    if (!dev.stopped || !nic.phy.ready || !nic.phy.carrier) return;
    if (nic.tx !== undefined && nic.tx.free < TX_WAKE_DESCRIPTORS) return;
    nic.counters.txRestartQueue++;
    netifWakeQueue(this.host, dev);
  }

  private carrier(up: boolean): void {
    netifCarrier(this.host, this.dev, up);
  }

  private firstWaiting(): Identified | undefined {
    const { rx } = this.nic;
    if (rx === undefined || rx.count === 0) return undefined;
    const slot = rx.first;
    return {
      traceDevice: rx.traceDevices[slot]!,
      traceNumber: rx.traceNumbers[slot]!,
      cause: rx.causes[slot]!,
    };
  }
}

/** What the card refused, in the columns of `ip -s -s link`. Frames for others are no error: the filter did its duty. */
function countRefused(counters: LinkCounters, reason: DropReason): void {
  if (reason === 'rx_ring_full') {
    counters.rxMissed++;
    return;
  }
  if (reason === 'fcs_error') counters.rxCrc++;
  else if (reason === 'frame_too_short' || reason === 'frame_too_long') counters.rxLength++;
  else if (reason === 'bad_preamble') counters.rxFrame++;
  else return;
  counters.rxErrors++;
}

/** Find a card: make it, its driver and its net device, and register that with the host (e1000_probe). */
export function probe(host: Host, options: ProbeOptions): NetDevice {
  const driver = new Driver(host, options);
  host.devices.register(driver.dev);
  if (options.wire !== undefined) driver.nic.phy.attach(options.wire);
  return driver.dev;
}

/** The card behind a device that probe() made. */
export function nicOf(dev: NetDevice): Nic | undefined {
  return dev.ops instanceof Driver ? dev.ops.nic : undefined;
}
