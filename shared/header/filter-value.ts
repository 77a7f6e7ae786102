/**
 * Values of a display filter: what a word means for a field of a certain kind, and how two of that kind compare. As in
 * Wireshark a value that cannot be one of the field's is a slip and told, not a filter that never fits.
 */
import { type Ipv4, parseIpv4, parseMac } from './address.ts';
import type { FieldKind } from './filter-fields.ts';
import { type Token, Wrong } from './filter-tokens.ts';

/** Numbers, flags and addresses are numbers; text is text; octets are octets. */
export type Value = number | string | Uint8Array;
/** What a value is held against: `network` is a mask for the bits that count. */
export interface Constant {
  readonly value: Value;
  readonly network?: number;
}

const MOST: Readonly<Partial<Record<FieldKind, number>>> = {
  u8: 255,
  u16: 65_535,
  u24: 16_777_215,
  u32: 4_294_967_295,
};

/** Kinds whose values compare with each other. */
export function family(kind: FieldKind): 'number' | 'ipv4' | 'mac' | 'text' | 'octets' | 'none' {
  if (kind === 'present') return 'none';
  return kind in MOST || kind === 'flag' ? 'number' : (kind as 'ipv4');
}

/** What `token` means where a value of `name` is expected. */
export function constantOf(token: Token, name: string, kind: FieldKind): Constant {
  const { text, column } = token;
  const refuse = (expected: string): Wrong => new Wrong(column, `${name} is ${expected}, not ${said(token)}`);
  switch (kind) {
    case 'flag':
      return { value: flagOf(token) ?? raise(refuse('true or false')) };
    case 'ipv4':
      return token.kind === 'word' ? addressOf(token, refuse) : raise(refuse('an IPv4 address, without quotes'));
    case 'mac':
      return { value: (token.kind === 'word' ? macOf(text) : undefined) ?? raise(refuse('a MAC address')) };
    case 'text':
      return { value: text };
    case 'octets':
      return { value: octetsOf(token) ?? raise(refuse('octets, such as 45:00, or "text"')) };
    case 'present':
      throw new Wrong(column, `${name} is there or not; it has no value to compare`);
    default: {
      const number = numberOf(token) ?? raise(refuse('a number'));
      const most = MOST[kind] ?? 0;
      return number <= most ? { value: number } : raise(refuse(`at most ${most}`));
    }
  }
}

function raise(wrong: Wrong): never {
  throw wrong;
}

const said = ({ kind, text }: Token): string => (kind === 'text' ? JSON.stringify(text) : text);

/** Decimal, 0x…, 0b…, octal with a leading 0 as in C, or 'c'. */
export function numberOf({ kind, text }: Pick<Token, 'kind' | 'text'>): number | undefined {
  if (kind === 'character') return text.length === 1 ? text.charCodeAt(0) : undefined;
  if (kind !== 'word') return undefined;
  if (/^0[0-7]{1,20}$/.test(text)) return Number.parseInt(text, 8);
  return /^(0x[0-9a-f]{1,12}|0b[01]{1,40}|0|[1-9][0-9]{0,14})$/i.test(text) ? Number(text) : undefined;
}

function flagOf(token: Token): number | undefined {
  const word = token.text.toLowerCase();
  if (word === 'true' || word === 'set') return 1;
  if (word === 'false' || word === 'not set') return 0;
  const number = numberOf(token);
  return number === undefined ? undefined : Math.min(1, number);
}

/** `10.0.0.0/8`: every address in it. */
function addressOf({ text, column }: Token, refuse: (expected: string) => Wrong): Constant {
  const [address = '', length, ...more] = text.split('/');
  const value = more.length === 0 ? parseIpv4(address) : undefined;
  if (value === undefined) throw refuse('an IPv4 address');
  if (length === undefined) return { value };
  if (!/^[0-9]{1,2}$/.test(length) || Number(length) > 32) throw new Wrong(column, `${text} is no network`);
  const network = length === '0' ? 0 : (-1 << (32 - Number(length))) >>> 0;
  return { value: (value & network) >>> 0, network };
}

function macOf(text: string): number | undefined {
  const dotted = /^([0-9a-f]{4})\.([0-9a-f]{4})\.([0-9a-f]{4})$/i.exec(text);
  return dotted === null ? parseMac(text) : Number.parseInt(dotted.slice(1).join(''), 16);
}

/** Pairs of hex digits with `:`, `-`, `.` or nothing between; one digit, or 0x, 0b and 'c', is an octet; "text" is its own. */
function octetsOf(token: Token): Uint8Array | undefined {
  const { kind, text } = token;
  if (kind === 'text') return latin(text);
  if (kind === 'word' && /^[0-9a-f]{2}(([:.-]?)[0-9a-f]{2})*[:]?$/i.test(text)) {
    return Uint8Array.from(text.match(/[0-9a-f]{2}/gi) ?? [], (pair) => Number.parseInt(pair, 16));
  }
  const number = kind === 'word' && /^[0-9a-f]$/i.test(text) ? Number.parseInt(text, 16) : numberOf(token);
  const isOctet = number !== undefined && number < 256 && !/^[0-9]{2,}$/.test(text);
  return isOctet ? Uint8Array.of(number) : undefined;
}

/** A character an octet, as `contains` and `matches` see them. */
export function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 255);
}

export function textOf(octets: Uint8Array): string {
  let text = '';
  for (const octet of octets) text += String.fromCharCode(octet);
  return text;
}

/** A field's value as octets, for slices and contains. */
export function asOctets(value: Value, kind: FieldKind): Uint8Array {
  if (typeof value === 'string') return latin(value);
  if (typeof value !== 'number') return value;
  const size = kind === 'mac' ? 6 : 4;
  return Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) & 255);
}

export type Order = '==' | '<' | '<=' | '>' | '>=';

export function compare(order: Order, value: Value, { value: other, network }: Constant): boolean {
  if (network !== undefined) return holds(order, ((value as Ipv4) & network) >>> 0, other as number);
  if (value instanceof Uint8Array && other instanceof Uint8Array) return holds(order, octetOrder(value, other), 0);
  return holds(order, value as number, other as number);
}

function holds<T extends number | string>(order: Order, one: T, other: T): boolean {
  switch (order) {
    case '==':
      return one === other;
    case '<':
      return one < other;
    case '<=':
      return one <= other;
    case '>':
      return one > other;
    case '>=':
      return one >= other;
  }
}

function octetOrder(one: Uint8Array, other: Uint8Array): number {
  for (let i = 0; i < Math.min(one.length, other.length); i++) {
    if (one[i] !== other[i]) return one[i]! - other[i]!;
  }
  return one.length - other.length;
}

/** The bits that both have; octets as long as the shorter. */
export function masked(value: Value, mask: Value): Value {
  if (value instanceof Uint8Array && mask instanceof Uint8Array) {
    return value.slice(0, mask.length).map((octet, i) => octet & mask[i]!);
  }
  // MACs are wider than what & works on.
  const [one, other] = [value as number, mask as number];
  const high = Math.floor(one / 2 ** 32) & Math.floor(other / 2 ** 32);
  return high * 2 ** 32 + ((one & other) >>> 0);
}

export function isSet(value: Value): boolean {
  return value instanceof Uint8Array ? value.some((octet) => octet !== 0) : value !== 0;
}
