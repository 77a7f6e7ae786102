/** TCP packets made by hand for tests of cards: headers as asked, payload a count, sums right. */
import type { Ipv4, Mac } from '../../shared/header/address.ts';
import { ETHERNET, ETHERTYPE, emitEthernet } from '../../shared/header/ethernet.ts';
import { emitIpv4, IPV4, IPV4_DF, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP } from '../../shared/header/tcp.ts';
import { completeChecksum } from '../../shared/net/gso.ts';
import type { Host } from '../../shared/net/host.ts';
import { HEADROOM, type SkBuff } from '../../shared/net/skbuff.ts';
import { type ChecksumVerdict, copyVerified } from '../../shared/nic/offload.ts';
import { assert } from '../../shared/platform.ts';

export interface TcpFrame {
  readonly source?: Ipv4;
  readonly target?: Ipv4;
  readonly sourceMac?: Mac;
  readonly targetMac?: Mac;
  readonly ports?: number;
  readonly sequence?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly id?: number;
  readonly ttl?: number;
  readonly tos?: number;
  /** Words of options. */
  readonly options?: readonly number[];
  readonly payload?: number;
  /** Octets of the payload that stand in the head; the rest in frags of uneven lengths. */
  readonly inHead?: number;
  readonly firstOctet?: number;
}

/** An sk_buff as TCP hands it down, link header in place, checksum 'partial'. The caller's. */
export function tcpSkb(host: Host, frame: TcpFrame = {}): SkBuff {
  const { options = [], payload = 0, inHead = Math.min(payload, 100), firstOctet = 0 } = frame;
  const header = TCP.SIZE + options.length * 4;
  const headers = ETHERNET.SIZE + IPV4.SIZE + header;
  const skb = host.skbs.alloc(HEADROOM + headers + inHead);
  skb.reserve(HEADROOM);
  const at = skb.put(headers + inHead);
  const { view, bytes } = skb;
  skb.macHeader = at;
  skb.networkHeader = at + ETHERNET.SIZE;
  skb.transportHeader = skb.networkHeader + IPV4.SIZE;
  skb.protocol = ETHERTYPE.IPV4;
  const { targetMac = 0x0200_0000_0002 as Mac, sourceMac = 0x0200_0000_0001 as Mac } = frame;
  emitEthernet(view, at, { target: targetMac, source: sourceMac, type: ETHERTYPE.IPV4 });
  emitIpv4(bytes, view, skb.networkHeader, {
    tos: frame.tos ?? 0,
    totalLength: IPV4.SIZE + header + payload,
    id: frame.id ?? 7,
    fragment: IPV4_DF,
    ttl: frame.ttl ?? 64,
    protocol: PROTOCOL.TCP,
    source: frame.source ?? (0x0a00_0001 as Ipv4),
    target: frame.target ?? (0x0a00_0002 as Ipv4),
  });
  const tcp = skb.transportHeader;
  view.setUint32(tcp, frame.ports ?? 0x1234_0050);
  view.setUint32(tcp + TCP.SEQUENCE, frame.sequence ?? 1_000);
  view.setUint32(tcp + TCP.ACKNOWLEDGEMENT, frame.ack ?? 2_000);
  bytes[tcp + TCP.OFFSET] = (header / 4) << 4;
  bytes[tcp + TCP.FLAGS] = frame.flags ?? 0x10;
  view.setUint16(tcp + TCP.WINDOW, frame.window ?? 500);
  view.setUint32(tcp + TCP.CHECKSUM, 0);
  options.forEach((word, i) => {
    view.setUint32(tcp + TCP.SIZE + i * 4, word);
  });
  let octet = firstOctet;
  for (let i = 0; i < inHead; i++) bytes[at + headers + i] = octet++ * 7;
  let left = payload - inHead;
  for (let n = 0; left > 0; n++) {
    const length = Math.min(left, 1_001 + n * 333);
    const pages = host.skbs.pages(32_768);
    for (let i = 0; i < length; i++) pages.bytes[17 + i] = octet++ * 7;
    skb.addFrag(pages, 17, length);
    left -= length;
  }
  skb.checksum = 'partial';
  return skb;
}

/** The octets of a frame with its checksum filled in, as a card without offloads would get it. Consumes `skb`. */
export function frameBytes(host: Host, skb: SkBuff): Uint8Array {
  completeChecksum(skb);
  const bytes = new Uint8Array(Math.max(skb.length, 60));
  skb.copyBits(0, skb.length, bytes, 0);
  host.skbs.consume(skb);
  return bytes;
}

/** What a card says of the checksum in a frame that it copies, whole and nothing beside it. */
export function cardVerdict(host: Host, frame: Uint8Array): ChecksumVerdict {
  const [from, to] = [frame, new Uint8Array(frame.length + 8)].map((bytes) => ({
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  }));
  const verdict = copyVerified(from!, 0, frame.length, to!, 4, host.platform);
  const around = [...to!.bytes.subarray(0, 4), ...to!.bytes.subarray(frame.length + 4)];
  assert(
    Buffer.compare(to!.bytes.subarray(4, -4), frame) === 0 && around.every((octet) => octet === 0),
    'copied whole',
  );
  return verdict;
}
