/**
 * What the stack does for a card that cannot: the transport checksum (skb_checksum_help), and cutting a large TCP
 * packet into segments (skb_gso_segment, tcp_gso_segment). Segments share the payload's pages; only headers are copied.
 */
import { finish, fold, pseudoHeaderSum, sumBytes } from '../header/checksum.ts';
import { finalTargetOf, IPV4, ipv4HeaderLength, PROTOCOL, sealIpv4 } from '../header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../header/tcp.ts';
import { UDP } from '../header/udp.ts';
import { assert } from '../platform.ts';
import type { Host } from './host.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';
import { TX_FLAG } from './timestamping.ts';

/** The folded sum of everything from offset `at` in the head to the end, frags included (skb_checksum). */
export function skbSum(skb: SkBuff, at: number): number {
  let sum = fold(sumBytes(skb.bytes, at, skb.tail));
  let odd = (skb.tail - at) & 1;
  for (const frag of skb.frags) {
    const part = fold(sumBytes(frag.pages.bytes, frag.offset, frag.offset + frag.length));
    // A part that starts at an odd place has its octets in the other halves of the words.
    sum = fold(sum + (odd === 1 ? ((part & 255) << 8) | (part >>> 8) : part));
    odd ^= frag.length & 1;
  }
  return sum;
}

/** Whether the TCP or UDP checksum is right, from transportHeader to the end (skb_checksum_validate). */
export function transportChecksumOk(skb: SkBuff, protocol: number): boolean {
  if (skb.checksum !== 'none') return true;
  const source = skb.view.getUint32(skb.networkHeader + IPV4.SOURCE);
  const target = skb.view.getUint32(skb.networkHeader + IPV4.TARGET);
  const length = skb.tail - skb.transportHeader + skb.fragBytes;
  const sum = skbSum(skb, skb.transportHeader) + pseudoHeaderSum(source, target, protocol, length);
  return fold(sum) === 0xffff;
}

/** Where the checksum field of a protocol is, from its header; undefined for one without a pseudo-header. */
export function checksumOffset(protocol: number): number | undefined {
  if (protocol === PROTOCOL.TCP) return TCP.CHECKSUM;
  return protocol === PROTOCOL.UDP ? UDP.CHECKSUM : undefined;
}

/** Compute a 'partial' checksum whole and write it. The skb stays the caller's. (Linux: skb_checksum_help) */
export function completeChecksum(skb: SkBuff): void {
  if (skb.checksum !== 'partial') return;
  const { view } = skb;
  const ip = skb.networkHeader;
  const protocol = view.getUint8(ip + IPV4.PROTOCOL);
  const offset = checksumOffset(protocol);
  skb.checksum = 'none';
  if (offset === undefined) return;
  const at = skb.transportHeader;
  view.setUint16(at + offset, 0);
  const length = skb.tail - at + skb.fragBytes;
  const pseudo = pseudoHeaderSum(view.getUint32(ip + IPV4.SOURCE), finalTargetOf(view, ip), protocol, length);
  const sum = finish(skbSum(skb, at) + pseudo);
  // UDP: a computed zero is sent as all ones, since zero means no checksum (RFC 768).
  view.setUint16(at + offset, sum === 0 && protocol === PROTOCOL.UDP ? 0xffff : sum);
}

/**
 * Cut a TCP packet of several segments into packets of their own, from skb.data on. Consumes `skb`; the segments are
 * the caller's. IDs count up, FIN and PSH stand on the last alone, CWR on the first alone unless it
 * is part of a count. (Linux: tcp_gso_segment)
 */
