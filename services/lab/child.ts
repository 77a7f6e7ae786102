/**
 * One process of a lab under the supervisor: spawned, watched, ended. In a process group of its own, so that Ctrl-C at
 * the terminal reaches the supervisor alone, which ends the others in order; the IPC channel ends them when it cannot.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EmuError } from '../../shared/device/errors.ts';
import type { FromSupervisor, ProcessState, ProcessStatus, ToSupervisor } from '../../shared/device/ipc.ts';
import { LogFile } from './log-file.ts';

/** Real time for a process to end when asked; it bounds its own shutdown by 2 s. */
const STOP_MS_MAX = 3_000;
/** Real time from spawn to ready, on a busy machine. */
const READY_MS_MAX = 30_000;

export interface ChildOptions {
  readonly name: string;
  /** Which of services/ it runs. */
  readonly kind: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: string;
}

export interface ChildEvents {
  onMessage(child: Child, message: ToSupervisor): void;
  onState(child: Child): void;
}

/**
 * One helper thread of V8's. Flags of V8 itself are not for here: with any, the compiled code that Node carries of its own
 * modules is refused, and each start compiles them anew (16 ms).
 */
const NODE_FLAGS: readonly string[] = ['--v8-pool-size=1'];

const START = fileURLToPath(new URL('../start.cjs', import.meta.url));

export class Child {
  readonly name: string;
  state: ProcessState = 'stopped';
  ended = '';
  readonly log: LogFile;
  private readonly options: ChildOptions;
  private readonly events: ChildEvents;
  private process: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private problem = '';

  constructor(options: ChildOptions, events: ChildEvents) {
    this.name = options.name;
    this.options = options;
    this.events = events;
    this.log = new LogFile(options.log);
  }

  get pid(): number {
    return this.process?.pid ?? 0;
  }

  get status(): ProcessStatus {
    return { name: this.name, state: this.state, pid: this.pid, ended: this.ended };
  }

  tell(message: FromSupervisor): void {
    if (this.process?.connected === true) this.process.send(message, () => {});
  }

  /** Spawn it and wait until it serves. */
  async start(): Promise<void> {
    if (this.process !== undefined) throw new EmuError('EMU_DEVICE_UP', `${this.name} is up already`);
    const child = spawn(process.execPath, [...NODE_FLAGS, ...ownFlags(), START, this.options.kind], {
      env: { ...inherited(), ...this.options.environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.process = child;
    this.problem = '';
    this.ended = '';
    this.settle('starting');
    child.stdout?.on('data', (chunk: Buffer) => this.log.write(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.log.write(chunk));
    this.exited = new Promise((resolve) => {
      const gone = (how: string): void => {
        if (this.process !== child) return;
        this.process = undefined;
        this.ended = this.problem === '' ? how : this.problem;
        this.settle(this.state === 'stopped' ? 'stopped' : 'dead');
        resolve();
      };
      child.once('error', (error) => gone(error.message));
      child.once('exit', (status, signal) => gone(signal === null ? `exit status ${status}` : `killed by ${signal}`));
    });
    await this.ready(child);
  }

  /** Let it stand still, sockets open and silent, or go on. */
  freeze(frozen: boolean): void {
    const { process: child } = this;
    if (child === undefined || this.state === (frozen ? 'frozen' : 'up')) return;
    child.kill(frozen ? 'SIGSTOP' : 'SIGCONT');
    this.settle(frozen ? 'frozen' : 'up');
  }

  /** End it, whatever it takes; a `kill` gives it no chance to say goodbye. */
  async end(how: 'stop' | 'kill'): Promise<void> {
    const child = this.process;
    if (child === undefined) return;
    if (how === 'stop') this.state = 'stopped';
    child.kill(how === 'stop' ? 'SIGTERM' : 'SIGKILL');
    // One that stands still could not say goodbye.
    if (how === 'stop') child.kill('SIGCONT');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await this.exited;
    clearTimeout(late);
  }

  private ready(child: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => done(new Error(`${this.name} was not ready within ${READY_MS_MAX / 1_000} s`)),
        READY_MS_MAX,
      );
      const done = (error?: Error): void => {
        clearTimeout(late);
        if (error === undefined) resolve();
        else reject(error);
      };
      child.on('message', (raw) => {
        const message = raw as ToSupervisor;
        if (message.type === 'failed') this.problem = message.problem;
        if (message.type === 'ready') {
          this.settle('up');
          done();
        }
        this.events.onMessage(this, message);
      });
      void this.exited.then(() => done(new Error(`${this.name} did not start: ${this.ended}`)));
    });
  }

  private settle(state: ProcessState): void {
    this.state = state;
    this.events.onState(this);
  }
}

/** The environment without our own variables: a process gets its slice and nothing of another lab's. */
function inherited(): Record<string, string> {
  const own = Object.entries(process.env).filter(([key, value]) => value !== undefined && !key.startsWith('WIRELAB_'));
  return Object.fromEntries(own) as Record<string, string>;
}

/** Flags that this process was given, for a device to run with, too; not those of a test runner that loads files of its own. */
function ownFlags(): readonly string[] {
  return process.execArgv.filter((flag) => /^--(cpu|heap|prof|trace|max|inspect)/.test(flag));
}
