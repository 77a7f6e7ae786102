/** What becomes of a host's sk_buffs, and where octets are copied: events as teaching counts them, and octets that truly moved. */
import type { DropReason } from './drop.ts';
import type { DropPlaces } from './drop-place.ts';

export class SkbCounters {
  /** Born with memory of their own (alloc_skb, build_skb), and over that of another (skb_clone, skb_copy). */
  allocated = 0;
  cloned = 0;
  copied = 0;
  live = 0;
  /** By cause: a clone shares its octets, so it is an event of 0 octets. */
  readonly copies = { userToKernel: 0, clone: 0, fragment: 0, linearize: 0, dma: 0, kernelToUser: 0 };
  readonly copiedBytes = { userToKernel: 0, clone: 0, fragment: 0, linearize: 0, dma: 0, kernelToUser: 0 };
  readonly drops = new Map<DropReason, number>();
  readonly dropPlaces: DropPlaces = new Map();
}
