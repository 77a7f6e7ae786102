/**
 * The `wirelab` command for end-to-end tests: the built one, with state files in a folder of the test's own, so that a
 * lab that a person has up is nobody's business here.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../services/lab/wirelab.js', import.meta.url));
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COMMAND_MS_MAX = 120_000;
const POLL_MS = 10;

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly process: ChildProcess;
  readonly done: Promise<Outcome>;
  stdout(): string;
  stderr(): string;
}

export class Wirelab {
  /** $XDG_RUNTIME_DIR of the commands; files of the test may stand here, too. */
  readonly folder = mkdtempSync(join(tmpdir(), 'wirelab-test-'));
  private readonly running = new Set<ChildProcess>();

  /** Run a command to its end. */
  run(args: readonly string[], options: { readonly input?: string | Uint8Array } = {}): Promise<Outcome> {
    const command = this.start(args);
    command.process.stdin?.on('error', () => {});
    command.process.stdin?.end(options.input ?? '');
    return command.done;
  }

  /** Start a command and leave it running. */
  start(args: readonly string[]): RunningCommand {
    const env = { ...process.env, XDG_RUNTIME_DIR: this.folder, NODE_OPTIONS: '' };
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd: ROOT, env, stdio: 'pipe' });
    this.running.add(child);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString('utf8');
    const done = new Promise<Outcome>((resolve) => {
      const late = setTimeout(() => child.kill('SIGKILL'), COMMAND_MS_MAX);
      child.once('close', (status) => {
        clearTimeout(late);
        this.running.delete(child);
        resolve({ status, stdout: text(out), stderr: text(err) });
      });
    });
    return { process: child, done, stdout: () => text(out), stderr: () => text(err) };
  }

  /** Write a lab file of the test's own; returns what `up` takes. */
  lab(name: string, yaml: string): string {
    const folder = join(this.folder, 'labs', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'lab.yaml'), yaml);
    return folder;
  }

  /** alice and bob, 10.0.0.1 and 10.0.0.2, on ports p1 and p2 of a switch. */
  twoHosts(name: string): string {
    const devices = [1, 2].map((i) => `  ${i === 1 ? 'alice' : 'bob'}: { kind: host, eth0: 10.0.0.${i}/24 }`);
    const wires = ['  - alice:eth0 -- sw:p1', '  - bob:eth0 -- sw:p2'];
    const lines = [`name: ${name}`, 'devices:', ...devices, '  sw: { kind: switch }', 'wires:', ...wires];
    return this.lab(name, `${lines.join('\n')}\n`);
  }

  /** The state file of a lab that is up. */
  state(lab: string): { readonly gateway: string; readonly token: string; readonly pid: number } {
    return JSON.parse(readFileSync(join(this.folder, 'wirelab', `${lab}.json`), 'utf8'));
  }

  /** What labs have left in the folder of state files. */
  leftovers(): string[] {
    const folder = join(this.folder, 'wirelab');
    return existsSync(folder) ? readdirSync(folder) : [];
  }

  async ps(): Promise<PsRow[]> {
    const { stdout, stderr } = await this.run(['ps', '--json']);
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout) as PsRow[];
  }

  /** Run, expect status 0, resolve with standard output. */
  async good(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.run(args);
    if (status !== 0) throw new Error(`wirelab ${args.join(' ')}: status ${status}\n${stderr}${stdout}`);
    return stdout;
  }

  /** A program on a device. */
  exec(device: string, ...argv: string[]): Promise<string> {
    return this.good('exec', device, '--', ...argv);
  }

  /** Bring a lab up in the background; resolves with the address of its dashboard, token and all. */
  async up(lab: string): Promise<string> {
    const address = /http:\/\/127\.0\.0\.1:\d+\/\S*/.exec(await this.good('up', lab, '--detach'))?.[0];
    if (address === undefined) throw new Error('up printed no dashboard address');
    return address;
  }

  /** Take down whatever is up, and clear up. */
  async end(): Promise<void> {
    for (const file of this.leftovers()) {
      if (file.endsWith('.json')) await this.run(['down', file.replace(/\.json$/, '')]);
    }
    for (const child of this.running) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface PsRow {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly pid: number;
  readonly control: number;
  readonly ports: readonly { readonly name: string; readonly carrier: boolean; readonly plugged: boolean }[];
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Wait until it holds; resolves with the milliseconds it took, rejects after `limitMs`. */
export async function until(holds: () => boolean | Promise<boolean>, limitMs = 5_000, what = 'it'): Promise<number> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > limitMs) throw new Error(`${what} did not come true within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return performance.now() - began;
}
