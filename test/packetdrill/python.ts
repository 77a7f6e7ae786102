/**
 * The Python that scripts use between %{ and }%: `assert E, message`, `print(…)`, `NAME = E`, `NAME += E`, with chained
 * comparisons, bit operators and `'…%d' % x`. Variables live as long as the script. Left out: everything else.
 */
import { Mismatch, ParseError, Unsupported } from './script.ts';

type Value = number | string | boolean | readonly Value[];

const TOKEN =
  /\s*(?:(0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE]-?\d+)?)|([A-Za-z_]\w*)|('[^']*'|"[^"]*")|(\/\/|<<|>>|<=|>=|==|!=|\*\*|[-+*/%&|^~<>(),]))/y;

const COMPARISONS = new Set(['<', '<=', '>', '>=', '==', '!=', 'in']);
/** Binary operators by how tightly they bind, loosest first; comparisons, and, or, not stand above these. */
const LEVELS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']];

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found !== null) tokens.push(found[0].trim().replace(/^0x/i, '0x'));
    else {
      // Of a message, which is never worked out, or refused where it is met.
      const odd = /\s*(\S)/y;
      odd.lastIndex = at;
      tokens.push(odd.exec(text)?.[1] ?? '');
      TOKEN.lastIndex = odd.lastIndex;
    }
  }
  return tokens;
}

class Evaluator {
  private readonly tokens: string[];
  private at = 0;
  private readonly lookup: (name: string) => Value;

  constructor(text: string, lookup: (name: string) => Value) {
    this.tokens = tokensOf(text);
    this.lookup = lookup;
  }

  get ended(): boolean {
    return this.at >= this.tokens.length;
  }

  take(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }

  /** or, and, not, comparisons: loosest first. */
  expression(): Value {
    let left = this.conjunction();
    while (this.take('or')) {
      const right = this.conjunction();
      left = truth(left) ? left : right;
    }
    return left;
  }

  private conjunction(): Value {
    let left = this.negation();
    while (this.take('and')) {
      const right = this.negation();
      left = truth(left) ? right : left;
    }
    return left;
  }

  private negation(): Value {
    return this.take('not') ? !truth(this.negation()) : this.comparison();
  }

  private comparison(): Value {
    let left = this.binary(0);
    if (!COMPARISONS.has(this.tokens[this.at] ?? '')) return left;
    let all = true;
    while (COMPARISONS.has(this.tokens[this.at] ?? '')) {
      const operator = this.tokens[this.at++]!;
      const right = this.binary(0);
      all = all && compare(operator, left, right);
      left = right;
    }
    return all;
  }

  private binary(level: number): Value {
    const operators = LEVELS[level];
    if (operators === undefined) return this.unary();
    let left = this.binary(level + 1);
    while (operators.includes(this.tokens[this.at] ?? '')) {
      const operator = this.tokens[this.at++]!;
      left = apply(operator, left, this.binary(level + 1));
    }
    return left;
  }

  private unary(): Value {
    if (this.take('-')) return -number(this.unary());
    if (this.take('+')) return number(this.unary());
    if (this.take('~')) return ~number(this.unary());
    return this.primary();
  }

