/**
 * The filter language of `wirelab trace --filter`, which a device applies before an event leaves it:
 *
 *   any   = every { "||" every }
 *   every = one { "&&" one }
 *   one   = "!" one | "(" any ")" | WORD [ ("==" | "!=" | "<" | "<=" | ">" | ">=") VALUE ]
 *
 * A WORD alone is the name of a point. In a comparison it is a field: point, device, layer, skb, len, data, headroom,
 * context, cause, or one of the event's own. What an event does not have compares false with everything. Values may be
 * quoted; `*` in a value or a point's name stands for any characters. What an expression costs an event is bounded by its
 * length: it comes from outside, and runs where packets pass.
 */
import type { TraceEvent } from '../net/trace.ts';
import { traceLayer } from '../net/trace-layer.ts';

export type Matches = (event: TraceEvent) => boolean;
/** The devices of a lab by their numbers, as the identity of a packet has them. */
export type DeviceNames = ReadonlyMap<number, string>;

/** Longest expression, and how deep its parentheses go. */
const CHARACTERS_MAX = 1_000;
const DEPTH_MAX = 50;

const TOKEN = /\s*(?:(\|\||&&|==|!=|<=|>=|[<>()!])|"([^"]*)"|'([^']*)'|([^\s|&=!<>()"']+))/y;
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

interface Token {
  readonly text: string;
  readonly operator: boolean;
  /** Where it begins, from 1. */
  readonly column: number;
}

/** What is wrong with an expression, and where. */
export class FilterError extends Error {
  constructor(column: number, problem: string) {
    super(`column ${column}: ${problem}`);
  }
}

/** Names may be those of the devices that the expression speaks of. */
export function parseFilter(text: string, names: DeviceNames = new Map()): Matches {
  if (text.length > CHARACTERS_MAX)
    throw new FilterError(CHARACTERS_MAX + 1, `longer than ${CHARACTERS_MAX} characters`);
  return new Parser(tokens(text), text.trimEnd().length + 1, names).whole();
}

/** A field by its name in a filter. */
export function fieldOf(event: TraceEvent, names: DeviceNames, name: string): string | number | undefined {
  switch (name) {
    case 'point':
    case 'device':
    case 'context':
    case 'cause':
      return event[name];
    case 'layer':
      return traceLayer(event.point);
    case 'skb':
      return event.skb === undefined ? undefined : identityOf(event.skb, names);
    case 'len':
    case 'data':
    case 'headroom':
      return event.skb?.[name];
    default: {
      const value = Object.hasOwn(event.fields, name) ? event.fields[name] : undefined;
      return value === undefined || typeof value === 'number' ? value : String(value);
    }
  }
}

/** `alice/17`: the device where a packet was born, and its number there. */
export function identityOf(skb: NonNullable<TraceEvent['skb']>, names: DeviceNames): string {
  return `${names.get(skb.device) ?? skb.device}/${skb.number}`;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  const trimmed = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const at = TOKEN.lastIndex;
    const blanks = /\S/.exec(trimmed.slice(at))?.index ?? 0;
    const column = at + blanks + 1;
    const match = TOKEN.exec(trimmed);
    if (match === null) throw new FilterError(column, `cannot read ${JSON.stringify(trimmed.slice(column - 1))}`);
    const [, operator, double, single, word] = match;
    found.push({ text: operator ?? double ?? single ?? word ?? '', operator: operator !== undefined, column });
  }
  return found;
}

class Parser {
  private readonly tokens: readonly Token[];
  /** The column behind the last character. */
  private readonly end: number;
  private readonly names: DeviceNames;
  private at = 0;
  private depth = 0;

  constructor(list: readonly Token[], end: number, names: DeviceNames) {
    this.tokens = list;
    this.end = end;
    this.names = names;
  }

  whole(): Matches {
    const matches = this.any();
    const left = this.tokens[this.at];
    if (left !== undefined) throw new FilterError(left.column, `did not expect ${JSON.stringify(left.text)}`);
    return matches;
  }

  private any(): Matches {
    const parts = [this.every()];
    while (this.take('||')) parts.push(this.every());
    return (event) => parts.some((matches) => matches(event));
  }

  private every(): Matches {
    const parts = [this.one()];
    while (this.take('&&')) parts.push(this.one());
    return (event) => parts.every((matches) => matches(event));
  }

  private one(): Matches {
    if (++this.depth > DEPTH_MAX) throw new FilterError(this.column, `deeper than ${DEPTH_MAX}`);
    const matches = this.nested();
    this.depth--;
    return matches;
  }

  private nested(): Matches {
    if (this.take('!')) {
      const inner = this.one();
      return (event) => !inner(event);
    }
    if (this.take('(')) {
      const inner = this.any();
      if (!this.take(')')) throw new FilterError(this.column, 'a parenthesis is not closed');
      return inner;
    }
    const name = this.word('a field or the name of a point');
    const operator = COMPARISONS.find((comparison) => this.take(comparison));
    if (operator === undefined) return this.comparison('point', '==', name);
    return this.comparison(name, operator, this.word(`a value after ${operator}`));
  }

  private comparison(name: string, operator: string, value: string): Matches {
    const { names } = this;
    const number = value.trim() === '' ? Number.NaN : Number(value);
    if (operator === '==' || operator === '!=') {
      const wanted = operator === '==';
      const equal = sameAs(value, number);
      return (event) => {
        const field = fieldOf(event, names, name);
        return field !== undefined && equal(field) === wanted;
      };
    }
    if (Number.isNaN(number)) {
      const { column } = this.tokens[this.at - 1]!;
      throw new FilterError(column, `${operator} compares numbers, found ${JSON.stringify(value)}`);
    }
    const holds = ORDERS[operator]!;
    return (event) => {
      const field = fieldOf(event, names, name);
      return field !== undefined && field !== '' && holds(Number(field), number);
    };
  }

  private get column(): number {
    return this.tokens[this.at]?.column ?? this.end;
  }

  private take(operator: string): boolean {
    const token = this.tokens[this.at];
    if (token === undefined || !token.operator || token.text !== operator) return false;
    this.at++;
    return true;
  }

  private word(expected: string): string {
    const token = this.tokens[this.at];
    if (token === undefined || token.operator) {
      const found = token === undefined ? ' at the end' : `, found ${token.text}`;
      throw new FilterError(this.column, `expected ${expected}${found}`);
    }
    this.at++;
    return token.text;
  }
}

const ORDERS: Readonly<Record<string, (one: number, other: number) => boolean>> = {
  '<': (one, other) => one < other,
  '<=': (one, other) => one <= other,
  '>': (one, other) => one > other,
  '>=': (one, other) => one >= other,
};

function sameAs(value: string, number: number): (field: string | number) => boolean {
  if (!value.includes('*')) {
    return (field) => String(field) === value || (!Number.isNaN(number) && Number(field) === number && field !== '');
  }
  const parts = value.split('*');
  return (field) => matchesParts(String(field), parts);
}

/** Whether `text` is the parts in their order, the first and the last at its ends: one search for each, no backtracking. */
function matchesParts(text: string, parts: readonly string[]): boolean {
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}
