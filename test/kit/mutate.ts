/**
 * Frames made wrong, layer by layer, so that each layer's checks are reached: the fields of one header are set to values
 * at their edges, options are put in, lengths lie, and then the sums are made right again (most of the time), because a
 * frame with a wrong sum tells nothing of the layer above it. Frames are without FCS.
 */
import type { Ipv4, Mac } from '../../shared/header/address.ts';
import { writeMac } from '../../shared/header/address.ts';
import { ARP } from '../../shared/header/arp.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { ICMP } from '../../shared/header/icmp.ts';
import { IPV4, PROTOCOL, sealIpv4 } from '../../shared/header/ipv4.ts';
import { TCP } from '../../shared/header/tcp.ts';
import { UDP } from '../../shared/header/udp.ts';
import type { Random } from '../../shared/platform.ts';
import { repairSums } from './frames.ts';
import { randomBytes } from './random.ts';

/** Longest frame that is made: above what a card with an MTU of 1500 takes. */
const FRAME_BYTES_MAX = 1_540;
const IPV4_OPTION_BYTES_MAX = 40;
const NO_BYTES = new Uint8Array(0);

/** Addresses that mean something where the frames are going. */
export interface Surroundings {
  readonly macs: readonly Mac[];
  readonly addresses: readonly Ipv4[];
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.below(list.length)] as T;
}

const viewOf = (frame: Uint8Array): DataView => new DataView(frame.buffer, frame.byteOffset, frame.byteLength);

/** A number at the edge of what `bits` bits hold, near `value`, or any. */
function edge(random: Random, bits: number, value: number): number {
  const top = 2 ** bits;
  const choice = random.below(8);
  const near = value + (random.below(2) === 0 ? 1 : -1) * 2 ** random.below(bits);
  const made = [0, 1, top - 1, top / 2, top / 2 - 1, random.below(top), near, value + random.below(5) - 2][choice] ?? 0;
  return ((made % top) + top) % top;
}

/** Where the headers of a frame stand; undefined when it is not an IPv4 packet whose header fits. */
interface Places {
  readonly ip: number;
  readonly transport: number;
  readonly protocol: number;
}

function places(frame: Uint8Array): Places | undefined {
  const view = viewOf(frame);
  if (frame.length < ETHERNET.SIZE + IPV4.SIZE || view.getUint16(ETHERNET.TYPE) !== ETHERTYPE.IPV4) return undefined;
  const length = (view.getUint8(ETHERNET.SIZE) & 15) * 4;
  const transport = ETHERNET.SIZE + length;
  if (length < IPV4.SIZE || transport + UDP.SIZE > frame.length) return undefined;
  return { ip: ETHERNET.SIZE, transport, protocol: view.getUint8(ETHERNET.SIZE + IPV4.PROTOCOL) };
}

/** Octets put in the place of others; lengths in headers are not told. */
function splice(frame: Uint8Array, at: number, cut: number, put: Uint8Array): Uint8Array {
  const rest = frame.subarray(Math.min(frame.length, at + cut));
  const out = new Uint8Array(Math.min(FRAME_BYTES_MAX, at + put.length + rest.length));
  out.set(frame.subarray(0, at));
  out.set(put.subarray(0, out.length - at), at);
  if (at + put.length < out.length) out.set(rest.subarray(0, out.length - at - put.length), at + put.length);
  return out;
}

/** Make IP's total length, and UDP's, what the frame has. */
function tellLengths(frame: Uint8Array): void {
  const at = places(frame);
  if (at === undefined) return;
  const view = viewOf(frame);
  view.setUint16(at.ip + IPV4.TOTAL_LENGTH, frame.length - at.ip);
  if (at.protocol === PROTOCOL.UDP) view.setUint16(at.transport + UDP.LENGTH, frame.length - at.transport);
}

