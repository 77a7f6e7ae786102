/**
 * What an sk_buff costs in memory (truesize): the struct itself, the head that kmalloc gave, whole pages of frags. Sizes are
 * those of a 64-bit Linux 6.12; a socket is charged by them, and how much window its buffer is worth follows from them.
 */
import { SKB_STRUCT_BYTES } from './skbuff.ts';

/** sizeof(struct skb_shared_info), at the end of every head. */
export const SHINFO_BYTES = 320;
/** Heads up to this come from a cache of their own (SKB_SMALL_HEAD_CACHE_SIZE). */
const SMALL_HEAD_BYTES = 704;
const CACHE_LINE_BYTES = 64;
const MEMORY_PAGE_BYTES = 4_096;
/** alloc_skb_with_frags asks for eight pages at once at most (PAGE_ALLOC_COSTLY_ORDER). */
const PAGE_ORDER_MAX = 3;

/** What an sk_buff costs whose head holds `size` octets: kmalloc gives powers of two (SKB_TRUESIZE). */
export function headTruesize(size: number): number {
  const wanted = Math.ceil(size / CACHE_LINE_BYTES) * CACHE_LINE_BYTES + SHINFO_BYTES;
  const head = wanted <= SMALL_HEAD_BYTES ? SMALL_HEAD_BYTES : 2 ** Math.ceil(Math.log2(wanted));
  return head + SKB_STRUCT_BYTES;
}

/** What `size` octets cost beside a head: the largest runs of pages that they fill first (alloc_skb_with_frags). */
export function fragsTruesize(size: number): number {
  let cost = 0;
  let order = PAGE_ORDER_MAX;
  for (let left = size; left > 0; ) {
    const pages = Math.ceil(left / MEMORY_PAGE_BYTES) * MEMORY_PAGE_BYTES;
    while (order > 0 && pages < MEMORY_PAGE_BYTES * 2 ** order) order--;
    cost += MEMORY_PAGE_BYTES * 2 ** order;
    left -= MEMORY_PAGE_BYTES * 2 ** order;
  }
  return cost;
}

/** A head of one page, what does not fit into it in frags. */
export function allocTruesize(size: number): number {
  const most = MEMORY_PAGE_BYTES - SHINFO_BYTES;
  return size <= most ? headTruesize(size) : headTruesize(most) + fragsTruesize(size - most);
}
