/**
 * Memory that packets stand in: bytes with a count of who holds them. They are the kernel's, or for as long as a packet
 * refers to them a program's own (MSG_ZEROCOPY) or a file's (sendfile).
 */
import type { SkBuff, SkBuffs } from './skbuff.ts';

/** Who owns pages that are a program's memory (struct ubuf_info). */
export interface UserBuffer {
  /** Nothing refers to the pages any more. */
  release(): void;
  /** Somebody had to have octets of his own. */
  markCopied(): void;
}

/** Bytes with a count of the sk_buffs (or frags) that hold them. */
export class Pages {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  refs = 0;
  /** Set where the bytes are a program's own (MSG_ZEROCOPY). */
  readonly user: UserBuffer | undefined;
  /** In the platform's memory for packets. */
  fast = false;

  constructor(memory: number | Uint8Array, user?: UserBuffer) {
    this.bytes = typeof memory === 'number' ? new Uint8Array(memory) : memory;
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    this.user = user;
  }
}

export interface Frag {
  readonly pages: Pages;
  readonly offset: number;
  readonly length: number;
}

/** Somebody has octets of his own now of what stands in these. */
export function markCopied(frags: readonly Frag[]): void {
  for (const { pages } of frags) pages.user?.markCopied();
}

/** Whoever gets it next may keep it: what is a program's memory is copied now (skb_orphan_frags_rx, skb_copy_ubufs). */
export function orphanFrags(skbs: SkBuffs, skb: SkBuff): void {
  const { frags } = skb;
  for (let i = 0; i < frags.length; i++) {
    const { pages, offset, length } = frags[i]!;
    if (pages.user === undefined) continue;
    pages.user.markCopied();
    const own = skbs.pages(length);
    own.refs++;
    own.bytes.set(pages.bytes.subarray(offset, offset + length));
    frags[i] = { pages: own, offset: 0, length };
    skbs.releasePages(pages);
    skbs.counters.copies.userToKernel++;
    skbs.counters.copiedBytes.userToKernel += length;
  }
}
