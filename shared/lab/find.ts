/**
 * Labs on the disk: found by name or path, read, checked and planned. The one file of this room that reads files; all
 * else takes text.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { type CheckOptions, checkLab } from './check.ts';
import type { FileKind } from './check-outside.ts';
import { checkZones } from './check-zones.ts';
import { closest } from './closest.ts';
import type { LabFile } from './model.ts';
import { planLab } from './plan.ts';
import type { LabPlan } from './plan-types.ts';
import { didYouMean, formatProblems, oneOf, type Problem } from './problem.ts';

export const LAB_FILE = 'lab.yaml';

/** A lab that can be named: a folder with a lab.yaml. */
export interface FoundLab {
  /** The folder's name, which is what `wirelab up NAME` takes. */
  readonly name: string;
  /** Path of the lab.yaml. */
  readonly file: string;
  readonly description: string;
  readonly devices: number;
  readonly wires: number;
  /** Lines for people, when the file has problems. */
  readonly problems: readonly Problem[];
}

/** There is no such lab, or its file has problems: `message` is what a command prints before it exits with 2. */
export class LabError extends Error {
  readonly problems: readonly Problem[];
  constructor(message: string, problems: readonly Problem[] = []) {
    super(message);
    this.name = 'LabError';
    this.problems = problems;
  }
}

/** Every lab in a folder of labs, by name. */
export function listLabs(labsFolder: string, options: Pick<CheckOptions, 'programs' | 'sysctl'> = {}): FoundLab[] {
  return labNames(labsFolder).map((name) => {
    const file = join(labsFolder, name, LAB_FILE);
    const { lab, problems } = checkLabFile(file, options);
    const counts = { devices: lab?.devices.length ?? 0, wires: lab?.wires.length ?? 0 };
    return { name, file, description: lab?.description.trim() ?? '', ...counts, problems };
  });
}

function labNames(labsFolder: string): string[] {
  if (!existsSync(labsFolder)) return [];
  return readdirSync(labsFolder)
    .filter((name) => existsSync(join(labsFolder, name, LAB_FILE)))
    .sort();
}

/**
 * The lab.yaml that LAB means: a name in the folder of labs, a path of a lab file, or of a folder that holds one.
 * Throws LabError when there is none.
 */
export function findLab(lab: string, { labsFolder, cwd }: { labsFolder: string; cwd: string }): string {
  const path = resolve(cwd, lab);
  const kind = kindAt(path);
  if (kind === 'file') return path;
  if (kind === 'folder' && kindAt(join(path, LAB_FILE)) === 'file') return join(path, LAB_FILE);
  const named = resolve(cwd, labsFolder, lab, LAB_FILE);
  if (!/[/\\]/.test(lab) && kindAt(named) === 'file') return named;
  if (kind === 'folder') throw new LabError(`${lab} is a folder without a ${LAB_FILE}; expected a lab's name or path`);
  const names = labNames(labsFolder);
  const near = closest(basename(lab), names);
  const hint = near === undefined ? '' : `; ${didYouMean(near)}`;
  throw new LabError(`no lab "${lab}"; expected ${oneOf(names)}, or the path of a lab file${hint}`);
}

export interface CheckedFile {
  readonly lab: LabFile | undefined;
  readonly problems: readonly Problem[];
}

/** Check a lab file on the disk, and when it is good its zone files. Throws LabError when it cannot be read at all. */
export function checkLabFile(
  file: string,
  options: Pick<CheckOptions, 'programs' | 'sysctl'> & { readonly cwd?: string } = {},
): CheckedFile {
  const folder = dirname(file);
  const { cwd = process.cwd(), ...known } = options;
  const shown = (path: string): string => {
    const short = relative(cwd, path);
    return short === '' || short.startsWith('..') ? path : short;
  };
  const checked = checkLab(readText(file), {
    ...known,
    file: shown(file),
    fileAt: (path) => kindAt(join(folder, path)),
    filesIn: (path) => namesIn(join(folder, path)),
  });
  if (checked.lab === undefined) return checked;
  const problems = checkZones(checked.lab, (path) => {
    const at = join(folder, path);
    return kindAt(at) === 'file' ? { text: readText(at), shown: shown(at) } : undefined;
  });
  return problems.length === 0 ? checked : { lab: undefined, problems };
}

export interface LoadOptions extends Pick<CheckOptions, 'programs' | 'sysctl'> {
  readonly labsFolder: string;
  readonly cwd: string;
  /** Instead of the lab file's. */
  readonly seed?: number;
}

/** From LAB on the command line to a plan. Throws LabError with everything that is wrong, formatted. */
export function loadLab(lab: string, options: LoadOptions): LabPlan {
  const { labsFolder, cwd, seed, ...known } = options;
  const file = findLab(lab, { labsFolder, cwd });
  const checked = checkLabFile(file, { ...known, cwd });
  if (checked.lab === undefined) throw new LabError(formatProblems(checked.problems), checked.problems);
  return planLab(checked.lab, { folder: dirname(file), ...(seed === undefined ? {} : { seed }) });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new LabError(`cannot read ${file} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
}

function kindAt(path: string): FileKind | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return stat.isDirectory() ? 'folder' : 'file';
}

function namesIn(path: string): string[] {
  return kindAt(path) === 'folder' ? readdirSync(path) : [];
}
