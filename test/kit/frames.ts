/** Ethernet frames made field by field, sums right unless told otherwise: what a test throws at a stack. */
import type { Ipv4, Mac } from '../../shared/header/address.ts';
import { ARP, emitArp } from '../../shared/header/arp.ts';
import { finish, pseudoHeaderSum, sumBytes } from '../../shared/header/checksum.ts';
import { ETHERNET, ETHERTYPE, emitEthernet } from '../../shared/header/ethernet.ts';
import { ICMP } from '../../shared/header/icmp.ts';
import { IPV4, PROTOCOL, sealIpv4 } from '../../shared/header/ipv4.ts';
import { TCP } from '../../shared/header/tcp.ts';
import { UDP } from '../../shared/header/udp.ts';

export interface IpFields {
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly protocol: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly id?: number;
  /** DF, MF and offset as they stand in the header. */
  readonly fragment?: number;
  readonly options?: Uint8Array;
  readonly version?: number;
  /** Added to the right value. */
  readonly checksumError?: number;
  readonly totalLength?: number;
}

/** An IPv4 packet around a payload. */
export function ipPacket(fields: IpFields, payload: Uint8Array): Uint8Array {
  const headerLength = IPV4.SIZE + (fields.options?.length ?? 0);
  const bytes = new Uint8Array(headerLength + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, ((fields.version ?? 4) << 4) | (headerLength / 4));
  view.setUint8(IPV4.TOS, fields.tos ?? 0);
  view.setUint16(IPV4.TOTAL_LENGTH, fields.totalLength ?? bytes.length);
  view.setUint16(IPV4.ID, fields.id ?? 0x1234);
  view.setUint16(IPV4.FRAGMENT, fields.fragment ?? 0);
  view.setUint8(IPV4.TTL, fields.ttl ?? 64);
  view.setUint8(IPV4.PROTOCOL, fields.protocol);
  view.setUint32(IPV4.SOURCE, fields.source);
  view.setUint32(IPV4.TARGET, fields.target);
  bytes.set(fields.options ?? new Uint8Array(0), IPV4.SIZE);
  bytes.set(payload, headerLength);
  sealIpv4(bytes, view, 0, headerLength);
  view.setUint16(IPV4.CHECKSUM, (view.getUint16(IPV4.CHECKSUM) + (fields.checksumError ?? 0)) & 0xffff);
  return bytes;
}

export function ethernetFrame(target: Mac, source: Mac, type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ETHERNET.SIZE + payload.length);
  emitEthernet(new DataView(bytes.buffer), 0, { target, source, type });
  bytes.set(payload, ETHERNET.SIZE);
  return bytes;
}

export function icmpMessage(type: number, code: number, rest: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ICMP.SIZE + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(ICMP.TYPE, type);
  view.setUint8(ICMP.CODE, code);
  view.setUint32(ICMP.REST, rest);
  bytes.set(data, ICMP.SIZE);
  view.setUint16(ICMP.CHECKSUM, finish(sumBytes(bytes, 0, bytes.length)));
  return bytes;
}

export function udpMessage(
  ports: { source: Ipv4; target: Ipv4; sourcePort: number; targetPort: number },
  data: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(UDP.SIZE + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(UDP.SOURCE_PORT, ports.sourcePort);
  view.setUint16(UDP.TARGET_PORT, ports.targetPort);
  view.setUint16(UDP.LENGTH, bytes.length);
  bytes.set(data, UDP.SIZE);
  const pseudo = pseudoHeaderSum(ports.source, ports.target, PROTOCOL.UDP, bytes.length);
  view.setUint16(UDP.CHECKSUM, finish(sumBytes(bytes, 0, bytes.length, pseudo)) || 0xffff);
  return bytes;
}

export function arpFrame(
  target: Mac,
  source: Mac,
  packet: { operation: number; senderMac: Mac; senderIp: Ipv4; targetMac: Mac; targetIp: Ipv4 },
): Uint8Array {
  const bytes = new Uint8Array(ARP.SIZE);
  emitArp(new DataView(bytes.buffer), 0, packet);
  return ethernetFrame(target, source, ETHERTYPE.ARP, bytes);
}

/** Make the sums of a frame right again after its octets were changed, where headers can still be found. */
export function repairSums(frame: Uint8Array): void {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < ETHERNET.SIZE + IPV4.SIZE || view.getUint16(ETHERNET.TYPE) !== ETHERTYPE.IPV4) return;
  const ip = ETHERNET.SIZE;
  const headerLength = (view.getUint8(ip) & 15) * 4;
  if (headerLength < IPV4.SIZE || ip + headerLength > frame.length) return;
  sealIpv4(frame, view, ip, headerLength);
  const end = Math.min(frame.length, ip + view.getUint16(ip + IPV4.TOTAL_LENGTH));
  const at = ip + headerLength;
  const protocol = view.getUint8(ip + IPV4.PROTOCOL);
  const offset = { [PROTOCOL.ICMP]: ICMP.CHECKSUM, [PROTOCOL.TCP]: TCP.CHECKSUM, [PROTOCOL.UDP]: UDP.CHECKSUM }[
    protocol
  ];
  if (offset === undefined || at + offset + 2 > end) return;
  const pseudo =
    protocol === PROTOCOL.ICMP
      ? 0
      : pseudoHeaderSum(view.getUint32(ip + IPV4.SOURCE), view.getUint32(ip + IPV4.TARGET), protocol, end - at);
  view.setUint16(at + offset, 0);
  view.setUint16(at + offset, finish(sumBytes(frame, at, end, pseudo)));
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from((text.replace(/\s/g, '').match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16)));
}