  private primary(): Value {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new ParseError('python: an expression ends too soon');
    if (token === '(') return this.inParentheses();
    if (/^\d/.test(token)) return Number(token);
    if (/^['"]/.test(token)) return token.slice(1, -1);
    if (token === 'True' || token === 'False') return token === 'True';
    if (!/^[A-Za-z_]/.test(token)) throw new ParseError(`python: ${token} is out of place`);
    if (!this.take('(')) return this.lookup(token);
    const inside = this.inParentheses();
    const values = (Array.isArray(inside) ? inside : [inside]).map(number);
    if (token === 'abs') return Math.abs(values[0] ?? 0);
    if (token === 'min') return Math.min(...values);
    if (token === 'max') return Math.max(...values);
    if (token === 'float') return values[0] ?? 0;
    if (token === 'round') return Math.round(values[0] ?? 0);
    if (token === 'int') return Math.trunc(values[0] ?? 0);
    throw new Unsupported(`python function ${token}`);
  }

  private inParentheses(): Value {
    const values = [this.expression()];
    let tuple = false;
    while (this.take(',')) {
      tuple = true;
      if (this.tokens[this.at] === ')') break;
      values.push(this.expression());
    }
    if (!this.take(')')) throw new ParseError('python: a parenthesis is not closed');
    return tuple ? values : values[0]!;
  }
}

function truth(value: Value): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function number(value: Value): number {
  if (typeof value === 'number' || typeof value === 'boolean') return Number(value);
  throw new ParseError(`python: ${String(value)} is no number`);
}

function compare(operator: string, left: Value, right: Value): boolean {
  if (operator === 'in') return Array.isArray(right) && right.some((it) => compare('==', left, it));
  if (typeof left === 'string' && typeof right === 'string') {
    if (operator === '==') return left === right;
    if (operator === '!=') return left !== right;
  }
  const [a, b] = [number(left), number(right)];
  const answers: Record<string, boolean> = {
    '<': a < b,
    '<=': a <= b,
    '>': a > b,
    '>=': a >= b,
    '==': a === b,
    '!=': a !== b,
  };
  return answers[operator] ?? false;
}

function apply(operator: string, left: Value, right: Value): Value {
  if (operator === '%' && typeof left === 'string') return left;
  const [a, b] = [number(left), number(right)];
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%':
      return ((a % b) + b) % b;
    case '<<':
      return a * 2 ** b;
    case '>>':
      return Math.floor(a / 2 ** b);
    default: {
      const [x, y] = [BigInt(a), BigInt(b)];
      return Number(operator === '&' ? x & y : operator === '|' ? x | y : x ^ y);
    }
  }
}

/** Statements of a snippet: by lines and semicolons, outside strings and parentheses; comments and continuations gone. */
function statementsOf(text: string): string[] {
  const statements: string[] = [];
  let depth = 0;
  let quote = '';
  let current = '';
  const joined = text.replace(/\\\r?\n/g, ' ');
  for (let i = 0; i < joined.length; i++) {
    const c = joined[i]!;
    if (quote !== '') quote = c === quote ? '' : quote;
    else if (c === "'" || c === '"') quote = c;
    else if (c === '#') {
      while (i + 1 < joined.length && joined[i + 1] !== '\n') i++;
      continue;
    } else if (c === '(') depth++;
    else if (c === ')') depth--;
    else if ((c === '\n' || c === ';') && depth === 0) {
      statements.push(current.trim());
      current = '';
      continue;
    }
    current += c;
  }
  statements.push(current.trim());
  return statements.filter((statement) => statement !== '');
}

export class Python {
  private readonly variables = new Map<string, Value>();

  /** Run a snippet; `sample` answers what the socket says (tcpi_…), undefined for a name that is none of its own. */
  run(text: string, sample: (name: string) => number | undefined): void {
    for (const statement of statementsOf(text)) this.statement(statement, sample);
  }

  private statement(statement: string, sample: (name: string) => number | undefined): void {
    const seen = new Map<string, Value>();
    const lookup = (name: string): Value => {
      const value = this.variables.get(name) ?? sample(name);
      if (value === undefined) throw new Unsupported(`python name ${name}`);
      seen.set(name, value);
      return value;
    };
    if (/^print\b/.test(statement)) return;
    const asserted = /^assert\b(.*)$/s.exec(statement);
    if (asserted !== null) {
      const evaluator = new Evaluator(asserted[1]!, lookup);
      if (truth(evaluator.expression())) return;
      const values = [...seen].map(([name, value]) => `${name} is ${String(value)}`).join(', ');
      throw new Mismatch(`expected ${asserted[1]!.trim().split(',')[0]}; ${values}`);
    }
    if (statement === 'pass') return;
    const assigned = /^(\w+)\s*(\/\/|<<|>>|[-+*/%&|^])?=(?!=)\s*(.*)$/s.exec(statement);
    if (assigned === null) throw new Unsupported(`python: ${statement}`);
    const [, name = '', operator, right = ''] = assigned;
    const value = new Evaluator(right, lookup).expression();
    this.variables.set(name, operator === undefined ? value : apply(operator, lookup(name), value));
  }
}
