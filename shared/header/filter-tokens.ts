/** A display filter's text as tokens (display-filter.ts), and how its parser gets out when something is wrong. */

export interface FilterProblem {
  /** Column from 1. */
  readonly column: number;
  readonly message: string;
  /** The word that was not known, for whoever proposes a close one among `filterNames`. */
  readonly unknown?: string;
  /** What was meant by what is none of our operators. */
  readonly meant?: string;
}

/** How the parser gets out of its recursion; parseFilter catches it. */
export class Wrong extends Error {
  readonly problem: FilterProblem;
  constructor(column: number, message: string, more: Pick<FilterProblem, 'unknown' | 'meant'> = {}) {
    super(message);
    this.problem = { column, message, ...more };
  }
}

export interface Token {
  readonly text: string;
  /** `character`: 'A', a number in Wireshark. */
  readonly kind: 'operator' | 'word' | 'text' | 'character';
  readonly column: number;
  /** Where it stands in the text, from 0. */
  readonly at: number;
}

const TOKEN =
  /\s*(?:(\|\||&&|===|!==|==|!=|~=|<=|>=|[<>()!{},&~[\]])|(r?)"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)+)'|((?:[^\s|&=!<>(){},"'~[\].]|\.(?!\.))+|\.\.))/y;

const WORD_OPERATORS: Readonly<Record<string, string>> = {
  or: '||',
  and: '&&',
  not: '!',
  eq: '==',
  any_eq: '==',
  all_eq: '===',
  ne: '!=',
  all_ne: '!=',
  any_ne: '!==',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
  bitwise_and: '&',
  contains: 'contains',
  matches: 'matches',
  in: 'in',
};

/** What people of other languages write, and what it is here. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['=', '=='],
  ['=<', '<='],
  ['=>', '>='],
  ['|', '||'],
  ['is', '=='],
  ['equals', '=='],
  ['has', 'contains'],
  ...Object.keys(WORD_OPERATORS).map((word) => [word.toUpperCase(), word] as const),
]);
const NO_OPERATOR = /^(=[<>]|[=|])/;

/** What stands where an operator should, and is none. */
export function stray(column: number, found: string, message: string): Wrong {
  const meant = MEANT.get(found);
  return new Wrong(column, message, meant === undefined ? {} : { meant });
}

export function tokensOf(text: string): Token[] {
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
    const [whole, operator, raw, quoted, character, word] = match;
    const at = from + (whole.length - whole.trimStart().length);
    const add = (kind: Token['kind'], said: string): void => void tokens.push({ text: said, kind, column: at + 1, at });
    if (operator !== undefined) add('operator', operator);
    else if (quoted !== undefined) add('text', raw === 'r' ? quoted : unescaped(quoted, at + raw!.length + 2));
    else if (character !== undefined) add('character', unescaped(character, at + 2));
    else add('word', word ?? '');
  }
  return tokens;
}

/** The operator that a token is, whatever it is called; undefined for a value. */
export function operatorOf({ kind, text }: Token): string | undefined {
  if (kind === 'word') return Object.hasOwn(WORD_OPERATORS, text) ? WORD_OPERATORS[text] : undefined;
  if (kind !== 'operator') return undefined;
  return text === '~=' ? '!==' : text === '~' ? 'matches' : text;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '0': '\0',
};

/** The escapes of C; another one is a slip, as a pattern's `\.` is outside of r"". */
function unescaped(text: string, column: number): string {
  return text.replace(/\\(x[0-9a-f]{2}|.)/gi, (whole: string, said: string, at: number) => {
    if (said.length === 3) return String.fromCharCode(Number.parseInt(said.slice(1), 16));
    if (`\\"'`.includes(said)) return said;
    const character = ESCAPES[said];
    if (character === undefined) throw new Wrong(column + at, `${whole} is no escape: say \\${whole}, or r"…"`);
    return character;
  });
}
