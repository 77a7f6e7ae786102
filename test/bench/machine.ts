/** What the machine says of itself and of its processes. */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

export function machineName(): string {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${cpu}, ${memory} GB, Node ${process.version}`;
}

/** Proportional set size in MB; NaN where the system does not tell (only Linux does). */
export function pssMb(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) / 1_024;
  } catch {
    return Number.NaN;
  }
}

/** The mean of several processes, when they have come to rest. */
export async function meanPssMb(pids: readonly number[], restMs: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, restMs));
  return pids.reduce((sum, pid) => sum + pssMb(pid), 0) / pids.length;
}
