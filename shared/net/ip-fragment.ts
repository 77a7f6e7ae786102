/** Cutting packets that are longer than the next link carries (RFC 791 §3.2; Linux: ip_do_fragment's slow path). */
import { IPV4, IPV4_MF, IPV4_OFFSET_MASK, sealIpv4 } from '../header/ipv4.ts';
import { completeChecksum } from './gso.ts';
import type { Host } from './host.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';

/** Options with this bit stand in every fragment, others in the first alone (RFC 791 §3.1). */
const OPTION_COPIED = 0x80;
const OPTION_NOP = 1;

/** The fragments of a packet without DF, in order; data is copied (the third copy of the path). Consumes `skb`. */
export function ipFragment(host: Host, skb: SkBuff, mtu: number): SkBuff[] {
  completeChecksum(skb);
  const headerLength = skb.transportHeader - skb.networkHeader;
  const total = skb.length - headerLength;
  const room = (mtu - headerLength) & ~7;
  const fragments: SkBuff[] = [];
  if (room < 8) {
    host.snmp.IpFragFails++;
    host.skbs.drop(skb, 'ip_too_big', 'ip_do_fragment');
    return fragments;
  }
  for (let at = 0; at < total; at += room) {
    const length = Math.min(room, total - at);
    fragments.push(cut(host, skb, { headerLength, at, length, last: at + length >= total }));
    host.snmp.IpFragCreates++;
  }
  const last = fragments[fragments.length - 1];
  if (last !== undefined) {
    last.destructor = skb.destructor;
    last.owner = skb.owner;
    last.truesize = skb.truesize;
    skb.destructor = undefined;
  }
  const first = fragments[0];
  if (first !== undefined && skb.txFlags !== 0) {
    first.txFlags = skb.txFlags;
    first.timestampKey = skb.timestampKey;
    first.owner = skb.owner;
  }
  host.snmp.IpFragOKs++;
  if (host.trace.on) host.trace.point('ip_fragment', skb, { mtu, fragments: fragments.length, length: skb.length });
  host.skbs.consume(skb);
  return fragments;
}

interface Cut {
  readonly headerLength: number;
  readonly at: number;
  readonly length: number;
  readonly last: boolean;
}

function cut(host: Host, skb: SkBuff, { headerLength, at, length, last }: Cut): SkBuff {
  const piece = host.skbs.alloc(HEADROOM + headerLength + length);
  piece.reserve(HEADROOM);
  const ip = piece.put(headerLength + length);
  piece.bytes.set(skb.bytes.subarray(skb.networkHeader, skb.networkHeader + headerLength), ip);
  skb.copyBits(headerLength + at, length, piece.bytes, ip + headerLength);
  host.skbs.counters.copies.fragment++;
  host.skbs.counters.copiedBytes.fragment += length;
  piece.networkHeader = ip;
  piece.transportHeader = ip + headerLength;
  piece.protocol = skb.protocol;
  piece.packetType = skb.packetType;
  piece.ifindex = skb.ifindex;
  piece.mark = skb.mark;
  piece.route = skb.route;
  piece.conntrack = skb.conntrack;
  piece.traceDevice = skb.traceDevice;
  piece.traceNumber = skb.traceNumber;
  piece.parent = skb.parent;
  piece.cause = skb.cause;

  const { view } = piece;
  const before = view.getUint16(ip + IPV4.FRAGMENT);
  // A fragment that is cut again keeps its place and, on its last part, its MF.
  const offset = (before & IPV4_OFFSET_MASK) + (at >>> 3);
  const more = last ? before & IPV4_MF : IPV4_MF;
  view.setUint16(ip + IPV4.FRAGMENT, (before & ~(IPV4_OFFSET_MASK | IPV4_MF)) | more | offset);
  view.setUint16(ip + IPV4.TOTAL_LENGTH, headerLength + length);
  if (at > 0) blankOptions(piece, ip, headerLength);
  sealIpv4(piece.bytes, view, ip, headerLength);
  return piece;
}

/** Options that later fragments do not carry become no-operations. (Linux: ip_options_fragment) */
function blankOptions(piece: SkBuff, ip: number, headerLength: number): void {
  const { view } = piece;
  const end = ip + headerLength;
  for (let at = ip + IPV4.SIZE; at < end; ) {
    const kind = view.getUint8(at);
    if (kind === 0) return;
    const length = kind === OPTION_NOP ? 1 : Math.max(2, at + 1 < end ? view.getUint8(at + 1) : 2);
    if ((kind & OPTION_COPIED) === 0) piece.bytes.fill(OPTION_NOP, at, Math.min(at + length, end));
    at += length;
  }
}
