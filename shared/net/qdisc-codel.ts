/**
 * fq_codel (RFC 8290; Linux: sch_fq_codel.c, codel_impl.h): flows by hash, served in turn by quantum, each watched by CoDel
 * (RFC 8289): when packets have waited longer than `target` for an `interval`, one is dropped or marked, then sooner and
 * sooner. Left out: filters that choose the flow; the control law's square root is exact, not Newton's steps.
 */
import type { Micros } from '../platform.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import { ectMarkCe } from './inet-ecn.ts';
import type { NetDevice } from './netdev.ts';
import { type NetXmit, packetLength, pschedMtu, Qdisc, type QdiscOptions } from './qdisc.ts';
import { flowHash } from './skb-hash.ts';
import { SkbQueue } from './skb-queue.ts';
import type { SkBuff } from './skbuff.ts';

const FLOWS_MAX = 65_536;
const QUANTUM_MIN = 256;
/** 16 intervals after the last drop the rate of dropping starts anew. */
const FORGET_INTERVALS = 16;
/** What a packet in the queue weighs beside its octets (truesize of the head). */
const SKB_OVERHEAD = 1_280;
const CE_NONE: Micros = Number.POSITIVE_INFINITY;

class CodelFlow {
  readonly queue = new SkbQueue();
  backlog = 0;
  deficit = 0;
  listed = false;
  // CoDel's own (struct codel_vars).
  count = 0;
  lastCount = 0;
  dropping = false;
  firstAbove: Micros = 0;
  dropNext: Micros = 0;
  delay: Micros = 0;
}

export class FqCodel extends Qdisc {
  readonly kind = 'fq_codel';
  private limit = 10_240;
  private flowsCount = 1_024;
  private quantum: number;
  private target: Micros = 5_000;
  private interval: Micros = 100_000;
  private memoryLimit = 32 * 2 ** 20;
  private ecn = true;
  private dropBatch = 64;
  private ceThreshold: Micros = CE_NONE;
  /** Made when the first packet comes for them. */
  private flows: (CodelFlow | undefined)[] = [];
  private readonly fresh: CodelFlow[] = [];
  private readonly old: CodelFlow[] = [];
  private memory = 0;
  private readonly counts = {
    maxpacket: 256,
    dropOverlimit: 0,
    newFlowCount: 0,
    ecnMark: 0,
    ceMark: 0,
    dropOvermemory: 0,
  };

  constructor(host: Host, dev: NetDevice) {
    super(host, dev);
    this.quantum = pschedMtu(dev);
    this.bypass = true;
  }

  /** (Linux: fq_codel_enqueue) */
  enqueue(skb: SkBuff): NetXmit | undefined {
    const index = Math.floor((flowHash(skb) / 2 ** 32) * this.flowsCount);
    const flow = (this.flows[index] ??= new CodelFlow());
    const length = packetLength(skb);
    skb.timeToSend = this.host.clock.now();
    flow.queue.push(skb);
    flow.backlog += length;
    this.countIn(skb);
    this.memory += weightOf(skb);
    if (!flow.listed) {
      this.fresh.push(flow);
      flow.listed = true;
      flow.deficit = this.quantum;
      this.counts.newFlowCount++;
    }
    const overMemory = this.memory > this.memoryLimit;
    if (this.packets <= this.limit && !overMemory) return undefined;
    const before = this.packets;
    const victim = this.dropFattest();
    this.counts.dropOverlimit += before - this.packets;
    if (overMemory) this.counts.dropOvermemory += before - this.packets;
    return victim === flow ? 'NET_XMIT_CN' : undefined;
  }

  /** Half of the longest flow's backlog goes, its oldest packets first, a batch at most. (Linux: fq_codel_drop) */
  private dropFattest(): CodelFlow | undefined {
    let fattest: CodelFlow | undefined;
    for (const flow of this.flows) if (flow !== undefined && flow.backlog > (fattest?.backlog ?? 0)) fattest = flow;
    if (fattest === undefined) return undefined;
    const enough = fattest.backlog / 2;
    let gone = 0;
    for (let n = 0; n < this.dropBatch && gone < enough; n++) {
      const skb = this.pull(fattest);
      if (skb === undefined) break;
      gone += packetLength(skb);
      fattest.count++;
      this.dropPacket(skb, 'qdisc_full');
    }
    return fattest;
  }

  private pull(flow: CodelFlow): SkBuff | undefined {
    const skb = flow.queue.shift();
    if (skb === undefined) return undefined;
    flow.backlog -= packetLength(skb);
    this.memory -= weightOf(skb);
    this.countOut(skb);
    return skb;
  }

  /** (Linux: fq_codel_dequeue) */
  protected take(): SkBuff | undefined {
    for (;;) {
      const list = this.fresh.length > 0 ? this.fresh : this.old;
      const flow = list[0];
      if (flow === undefined) return undefined;
      if (flow.deficit <= 0) {
        flow.deficit += this.quantum;
        list.shift();
        this.old.push(flow);
        continue;
      }
      const skb = this.codelDequeue(flow);
      if (skb === undefined) {
        list.shift();
        // Through the old flows once more, so that they do not starve.
        if (list === this.fresh && this.old.length > 0) this.old.push(flow);
        else flow.listed = false;
        continue;
      }
      this.countSent(skb);
      flow.deficit -= packetLength(skb);
      return skb;
    }
  }

