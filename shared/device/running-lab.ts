/**
 * How a running lab is known on this machine: $XDG_RUNTIME_DIR/wirelab/NAME.json (or a folder of the user's own in the
 * temporary folder), mode 0600 because it holds the token; beside it NAME/, the logs. Both go when the lab goes; the
 * folder too, when it is empty.
 *
 * The supervisor writes it; when the supervisor was killed, the gateway removes it; when both were, whoever finds it.
 */
import {
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './config.ts';

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const SUFFIX = '.json';

export interface RunningLab {
  readonly lab: string;
  readonly state: 'starting' | 'up';
  readonly engine: 'processes' | 'docker';
  /** The lab's folder. */
  readonly folder: string;
  /** The supervisor's process, and when the kernel says it began (field 22 of /proc/PID/stat), 0 where it does not say. */
  readonly pid: number;
  readonly pidStart: number;
  /** Unix time, milliseconds. */
  readonly since: number;
  /** Of the lab clock: Unix time of lab time 0, microseconds. */
  readonly clockOrigin: number;
  readonly gateway: string;
  readonly token: string;
}

/** The folder of state files; not made yet, perhaps. */
export function runtimeFolder(env: Environment): string {
  const own = env['XDG_RUNTIME_DIR'];
  if (own !== undefined && own !== '' && exists(own)) return join(own, 'wirelab');
  return join(tmpdir(), `wirelab-${userInfo().uid}`);
}

export const stateFile = (folder: string, lab: string): string => join(folder, `${lab}${SUFFIX}`);
export const logFolder = (folder: string, lab: string): string => join(folder, lab);

function exists(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Make the folder, or see that it is ours: in a shared temporary folder somebody else may have made it first. */
export function makeRuntimeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  const stat = lstatSync(folder);
  const { uid } = userInfo();
  if (!stat.isDirectory() || (uid >= 0 && stat.uid !== uid)) throw new Error(`${folder} is not a folder of ours`);
}

/** Claim the name; false when a state file is there already. */
export function claimLab(folder: string, lab: RunningLab): boolean {
  makeRuntimeFolder(folder);
  try {
    write(stateFile(folder, lab.lab), lab, 'wx');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  mkdirSync(logFolder(folder, lab.lab), { recursive: true, mode: FOLDER_MODE });
  return true;
}

/** Replace the state file, whole or not at all. */
export function updateLab(folder: string, lab: RunningLab): void {
  const next = `${stateFile(folder, lab.lab)}.new`;
  write(next, lab, 'w');
  renameSync(next, stateFile(folder, lab.lab));
}

function write(path: string, lab: RunningLab, flag: 'w' | 'wx'): void {
  const file = openSync(path, flag, FILE_MODE);
  try {
    writeSync(file, `${JSON.stringify(lab, null, 2)}\n`);
  } finally {
    closeSync(file);
  }
}

/** Take away what `pid` (a supervisor) left; nothing when the files belong to another one by now. */
export function removeLab(folder: string, lab: string, pid: number): void {
  const found = readLab(stateFile(folder, lab));
  if (found !== undefined && found.pid !== pid) return;
  rmSync(stateFile(folder, lab), { force: true });
  rmSync(`${stateFile(folder, lab)}.new`, { force: true });
  rmSync(logFolder(folder, lab), { recursive: true, force: true });
  try {
    rmdirSync(folder);
  } catch {
    // Another lab is up, or the folder is gone already.
  }
}

function readLab(path: string): RunningLab | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RunningLab;
  } catch {
    return undefined;
  }
}

/** The labs that are up or coming up, by name. What a dead supervisor left is removed on the way. */
export function runningLabs(folder: string): RunningLab[] {
  if (!exists(folder)) return [];
  const found: RunningLab[] = [];
  for (const file of readdirSync(folder).sort()) {
    const lab = file.endsWith(SUFFIX) ? readLab(join(folder, file)) : undefined;
    if (lab === undefined) continue;
    if (isAlive(lab.pid, lab.pidStart)) found.push(lab);
    else removeLab(folder, lab.lab, lab.pid);
  }
  return found;
}

/** Whether the process is there and the same one, not another that was given its number. */
export function isAlive(pid: number, start: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = startOf(pid);
  return start === 0 || now === 0 || now === start;
}

/** When the process began, in clock ticks since boot; 0 without /proc; -1 for one that has ended (a zombie). */
export function startOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? -1 : Number(fields[19]);
  } catch {
    return 0;
  }
}
