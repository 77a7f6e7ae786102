/**
 * fq: a queue for every socket, served in turn, and each packet not before its time (Linux: sch_fq.c): the earliest
 * departure time that TCP gave it, or the pacing rate of its socket, or the qdisc's own maxrate. Packets that would not
 * wait take a fast path. Left out: offload_horizon (no card of ours paces), the red-black trees' buckets (a Map instead).
 */
import { type Micros, SECOND, type Timer } from '../platform.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import { ectMarkCe } from './inet-ecn.ts';
import { type NetDevice, qdiscRun } from './netdev.ts';
import {
  BAND_OF_PRIORITY,
  type NetXmit,
  packetLength,
  priorityOf,
  pschedMtu,
  Qdisc,
  type QdiscOptions,
} from './qdisc.ts';
import { FqBand, FqFlow } from './qdisc-fq-flow.ts';
import { flowHash } from './skb-hash.ts';
import type { SkBuff } from './skbuff.ts';
import { PACING_RATE_NONE, type Sock } from './sock.ts';

const BANDS = 3;
/** The fast path's queue holds no more: under pressure it is fair queueing (fq_fastpath_check). */
const FAST_PACKETS_MAX = 8;
/** A flow that was empty for so long is forgotten (FQ_GC_AGE), so many at a time. */
const FLOW_AGE: Micros = 3 * SECOND;
const GC_FLOWS = 8;
const QUANTUM_MAX = 2 ** 20;
const BUCKETS_LOG_MAX = 18;
/** An attribute of 32 bits that is all ones: no limit. */
const U32_NONE = 0xffff_ffff;
const BAND_QUANTUM = [9 << 16, 3 << 16, 1 << 16] as const;

type FqSetting =
  | 'limit'
  | 'flow_limit'
  | 'buckets'
  | 'orphan_mask'
  | 'pacing'
  | 'quantum'
  | 'initial_quantum'
  | 'maxrate'
  | 'low_rate_threshold'
  | 'refill_delay'
  | 'ce_threshold'
  | 'timer_slack'
  | 'horizon'
  | 'horizon_drop';

/** What fq_change refuses. `buckets` is a logarithm here, as in TCA_FQ_BUCKETS_LOG. */
function settingSound(name: FqSetting, value: number): boolean {
  if (!Number.isInteger(value) || value < 0) return false;
  if (name === 'quantum') return value > 0 && value <= QUANTUM_MAX;
  return name !== 'buckets' || (value >= 1 && value <= BUCKETS_LOG_MAX);
}

export class Fq extends Qdisc {
  readonly kind = 'fq';
  /** By the kernel's names (TCA_FQ_*): octets, octets a second, microseconds; timer_slack in nanoseconds. */
  private readonly set: Record<FqSetting, number>;

  private readonly flows = new Map<unknown, FqFlow>();
  private readonly internal = new FqFlow();
  private readonly bands: readonly FqBand[] = BAND_QUANTUM.map((quantum) => new FqBand(quantum));
  private bandNumber = 0;
  /** By the time of their next packet. */
  private delayed: FqFlow[] = [];
  private inactive = 0;
  private timeNextDelayed: Micros = Number.POSITIVE_INFINITY;
  private readonly watchdog: Timer;
  private readonly counts = {
    gc: 0,
    throttled: 0,
    flowsPlimit: 0,
    pktsTooLong: 0,
    fastpath: 0,
    ceMark: 0,
    horizonDrops: 0,
    horizonCaps: 0,
    unthrottleLatencyNanos: 0,
  };

  constructor(host: Host, dev: NetDevice) {
    super(host, dev);
    this.set = {
      limit: 10_000,
      flow_limit: 100,
      buckets: 10,
      orphan_mask: 1_023,
      pacing: 1,
      quantum: 2 * pschedMtu(dev),
      initial_quantum: 10 * pschedMtu(dev),
      maxrate: U32_NONE,
      low_rate_threshold: 550_000 / 8,
      refill_delay: 40_000,
      ce_threshold: U32_NONE,
      timer_slack: 10_000,
      horizon: 10 * SECOND,
      horizon_drop: 1,
    };
    this.watchdog = host.softTimer('qdisc_watchdog', () => qdiscRun(host, dev), 'NET_TX');
  }

  override destroy(): void {
    this.watchdog.stop();
  }

