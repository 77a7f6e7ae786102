/** Fenced blocks of a Markdown document, and running them as a reader would. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Block {
  /** Of its first line, counted from 1. */
  readonly line: number;
  /** `sh`, `output`, … */
  readonly language: string;
  readonly text: string;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; language: string; lines: string[] } | undefined;
  for (const [i, line] of markdown.split('\n').entries()) {
    const fence = /^\s*```(\S*)/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { line: i + 2, language: fence[1] ?? '', lines: [] };
    else {
      blocks.push({ line: open.line, language: open.language, text: open.lines.join('\n') });
      open = undefined;
    }
  }
  return blocks;
}

/**
 * A block as a script that ends at the first command whose status is not 0, or not what the line says (`# status 2`), in
 * a pipe, too. `npx wirelab` is the built command of this repository; in the background it is one process, so that
 * `kill %1` reaches it as it does at a terminal.
 */
export function scriptOf(text: string): string {
  const lines = text.split('\n').map((line) => {
    const status = /# status (\d+)\b/.exec(line)?.[1];
    return status === undefined ? line : `code=0; { ${line.replace(/#.*/, '')}; } || code=$?; [ "$code" = ${status} ]`;
  });
  return `set -eEu -o pipefail
trap 'echo "status $?: $BASH_COMMAND" >&2' ERR
npx() {
  [ "$1" = wirelab ] || return 127
  shift
  if [ "$BASHPID" = "$$" ]; then "$NODE" "$WIRELAB" "$@"; else exec "$NODE" "$WIRELAB" "$@"; fi
}
${lines.join('\n')}
wait
`;
}

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export async function runScript(script: string, cwd: string, env: NodeJS.ProcessEnv, msMax: number): Promise<Ran> {
  const child = spawn('bash', ['-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  const late = setTimeout(() => child.kill('SIGKILL'), msMax);
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { status, out: Buffer.concat(out).toString('utf8'), err: Buffer.concat(err).toString('utf8') };
}

/** The first line of a sample that the output does not have in its place; `…` stands for anything. */
export function missingFrom(output: string, sample: string): string | undefined {
  let at = 0;
  const lines = output.split('\n');
  for (const wanted of sample.split('\n')) {
    const parts = wanted
      .split('…')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    if (parts.length === 0) continue;
    const found = lines.findIndex((line, i) => i >= at && hasInOrder(line, parts));
    if (found < 0) return wanted;
    at = found + 1;
  }
  return undefined;
}

function hasInOrder(line: string, parts: readonly string[]): boolean {
  let at = 0;
  for (const part of parts) {
    const found = line.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return true;
}
