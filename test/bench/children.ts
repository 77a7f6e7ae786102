/** Processes that the bench starts beside wirelab's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { toUndo } from './undo.ts';

/** Real time for a lab of 200 devices to go down on a busy machine. */
const END_MS_MAX = 30_000;

/** End a child that we started, and wait for it. */
export function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timeout = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
    child.on('exit', () => {
      clearTimeout(timeout);
      resolve();
    });
    child.kill(signal);
  });
}

export interface Command {
  readonly pid: number;
  /** From its start to the line. */
  readonly seconds: number;
  readonly line: string;
  end(): Promise<void>;
}

/**
 * Start Node with a script and wait for the first line that has `word` in it. In a process group of its own, so that
 * Ctrl-C reaches the bench alone, which ends it in order.
 */
export async function commandUntil(
  word: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Command> {
  const start = performance.now();
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const end = toUndo(() => ended(child));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-1_000);
  });
  const found = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes(word)) resolve(line);
    });
  });
  const gone = once(child, 'exit').then(([status]) => {
    throw new Error(`${argv.join(' ')} ended with ${status} before it said "${word}": ${said}`);
  });
  gone.catch(() => {});
  const line = await Promise.race([found, gone]);
  return { pid: child.pid ?? 0, seconds: (performance.now() - start) / 1_000, line, end };
}
