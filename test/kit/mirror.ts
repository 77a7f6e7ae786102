/**
 * What a peer might answer to a frame, made from the frame alone: an ARP reply, an echo reply, a DNS answer, the next
 * segment of a TCP connection, or an ICMP error about it. Not a stack: a way for a fuzz test to get a device beyond the
 * first packet of everything, with answers that fit its ports, identities and sequence numbers.
 */
import { type Ipv4, type Mac, readMac } from '../../shared/header/address.ts';
import { ARP_REPLY, ARP_REQUEST, parseArp } from '../../shared/header/arp.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import { isMalformed } from '../../shared/header/malformed.ts';
import { TCP, TCP_FLAG } from '../../shared/header/tcp.ts';
import { UDP } from '../../shared/header/udp.ts';
import type { Random } from '../../shared/platform.ts';
import { arpFrame, ethernetFrame, icmpMessage, ipPacket, repairSums } from './frames.ts';
import { pick } from './mutate.ts';
import { randomBytes } from './random.ts';

const SEGMENT_BYTES_MAX = 1_400;
/** RFC 7413: the option's kind, and a cookie of four octets at least. */
const COOKIE = 34;
const COOKIE_MIN = 6;
const DNS = { HEADER: 12, PORT: 53 } as const;

const viewOf = (frame: Uint8Array): DataView => new DataView(frame.buffer, frame.byteOffset, frame.byteLength);

export interface MirrorOptions {
  /** The peer's card. */
  readonly mac: Mac;
  /** What servers answer when they are asked over TCP. */
  readonly pages: readonly Uint8Array[];
  /** Addresses that DNS answers with. */
  readonly addresses: readonly Ipv4[];
}

/** One answer; undefined when the frame calls for none. */
export function mirror(random: Random, frame: Uint8Array, options: MirrorOptions): Uint8Array | undefined {
  if (frame.length < ETHERNET.SIZE + IPV4.SIZE + 8) return undefined;
  const view = viewOf(frame);
  const type = view.getUint16(ETHERNET.TYPE);
  if (type === ETHERTYPE.ARP) return arpReply(frame, options.mac);
  if (type !== ETHERTYPE.IPV4) return undefined;
  if (random.below(20) === 0) return icmpError(random, frame, options.mac);
  const headerLength = (view.getUint8(ETHERNET.SIZE) & 15) * 4;
  const end = ETHERNET.SIZE + view.getUint16(ETHERNET.SIZE + IPV4.TOTAL_LENGTH);
  const packet = frame.subarray(ETHERNET.SIZE + headerLength, Math.min(end, frame.length));
  const protocol = view.getUint8(ETHERNET.SIZE + IPV4.PROTOCOL);
  const answer =
    protocol === PROTOCOL.TCP
      ? segmentAfter(random, packet, options.pages)
      : protocol === PROTOCOL.UDP
        ? datagramAfter(random, packet, options.addresses)
        : protocol === PROTOCOL.ICMP && packet[0] === 8
          ? Uint8Array.of(0, ...packet.subarray(1))
          : undefined;
  if (answer === undefined) return undefined;
  const source = view.getUint32(ETHERNET.SIZE + IPV4.TARGET) as Ipv4;
  const target = view.getUint32(ETHERNET.SIZE + IPV4.SOURCE) as Ipv4;
  return addressed(frame, options.mac, ipPacket({ source, target, protocol, id: random.below(65_536) }, answer));
}

function addressed(frame: Uint8Array, mac: Mac, packet: Uint8Array): Uint8Array {
  const out = ethernetFrame(readMac(viewOf(frame), ETHERNET.SOURCE), mac, ETHERTYPE.IPV4, packet);
  repairSums(out);
  return out;
}

function arpReply(frame: Uint8Array, mac: Mac): Uint8Array | undefined {
  const asked = parseArp(viewOf(frame), ETHERNET.SIZE, frame.length);
  if (isMalformed(asked) || asked.operation !== ARP_REQUEST) return undefined;
  return arpFrame(asked.senderMac, mac, {
    operation: ARP_REPLY,
    senderMac: mac,
    senderIp: asked.targetIp,
    targetMac: asked.senderMac,
    targetIp: asked.senderIp,
  });
}

