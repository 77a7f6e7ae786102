/**
 * Domain names (RFC 1035 §3.1, RFC 4343). A DnsName is absolute, in master-file form with one spelling for each sequence
 * of octets: `www.example.com.`, the root is `.`; octets that are special or not printable are escaped (`\.`, `\032`).
 * So a name is a map key once its ASCII letters are lowered, and no label is ambiguous. Letter case is kept as it came.
 *
 * Left out: internationalised names (they are ASCII here already: RFC 5890).
 */
import { type Malformed, malformed } from './malformed.ts';

declare const nameBrand: unique symbol;
export type DnsName = string & { readonly [nameBrand]: true };

export const DNS_ROOT = '.' as DnsName;
/** RFC 1035 §2.3.4. */
export const LABEL_OCTETS_MAX = 63;
export const NAME_OCTETS_MAX = 255;
/** Two high bits of a length octet: a pointer to an earlier name (RFC 1035 §4.1.4). */
const POINTER = 0xc0;
/** The furthest a pointer reaches. */
export const POINTER_OFFSET_MAX = 0x3fff;

const BACKSLASH = 0x5c;
const DOT = 0x2e;
const SPECIAL = new Set(Array.from('.\\"();@$', (c) => c.charCodeAt(0)));

/** How each octet is written inside a label. */
const ESCAPED: readonly string[] = Array.from({ length: 256 }, (_, octet) => escapeOctet(octet));

