/** Two hosts and a switch between them, each a process, as `wirelab up` would start them. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { findPorts } from '../../services/lab/ports.ts';
import type { ToSupervisor } from '../../shared/device/ipc.ts';
import { checkLab } from '../../shared/lab/check.ts';
import { planLab, slices } from '../../shared/lab/plan.ts';
import type { Executed } from './device-child.ts';

const LAB = `name: bench
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
  sw: { kind: switch }
wires:
  - sw:p1 -- alice:eth0
  - sw:p2 -- bob:eth0
`;
const UP_MS_MAX = 20_000;
const END_MS_MAX = 3_000;

export class BenchLab {
  private readonly children = new Map<string, ChildProcess>();

  async start(): Promise<void> {
    const checked = checkLab(LAB, { file: 'bench', fileAt: () => undefined, filesIn: () => [] });
    if (checked.lab === undefined) throw new Error(JSON.stringify(checked.problems));
    const plan = planLab(checked.lab, { folder: process.cwd() });
    const ports = await findPorts(plan.devices.length, undefined);
    const portOf = new Map(plan.devices.map((device, i) => [device.name, ports[i] ?? 0]));
    const plans = slices(plan, (device) => `ws://127.0.0.1:${portOf.get(device)}`);
    const token = randomBytes(24).toString('base64url');
    const origin = String(Date.now() * 1_000);
    let dark = plan.wires.length * 2;
    await new Promise<void>((resolve, reject) => {
      const timeout = setTimeout(() => reject(new Error('the bench lab did not come up')), UP_MS_MAX);
      for (const { name } of plan.devices) {
        const child = fork(fileURLToPath(new URL('./device-child.js', import.meta.url)), [], {
          env: {
            ...process.env,
            WIRELAB_DEVICE: JSON.stringify(plans.get(name)),
            WIRELAB_LISTEN: `127.0.0.1:${portOf.get(name)}`,
            WIRELAB_TOKEN: token,
            WIRELAB_CLOCK_ORIGIN: origin,
            WIRELAB_LOG: 'silent',
          },
        });
        this.children.set(name, child);
        child.on('message', (message: ToSupervisor) => {
          if (message.type === 'failed') reject(new Error(message.problem));
          if (message.type !== 'carrier' || !message.up || --dark > 0) return;
          clearTimeout(timeout);
          resolve();
        });
      }
    });
  }

  pid(name: string): number {
    return this.child(name).pid ?? 0;
  }

  /** Run a program on a device; its output, or an error when it failed. */
  exec(name: string, ...argv: string[]): Promise<string> {
    const child = this.child(name);
    return new Promise((resolve, reject) => {
      const answer = (message: Executed): void => {
        if (message.type !== 'executed') return;
        child.off('message', answer);
        if (message.status === 0) resolve(message.output);
        else reject(new Error(`${argv.join(' ')}: status ${message.status}: ${message.output}`));
      };
      child.on('message', answer);
      child.send({ type: 'exec', argv });
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.children.values()].map((child) => ended(child)));
  }

  private child(name: string): ChildProcess {
    const child = this.children.get(name);
    if (child === undefined) throw new Error(`no device ${name}`);
    return child;
  }
}

/** End a child that we started, and wait for it. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timeout = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
    child.on('exit', () => {
      clearTimeout(timeout);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
