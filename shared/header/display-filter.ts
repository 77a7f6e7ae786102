/**
 * Display filters in Wireshark's words over what dissect.ts shows of a frame (wireshark-filter(4)):
 *
 *   any   = every { ("||" | "or") every }
 *   every = one { ("&&" | "and") one }
 *   one   = ("!" | "not") one | "(" any ")" | NAME [ test ]
 *   test  = ("==" | "eq" | "!=" | "ne" | "<" | "lt" | "<=" | "le" | ">" | "gt" | ">=" | "ge" | "contains") VALUE
 *         | "&" NUMBER [ test ] | "in" "{" RANGE { "," RANGE } "}"
 *
 * A NAME alone asks whether the frame has that protocol or field. A field that a frame has several times fits when any
 * of them does, but `!=` only when none is equal, as in Wireshark since 4.0. VALUE: a number (also 0x…), an address,
 * with /LENGTH a network, true or false, a word, or "text". Left out: slices, functions, `matches`.
 *
 * Interface: parseFilter(text) is a Filter, or a FilterProblem that says where and what was expected; works in the
 * browser as well.
 */
import { formatIpv4, parseIpv4 } from './address.ts';
import type { Dissection, Field, Layer } from './dissection.ts';
import { FILTER_EITHER, FILTER_FIELDS, FILTER_OPEN_PREFIX, FILTER_PROTOCOLS } from './filter-fields.ts';

/** Longest expression, and how deep its parentheses go. */
const CHARACTERS_MAX = 1_000;
const DEPTH_MAX = 50;
const SET_MAX = 100;

export interface FilterProblem {
  /** Column from 1. */
  readonly column: number;
  readonly message: string;
  /** The word that was not known, for whoever proposes a close one among `filterNames`. */
  readonly unknown?: string;
  /** What was meant by what is none of our operators. */
  readonly meant?: string;
}

/** `frameLength` counts Ethernet header to FCS. */
export type Filter = (frame: Pick<Dissection, 'layers'>, frameLength: number) => boolean;

type Values = readonly (string | number)[];
type Reader = (frame: Pick<Dissection, 'layers'>, frameLength: number) => Values;
type Test = (values: Values) => boolean;

/** Every name that parseFilter knows. */
export const filterNames: readonly string[] = [...FILTER_PROTOCOLS, ...FILTER_EITHER.keys(), ...FILTER_FIELDS].sort();

export function parseFilter(text: string): Filter | { readonly problem: FilterProblem } {
  try {
    if (text.length > CHARACTERS_MAX) throw new Wrong(CHARACTERS_MAX + 1, `longer than ${CHARACTERS_MAX} characters`);
    return new Parser(tokensOf(text), text.trimEnd().length + 1).whole();
  } catch (error) {
    if (error instanceof Wrong) return { problem: error.problem };
    throw error;
  }
}

/** How the parser gets out of its recursion; never leaves this file. */
class Wrong extends Error {
  readonly problem: FilterProblem;
  constructor(column: number, message: string, more: Pick<FilterProblem, 'unknown' | 'meant'> = {}) {
    super(message);
    this.problem = { column, message, ...more };
  }
}

interface Token {
  readonly text: string;
  readonly kind: 'operator' | 'word' | 'text';
  readonly column: number;
}

const TOKEN = /\s*(?:(\|\||&&|==|!=|<=|>=|[<>()!{},&])|"((?:[^"\\]|\\.)*)"|([^\s|&=!<>(){},"]+))/y;
const WORD_OPERATORS: Readonly<Record<string, string>> = {
  or: '||',
  and: '&&',
  not: '!',
  eq: '==',
  ne: '!=',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
  contains: 'contains',
  in: 'in',
};
/** What people of other languages write, and what it is here. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['=', '=='],
  ['=<', '<='],
  ['=>', '>='],
  ['|', '||'],
  ['~', 'contains'],
  ['is', '=='],
  ['equals', '=='],
  ['matches', 'contains'],
  ['has', 'contains'],
  ...Object.keys(WORD_OPERATORS).map((word) => [word.toUpperCase(), word] as const),
]);
const NO_OPERATOR = /^(=[<>]|[=|~])/;

/** What stands where an operator should, and is none. */
function stray(column: number, found: string, message: string): Wrong {
  const meant = MEANT.get(found);
  return new Wrong(column, message, meant === undefined ? {} : { meant });
}