  /** Whether the packet waited too long, for long enough (codel_should_drop). */
  private shouldDrop(flow: CodelFlow, skb: SkBuff | undefined, now: Micros): boolean {
    if (skb === undefined) {
      flow.firstAbove = 0;
      return false;
    }
    flow.delay = now - skb.timeToSend;
    this.counts.maxpacket = Math.max(this.counts.maxpacket, packetLength(skb));
    if (flow.delay < this.target || this.bytes <= pschedMtu(this.dev)) {
      flow.firstAbove = 0;
      return false;
    }
    if (flow.firstAbove === 0) {
      flow.firstAbove = now + this.interval;
      return false;
    }
    return now > flow.firstAbove;
  }

  private controlLaw(flow: CodelFlow, from: Micros): Micros {
    return from + this.interval / Math.sqrt(flow.count);
  }

  private marked(skb: SkBuff): boolean {
    if (!this.ecn || !ectMarkCe(skb)) return false;
    this.counts.ecnMark++;
    return true;
  }

  /** The next packet of a flow, after those that CoDel drops. (Linux: codel_dequeue) */
  private codelDequeue(flow: CodelFlow): SkBuff | undefined {
    let skb = this.pull(flow);
    if (skb === undefined) {
      flow.dropping = false;
      return undefined;
    }
    const now = this.host.clock.now();
    const drop = this.shouldDrop(flow, skb, now);
    if (flow.dropping) {
      if (!drop) flow.dropping = false;
      while (flow.dropping && skb !== undefined && now >= flow.dropNext) {
        flow.count++;
        if (this.marked(skb)) {
          flow.dropNext = this.controlLaw(flow, flow.dropNext);
          break;
        }
        this.dropPacket(skb, 'qdisc_congested');
        skb = this.pull(flow);
        if (this.shouldDrop(flow, skb, now)) flow.dropNext = this.controlLaw(flow, flow.dropNext);
        else flow.dropping = false;
      }
    } else if (drop) {
      if (!this.marked(skb)) {
        this.dropPacket(skb, 'qdisc_congested');
        skb = this.pull(flow);
        this.shouldDrop(flow, skb, now);
      }
      this.startDropping(flow, now);
    }
    if (skb !== undefined && flow.delay > this.ceThreshold && ectMarkCe(skb)) this.counts.ceMark++;
    return skb;
  }

  /** Shortly after the last time, about as fast as it was then. */
  private startDropping(flow: CodelFlow, now: Micros): void {
    flow.dropping = true;
    const delta = flow.count - flow.lastCount;
    flow.count = delta > 1 && now - flow.dropNext < FORGET_INTERVALS * this.interval ? delta : 1;
    flow.lastCount = flow.count;
    flow.dropNext = this.controlLaw(flow, now);
  }

  /** (Linux: fq_codel_change) */
  override change(options: QdiscOptions): Errno | undefined {
    const number = (name: string): number | undefined => {
      const value = options[name];
      return typeof value === 'string' || value === undefined ? undefined : Number(value);
    };
    const flows = number('flows');
    if (flows !== undefined) {
      // The number of flows is fixed once there are any.
      if (this.flows.length > 0 || flows < 1 || flows > FLOWS_MAX) return 'EINVAL';
      this.flowsCount = flows;
    }
    this.target = number('target') ?? this.target;
    this.interval = number('interval') ?? this.interval;
    this.ceThreshold = number('ce_threshold') ?? this.ceThreshold;
    this.limit = number('limit') ?? this.limit;
    this.ecn = (number('ecn') ?? Number(this.ecn)) !== 0;
    this.quantum = Math.max(QUANTUM_MIN, number('quantum') ?? this.quantum);
    this.dropBatch = Math.max(1, number('drop_batch') ?? this.dropBatch);
    this.memoryLimit = Math.min(2 ** 31, number('memory_limit') ?? this.memoryLimit);
    this.bypass = this.limit >= 1;
    while (this.packets > this.limit || this.memory > this.memoryLimit) {
      const skb = this.dequeue();
      if (skb === undefined) break;
      this.dropPacket(skb, 'qdisc_full');
    }
    return undefined;
  }

  override options(): QdiscOptions {
    return {
      limit: this.limit,
      flows: this.flowsCount,
      quantum: this.quantum,
      target: this.target,
      ...(this.ceThreshold === CE_NONE ? {} : { ce_threshold: this.ceThreshold }),
      interval: this.interval,
      memory_limit: this.memoryLimit,
      ecn: this.ecn,
      drop_batch: this.dropBatch,
    };
  }

  override statistics(): Readonly<Record<string, number>> {
    return {
      ...this.counts,
      newFlowsLength: this.fresh.length,
      oldFlowsLength: this.old.length,
      memoryUsed: this.memory,
    };
  }
}

function weightOf(skb: SkBuff): number {
  return skb.length + SKB_OVERHEAD;
}
