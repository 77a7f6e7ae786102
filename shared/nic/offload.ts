/**
 * What the card does on the way out so that the stack need not: cut a large TCP packet into segments while it is copied
 * to the cable (TSO), and fill in transport checksums. On the way in: check them. The rules for the headers of segments
 * are Linux's tcp_gso_segment: IDs count up, FIN and PSH stand on the last segment alone, CWR on the first alone.
 */
import { finish, fold, pseudoHeaderSum } from '../header/checksum.ts';
import { ETHERNET, ETHERTYPE, FRAME_SIZE_MIN } from '../header/ethernet.ts';
import {
  finalTargetOf,
  IPV4,
  IPV4_MF,
  IPV4_OFFSET_MASK,
  ipv4HeaderLength,
  PROTOCOL,
  sealIpv4,
} from '../header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../header/tcp.ts';
import { UDP } from '../header/udp.ts';
import type { SkBuff } from '../net/skbuff.ts';
import type { Platform } from '../platform.ts';
import { Gather } from './dma.ts';
import type { Phy } from './phy.ts';

const gather = new Gather();

/** Write one packet to the cable as one frame. The sk_buff stays the caller's. */
export function transmitFrame(phy: Phy, skb: SkBuff): void {
  const length = skb.length;
  const size = Math.max(length, FRAME_SIZE_MIN);
  const at = phy.start(size, skb.traceDevice, skb.traceNumber, skb.cause);
  const { bytes, view } = phy.out;
  gather.begin(skb, 0);
  gather.copy(phy.platform, length, view, at);
  gather.end(skb);
  if (length < size) bytes.fill(0, at + length, at + size);
  if (skb.checksum === 'partial') {
    const ip = at + skb.networkHeader - skb.data;
    fillChecksum(phy, ip, at + skb.transportHeader - skb.data, at + length, at + length, 0);
  }
  phy.finish();
}

/** Cut a packet into segments of gsoSize on the cable; how many there were. The sk_buff stays the caller's. */
export function transmitSegments(phy: Phy, skb: SkBuff): number {
  const ipOffset = skb.networkHeader - skb.data;
  const tcpOffset = skb.transportHeader - skb.data;
  const headers = tcpOffset + tcpHeaderLength(skb.view, skb.transportHeader);
  const payload = skb.length - headers;
  const { gsoSize } = skb;
  const { platform } = phy;
  let segments = 0;
  gather.begin(skb, headers);
  for (let done = 0; done < payload; done += gsoSize) {
    const length = Math.min(gsoSize, payload - done);
    const used = headers + length;
    const size = Math.max(used, FRAME_SIZE_MIN);
    const at = phy.start(size, skb.traceDevice, skb.traceNumber, skb.cause);
    const { bytes, view } = phy.out;
    platform.copy(skb.view, skb.data, headers, view, at);
    const sum = gather.copySum(platform, length, view, at + headers);
    if (used < size) bytes.fill(0, at + used, at + size);
    patchSegment(phy, {
      ip: at + ipOffset,
      tcp: at + tcpOffset,
      payload: at + headers,
      end: at + used,
      sum,
      done,
      index: segments,
      last: done + length === payload,
      accecn: skb.gsoAccecn,
    });
    phy.finish();
    segments++;
  }
  gather.end(skb);
  return segments;
}

interface SegmentPlace {
  readonly ip: number;
  readonly tcp: number;
  readonly payload: number;
  readonly end: number;
  /** Of the payload. */
  readonly sum: number;
  /** Payload octets in the segments before this one. */
  readonly done: number;
  readonly index: number;
  readonly last: boolean;
  /** CWR is part of a count: all segments keep it. */
  readonly accecn: boolean;
}

function patchSegment(phy: Phy, place: SegmentPlace): void {
  const { ip, tcp, payload, end, sum, done, index, last, accecn } = place;
  const { bytes, view } = phy.out;
  view.setUint16(ip + IPV4.TOTAL_LENGTH, end - ip);
  view.setUint16(ip + IPV4.ID, (view.getUint16(ip + IPV4.ID) + index) & 0xffff);
  sealIpv4(bytes, view, ip, tcp - ip);
  view.setUint32(tcp + TCP.SEQUENCE, (view.getUint32(tcp + TCP.SEQUENCE) + done) >>> 0);
  let flags = bytes[tcp + TCP.FLAGS]!;
  if (!last) flags &= ~(TCP_FLAG.FIN | TCP_FLAG.PSH);
  if (done > 0 && !accecn) flags &= ~TCP_FLAG.CWR;
  bytes[tcp + TCP.FLAGS] = flags;
  fillChecksum(phy, ip, tcp, payload, end, sum);
}

