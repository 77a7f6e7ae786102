/**
 * What kinds of value a lab file holds, and how each is read: text to value, or a problem that says what was expected.
 * Each also says what it looks like as JSON Schema, so that an editor and this checker agree.
 */
import { formatIpv4, type Ipv4, isMulticastMac, type Mac, parseIpv4, parseMac } from '../header/address.ts';
import type { Micros } from '../platform.ts';
import { delayHint, rateHint, ratioHint } from './knob-hint.ts';
import type { LabNode, ScalarNode } from './parse.ts';
import { didYouMean, type Located, oneOf, type Problems, type Span } from './problem.ts';
import {
  DELAY_EXPECTED,
  DELAY_PATTERN,
  parseDelay,
  parseRate,
  parseRatio,
  parseWhole,
  RATE_EXPECTED,
  RATE_PATTERN,
  RATIO_EXPECTED,
  RATIO_PATTERN,
} from './units.ts';

export type JsonSchema = { readonly [key: string]: unknown };

/** What a reader needs besides the node: where problems go, the whole text, and whose value this is. */
export interface Reading {
  readonly problems: Problems;
  readonly source: string;
  /** `gateway of alice (host)`. */
  readonly what: string;
}

export interface ValueType<T> {
  readonly expected: string;
  readonly json: JsonSchema;
  /** Undefined: not one, and a problem was added. */
  read(node: LabNode, reading: Reading): T | undefined;
}

/** A value that is one scalar; `parse` gives undefined for anything that is not one. */
export function scalarType<T>(
  expected: string,
  json: JsonSchema,
  parse: (text: string) => T | undefined,
  hint: (text: string) => string | undefined = () => undefined,
): ValueType<T> {
  return {
    expected,
    json,
    read(node, { problems, what }) {
      if (node.what !== 'scalar' || node.empty) {
        problems.add(node.span, `${what} is ${describe(node)}`, expected);
        return undefined;
      }
      const value = parse(node.text);
      if (value === undefined) {
        problems.add(node.span, `impossible value "${cut(node.text)}" for ${what}`, expected, hint(node.text));
      }
      return value;
    },
  };
}

/** How a message calls a value of the wrong shape. */
export function describe(node: LabNode): string {
  if (node.what === 'mapping') return 'a mapping';
  if (node.what === 'list') return 'a list';
  return node.empty ? 'empty' : `"${cut(node.text)}"`;
}

const SHOWN_CHARACTERS_MAX = 60;

export function cut(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > SHOWN_CHARACTERS_MAX ? `${line.slice(0, SHOWN_CHARACTERS_MAX)}…` : line;
}

/** One value or a list of them. */
export function oneOrMore<T>(type: ValueType<T>, most: number): ValueType<Located<T>[]> {
  const expected = `${type.expected}, or a list of up to ${most}`;
  return {
    expected,
    json: { anyOf: [type.json, { type: 'array', items: type.json, maxItems: most }] },
    read(node, reading) {
      const items = node.what === 'list' ? node.items : [node];
      if (items.length > most) {
        const span = items[most]?.span ?? node.span;
        reading.problems.add(span, `${reading.what} has ${items.length} entries`, `at most ${most}`);
      }
      return readAll(items.slice(0, most), type, reading);
    },
  };
}

/** A list, even of one. */
export function listOf<T>(type: ValueType<T>, most: number): ValueType<Located<T>[]> {
  const expected = `a list, each entry ${type.expected}`;
  return {
    expected,
    json: { type: 'array', items: type.json, maxItems: most },
    read(node, reading) {
      if (node.what !== 'list') {
        const hint = node.what === 'scalar' && !node.empty ? `write [ ${cut(node.text)} ]` : undefined;
        reading.problems.add(node.span, `${reading.what} is ${describe(node)}`, expected, hint);
        return undefined;
      }
      if (node.items.length > most) {
        const span = node.items[most]?.span ?? node.span;
        reading.problems.add(span, `${reading.what} has ${node.items.length} entries`, `at most ${most}`);
      }
      return readAll(node.items.slice(0, most), type, reading);
    },
  };
}

function readAll<T>(nodes: readonly LabNode[], type: ValueType<T>, reading: Reading): Located<T>[] {
  const values: Located<T>[] = [];
  for (const node of nodes) {
    const value = type.read(node, reading);
    if (value !== undefined) values.push({ value, span: node.span });
  }
  return values;
}

