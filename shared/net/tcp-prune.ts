/**
 * Keeping a receiver within its memory: joining what arrives to what is queued (tcp_try_coalesce), and when the buffer is
 * full, in order of harm: a smaller window, copying bloated packets together (tcp_collapse), forgetting what came ahead of
 * its turn (tcp_prune_ofo_queue), refusing the packet (Linux: tcp_try_rmem_schedule, tcp_prune_queue).
 */
import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import { Pages } from './pages.ts';
import { SKB_STRUCT_BYTES, type SkBuff } from './skbuff.ts';
import { chargeReceived, memorySchedule, unchargeReceived, underMemoryPressure } from './tcp-memory.ts';
import { adjustRcvSsthresh, clampWindow } from './tcp-rcvbuf.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';
import { TX_OVERHEAD } from './tcp-transmit.ts';
import { winFromSpace } from './tcp-window.ts';
import { headTruesize, SHINFO_BYTES } from './truesize.ts';

/** Linux: MAX_SKB_FRAGS; more are not merged into one packet. */
const FRAGS_MAX = 17;
/** Payload of a collapsed packet: what a page holds (SKB_MAX_ORDER(0, 0)). */
const COLLAPSED_BYTES_MAX = 4_096 - SHINFO_BYTES;
const NEVER_COALESCED = TCP_FLAG.FIN | TCP_FLAG.URG;
const NEVER_COLLAPSED = TCP_FLAG.SYN | TCP_FLAG.FIN;

/** Octets that still fit behind a packet that has no frags, in the memory that it is charged for (skb_tailroom). */
function tailroom(skb: SkBuff): number {
  if (skb.frags.length > 0 || skb.head.refs > 1) return 0;
  const end = Math.min(skb.truesize - SKB_STRUCT_BYTES - SHINFO_BYTES, skb.bytes.length);
  return Math.max(0, end - skb.tail);
}

/** Join the payload of `from` to `to`, by copying a little or by handing pages on; -1, or what `to` costs more then. */
function skbTryCoalesce(sk: TcpSock, to: SkBuff, from: SkBuff): number {
  const { length } = from;
  if (length <= tailroom(to)) {
    from.copyBits(0, length, to.bytes, to.tail);
    to.tail += length;
    sk.host.skbs.counters.copies.linearize++;
    sk.host.skbs.counters.copiedBytes.linearize += length;
    return 0;
  }
  let delta = from.truesize - TX_OVERHEAD;
  if (from.headLength > 0) {
    if (to.frags.length + from.frags.length >= FRAGS_MAX) return -1;
    // A head that kmalloc gave, or that somebody shares, cannot become a frag (skb_head_is_locked).
    if (!from.headFrag || from.head.refs > 1) return -1;
    to.addFrag(from.head, from.data, from.headLength);
    delta = from.truesize - SKB_STRUCT_BYTES;
  } else if (to.frags.length + from.frags.length > FRAGS_MAX) return -1;
  for (const frag of from.frags) to.addFrag(frag.pages, frag.offset, frag.length);
  return Math.max(delta, length);
}

/** Append `from` to `to`, when they are neighbours; it stays the caller's, who frees it on true. (tcp_try_coalesce) */
export function tryCoalesce(sk: TcpSock, to: SkBuff | undefined, from: SkBuff): boolean {
  if (to === undefined || to.control === undefined) return false;
  const a = segmentOf(to);
  const b = segmentOf(from);
  if (a.endSeq !== b.seq || ((a.flags | b.flags) & NEVER_COALESCED) !== 0 || to.cause !== from.cause) return false;
  const delta = skbTryCoalesce(sk, to, from);
  if (delta < 0) return false;
  unchargeReceived(sk, to);
  to.truesize += delta;
  chargeReceived(sk, to);
  to.timestamp = from.timestamp;
  a.endSeq = b.endSeq;
  a.flags |= b.flags & TCP_FLAG.PSH;
  to.gsoSegments = Math.min(Math.max(1, to.gsoSegments) + Math.max(1, from.gsoSegments), 0xffff);
  sk.host.snmp.TcpExtTCPRcvCoalesce++;
  return true;
}