  /** (Linux: fq_enqueue) */
  enqueue(skb: SkBuff): NetXmit | undefined {
    const bandNumber = BAND_OF_PRIORITY[priorityOf(skb) & 15]!;
    const band = this.bands[bandNumber]!;
    if (band.packets >= this.set.limit) {
      band.drops++;
      this.dropPacket(skb, 'qdisc_full');
      return 'NET_XMIT_DROP';
    }
    const now = this.host.clock.now();
    if (skb.deliveryTime > now + this.set.horizon) {
      if (this.set.horizon_drop !== 0) {
        this.counts.horizonDrops++;
        this.dropPacket(skb, 'fq_horizon');
        return 'NET_XMIT_DROP';
      }
      this.counts.horizonCaps++;
      skb.deliveryTime = now + this.set.horizon;
    }
    skb.timeToSend = skb.deliveryTime > 0 ? skb.deliveryTime : now;
    const flow = this.classify(skb, now);
    if (flow !== this.internal) {
      if (flow.length >= this.set.flow_limit) {
        this.counts.flowsPlimit++;
        this.dropPacket(skb, 'fq_flow_limit');
        return 'NET_XMIT_DROP';
      }
      if (flow.state === 'detached') {
        flow.band = bandNumber;
        band.fresh.push(flow);
        flow.state = 'listed';
        if (now > flow.age + this.set.refill_delay) flow.credit = Math.max(flow.credit, this.set.quantum);
      }
      flow.band = bandNumber;
      band.packets++;
      skb.band = bandNumber;
      if (flow.length === 0) this.inactive--;
    }
    flow.add(skb);
    this.countIn(skb);
    return undefined;
  }

  /** Which flow a packet belongs to: its connected socket, else a hash of its ends. (Linux: fq_classify) */
  private classify(skb: SkBuff, now: Micros): FqFlow {
    const sk = skb.owner as Sock | undefined;
    const connected = sk !== undefined && sk.remotePort !== 0;
    const fast = this.fastPath(skb, sk, now);
    if (connected && this.set.pacing !== 0 && sk.pacingStatus !== 'fq') sk.pacingStatus = 'fq';
    if (fast) {
      this.counts.fastpath++;
      return this.internal;
    }
    const key = connected ? sk : flowHash(skb) & this.set.orphan_mask;
    const known = this.flows.get(key);
    if (known !== undefined) return known;
    this.collectGarbage(now);
    const flow = new FqFlow();
    flow.credit = this.set.initial_quantum;
    flow.age = now;
    this.flows.set(key, flow);
    this.inactive++;
    return flow;
  }

  /** No flow is eligible, and this packet need not wait. (Linux: fq_fastpath_check) */
  private fastPath(skb: SkBuff, sk: Sock | undefined, now: Micros): boolean {
    if (skb.timeToSend > now || this.set.maxrate < U32_NONE) return false;
    if (sk !== undefined && sk.proto.name !== 'TCP' && sk.maxPacingRate !== PACING_RATE_NONE) return false;
    if (this.packets === 0) return true;
    if (this.flows.size !== this.inactive + this.delayed.length) return false;
    return this.internal.length < FAST_PACKETS_MAX && this.timeNextDelayed > now;
  }

  /** Before a new flow is made, some that have been empty for long go. (Linux: fq_gc) */
  private collectGarbage(now: Micros): void {
    let seen = 0;
    for (const [key, flow] of this.flows) {
      if (++seen > GC_FLOWS) return;
      if (flow.state !== 'detached' || now <= flow.age + FLOW_AGE) continue;
      this.flows.delete(key);
      this.inactive--;
      this.counts.gc++;
    }
  }

  /** (Linux: fq_dequeue) */
  protected take(): SkBuff | undefined {
    if (this.packets === 0) return undefined;
    const fast = this.internal.peek();
    if (fast !== undefined) {
      this.internal.erase(fast);
      this.countOut(fast);
      this.countSent(fast);
      return fast;
    }
    const now = this.host.clock.now();
    this.checkThrottled(now);
    for (;;) {
      const band = this.nextBand();
      const list = band?.head();
      if (band === undefined || list === undefined) {
        if (this.timeNextDelayed < Number.POSITIVE_INFINITY)
          this.watchdog.arm(Math.max(0, Math.ceil(this.timeNextDelayed) - now));
        return undefined;
      }
      const skb = this.serve(band, list, now);
      if (skb !== undefined) return skb;
    }
  }

  /** The band whose flows' turn it is, by their weights; one that overdrew its credit waits some rounds. */
  private nextBand(): FqBand | undefined {
    if (!this.bands.some(({ fresh, old }) => fresh.length > 0 || old.length > 0)) return undefined;
    let band = this.bands[this.bandNumber]!;
    while (band.head() === undefined) {
      this.bandNumber = (this.bandNumber + 1) % BANDS;
      band = this.bands[this.bandNumber]!;
      band.credit = Math.min(band.credit + band.quantum, band.quantum);
    }
    return band;
  }

