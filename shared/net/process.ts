/**
 * Processes: the programs that run on a host, their descriptors, signals and exit status (Linux: kernel/fork.c, exit.c,
 * signal.c, as far as network programs can tell).
 *
 * Interface:
 * - host.processes.spawn(program, argv, stdio) starts one; `exited` resolves with its status, always.
 * - A program ends by returning, by throwing (status 1, the message on standard error), or by a signal (128 + number).
 *   Whichever way, every descriptor is closed.
 * - A process that a signal killed never runs again: what it waits for never comes, and what it does is refused.
 */
import type { Micros, Timer } from '../platform.ts';
import { SyscallError } from './errno.ts';
import { eventpollRelease } from './eventpoll.ts';
import { InputFile, type OpenFile, OutputFile, type Sink } from './file.ts';
import type { Host } from './host.ts';
import { ProcessCalls } from './syscall-table.ts';
import type { Fd, Program, Signal } from './syscalls.ts';

/** RLIMIT_NOFILE's usual soft limit. */
export const FDS_MAX = 1_024;
/** A device has few; a program that starts others without end must meet a limit. */
export const PROCESSES_MAX = 256;
/** Pids as on a machine that has booted. */
const PID_FIRST = 300;
const PID_MAX = 32_768;

const SIGNAL_NUMBER = { SIGHUP: 1, SIGINT: 2, SIGPIPE: 13, SIGTERM: 15, SIGURG: 23 } as const satisfies Record<
  Signal,
  number
>;

export type ExitReason = { readonly status: number } | { readonly signal: Signal };

/** A call that waits and that a signal may interrupt. */
export interface Sleeper {
  interrupt(): void;
}

export class Process {
  readonly host: Host;
  readonly pid: number;
  readonly parent: number;
  readonly argv: readonly string[];
  readonly startedAt: Micros;
  readonly files: (OpenFile | undefined)[] = [];
  readonly handlers: Map<Signal, () => void> = new Map();
  readonly sleepers: Set<Sleeper> = new Set();
  /** Watches by descriptor, told once more when it is closed. */
  readonly watches: Map<Fd, Set<() => void>> = new Map();
  readonly exited: Promise<number>;
  alive = true;
  private readonly timers: Set<Timer> = new Set();
  private readonly changed: Set<() => void> = new Set();
  private readonly changedTimer: Timer;
  private resolveExited: (status: number) => void = () => {};

  constructor(host: Host, options: { pid: number; parent: number; argv: readonly string[] }) {
    this.host = host;
    this.pid = options.pid;
    this.parent = options.parent;
    this.argv = options.argv;
    this.startedAt = host.clock.now();
    this.exited = new Promise((resolve) => {
      this.resolveExited = resolve;
    });
    this.changedTimer = host.clock.timer(() => this.runChanged());
  }

  get name(): string {
    return this.argv[0] ?? '?';
  }

  /** Give a file the lowest free descriptor. */
  install(file: OpenFile): Fd | 'EMFILE' {
    let fd = 0;
    while (this.files[fd] !== undefined) fd++;
    if (fd >= FDS_MAX) return 'EMFILE';
    this.files[fd] = file;
    return fd;
  }

  /** False when it was not open. */
  close(fd: Fd): boolean {
    const file = this.files[fd];
    if (file === undefined) return false;
    this.files[fd] = undefined;
    const watches = this.watches.get(fd);
    if (watches !== undefined) {
      this.watches.delete(fd);
      for (const changed of watches) this.queueChanged(changed);
    }
    file.wait.wakeAll();
    if (--file.references === 0) {
      eventpollRelease(file);
      file.release();
    }
    return true;
  }

  /**
   * Run a watcher's callback in this instant, but never inside the kernel's work that made the readiness: a program
   * that reads in the middle of tcp_rcv would find TCP half done.
   */
  queueChanged(changed: () => void): void {
    this.changed.add(changed);
    if (!this.changedTimer.armed) this.changedTimer.arm(0);
  }

  forgetChanged(changed: () => void): void {
    this.changed.delete(changed);
  }

  /** `asked`: by kill(2), not by the kernel. */
  signal(signal: Signal, asked = true): void {
    if (!this.alive) return;
    const handler = this.handlers.get(signal);
    // Of these two nobody dies here: SIGURG is ignored by default, and programs are Node's, which ignores SIGPIPE.
    if (handler === undefined && (signal === 'SIGURG' || (signal === 'SIGPIPE' && !asked))) return;
    if (handler === undefined) {
      this.exit({ signal });
      return;
    }
    handler();
    for (const sleeper of [...this.sleepers]) sleeper.interrupt();
  }

  exit(reason: ExitReason): void {
    if (!this.alive) return;
    this.alive = false;
    for (const sleeper of [...this.sleepers]) sleeper.interrupt();
    for (const timer of this.timers) timer.stop();
    this.timers.clear();
    this.handlers.clear();
    for (let fd = 0; fd < this.files.length; fd++) this.close(fd);
    this.host.processes.forget(this);
    this.resolveExited('status' in reason ? reason.status & 0xff : 128 + SIGNAL_NUMBER[reason.signal]);
  }