/** See that `skb` may be queued, making room if need be; false: it may not. The skb stays the caller's. */
export function rmemSchedule(sk: TcpSock, skb: SkBuff): boolean {
  if (sk.receiveMemory <= sk.rcvbuf && memorySchedule(sk, skb.truesize, true)) return true;
  if (!pruneQueue(sk, skb)) return false;
  while (!memorySchedule(sk, skb.truesize, true)) if (!pruneOfoQueue(sk, skb)) return false;
  return true;
}

/** Get the sock within its buffer again; false when data must be refused (tcp_prune_queue). */
function pruneQueue(sk: TcpSock, incoming: SkBuff): boolean {
  const { snmp } = sk.host;
  snmp.TcpExtPruneCalled++;
  if (sk.receiveMemory >= sk.rcvbuf) clampWindow(sk);
  else if (underMemoryPressure(sk)) adjustRcvSsthresh(sk);
  if (sk.receiveMemory <= sk.rcvbuf) return true;
  collapseOfoQueue(sk);
  const queue = sk.receiveQueue;
  if (queue.length > 0) queue.splice(0, queue.length, ...collapse(sk, queue, sk.copiedSeq, sk.rcvNxt));
  if (sk.receiveMemory <= sk.rcvbuf) return true;
  pruneOfoQueue(sk, incoming);
  if (sk.receiveMemory <= sk.rcvbuf) return true;
  snmp.TcpExtRcvPruned++;
  sk.fastPath = false;
  return false;
}

/** Free what was copied elsewhere (tcp_collapse_one). */
function collapsed(sk: TcpSock, skb: SkBuff): void {
  sk.host.snmp.TcpExtTCPRcvCollapsed++;
  unchargeReceived(sk, skb);
  sk.tcp.free(skb);
}

/** Where collapsing is of use: a packet that costs more than it is worth, or overlaps. Frees what is wholly old. */
function firstBloated(sk: TcpSock, list: SkBuff[], from: number): { at: number; start: number } | undefined {
  let start = from;
  for (let at = 0; at < list.length; ) {
    const skb = list[at]!;
    const { seq, endSeq, flags } = segmentOf(skb);
    if (!seqBefore(start, endSeq)) {
      collapsed(sk, skb);
      list.splice(at, 1);
      continue;
    }
    const plain = (flags & NEVER_COLLAPSED) === 0;
    if (plain && (winFromSpace(sk, skb.truesize) > skb.length || seqBefore(seq, start))) return { at, start };
    const next = list[at + 1];
    if (next !== undefined && segmentOf(next).seq !== endSeq) return plain ? { at, start } : undefined;
    start = endSeq;
    at++;
  }
  return undefined;
}

/** An empty packet with the notes of `like`, for payload from `seq` on. */
function collapsedPacket(sk: TcpSock, like: SkBuff, seq: number, size: number): SkBuff {
  const skb = sk.host.skbs.build(new Pages(size), 0, 0);
  skb.truesize = headTruesize(size);
  skb.cause = like.cause;
  skb.timestamp = like.timestamp;
  const segment = sk.tcp.hold(skb);
  const old = segmentOf(like);
  segment.seq = segment.endSeq = seq;
  segment.flags = old.flags;
  segment.ack = old.ack;
  chargeReceived(sk, skb);
  return skb;
}