export function gsoSegment(host: Host, skb: SkBuff): SkBuff[] {
  const headers = skb.transportHeader - skb.data + tcpHeaderLength(skb.view, skb.transportHeader);
  const payload = skb.length - headers;
  assert(skb.gsoSize > 0 && headers <= skb.headLength, 'a packet to cut has its headers in the head');
  const segments: SkBuff[] = [];
  for (let at = 0; at < payload; at += skb.gsoSize) {
    segments.push(cutSegment(host, skb, { headers, at, length: Math.min(skb.gsoSize, payload - at), payload }));
  }
  // The socket's memory is charged until the last segment is gone.
  const last = segments[segments.length - 1];
  if (last !== undefined) {
    last.destructor = skb.destructor;
    last.owner = skb.owner;
    last.truesize = skb.truesize;
    skb.destructor = undefined;
  }
  host.skbs.consume(skb);
  return segments;
}

interface Cut {
  readonly headers: number;
  readonly at: number;
  readonly length: number;
  readonly payload: number;
}

function cutSegment(host: Host, skb: SkBuff, cut: Cut): SkBuff {
  const segment = host.skbs.alloc(HEADROOM + cut.headers);
  segment.reserve(HEADROOM);
  segment.put(cut.headers);
  segment.bytes.set(skb.bytes.subarray(skb.data, skb.data + cut.headers), HEADROOM);
  sharePayload(skb, segment, cut.headers + cut.at, cut.length);
  const shift = HEADROOM - skb.data;
  segment.macHeader = skb.macHeader + shift;
  segment.networkHeader = skb.networkHeader + shift;
  segment.transportHeader = skb.transportHeader + shift;
  segment.protocol = skb.protocol;
  segment.packetType = skb.packetType;
  segment.ifindex = skb.ifindex;
  segment.timestamp = skb.timestamp;
  segment.mark = skb.mark;
  segment.checksum = 'partial';
  segment.traceDevice = skb.traceDevice;
  segment.traceNumber = skb.traceNumber;
  segment.parent = skb.parent;
  segment.cause = skb.cause;
  segment.route = skb.route;
  segment.conntrack = skb.conntrack;

  const { view } = segment;
  const ip = segment.networkHeader;
  const tcp = segment.transportHeader;
  const index = cut.at / skb.gsoSize;
  view.setUint16(ip + IPV4.TOTAL_LENGTH, segment.tail - ip + segment.fragBytes);
  view.setUint16(ip + IPV4.ID, (view.getUint16(ip + IPV4.ID) + index) & 0xffff);
  sealIpv4(segment.bytes, view, ip, ipv4HeaderLength(view, ip));
  const seq = (view.getUint32(tcp + TCP.SEQUENCE) + cut.at) >>> 0;
  view.setUint32(tcp + TCP.SEQUENCE, seq);
  // The time stamp is that of the segment with the octet it was asked for (tcp_gso_tstamp).
  if ((skb.txFlags & TX_FLAG.SOFTWARE) !== 0 && (skb.timestampKey - seq) >>> 0 < cut.length) {
    segment.txFlags = TX_FLAG.SOFTWARE;
    segment.timestampKey = skb.timestampKey;
    segment.owner = skb.owner;
  }
  let flags = view.getUint8(tcp + TCP.FLAGS);
  if (cut.at + cut.length < cut.payload) flags &= ~(TCP_FLAG.FIN | TCP_FLAG.PSH);
  if (cut.at > 0 && !skb.gsoAccecn) flags &= ~TCP_FLAG.CWR;
  view.setUint8(tcp + TCP.FLAGS, flags);
  return segment;
}

/** Let `to` refer to `length` octets of `from`, counted from `skip` octets after its data, without copying them. */
export function sharePayload(from: SkBuff, to: SkBuff, skip: number, length: number): void {
  const inHead = Math.min(length, Math.max(0, from.headLength - skip));
  if (inHead > 0) {
    to.addFrag(from.head, from.data + skip, inHead);
    length -= inHead;
  }
  skip = Math.max(0, skip - from.headLength);
  for (const frag of from.frags) {
    if (length === 0) return;
    if (skip >= frag.length) {
      skip -= frag.length;
      continue;
    }
    const n = Math.min(length, frag.length - skip);
    to.addFrag(frag.pages, frag.offset + skip, n);
    length -= n;
    skip = 0;
  }
}
