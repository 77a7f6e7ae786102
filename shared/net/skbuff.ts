/**
 * The sk_buff: one buffer for all layers. Headers are added and stripped by moving `data`; nothing is copied on the way.
 *
 *     head pages:  | head-room | link | network | transport | payload | tail-room |
 *                   ^0          ^data (moves with push and pull)      ^tail      ^end
 *     frags:       payload that stands elsewhere: what a program wrote (TCP), or the payload of packets merged by GRO
 *
 * The bytes belong to `Pages`, which several sk_buffs may share: a clone has its own offsets and the same bytes, which is
 * how TCP keeps the original while a clone goes down the stack. Who shares bytes may not write payload; headers in the
 * head-room are the clone's to write (the original never looks at them).
 *
 * Interface:
 * - host.skbs.alloc(size) births one, clone(skb) shares it, copy(skb) makes it whole and its own.
 * - push/pull/put/trim move data and tail, and assert that there is room. They do not touch the bytes.
 * - consume(skb) ends one that went well; drop(skb, reason) one that did not. Each must happen once for every sk_buff.
 * - Positions (networkHeader, transportHeader, macHeader) are absolute offsets into `bytes`, not relative to `data`.
 */
import { assert, type Platform } from '../platform.ts';
import type { DropReason } from './drop.ts';
import { countDropAt, DROP_PLACES } from './drop-place.ts';
import { type Frag, markCopied, Pages } from './pages.ts';
import { SkbCounters } from './skb-counters.ts';
import type { Identified, Trace } from './trace.ts';
import { allocTruesize } from './truesize.ts';

/** Linux's MAX_TCP_HEADER, about: room for Ethernet, IP and TCP with all options (14 + 60 + 60), rounded up. */
export const HEADROOM = 160;
/** A page of receive memory holds one frame; also what small packets are born with. */
export const PAGE_BYTES = 2_048;
/** sizeof(struct sk_buff), on whole cache lines. */
export const SKB_STRUCT_BYTES = 256;
/** Payload pages for what programs write (Linux: sk_page_frag, 32 kB). */
export const FRAG_PAGE_BYTES = 32_768;
/** Largest packet that exists between TCP and the NIC (GSO_LEGACY_MAX_SIZE, GRO likewise). */
export const GSO_BYTES_MAX = 65_536;
/** Pages kept for reuse per size and host: 2 MB and 4 MB. */
const FREE_PAGES_MAX = 1_024;
const FREE_FRAG_PAGES_MAX = 128;
const FREE_SKBS_MAX = 2_048;

/** How far the checksum of the payload has been seen to (Linux: ip_summed). 'partial' is explained in netdev.ts. */
export type ChecksumState = 'none' | 'unnecessary' | 'partial';
export type PacketType = 'host' | 'broadcast' | 'multicast' | 'otherhost' | 'outgoing' | 'loopback';

/**
 * Fields that one layer leaves for another. Layers own their blocks: `dev` and below are netdev's, `route` IP's, `tcp`
 * TCP's; they are typed `unknown` here and narrowed by their owners' accessors so that this file knows no layer.
 */
export class SkBuff {
  head: Pages;
  data = 0;
  tail = 0;
  readonly frags: Frag[] = [];
  /** Octets in the frags. */
  fragBytes = 0;

  macHeader = 0;
  networkHeader = 0;
  transportHeader = 0;
  /** EtherType in force: what the network layer is to make of it. */
  protocol = 0;
  packetType: PacketType = 'host';
  /** Index of the interface it came in by or leaves by; 0 for none. */
  ifindex = 0;
  checksum: ChecksumState = 'none';
  /** Payload octets per segment when this stands for several (TSO, GRO); 0 when it is one packet. */
  gsoSize = 0;
  gsoSegments = 0;
  gsoAccecn = false; // When cut, every segment keeps CWR: there it is a bit of a count (SKB_GSO_TCP_ACCECN).
  /** Lab time of arrival or sending, microseconds. */
  timestamp = 0;
  mark = 0;
  /** Earliest departure time, with fractions; 0: as soon as it can (tstamp on its way out). */
  deliveryTime = 0;
  /** A qdisc's notes (qdisc_skb_cb): when it may go or came, and its band. */
  timeToSend = 0;
  band = 0;
  /** Time stamps that the sender wants of it (timestamping.ts: TX_FLAG), and the number it goes by (tx_flags, tskey). */
  txFlags = 0;
  timestampKey = 0;
  /** Memory that it costs, charged to the socket that owns it (truesize). */
  truesize = 0;

