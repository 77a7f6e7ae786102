/** TCP segments octet by octet: options that are none, sums that are wrong, addresses nobody has. */

import { finish, pseudoHeaderSum, sumBytes } from '../../shared/header/checksum.ts';
import { ETHERNET } from '../../shared/header/ethernet.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP, tcpHeaderLength } from '../../shared/header/tcp.ts';
import { hex, type IpFields, ipPacket } from './frames.ts';

export interface RawSegment extends Omit<IpFields, 'protocol' | 'options'> {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence?: number;
  readonly ack?: number;
  readonly flags: number;
  readonly window?: number;
  readonly urgent?: number;
  /** Hexadecimal, as it stands in the header; a multiple of four octets. */
  readonly options?: string;
  readonly ipOptions?: string;
  readonly payload?: number;
  /** Added to the right value. */
  readonly tcpChecksumError?: number;
}

/** An IPv4 packet with a segment in it. */
export function tcpSegment(fields: RawSegment): Uint8Array {
  const options = hex(fields.options ?? '');
  const segment = new Uint8Array(TCP.SIZE + options.length + (fields.payload ?? 0));
  const view = new DataView(segment.buffer);
  view.setUint16(TCP.SOURCE_PORT, fields.sourcePort);
  view.setUint16(TCP.TARGET_PORT, fields.targetPort);
  view.setUint32(TCP.SEQUENCE, (fields.sequence ?? 0) >>> 0);
  view.setUint32(TCP.ACKNOWLEDGEMENT, (fields.ack ?? 0) >>> 0);
  view.setUint8(TCP.OFFSET, ((TCP.SIZE + options.length) / 4) << 4);
  view.setUint8(TCP.FLAGS, fields.flags);
  view.setUint16(TCP.WINDOW, fields.window ?? 1_000);
  view.setUint16(TCP.URGENT, fields.urgent ?? 0);
  segment.set(options, TCP.SIZE);
  const pseudo = pseudoHeaderSum(fields.source, fields.target, PROTOCOL.TCP, segment.length);
  const sum = finish(sumBytes(segment, 0, segment.length, pseudo)) + (fields.tcpChecksumError ?? 0);
  view.setUint16(TCP.CHECKSUM, sum & 0xffff);
  return ipPacket({ ...fields, protocol: PROTOCOL.TCP, options: hex(fields.ipOptions ?? '') }, segment);
}

export interface SeenSegment {
  readonly ip: DataView;
  readonly ttl: number;
  readonly tos: number;
  readonly source: number;
  readonly target: number;
  readonly sequence: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  /** Hexadecimal. */
  readonly options: string;
  readonly ipOptions: string;
  readonly length: number;
}

const hexText = (view: DataView, from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) =>
    view
      .getUint8(from + i)
      .toString(16)
      .padStart(2, '0'),
  ).join('');

/** What stands in a packet, or in a frame when `from` is 14; undefined when it is not TCP. */
export function readSegment(bytes: DataView | Uint8Array, from: number = ETHERNET.SIZE): SeenSegment | undefined {
  const ip = new DataView(bytes.buffer, bytes.byteOffset + from, bytes.byteLength - from);
  if (ip.getUint8(0) >>> 4 !== 4 || ip.getUint8(IPV4.PROTOCOL) !== PROTOCOL.TCP) return undefined;
  const at = ipv4HeaderLength(ip, 0);
  const end = at + tcpHeaderLength(ip, at);
  return {
    ip,
    ttl: ip.getUint8(IPV4.TTL),
    tos: ip.getUint8(IPV4.TOS),
    source: ip.getUint32(IPV4.SOURCE),
    target: ip.getUint32(IPV4.TARGET),
    sequence: ip.getUint32(at + TCP.SEQUENCE),
    ack: ip.getUint32(at + TCP.ACKNOWLEDGEMENT),
    flags: ip.getUint8(at + TCP.FLAGS),
    window: ip.getUint16(at + TCP.WINDOW),
    urgent: ip.getUint16(at + TCP.URGENT),
    options: hexText(ip, at + TCP.SIZE, end),
    ipOptions: hexText(ip, IPV4.SIZE, at),
    length: ip.getUint16(IPV4.TOTAL_LENGTH) - end,
  };
}
