/** Moving octets between packet memory and the cable: the one copy that a card makes of each frame, either way. */
import { oddSum } from '../header/checksum.ts';
import type { Pages } from '../net/pages.ts';
import type { SkBuff } from '../net/skbuff.ts';
import type { Platform } from '../platform.ts';

/** Walks through an sk_buff's octets, head first, then frags, so that segments are cut without starting over. */
export class Gather {
  private skb!: SkBuff;
  private source!: DataView;
  private at = 0;
  private left = 0;
  private nextFrag = 0;

  /** Start `skip` octets after the sk_buff's data; they must lie in its head. */
  begin(skb: SkBuff, skip: number): void {
    this.skb = skb;
    this.source = skb.view;
    this.at = skb.data + skip;
    this.left = skb.headLength - skip;
    this.nextFrag = 0;
  }

  /** Copy the next `length` octets to `target` at `at`. */
  copy(platform: Platform, length: number, target: DataView, at: number): void {
    for (let n = this.piece(length); n > 0; n = this.piece(length)) {
      platform.copy(this.source, this.at, n, target, at);
      this.at += n;
      this.left -= n;
      at += n;
      length -= n;
    }
  }

  /** The same, and answers their sum (Platform.sum), not folded. */
  copySum(platform: Platform, length: number, target: DataView, at: number): number {
    let sum = 0;
    let odd = false;
    for (let n = this.piece(length); n > 0; n = this.piece(length)) {
      const part = platform.copySum(this.source, this.at, n, target, at);
      sum += odd ? oddSum(part) : part;
      if ((n & 1) === 1) odd = !odd;
      this.at += n;
      this.left -= n;
      at += n;
      length -= n;
    }
    return sum;
  }

  /** How many of the next `length` octets stand in one piece; on to the next frag when this one is done. */
  private piece(length: number): number {
    while (this.left === 0 && length > 0) {
      const frag: { pages: Pages; offset: number; length: number } = this.skb.frags[this.nextFrag++]!;
      this.source = frag.pages.view;
      this.at = frag.offset;
      this.left = frag.length;
    }
    return Math.min(length, this.left);
  }

  /** Forget the sk_buff, so that nothing here keeps its memory. */
  end(skb: SkBuff): void {
    this.source = skb.view;
    this.left = 0;
  }
}
