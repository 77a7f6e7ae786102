/** What a device's process printed: a file of bounded size with one before it, and the last lines at hand. */
import { closeSync, openSync, renameSync, writeSync } from 'node:fs';

const FILE_BYTES_MAX = 1_000_000;
const TAIL_LINES_MAX = 20;
const TAIL_LINE_CHARS_MAX = 1_000;

export class LogFile {
  readonly path: string;
  private file: number | undefined;
  private size = 0;
  private tailLines: string[] = [];

  constructor(path: string) {
    this.path = path;
    this.file = openSync(path, 'w', 0o600);
  }

  write(chunk: Buffer): void {
    if (this.file === undefined) return;
    if (this.size + chunk.length > FILE_BYTES_MAX) this.turnOver();
    try {
      this.size += writeSync(this.file, chunk);
    } catch {
      // A full disk must not end the lab.
    }
    const lines = chunk
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '');
    this.tailLines = [...this.tailLines, ...lines.map((line) => line.slice(0, TAIL_LINE_CHARS_MAX))].slice(
      -TAIL_LINES_MAX,
    );
  }

  get tail(): readonly string[] {
    return this.tailLines;
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  private turnOver(): void {
    this.close();
    renameSync(this.path, `${this.path}.1`);
    this.file = openSync(this.path, 'w', 0o600);
    this.size = 0;
  }
}