/** Copy runs of packets into full ones; answers the list that takes the place of `packets` (tcp_collapse). */
function collapse(sk: TcpSock, packets: readonly SkBuff[], from: number, end: number): SkBuff[] {
  const list = [...packets];
  const first = firstBloated(sk, list, from);
  if (first === undefined) return list;
  const made: SkBuff[] = [];
  let { start } = first;
  let at = first.at;
  let skb: SkBuff | undefined = list[at];
  while (skb !== undefined && seqBefore(start, end)) {
    let room = Math.min(COLLAPSED_BYTES_MAX, (end - start) >>> 0);
    const full = collapsedPacket(sk, skb, start, room);
    made.push(full);
    while (room > 0 && skb !== undefined) {
      const { seq, endSeq } = segmentOf(skb);
      const size = Math.min(room, (endSeq - start) | 0);
      if (size > 0) {
        skb.copyBits((start - seq) | 0, size, full.bytes, full.tail);
        full.tail += size;
        room -= size;
        start = segmentOf(full).endSeq = (start + size) >>> 0;
        sk.host.skbs.counters.copies.linearize++;
        sk.host.skbs.counters.copiedBytes.linearize += size;
      }
      if (seqBefore(start, endSeq)) continue;
      collapsed(sk, skb);
      skb = list[++at];
      if (skb !== undefined && (segmentOf(skb).flags & NEVER_COLLAPSED) !== 0) skb = undefined;
    }
  }
  return [...list.slice(0, first.at), ...made, ...list.slice(at)];
}

/** Every run without a gap of the out-of-order queue (tcp_collapse_ofo_queue). */
function collapseOfoQueue(sk: TcpSock): void {
  const queue = sk.ofoQueue;
  let tiny = 0;
  let head: Segment | undefined = queue.head;
  while (head !== undefined) {
    const run: SkBuff[] = [head.skb!];
    let { seq: start, endSeq: end } = head;
    let cost = head.skb!.truesize;
    let next = head.next;
    for (; next !== undefined && !seqAfter(next.seq, end) && !seqBefore(next.endSeq, start); next = next.next) {
      run.push(next.skb!);
      cost += next.skb!.truesize;
      if (seqBefore(next.seq, start)) start = next.seq;
      if (seqAfter(next.endSeq, end)) end = next.endSeq;
    }
    if (run.length > 1 || (end - start) >>> 0 >= COLLAPSED_BYTES_MAX) replaceRun(sk, run, start, end);
    else {
      tiny += cost;
      if (tiny > sk.rcvbuf >> 3) return;
    }
    head = next;
  }
}

/** Collapse packets that stand one behind the other in the out-of-order queue. */
function replaceRun(sk: TcpSock, run: readonly SkBuff[], start: number, end: number): void {
  const queue = sk.ofoQueue;
  let before = segmentOf(run[0]!).prev;
  for (const skb of run) queue.remove(segmentOf(skb));
  for (const skb of collapse(sk, run, start, end)) {
    const segment = segmentOf(skb);
    queue.insertAfter(before, segment);
    before = segment;
  }
}

/**
 * Throw away what is furthest ahead, an eighth of the buffer at least, but nothing before `incoming`: the sender still
 * has it. True when something was. (Linux: tcp_prune_ofo_queue)
 */
function pruneOfoQueue(sk: TcpSock, incoming: SkBuff): boolean {
  const { seq } = segmentOf(incoming);
  let goal = sk.rcvbuf >> 3;
  let pruned = false;
  for (let last = sk.ofoQueue.tail; last !== undefined; last = sk.ofoQueue.tail) {
    if (seqAfter(seq, last.seq)) break;
    const skb = last.skb!;
    pruned = true;
    goal -= skb.truesize;
    sk.ofoQueue.remove(last);
    unchargeReceived(sk, skb);
    sk.drops += Math.max(1, skb.gsoSegments);
    sk.tcp.drop(skb, 'tcp_out_of_order_full');
    if (goal > 0 && sk.ofoQueue.tail !== undefined) continue;
    if (sk.receiveMemory <= sk.rcvbuf && !underMemoryPressure(sk)) break;
    goal = sk.rcvbuf >> 3;
  }
  if (!pruned) return false;
  sk.host.snmp.TcpExtOfoPruned++;
  // What was SACKed is gone: say nothing more of it (tcp_sack_reset).
  sk.numSacks = 0;
  sk.dsack = false;
  return true;
}
