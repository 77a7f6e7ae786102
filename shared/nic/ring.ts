/**
 * Descriptor rings: how a driver and its card hand packets to each other. Both are circles of descriptors in memory that
 * each side walks at its own pace; the memory comes with the first packet.
 *
 *   RX:  card writes at `head` ──►  [ frame | frame | frame | free | free … ]   ──► driver reads at `tail`
 *   TX:  driver posts at `head` ──► [ sent, to be freed | posted, to be sent | free … ]
 *
 * Pages in the RX ring have no holder yet (refs 0): the sk_buff that is built around them becomes it.
 */
import type { Pages } from '../net/pages.ts';
import type { SkBuff } from '../net/skbuff.ts';
import type { Identified } from '../net/trace.ts';
import { assert } from '../platform.ts';

/** Linux: e1000e's default, bounds, and what sizes are rounded up to a multiple of; `ethtool -g`, `-G`. */
export const RING_DESCRIPTORS = 256;
export const RING_DESCRIPTORS_MIN = 64;
export const RING_DESCRIPTORS_MAX = 4_096;
export const RING_DESCRIPTORS_MULTIPLE = 8;

export class RxRing {
  readonly size: number;
  readonly pages: Pages[];
  readonly lengths: Uint32Array;
  readonly traceDevices: Uint32Array;
  readonly traceNumbers: Uint32Array;
  readonly causes: Uint32Array;
  /** 1 where the card found the transport checksum right. */
  readonly checksums: Uint8Array;
  readonly timestamps: Float64Array;
  /** Frames that wait for the driver. */
  count = 0;
  private head = 0;
  private tail = 0;

  constructor(size = RING_DESCRIPTORS) {
    this.size = size;
    this.pages = new Array(size);
    this.lengths = new Uint32Array(size);
    this.traceDevices = new Uint32Array(size);
    this.traceNumbers = new Uint32Array(size);
    this.causes = new Uint32Array(size);
    this.checksums = new Uint8Array(size);
    this.timestamps = new Float64Array(size);
  }

  get full(): boolean {
    return this.count === this.size;
  }

  /** The descriptor for the next frame; the card fills it in. */
  claim(): number {
    assert(!this.full, 'a full receive ring takes no frame');
    const slot = this.head;
    this.head = (slot + 1) % this.size;
    this.count++;
    return slot;
  }

  /** The descriptor of the frame that waits longest; still to be released. */
  get first(): number {
    return this.tail;
  }

  /** Which packet waits longest. */
  identify(): Identified {
    const { tail } = this;
    return {
      traceDevice: this.traceDevices[tail]!,
      traceNumber: this.traceNumbers[tail]!,
      cause: this.causes[tail]!,
    };
  }

  release(): void {
    assert(this.count > 0, 'only what waits is released');
    this.tail = (this.tail + 1) % this.size;
    this.count--;
  }
}

export class TxRing {
  private readonly size: number;
  private readonly skbs: (SkBuff | undefined)[];
  /** Posted and not yet taken by the card. */
  posted = 0;
  /** Sent, to be freed by the driver. */
  done = 0;
  private head = 0;

  constructor(size = RING_DESCRIPTORS) {
    this.size = size;
    this.skbs = new Array(size).fill(undefined);
  }

  get free(): number {
    return this.size - this.posted - this.done;
  }

  post(skb: SkBuff): void {
    assert(this.free > 0, 'the driver stops the queue before the ring is full');
    this.skbs[this.head] = skb;
    this.head = (this.head + 1) % this.size;
    this.posted++;
  }

  /** The packet that the card sends next. It stays in the ring. */
  take(): SkBuff {
    const skb = this.skbs[(this.head - this.posted + this.size) % this.size];
    assert(skb !== undefined && this.posted > 0, 'the card takes what was posted');
    this.posted--;
    this.done++;
    return skb;
  }

  /** The oldest packet that was sent; the caller's from now on. */
  reclaim(): SkBuff {
    const slot = (this.head - this.posted - this.done + 2 * this.size) % this.size;
    const skb = this.skbs[slot];
    assert(skb !== undefined && this.done > 0, 'the driver frees what was sent');
    this.skbs[slot] = undefined;
    this.done--;
    return skb;
  }
}