/** A mapping whose keys are data: addresses to names, zones to files. Double keys are a problem. */
export function mappingOf<K, V>(
  keyType: ValueType<K>,
  valueType: ValueType<V>,
  shape: { readonly expected: string; readonly json: JsonSchema; readonly most: number },
): ValueType<{ key: Located<K>; value: Located<V> }[]> {
  return {
    expected: shape.expected,
    json: shape.json,
    read(node, reading) {
      const { problems, what } = reading;
      if (node.what !== 'mapping') {
        problems.add(node.span, `${what} is ${describe(node)}`, shape.expected);
        return undefined;
      }
      if (node.entries.length > shape.most) {
        problems.add(node.span, `${what} has ${node.entries.length} entries`, `at most ${shape.most}`);
        return undefined;
      }
      const seen = new Set<string>();
      const entries: { key: Located<K>; value: Located<V> }[] = [];
      for (const entry of node.entries) {
        if (seen.has(entry.key.text)) doubleKey(entry.key, reading);
        seen.add(entry.key.text);
        const key = keyType.read(entry.key, reading);
        const value = valueType.read(entry.value, { ...reading, what: `${entry.key.text} in ${what}` });
        if (key === undefined || value === undefined) continue;
        entries.push({ key: { value: key, span: entry.key.span }, value: { value, span: entry.value.span } });
      }
      return entries;
    },
  };
}

export function doubleKey(key: ScalarNode, { problems, what }: Pick<Reading, 'problems' | 'what'>): void {
  problems.add(key.span, `"${cut(key.text)}" stands twice in ${what}`, 'each key once');
}

export function textType(expected: string, pattern: RegExp, charactersMax = 1_000): ValueType<string> {
  return scalarType(expected, { type: ['string', 'number'] }, (text) =>
    text.length <= charactersMax && pattern.test(text) ? text : undefined,
  );
}

export function choice<W extends string>(words: readonly W[]): ValueType<W> {
  return {
    expected: oneOf(words),
    json: { enum: words },
    read(node, { problems, what }) {
      if (node.what === 'scalar' && !node.empty) {
        const word = words.find((known) => known === node.text);
        // `kind of alice` and `hots` make `unknown kind "hots" of alice`.
        const message = `unknown ${what.replace(/^(\S+)/, `$1 "${cut(node.text).replaceAll('$', '$$$$')}"`)}`;
        if (word === undefined) problems.unknown(node.span, message, node.text, words);
        return word;
      }
      problems.add(node.span, `${what} is ${describe(node)}`, oneOf(words));
      return undefined;
    },
  };
}

export function whole(min: number, max: number, of = 'a whole number'): ValueType<number> {
  return scalarType(`${of} from ${min} to ${max}`, { type: 'integer', minimum: min, maximum: max }, (text) =>
    parseWhole(text, min, max),
  );
}

export const delayType: ValueType<Micros> = scalarType(
  DELAY_EXPECTED,
  { anyOf: [{ type: 'string', pattern: DELAY_PATTERN }, { const: 0 }] },
  parseDelay,
  delayHint,
);

export const ratioType: ValueType<number> = scalarType(
  RATIO_EXPECTED,
  { anyOf: [{ type: 'string', pattern: `^(0|${RATIO_PATTERN})$` }, { const: 0 }] },
  parseRatio,
  ratioHint,
);

export const rateType: ValueType<number> = scalarType(
  RATE_EXPECTED,
  { type: 'string', pattern: RATE_PATTERN },
  parseRate,
  rateHint,
);

const IPV4_JSON = { type: 'string', pattern: '^[0-9]{1,3}(\\.[0-9]{1,3}){3}$' };

export const addressType: ValueType<Ipv4> = scalarType(
  'an IPv4 address such as 10.0.0.1',
  IPV4_JSON,
  parseIpv4,
  (text) => {
    const bare = parseIpv4(text.split('/')[0] ?? '');
    return bare === undefined ? undefined : didYouMean(formatIpv4(bare));
  },
);

export const macType: ValueType<Mac> = scalarType(
  'the MAC address of one card, such as 02:00:00:00:00:0a',
  { type: 'string', pattern: '^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$' },
  (text) => {
    const mac = parseMac(text);
    return mac === undefined || mac === 0 || isMulticastMac(mac) ? undefined : mac;
  },
);

/** A path inside the lab's folder. */
export const fileType: ValueType<string> = scalarType(
  "a file's path, relative to the lab's folder and inside it",
  { type: 'string', pattern: '^[^/]' },
  (text) => (/^[^/\0]/.test(text) && !text.split('/').includes('..') && !text.includes('\0') ? text : undefined),
);

/** Where a part of a scalar's text stands in the file; the whole scalar when it was folded or has escapes. */
export function partOf(node: ScalarNode, source: string, start: number, end: number): Span {
  for (const quote of [0, 1]) {
    const at = node.span.start + quote;
    if (source.startsWith(node.text, at)) return { start: at + start, end: at + end };
  }
  return node.span;
}