const ORDERS: Readonly<Record<string, (one: number, other: number) => boolean>> = {
  '<': (one, other) => one < other,
  '<=': (one, other) => one <= other,
  '>': (one, other) => one > other,
  '>=': (one, other) => one >= other,
};

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      const at = from + (text.slice(from).match(/^\s*/)?.[0].length ?? 0);
      const operator = NO_OPERATOR.exec(text.slice(at))?.[0];
      if (operator !== undefined) throw stray(at + 1, operator, `${operator} is no operator`);
      throw new Wrong(at + 1, `cannot read ${JSON.stringify(text.slice(at, at + 20))}`);
    }
    const [whole, operator, quoted, word] = match;
    const column = from + (whole.length - whole.trimStart().length) + 1;
    if (operator !== undefined) tokens.push({ text: operator, kind: 'operator', column });
    else if (quoted !== undefined) tokens.push({ text: quoted.replace(/\\(.)/g, '$1'), kind: 'text', column });
    else tokens.push({ text: word ?? '', kind: 'word', column });
  }
  return tokens;
}

class Parser {
  private readonly tokens: readonly Token[];
  private readonly endColumn: number;
  private at = 0;
  private depth = 0;

  constructor(tokens: readonly Token[], endColumn: number) {
    this.tokens = tokens;
    this.endColumn = endColumn;
  }

  whole(): Filter {
    const filter = this.any();
    const left = this.tokens[this.at];
    if (left !== undefined) throw stray(left.column, left.text, `did not expect ${JSON.stringify(left.text)}`);
    return filter;
  }

  private any(): Filter {
    const parts = [this.every()];
    while (this.take('||')) parts.push(this.every());
    return parts.length === 1 ? parts[0]! : (frame, length) => parts.some((part) => part(frame, length));
  }

  private every(): Filter {
    const parts = [this.one()];
    while (this.take('&&')) parts.push(this.one());
    return parts.length === 1 ? parts[0]! : (frame, length) => parts.every((part) => part(frame, length));
  }

  private one(): Filter {
    if (++this.depth > DEPTH_MAX) throw new Wrong(this.column(), `deeper than ${DEPTH_MAX}`);
    const filter = this.nested();
    this.depth--;
    return filter;
  }

  private nested(): Filter {
    if (this.take('!')) {
      const inner = this.one();
      return (frame, length) => !inner(frame, length);
    }
    if (this.take('(')) {
      const inner = this.any();
      if (!this.take(')')) throw new Wrong(this.column(), 'a parenthesis is not closed');
      return inner;
    }
    const token = this.tokens[this.at];
    if (token?.kind !== 'word') {
      throw new Wrong(this.column(), `expected a protocol or a field, found ${token?.text ?? 'the end'}`);
    }
    this.at++;
    const read = readerOf(token);
    const test = this.test(token);
    return (frame, length) => test(read(frame, length));
  }

  private test(name: Token): Test {
    if (this.take('&')) {
      const mask = this.mask();
      const test = this.comparison() ?? ((values: Values) => values.some((value) => value !== 0));
      return (values) => test(values.filter((value) => typeof value === 'number').map((value) => (value & mask) >>> 0));
    }
    const test = this.comparison();
    if (test !== undefined && FILTER_PROTOCOLS.includes(name.text)) {
      throw new Wrong(name.column, `${name.text} is a protocol: it stands alone, or as one of its fields`);
    }
    return test ?? ((values) => values.length > 0);
  }

  private comparison(): Test | undefined {
    if (this.take('==')) {
      const equal = this.equal();
      return (values) => values.some(equal);
    }
    if (this.take('!=')) {
      const equal = this.equal();
      return (values) => values.length > 0 && !values.some(equal);
    }
    if (this.take('contains')) {
      const wanted = this.value('text after contains').text;
      return (values) => values.some((value) => String(value).includes(wanted));
    }
    if (this.take('in')) return this.set();
    const operator = Object.keys(ORDERS).find((order) => this.take(order));
    if (operator === undefined) return undefined;
    const limit = this.number(`a number after ${operator}`);
    const holds = ORDERS[operator]!;
    return (values) => values.some((value) => typeof value === 'number' && holds(value, limit));
  }