function ethernet(random: Random, frame: Uint8Array, { macs }: Surroundings): Uint8Array {
  if (frame.length < ETHERNET.SIZE) return frame;
  const view = viewOf(frame);
  const any = [
    ...macs,
    0xffff_ffff_ffff,
    0,
    0x0100_5e00_0001,
    0x0180_c200_0000,
    0x0200_0000_0000 + random.below(5_000),
  ];
  const choice = random.below(5);
  if (choice < 2) writeMac(view, choice * 6, pick(random, any) as Mac);
  else if (choice === 2)
    view.setUint16(ETHERNET.TYPE, pick(random, [0, 46, 1_500, 0x600, 0x800, 0x806, 0x8100, 0x86dd]));
  else if (choice === 3) view.setUint16(ETHERNET.TYPE, random.below(65_536));
  // A VLAN tag.
  else return splice(frame, ETHERNET.TYPE, 0, Uint8Array.of(0x81, 0, random.below(256), random.below(256)));
  return frame;
}

function arp(random: Random, frame: Uint8Array, { macs, addresses }: Surroundings): Uint8Array {
  const view = viewOf(frame);
  if (frame.length < ETHERNET.SIZE + ARP.SIZE) return frame;
  const at = ETHERNET.SIZE;
  const choice = random.below(6);
  if (choice === 0) view.setUint16(at + 2 * random.below(4), edge(random, 16, 1));
  else if (choice === 1) view.setUint16(at + 6, random.below(4));
  else if (choice === 2) view.setUint32(at + 14, pick(random, addresses));
  else if (choice === 3) view.setUint32(at + 24, pick(random, addresses));
  else if (choice === 4) writeMac(view, at + 8, pick(random, macs));
  else frame[at + random.below(ARP.SIZE)] = random.below(256);
  return frame;
}

function ipv4Options(random: Random): Uint8Array {
  const bytes = new Uint8Array(4 * (1 + random.below(IPV4_OPTION_BYTES_MAX / 4)));
  for (let at = 0; at < bytes.length; ) {
    const type = pick(random, [0, 1, 1, 7, 68, 131, 137, 148, 130, 134, random.below(256)]);
    bytes[at] = type;
    if (type < 2) {
      at++;
      continue;
    }
    const length = random.below(4) === 0 ? random.below(256) : 2 + random.below(Math.max(1, bytes.length - at - 1));
    if (at + 1 < bytes.length) bytes[at + 1] = length;
    // The pointer of routes and times.
    if (at + 2 < bytes.length) bytes[at + 2] = pick(random, [0, 3, 4, 5, 8, length, length + 1, 255]) & 255;
    for (let i = at + 3; i < Math.min(bytes.length, at + length); i++) bytes[i] = random.below(256);
    at += Math.max(2, length);
  }
  return bytes;
}

function ipv4(random: Random, frame: Uint8Array, { addresses }: Surroundings): Uint8Array {
  const found = places(frame);
  if (found === undefined) return frame;
  const view = viewOf(frame);
  const at = found.ip;
  switch (random.below(12)) {
    case 0:
      view.setUint8(at, pick(random, [0x44, 0x46, 0x4f, 0x65, 0x05, 0x40, random.below(256)]));
      break;
    case 1:
      view.setUint8(at + IPV4.TOS, random.below(256));
      break;
    case 2:
      view.setUint16(at + IPV4.TOTAL_LENGTH, edge(random, 16, view.getUint16(at + IPV4.TOTAL_LENGTH)));
      break;
    case 3:
      view.setUint16(at + IPV4.ID, random.below(4));
      break;
    case 4:
      view.setUint16(
        at + IPV4.FRAGMENT,
        pick(random, [0x2000, 0x2001, 1, 0x4000, 0x8000, 0x1fff, 0x3fff, 0x1ffe, 185]),
      );
      break;
    case 5:
      view.setUint16(at + IPV4.FRAGMENT, random.below(65_536));
      break;
    case 6:
      view.setUint8(at + IPV4.TTL, pick(random, [0, 1, 2, 255]));
      break;
    case 7:
      view.setUint8(at + IPV4.PROTOCOL, pick(random, [0, 1, 2, 4, 6, 17, 41, 47, 255, random.below(256)]));
      break;
    case 8:
      view.setUint32(at + IPV4.SOURCE, pick(random, addresses));
      break;
    case 9:
      view.setUint32(at + IPV4.TARGET, pick(random, addresses));
      break;
    default: {
      const options = ipv4Options(random);
      const out = splice(frame, at + IPV4.SIZE, found.transport - at - IPV4.SIZE, options);
      viewOf(out).setUint8(at, 0x45 + options.length / 4);
      tellLengths(out);
      return out;
    }
  }
  return frame;
}

