/** Moving octets between packet memory and the cable: the one copy that a card makes of each frame, either way. */
import type { Pages } from '../net/pages.ts';
import type { SkBuff } from '../net/skbuff.ts';

/** Up to here a plain loop beats a view and a bulk copy (measured on Node 20). */
const LOOP_BYTES_MAX = 48;

export function copyBytes(source: Uint8Array, start: number, length: number, target: Uint8Array, at: number): void {
  if (length > LOOP_BYTES_MAX) {
    target.set(source.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) target[at + i] = source[start + i]!;
}

/** Walks through an sk_buff's octets, head first, then frags, so that segments are cut without starting over. */
export class Gather {
  private skb!: SkBuff;
  private source!: Uint8Array;
  private at = 0;
  private left = 0;
  private nextFrag = 0;

  /** Start `skip` octets after the sk_buff's data; they must lie in its head. */
  begin(skb: SkBuff, skip: number): void {
    this.skb = skb;
    this.source = skb.bytes;
    this.at = skb.data + skip;
    this.left = skb.headLength - skip;
    this.nextFrag = 0;
  }

  /** Copy the next `length` octets to `target` at `at`. */
  copy(length: number, target: Uint8Array, at: number): void {
    while (length > 0) {
      if (this.left === 0) {
        const frag: { pages: Pages; offset: number; length: number } = this.skb.frags[this.nextFrag++]!;
        this.source = frag.pages.bytes;
        this.at = frag.offset;
        this.left = frag.length;
        continue;
      }
      const n = Math.min(length, this.left);
      copyBytes(this.source, this.at, n, target, at);
      this.at += n;
      this.left -= n;
      at += n;
      length -= n;
    }
  }

  /** Forget the sk_buff, so that nothing here keeps its memory. */
  end(skb: SkBuff): void {
    this.source = skb.bytes;
    this.left = 0;
  }
}
