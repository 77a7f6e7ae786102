/**
 * Fingerprints as nmap writes them, `SEQ(SP=104%GCD=1%…)`, and the language of a reference's expressions: `|` parts
 * alternatives, `<` and `>` bound, `a-b` is a range (hexadecimal, both ends in), `[…]` the same for a number inside a word.
 */

/** Field by test line: `T1` → `DF` → `Y`. */
export type Fingerprint = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** What nmap prints, its `OS:` line breaks undone; SCAN and what is no test line is passed over. */
export function parseFingerprint(text: string): Fingerprint {
  const joined = text.replace(/\n?^OS:/gm, '');
  const lines = new Map<string, ReadonlyMap<string, string>>();
  for (const [, name = '', body = ''] of joined.matchAll(/\b(SEQ|OPS|WIN|ECN|T[1-7]|U1|IE)\(([^()]*)\)/g)) {
    const fields = new Map<string, string>();
    for (const pair of body.split('%')) {
      const at = pair.indexOf('=');
      if (at > 0) fields.set(pair.slice(0, at), pair.slice(at + 1));
    }
    lines.set(name, fields);
  }
  return lines;
}

export function printFingerprint(fingerprint: Fingerprint): string {
  return [...fingerprint]
    .map(([name, fields]) => `${name}(${[...fields].map(([field, value]) => `${field}=${value}`).join('%')})`)
    .join('\n');
}

const HEX = /^[0-9A-F]{1,8}$/;

function inNumbers(value: string, expression: string): boolean {
  if (!HEX.test(value)) return false;
  const number = Number.parseInt(value, 16);
  const bound = /^([<>])([0-9A-F]+)$/.exec(expression);
  if (bound !== null) {
    const limit = Number.parseInt(bound[2] ?? '', 16);
    return bound[1] === '<' ? number < limit : number > limit;
  }
  const range = /^([0-9A-F]+)-([0-9A-F]+)$/.exec(expression);
  if (range === null) return false;
  return number >= Number.parseInt(range[1] ?? '', 16) && number <= Number.parseInt(range[2] ?? '', 16);
}

/** Split at `|`, but not between `[` and `]`. */
function alternatives(expression: string): string[] {
  return expression.split(/\|(?![^[]*\])/);
}

/** A word with numbers in it, `M[5B4-5B8]ST11NW7`. */
function inWord(value: string, word: string): boolean {
  const open = word.indexOf('[');
  if (open < 0) return value === word;
  const close = word.indexOf(']', open);
  if (close < 0 || !value.startsWith(word.slice(0, open))) return false;
  const digits = /^[0-9A-F]+/.exec(value.slice(open))?.[0] ?? '';
  return (
    matches(digits, word.slice(open + 1, close)) && inWord(value.slice(open + digits.length), word.slice(close + 1))
  );
}

/** Whether a value lies inside a reference's expression (nmap: expr_match). */
export function matches(value: string, expression: string): boolean {
  return alternatives(expression).some((one) => inWord(value, one) || inNumbers(value, one));
}

export interface Row {
  readonly line: string;
  readonly field: string;
  readonly ours: string | undefined;
  readonly reference: string;
  readonly inside: boolean;
}

/**
 * Field by field what the reference asks. A field that the reference has and we lack is outside, but for T and TG, of
 * which nmap compares the one that it could find out.
 */
export function compare(ours: Fingerprint, reference: Fingerprint): Row[] {
  const rows: Row[] = [];
  for (const [line, fields] of reference) {
    const have = ours.get(line);
    for (const [field, expression] of fields) {
      const value = have?.get(field);
      const other = field === 'T' ? 'TG' : field === 'TG' ? 'T' : undefined;
      if (value === undefined && other !== undefined && have?.has(other)) continue;
      const inside = value !== undefined && matches(value, expression);
      rows.push({ line, field, ours: value, reference: expression, inside });
    }
  }
  return rows;
}

/** The two side by side, a row a field. */
export function tableOf(rows: readonly Row[]): string {
  const cells = [['test', 'field', 'ours', 'reference', 'inside']];
  for (const { line, field, ours, reference, inside } of rows) {
    const shown = (text: string | undefined): string => (text === undefined ? '-' : text === '' ? '(empty)' : text);
    cells.push([line, field, shown(ours), shown(reference), inside ? 'yes' : 'NO']);
  }
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  return cells
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
