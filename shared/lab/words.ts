/**
 * A command line into words, as a shell would without its variables: blanks part words, single quotes keep everything,
 * double quotes keep all but `\"` and `\\`, a backslash outside keeps the next character.
 */

export interface Word {
  readonly text: string;
  /** Where it starts and ends in the line, quotes included. */
  readonly start: number;
  readonly end: number;
}

/** The words of a line; undefined when a quote is not closed. */
export function splitWords(line: string): Word[] | undefined {
  const words: Word[] = [];
  let text: string | undefined;
  let start = 0;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const c = line[at] ?? '';
    if (quote === '' && /\s/.test(c)) {
      if (text !== undefined) words.push({ text, start, end: at });
      text = undefined;
      continue;
    }
    if (text === undefined) {
      text = '';
      start = at;
    }
    const next = line[at + 1];
    if (quote === '' && (c === '"' || c === "'")) quote = c;
    else if (c === quote) quote = '';
    else if (c === '\\' && next !== undefined && (quote === '' || (quote === '"' && /["\\]/.test(next)))) {
      text += next;
      at++;
    } else text += c;
  }
  if (quote !== '') return undefined;
  if (text !== undefined) words.push({ text, start, end: line.length });
  return words;
}
