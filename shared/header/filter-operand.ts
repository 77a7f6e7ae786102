/** What stands on the left of a display filter's tests (display-filter.ts): protocols and fields, and their values in a frame. */
import { parseIpv4, parseMac } from './address.ts';
import type { Dissection, Field, Layer } from './dissection.ts';
import { FILTER_EITHER, FILTER_FIELDS, FILTER_OF_MANY, FILTER_PROTOCOLS, type FieldKind } from './filter-fields.ts';
import { type Token, Wrong } from './filter-tokens.ts';
import type { Value } from './filter-value.ts';

export type Frame = Pick<Dissection, 'layers' | 'bytes'>;
export type Values = readonly Value[];

/** What stands on the left of a test: a name, a slice of it, or what a function makes of it. */
export interface Operand {
  readonly name: string;
  readonly column: number;
  readonly kind: FieldKind;
  /** `tcp` itself: its octets are all that it carries, of which a slice takes only its header's. */
  readonly isProtocol: boolean;
  readonly read: (frame: Frame) => Values;
}

export const FILTER_NAMES: readonly string[] = [
  ...FILTER_PROTOCOLS,
  ...FILTER_EITHER.keys(),
  ...FILTER_FIELDS.keys(),
].sort();

export function isName(text: string): boolean {
  return FILTER_PROTOCOLS.includes(text) || FILTER_EITHER.has(text) || FILTER_FIELDS.has(text);
}

export function operandOf({ text: name, column }: Token): Operand {
  if (FILTER_PROTOCOLS.includes(name)) {
    const read = (frame: Frame): Values =>
      layersOf(frame, name).map((layer) => frame.bytes.subarray(layer.at, layer.end));
    return { name, column, kind: 'octets', isProtocol: true, read };
  }
  const names = FILTER_EITHER.get(name) ?? [name];
  const kind = FILTER_FIELDS.get(names[0]!);
  if (kind === undefined) throw unknown(name, column);
  const read =
    name === 'frame.len' || name === 'frame.cap_len'
      ? (frame: Frame): Values => [frame.bytes.length]
      : (frame: Frame): Values => valuesOf(frame, names, kind);
  return { name, column, kind, isProtocol: false, read };
}

function unknown(name: string, column: number): Wrong {
  for (const [many, instead] of FILTER_OF_MANY) {
    if (name !== many && !name.startsWith(`${many}.`)) continue;
    const hint = instead === '' ? '' : `; of one frame there is ${instead}`;
    return new Wrong(column, `${name} is worked out from more frames than the one that is looked at${hint}`);
  }
  if (name.includes('#')) return new Wrong(column, `the number of a layer is left out: ${name.split('#')[0]}`);
  return new Wrong(column, `no protocol or field is called ${JSON.stringify(name)}`, { unknown: name });
}

export function layersOf(frame: Frame, protocol: string): readonly Pick<Layer, 'at' | 'size' | 'end'>[] {
  const { length } = frame.bytes;
  return protocol === 'frame'
    ? [{ at: 0, size: length, end: length }]
    : frame.layers.filter((layer) => layer.protocol === protocol);
}

function valuesOf(frame: Frame, names: readonly string[], kind: FieldKind): Values {
  const values: Value[] = [];
  const collect = (field: Field): void => {
    if (names.includes(field.name)) values.push(fieldValue(field, kind, frame.bytes));
  };
  for (const { fields } of frame.layers) fields.forEach(collect);
  return values;
}

function fieldValue({ value, at, size }: Field, kind: FieldKind, bytes: Uint8Array): Value {
  if (kind === 'octets') return bytes.subarray(at, at + size);
  if (kind === 'ipv4') return parseIpv4(String(value)) ?? 0;
  return kind === 'mac' ? (parseMac(String(value)) ?? 0) : value;
}
