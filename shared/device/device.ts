/** What the box around a kernel knows of it: the same for every kind of device, in a process of its own or packed. */
import type { Ipv4 } from '../header/address.ts';
import type { DevicePlan } from '../lab/plan-types.ts';
import type { Host } from '../net/host.ts';
import type { Signal } from '../net/syscalls.ts';
import type { Phy } from '../nic/phy.ts';
import type { Clock, Platform, Random } from '../platform.ts';
import type { Wire } from '../wire/wire.ts';
import type { CapturePoint } from './capture.ts';

/** What a device is built from; the only things it has from outside. */
export interface DeviceParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly platform: Platform;
  /** The wires that are plugged in, by the name of the port. */
  readonly wires: ReadonlyMap<string, Wire>;
  /** A line of what resident programs print, for the log. */
  readonly output?: (program: string, text: string) => void;
}

/** Standard streams of a program: a promise from stdout or stderr holds the program back until it resolves. */
export interface ProgramStdio {
  stdout(bytes: Uint8Array): void | Promise<void>;
  stderr(bytes: Uint8Array): void | Promise<void>;
  /** What it does belongs to this story (trace.ts); 0 for none. */
  readonly cause: number;
}

export interface RunningProgram {
  readonly pid: number;
  readonly exited: Promise<number>;
  kill(signal: Signal): void;
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  /** The end of standard input. */
  end(): void;
}

export interface AddressRow {
  readonly dev: string;
  readonly address: Ipv4;
  readonly prefix: number;
}

export interface ProcessRow {
  readonly pid: number;
  readonly command: string;
}

export interface Device {
  readonly name: string;
  readonly plan: DevicePlan;
  readonly host: Host;
  /** Every port's physical end, in the plan's order. */
  readonly phys: ReadonlyMap<string, CapturePoint & Pick<Phy, 'counters' | 'detach'>>;
  readonly wires: ReadonlyMap<string, Wire>;
  /** Names of the programs that it can run. */
  readonly programs: readonly string[];
  /** Run a program; undefined when there is none of that name. */
  spawn(argv: readonly string[], stdio: ProgramStdio): RunningProgram | undefined;
  processes(): readonly ProcessRow[];
  /** Addresses as they are now; they may have been changed with `ip address`. Undefined on a device without IP. */
  addresses(): readonly AddressRow[] | undefined;
  /** End programs and timers; the wires are their owner's. */
  stop(): void;
}
