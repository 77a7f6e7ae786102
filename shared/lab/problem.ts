/**
 * What is wrong with a lab file: where, what, what was expected, and the closest word that would have been right. All
 * problems of a file are collected before any is told, so that a user mends a file in one go.
 */
import { closest } from './closest.ts';

/** A stretch of the lab file's text: offsets of its first character and of the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A value and where it stands. */
export interface Located<T> {
  readonly value: T;
  readonly span: Span;
}

export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** Characters to underline, at least 1, on that line. */
  readonly length: number;
  readonly message: string;
  /** What would have been right; empty when the message says it. */
  readonly expected: string;
  /** `did you mean "gateway"?`, when something is close. */
  readonly hint: string | undefined;
  /** The line of the file, without its end. */
  readonly source: string;
}

/** A file with more is not a lab file; the rest is not told. */
const PROBLEMS_MAX = 100;
/** Longer lists of expected words are cut. */
const LISTED_WORDS_MAX = 24;

export class Problems {
  private readonly file: string;
  private readonly text: string;
  private readonly lineStarts: number[] = [0];
  private readonly found: Problem[] = [];

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.lineStarts.push(at + 1);
  }

  add(span: Span, message: string, expected: string, hint?: string): void {
    if (this.found.length >= PROBLEMS_MAX) return;
    const start = Math.max(0, Math.min(span.start, this.text.length));
    const line = this.lineOf(start);
    const lineStart = this.lineStarts[line - 1] ?? 0;
    const lineEnd = this.lineStarts[line] ?? this.text.length;
    const source = printable(this.text.slice(lineStart, lineEnd).replace(/[\r\n]+$/, ''));
    const column = start - lineStart + 1;
    const length = Math.max(1, Math.min(span.end - start, source.length - column + 1));
    const same = this.found.some((p) => p.line === line && p.column === column && p.message === printable(message));
    if (same) return;
    const told = { message: printable(message), expected: printable(expected), hint: hint && printable(hint) };
    this.found.push({ file: this.file, line, column, length, ...told, source });
  }

  /** A word that is none of the known ones; `more` are listed, and never proposed. */
  unknown(span: Span, message: string, word: string, known: Iterable<string>, more: readonly string[] = []): void {
    const words = [...known];
    const near = closest(word, words);
    this.add(span, message, oneOf([...words, ...more]), near === undefined ? undefined : didYouMean(near));
  }

  get count(): number {
    return this.found.length;
  }

  /** In the order of the file. */
  sorted(): Problem[] {
    return [...this.found].sort((a, b) => a.line - b.line || a.column - b.column);
  }

  private lineOf(offset: number): number {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }
}

/** Nothing in a file may steer the reader's terminal. As long as before. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\0-\x08\x0a-\x1f\x7f-\x9f]/g, '\ufffd');
}

export function didYouMean(word: string): string {
  return `did you mean "${word}"?`;
}

export function oneOf(words: readonly string[]): string {
  if (words.length === 0) return 'none';
  if (words.length === 1) return words[0] ?? '';
  const shown = words.slice(0, LISTED_WORDS_MAX);
  return `one of ${shown.join(', ')}${words.length > shown.length ? ', …' : ''}`;
}

/** `labs/x/lab.yaml:12:5: unknown key "gatway" in device alice (host); expected one of …; did you mean "gateway"?` */
export function formatProblem(problem: Problem): string {
  const { file, line, column, message, expected, hint } = problem;
  const right = expected === '' ? '' : `; expected ${expected}`;
  return `${file}:${line}:${column}: ${message}${right}${hint === undefined ? '' : `; ${hint}`}`;
}

/** The same with the line of the file below it and carets under the place. */
export function formatProblemWithSource(problem: Problem): string {
  const gutter = String(problem.line).padStart(5);
  const pad = problem.source.slice(0, problem.column - 1).replace(/[^\t]/g, ' ');
  const carets = '^'.repeat(problem.length);
  return `${formatProblem(problem)}\n${gutter} | ${problem.source}\n${' '.repeat(gutter.length)} | ${pad}${carets}`;
}

/** Every problem with its line, and how many there are: what a command writes to standard error. */
export function formatProblems(problems: readonly Problem[]): string {
  const files = [...new Set(problems.map(({ file }) => file))].join(', ');
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return `${problems.map(formatProblemWithSource).join('\n')}\n${count} in ${files}`;
}
