/**
 * Display filters in Wireshark's words over what dissect.ts shows of a frame (wireshark-filter(4), as of 4.0):
 *
 *   any     = every { ("||" | "or") every }
 *   every   = one { ("&&" | "and") one }
 *   one     = ("!" | "not") one | "(" any ")" | [ "any" | "all" ] operand [ "&" VALUE ] [ test ]
 *   operand = NAME [ "[" SLICE { "," SLICE } "]" ] | ("count" | "len" | "lower" | "upper") "(" operand ")"
 *   test    = ("==" | "===" | "!=" | "!==" | "<" | "<=" | ">" | ">=") (VALUE | operand)
 *           | ("contains" | "matches" | "~") VALUE | [ "not" ] "in" "{" RANGE { "," RANGE } "}"
 *
 * A NAME alone asks whether the frame has that protocol or field. A field that a frame has several times fits when any
 * of them does, but `!=` and `===` only when all do; `any` and `all` in front say which. VALUE is one of the field's
 * kind (filter-value.ts). Left out: arithmetic, layer numbers (`ip.src#2`), names of values (`arp.opcode == request`), and all
 * that Wireshark works out from more than the one frame.
 *
 * Interface: parseFilter(text) is a Filter, or a FilterProblem that says where and what was expected; works in the
 * browser as well.
 */

import type { FieldKind } from './filter-fields.ts';
import { FILTER_NAMES, type Frame, isName, layersOf, type Operand, operandOf, type Values } from './filter-operand.ts';
import { slicesOf } from './filter-slice.ts';
import { type FilterProblem, operatorOf, stray, type Token, tokensOf, Wrong } from './filter-tokens.ts';
import {
  asOctets,
  type Constant,
  compare,
  constantOf,
  family,
  isSet,
  masked,
  type Order,
  textOf,
  type Value,
} from './filter-value.ts';

export type { FilterProblem } from './filter-tokens.ts';
/** Every name that parseFilter knows. */
export const filterNames: readonly string[] = FILTER_NAMES;

/** Longest expression, and how deep its parentheses go. */
const CHARACTERS_MAX = 1_000;
const DEPTH_MAX = 50;
const SET_MAX = 100;

export type Filter = (frame: Frame) => boolean;

type Test = (value: Value) => boolean;

const ORDERS: readonly string[] = ['==', '===', '!=', '!==', '<', '<=', '>', '>='];
const FUNCTIONS: readonly string[] = ['count', 'len', 'lower', 'upper'];

export function parseFilter(text: string): Filter | { readonly problem: FilterProblem } {
  try {
    if (text.length > CHARACTERS_MAX) throw new Wrong(CHARACTERS_MAX + 1, `longer than ${CHARACTERS_MAX} characters`);
    return new Parser(text).whole();
  } catch (error) {
    if (error instanceof Wrong) return { problem: error.problem };
    throw error;
  }
}

class Parser {
  private readonly source: string;
  private readonly tokens: readonly Token[];
  private at = 0;
  private depth = 0;

  constructor(source: string) {
    this.source = source;
    this.tokens = tokensOf(source);
  }

  whole(): Filter {
    const filter = this.any();
    const left = this.tokens[this.at];
    if (left === undefined) return filter;
    if (/^[-+*/%]/.test(left.text)) throw new Wrong(left.column, 'arithmetic is left out');
    throw stray(left.column, left.text, `did not expect ${JSON.stringify(left.text)}`);
  }

  private any(): Filter {
    const parts = [this.every()];
    while (this.take('||')) parts.push(this.every());
    return parts.length === 1 ? parts[0]! : (frame) => parts.some((part) => part(frame));
  }

