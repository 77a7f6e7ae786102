/** The value of a socket option as a script writes it: `[1]`, `"cubic"`, `"\\xa1\\xb2"`, `{onoff=1, linger=0}`. */
import type { SockoptAnswer, SockoptValue } from '../../shared/net/sock.ts';
import { must } from './message.ts';
import { type Expression, ParseError, Unsupported } from './script.ts';
import { numberOf } from './values.ts';

/** Octets of a text such as "\\xa1\\xb2"; undefined for one without escapes. */
function escapedBytes(text: string): Uint8Array | undefined {
  if (!text.includes('\\x')) return undefined;
  const octets = text.match(/\\x[0-9a-fA-F]{2}|./gs) ?? [];
  return Uint8Array.from(octets, (octet) => (octet.length > 1 ? Number(`0x${octet.slice(2)}`) : octet.charCodeAt(0)));
}

export function optionValue(expression: Expression | undefined): SockoptValue {
  if (expression?.kind === 'list' && expression.items.length === 1) return optionValue(expression.items[0]);
  if (expression?.kind === 'text') {
    const bytes = escapedBytes(expression.text);
    return bytes ?? { text: expression.text };
  }
  if (expression?.kind === 'number' || expression?.kind === 'word' || expression?.kind === 'or') {
    return numberOf(expression) | 0;
  }
  if (expression?.kind === 'struct') {
    const on = expression.fields.get('onoff') ?? expression.fields.get('l_onoff');
    const seconds = expression.fields.get('linger') ?? expression.fields.get('l_linger');
    const time = microsOf(expression.fields);
    if (time !== undefined) return time;
    if (on !== undefined) return { on: numberOf(on) !== 0, seconds: seconds === undefined ? 0 : numberOf(seconds) };
  }
  throw new Unsupported('a socket option of this shape');
}

/** `{tv_sec=1, tv_usec=500000}` (SO_RCVTIMEO). */
function microsOf(fields: ReadonlyMap<string, Expression>): number | undefined {
  const [seconds, micros] = [fields.get('tv_sec'), fields.get('tv_usec')];
  if (seconds === undefined && micros === undefined) return undefined;
  return (seconds === undefined ? 0 : numberOf(seconds) * 1e6) + (micros === undefined ? 0 : numberOf(micros));
}

/** What getsockopt answered against what the script says: `[1]`, `"cubic"`, `{onoff=1, linger=5}`, fields by name. */
export function compareOption(name: string, want: Expression, got: SockoptAnswer): void {
  if (want.kind === 'ellipsis') return;
  if (want.kind === 'list' && want.items.length === 1 && want.items[0]!.kind !== 'number') {
    const only = want.items[0]!;
    if (only.kind === 'ellipsis' || only.kind === 'text' || only.kind === 'struct')
      return compareOption(name, only, got);
  }
  if (want.kind === 'text') {
    const bytes = escapedBytes(want.text);
    if (got instanceof Uint8Array && bytes !== undefined) return must(name, bytes.join(' '), got.join(' '));
    const fields = typeof got === 'object' && !(got instanceof Uint8Array) ? got : {};
    return must(name, want.text, fields['name'] ?? fields['text'] ?? got);
  }
  if (want.kind === 'struct') return compareFields(name, want.fields, got);
  if (want.kind !== 'list') throw new ParseError(`${name}: [VALUE], "TEXT" or {FIELD=VALUE, …} was expected`);
  const value = enumerated(got);
  if (value === undefined) throw new Unsupported(`the value of socket option ${name}`);
  must(name, numberOf(want.items[0]!) | 0, value | 0);
}

/** SO_TYPE and SO_DOMAIN as Linux's numbers; undefined for what is no number. */
function enumerated(got: SockoptAnswer): number | undefined {
  if (typeof got === 'number') return got;
  if (got instanceof Uint8Array) return undefined;
  const word = got['type'] ?? got['family'];
  return typeof word === 'string' ? ENUMERATED.get(word) : undefined;
}

const ENUMERATED: ReadonlyMap<string, number> = new Map([
  ['stream', 1],
  ['dgram', 2],
  ['raw', 3],
  ['inet', 2],
  ['packet', 17],
]);

function compareFields(name: string, want: ReadonlyMap<string, Expression>, got: SockoptAnswer): void {
  const time = microsOf(want);
  if (time !== undefined) return must(name, time, got);
  if (typeof got !== 'object' || got instanceof Uint8Array) throw new Unsupported(`the value of socket option ${name}`);
  for (const [field, value] of want) {
    if (value.kind === 'ellipsis') continue;
    const key = FIELD_NAMES.get(field) ?? field.replace(/^tcpi_/, '');
    if (!(key in got)) throw new Unsupported(`field ${field} of socket option ${name}`);
    must(`${name}.${field}`, numberOf(value), Number(got[key]));
  }
}

/** struct linger's, as Syscalls calls them. */
const FIELD_NAMES: ReadonlyMap<string, string> = new Map([
  ['onoff', 'on'],
  ['l_onoff', 'on'],
  ['linger', 'seconds'],
  ['l_linger', 'seconds'],
]);
