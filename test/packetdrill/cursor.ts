/** A place in the text of a script: white space and comments are passed over, tokens taken by pattern. */
import { ParseError, type Place } from './script.ts';

export class Cursor {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** The line that we are in, from 1. */
  get line(): number {
    let line = 1;
    for (let i = 0; i < this.at; i++) if (this.text.charCodeAt(i) === 10) line++;
    return line;
  }

  /** The column that we are in, from 1. */
  get column(): number {
    return this.at - this.text.lastIndexOf('\n', this.at - 1);
  }

  get place(): Place {
    return { line: this.line, column: this.column };
  }

  skip(): void {
    for (;;) {
      const blank = /[ \t\r\n]*/y;
      blank.lastIndex = this.at;
      blank.exec(this.text);
      this.at = blank.lastIndex;
      if (this.text.startsWith('//', this.at)) {
        const end = this.text.indexOf('\n', this.at);
        this.at = end < 0 ? this.text.length : end;
      } else if (this.text.startsWith('/*', this.at)) {
        const end = this.text.indexOf('*/', this.at);
        if (end < 0) throw this.error('a comment without end');
        this.at = end + 2;
      } else return;
    }
  }

  get ended(): boolean {
    this.skip();
    return this.at >= this.text.length;
  }

  peek(token: string): boolean {
    this.skip();
    return this.text.startsWith(token, this.at);
  }

  /** Take `token` if it is next. */
  take(token: string): boolean {
    if (!this.peek(token)) return false;
    this.at += token.length;
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) throw this.error(`expected ${token}`);
  }

  /** Take what a sticky pattern matches here; undefined when it does not. */
  match(pattern: RegExp): RegExpExecArray | undefined {
    this.skip();
    const sticky = new RegExp(pattern.source, 'y');
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.text);
    if (found === null || found[0] === '') return undefined;
    this.at = sticky.lastIndex;
    return found;
  }

  must(pattern: RegExp, what: string): RegExpExecArray {
    const found = this.match(pattern);
    if (found === undefined) throw this.error(`expected ${what}`);
    return found;
  }

  /** Everything up to `end`, which is taken, too. */
  until(end: string): string {
    const stop = this.text.indexOf(end, this.at);
    if (stop < 0) throw this.error(`no ${end} before the end`);
    const inside = this.text.slice(this.at, stop);
    this.at = stop + end.length;
    return inside;
  }

  error(message: string): ParseError {
    const near = this.text.slice(this.at, this.at + 30).split('\n')[0];
    const error = new ParseError(`line ${this.line}: ${message} at "${near}"`);
    error.place = this.place;
    return error;
  }
}
