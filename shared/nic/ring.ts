/**
 * Descriptor rings: how a driver and its card hand packets to each other. Both are circles of descriptors in memory that
 * each side walks at its own pace; the memory comes with the first packet.
 *
 *   RX:  card writes at `head` ──►  [ frame | frame | frame | free | free … ]   ──► driver reads at `tail`
 *   TX:  driver posts at `head` ──► [ sent, to be freed | posted, to be sent | free … ]
 *
 * Pages in the RX ring have no holder yet (refs 0): the sk_buff that is built around them becomes it.
 */
import type { Pages, SkBuff } from '../net/skbuff.ts';
import { assert } from '../platform.ts';

/** Linux: the default of e1000e and many others; `ethtool -g`. */
export const RING_DESCRIPTORS = 256;

export class RxRing {
  readonly pages: Pages[] = new Array(RING_DESCRIPTORS);
  readonly lengths = new Uint32Array(RING_DESCRIPTORS);
  readonly traceDevices = new Uint32Array(RING_DESCRIPTORS);
  readonly traceNumbers = new Uint32Array(RING_DESCRIPTORS);
  readonly causes = new Uint32Array(RING_DESCRIPTORS);
  /** 1 where the card found the transport checksum right. */
  readonly checksums = new Uint8Array(RING_DESCRIPTORS);
  readonly timestamps = new Float64Array(RING_DESCRIPTORS);
  /** Frames that wait for the driver. */
  count = 0;
  private head = 0;
  private tail = 0;

  get full(): boolean {
    return this.count === RING_DESCRIPTORS;
  }

  /** The descriptor for the next frame; the card fills it in. */
  claim(): number {
    assert(!this.full, 'a full receive ring takes no frame');
    const slot = this.head;
    this.head = (slot + 1) % RING_DESCRIPTORS;
    this.count++;
    return slot;
  }

  /** The descriptor of the frame that waits longest; still to be released. */
  get first(): number {
    return this.tail;
  }

  release(): void {
    assert(this.count > 0, 'only what waits is released');
    this.tail = (this.tail + 1) % RING_DESCRIPTORS;
    this.count--;
  }
}

export class TxRing {
  private readonly skbs: (SkBuff | undefined)[] = new Array(RING_DESCRIPTORS).fill(undefined);
  /** Posted and not yet taken by the card. */
  posted = 0;
  /** Sent, to be freed by the driver. */
  done = 0;
  private head = 0;

  get free(): number {
    return RING_DESCRIPTORS - this.posted - this.done;
  }

  post(skb: SkBuff): void {
    assert(this.free > 0, 'the driver stops the queue before the ring is full');
    this.skbs[this.head] = skb;
    this.head = (this.head + 1) % RING_DESCRIPTORS;
    this.posted++;
  }

  /** The packet that the card sends next. It stays in the ring. */
  take(): SkBuff {
    const skb = this.skbs[(this.head - this.posted + RING_DESCRIPTORS) % RING_DESCRIPTORS];
    assert(skb !== undefined && this.posted > 0, 'the card takes what was posted');
    this.posted--;
    this.done++;
    return skb;
  }

  /** The oldest packet that was sent; the caller's from now on. */
  reclaim(): SkBuff {
    const slot = (this.head - this.posted - this.done + 2 * RING_DESCRIPTORS) % RING_DESCRIPTORS;
    const skb = this.skbs[slot];
    assert(skb !== undefined && this.done > 0, 'the driver frees what was sent');
    this.skbs[slot] = undefined;
    this.done--;
    return skb;
  }
}