  /** The first flow of a list has its turn; undefined when it has nothing to send now. */
  private serve(band: FqBand, list: FqFlow[], now: Micros): SkBuff | undefined {
    const flow = list[0]!;
    if (flow.credit <= 0) {
      flow.credit += this.set.quantum;
      list.shift();
      this.bands[flow.band]!.old.push(flow);
      return undefined;
    }
    const skb = flow.peek();
    if (skb === undefined) {
      list.shift();
      // Through the old flows once more, so that they do not starve.
      if (list === band.fresh) this.bands[flow.band]!.old.push(flow);
      else {
        flow.state = 'detached';
        flow.age = now;
      }
      return undefined;
    }
    const due = Math.max(skb.timeToSend, flow.timeNextPacket);
    if (due > now) {
      list.shift();
      flow.timeNextPacket = due;
      this.throttle(flow);
      return undefined;
    }
    if (now - due > this.set.ce_threshold && ectMarkCe(skb)) this.counts.ceMark++;
    flow.erase(skb);
    if (flow.length === 0) this.inactive++;
    this.bands[skb.band]!.packets--;
    this.countOut(skb);
    this.countSent(skb);
    this.pace(flow, band, skb, now);
    return skb;
  }

  /** When the flow's next packet may go. */
  private pace(flow: FqFlow, band: FqBand, skb: SkBuff, now: Micros): void {
    let length = packetLength(skb);
    flow.credit -= length;
    band.credit -= length;
    if (this.set.pacing === 0) return;
    let rate = this.set.maxrate < U32_NONE ? this.set.maxrate : PACING_RATE_NONE;
    if (skb.deliveryTime === 0) {
      const sk = skb.owner as Sock | undefined;
      if (sk !== undefined) rate = Math.min(sk.pacingRate, rate);
      if (rate <= this.set.low_rate_threshold) flow.credit = 0;
      else {
        length = Math.max(length, this.set.quantum);
        if (flow.credit > 0) return;
      }
    }
    if (rate === PACING_RATE_NONE) return;
    let wait = rate > 0 ? (length * SECOND) / rate : length * SECOND;
    if (wait > SECOND) {
      wait = SECOND;
      this.counts.pktsTooLong++;
    }
    // Timers are late: what was lost by it is given back, up to half.
    if (flow.timeNextPacket > 0) wait -= Math.min(wait / 2, now - flow.timeNextPacket);
    flow.timeNextPacket = now + wait;
  }

  private throttle(flow: FqFlow): void {
    let low = 0;
    let high = this.delayed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.delayed[middle]!.timeNextPacket <= flow.timeNextPacket) low = middle + 1;
      else high = middle;
    }
    this.delayed.splice(low, 0, flow);
    flow.state = 'throttled';
    this.counts.throttled++;
    if (this.timeNextDelayed > flow.timeNextPacket) this.timeNextDelayed = flow.timeNextPacket;
  }

  /** Flows whose time has come are served again. (Linux: fq_check_throttled) */
  private checkThrottled(now: Micros): void {
    if (this.timeNextDelayed > now) return;
    const late = (now - this.timeNextDelayed) * 1_000;
    const { counts } = this;
    counts.unthrottleLatencyNanos += (late - counts.unthrottleLatencyNanos) / 8;
    this.timeNextDelayed = Number.POSITIVE_INFINITY;
    let ready = 0;
    for (const flow of this.delayed) {
      if (flow.timeNextPacket > now) {
        this.timeNextDelayed = flow.timeNextPacket;
        break;
      }
      ready++;
    }
    for (const flow of this.delayed.splice(0, ready)) {
      this.bands[flow.band]!.old.push(flow);
      flow.state = 'listed';
    }
  }

  /** Any packet, its time or not: the queue is emptied. */
  override remove(): SkBuff | undefined {
    const skb = this.dequeue();
    if (skb !== undefined || this.packets === 0) return skb;
    const flow = this.delayed.find((other) => other.length > 0);
    const early = flow?.peek();
    if (flow === undefined || early === undefined) return undefined;
    flow.erase(early);
    if (flow.length === 0) this.inactive++;
    this.bands[early.band]!.packets--;
    this.countOut(early);
    return early;
  }

  override change(options: QdiscOptions): Errno | undefined {
    let errno: Errno | undefined;
    for (const [name, value] of Object.entries(options)) {
      const number = Number(value);
      if (!(name in this.set) || !settingSound(name as FqSetting, number)) errno = 'EINVAL';
      else this.set[name as FqSetting] = number;
    }
    while (this.packets > this.set.limit) {
      const skb = this.remove();
      if (skb === undefined) break;
      this.dropPacket(skb, 'qdisc_full');
    }
    return errno;
  }

  override options(): QdiscOptions {
    const { buckets, pacing, horizon_drop, ...rest } = this.set;
    return { ...rest, buckets: 2 ** buckets, pacing: pacing !== 0, horizon_drop: horizon_drop !== 0 };
  }

  override statistics(): Readonly<Record<string, number>> {
    const { counts } = this;
    return {
      ...counts,
      unthrottleLatencyNanos: Math.floor(counts.unthrottleLatencyNanos),
      flows: this.flows.size,
      inactive: this.inactive,
      throttledFlows: this.delayed.length,
      timeNextDelayedNanos:
        this.timeNextDelayed === Number.POSITIVE_INFINITY
          ? 0
          : Math.floor((this.timeNextDelayed - this.host.clock.now()) * 1_000) + this.set.timer_slack,
    };
  }
}