  private every(): Filter {
    const parts = [this.one()];
    while (this.take('&&')) parts.push(this.one());
    return parts.length === 1 ? parts[0]! : (frame) => parts.every((part) => part(frame));
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
      return (frame) => !inner(frame);
    }
    if (this.take('(')) {
      const inner = this.any();
      if (!this.take(')')) throw new Wrong(this.column(), 'a parenthesis is not closed');
      return inner;
    }
    const quantifier = this.quantifier();
    const operand = this.operand();
    if (this.take('&')) return this.masked(operand, quantifier);
    return this.comparison(operand, quantifier) ?? ((frame) => operand.read(frame).length > 0);
  }

  /** `any` or `all`, when a name comes behind it. */
  private quantifier(): 'any' | 'all' | undefined {
    const [token, next] = [this.tokens[this.at], this.tokens[this.at + 1]];
    if (token?.kind !== 'word' || next?.kind !== 'word' || operatorOf(next) !== undefined) return undefined;
    if (token.text !== 'any' && token.text !== 'all') return undefined;
    this.at++;
    return token.text;
  }

  private masked(operand: Operand, quantifier: 'any' | 'all' | undefined): Filter {
    this.comparable(operand, ['number', 'ipv4', 'mac', 'octets'], '&');
    // `tcp & udp`: two tests, not a test of bits.
    const [and, next] = this.tokens.slice(this.at - 1, this.at + 1);
    if (and !== undefined && next?.kind === 'word' && isName(next.text)) {
      throw new Wrong(and.column, `expected a number after &, found ${next.text}`, { meant: '&&' });
    }
    const { value: mask } = constantOf(this.value(`a value after &`), operand.name, widest(operand.kind));
    const read = (frame: Frame): Values => operand.read(frame).map((value) => masked(value, mask));
    const left = { ...operand, kind: widest(operand.kind), read };
    return this.comparison(left, quantifier) ?? ((frame) => read(frame).some(isSet));
  }

  private operand(): Operand {
    const token = this.tokens[this.at];
    if (token?.kind !== 'word') {
      throw new Wrong(this.column(), `expected a protocol or a field, found ${token?.text ?? 'the end'}`);
    }
    this.at++;
    if (this.tokens[this.at]?.text === '(' && this.tokens[this.at]?.kind === 'operator') return this.call(token);
    const operand = operandOf(token);
    return this.take('[') ? this.sliced(operand) : operand;
  }

  private call({ text, column }: Token): Operand {
    if (!FUNCTIONS.includes(text)) {
      throw new Wrong(column, `no function is called ${JSON.stringify(text)}; there are ${FUNCTIONS.join(', ')}`);
    }
    if (++this.depth > DEPTH_MAX) throw new Wrong(this.column(), `deeper than ${DEPTH_MAX}`);
    this.take('(');
    const inner = this.operand();
    if (!this.take(')')) throw new Wrong(this.column(), 'a parenthesis is not closed');
    this.depth--;
    const made = { name: `${text}(${inner.name})`, column, isProtocol: false };
    const each = (kind: FieldKind, change: (value: Value) => Value): Operand => {
      return { ...made, kind, read: (frame) => inner.read(frame).map(change) };
    };
    if (text === 'count') return { ...made, kind: 'u32', read: (frame) => counted(inner.read(frame).length) };
    if (text === 'len') {
      this.comparable(inner, ['text', 'octets', 'mac', 'ipv4'], 'len');
      if (inner.isProtocol)
        return { ...made, kind: 'u32', read: (frame) => layersOf(frame, inner.name).map((l) => l.size) };
      return each('u32', (value) => asOctets(value, inner.kind).length);
    }
    this.comparable(inner, ['text'], text);
    return each('text', (value) => (text === 'lower' ? String(value).toLowerCase() : String(value).toUpperCase()));
  }

  private sliced(operand: Operand): Operand {
    this.comparable(operand, ['text', 'octets', 'mac', 'ipv4'], '[…]');
    const from = this.tokens[this.at - 1]!.at + 1;
    while (this.at < this.tokens.length && this.tokens[this.at]?.text !== ']') this.at++;
    const to = this.tokens[this.at]?.at ?? this.source.length;
    if (!this.take(']')) throw new Wrong(this.column(), 'a slice is not closed: expected ]');
    const slice = slicesOf(this.source.slice(from, to), from + 1);
    const { name, kind, column, isProtocol, read } = operand;
    const whole = isProtocol
      ? (frame: Frame) => layersOf(frame, name).map((layer) => frame.bytes.subarray(layer.at, layer.at + layer.size))
      : (frame: Frame) => read(frame).map((value) => asOctets(value, kind));
    return {
      name: `${name}[…]`,
      column,
      kind: 'octets',
      isProtocol: false,
      // A slice that reaches beyond its end is none.
      read: (frame) => whole(frame).flatMap((octets) => slice(octets) ?? []),
    };
  }

  private comparison(operand: Operand, quantifier: 'any' | 'all' | undefined): Filter | undefined {
    const operator = ORDERS.find((order) => this.take(order));
    if (operator !== undefined) return this.ordered(operand, operator, quantifier);
    // `not in` is the opposite of all of it: a frame without the field fits.
    const [not, next] = this.tokens.slice(this.at, this.at + 2);
    const isNot = not?.text === 'not' && next !== undefined && operatorOf(next) === 'in';
    if (isNot) this.at++;
    if (quantifier === 'all' && (isNot || operatorOf(this.tokens[this.at] ?? NO_TOKEN) === 'in')) {
      throw new Wrong(this.column(), 'all and in do not go together: say all … == for each');
    }
    const test = this.member(operand) ?? this.search(operand);
    if (test === undefined) return undefined;
    const { read } = operand;
    if (quantifier !== 'all') return (frame) => read(frame).some(test) !== isNot;
    return (frame) => {
      const values = read(frame);
      return values.length > 0 && values.every(test);
    };
  }

  private ordered(operand: Operand, operator: string, quantifier: 'any' | 'all' | undefined): Filter {
    if (operand.isProtocol) {
      const message = `${operand.name} is a protocol: it stands alone, or with contains, matches, [offset:length], or one of its fields`;
      throw new Wrong(operand.column, message);
    }
    const negated = operator.startsWith('!');
    const order = (operator.includes('==') || negated ? '==' : operator) as Order;
    const all = quantifier === undefined ? operator === '===' || operator === '!=' : quantifier === 'all';
    const others = this.right(operand, operator);
    const { read } = operand;
    return (frame) => {
      const values = read(frame);
      const rights = others(frame);
      const fits = (value: Value, right: Constant): boolean => compare(order, value, right) !== negated;
      if (!all) return values.some((value) => rights.some((right) => fits(value, right)));
      if (values.length === 0 || rights.length === 0) return false;
      return values.every((value) => rights.every((right) => fits(value, right)));
    };
  }

  /** The other side: a value of the field's kind, or another field. */
  private right(operand: Operand, operator: string): (frame: Frame) => readonly Constant[] {
    const token = this.tokens[this.at];
    const next = this.tokens[this.at + 1];
    const isCall = token?.kind === 'word' && next?.kind === 'operator' && next.text === '(';
    if (token !== undefined && (isCall || (token.kind === 'word' && isName(token.text)))) {
      const other = this.operand();
      if (other.isProtocol || family(other.kind) !== family(operand.kind) || family(other.kind) === 'none') {
        throw new Wrong(token.column, `${operand.name} and ${other.name} do not compare; a text stands in quotes`);
      }
      return (frame) => other.read(frame).map((value) => ({ value }));
    }
    const value = this.value(`a value after ${operator}`);
    const constants = [constantOf(value, operand.name, operand.kind)];
    return () => constants;
  }

  /** `in {80, 443, 8000..8010}`. */
  private member(operand: Operand): Test | undefined {
    if (!this.take('in')) return undefined;
    if (operand.isProtocol) throw new Wrong(operand.column, `${operand.name} is a protocol, and no value of a set`);
    if (!this.take('{')) throw new Wrong(this.column(), 'expected { after in');
    const tests: Test[] = [];
    do {
      if (tests.length === SET_MAX) throw new Wrong(this.column(), `more than ${SET_MAX} in a set`);
      const low = constantOf(this.value('a value'), operand.name, operand.kind);
      if (this.tokens[this.at]?.text === '..') {
        this.at++;
        const high = constantOf(this.value('a value after ..'), operand.name, operand.kind);
        tests.push((value) => compare('>=', value, low) && compare('<=', value, high));
      } else tests.push((value) => compare('==', value, low));
    } while (this.take(','));
    if (!this.take('}')) throw new Wrong(this.column(), 'expected , or } in a set');
    return (value) => tests.some((test) => test(value));
  }

  private search(operand: Operand): Test | undefined {
    const { kind, name } = operand;
    if (this.take('contains')) {
      this.comparable(operand, ['text', 'octets', 'mac'], 'contains');
      const token = this.value('text after contains');
      if (kind === 'text') return (value) => String(value).includes(token.text);
      const wanted = textOf(constantOf(token, name, 'octets').value as Uint8Array);
      return (value) => textOf(asOctets(value, kind)).includes(wanted);
    }
    if (!this.take('matches')) return undefined;
    this.comparable(operand, ['text', 'octets'], 'matches');
    const { text, column } = this.value('a pattern after matches');
    const pattern = patternOf(text, column);
    return (value) => pattern.test(typeof value === 'string' ? value : textOf(asOctets(value, kind)));
  }

  private comparable({ kind, name, column }: Operand, kinds: readonly string[], operator: string): void {
    if (kinds.includes(family(kind))) return;
    const what = family(kind) === 'none' ? 'has no value' : `is ${KIND_WORDS[family(kind)]}`;
    throw new Wrong(column, `${name} ${what}; ${operator} is for ${kinds.map((one) => KIND_WORDS[one]).join(', ')}`);
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
    if (token === undefined || operatorOf(token) !== operator) return false;
    this.at++;
    return true;
  }

  private column(): number {
    return this.tokens[this.at]?.column ?? this.source.trimEnd().length + 1;
  }
}

const NO_TOKEN: Token = { text: '', kind: 'text', column: 0, at: 0 };
const KIND_WORDS: Readonly<Record<string, string>> = {
  number: 'a number',
  ipv4: 'an IPv4 address',
  mac: 'a MAC address',
  text: 'text',
  octets: 'octets',
};

/** What & leaves of a flag is a number. */
function widest(kind: FieldKind): FieldKind {
  return family(kind) === 'number' ? 'u32' : kind;
}

/** Of a field that a frame does not have there is no count either, as in Wireshark. */
function counted(count: number): Values {
  return count === 0 ? [] : [count];
}

/** As Wireshark's: upper and lower case are the same. It is its own lab that a pattern without end would hold up. */
function patternOf(text: string, column: number): RegExp {
  try {
    return new RegExp(text, 'i');
  } catch {
    throw new Wrong(column, `${JSON.stringify(text)} is no regular expression`);
  }
}
