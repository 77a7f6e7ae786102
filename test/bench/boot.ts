/** How long labs/url-to-page takes to come up, and what its processes take of memory, beside bare Node processes. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProcessEngine } from '../../services/lab/engine-processes.ts';
import { planOf } from '../../services/lab/labs.ts';
import { findPorts } from '../../services/lab/ports.ts';
import { logFolder } from '../../shared/device/running-lab.ts';
import type { Figure } from './harness.ts';
import { bareProcesses, pssMb } from './machine.ts';

async function bootLab(): Promise<{ seconds: number; pss: number[] }> {
  const plan = planOf('url-to-page');
  const runtime = mkdtempSync(join(tmpdir(), 'wirelab-bench-'));
  mkdirSync(logFolder(runtime, plan.name), { recursive: true });
  const ports = await findPorts(plan.devices.length + 1, undefined);
  const quiet = { onReady: () => {}, onDied: () => {}, onDown: () => {} };
  const start = performance.now();
  const engine = new ProcessEngine({ plan, ports, runtime, clockOrigin: Date.now() * 1_000 }, quiet);
  await engine.start();
  const seconds = (performance.now() - start) / 1_000;
  const pss = engine.pids.map((pid) => pssMb(pid));
  await engine.stop();
  rmSync(runtime, { recursive: true, force: true });
  return { seconds, pss };
}

export async function bootFigures(rounds: number): Promise<Figure[]> {
  const count = planOf('url-to-page').devices.length + 1;
  const boots: { seconds: number; pss: number[] }[] = [];
  const bare: { seconds: number; pss: number[] }[] = [];
  for (let round = 0; round < rounds; round++) {
    boots.push(await bootLab());
    bare.push(await bareProcesses(count));
  }
  const against = `${count} bare Node processes`;
  return [
    {
      name: 'boot of url-to-page',
      unit: 's',
      ours: boots.map(({ seconds }) => seconds),
      against,
      theirs: bare.map(({ seconds }) => seconds),
    },
    {
      name: 'memory (PSS) per device',
      unit: 'MB',
      ours: boots.flatMap(({ pss }) => pss),
      against,
      theirs: bare.flatMap(({ pss }) => pss),
    },
  ];
}