  traceDevice = 0;
  traceNumber = 0;
  /** Trace number of the sk_buff that this one repeats (a retransmission), or 0. */
  parent = 0;
  cause = 0;

  /** The next hop chosen by routing (route.ts: Route). */
  route: unknown = undefined;
  conntrack: unknown = undefined; // conntrack.ts: CtInfo.
  /** The layer in charge keeps its notes here, as in skb->cb (TCP: sequence numbers and flags). */
  control: unknown = undefined;
  /** The head is a part of a page that may be handed on to another sk_buff, as a driver's build_skb makes it (head_frag). */
  headFrag = false;
  ipOptions: unknown = undefined; // ip-options.ts: IpOptions, when its header has any.
  /** Called once when the sk_buff ends, whichever way (skb->destructor): returns the memory to the sending socket. */
  destructor: ((skb: SkBuff) => void) | undefined = undefined;
  owner: unknown = undefined;
  alive = false;

  constructor(head: Pages) {
    this.head = head;
  }

  get bytes(): Uint8Array {
    return this.head.bytes;
  }
  get view(): DataView {
    return this.head.view;
  }
  /** All octets from `data` on, frags included (skb->len). */
  get length(): number {
    return this.tail - this.data + this.fragBytes;
  }
  /** Octets in the head (skb_headlen). */
  get headLength(): number {
    return this.tail - this.data;
  }
  get headroom(): number {
    return this.data;
  }
  get tailroom(): number {
    return this.head.bytes.length - this.tail;
  }

  /** Keep `n` octets free in front. Only on an empty sk_buff. */
  reserve(n: number): void {
    assert(this.data === this.tail, 'reserve comes before data');
    this.data += n;
    this.tail += n;
    assert(this.tail <= this.head.bytes.length, 'room to reserve');
  }
  /** Add a header of `n` octets in front; returns its offset (skb_push). */
  push(n: number): number {
    assert(n <= this.data, 'head-room for a header was reserved');
    this.data -= n;
    return this.data;
  }
  /** Strip `n` octets from the front; returns the new offset (skb_pull). */
  pull(n: number): number {
    assert(n <= this.headLength, 'the header to strip is in the head');
    this.data += n;
    return this.data;
  }
  /** Add `n` octets at the end; returns where they start (skb_put). */
  put(n: number): number {
    const at = this.tail;
    assert(n <= this.tailroom && this.frags.length === 0, 'tail-room for data');
    this.tail += n;
    return at;
  }
  /** Cut to `length` octets (skb_trim); only when nothing stands in frags. */
  trim(length: number): void {
    assert(this.frags.length === 0, 'trim works on the head');
    if (length < this.headLength) this.tail = this.data + length;
  }
  /** Add payload that stands in other pages (skb_fill_page_desc): the frag holds a reference. */
  addFrag(pages: Pages, offset: number, length: number): void {
    pages.refs++;
    this.frags.push({ pages, offset, length });
    this.fragBytes += length;
  }
  /** Copy `length` octets, counted from `from` octets after `data`, into `target` at `at` (skb_copy_bits). */
  copyBits(from: number, length: number, target: Uint8Array, at: number): void {
    assert(from + length <= this.length, 'copies no more than there is');
    const inHead = Math.min(length, Math.max(0, this.headLength - from));
    if (inHead > 0) {
      const start = this.data + from;
      target.set(this.head.bytes.subarray(start, start + inHead), at);
      at += inHead;
      length -= inHead;
    }
    let skip = Math.max(0, from - this.headLength);
    for (const frag of this.frags) {
      if (length === 0) return;
      if (skip >= frag.length) {
        skip -= frag.length;
        continue;
      }
      const n = Math.min(length, frag.length - skip);
      target.set(frag.pages.bytes.subarray(frag.offset + skip, frag.offset + skip + n), at);
      at += n;
      length -= n;
      skip = 0;
    }
  }
}

/** One host's sk_buff memory: births, deaths, and what is kept for reuse. */
export class SkBuffs {
  readonly counters = new SkbCounters();
  private readonly trace: Trace;
  private readonly platform: Pick<Platform, 'packetMemory'>;
  private readonly freePages: Pages[] = [];
  private readonly freeFragPages: Pages[] = [];
  private readonly freeSkbs: SkBuff[] = [];

