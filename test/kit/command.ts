/** The `wirelab` command as a user runs it, with a runtime folder of the test's own, so that no lab of yours is touched. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COMMAND = join(import.meta.dirname, '../../services/lab/wirelab.js');

export class CommandLine {
  readonly runtime = mkdtempSync(join(tmpdir(), 'wirelab-test-'));
  readonly environment: NodeJS.ProcessEnv = { ...process.env, XDG_RUNTIME_DIR: this.runtime, NO_COLOR: '1' };

  /** Run to its end. */
  run(...args: string[]): SpawnSyncReturns<string> {
    return spawnSync('node', [COMMAND, ...args], { encoding: 'utf8', env: this.environment, timeout: 120_000 });
  }

  /** Run, expect status 0, return standard output. */
  good(...args: string[]): string {
    const { status, stdout, stderr } = this.run(...args);
    if (status !== 0) throw new Error(`wirelab ${args.join(' ')}: status ${status}\n${stderr}${stdout}`);
    return stdout;
  }

  /** A program on a device. */
  exec(device: string, ...argv: string[]): string {
    return this.good('exec', device, '--', ...argv);
  }

  /** Bring a lab up in the background; the address of its dashboard, token and all. */
  up(lab: string): string {
    const address = /http:\/\/127\.0\.0\.1:\d+\/\S*/.exec(this.good('up', lab, '--detach'))?.[0];
    if (address === undefined) throw new Error('up printed no dashboard address');
    return address;
  }

  /** Take every lab down and remove the folder. */
  end(): void {
    this.run('down');
    rmSync(this.runtime, { recursive: true, force: true });
  }
}
