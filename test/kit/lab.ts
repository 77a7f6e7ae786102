/** A lab of labs/, or of a test's own text, in this process on a manual clock. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PackedLab } from '../../services/lab/engine-packed.ts';
import { loadLab } from '../../shared/lab/find.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import type { Micros } from '../../shared/platform.ts';
import { ManualClock } from './clock.ts';
import { comesToRest } from './mid-flight.ts';
import { type Outcome, runOn } from './programs.ts';

const LABS = fileURLToPath(new URL('../../labs/', import.meta.url));

export interface TestLab {
  readonly lab: PackedLab;
  readonly clock: ManualClock;
  /** What resident programs printed, `alice httpd: …`. */
  readonly printed: readonly string[];
  /** Run a command line on a device to its end. */
  run(device: string, line: string | readonly string[]): Promise<Outcome>;
  /** Let lab time pass, giving promises their turn. */
  advance(delay: Micros): Promise<void>;
}

/** `lab`: a name in labs/, or the text of a lab file. */
export function testLab(lab: string, options: { readonly seed?: number } = {}): TestLab {
  const clock = new ManualClock();
  const printed: string[] = [];
  const plan = planFrom(lab, options);
  const packed = new PackedLab(plan, {
    clock,
    output: (device, program, text) => void printed.push(`${device} ${program}: ${text.trimEnd()}`),
  });
  return {
    lab: packed,
    clock,
    printed,
    run: (device, line) => {
      comesToRest(clock);
      return runOn(packed.device(device).host, clock, line);
    },
    advance: async (delay) => {
      const end = clock.now() + delay;
      await clock.until(() => clock.now() >= end, delay);
      clock.run(end);
    },
  };
}

/** `lab`: a name in labs/, or the text of a lab file. */
export function planFrom(lab: string, options: { readonly seed?: number } = {}): LabPlan {
  const file = lab.includes('\n') ? written(lab) : undefined;
  try {
    return loadLab(file ?? lab, { labsFolder: LABS, cwd: LABS, ...options });
  } finally {
    // A lab that is only text has no files of its own.
    if (file !== undefined) rmSync(dirname(file), { recursive: true });
  }
}

function written(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'wirelab-lab-'));
  const file = join(folder, 'lab.yaml');
  writeFileSync(file, text);
  return file;
}
