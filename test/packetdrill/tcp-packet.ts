/** A TCP segment in an IPv4 packet: read from what was sent, written from a script's line. Reading checks both checksums. */
import { finish, fold, pseudoHeaderSum, sumBytes } from '../../shared/header/checksum.ts';
import { emitIpv4, IPV4, IPV4_DF, ipv4HeaderLength, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP, tcpHeaderLength } from '../../shared/header/tcp.ts';
import type { Micros } from '../../shared/platform.ts';
import type { Flow } from './flow.ts';
import { optionBytes } from './options.ts';
import { FLAG_LETTERS, type TcpLine, Unsupported } from './script.ts';
import type { SentPacket } from './tun.ts';

const TTL = 64;
const SYN = 0x02;
const ACK = 0x10;

export interface Segment {
  readonly at: Micros;
  readonly tos: number;
  readonly ttl: number;
  readonly flags: number;
  readonly reserved: number;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly urgent: number;
  readonly length: number;
  readonly options: DataView;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly source: number;
  readonly target: number;
  /** What is wrong with it whatever the script says. */
  readonly fault: string | undefined;
}

/** Undefined for what is not TCP. */
export function readSegment({ at, bytes }: SentPacket): Segment | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint8(IPV4.PROTOCOL) !== PROTOCOL.TCP) return undefined;
  const th = ipv4HeaderLength(view, 0);
  const header = tcpHeaderLength(view, th);
  const word = view.getUint16(th + TCP.OFFSET);
  const payload = bytes.subarray(th + header);
  return {
    at,
    tos: view.getUint8(IPV4.TOS),
    ttl: view.getUint8(IPV4.TTL),
    flags: word & 0x1ff,
    reserved: (word >> 9) & 7,
    seq: view.getUint32(th + TCP.SEQUENCE),
    ack: view.getUint32(th + TCP.ACKNOWLEDGEMENT),
    window: view.getUint16(th + TCP.WINDOW),
    urgent: view.getUint16(th + TCP.URGENT),
    length: payload.length,
    options: new DataView(bytes.buffer, bytes.byteOffset + th + TCP.SIZE, header - TCP.SIZE),
    sourcePort: view.getUint16(th + TCP.SOURCE_PORT),
    targetPort: view.getUint16(th + TCP.TARGET_PORT),
    source: view.getUint32(IPV4.SOURCE),
    target: view.getUint32(IPV4.TARGET),
    fault: faultOf(bytes, view, th, payload),
  };
}

function faultOf(bytes: Uint8Array, view: DataView, th: number, payload: Uint8Array): string | undefined {
  if (view.getUint8(0) !== 0x45) return 'an IPv4 header without options';
  if (view.getUint16(IPV4.TOTAL_LENGTH) !== bytes.length) return `total length ${bytes.length}`;
  if (fold(sumBytes(bytes, 0, th)) !== 0xffff) return 'a sound IP checksum';
  const pseudo = pseudoHeaderSum(view.getUint32(IPV4.SOURCE), view.getUint32(IPV4.TARGET), 6, bytes.length - th);
  if (fold(sumBytes(bytes, th, bytes.length) + pseudo) !== 0xffff) return 'a sound TCP checksum';
  if (payload.some((octet) => octet !== 0)) return 'a payload of zeros';
  return undefined;
}

const ECN_OF_WORD: ReadonlyMap<string, number> = new Map([
  ['noecn', 0],
  ['ect1', 1],
  ['ect0', 2],
  ['ce', 3],
]);

/** TOS and TTL that `[ect0,ttl 64]` asks for; `ecn` undefined when it says nothing, `ect01` is any ECT. */
export function ipFieldsOf(words: readonly string[]): { ecn?: number | 'ect01'; tos?: number; ttl?: number } {
  const fields: { ecn?: number | 'ect01'; tos?: number; ttl?: number } = {};
  for (const word of words) {
    const ecn = ECN_OF_WORD.get(word);
    const number = /^(tos|ttl)\s+(\w+)$/.exec(word);
    if (ecn !== undefined) fields.ecn = ecn;
    else if (word === 'ect01') fields.ecn = 'ect01';
    else if (number?.[1] === 'tos') fields.tos = Number(number[2]);
    else if (number?.[1] === 'ttl') fields.ttl = Number(number[2]);
    else throw new Unsupported(`[${word}]`);
  }
  return fields;
}

/** An IP packet of the peer's, as the script's line says. */
export function buildSegment(line: TcpLine, flow: Flow, ports: { source: number; target: number }): Uint8Array {
  const options = optionBytes(line.options === 'any' ? [] : line.options, flow, (line.flags & (SYN | ACK)) === SYN);
  const payload = (line.end - line.start + 2 ** 32) % 2 ** 32;
  const size = TCP.SIZE + options.length + payload;
  const bytes = new Uint8Array(IPV4.SIZE + size);
  const view = new DataView(bytes.buffer);
  const { ecn, tos, ttl } = ipFieldsOf(line.ip);
  emitIpv4(bytes, view, 0, {
    tos: tos ?? (typeof ecn === 'number' ? ecn : 0),
    totalLength: bytes.length,
    id: 0,
    fragment: IPV4_DF,
    ttl: ttl ?? TTL,
    protocol: PROTOCOL.TCP,
    source: flow.remoteAddress,
    target: flow.localAddress,
  });
  const at = IPV4.SIZE;
  view.setUint16(at + TCP.SOURCE_PORT, ports.source);
  view.setUint16(at + TCP.TARGET_PORT, ports.target);
  view.setUint32(at + TCP.SEQUENCE, flow.toLiveRemote(line.start, isSyn(line.flags)));
  if ((line.flags & ACK) !== 0)
    view.setUint32(at + TCP.ACKNOWLEDGEMENT, flow.toLiveLocal(line.ack ?? 0, isSyn(line.flags)));
  view.setUint16(at + TCP.OFFSET, (((TCP.SIZE + options.length) / 4) << 12) | line.flags);
  view.setUint16(at + TCP.WINDOW, line.window ?? 0);
  view.setUint16(at + TCP.URGENT, line.urgent ?? 0);
  bytes.set(options, at + TCP.SIZE);
  const pseudo = pseudoHeaderSum(flow.remoteAddress, flow.localAddress, PROTOCOL.TCP, size);
  view.setUint16(at + TCP.CHECKSUM, finish(sumBytes(bytes, at, bytes.length) + pseudo));
  return bytes;
}

export function flagText(flags: number): string {
  let text = '';
  for (const [letter, bit] of FLAG_LETTERS) if ((flags & bit) !== 0) text += letter;
  return text === '' ? '-' : text;
}

export function isSyn(flags: number): boolean {
  return (flags & SYN) !== 0;
}