function escapeOctet(octet: number): string {
  if (octet <= 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`;
  return SPECIAL.has(octet) ? `\\${String.fromCharCode(octet)}` : String.fromCharCode(octet);
}

/** Octets as an unquoted word. */
export function escapeOctets(octets: Uint8Array): string {
  return Array.from(octets, (octet) => ESCAPED[octet] ?? '').join('');
}

/** The form in which names are compared: ASCII letters lowered (RFC 4343). */
export function nameKey(name: DnsName): DnsName {
  return name.toLowerCase() as DnsName;
}

export function sameName(a: DnsName, b: DnsName): boolean {
  return a === b || (a.length === b.length && a.toLowerCase() === b.toLowerCase());
}

/** Index of the dot that ends the label which starts at `start`. */
function labelEnd(name: string, start: number): number {
  for (let at = start; at < name.length; at++) {
    const c = name.charCodeAt(at);
    if (c === DOT) return at;
    if (c === BACKSLASH) at++; // `\.` or the first digit of `\DDD`.
  }
  return name.length;
}

/** The name without its first label; the root's parent is the root. */
export function parentName(name: DnsName): DnsName {
  const rest = name.slice(labelEnd(name, 0) + 1);
  return (rest === '' ? '.' : rest) as DnsName;
}

/** The first label as written, without its dot; empty for the root. */
export function firstLabel(name: DnsName): string {
  return name.slice(0, labelEnd(name, 0));
}

/** Labels as written, the root label left out. */
export function nameLabels(name: DnsName): string[] {
  const labels: string[] = [];
  if (name === '.') return labels;
  for (let start = 0; start < name.length; ) {
    const end = labelEnd(name, start);
    labels.push(name.slice(start, end));
    start = end + 1;
  }
  return labels;
}

/** Number of labels, the root label not counted. */
export function labelCount(name: DnsName): number {
  if (name === '.') return 0;
  let count = 0;
  for (let start = 0; start < name.length; start = labelEnd(name, start) + 1) count++;
  return count;
}

/** Whether `name` is `ancestor` or below it. Both in any letter case. */
export function isAtOrBelow(name: DnsName, ancestor: DnsName): boolean {
  if (ancestor === '.') return true;
  const difference = name.length - ancestor.length;
  if (difference < 0) return false;
  if (difference === 0) return sameName(name, ancestor);
  if (name.charCodeAt(difference - 1) !== DOT) return false;
  if (name.slice(difference).toLowerCase() !== ancestor.toLowerCase()) return false;
  // The dot before it must be one between labels, not an escaped one inside a label.
  let backslashes = 0;
  while (name.charCodeAt(difference - 2 - backslashes) === BACKSLASH) backslashes++;
  return backslashes % 2 === 0;
}

export function isBelow(name: DnsName, ancestor: DnsName): boolean {
  return (
    name.length > ancestor.length - (ancestor === '.' ? 1 : 0) &&
    !sameName(name, ancestor) &&
    isAtOrBelow(name, ancestor)
  );
}

/** The ancestor of `name` that has `count` labels. */
export function ancestorName(name: DnsName, count: number): DnsName {
  let result = name;
  for (let excess = labelCount(name) - count; excess > 0; excess--) result = parentName(result);
  return result;
}

/** Octets on the wire without compression. */
export function nameOctets(name: DnsName): number {
  if (name === '.') return 1;
  let octets = 1;
  for (let at = 0; at < name.length; at++, octets++) {
    if (name.charCodeAt(at) === BACKSLASH) at += isDigit(name.charCodeAt(at + 1)) ? 3 : 1;
  }
  return octets;
}

/** A label (as written) put before a name; undefined when the whole becomes too long. */
export function childName(label: string, parent: DnsName): DnsName | undefined {
  const name = (parent === '.' ? `${label}.` : `${label}.${parent}`) as DnsName;
  return nameOctets(name) <= NAME_OCTETS_MAX ? name : undefined;
}

/** `name` with the suffix `from` replaced by `to` (RFC 6672 §2.2); undefined when the result is too long (YXDOMAIN). */
export function substituteSuffix(name: DnsName, from: DnsName, to: DnsName): DnsName | undefined {
  const prefix = name.slice(0, name.length - (from === '.' ? 0 : from.length));
  const result = (to === '.' ? prefix || '.' : prefix + to) as DnsName;
  return nameOctets(result) <= NAME_OCTETS_MAX ? result : undefined;
}

/** Order of RFC 4034 §6.1: by labels from the right, as lower-case octets. */
export function compareNames(a: DnsName, b: DnsName): number {
  const left = nameLabels(nameKey(a)).reverse().map(labelText);
  const right = nameLabels(nameKey(b)).reverse().map(labelText);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i] ?? '', right[i] ?? ''];
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

/** A label's octets, one character each. */
function labelText(label: string): string {
  return label.replace(/\\([0-9]{3})|\\(.)/g, (_, code: string | undefined, char: string | undefined) =>
    code === undefined ? (char ?? '') : String.fromCharCode(Number(code)),
  );
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

/** The octet of an escape whose backslash is at `at`, and how many characters it takes; undefined when it is none. */
export function unescapeAt(text: string, at: number): { octet: number; size: number } | undefined {
  const next = text.charCodeAt(at + 1);
  if (Number.isNaN(next)) return undefined;
  if (!isDigit(next)) return next <= 0xff ? { octet: next, size: 2 } : undefined;
  const digits = text.slice(at + 1, at + 4);
  if (!/^[0-9]{3}$/.test(digits) || Number(digits) > 255) return undefined;
  return { octet: Number(digits), size: 4 };
}

/** A name as people write it. Without a final dot it is relative to `origin`; `@` is the origin itself. */
export function parseName(text: string, origin: DnsName = DNS_ROOT): DnsName | Malformed {
  if (text === '@') return origin;
  if (text === '.') return DNS_ROOT;
  if (text === '') return malformed('dns_empty_name');
  let name = '';
  let labelOctets = 0;
  let absolute = false;
  for (let at = 0; at < text.length; ) {
    const c = text.charCodeAt(at);
    if (c === DOT) {
      if (labelOctets === 0) return malformed('dns_empty_label');
      name += '.';
      labelOctets = 0;
      at++;
      absolute = at === text.length;
      continue;
    }
    const escaped = c === BACKSLASH ? unescapeAt(text, at) : { octet: c, size: 1 };
    if (escaped === undefined || escaped.octet > 0xff) return malformed('dns_bad_escape');
    if (++labelOctets > LABEL_OCTETS_MAX) return malformed('dns_label_too_long');
    name += ESCAPED[escaped.octet] ?? '';
    at += escaped.size;
  }
  const full = (absolute ? name : origin === '.' ? `${name}.` : `${name}.${origin}`) as DnsName;
  return nameOctets(full) <= NAME_OCTETS_MAX ? full : malformed('dns_name_too_long');
}

/** A name known to be good, for constants and tests. */
export function dnsName(text: string): DnsName {
  const name = parseName(text);
  if (typeof name !== 'string') throw new Error(`${name.malformed}: ${text}`);
  return name;
}

/** Without the final dot, as hosts and people write it; the root stays `.`. */
export function nameWithoutDot(name: DnsName): string {
  return name === '.' ? '.' : name.slice(0, -1);
}

export interface ReadName {
  readonly name: DnsName;
  /** Where the next field starts. */
  readonly next: number;
}

/**
 * A name in a message, pointers followed. A pointer must point before the label sequence it is in, so there are no
 * loops; octets beyond `end` are not read.
 */
export function readName(view: DataView, at: number, end: number): ReadName | Malformed {
  let name = '';
  let octets = 1;
  let next = -1;
  let lowest = at;
  for (;;) {
    if (at >= end) return malformed('dns_name_overruns');
    const length = view.getUint8(at);
    if (length === 0) {
      return { name: (name === '' ? '.' : name) as DnsName, next: next < 0 ? at + 1 : next };
    }
    if ((length & POINTER) === POINTER) {
      if (at + 2 > end) return malformed('dns_name_overruns');
      const target = view.getUint16(at) & POINTER_OFFSET_MAX;
      if (target >= lowest) return malformed('dns_pointer_not_backwards');
      if (next < 0) next = at + 2;
      at = lowest = target;
      continue;
    }
    if (length > LABEL_OCTETS_MAX) return malformed('dns_bad_label_type');
    octets += length + 1;
    if (octets > NAME_OCTETS_MAX) return malformed('dns_name_too_long');
    if (at + 1 + length > end) return malformed('dns_name_overruns');
    for (let i = at + 1; i <= at + length; i++) name += ESCAPED[view.getUint8(i)] ?? '';
    name += '.';
    at += length + 1;
  }
}

/** Octets of one label as written, and where the next label starts, for the writer (dns-writer.ts). */
export function writeLabel(view: DataView, at: number, name: DnsName, start: number): { at: number; start: number } {
  const lengthAt = at++;
  let i = start;
  for (; i < name.length; at++) {
    const c = name.charCodeAt(i);
    if (c === DOT) break;
    if (c !== BACKSLASH) {
      view.setUint8(at, c);
      i++;
      continue;
    }
    const escaped = unescapeAt(name, i) ?? { octet: 0, size: 2 };
    view.setUint8(at, escaped.octet);
    i += escaped.size;
  }
  view.setUint8(lengthAt, at - lengthAt - 1);
  return { at, start: i + 1 };
}
