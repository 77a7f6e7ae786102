/**
 * The card: what happens between the cable and the rings. It filters by MAC, copies frames to and from host memory (DMA),
 * checks and fills in checksums, cuts segments, and raises its interrupt line. It knows nothing of the stack.
 *
 *   cable -> phy (preamble, FCS) -> MAC filter -> checksum -> DMA into the RX ring -> interrupt
 *   TX ring -> DMA, segmentation, checksum -> phy (preamble, FCS) -> cable; then interrupt
 */
import { isMulticastMac, MAC_BROADCAST, type Mac, readMac } from '../header/address.ts';
import type { DropReason } from '../net/drop.ts';
import type { Host } from '../net/host.ts';
import type { Pages } from '../net/pages.ts';
import type { Micros } from '../platform.ts';
import type { FrameBatch } from '../wire/frame-batch.ts';
import { Coalescer } from './coalesce.ts';
import type { Irq } from './interrupt.ts';
import { type Cpu, NAPI_WEIGHT } from './napi.ts';
import { copyVerified, transmitFrame, transmitSegments } from './offload.ts';
import { Phy, type PhyListener, type PhyOptions } from './phy.ts';
import { RING_DESCRIPTORS, RxRing, type TxRing } from './ring.ts';

/** Free octets in front of a received frame (Linux: NET_SKB_PAD + NET_IP_ALIGN). */
export const RX_PAD = 66;

/** Counters of the card itself; the driver shows them by its names (`ethtool -S`). */
export interface NicCounters {
  rxBroadcast: number;
  rxMulticast: number;
  rxOtherHost: number;
  rxMissed: number;
  rxChecksumGood: number;
  rxChecksumErrors: number;
  txBroadcast: number;
  txMulticast: number;
  txSegmentedGood: number;
  txRestartQueue: number;
}

/** What the card asks of its driver's settings, looked up per frame because `ip link` and `ethtool` change them. */
export interface NicSettings extends PhyOptions {
  readonly mac: Mac;
  readonly promiscuous: boolean;
  /** Not 0: a bridge's port, which hears everything. */
  readonly master: number;
  readonly features: { readonly rxChecksum: boolean };
}

export interface NicOptions {
  readonly settings: NicSettings;
  readonly irq: Irq;
  onRefused(reason: DropReason): void;
  onCarrier(up: boolean): void;
  onReady(): void;
}

export class Nic implements PhyListener {
  readonly phy: Phy;
  readonly irq: Irq;
  readonly counters: NicCounters = {
    rxBroadcast: 0,
    rxMulticast: 0,
    rxOtherHost: 0,
    rxMissed: 0,
    rxChecksumGood: 0,
    rxChecksumErrors: 0,
    txBroadcast: 0,
    txMulticast: 0,
    txSegmentedGood: 0,
    txRestartQueue: 0,
  };
  /** Rings are allocated when first used: most ports of a large lab are idle. */
  rx: RxRing | undefined;
  tx: TxRing | undefined;
  /** Their sizes, `ethtool -g`. */
  readonly ringSizes = { rx: RING_DESCRIPTORS, tx: RING_DESCRIPTORS };
  readonly coalescer: Coalescer;
  private readonly host: Host;
  private readonly cpu: Cpu;
  private readonly options: NicOptions;
  private burstTime: Micros = -1;

  constructor(host: Host, cpu: Cpu, options: NicOptions) {
    this.host = host;
    this.cpu = cpu;
    this.options = options;
    this.irq = options.irq;
    this.phy = new Phy(host, this, options.settings);
    this.coalescer = new Coalescer(
      (fire) => host.clock.timer(fire),
      () => cpu.raise(this.irq),
    );
  }

  onCarrier(up: boolean): void {
    this.options.onCarrier(up);
  }

  onRefused(reason: DropReason): void {
    this.options.onRefused(reason);
  }

  onReady(): void {
    this.options.onReady();
  }

