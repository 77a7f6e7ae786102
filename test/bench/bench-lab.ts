/** A lab whose devices are processes as `wirelab up` starts them, without a gateway; its hosts run the bench's programs, too. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from '../../services/lab/child.ts';
import { findPorts } from '../../services/lab/ports.ts';
import type { FromSupervisor, ToSupervisor } from '../../shared/device/ipc.ts';
import { checkLab } from '../../shared/lab/check.ts';
import { planLab, slices } from '../../shared/lab/plan.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import type { Executed } from './host/main.ts';
import { scratch, toUndo } from './undo.ts';

/** Where our own host stands, seen from services/, whose processes start.cjs starts by name. */
const BENCH_HOST = '../test/bench/host';
/** Real time for every wire to have carrier. */
const UP_MS_MAX = 30_000;
/** The first fields of /proc/PID/stat behind the name are those from 3 on (proc(5)): user and system time are 14 and 15. */
const STAT_FIRST = 3;
const STAT_UTIME = 14;
const STAT_STIME = 15;
/** USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export const TWO_HOSTS = `name: bench
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
  sw: { kind: switch }
wires:
  - sw:p1 -- alice:eth0
  - sw:p2 -- bob:eth0
`;

/** Two switches and a router between. */
export const CHAIN = `name: chain
devices:
  alice: { kind: host, eth0: 10.0.1.1/24, gateway: 10.0.1.254 }
  sw1: { kind: switch }
  r: { kind: router, eth0: 10.0.1.254/24, eth1: 10.0.2.254/24 }
  sw2: { kind: switch }
  bob: { kind: host, eth0: 10.0.2.1/24, gateway: 10.0.2.254 }
wires:
  - sw1:p1 -- alice:eth0
  - sw1:p2 -- r:eth0
  - sw2:p1 -- r:eth1
  - sw2:p2 -- bob:eth0
`;

export function planOfText(text: string): LabPlan {
  const checked = checkLab(text, { file: 'bench', fileAt: () => undefined, filesIn: () => [] });
  if (checked.lab === undefined) throw new Error(JSON.stringify(checked.problems));
  return planLab(checked.lab, { folder: process.cwd() });
}

/** Where a program stands that this file's build has, `services/switch/main.js`. */
export const built = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What a process is told that runs a device of a plan. */
export interface Slot {
  readonly name: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
}

/** A place for each device of a plan, and the token that they share. */
export async function slotsOf(plan: LabPlan): Promise<{ slots: Map<string, Slot>; token: string }> {
  const ports = await findPorts(plan.devices.length, undefined);
  const portOf = new Map(plan.devices.map((device, i) => [device.name, ports[i] ?? 0]));
  const plans = slices(plan, (device) => `ws://127.0.0.1:${portOf.get(device)}`);
  const token = randomBytes(24).toString('base64url');
  const common = { WIRELAB_TOKEN: token, WIRELAB_CLOCK_ORIGIN: String(Date.now() * 1_000), WIRELAB_LOG: 'silent' };
  const slots = plan.devices.map(({ name }): [string, Slot] => {
    const port = portOf.get(name) ?? 0;
    const own = { WIRELAB_DEVICE: JSON.stringify(plans.get(name)), WIRELAB_LISTEN: `127.0.0.1:${port}` };
    return [name, { name, port, environment: { ...common, ...own } }];
  });
  return { slots: new Map(slots), token };
}

export class BenchLab {
  private readonly children = new Map<string, Child>();
  private readonly folder = scratch();
  private readonly end = toUndo(() => this.endAll());
  /** Who waits for the answer of a device's program. */
  private readonly waiting = new Map<string, (message: Executed) => void>();
  private readonly dark = new Set<string>();
  private onLight = (): void => {};

  /** Resolves when every wire has carrier. */
  static async start(text: string): Promise<BenchLab> {
    const lab = new BenchLab();
    const plan = planOfText(text);
    const { slots } = await slotsOf(plan);
    for (const { a, b } of plan.wires) {
      lab.dark.add(`${a.device}:${a.port}`);
      lab.dark.add(`${b.device}:${b.port}`);
    }
    const light = lab.allCarriers();
    await Promise.all([light, ...plan.devices.map(({ name, kind }) => lab.add(name, kind, slots.get(name)))]);
    return lab;
  }

  pid(name: string): number {
    return this.child(name).pid;
  }

  /** Run a program on a device; its output, or an error when it failed. */
  async exec(name: string, ...argv: string[]): Promise<string> {
    const answer = new Promise<Executed>((resolve) => this.waiting.set(name, resolve));
    // A word of the bench's own, which a device's process passes by.
    this.child(name).tell({ type: 'exec', argv } as unknown as FromSupervisor);
    const { status, output } = await answer;
    if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status}: ${output}`);
    return output;
  }

  stop(): Promise<void> {
    return this.end();
  }

  private async add(name: string, kind: string, slot: Slot | undefined): Promise<void> {
    if (slot === undefined) throw new Error(`no place for ${name}`);
    const log = join(this.folder.path, `${name}.log`);
    const child = new Child(
      { name, kind: kind === 'host' ? BENCH_HOST : kind, environment: slot.environment, log },
      { onMessage: (_, message) => this.onMessage(name, message), onState: () => {} },
    );
    this.children.set(name, child);
    await child.start();
  }

  private onMessage(name: string, message: ToSupervisor | Executed): void {
    if (message.type === 'executed') this.waiting.get(name)?.(message);
    if (message.type !== 'carrier') return;
    if (message.up) this.dark.delete(`${name}:${message.port}`);
    else this.dark.add(`${name}:${message.port}`);
    this.onLight();
  }

  private allCarriers(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no carrier at ${[...this.dark].join(', ')}`)), UP_MS_MAX);
      this.onLight = () => {
        if (this.dark.size > 0) return;
        clearTimeout(late);
        resolve();
      };
    });
  }

  private async endAll(): Promise<void> {
    await Promise.all([...this.children.values()].map((child) => child.end('stop')));
    for (const child of this.children.values()) child.log.close();
    await this.folder.remove();
  }

  private child(name: string): Child {
    const child = this.children.get(name);
    if (child === undefined) throw new Error(`no device ${name}`);
    return child;
  }
}

/** Seconds of the processor that a process has had; NaN where the system does not tell (only Linux does). */
export function processorSeconds(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[STAT_UTIME - STAT_FIRST]) + Number(fields[STAT_STIME - STAT_FIRST]);
    return ticks / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}