  constructor(trace: Trace, platform: Pick<Platform, 'packetMemory'>) {
    this.trace = trace;
    this.platform = platform;
  }

  /** Pages of at least `size` octets, not yet referenced. */
  pages(size: number): Pages {
    if (size <= PAGE_BYTES) return this.best(this.freePages.pop(), PAGE_BYTES);
    if (size <= FRAG_PAGE_BYTES) return this.best(this.freeFragPages.pop(), FRAG_PAGE_BYTES);
    return new Pages(size);
  }

  /** Pages that were kept, or others in the platform's memory for packets, when it has come to have some. */
  private best(kept: Pages | undefined, size: number): Pages {
    if (kept?.fast === true) return kept;
    const memory = this.platform.packetMemory(size);
    if (memory === undefined) return kept ?? new Pages(size);
    const pages = new Pages(memory);
    pages.fast = true;
    return pages;
  }

  /** An empty sk_buff over new pages of at least `size` octets (alloc_skb); reserve head-room next. */
  alloc(size: number): SkBuff {
    const skb = this.build(this.pages(size), 0, 0);
    skb.truesize = allocTruesize(size);
    return skb;
  }

  /** An sk_buff around pages that hold a packet already (build_skb): the receive ring's. */
  build(pages: Pages, data: number, tail: number): SkBuff {
    pages.refs++;
    const skb = this.bare(pages);
    skb.data = data;
    skb.tail = tail;
    skb.traceDevice = this.trace.deviceIndex;
    skb.traceNumber = this.trace.number();
    this.counters.allocated++;
    return skb;
  }

  /** Another sk_buff over the same bytes, with the same identity (skb_clone). */
  clone(skb: SkBuff): SkBuff {
    skb.head.refs++;
    const twin = this.bare(skb.head);
    this.takeOver(twin, skb);
    for (const frag of skb.frags) twin.addFrag(frag.pages, frag.offset, frag.length);
    this.counters.cloned++;
    this.counters.copies.clone++;
    return twin;
  }

  /** An sk_buff with all bytes in a head of its own, head-room kept (skb_copy). Cause: a writer needs sole ownership. */
  copy(skb: SkBuff, headroom = Math.max(HEADROOM, skb.headroom)): SkBuff {
    const length = skb.length;
    const pages = this.pages(headroom + length);
    pages.refs++;
    const twin = this.bare(pages);
    const shift = headroom - skb.data;
    this.takeOver(twin, skb);
    twin.data = headroom;
    twin.tail = headroom + length;
    twin.macHeader += shift;
    twin.networkHeader += shift;
    twin.transportHeader += shift;
    skb.copyBits(0, length, pages.bytes, headroom);
    markCopied(skb.frags);
    this.counters.copied++;
    this.counters.copies.linearize++;
    this.counters.copiedBytes.linearize += length;
    return twin;
  }

  /** Bring all octets into a head that nobody shares, in place (skb_linearize, skb_unclone). Positions move with data. */
  linearize(skb: SkBuff): void {
    if (skb.frags.length === 0 && skb.head.refs === 1) return;
    const length = skb.length;
    markCopied(skb.frags);
    this.rehouse(skb, length, length);
    for (const frag of skb.frags) this.releasePages(frag.pages);
    skb.frags.length = 0;
    skb.fragBytes = 0;
    skb.tail = skb.data + length;
  }

  /** Make the head this sk_buff's own before its headers are changed, when others share it (skb_cow_head). */
  cow(skb: SkBuff): void {
    if (skb.head.refs > 1) this.rehouse(skb, skb.headLength, skb.headLength);
  }

  /** Move the first `copied` octets to new pages with room for `room` after the head-room. */
  private rehouse(skb: SkBuff, copied: number, room: number): void {
    const headroom = Math.max(HEADROOM, skb.headroom);
    const pages = this.pages(headroom + room);
    pages.refs++;
    skb.copyBits(0, copied, pages.bytes, headroom);
    const shift = headroom - skb.data;
    const headLength = skb.headLength;
    this.releasePages(skb.head);
    skb.head = pages;
    skb.data = headroom;
    skb.tail = headroom + headLength;
    skb.macHeader += shift;
    skb.networkHeader += shift;
    skb.transportHeader += shift;
    this.counters.copies.linearize++;
    this.counters.copiedBytes.linearize += copied;
  }

