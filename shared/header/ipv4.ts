/** The IPv4 header (RFC 791 §3.1). */
import type { Ipv4 } from './address.ts';
import { finish, fold, sumBytes } from './checksum.ts';
import { type Malformed, malformed } from './malformed.ts';

export const IPV4 = {
  VERSION_IHL: 0,
  TOS: 1,
  TOTAL_LENGTH: 2,
  ID: 4,
  FRAGMENT: 6,
  TTL: 8,
  PROTOCOL: 9,
  CHECKSUM: 10,
  SOURCE: 12,
  TARGET: 16,
  /** Without options; the longest is 60. */
  SIZE: 20,
} as const;

/** In the FRAGMENT field: flags and the offset in units of eight octets. */
export const IPV4_DF = 0x4000;
export const IPV4_MF = 0x2000;
export const IPV4_OFFSET_MASK = 0x1fff;

export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;

export interface Ipv4Header {
  readonly headerLength: number;
  readonly tos: number;
  readonly totalLength: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In octets. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly checksum: number;
  readonly source: Ipv4;
  readonly target: Ipv4;
}

/** The header's length from its first byte, in octets. */
export function ipv4HeaderLength(view: DataView, at: number): number {
  return (view.getUint8(at) & 15) * 4;
}

/** Whether bytes[at, end) start with a sound header; the checks and their order are ip_rcv_core's. */
export function checkIpv4(bytes: Uint8Array, view: DataView, at: number, end: number): Malformed | undefined {
  if (end - at < IPV4.SIZE) return malformed('ip_header_too_short');
  const first = view.getUint8(at);
  const headerLength = (first & 15) * 4;
  if (first >>> 4 !== 4 || headerLength < IPV4.SIZE) return malformed('ip_bad_version');
  if (end - at < headerLength) return malformed('ip_header_too_short');
  if (fold(sumBytes(bytes, at, at + headerLength)) !== 0xffff) return malformed('ip_bad_checksum');
  const totalLength = view.getUint16(at + IPV4.TOTAL_LENGTH);
  if (end - at < totalLength) return malformed('ip_truncated');
  if (totalLength < headerLength) return malformed('ip_bad_length');
  return undefined;
}

/** Parse a whole header; `bytes` and `view` cover the same memory. The checksum is checked, too. */
export function parseIpv4Header(bytes: Uint8Array, view: DataView, at: number, end: number): Ipv4Header | Malformed {
  return checkIpv4(bytes, view, at, end) ?? readIpv4Header(view, at);
}

/** The record of a header that is known to be there (quoted in an ICMP error, say). */
export function readIpv4Header(view: DataView, at: number): Ipv4Header {
  const fragment = view.getUint16(at + IPV4.FRAGMENT);
  return {
    headerLength: ipv4HeaderLength(view, at),
    tos: view.getUint8(at + IPV4.TOS),
    totalLength: view.getUint16(at + IPV4.TOTAL_LENGTH),
    id: view.getUint16(at + IPV4.ID),
    dontFragment: (fragment & IPV4_DF) !== 0,
    moreFragments: (fragment & IPV4_MF) !== 0,
    fragmentOffset: (fragment & IPV4_OFFSET_MASK) * 8,
    ttl: view.getUint8(at + IPV4.TTL),
    protocol: view.getUint8(at + IPV4.PROTOCOL),
    checksum: view.getUint16(at + IPV4.CHECKSUM),
    source: view.getUint32(at + IPV4.SOURCE) as Ipv4,
    target: view.getUint32(at + IPV4.TARGET) as Ipv4,
  };
}

export interface Ipv4Fields {
  readonly tos: number;
  readonly totalLength: number;
  readonly id: number;
  /** DF, MF and offset as they stand in the header. */
  readonly fragment: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: Ipv4;
  readonly target: Ipv4;
}

/** Write a header of 20 octets with its checksum. */
export function emitIpv4(bytes: Uint8Array, view: DataView, at: number, fields: Ipv4Fields): void {
  view.setUint8(at + IPV4.VERSION_IHL, 0x45);
  view.setUint8(at + IPV4.TOS, fields.tos);
  view.setUint16(at + IPV4.TOTAL_LENGTH, fields.totalLength);
  view.setUint16(at + IPV4.ID, fields.id);
  view.setUint16(at + IPV4.FRAGMENT, fields.fragment);
  view.setUint8(at + IPV4.TTL, fields.ttl);
  view.setUint8(at + IPV4.PROTOCOL, fields.protocol);
  view.setUint32(at + IPV4.SOURCE, fields.source);
  view.setUint32(at + IPV4.TARGET, fields.target);
  sealIpv4(bytes, view, at, IPV4.SIZE);
}

/** Compute the header checksum anew (ip_send_check). */
export function sealIpv4(bytes: Uint8Array, view: DataView, at: number, headerLength: number): void {
  view.setUint16(at + IPV4.CHECKSUM, 0);
  view.setUint16(at + IPV4.CHECKSUM, finish(sumBytes(bytes, at, at + headerLength)));
}

/** Options that route (RFC 791 §3.1): loose and strict source route. */
const IPV4_LSRR = 131;
const IPV4_SSRR = 137;

/**
 * Whom a packet is for in the end, which is what transport checksums are over: the last address of a source route that
 * has not been gone to its end, else the header's target.
 */
export function finalTargetOf(view: DataView, at: number): Ipv4 {
  const end = at + ipv4HeaderLength(view, at);
  for (let option = at + IPV4.SIZE; option + 2 < end; ) {
    const kind = view.getUint8(option);
    if (kind === 0) break;
    const length = kind === 1 ? 1 : view.getUint8(option + 1);
    if (length === 0 || option + length > end) break;
    const routes = (kind === IPV4_LSRR || kind === IPV4_SSRR) && length >= 7;
    if (routes && view.getUint8(option + 2) <= length) return view.getUint32(option + length - 4) as Ipv4;
    option += length;
  }
  return view.getUint32(at + IPV4.TARGET) as Ipv4;
}