/** From the far end, or from a router on the way that nobody has heard of. */
function icmpError(random: Random, frame: Uint8Array, mac: Mac): Uint8Array {
  const view = viewOf(frame);
  const target = view.getUint32(ETHERNET.SIZE + IPV4.SOURCE) as Ipv4;
  const source = (random.below(2) === 0 ? view.getUint32(ETHERNET.SIZE + IPV4.TARGET) : 0xcb00_7101) as Ipv4;
  const type = pick(random, [3, 3, 3, 11, 12, 4, 5]);
  const code = type === 3 ? pick(random, [0, 1, 2, 3, 4, 4, 10, 13]) : random.below(2);
  const rest = pick(random, [0, 68, 552, 576, 1_400, 1_500, 65_535, random.u32()]);
  const quoted = frame.slice(ETHERNET.SIZE, ETHERNET.SIZE + pick(random, [28, 28, 40, 548]));
  return addressed(
    frame,
    mac,
    ipPacket({ source, target, protocol: PROTOCOL.ICMP }, icmpMessage(type, code, rest, quoted)),
  );
}

/** The segment that may follow: handshakes go on, data is acknowledged, requests are answered, ends are ended. */
function segmentAfter(random: Random, segment: Uint8Array, pages: readonly Uint8Array[]): Uint8Array | undefined {
  if (segment.length < TCP.SIZE) return undefined;
  const view = viewOf(segment);
  const headerLength = (view.getUint8(TCP.OFFSET) >>> 4) * 4;
  const flags = view.getUint8(TCP.FLAGS);
  if ((flags & TCP_FLAG.RST) !== 0) return undefined;
  const length = Math.max(0, segment.length - headerLength);
  const ends = (flags & TCP_FLAG.SYN ? 1 : 0) + (flags & TCP_FLAG.FIN ? 1 : 0);
  const opening = (flags & TCP_FLAG.SYN) !== 0 && (flags & TCP_FLAG.ACK) === 0;
  let answer: number = opening ? TCP_FLAG.SYN | TCP_FLAG.ACK : TCP_FLAG.ACK;
  let data: Uint8Array = new Uint8Array(0);
  if (!opening && random.below(3) > 0) {
    const page = pick(random, pages);
    const from = random.below(2) === 0 ? 0 : random.below(page.length);
    data = page.subarray(from, from + random.below(SEGMENT_BYTES_MAX));
    answer |= TCP_FLAG.PSH;
  }
  if (random.below((flags & TCP_FLAG.FIN) !== 0 ? 2 : 12) === 0) answer |= TCP_FLAG.FIN;
  if (random.below(60) === 0) answer |= TCP_FLAG.RST;
  // ECE and CWR, as a peer that counts marks.
  if (random.below(4) === 0) answer |= random.below(4) << 6;
  if ((flags & (TCP_FLAG.SYN | TCP_FLAG.ACK)) === (TCP_FLAG.SYN | TCP_FLAG.ACK) && random.below(3) === 0) {
    const again = synWithCookie(random, segment, pick(random, pages).subarray(0, random.below(500)));
    if (again !== undefined) return again;
  }
  // The options come back as they were: MSS, SACK permitted, scale; the timestamps the other way round.
  const options = segment.slice(TCP.SIZE, Math.min(headerLength, segment.length));
  swapTimestamps(options);
  const header = new Uint8Array(TCP.SIZE + options.length + data.length);
  header.set(options, TCP.SIZE);
  header.set(data, TCP.SIZE + options.length);
  const out = viewOf(header);
  out.setUint16(TCP.SOURCE_PORT, view.getUint16(TCP.TARGET_PORT));
  out.setUint16(TCP.TARGET_PORT, view.getUint16(TCP.SOURCE_PORT));
  // Now and then a piece from further on: it waits out of order; or one at the very edge of the window that was offered.
  const window = view.getUint16(TCP.WINDOW);
  const edge = random.below(30) === 0 ? window - pick(random, [0, 0, 1, 200]) : 0;
  const ahead = random.below(6) === 0 ? random.below(8) * 500 : Math.max(0, edge);
  // A connection by Fast Open waits for an ACK, and this is none.
  if (random.below(60) === 0) answer &= ~TCP_FLAG.ACK;
  out.setUint32(TCP.SEQUENCE, opening ? random.u32() : view.getUint32(TCP.ACKNOWLEDGEMENT) + ahead);
  out.setUint32(TCP.ACKNOWLEDGEMENT, view.getUint32(TCP.SEQUENCE) + (random.below(8) === 0 ? 0 : length + ends));
  out.setUint8(TCP.OFFSET, (5 + options.length / 4) << 4);
  out.setUint8(TCP.FLAGS, answer);
  out.setUint16(TCP.WINDOW, pick(random, [0, 1, 1_000, 65_535, 65_535]));
  return header;
}