  /** The packet went where it should (consume_skb). */
  consume(skb: SkBuff): void {
    assert(skb.alive, 'an sk_buff ends once');
    skb.destructor?.(skb);
    this.releasePages(skb.head);
    for (const frag of skb.frags) this.releasePages(frag.pages);
    this.reset(skb);
    this.counters.live--;
    if (this.freeSkbs.length < FREE_SKBS_MAX) this.freeSkbs.push(skb);
  }

  /** The packet did not (kfree_skb_reason); `place` is the function that drops it, by Linux's name. */
  drop(skb: SkBuff, reason: DropReason, place: string = DROP_PLACES[reason]): void {
    this.countDrop(reason, place);
    if (this.trace.on) this.trace.drop(reason, skb, { location: place });
    this.consume(skb);
  }

  /**
   * What is dropped although it is no sk_buff, or none that ends here: a frame in card or switch, a packet that the card
   * had taken. Counted and traced like any other.
   */
  dropFrame(
    reason: DropReason,
    identity: Identified | undefined,
    { place = DROP_PLACES[reason], dev }: { readonly place?: string | undefined; readonly dev: string },
  ): void {
    this.countDrop(reason, place);
    if (this.trace.on) this.trace.drop(reason, identity, { location: place, dev });
  }

  /** Count a drop without a trace; returns where. */
  countDrop(reason: DropReason, place: string = DROP_PLACES[reason]): string {
    return countDropAt(this.counters, reason, place);
  }

  holdPages(pages: Pages): void {
    pages.refs++;
  }

  releasePages(pages: Pages): void {
    assert(pages.refs > 0, 'pages are released as often as they are held');
    if (--pages.refs > 0) return;
    if (pages.user !== undefined) return pages.user.release();
    const size = pages.bytes.length;
    // What the platform gave it does not take back.
    const { fast } = pages;
    if (size === PAGE_BYTES && (fast || this.freePages.length < FREE_PAGES_MAX)) this.freePages.push(pages);
    else if (size === FRAG_PAGE_BYTES && (fast || this.freeFragPages.length < FREE_FRAG_PAGES_MAX))
      this.freeFragPages.push(pages);
  }

  private bare(head: Pages): SkBuff {
    const skb = this.freeSkbs.pop() ?? new SkBuff(head);
    skb.head = head;
    skb.alive = true;
    this.counters.live++;
    return skb;
  }

  private takeOver(twin: SkBuff, skb: SkBuff): void {
    twin.data = skb.data;
    twin.tail = skb.tail;
    twin.macHeader = skb.macHeader;
    twin.networkHeader = skb.networkHeader;
    twin.transportHeader = skb.transportHeader;
    twin.protocol = skb.protocol;
    twin.packetType = skb.packetType;
    twin.ifindex = skb.ifindex;
    twin.checksum = skb.checksum;
    twin.gsoSize = skb.gsoSize;
    twin.gsoSegments = skb.gsoSegments;
    twin.gsoAccecn = skb.gsoAccecn;
    twin.truesize = skb.truesize;
    twin.headFrag = skb.headFrag;
    twin.timestamp = skb.timestamp;
    twin.mark = skb.mark;
    twin.txFlags = skb.txFlags;
    twin.timestampKey = skb.timestampKey;
    twin.traceDevice = skb.traceDevice;
    twin.traceNumber = skb.traceNumber;
    twin.parent = skb.parent;
    twin.cause = skb.cause;
    twin.route = skb.route;
    twin.conntrack = skb.conntrack;
  }

  private reset(skb: SkBuff): void {
    skb.alive = skb.gsoAccecn = false;
    skb.data = skb.tail = skb.fragBytes = skb.macHeader = skb.networkHeader = skb.transportHeader = 0;
    // Setting a length is a call into the runtime even when it stays.
    if (skb.frags.length > 0) skb.frags.length = 0;
    skb.protocol = skb.ifindex = skb.gsoSize = skb.gsoSegments = 0;
    skb.timestamp = skb.mark = skb.truesize = skb.deliveryTime = skb.txFlags = skb.timestampKey = 0;
    skb.traceDevice = skb.traceNumber = skb.parent = skb.cause = 0;
    skb.packetType = 'host';
    skb.checksum = 'none';
    skb.route = skb.conntrack = skb.control = skb.ipOptions = skb.owner = undefined;
    skb.destructor = undefined;
    skb.headFrag = false;
  }
}
