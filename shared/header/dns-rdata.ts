/**
 * Record data, described once: what fields a type has, in order. Reading, writing and printing all walk the description.
 * In memory data is wire format with names in full (no pointers), so a record is compared, cached and passed on as octets.
 *
 * Names are compressed on writing in the types of RFC 1035 alone, and expanded on reading in the types of RFC 3597 §4.
 * Left out: WKS, LOC, CERT, KEY and SIG are carried as they come (opaque).
 */
import { type DnsName, NAME_OCTETS_MAX, readName, writeLabel } from './dns-name.ts';
import { TYPE } from './dns-type.ts';
import type { DnsWriter } from './dns-writer.ts';
import { isMalformed, type Malformed, malformed } from './malformed.ts';

export type Field =
  | 'ipv4'
  | 'ipv6'
  /** A name that may be compressed on the wire. */
  | 'name'
  /** A name that is always written in full. */
  | 'fullname'
  | 'u8'
  | 'u16'
  | 'u32'
  /** Seconds; text may have units. */
  | 'ttl'
  /** One length octet, then the octets. */
  | 'string'
  /** One string or more, to the end. */
  | 'strings'
  /** To the end, printed as one quoted string (CAA, URI). */
  | 'text'
  /** An unquoted word with a length octet (CAA's tag). */
  | 'tag'
  | 'hex'
  /** Length octet, then octets printed in hex, `-` when empty (NSEC3 salt). */
  | 'salt'
  /** Length octet, then octets printed in base32hex (NSEC3 next owner). */
  | 'hash'
  | 'base64'
  | 'type'
  /** Seconds since 1970, printed as YYYYMMDDHHmmSS (RRSIG). */
  | 'time'
  /** NSEC's type bit maps, to the end. */
  | 'bitmap'
  /** SVCB's parameters, to the end. */
  | 'svcparams';

const DIGEST: readonly Field[] = ['u16', 'u8', 'u8', 'hex'];
const KEY: readonly Field[] = ['u16', 'u8', 'u8', 'base64'];
const SERVICE: readonly Field[] = ['u16', 'fullname', 'svcparams'];

const LAYOUTS: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [TYPE.A, ['ipv4']],
  [TYPE.NS, ['name']],
  [TYPE.MD, ['name']],
  [TYPE.MF, ['name']],
  [TYPE.CNAME, ['name']],
  [TYPE.SOA, ['name', 'name', 'u32', 'ttl', 'ttl', 'ttl', 'ttl']],
  [TYPE.MB, ['name']],
  [TYPE.MG, ['name']],
  [TYPE.MR, ['name']],
  [TYPE.PTR, ['name']],
  [TYPE.HINFO, ['string', 'string']],
  [TYPE.MINFO, ['name', 'name']],
  [TYPE.MX, ['u16', 'name']],
  [TYPE.TXT, ['strings']],
  [TYPE.RP, ['fullname', 'fullname']],
  [TYPE.AFSDB, ['u16', 'fullname']],
  [TYPE.RT, ['u16', 'fullname']],
  [TYPE.PX, ['u16', 'fullname', 'fullname']],
  [TYPE.AAAA, ['ipv6']],
  [TYPE.SRV, ['u16', 'u16', 'u16', 'fullname']],
  [TYPE.NAPTR, ['u16', 'u16', 'string', 'string', 'string', 'fullname']],
  [TYPE.KX, ['u16', 'fullname']],
  [TYPE.DNAME, ['fullname']],
  [TYPE.DS, DIGEST],
  [TYPE.SSHFP, ['u8', 'u8', 'hex']],
  [TYPE.RRSIG, ['type', 'u8', 'u8', 'ttl', 'time', 'time', 'u16', 'fullname', 'base64']],
  [TYPE.NSEC, ['fullname', 'bitmap']],
  [TYPE.DNSKEY, KEY],
  [TYPE.NSEC3, ['u8', 'u8', 'u16', 'salt', 'hash', 'bitmap']],
  [TYPE.NSEC3PARAM, ['u8', 'u8', 'u16', 'salt']],
  [TYPE.TLSA, ['u8', 'u8', 'u8', 'hex']],
  [TYPE.CDS, DIGEST],
  [TYPE.CDNSKEY, KEY],
  [TYPE.SVCB, SERVICE],
  [TYPE.HTTPS, SERVICE],
  [TYPE.SPF, ['strings']],
  [TYPE.URI, ['u16', 'u16', 'text']],
  [TYPE.CAA, ['u8', 'tag', 'text']],
]);

