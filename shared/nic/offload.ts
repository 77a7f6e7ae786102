/**
 * What the card does on the way out so that the stack need not: cut a large TCP packet into segments while it is copied
 * to the cable (TSO), and fill in transport checksums. On the way in: check them. The rules for the headers of segments
 * are Linux's tcp_gso_segment: IDs count up, FIN and PSH stand on the last segment alone, CWR on the first alone.
 */
import { finish, fold, pseudoHeaderSum, sumView } from '../header/checksum.ts';
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
import { copyBytes, Gather } from './dma.ts';
import type { Phy } from './phy.ts';

const gather = new Gather();
const PLAIN: Pick<Platform, 'sum'> = { sum: sumView };

/** Write one packet to the cable as one frame. The sk_buff stays the caller's. */
export function transmitFrame(phy: Phy, skb: SkBuff): void {
  const length = skb.length;
  const size = Math.max(length, FRAME_SIZE_MIN);
  const at = phy.start(size, skb.traceDevice, skb.traceNumber, skb.cause);
  const { bytes } = phy.out;
  gather.begin(skb, 0);
  gather.copy(length, bytes, at);
  gather.end(skb);
  if (length < size) bytes.fill(0, at + length, at + size);
  if (skb.checksum === 'partial') {
    const ip = at + skb.networkHeader - skb.data;
    fillChecksum(phy, ip, at + skb.transportHeader - skb.data, at + length);
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
  let segments = 0;
  gather.begin(skb, headers);
  for (let done = 0; done < payload; done += gsoSize) {
    const length = Math.min(gsoSize, payload - done);
    const used = headers + length;
    const size = Math.max(used, FRAME_SIZE_MIN);
    const at = phy.start(size, skb.traceDevice, skb.traceNumber, skb.cause);
    const { bytes } = phy.out;
    copyBytes(skb.bytes, skb.data, headers, bytes, at);
    gather.copy(length, bytes, at + headers);
    if (used < size) bytes.fill(0, at + used, at + size);
    patchSegment(phy, {
      ip: at + ipOffset,
      tcp: at + tcpOffset,
      end: at + used,
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
  readonly end: number;
  /** Payload octets in the segments before this one. */
  readonly done: number;
  readonly index: number;
  readonly last: boolean;
  /** CWR is part of a count: all segments keep it. */
  readonly accecn: boolean;
}

function patchSegment(phy: Phy, { ip, tcp, end, done, index, last, accecn }: SegmentPlace): void {
  const { bytes, view } = phy.out;
  view.setUint16(ip + IPV4.TOTAL_LENGTH, end - ip);
  view.setUint16(ip + IPV4.ID, (view.getUint16(ip + IPV4.ID) + index) & 0xffff);
  sealIpv4(bytes, view, ip, tcp - ip);
  view.setUint32(tcp + TCP.SEQUENCE, (view.getUint32(tcp + TCP.SEQUENCE) + done) >>> 0);
  let flags = bytes[tcp + TCP.FLAGS]!;
  if (!last) flags &= ~(TCP_FLAG.FIN | TCP_FLAG.PSH);
  if (done > 0 && !accecn) flags &= ~TCP_FLAG.CWR;
  bytes[tcp + TCP.FLAGS] = flags;
  fillChecksum(phy, ip, tcp, end);
}

/** Compute a TCP or UDP checksum whole, from the headers as they stand on the cable. */
function fillChecksum({ out, platform }: Phy, ip: number, transport: number, end: number): void {
  const { bytes, view } = out;
  const protocol = bytes[ip + IPV4.PROTOCOL]!;
  const udp = protocol === PROTOCOL.UDP;
  if (!udp && protocol !== PROTOCOL.TCP) return;
  const field = transport + (udp ? UDP.CHECKSUM : TCP.CHECKSUM);
  view.setUint16(field, 0);
  const pseudo = pseudoSum(view, ip, protocol, end - transport);
  const sum = finish(platform.sum(view, transport, end) + pseudo);
  // UDP: a computed zero is sent as all ones, since zero means no checksum (RFC 768).
  view.setUint16(field, sum === 0 && udp ? 0xffff : sum);
}

function pseudoSum(view: DataView, ip: number, protocol: number, length: number): number {
  return pseudoHeaderSum(view.getUint32(ip + IPV4.SOURCE), finalTargetOf(view, ip), protocol, length);
}

/** What the card can say of a received frame's transport checksum; `unknown` is left to the stack. */
export type ChecksumVerdict = 'good' | 'bad' | 'unknown';

/** Look at the frame in bytes[at, at + size). Only whole TCP and UDP packets over IPv4 are checked. */
export function verifyChecksum(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  size: number,
  platform: Pick<Platform, 'sum'> = PLAIN,
): ChecksumVerdict {
  if (view.getUint16(at + ETHERNET.TYPE) !== ETHERTYPE.IPV4 || size < ETHERNET.SIZE + IPV4.SIZE) return 'unknown';
  const ip = at + ETHERNET.SIZE;
  const protocol = bytes[ip + IPV4.PROTOCOL]!;
  if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP) return 'unknown';
  if (bytes[ip]! >>> 4 !== 4) return 'unknown';
  if ((view.getUint16(ip + IPV4.FRAGMENT) & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0) return 'unknown';
  const transport = ip + ipv4HeaderLength(view, ip);
  const end = ip + view.getUint16(ip + IPV4.TOTAL_LENGTH);
  const smallest = protocol === PROTOCOL.UDP ? UDP.SIZE : TCP.SIZE;
  if (end > at + size || transport + smallest > end || transport < ip + IPV4.SIZE) return 'unknown';
  if (protocol === PROTOCOL.UDP) {
    // No checksum, or a length that does not fit: the stack's to judge.
    if (view.getUint16(transport + UDP.CHECKSUM) === 0) return 'unknown';
    if (view.getUint16(transport + UDP.LENGTH) !== end - transport) return 'unknown';
  }
  const sum = platform.sum(view, transport, end) + pseudoSum(view, ip, protocol, end - transport);
  return fold(sum) === 0xffff ? 'good' : 'bad';
}
