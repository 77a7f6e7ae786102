/**
 * Reassembly (RFC 791 §3.2, RFC 815; Linux: net/ipv4/ip_fragment.c). A queue per (source, target, ID, protocol, user);
 * any overlap throws the whole datagram away; 30 s after the first fragment it is given up. Left out: cutting what was
 * put together for netfilter into fragments of the sizes it came in.
 */
import type { Ipv4 } from '../header/address.ts';
import { ICMP_TYPE, TIME_EXCEEDED } from '../header/icmp.ts';
import { IPV4, IPV4_MF, IPV4_OFFSET_MASK, sealIpv4 } from '../header/ipv4.ts';
import { SECOND, type Timer } from '../platform.ts';
import type { DropReason } from './drop.ts';
import { sharePayload } from './gso.ts';
import type { Host } from './host.ts';
import { icmpSend } from './icmp.ts';
import type { SkBuff } from './skbuff.ts';
import { SysctlNumber } from './sysctl.ts';

/** Linux: net.ipv4.ipfrag_{time,high_thresh,max_dist}. */
const FRAGMENT_SECONDS = 30;
const MEMORY_BYTES_MAX = 4_194_304;
const DISTANCE_MAX = 64;
const LENGTH_MAX = 65_535;
/** What a fragment is charged beyond its octets (truesize), about. */
const OVERHEAD_BYTES = 768;
/** A transport header and its options: kept in one piece for whoever reads it. */
const PULL_MAX = 60;

/** Who asked for it: a packet for us, or connection tracking (which reassembles what only passes, too). */
export type DefragUser = 'local' | 'conntrack-in' | 'conntrack-out';

/** Sources whose fragments are counted, for ipfrag_max_dist (inet_peer_threshold is 65664). */
const SOURCES_MAX = 4_096;
/** By the low bits of TOS: what the fragments of one datagram said of ECN. */
const ECN_NOT_ECT = 1;
const ECN_CE = 8;

interface Piece {
  readonly skb: SkBuff;
  readonly start: number;
  readonly end: number;
}

interface Queue {
  readonly key: string;
  readonly user: DefragUser;
  /** In the order of their offsets. */
  pieces: Piece[];
  /** Stretches that came in order, one after the other (struct sk_buff's frag_run_len). */
  runs: { start: number; end: number }[];
  /** A bit for each value of ECN that was seen (IPFRAG_ECN_*). */
  ecn: number;
  /** How many fragments its source had sent when the last of this datagram came. */
  sourceCount: number;
  /** Octets received; complete when it reaches `length`. */
  meat: number;
  /** Total payload, known when the last fragment came; else -1. */
  length: number;
  bytes: number;
  readonly timer: Timer;
}

export class Fragments {
  readonly seconds: SysctlNumber;
  readonly high: SysctlNumber;
  readonly low: SysctlNumber;
  readonly distance: SysctlNumber;
  readonly queues = new Map<string, Queue>();
  bytes = 0;
  /** Fragments by source (struct inet_peer's rid). */
  private readonly sources = new Map<number, number>();

  constructor(host: Host) {
    this.seconds = host.sysctl.number('net.ipv4.ipfrag_time', FRAGMENT_SECONDS, { min: 1 });
    this.high = new SysctlNumber(MEMORY_BYTES_MAX, { min: 0 });
    this.low = new SysctlNumber(MEMORY_BYTES_MAX - 1_048_576, { min: 0 });
    this.distance = host.sysctl.number('net.ipv4.ipfrag_max_dist', DISTANCE_MAX, { min: 0 });
    // Since 4.17 the low mark does no more than bound the high one, and the other way round.
    bounded(host, 'net.ipv4.ipfrag_high_thresh', this.high, (value) => value >= this.low.value);
    bounded(host, 'net.ipv4.ipfrag_low_thresh', this.low, (value) => value <= this.high.value);
  }

  /** One more fragment of a source; how many that makes. */
  count(source: number): number {
    const count = (this.sources.get(source) ?? 0) + 1;
    if (count === 1 && this.sources.size >= SOURCES_MAX) {
      const [oldest] = this.sources.keys();
      if (oldest !== undefined) this.sources.delete(oldest);
    }
    this.sources.set(source, count);
    return count;
  }
}

function bounded(host: Host, name: string, entry: SysctlNumber, fits: (value: number) => boolean): void {
  host.sysctl.register(name, {
    read: () => entry.read(),
    write: (text) => (fits(Number(text)) ? entry.write(text) : 'EINVAL'),
  });
}

