/** What the machine says of itself and of its processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { ended } from './bench-lab.ts';

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

const BARE = `require('node:http').createServer().listen(0, '127.0.0.1', () => process.stdout.write('ready\\n'))`;

/** Start `count` Node processes that do nothing but listen; seconds until all do, and what each takes of memory. */
export async function bareProcesses(count: number): Promise<{ seconds: number; pss: number[] }> {
  const start = performance.now();
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', BARE], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  await Promise.all(children.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
  const seconds = (performance.now() - start) / 1_000;
  const pss = children.map((child) => pssMb(child.pid ?? 0));
  await Promise.all(children.map((child: ChildProcess) => ended(child)));
  return { seconds, pss };
}
