/**
 * Trace points: where a packet is, named after the Linux function it is in. Off, they cost one test of a boolean:
 *
 *   if (trace.on) trace.point('ip_forward', skb, { ttl });
 *
 * Trace identity: (device, number) is given to an sk_buff when it is born and kept over wires, hops, NAT, clones and
 * fragments; a retransmission is born anew with a parent. A cause (a journey) is a number that spreads from what a
 * program read to what it sends after it.
 */
import type { Micros } from '../platform.ts';
import type { DropReason } from './drop.ts';

export interface Identified {
  readonly traceDevice: number;
  readonly traceNumber: number;
  readonly cause: number;
}

/** What an sk_buff says of itself beside its identity; a frame that no sk_buff was made of has none of it. */
interface Measured extends Identified {
  readonly length: number;
  readonly data: number;
  readonly headroom: number;
}

/** Who runs: a program in its system call, a card's handler, or deferred work (in_hardirq, in_softirq). */
export type TraceContext = 'process' | 'hardirq' | 'softirq' | 'ksoftirqd';

export type TraceValue = string | number | boolean | readonly string[] | readonly number[];
export type TraceFields = Readonly<Record<string, TraceValue>>;

export interface TracedSkb {
  readonly device: number;
  readonly number: number;
  /** Octets, frags included; where they begin in their pages; octets free in front (skb->len, skb->data, headroom). */
  readonly len?: number;
  readonly data?: number;
  readonly headroom?: number;
}

export interface TraceEvent {
  readonly at: Micros;
  readonly device: string;
  /** Linux's name of the function or event, or `program:event` for what a program marks. */
  readonly point: string;
  /** The sk_buff's identity, when there is one. */
  readonly skb?: TracedSkb;
  readonly context: TraceContext;
  readonly cause: number;
  readonly fields: TraceFields;
}

export class Trace {
  /** True while somebody listens. */
  on = false;
  /** Set by the CPU and by softirqs as they begin and end. */
  context: TraceContext = 'process';
  /** Number for the next sk_buff that is born here. */
  private nextNumber = 1;
  readonly deviceIndex: number;
  private readonly device: string;
  private readonly now: () => Micros;
  private listeners: readonly ((event: TraceEvent) => void)[] = [];

  constructor(options: { device: string; deviceIndex: number; now: () => Micros }) {
    this.device = options.device;
    this.deviceIndex = options.deviceIndex;
    this.now = options.now;
  }

  /** A number for a packet that is born here; wraps at 2^32. */
  number(): number {
    const number = this.nextNumber;
    this.nextNumber = (number + 1) >>> 0 || 1;
    return number;
  }

  /** Listen; returns the function that stops it. */
  listen(listener: (event: TraceEvent) => void): () => void {
    this.listeners = [...this.listeners, listener];
    this.on = true;
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
      this.on = this.listeners.length > 0;
    };
  }

  /** A packet passes a point. Call only when `on`, so that `fields` is not built for nobody. */
  point(point: string, skb: Identified | undefined, fields: TraceFields = {}): void {
    this.emit(point, skb, skb?.cause ?? 0, fields);
  }

  /** Something happened that belongs to a cause but to no packet (a program's mark, a timer). */
  mark(point: string, cause: number, fields: TraceFields = {}): void {
    this.emit(point, undefined, cause, fields);
  }

  /** A packet was dropped (kfree_skb's trace point). */
  drop(reason: DropReason, skb: Identified | undefined, fields: TraceFields = {}): void {
    this.emit('kfree_skb', skb, skb?.cause ?? 0, { reason, ...fields });
  }

  private emit(point: string, skb: Identified | undefined, cause: number, fields: TraceFields): void {
    const identity = skb === undefined ? {} : { skb: tracedSkb(skb) };
    const { device, context } = this;
    const event: TraceEvent = { at: this.now(), device, point, ...identity, context, cause, fields };
    for (const listener of this.listeners) listener(event);
  }
}

function tracedSkb(skb: Identified | Measured): TracedSkb {
  const { traceDevice: device, traceNumber: number } = skb;
  if (!('headroom' in skb)) return { device, number };
  return { device, number, len: skb.length, data: skb.data, headroom: skb.headroom };
}
