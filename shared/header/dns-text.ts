/**
 * Record data as people write it (master-file form, RFC 1035 §5.1; RFC 3597 §5 for what is opaque), both ways.
 * Input is tokens with their escapes still in, so that whoever cuts a file into tokens can say where an error is.
 */
import {
  formatBase32Hex,
  formatBase64,
  formatHex,
  formatIpv6,
  parseBase32Hex,
  parseBase64,
  parseHex,
  parseIpv6,
} from './dns-codes.ts';
import { DNS_ROOT, type DnsName, escapeOctets, parseName, readName, unescapeAt } from './dns-name.ts';
import { type Field, layoutOf, nameWire, rdataFields, readRdata } from './dns-rdata.ts';
import { formatSvcParams, parseSvcParams } from './dns-svcb.ts';
import { formatBitmap, formatTime, parseBitmap, parseTime, parseTtl } from './dns-text-codes.ts';
import { formatType, parseType } from './dns-type.ts';
import { isMalformed, type Malformed, malformed } from './malformed.ts';

export interface TextToken {
  /** Without its quotes, escapes still in. */
  readonly text: string;
  readonly quoted: boolean;
}

/** What is wrong with record data, and with which token (tokens.length: something is missing). */
export interface BadText extends Malformed {
  readonly token: number;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** `10 mail.example.com.`; opaque and damaged data as `\# 2 0a0b`. */
export function formatRdata(type: number, data: Uint8Array): string {
  const fields = rdataFields(type, data);
  if (fields === undefined) return formatOpaque(data);
  const view = viewOf(data);
  return fields
    .map(({ field, at, end }) => formatField(field, view, data, at, end))
    .filter((text) => text !== '')
    .join(' ');
}

export function formatOpaque(data: Uint8Array): string {
  return data.length === 0 ? '\\# 0' : `\\# ${data.length} ${formatHex(data).toUpperCase()}`;
}

function formatField(field: Field, view: DataView, data: Uint8Array, at: number, end: number): string {
  switch (field) {
    case 'ipv4':
      return data.subarray(at, end).join('.');
    case 'ipv6':
      return formatIpv6(view, at);
    case 'name':
    case 'fullname': {
      const read = readName(view, at, end);
      return isMalformed(read) ? '' : read.name;
    }
    case 'u8':
      return String(view.getUint8(at));
    case 'u16':
      return String(view.getUint16(at));
    case 'u32':
    case 'ttl':
      return String(view.getUint32(at));
    case 'string':
      return quote(data.subarray(at + 1, end));
    case 'strings': {
      const parts: string[] = [];
      for (let i = at; i < end; i += 1 + view.getUint8(i))
        parts.push(quote(data.subarray(i + 1, i + 1 + view.getUint8(i))));
      return parts.join(' ');
    }
    case 'text':
      return quote(data.subarray(at, end));
    case 'tag':
      return escapeOctets(data.subarray(at + 1, end));
    case 'hex':
      return formatHex(data.subarray(at, end)).toUpperCase();
    case 'salt':
      return end - at === 1 ? '-' : formatHex(data.subarray(at + 1, end)).toUpperCase();
    case 'hash':
      return formatBase32Hex(data.subarray(at + 1, end));
    case 'base64':
      return formatBase64(data.subarray(at, end));
    case 'type':
      return formatType(view.getUint16(at));
    case 'time':
      return formatTime(view.getUint32(at));
    case 'bitmap':
      return formatBitmap(view, at, end);
    case 'svcparams':
      return formatSvcParams(data.subarray(at, end));
  }
}

/** Octets between quotes, as BIND prints them. */
export function quote(octets: Uint8Array): string {
  let text = '"';
  for (const octet of octets) {
    if (octet === 0x22 || octet === 0x5c) text += `\\${String.fromCharCode(octet)}`;
    else if (octet < 0x20 || octet >= 0x7f) text += `\\${String(octet).padStart(3, '0')}`;
    else text += String.fromCharCode(octet);
  }
  return `${text}"`;
}

/** The octets that a token stands for. Text beyond ASCII becomes UTF-8. */
export function tokenOctets(text: string): Uint8Array | Malformed {
  const octets: number[] = [];
  for (let at = 0; at < text.length; ) {
    if (text.charCodeAt(at) === 0x5c) {
      const escaped = unescapeAt(text, at);
      if (escaped === undefined) return malformed('dns_bad_escape');
      octets.push(escaped.octet);
      at += escaped.size;
      continue;
    }
    const codePoint = text.codePointAt(at) ?? 0;
    if (codePoint < 0x80) octets.push(codePoint);
    else octets.push(...new TextEncoder().encode(String.fromCodePoint(codePoint)));
    at += codePoint > 0xffff ? 2 : 1;
  }
  return Uint8Array.from(octets);
}

const bad = (reason: string, token: number): BadText => ({ malformed: reason, token });

/** Record data from its tokens. Names without a final dot are relative to `origin`. */
export function parseRdata(
  type: number,
  tokens: readonly TextToken[],
  origin: DnsName = DNS_ROOT,
): Uint8Array | BadText {
  const first = tokens[0];
  if (first !== undefined && first.text === '\\#' && !first.quoted) return parseOpaque(type, tokens);
  const layout = layoutOf(type);
  if (layout === undefined) return bad(`${formatType(type)} has no text form here: write it as \\# LENGTH HEX`, 0);
  const parts: Uint8Array[] = [];
  let next = 0;
  for (const field of layout) {
    const takesRest = REST.has(field);
    const token = tokens[next];
    if (token === undefined && !MAY_BE_MISSING.has(field))
      return bad(`${formatType(type)} needs ${WORDS[field]} here`, next);
    const taken = takesRest ? tokens.slice(next) : token === undefined ? [] : [token];
    const octets = parseField(field, taken, origin);
    if (octets === undefined || isMalformed(octets)) {
      const why = octets === undefined ? '' : ` (${octets.malformed})`;
      return bad(`"${token?.text ?? ''}" is not ${WORDS[field]}${why}`, next);
    }
    parts.push(octets);
    next += taken.length;
  }
  if (next < tokens.length) return bad(`${formatType(type)} has more data than expected`, next);
  return joinOctets(parts);
}

const REST: ReadonlySet<Field> = new Set<Field>(['strings', 'hex', 'base64', 'bitmap', 'svcparams']);
const MAY_BE_MISSING: ReadonlySet<Field> = new Set<Field>(['bitmap', 'svcparams']);

const WORDS: Readonly<Record<Field, string>> = {
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  name: 'a domain name',
  fullname: 'a domain name',
  u8: 'a number from 0 to 255',
  u16: 'a number from 0 to 65535',
  u32: 'a number from 0 to 4294967295',
  ttl: 'a time in seconds or with units (1h30m)',
  string: 'a text of at most 255 octets',
  strings: 'texts of at most 255 octets each',
  text: 'a text',
  tag: 'a property tag',
  hex: 'octets in hex',
  salt: 'a salt in hex or -',
  hash: 'a hash in base32hex',
  base64: 'octets in base64',
  type: 'a record type',
  time: 'a time as YYYYMMDDHHmmSS',
  bitmap: 'record types',
  svcparams: 'service parameters (key=value)',
};

/** `\# LENGTH HEX…`, also for types that we know (RFC 3597 §5): then the octets must be that type's. */
function parseOpaque(type: number, tokens: readonly TextToken[]): Uint8Array | BadText {
  const length = Number(tokens[1]?.text ?? 'x');
  if (!Number.isInteger(length) || length < 0 || length > 0xffff) return bad('\\# needs a length here', 1);
  const octets = parseHex(
    tokens
      .slice(2)
      .map((token) => token.text)
      .join(''),
  );
  if (octets === undefined) return bad('\\# needs octets in hex here', 2);
  if (octets.length !== length) return bad(`\\# says ${length} octets, but there are ${octets.length}`, 1);
  const data = readRdata(viewOf(octets), 0, octets.length, type);
  return isMalformed(data) ? bad(`not the data of ${formatType(type)} (${data.malformed})`, 2) : data;
}

function parseField(field: Field, tokens: readonly TextToken[], origin: DnsName): Uint8Array | Malformed | undefined {
  const text = tokens[0]?.text ?? '';
  const all = () => tokens.map((token) => token.text).join('');
  switch (field) {
    case 'ipv4':
      return parseIpv4Octets(text);
    case 'ipv6':
      return parseIpv6(text);
    case 'name':
    case 'fullname': {
      const name = parseName(text, origin);
      return typeof name === 'string' ? nameWire(name) : name;
    }
    case 'u8':
      return parseNumber(text, 1);
    case 'u16':
      return parseNumber(text, 2);
    case 'u32':
      return parseNumber(text, 4);
    case 'ttl':
      return numberOctets(parseTtl(text), 4);
    case 'string':
    case 'tag':
      return lengthFirst(tokenOctets(text));
    case 'strings':
      return parseStrings(tokens);
    case 'text':
      return tokenOctets(text);
    case 'hex':
      return parseHex(all());
    case 'salt':
      return text === '-' ? Uint8Array.of(0) : lengthFirst(parseHex(text));
    case 'hash':
      return lengthFirst(parseBase32Hex(text));
    case 'base64':
      return parseBase64(all());
    case 'type':
      return numberOctets(parseType(text), 2);
    case 'time':
      return numberOctets(parseTime(text), 4);
    case 'bitmap':
      return parseBitmap(tokens.map((token) => token.text));
    case 'svcparams':
      return parseSvcParams(tokens);
  }
}

function parseIpv4Octets(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseNumber(text: string, size: 1 | 2 | 4): Uint8Array | undefined {
  return /^[0-9]{1,10}$/.test(text) ? numberOctets(Number(text), size) : undefined;
}

function numberOctets(value: number | undefined, size: 1 | 2 | 4): Uint8Array | undefined {
  if (value === undefined || value >= 2 ** (8 * size)) return undefined;
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value);
  return bytes.slice(4 - size);
}

function lengthFirst(octets: Uint8Array | Malformed | undefined): Uint8Array | Malformed | undefined {
  if (octets === undefined || isMalformed(octets)) return octets;
  if (octets.length > 255) return malformed('dns_string_too_long');
  return joinOctets([Uint8Array.of(octets.length), octets]);
}

function parseStrings(tokens: readonly TextToken[]): Uint8Array | Malformed | undefined {
  const parts: Uint8Array[] = [];
  for (const token of tokens) {
    const part = lengthFirst(tokenOctets(token.text));
    if (part === undefined || isMalformed(part)) return part;
    parts.push(part);
  }
  return joinOctets(parts);
}

function joinOctets(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