/**
 * Compute a TCP or UDP checksum whole, from the headers as they stand on the cable. The sum of [rest, end) is known to be
 * `restSum`; what is in front of it is of even length.
 */
function fillChecksum(
  { out, platform }: Phy,
  ip: number,
  transport: number,
  rest: number,
  end: number,
  restSum: number,
): void {
  const { bytes, view } = out;
  const protocol = bytes[ip + IPV4.PROTOCOL]!;
  const udp = protocol === PROTOCOL.UDP;
  if (!udp && protocol !== PROTOCOL.TCP) return;
  const field = transport + (udp ? UDP.CHECKSUM : TCP.CHECKSUM);
  view.setUint16(field, 0);
  const pseudo = pseudoSum(view, ip, protocol, end - transport);
  const sum = finish(platform.sum(view, transport, rest) + restSum + pseudo);
  // UDP: a computed zero is sent as all ones, since zero means no checksum (RFC 768).
  view.setUint16(field, sum === 0 && udp ? 0xffff : sum);
}

function pseudoSum(view: DataView, ip: number, protocol: number, length: number): number {
  return pseudoHeaderSum(view.getUint32(ip + IPV4.SOURCE), finalTargetOf(view, ip), protocol, length);
}

/** What the card can say of a received frame's transport checksum; `unknown` is left to the stack. */
export type ChecksumVerdict = 'good' | 'bad' | 'unknown';

/** Where frames stand: a batch, a page. */
export interface FrameRoom {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * Copy the frame in from.bytes[at, at + size) to `place` of `to`, and look at its checksum in passing. Only whole TCP and
 * UDP packets over IPv4 are checked.
 */
export function copyVerified(
  from: FrameRoom,
  at: number,
  size: number,
  to: FrameRoom,
  place: number,
  platform: Platform,
): ChecksumVerdict {
  const { view } = from;
  const transport = transportAt(from, at, size);
  if (transport < 0) {
    platform.copy(view, at, size, to.view, place);
    return 'unknown';
  }
  const ip = at + ETHERNET.SIZE;
  const end = ip + view.getUint16(ip + IPV4.TOTAL_LENGTH);
  const sum = platform.copySum(view, transport, end - transport, to.view, place + transport - at);
  platform.copy(view, at, transport - at, to.view, place);
  if (end < at + size) platform.copy(view, end, at + size - end, to.view, place + end - at);
  return fold(sum + pseudoSum(view, ip, from.bytes[ip + IPV4.PROTOCOL]!, end - transport)) === 0xffff ? 'good' : 'bad';
}

/** Where the TCP or UDP header of a frame begins, when its checksum can be told right from wrong by the card; or -1. */
function transportAt({ bytes, view }: FrameRoom, at: number, size: number): number {
  if (view.getUint16(at + ETHERNET.TYPE) !== ETHERTYPE.IPV4 || size < ETHERNET.SIZE + IPV4.SIZE) return -1;
  const ip = at + ETHERNET.SIZE;
  const protocol = bytes[ip + IPV4.PROTOCOL]!;
  if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP) return -1;
  if (bytes[ip]! >>> 4 !== 4) return -1;
  if ((view.getUint16(ip + IPV4.FRAGMENT) & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0) return -1;
  const transport = ip + ipv4HeaderLength(view, ip);
  const end = ip + view.getUint16(ip + IPV4.TOTAL_LENGTH);
  const smallest = protocol === PROTOCOL.UDP ? UDP.SIZE : TCP.SIZE;
  if (end > at + size || transport + smallest > end || transport < ip + IPV4.SIZE) return -1;
  if (protocol === PROTOCOL.UDP) {
    // No checksum, or a length that does not fit: the stack's to judge.
    if (view.getUint16(transport + UDP.CHECKSUM) === 0) return -1;
    if (view.getUint16(transport + UDP.LENGTH) !== end - transport) return -1;
  }
  return transport;
}