function icmp(random: Random, frame: Uint8Array, around: Surroundings): Uint8Array {
  const found = places(frame);
  if (found === undefined) return frame;
  const view = viewOf(frame);
  const at = found.transport;
  const choice = random.below(4);
  if (choice === 0) view.setUint8(at + ICMP.TYPE, pick(random, [0, 3, 4, 5, 8, 11, 12, 13, 15, 17, random.below(256)]));
  else if (choice === 1) view.setUint8(at + ICMP.CODE, pick(random, [0, 1, 2, 3, 4, 5, 13, 15, 16, random.below(256)]));
  else if (choice === 2) view.setUint32(at + ICMP.REST, edge(random, 32, view.getUint32(at + ICMP.REST)));
  else if (at + ICMP.SIZE + IPV4.SIZE < frame.length) {
    // The packet that it quotes, as if it stood in a frame.
    const quoted = splice(frame, ETHERNET.SIZE, at + ICMP.SIZE - ETHERNET.SIZE, NO_BYTES);
    const changed = pick(random, [ipv4, tcp, udp])(random, quoted, around);
    if (random.below(2) === 0) repairSums(changed);
    const out = splice(frame, at + ICMP.SIZE, frame.length, changed.subarray(ETHERNET.SIZE));
    tellLengths(out);
    return out;
  }
  return frame;
}

function udp(random: Random, frame: Uint8Array): Uint8Array {
  const found = places(frame);
  if (found === undefined) return frame;
  const view = viewOf(frame);
  const at = found.transport;
  const choice = random.below(3);
  if (choice === 0)
    view.setUint16(at + 2 * random.below(2), pick(random, [0, 53, 7, 80, 65_535, random.below(65_536)]));
  else if (choice === 1) view.setUint16(at + UDP.LENGTH, edge(random, 16, view.getUint16(at + UDP.LENGTH)));
  else view.setUint16(at + UDP.CHECKSUM, edge(random, 16, 0));
  return frame;
}

function tcpOptions(random: Random): Uint8Array {
  const parts: number[] = [];
  for (let n = random.below(6); n > 0; n--) {
    const kind = pick(random, [0, 1, 2, 3, 4, 5, 5, 8, 8, 19, 28, 29, 34, 172, 174, 254, random.below(256)]);
    // SACK, signatures (19), Fast Open (34) and accurate ECN's counters (172, 174) among them.
    const right: Readonly<Record<number, number>> = {
      2: 4,
      3: 3,
      4: 2,
      5: 2 + 8 * (1 + random.below(4)),
      8: 10,
      19: 18,
      34: pick(random, [2, 6, 10, 18]),
      172: 2 + 3 * random.below(4),
      174: 2 + 3 * random.below(4),
    };
    const length = random.below(6) === 0 ? random.below(256) : (right[kind] ?? 2 + random.below(8));
    parts.push(kind);
    if (kind < 2) continue;
    parts.push(length);
    for (let i = 2; i < length && parts.length < 40; i++) parts.push(pick(random, [0, 1, 255, 14, random.below(256)]));
  }
  const size = Math.min(40, (parts.length + 3) & ~3);
  return Uint8Array.from({ length: size }, (_, i) => parts[i] ?? 0);
}