  /** A timer that dies with the process. */
  timer(fire: () => void): Timer {
    const timer = this.host.clock.timer(() => {
      this.timers.delete(timer);
      fire();
    });
    return {
      arm: (delay) => {
        if (!this.alive) return;
        this.timers.add(timer);
        timer.arm(delay);
      },
      stop: () => {
        this.timers.delete(timer);
        timer.stop();
      },
      get armed() {
        return timer.armed;
      },
      get deadline() {
        return timer.deadline;
      },
    };
  }

  private runChanged(): void {
    const due = [...this.changed];
    this.changed.clear();
    for (const changed of due) changed();
  }
}

export interface Stdio {
  /** `open`: the handle's stdin feeds it; otherwise it is at its end from the start. */
  readonly stdin?: 'open' | 'null';
  readonly stdout?: Sink;
  readonly stderr?: Sink;
  /** Take this pid instead of the next one. */
  readonly pid?: number;
  /** The journey that what it sends belongs to. */
  readonly cause?: number;
}

export interface ProcessHandle {
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly stdin: {
    /** False: enough for now, wait for onDrain. */
    write(bytes: Uint8Array): boolean;
    onDrain(drained: () => void): void;
    end(): void;
  };
  kill(signal: Signal): void;
}

const encoder = new TextEncoder();

export class Processes {
  /** By name, for those who start a program by its name; handed in by whoever builds the device. */
  programs: ReadonlyMap<string, Program> = new Map();
  private readonly host: Host;
  private readonly table: Map<number, Process> = new Map();
  private nextPid = PID_FIRST;

  constructor(host: Host) {
    this.host = host;
  }

  list(): readonly Process[] {
    return [...this.table.values()];
  }
  byPid(pid: number): Process | undefined {
    return this.table.get(pid);
  }

  /** Start a program, in this instant; it runs up to its first wait before this returns. */
  spawn(program: Program | string, argv: readonly string[], stdio: Stdio = {}): ProcessHandle {
    const input = new InputFile(stdio.stdin !== 'open');
    const files = [input, new OutputFile(stdio.stdout ?? discard), new OutputFile(stdio.stderr ?? discard)];
    const process = this.fork(argv, files, 0, stdio.pid);
    this.run(process, program, stdio.cause ?? 0);
    const stdin = {
      write: (bytes: Uint8Array) => input.feed(bytes),
      onDrain: (drained: () => void) => input.onDrain(drained),
      end: () => input.end(),
    };
    return { pid: process.pid, exited: process.exited, stdin, kill: (signal) => process.signal(signal) };
  }

  /** A process with its standard streams, not yet running; throws EAGAIN when there are too many. */
  fork(argv: readonly string[], files: readonly OpenFile[], parent: number, pid?: number): Process {
    if (this.table.size >= PROCESSES_MAX) throw new SyscallError('fork', 'EAGAIN');
    const process = new Process(this.host, { pid: pid ?? this.freePid(), parent, argv });
    for (const file of files) process.install(file);
    this.table.set(process.pid, process);
    return process;
  }

  run(process: Process, program: Program | string, cause: number): void {
    const main = typeof program === 'string' ? this.programs.get(program) : program;
    const sys = new ProcessCalls(process, cause);
    const write = (fd: Fd, text: string): Promise<void> => sys.write(fd, encoder.encode(text)).then(noResult);
    if (main === undefined) {
      write(2, `${process.name}: command not found\n`);
      process.exit({ status: 127 });
      return;
    }
    const context = {
      sys,
      argv: process.argv,
      out: (text: string) => write(1, text),
      err: (text: string) => write(2, text),
    };
    const ended = (status: number): void => process.exit({ status });
    startProgram(main, context).then(ended, (error: unknown) => {
      if (!process.alive) return;
      write(2, `${process.name}: ${describe(error)}\n`).then(
        () => ended(1),
        () => ended(1),
      );
    });
  }

  /** Everything ends: the device shuts down. */
  killAll(signal: Signal): void {
    for (const process of this.list()) process.exit({ signal });
  }

  /** Called by a process that has ended. */
  forget(process: Process): void {
    this.table.delete(process.pid);
  }

  private freePid(): number {
    do {
      this.nextPid = this.nextPid >= PID_MAX ? PID_FIRST : this.nextPid + 1;
    } while (this.table.has(this.nextPid));
    return this.nextPid;
  }
}

async function startProgram(main: Program, context: Parameters<Program>[0]): Promise<number> {
  return main(context);
}

function discard(): void {}
function noResult(): void {}

/** A system call's error in one line, as perror(3) would; a bug with where it happened. */
function describe(error: unknown): string {
  if (error instanceof SyscallError) return error.message;
  if (error instanceof Error) return error.stack ?? error.message;
  return String(error);
}