/**
 * Take a fragment. Answers the whole datagram when this was the last that was missing, else undefined: the fragment
 * waits or was dropped. Consumes `skb`; the answer is the caller's. (Linux: ip_defrag)
 */
export function ipDefrag(host: Host, skb: SkBuff, user: DefragUser): SkBuff | undefined {
  const { fragments, snmp } = host;
  snmp.IpReasmReqds++;
  const { view } = skb;
  const ip = skb.networkHeader;
  if (fragments.high.value === 0 || fragments.bytes > fragments.high.value) return failed(host, skb, 'frag_memory');
  const key = `${view.getUint32(ip + IPV4.SOURCE)} ${view.getUint32(ip + IPV4.TARGET)} ${view.getUint16(ip + IPV4.ID)} ${view.getUint8(ip + IPV4.PROTOCOL)} ${user} ${skb.ifindex}`;
  let queue = fragments.queues.get(key);
  if (queue === undefined) {
    const timer = host.softTimer('ip_expire', () => expire(host, key));
    timer.arm(fragments.seconds.value * SECOND);
    queue = { key, user, pieces: [], runs: [], ecn: 0, sourceCount: 0, meat: 0, length: -1, bytes: 0, timer };
    fragments.queues.set(key, queue);
  }
  resetWhenFar(host, queue, view.getUint32(ip + IPV4.SOURCE));
  const reason = insert(host, queue, skb);
  if (reason === 'frag_duplicate') {
    host.skbs.drop(skb, reason);
    return undefined;
  }
  if (reason !== undefined) return failed(host, skb, reason);
  queue.ecn |= 1 << (view.getUint8(ip + IPV4.TOS) & 3);
  if (queue.length < 0 || queue.meat !== queue.length || queue.pieces[0]?.start !== 0) return undefined;
  return reassemble(host, queue);
}

function failed(host: Host, skb: SkBuff, reason: DropReason): undefined {
  host.snmp.IpReasmFails++;
  host.skbs.drop(skb, reason);
  return undefined;
}

/**
 * So many fragments came from this source since the last of this datagram that its ID has been used again: begin anew.
 * (Linux: ip_frag_too_far, ip_frag_reinit)
 */
function resetWhenFar(host: Host, queue: Queue, source: number): void {
  const { fragments } = host;
  const max = fragments.distance.value;
  if (max === 0) return;
  const count = fragments.count(source);
  const far = queue.pieces.length > 0 && count - queue.sourceCount > max;
  queue.sourceCount = count;
  if (!far) return;
  host.snmp.IpReasmFails++;
  for (const piece of queue.pieces) host.skbs.drop(piece.skb, 'frag_too_far');
  fragments.bytes -= queue.bytes;
  Object.assign(queue, { pieces: [], runs: [], ecn: 0, meat: 0, length: -1, bytes: 0 });
  queue.timer.arm(fragments.seconds.value * SECOND);
}

/** Put a fragment in its place; why not, when it cannot be. (Linux: ip_frag_queue, inet_frag_queue_insert) */
function insert(host: Host, queue: Queue, skb: SkBuff): DropReason | undefined {
  const field = skb.view.getUint16(skb.networkHeader + IPV4.FRAGMENT);
  const start = (field & IPV4_OFFSET_MASK) * 8;
  const more = (field & IPV4_MF) !== 0;
  const headerLength = skb.transportHeader - skb.data;
  // Whatever follows the last whole eight octets of a fragment with more to come is cut off, as Linux does.
  const size = more ? (skb.length - headerLength) & ~7 : skb.length - headerLength;
  const end = start + size;
  if (size <= 0 || end > LENGTH_MAX - IPV4.SIZE) return discard(host, queue, 'frag_malformed');
  if (headerLength + size < skb.length) {
    host.skbs.linearize(skb);
    skb.trim(headerLength + size);
  }
  if (!more) {
    const short = queue.pieces.some((piece) => piece.end > end);
    if (short || (queue.length >= 0 && queue.length !== end)) return discard(host, queue, 'frag_malformed');
    queue.length = end;
  } else if (queue.length >= 0 && end > queue.length) {
    return discard(host, queue, 'frag_malformed');
  }
  // An exact repetition is dropped alone; any other overlap ends the datagram (RFC 8200 §4.5, for IPv4 since 4.20).
  const clash = join(queue, start, end);
  if (clash === 'frag_duplicate') return clash;
  if (clash !== undefined) {
    host.snmp.IpExtReasmOverlaps++;
    return discard(host, queue, clash);
  }
  const at = queue.pieces.findIndex((piece) => piece.start > start);
  queue.pieces.splice(at < 0 ? queue.pieces.length : at, 0, { skb, start, end });
  queue.meat += size;
  queue.bytes += size + OVERHEAD_BYTES;
  host.fragments.bytes += size + OVERHEAD_BYTES;
  return undefined;
}