function tcp(random: Random, frame: Uint8Array): Uint8Array {
  const found = places(frame);
  if (found === undefined || found.transport + TCP.SIZE > frame.length) return frame;
  const view = viewOf(frame);
  const at = found.transport;
  switch (random.below(9)) {
    case 0:
      view.setUint16(at + 2 * random.below(2), pick(random, [0, 53, 80, 9_222, random.below(65_536)]));
      break;
    case 1:
      view.setUint32(at + TCP.SEQUENCE, edge(random, 32, view.getUint32(at + TCP.SEQUENCE)));
      break;
    case 2:
      view.setUint32(at + TCP.ACKNOWLEDGEMENT, edge(random, 32, view.getUint32(at + TCP.ACKNOWLEDGEMENT)));
      break;
    case 3:
      view.setUint8(at + TCP.OFFSET, random.below(256));
      break;
    case 4:
      view.setUint8(
        at + TCP.FLAGS,
        pick(random, [0, 1, 2, 3, 4, 16, 17, 18, 20, 24, 41, 48, 63, 0xc2, random.below(256)]),
      );
      break;
    case 5:
      view.setUint16(at + TCP.WINDOW, edge(random, 16, view.getUint16(at + TCP.WINDOW)));
      break;
    case 6:
      view.setUint8(at + TCP.FLAGS, view.getUint8(at + TCP.FLAGS) | 0x20);
      view.setUint16(at + TCP.URGENT, edge(random, 16, 1));
      break;
    default: {
      const options = tcpOptions(random);
      const old = Math.max(TCP.SIZE, (view.getUint8(at + TCP.OFFSET) >>> 4) * 4);
      const out = splice(frame, at + TCP.SIZE, old - TCP.SIZE, options);
      viewOf(out).setUint8(at + TCP.OFFSET, (5 + options.length / 4) << 4);
      tellLengths(out);
      return out;
    }
  }
  return frame;
}

const encoder = new TextEncoder();
const WORDS = [
  ...[
    '\r\n',
    '\r\n\r\n',
    '\0',
    ': ',
    'GET ',
    'HTTP/1.1 ',
    'HTTP/9.9 ',
    ' 200 OK\r\n',
    '%00',
    '/../../',
    '//',
    '?',
    '#',
  ],
  ...[
    'Content-Length: 99999999999\r\n',
    'Content-Length: -1\r\n',
    'Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n',
    '\n',
  ],
  ...[
    'Host: \r\n',
    'Connection: close\r\n',
    'Location: http://[\r\n',
    'Content-Encoding: gzip\r\n',
    '<img src="',
    '<link href=x:',
  ],
].map((word) => encoder.encode(word));
/** Pieces of DNS: pointers to the start, forward and to themselves, long labels, types, counts, lengths. */
const DNS_PIECES = [
  'c00c',
  'c000',
  'c0ff',
  'ffff',
  '3f',
  '40',
  '00',
  '0001',
  '0005',
  '0029',
  '00fc',
  '00ff',
  '8000',
  '7fffffff',
];

function payloadAt(frame: Uint8Array): number {
  const found = places(frame);
  if (found === undefined) return frame.length;
  if (found.protocol === PROTOCOL.UDP) return found.transport + UDP.SIZE;
  if (found.protocol !== PROTOCOL.TCP || found.transport + TCP.SIZE > frame.length) return frame.length;
  return found.transport + Math.max(TCP.SIZE, (viewOf(frame).getUint8(found.transport + TCP.OFFSET) >>> 4) * 4);
}