  /** `{80, 443, 8000..8010}`. */
  private set(): Test {
    if (!this.take('{')) throw new Wrong(this.column(), 'expected { after in');
    const tests: ((value: string | number) => boolean)[] = [];
    do {
      if (tests.length === SET_MAX) throw new Wrong(this.column(), `more than ${SET_MAX} in a set`);
      const token = this.value('a value');
      const range = token.kind === 'word' ? /^([^.]+)\.\.([^.]+)$/.exec(token.text) : null;
      const low = numberOf(range?.[1] ?? '');
      const high = numberOf(range?.[2] ?? '');
      if (low === undefined || high === undefined) tests.push(equalTo(token));
      else tests.push((value) => typeof value === 'number' && value >= low && value <= high);
    } while (this.take(','));
    if (!this.take('}')) throw new Wrong(this.column(), 'expected , or } in a set');
    return (values) => values.some((value) => tests.some((test) => test(value)));
  }

  private equal(): (value: string | number) => boolean {
    return equalTo(this.value('a value'));
  }

  private number(expected: string): number {
    const token = this.value(expected);
    const number = numberOf(token.text);
    if (number === undefined) throw new Wrong(token.column, `expected ${expected}, found ${token.text}`);
    return number;
  }

  private mask(): number {
    const token = this.tokens[this.at];
    const column = this.tokens[this.at - 1]?.column ?? 1;
    // `tcp & udp`: two tests, not a test of bits.
    if (token?.kind === 'word' && numberOf(token.text) === undefined)
      throw new Wrong(column, `expected a number after &, found ${token.text}`, { meant: '&&' });
    return this.number('a number after &');
  }

  private value(expected: string): Token {
    const token = this.tokens[this.at];
    if (token === undefined || token.kind === 'operator') {
      throw new Wrong(this.column(), `expected ${expected}, found ${token?.text ?? 'the end'}`);
    }
    this.at++;
    return token;
  }

  private take(operator: string): boolean {
    const token = this.tokens[this.at];
    if (token === undefined || token.kind === 'text') return false;
    const said = token.kind === 'word' ? WORD_OPERATORS[token.text] : token.text;
    if (said !== operator) return false;
    this.at++;
    return true;
  }

  private column(): number {
    return this.tokens[this.at]?.column ?? this.endColumn;
  }
}

function readerOf(token: Token): Reader {
  const name = token.text;
  if (name === 'frame.len') return (_frame, length) => [length];
  if (FILTER_PROTOCOLS.includes(name)) {
    return (frame) => (frame.layers.some((layer) => layer.protocol === name) ? [1] : []);
  }
  const either = FILTER_EITHER.get(name) ?? [name];
  const known = FILTER_EITHER.has(name) || FILTER_FIELDS.includes(name) || name.startsWith(FILTER_OPEN_PREFIX);
  if (!known)
    throw new Wrong(token.column, `no protocol or field is called ${JSON.stringify(name)}`, { unknown: name });
  return (frame) => valuesOf(frame.layers, either);
}

function valuesOf(layers: readonly Layer[], names: readonly string[]): Values {
  const values: (string | number)[] = [];
  const collect = ({ name, value }: Field): void => {
    if (names.includes(name)) values.push(value);
  };
  for (const { fields } of layers) fields.forEach(collect);
  return values;
}

function equalTo(token: Token): (value: string | number) => boolean {
  const wanted = token.text.toLowerCase();
  if (token.kind === 'word') {
    const network = networkOf(token);
    if (network !== undefined) return network;
    const truth = wanted === 'true' ? 1 : wanted === 'false' ? 0 : undefined;
    const number = truth ?? numberOf(wanted);
    if (number !== undefined) return (value) => value === number || String(value).toLowerCase() === wanted;
  }
  return (value) => String(value).toLowerCase() === wanted;
}

/** `10.0.0.0/8`: every address in it. */
function networkOf({ text, column }: Token): ((value: string | number) => boolean) | undefined {
  const match = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(text);
  if (match === null) return undefined;
  const base = parseIpv4(match[1] ?? '');
  const length = Number(match[2]);
  if (base === undefined || length > 32) throw new Wrong(column, `${text} is no network`);
  const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
  const network = (base & mask) >>> 0;
  return (value) => {
    const address = typeof value === 'string' ? parseIpv4(value) : undefined;
    return address !== undefined && formatIpv4(address) === value && (address & mask) >>> 0 === network;
  };
}

function numberOf(text: string): number | undefined {
  return /^(0x[0-9a-f]{1,12}|[0-9]{1,15})$/i.test(text) ? Number(text) : undefined;
}
