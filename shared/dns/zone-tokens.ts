/**
 * A master file cut into logical lines of tokens (RFC 1035 §5.1): comments gone, lines joined inside parentheses,
 * quotes taken off, escapes left in for whoever knows what the token means. Every token knows where it stands.
 */
export interface ZoneToken {
  readonly text: string;
  readonly quoted: boolean;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface ZoneLine {
  readonly tokens: readonly ZoneToken[];
  /** It starts with a blank: the owner is that of the line before. */
  readonly indented: boolean;
  readonly line: number;
}

export interface ZoneProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const DELIMITERS = new Set([' ', '\t', '\r', '\n', ';', '(', ')', '"']);

export class ZoneTokens {
  readonly problems: ZoneProblem[] = [];
  private readonly text: string;
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text.startsWith('\ufeff') ? text.slice(1) : text;
  }

  /** The next line that has tokens; undefined at the end of the file. */
  next(): ZoneLine | undefined {
    while (this.at < this.text.length) {
      const line = this.readLine();
      if (line.tokens.length > 0) return line;
    }
    return undefined;
  }

  private readLine(): ZoneLine {
    const first = this.text.charAt(this.at);
    const indented = first === ' ' || first === '\t';
    const startLine = this.line;
    const tokens: ZoneToken[] = [];
    let opened = { line: this.line, column: 1 };
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at);
      if (char === '\n') {
        this.newline();
        if (this.depth === 0) break;
      } else if (char === ';') {
        while (this.at < this.text.length && this.text.charAt(this.at) !== '\n') this.at++;
      } else if (char === '(') {
        if (this.depth++ === 0) opened = this.here();
        this.at++;
      } else if (char === ')') {
        if (this.depth === 0) this.problem(this.here(), 'a closing parenthesis without an opening one');
        else this.depth--;
        this.at++;
      } else if (char === '"') {
        tokens.push(this.readQuoted());
      } else if (DELIMITERS.has(char)) {
        this.at++;
      } else {
        tokens.push(this.readWord());
      }
    }
    if (this.depth > 0) {
      this.problem(opened, 'this parenthesis is never closed');
      this.depth = 0;
    }
    return { tokens, indented, line: startLine };
  }

  private readWord(): ZoneToken {
    const start = this.at;
    const where = this.here();
    while (this.at < this.text.length && !DELIMITERS.has(this.text.charAt(this.at))) {
      this.at += this.text.charAt(this.at) === '\\' && this.text.charAt(this.at + 1) !== '\n' ? 2 : 1;
    }
    return { text: this.text.slice(start, Math.min(this.at, this.text.length)), quoted: false, ...where };
  }

  private readQuoted(): ZoneToken {
    const where = this.here();
    const start = ++this.at;
    while (this.at < this.text.length) {
      const char = this.text.charAt(this.at);
      if (char === '"') return { text: this.text.slice(start, this.at++), quoted: true, ...where };
      if (char === '\n') break;
      this.at += char === '\\' ? 2 : 1;
    }
    this.problem(where, 'this quote is never closed');
    return { text: this.text.slice(start, this.at), quoted: true, ...where };
  }

  private newline(): void {
    this.at++;
    this.line++;
    this.lineStart = this.at;
  }

  private here(): { line: number; column: number } {
    return { line: this.line, column: this.at - this.lineStart + 1 };
  }

  private problem(where: { line: number; column: number }, message: string): void {
    this.problems.push({ ...where, message });
  }
}
