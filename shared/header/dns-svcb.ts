/** The parameters of SVCB and HTTPS records (RFC 9460 §2.1), both ways. Keys without a text form of their own are `keyN`. */
import { formatBase64, formatIpv6, parseBase64, parseIpv6 } from './dns-codes.ts';
import { unescapeAt } from './dns-name.ts';
import { type Malformed, malformed } from './malformed.ts';

const KEYS = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint', 'dohpath'] as const;

const keyName = (key: number): string => KEYS[key] ?? `key${key}`;

function keyNumber(text: string): number | undefined {
  const index = KEYS.indexOf(text as (typeof KEYS)[number]);
  if (index >= 0) return index;
  const match = /^key(0|[1-9][0-9]{0,4})$/.exec(text);
  return match === null || Number(match[1]) > 0xffff ? undefined : Number(match[1]);
}

/** `octets` holds whole parameters (dns-rdata.ts saw to it). */
export function formatSvcParams(octets: Uint8Array): string {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const parts: string[] = [];
  for (let at = 0; at + 4 <= octets.length; ) {
    const key = view.getUint16(at);
    const end = Math.min(at + 4 + view.getUint16(at + 2), octets.length);
    const value = formatValue(key, octets.subarray(at + 4, end));
    parts.push(value === '' ? keyName(key) : `${keyName(key)}=${value}`);
    at = end;
  }
  return parts.join(' ');
}

function formatValue(key: number, value: Uint8Array): string {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const every = (size: number, format: (at: number) => string): string =>
    Array.from({ length: value.length / size }, (_, i) => format(i * size)).join(',');
  const multipleOf = (size: number) => value.length > 0 && value.length % size === 0;
  if (key === 0 && multipleOf(2)) return every(2, (at) => keyName(view.getUint16(at)));
  if (key === 1) return `"${alpnIds(value).join(',')}"`;
  if (key === 3 && value.length === 2) return String(view.getUint16(0));
  if (key === 4 && multipleOf(4)) return every(4, (at) => value.subarray(at, at + 4).join('.'));
  if (key === 5) return `"${formatBase64(value)}"`;
  if (key === 6 && multipleOf(16)) return every(16, (at) => formatIpv6(view, at));
  return value.length === 0 ? '' : `"${[...value].map(escapeOctet).join('')}"`;
}

function escapeOctet(octet: number): string {
  if (octet < 0x20 || octet >= 0x7f) return `\\${String(octet).padStart(3, '0')}`;
  const char = String.fromCharCode(octet);
  return char === '"' || char === '\\' ? `\\${char}` : char;
}

/** Comma and backslash inside an identifier are escaped twice: once for the list, once for the string. */
function alpnIds(value: Uint8Array): string[] {
  const ids: string[] = [];
  for (let at = 0; at < value.length; at += 1 + (value[at] ?? 0)) {
    const id = value.subarray(at + 1, at + 1 + (value[at] ?? 0));
    ids.push(
      [...id].map((octet) => (octet === 0x2c ? '\\\\,' : octet === 0x5c ? '\\\\\\\\' : escapeOctet(octet))).join(''),
    );
  }
  return ids;
}

export function parseSvcParams(
  tokens: readonly { readonly text: string; readonly quoted: boolean }[],
): Uint8Array | Malformed | undefined {
  const params = new Map<number, Uint8Array>();
  for (let i = 0; i < tokens.length; i++) {
    const text = tokens[i]?.text ?? '';
    const equals = text.indexOf('=');
    let value = equals < 0 ? '' : text.slice(equals + 1);
    // `alpn="h2,h3"` is cut at its quote: the value is the token that follows.
    if (equals === text.length - 1 && tokens[i + 1]?.quoted === true) value = tokens[++i]?.text ?? '';
    const key = keyNumber(equals < 0 ? text : text.slice(0, equals));
    if (key === undefined) return malformed('unknown parameter');
    if (params.has(key)) return malformed('parameter given twice');
    const octets = parseValue(key, value);
    if (octets === undefined) return malformed(`bad value for ${keyName(key)}`);
    params.set(key, octets);
  }
  const ordered = [...params].sort(([a], [b]) => a - b);
  return Uint8Array.from(
    ordered.flatMap(([key, value]) => [key >> 8, key & 255, value.length >> 8, value.length & 255, ...value]),
  );
}

function parseValue(key: number, text: string): Uint8Array | undefined {
  const list = () => text.split(',');
  switch (KEYS[key]) {
    case 'mandatory': {
      const keys = list().map(keyNumber);
      if (keys.includes(undefined) || keys.includes(0)) return undefined;
      return Uint8Array.from(keys.sort((a, b) => (a ?? 0) - (b ?? 0)).flatMap((n) => [(n ?? 0) >> 8, (n ?? 0) & 255]));
    }
    case 'alpn':
      return parseAlpn(text);
    case 'no-default-alpn':
      return text === '' ? new Uint8Array(0) : undefined;
    case 'port':
      return /^[0-9]{1,5}$/.test(text) && Number(text) <= 0xffff
        ? Uint8Array.of(Number(text) >> 8, Number(text) & 255)
        : undefined;
    case 'ipv4hint': {
      const octets = list().flatMap((address) => address.split('.').map(Number));
      return octets.length === 4 * list().length && octets.every((n) => Number.isInteger(n) && n >= 0 && n <= 255)
        ? Uint8Array.from(octets)
        : undefined;
    }
    case 'ech':
      return parseBase64(text);
    case 'ipv6hint': {
      const addresses = list().map(parseIpv6);
      return addresses.includes(undefined) ? undefined : Uint8Array.from(addresses.flatMap((a) => [...(a ?? [])]));
    }
    default:
      return unescapeText(text);
  }
}

function parseAlpn(text: string): Uint8Array | undefined {
  const outer = unescapeText(text);
  if (outer === undefined) return undefined;
  const ids: number[][] = [[]];
  for (let i = 0; i < outer.length; i++) {
    const octet = outer[i] ?? 0;
    if (octet === 0x2c) ids.push([]);
    else ids.at(-1)?.push(octet === 0x5c ? (outer[++i] ?? 0x5c) : octet);
  }
  if (ids.some((id) => id.length === 0 || id.length > 255)) return undefined;
  return Uint8Array.from(ids.flatMap((id) => [id.length, ...id]));
}

function unescapeText(text: string): Uint8Array | undefined {
  const octets: number[] = [];
  for (let at = 0; at < text.length; ) {
    const escaped = text.charCodeAt(at) === 0x5c ? unescapeAt(text, at) : { octet: text.charCodeAt(at), size: 1 };
    if (escaped === undefined || escaped.octet > 0xff) return undefined;
    octets.push(escaped.octet);
    at += escaped.size;
  }
  return Uint8Array.from(octets);
}