/** A type's fields; undefined: opaque (RFC 3597). */
export function layoutOf(type: number): readonly Field[] | undefined {
  return LAYOUTS.get(type);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Octets of a field that is no name, from `at`; -1 when `end` comes too early. */
function fieldSize(field: Field, view: DataView, at: number, end: number): number {
  const left = end - at;
  const fixed = FIXED_SIZE[field];
  if (fixed !== undefined) return fixed <= left ? fixed : -1;
  switch (field) {
    case 'hex':
    case 'base64':
      return left > 0 ? left : -1;
    case 'tag':
      if (left < 1 || view.getUint8(at) === 0) return -1; // RFC 8659 §4.1: at least one character.
      return 1 + view.getUint8(at) <= left ? 1 + view.getUint8(at) : -1;
    case 'string':
    case 'salt':
    case 'hash': {
      if (left < 1) return -1;
      const size = 1 + view.getUint8(at);
      return size <= left ? size : -1;
    }
    case 'strings':
      return wholeStrings(view, at, end) ? left : -1;
    case 'bitmap':
      return wholeBitmap(view, at, end) ? left : -1;
    case 'svcparams':
      return wholeParams(view, at, end) ? left : -1;
    default:
      return left;
  }
}

const FIXED_SIZE: Partial<Record<Field, number>> = {
  ipv4: 4,
  ipv6: 16,
  u8: 1,
  u16: 2,
  u32: 4,
  ttl: 4,
  type: 2,
  time: 4,
};

function wholeStrings(view: DataView, at: number, end: number): boolean {
  if (at === end) return false;
  while (at < end) at += 1 + view.getUint8(at);
  return at === end;
}

/** RFC 4034 §4.1.2: windows ascending, 1 to 32 octets each. */
function wholeBitmap(view: DataView, at: number, end: number): boolean {
  let previous = -1;
  while (at + 2 <= end) {
    const window = view.getUint8(at);
    const size = view.getUint8(at + 1);
    if (window <= previous || size < 1 || size > 32) return false;
    previous = window;
    at += 2 + size;
  }
  return at === end;
}

/** RFC 9460 §2.2: keys strictly ascending. */
function wholeParams(view: DataView, at: number, end: number): boolean {
  let previous = -1;
  while (at + 4 <= end) {
    const key = view.getUint16(at);
    if (key <= previous) return false;
    previous = key;
    at += 4 + view.getUint16(at + 2);
  }
  return at === end;
}

/** The data of a record in a message, names in full, memory of its own. */
export function readRdata(view: DataView, at: number, end: number, type: number): Uint8Array | Malformed {
  const layout = LAYOUTS.get(type);
  const copy = (from: number, to: number) => new Uint8Array(view.buffer, view.byteOffset + from, to - from).slice();
  if (layout === undefined) return copy(at, end);
  const start = at;
  let expanded: number[] | undefined;
  for (const field of layout) {
    if (field === 'name' || field === 'fullname') {
      const read = readName(view, at, end);
      if (isMalformed(read)) return read;
      expanded ??= [...copy(start, at)];
      expanded.push(...nameWire(read.name));
      at = read.next;
      continue;
    }
    const size = fieldSize(field, view, at, end);
    if (size < 0) return malformed('dns_rdata_too_short');
    if (expanded !== undefined) for (let i = at; i < at + size; i++) expanded.push(view.getUint8(i));
    at += size;
  }
  if (at !== end) return malformed('dns_rdata_too_long');
  return expanded === undefined ? copy(start, end) : Uint8Array.from(expanded);
}

/** Record data into a message, names compressed where that is allowed. */
export function writeRdata(writer: DnsWriter, type: number, data: Uint8Array): void {
  const layout = LAYOUTS.get(type);
  if (layout === undefined || !layout.includes('name')) return writer.octets(data);
  const view = viewOf(data);
  let at = 0;
  for (const field of layout) {
    if (field === 'name') {
      const read = readName(view, at, data.length);
      if (isMalformed(read)) return writer.octets(data.subarray(at));
      writer.name(read.name, true);
      at = read.next;
      continue;
    }
    const size = Math.max(fieldSize(field, view, at, data.length), 0);
    writer.octets(data.subarray(at, at + size));
    at += size;
  }
}

/** A name's wire form without compression. */
export function nameWire(name: DnsName): Uint8Array {
  const bytes = new Uint8Array(NAME_OCTETS_MAX + 1);
  const view = viewOf(bytes);
  let at = 0;
  for (let start = 0; name !== '.' && start < name.length; ) {
    const next = writeLabel(view, at, name, start);
    at = next.at;
    start = next.start;
  }
  return bytes.slice(0, at + 1);
}

/** Where each field of well-formed data lies; undefined for opaque types and malformed data. */
export function rdataFields(type: number, data: Uint8Array): { field: Field; at: number; end: number }[] | undefined {
  const layout = LAYOUTS.get(type);
  if (layout === undefined) return undefined;
  const view = viewOf(data);
  const fields: { field: Field; at: number; end: number }[] = [];
  let at = 0;
  for (const field of layout) {
    const end = fieldEnd(field, view, at);
    if (end < 0) return undefined;
    fields.push({ field, at, end });
    at = end;
  }
  return at === data.length ? fields : undefined;
}

function fieldEnd(field: Field, view: DataView, at: number): number {
  if (field === 'name' || field === 'fullname') {
    const read = readName(view, at, view.byteLength);
    return isMalformed(read) ? -1 : read.next;
  }
  const size = fieldSize(field, view, at, view.byteLength);
  return size < 0 ? -1 : at + size;
}

/** The name in the data of NS, CNAME, DNAME, PTR (offset 0), MX (2), SRV (6): undefined when there is none. */
export function rdataName(data: Uint8Array, at = 0): DnsName | undefined {
  if (at >= data.length) return undefined;
  const read = readName(viewOf(data), at, data.length);
  return isMalformed(read) ? undefined : read.name;
}

export interface Soa {
  readonly primary: DnsName;
  readonly mailbox: DnsName;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

export function readSoa(data: Uint8Array): Soa | undefined {
  const view = viewOf(data);
  const primary = readName(view, 0, data.length);
  if (isMalformed(primary)) return undefined;
  const mailbox = readName(view, primary.next, data.length);
  if (isMalformed(mailbox) || data.length - mailbox.next !== 20) return undefined;
  const at = mailbox.next;
  return {
    primary: primary.name,
    mailbox: mailbox.name,
    serial: view.getUint32(at),
    refresh: view.getUint32(at + 4),
    retry: view.getUint32(at + 8),
    expire: view.getUint32(at + 12),
    minimum: view.getUint32(at + 16),
  };
}