  /** A good frame from the cable: filter, then DMA. */
  onFrame(batch: FrameBatch, i: number, at: number, size: number): void {
    if (!this.accepts(batch.view, at)) return this.phy.refuse('other_host', batch, i);
    this.rx ??= new RxRing(this.ringSizes.rx);
    const { rx, cpu } = this;
    if (rx.full) cpu.drain();
    if (rx.full) {
      this.counters.rxMissed++;
      return this.phy.refuse('rx_ring_full', batch, i);
    }
    const slot = rx.claim();
    const pages = this.host.skbs.pages(RX_PAD + size);
    rx.pages[slot] = pages;
    rx.lengths[slot] = size;
    rx.traceDevices[slot] = batch.traceDevices[i]!;
    rx.traceNumbers[slot] = batch.traceNumbers[i]!;
    rx.causes[slot] = batch.causes[i]!;
    rx.checksums[slot] = this.copy(batch, at, size, pages) ? 1 : 0;
    if (this.burstTime < 0) this.burstTime = this.host.clock.now();
    rx.timestamps[slot] = this.burstTime;
    this.countDma(size);
    this.coalescer.frame(size, rx.count * 2 >= rx.size);
    if (rx.count >= NAPI_WEIGHT) cpu.runNow();
  }

  onBurstEnd(): void {
    this.burstTime = -1;
    this.cpu.runNow();
  }

  /** The driver has posted packets: send them (the tail register was written). */
  doorbell(): void {
    const { tx, phy } = this;
    if (tx === undefined || tx.posted === 0) return;
    while (tx.posted > 0) {
      const skb = tx.take();
      this.countTarget(readMac(skb.view, skb.data));
      this.countDma(skb.length);
      // The cable may have been pulled since it was posted: then it is lost in the card.
      if (!phy.carrier) this.host.skbs.dropFrame('no_carrier', skb, { place: 'nic', dev: phy.name });
      else if (skb.gsoSize > 0) this.counters.txSegmentedGood += transmitSegments(phy, skb) > 1 ? 1 : 0;
      else transmitFrame(phy, skb);
    }
    phy.kick();
    this.cpu.raise(this.irq);
  }

  /** Something waits for the driver now: frames received, or packets sent. */
  get hasWork(): boolean {
    return (
      (this.rx !== undefined && this.rx.count > 0 && !this.coalescer.waits) ||
      (this.tx !== undefined && this.tx.done > 0)
    );
  }

  private countDma(size: number): void {
    const { counters } = this.host.skbs;
    counters.copies.dma++;
    counters.copiedBytes.dma += size;
  }

  /** The MAC filter: own address, broadcast, multicast; everything when promiscuous. */
  private accepts(view: DataView, at: number): boolean {
    const target = readMac(view, at);
    const { settings } = this.options;
    if (target === settings.mac) return true;
    if (target === MAC_BROADCAST) {
      this.counters.rxBroadcast++;
      return true;
    }
    if (isMulticastMac(target)) {
      this.counters.rxMulticast++;
      return true;
    }
    if (settings.promiscuous || settings.master !== 0) return true;
    this.counters.rxOtherHost++;
    return false;
  }

  private countTarget(target: Mac): void {
    if (target === MAC_BROADCAST) this.counters.txBroadcast++;
    else if (isMulticastMac(target)) this.counters.txMulticast++;
  }

  /** Into host memory. True when the stack need not look at the transport checksum again. */
  private copy(batch: FrameBatch, at: number, size: number, pages: Pages): boolean {
    const { platform } = this.host;
    if (!this.options.settings.features.rxChecksum) {
      platform.copy(batch.view, at, size, pages.view, RX_PAD);
      return false;
    }
    const verdict = copyVerified(batch, at, size, pages, RX_PAD, platform);
    if (verdict === 'good') this.counters.rxChecksumGood++;
    else if (verdict === 'bad') this.counters.rxChecksumErrors++;
    return verdict === 'good';
  }
}
