/** Labs on the disk, as the command names them: labs/ of this project, or the path of a lab file. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { EmuError } from '../../shared/device/errors.ts';
import { kernelSettings } from '../../shared/device/settings.ts';
import { composeYaml } from '../../shared/lab/compose.ts';
import { LAB_FILE, LabError, listLabs, loadLab } from '../../shared/lab/find.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import { programs } from '../../shared/programs/registry.ts';
import { columns } from './ps.ts';
import { projectRoot } from './root.ts';

/** What `up` brings up when it is told nothing and the current folder has no lab of its own. */
const LAB_DEFAULT = 'url-to-page';

export const labsFolder = (): string => join(projectRoot(), 'labs');

/** What a lab file may name in `run`. */
export const programNames = (): string[] => [...programs.keys()];

export function defaultLab(): string {
  return existsSync(join(process.cwd(), LAB_FILE)) ? '.' : LAB_DEFAULT;
}

/** Throws every problem of the file. */
export function planOf(lab: string, seed?: number): LabPlan {
  return badFile(() => readLab(lab, seed));
}

/** The same; throws LabError. */
export function readLab(lab: string, seed?: number): LabPlan {
  const options = { labsFolder: labsFolder(), cwd: process.cwd(), programs: programNames(), sysctl: kernelSettings() };
  return loadLab(lab, { ...options, ...(seed === undefined ? {} : { seed }) });
}

export function badFile<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof LabError) throw new EmuError('EMU_BAD_FILE', error.message);
    throw error;
  }
}

export interface LabRow {
  readonly name: string;
  readonly devices: number;
  readonly wires: number;
  readonly description: string;
  readonly good: boolean;
}

export function foundLabs(): LabRow[] {
  return listLabs(labsFolder(), { programs: programNames(), sysctl: kernelSettings() }).map(
    ({ name, devices, wires, description, problems }) => ({
      name,
      devices,
      wires,
      description,
      good: problems.length === 0,
    }),
  );
}

export function formatLabs(labs: readonly LabRow[]): string {
  const rows = labs.map(({ name, devices, wires, description, good }) => [
    name,
    good ? String(devices) : '-',
    good ? String(wires) : '-',
    good ? (description.split('\n')[0] ?? '') : 'has problems; see `wirelab check`',
  ]);
  return columns([['LAB', 'DEVICES', 'WIRES', ''], ...rows]);
}

/** The text of a lab's compose.yaml, as it stands in the lab's folder. */
export function composeOf(lab: string): string {
  const plan = planOf(lab);
  const root = projectRoot();
  return composeYaml(plan, {
    lab,
    root: slashed(relative(plan.folder, root)),
    labFolder: '.',
    file: slashed(relative(root, join(plan.folder, 'compose.yaml'))),
  });
}

const slashed = (path: string): string => (path === '' ? '.' : path.replaceAll('\\', '/'));
