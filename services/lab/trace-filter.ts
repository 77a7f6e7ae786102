/**
 * The filter language of `wirelab trace --filter`:
 *
 *   any   = every { "||" every }
 *   every = one { "&&" one }
 *   one   = "!" one | "(" any ")" | WORD [ ("==" | "!=" | "<" | "<=" | ">" | ">=") VALUE ]
 *
 * A WORD alone is the name of a point. In a comparison it is a field: point, device, layer, skb, len, data, headroom,
 * context, cause, or one of the event's own. What an event does not have compares false with everything. Values may be
 * quoted; `*` in a value or a point's name stands for any characters.
 */

export type FieldOf<E> = (event: E, name: string) => string | number | undefined;
export type Matches<E> = (event: E) => boolean;

/** Longest expression, and how deep its parentheses go. */
const CHARACTERS_MAX = 1_000;
const DEPTH_MAX = 50;

const TOKEN = /\s*(?:(\|\||&&|==|!=|<=|>=|[<>()!])|"([^"]*)"|'([^']*)'|([^\s|&=!<>()"']+))/y;
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

interface Token {
  readonly text: string;
  readonly operator: boolean;
}

/** What is wrong with an expression. */
export class FilterError extends Error {}

export function parseFilter<E>(text: string, fieldOf: FieldOf<E>): Matches<E> {
  if (text.length > CHARACTERS_MAX) throw new FilterError(`longer than ${CHARACTERS_MAX} characters`);
  const parser = new Parser(tokens(text), fieldOf);
  return parser.whole();
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  const trimmed = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < trimmed.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(trimmed);
    if (match === null) throw new FilterError(`cannot read ${JSON.stringify(trimmed.slice(at).trim())}`);
    const [, operator, double, single, word] = match;
    found.push({ text: operator ?? double ?? single ?? word ?? '', operator: operator !== undefined });
  }
  return found;
}

class Parser<E> {
  private readonly tokens: readonly Token[];
  private readonly fieldOf: FieldOf<E>;
  private at = 0;
  private depth = 0;

  constructor(list: readonly Token[], fieldOf: FieldOf<E>) {
    this.tokens = list;
    this.fieldOf = fieldOf;
  }

  whole(): Matches<E> {
    const matches = this.any();
    const left = this.tokens[this.at];
    if (left !== undefined) throw new FilterError(`did not expect ${JSON.stringify(left.text)}`);
    return matches;
  }

  private any(): Matches<E> {
    const parts = [this.every()];
    while (this.take('||')) parts.push(this.every());
    return (event) => parts.some((matches) => matches(event));
  }

  private every(): Matches<E> {
    const parts = [this.one()];
    while (this.take('&&')) parts.push(this.one());
    return (event) => parts.every((matches) => matches(event));
  }

  private one(): Matches<E> {
    if (++this.depth > DEPTH_MAX) throw new FilterError(`deeper than ${DEPTH_MAX}`);
    const matches = this.nested();
    this.depth--;
    return matches;
  }

  private nested(): Matches<E> {
    if (this.take('!')) {
      const inner = this.one();
      return (event) => !inner(event);
    }
    if (this.take('(')) {
      const inner = this.any();
      if (!this.take(')')) throw new FilterError('a parenthesis is not closed');
      return inner;
    }
    const name = this.word('a field or the name of a point');
    const operator = COMPARISONS.find((comparison) => this.take(comparison));
    if (operator === undefined) return this.comparison('point', '==', name);
    return this.comparison(name, operator, this.word(`a value after ${operator}`));
  }

  private comparison(name: string, operator: string, value: string): Matches<E> {
    const { fieldOf } = this;
    const number = value.trim() === '' ? Number.NaN : Number(value);
    if (operator === '==' || operator === '!=') {
      const wanted = operator === '==';
      const equal = sameAs(value, number);
      return (event) => {
        const field = fieldOf(event, name);
        return field !== undefined && equal(field) === wanted;
      };
    }
    if (Number.isNaN(number)) throw new FilterError(`${operator} compares numbers, found ${JSON.stringify(value)}`);
    const holds = ORDERS[operator]!;
    return (event) => {
      const field = fieldOf(event, name);
      return field !== undefined && field !== '' && holds(Number(field), number);
    };
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
      throw new FilterError(`expected ${expected}${token === undefined ? ' at the end' : `, found ${token.text}`}`);
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
  const pattern = value.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const regexp = new RegExp(`^${pattern.join('.*')}$`);
  return (field) => regexp.test(String(field));
}