/** To a SYN-ACK with a Fast Open cookie: the SYN of another connection that has it, with data (RFC 7413 §4.2). */
function synWithCookie(random: Random, segment: Uint8Array, data: Uint8Array): Uint8Array | undefined {
  const view = viewOf(segment);
  const end = Math.min((view.getUint8(TCP.OFFSET) >>> 4) * 4, segment.length);
  let at: number = TCP.SIZE;
  while (at + 1 < end && segment[at] !== COOKIE && segment[at] !== 0)
    at += segment[at] === 1 ? 1 : Math.max(2, segment[at + 1]!);
  const length = segment[at + 1] ?? 0;
  if (at + 1 >= end || segment[at] !== COOKIE || length < COOKIE_MIN || at + length > end) return undefined;
  const options = new Uint8Array((4 + length + 3) & ~3).fill(1);
  options.set([2, 4, 5, 0xb4]);
  options.set(segment.subarray(at, at + length), 4);
  const out = new Uint8Array(TCP.SIZE + options.length + data.length);
  out.set(options, TCP.SIZE);
  out.set(data, TCP.SIZE + options.length);
  const header = viewOf(out);
  header.setUint16(TCP.SOURCE_PORT, 40_000 + random.below(20_000));
  header.setUint16(TCP.TARGET_PORT, view.getUint16(TCP.SOURCE_PORT));
  header.setUint32(TCP.SEQUENCE, random.u32());
  header.setUint8(TCP.OFFSET, (5 + options.length / 4) << 4);
  header.setUint8(TCP.FLAGS, TCP_FLAG.SYN);
  header.setUint16(TCP.WINDOW, 65_535);
  return out;
}

function swapTimestamps(options: Uint8Array): void {
  const view = viewOf(options);
  for (let at = 0; at + 1 < options.length; ) {
    const kind = options[at]!;
    if (kind === 0) return;
    if (kind === 1) {
      at++;
      continue;
    }
    if (kind === 8 && at + 10 <= options.length) {
      const value = view.getUint32(at + 2);
      view.setUint32(at + 2, view.getUint32(at + 6) || value);
      view.setUint32(at + 6, value);
    }
    at += Math.max(2, options[at + 1]!);
  }
}

function datagramAfter(random: Random, datagram: Uint8Array, addresses: readonly Ipv4[]): Uint8Array | undefined {
  if (datagram.length < UDP.SIZE) return undefined;
  const view = viewOf(datagram);
  const data = datagram.subarray(UDP.SIZE);
  const answer =
    view.getUint16(UDP.TARGET_PORT) === DNS.PORT
      ? dnsAnswer(random, data, addresses)
      : randomBytes(random, random.below(100));
  if (answer === undefined) return undefined;
  const out = new Uint8Array(UDP.SIZE + answer.length);
  const header = viewOf(out);
  header.setUint16(UDP.SOURCE_PORT, view.getUint16(UDP.TARGET_PORT));
  header.setUint16(UDP.TARGET_PORT, view.getUint16(UDP.SOURCE_PORT));
  header.setUint16(UDP.LENGTH, out.length);
  out.set(answer, UDP.SIZE);
  return out;
}

/** The question, and records under its name: addresses, aliases, servers with glue, or none with some RCODE. */
function dnsAnswer(random: Random, query: Uint8Array, addresses: readonly Ipv4[]): Uint8Array | undefined {
  let end: number = DNS.HEADER;
  while (end < query.length && query[end] !== 0) end += 1 + query[end]!;
  end += 5;
  if (query.length < DNS.HEADER + 5 || end > query.length || (query[2]! & 0x80) !== 0) return undefined;
  const type = viewOf(query).getUint16(end - 4);
  const parts: number[] = [];
  const counts = [0, 0, 0];
  const record = (section: number, name: readonly number[], kind: number, data: readonly number[]): void => {
    counts[section]!++;
    parts.push(...name, 0, kind, 0, 1, 0, 0, random.below(4), random.below(256), 0, data.length, ...data);
  };
  const name = [0xc0, DNS.HEADER];
  const server = [3, 110, 115, 49, ...name];
  const address = (): number[] => {
    const value = pick(random, addresses);
    return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  };
  const kind = random.below(6);
  if (kind < 3)
    for (let n = 1 + random.below(3); n > 0; n--)
      record(0, name, type === 28 ? 28 : 1, type === 28 ? [...name, ...address()] : address());
  else if (kind === 3) record(0, name, 5, random.below(2) === 0 ? name : server);
  else if (kind === 4) {
    // A referral, glue at its end.
    record(1, random.below(2) === 0 ? [0] : name, 2, server);
    record(2, server, 1, address());
  }
  const out = new Uint8Array(end + parts.length);
  out.set(query.subarray(0, end));
  out.set(parts, end);
  const view = viewOf(out);
  view.setUint16(2, pick(random, [0x8180, 0x8180, 0x8400, 0x8000, 0x8380, 0x8183, 0x8182]));
  view.setUint16(4, 1);
  for (const [i, count] of counts.entries()) view.setUint16(6 + 2 * i, count);
  return out;
}
