/**
 * A command that is run when we have ended, however we end: another process waits at a pipe that only we hold open. For
 * what a gateway cannot undo, since its engine is not ours: containers that stand still, or were killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const START = fileURLToPath(new URL('../start.cjs', import.meta.url));
/** With -e the arguments begin where those of a script would: the command finds its own. */
const WAIT = `process.stdin.once('end', () => require(process.argv[1]).start('lab')).resume()`;

export class Keeper {
  private readonly process: ChildProcess;

  /** The arguments of a `wirelab` command about a lab of containers: one that has no state file. */
  constructor(args: readonly string[]) {
    const env = { ...process.env, NODE_OPTIONS: '', XDG_RUNTIME_DIR: join(tmpdir(), 'wirelab-keeper') };
    // A group of its own: Ctrl-C at the terminal is not for it.
    this.process = spawn(process.execPath, ['-e', WAIT, START, ...args], {
      env,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.process.on('error', () => {});
    this.process.stdin?.on('error', () => {});
    this.process.unref();
    (this.process.stdin as Socket | null)?.unref();
  }

  /** It has been undone already. */
  dismiss(): void {
    this.process.kill('SIGKILL');
  }
}