/** Whether a stretch is free, and to which run it belongs from now on. (Linux: inet_frag_queue_insert) */
function join(queue: Queue, start: number, end: number): 'frag_duplicate' | 'frag_overlap' | undefined {
  const { runs, pieces } = queue;
  const last = pieces[pieces.length - 1];
  if (last !== undefined && last.end < end) {
    if (start < last.end) return 'frag_overlap';
    const run = runs.find((one) => one.end === start && one.end === last.end);
    if (run !== undefined) {
      run.end = end;
      return undefined;
    }
  } else if (last !== undefined) {
    const met = runs.find((run) => run.start < end && start < run.end);
    if (met !== undefined) return start >= met.start && end <= met.end ? 'frag_duplicate' : 'frag_overlap';
  }
  runs.push({ start, end });
  return undefined;
}

/** Give a datagram up: what came of it so far is dropped for the same reason. */
function discard(host: Host, queue: Queue, reason: DropReason): DropReason {
  remove(host, queue);
  for (const piece of queue.pieces) host.skbs.drop(piece.skb, reason);
  queue.pieces = [];
  return reason;
}

function remove(host: Host, queue: Queue): void {
  queue.timer.stop();
  host.fragments.queues.delete(queue.key);
  host.fragments.bytes -= queue.bytes;
  queue.bytes = 0;
}

/** One packet of all: the first fragment with the payload of the others as frags, nothing copied. (ip_frag_reasm) */
function reassemble(host: Host, queue: Queue): SkBuff | undefined {
  remove(host, queue);
  const [first, ...rest] = queue.pieces;
  if (first === undefined) return undefined;
  const { skb } = first;
  // RFC 3168 §5.3: some ECN-capable and some not is nobody's packet.
  if ((queue.ecn & ECN_NOT_ECT) !== 0 && queue.ecn !== ECN_NOT_ECT) {
    host.snmp.IpReasmFails++;
    discard(host, queue, 'frag_malformed');
    return undefined;
  }
  for (const piece of rest) {
    sharePayload(piece.skb, skb, piece.skb.transportHeader - piece.skb.data, piece.end - piece.start);
    host.skbs.consume(piece.skb);
  }
  // The sums of the parts say nothing of the whole: whoever takes it checks.
  skb.checksum = 'none';
  const headerLength = skb.transportHeader - skb.networkHeader;
  if (first.end < PULL_MAX) host.skbs.linearize(skb);
  else host.skbs.cow(skb);
  skb.view.setUint16(skb.networkHeader + IPV4.TOTAL_LENGTH, headerLength + queue.length);
  skb.view.setUint16(skb.networkHeader + IPV4.FRAGMENT, 0);
  if ((queue.ecn & ECN_CE) !== 0)
    skb.view.setUint8(skb.networkHeader + IPV4.TOS, skb.view.getUint8(skb.networkHeader + IPV4.TOS) | 3);
  sealIpv4(skb.bytes, skb.view, skb.networkHeader, headerLength);
  host.snmp.IpReasmOKs++;
  if (host.trace.on) host.trace.point('ip_defrag', skb, { fragments: queue.pieces.length, length: skb.length });
  return skb;
}

/** Time is up: the sender hears of it when we have the first fragment, and it was for us. (Linux: ip_expire) */
function expire(host: Host, key: string): void {
  const queue = host.fragments.queues.get(key);
  if (queue === undefined) return;
  host.snmp.IpReasmFails++;
  host.snmp.IpReasmTimeout++;
  const first = queue.pieces[0];
  if (first !== undefined && first.start === 0) {
    const target = first.skb.view.getUint32(first.skb.networkHeader + IPV4.TARGET) as Ipv4;
    const forUs = queue.user === 'local' || host.routes.addressType(target) === 'local';
    if (forUs) icmpSend(host, first.skb, ICMP_TYPE.TIME_EXCEEDED, TIME_EXCEEDED.REASSEMBLY, 0);
  }
  discard(host, queue, 'frag_timeout');
}
