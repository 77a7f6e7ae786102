/** What shell lines of scripts are made of: words, pieces between operators, and the filters behind a pipe. */
import { Mismatch, Unsupported } from './script.ts';

/** Pieces of `text` between the operators that `at` (sticky) matches; not within quotes. */
export function splitOutside(text: string, at: RegExp): string[] {
  const pieces: string[] = [];
  let quote = '';
  let current = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quote !== '') quote = c === quote ? '' : quote;
    else if (c === '"' || c === "'") quote = c;
    else {
      at.lastIndex = i;
      const found = at.exec(text);
      // `a || b` is no pipe.
      const doubled = found?.[0] === '|' && (text[i + 1] === '|' || text[i - 1] === '|');
      if (found !== null && !doubled) {
        pieces.push(current);
        current = '';
        i += found[0].length - 1;
        continue;
      }
    }
    current += c;
  }
  pieces.push(current);
  return pieces;
}

export function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Words of a command, quotes taken off, `$((32*1024))` and `$[32*1024]` worked out. */
export function wordsOf(line: string): string[] {
  const counted = line.replace(/\$(?:\(\(([\d*\s]+)\)\)|\[([\d*\s]+)\])/g, (_, a?: string, b?: string) =>
    String((a ?? b ?? '').split('*').reduce((all, factor) => all * Number(factor), 1)),
  );
  return (counted.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []).map((word) => word.replace(/["']/g, ''));
}

/** One filter's output. A grep that finds nothing fails, which counts in the `last` of a pipeline. */
export function filterText(
  name: string,
  words: readonly string[],
  text: string,
  { line, last }: { line: string; last: boolean },
): string {
  const rows = text.trimEnd() === '' ? [] : text.trimEnd().split('\n');
  const option = words.find((word) => /^-\w+$/.test(word)) ?? '';
  switch (name.split('/').at(-1)) {
    case 'grep':
    case 'egrep': {
      const kept = grep(words, rows);
      if (kept.length === 0 && last) {
        const got = rows.join('; ') || 'nothing';
        throw new Mismatch(`${line}: no line has ${words.at(-1)}; there is ${got}`);
      }
      return /c/.test(option) ? `${kept.length}` : kept.join('\n');
    }
    case 'wc':
      if (option === '-l') return `${rows.length}`;
      break;
    case 'head':
      return rows.slice(0, Number(/\d+/.exec(words.join(' '))?.[0] ?? 10)).join('\n');
    case 'tail':
      return rows.slice(-Number(/\d+/.exec(words.join(' '))?.[0] ?? 10)).join('\n');
    case 'cat':
      return text;
  }
  throw new Unsupported(`command: ${line}`);
}

/** Options -q -v -i -w -F -E -c; what is no -E is a basic regular expression, where + ? | ( ) { } stand for themselves. */
function grep(words: readonly string[], rows: readonly string[]): string[] {
  const options = words.filter((word) => /^-[a-zA-Z]+$/.test(word)).join('');
  const pattern = words.find((word) => !word.startsWith('-')) ?? '';
  const escaped = options.includes('F')
    ? pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    : options.includes('E')
      ? pattern
      : pattern.replace(/\\?[+?|(){}]/g, (c) => (c.length > 1 ? c.slice(1) : `\\${c}`));
  const whole = options.includes('w') ? `\\b(?:${escaped})\\b` : escaped;
  const matches = new RegExp(whole, options.includes('i') ? 'i' : '');
  return rows.filter((row) => matches.test(row) !== options.includes('v'));
}