/** DNS and HTTP: what a program reads. The lengths below are told as they become. */
function payload(random: Random, frame: Uint8Array): Uint8Array {
  const start = payloadAt(frame);
  if (start >= frame.length) return frame;
  const at = start + random.below(random.below(2) === 0 ? Math.min(14, frame.length - start) : frame.length - start);
  const piece = random.below(2) === 0 ? pick(random, WORDS) : Buffer.from(pick(random, DNS_PIECES), 'hex');
  const choice = random.below(4);
  if (choice === 0) frame[at] = random.below(256);
  else if (choice === 1) frame[at] = frame[at]! ^ (1 << random.below(8));
  if (choice < 2) return frame;
  const out = splice(frame, at, choice === 2 ? piece.length : random.below(2) * random.below(40), piece);
  tellLengths(out);
  return out;
}

/** An IPv4 packet of which so little is left behind its header that no transport can be read. */
function cutBehindIp(random: Random, frame: Uint8Array): Uint8Array {
  const found = places(frame);
  if (found === undefined) return frame;
  const out = frame.slice(0, found.transport + random.below(UDP.SIZE));
  viewOf(out).setUint16(found.ip + IPV4.TOTAL_LENGTH, out.length - found.ip);
  return out;
}

function bytes(random: Random, frame: Uint8Array): Uint8Array {
  const at = random.below(frame.length || 1);
  switch (random.below(6)) {
    case 0:
      return frame.slice(0, at);
    case 4:
      return cutBehindIp(random, frame);
    case 1:
      return splice(frame, frame.length, 0, randomBytes(random, random.below(200)));
    case 2: {
      const out = frame.slice(0, at);
      tellLengths(out);
      return out;
    }
    case 3:
      if (at < frame.length) frame[at] = frame[at]! ^ (1 << random.below(8));
      return frame;
    default:
      frame.fill(random.below(2) * 255, at, at + random.below(8));
      return frame;
  }
}

/** A frame like this one, with up to three things changed: on any layer that it has. May answer it unchanged. */
export function mutate(random: Random, original: Uint8Array, around: Surroundings): Uint8Array {
  let frame: Uint8Array = original.slice();
  for (let n = random.below(4); n > 0; n--) {
    const protocol = places(frame)?.protocol;
    const layers: ((random: Random, frame: Uint8Array, around: Surroundings) => Uint8Array)[] = [bytes, ethernet];
    if (frame.length > ETHERNET.SIZE && viewOf(frame).getUint16(ETHERNET.TYPE) === ETHERTYPE.ARP) layers.push(arp, arp);
    if (protocol !== undefined) layers.push(ipv4, ipv4);
    if (protocol === PROTOCOL.ICMP) layers.push(icmp, icmp);
    if (protocol === PROTOCOL.UDP) layers.push(udp, payload, payload);
    if (protocol === PROTOCOL.TCP) layers.push(tcp, tcp, tcp, payload);
    frame = pick(random, layers)(random, frame, around);
  }
  if (random.below(8) > 0) repairSums(frame);
  return frame;
}

/** The packet of a frame in fragments, the last of them last; undefined when it cannot be. */
export function fragmented(random: Random, frame: Uint8Array): Uint8Array[] | undefined {
  const found = places(frame);
  if (found === undefined || found.transport + 16 > frame.length) return undefined;
  const header = frame.subarray(0, found.transport);
  const pieces: Uint8Array[] = [];
  for (let at = found.transport; at < frame.length; ) {
    const size = 8 * (1 + random.below(30));
    const end = Math.min(frame.length, at + size);
    const piece = splice(header, header.length, 0, frame.subarray(at, end));
    const offset = (at - found.transport) / 8;
    const view = viewOf(piece);
    view.setUint16(found.ip + IPV4.FRAGMENT, offset | (end < frame.length ? 0x2000 : 0));
    view.setUint16(found.ip + IPV4.TOTAL_LENGTH, piece.length - found.ip);
    sealIpv4(piece, view, found.ip, found.transport - found.ip);
    pieces.push(piece);
    // Now and then one that overlaps the one before.
    at = random.below(40) === 0 ? Math.max(found.transport, end - 8) : end;
    if (end === frame.length) break;
  }
  return pieces;
}
