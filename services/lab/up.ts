/**
 * `wirelab up` and `down`. `up` is the supervisor: it stays until Ctrl-C, `down`, or the end of its terminal; with
 * --detach a second process is, and the first returns when the lab is ready.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  claimLab,
  isAlive,
  type RunningLab,
  removeLab,
  runningLabs,
  runtimeFolder,
  startOf,
  updateLab,
} from '../../shared/device/running-lab.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import { GatewayClient } from './client.ts';
import { composeDown, composeUp } from './engine-docker.ts';
import { GATEWAY, ProcessEngine } from './engine-processes.ts';
import { CommandError, EXIT } from './exit.ts';
import { defaultLab, planOf } from './labs.ts';
import { findPorts, PortTaken } from './ports.ts';
import { projectRoot } from './root.ts';
import { TEXT } from './text.ts';

/** Real time for a lab to go down; each process bounds its own end by 2 s. */
const DOWN_MS_MAX = 10_000;
const DOWN_POLL_MS = 20;
const MICROS_PER_MS = 1_000;
/** Set for the supervisor of --detach, whose words travel over IPC to the command that made it. */
const DAEMON = 'WIRELAB_DAEMON';

export interface UpOptions {
  readonly detach: boolean;
  readonly docker: boolean;
  readonly seed: number | undefined;
  readonly basePort: number | undefined;
}

type FromDaemon =
  | { readonly line: string }
  | { readonly up: true }
  | { readonly failed: string; readonly status: number };

export async function up(lab: string | undefined, options: UpOptions): Promise<void> {
  const plan = planOf(lab ?? defaultLab(), options.seed);
  if (options.docker) return await upDocker(plan, options);
  refuseSecond(plan.name);
  if (options.detach && process.env[DAEMON] === undefined) return await upDetached();
  const daemon = process.env[DAEMON] !== undefined && process.connected;
  const say = daemon ? sayToParent : (line: string): void => void process.stdout.write(`${line}\n`);
  await supervise(plan, options, say, daemon);
}

function refuseSecond(lab: string): void {
  const found = runningLabs(runtimeFolder(process.env)).find((running) => running.lab === lab);
  if (found !== undefined) throw new CommandError(found.state === 'up' ? TEXT.alreadyUp(lab) : TEXT.stillStarting(lab));
}

async function supervise(
  plan: LabPlan,
  options: UpOptions,
  say: (line: string) => void,
  daemon: boolean,
): Promise<void> {
  const began = performance.now();
  const seconds = (): string => ((performance.now() - began) / 1_000).toFixed(1);
  const runtime = runtimeFolder(process.env);
  const ports = await portsFor(plan, options.basePort);
  const clockOrigin = Math.round((performance.timeOrigin + performance.now()) * MICROS_PER_MS);
  let goDown: (why: string) => void = () => {};
  const asked = new Promise<string>((resolve) => {
    goDown = resolve;
  });
  const total = plan.devices.length + 1;
  // The engine opens its logs at once: the name is claimed, and the folder made, before it.
  const gateway = `http://127.0.0.1:${ports[0]}`;
  const state: RunningLab = {
    lab: plan.name,
    state: 'starting',
    engine: 'processes',
    folder: plan.folder,
    pid: process.pid,
    pidStart: Math.max(0, startOf(process.pid)),
    since: Date.now(),
    clockOrigin,
    gateway,
    token: '',
  };
  if (!claimLab(runtime, state)) throw new CommandError(TEXT.alreadyUp(plan.name));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => goDown(signal));
  if (daemon) process.once('disconnect', () => goDown('the command that asked for the lab has gone'));
  try {
    const engine = new ProcessEngine(
      { plan, ports, runtime, clockOrigin },
      {
        onReady: (name, count) => say(TEXT.ready(name, seconds(), `${count}/${total}`)),
        onDied: (name, how) => say(TEXT.died(name, how)),
        onGatewayDied: (how, again) => say(TEXT.gatewayDied(how, again)),
        onDown: () => goDown('down'),
      },
    );
    say(TEXT.devicesReady(plan.name, plan.devices.length));
    let why = await Promise.race([engine.start().then(() => undefined), asked]);
    if (why === undefined) {
      updateLab(runtime, { ...state, state: 'up', token: engine.token });
      sayReady(plan, `${gateway}/#token=${engine.token}`, seconds(), say);
      if (daemon) leaveParent();
      why = await asked;
    }
    if (!daemon) say(TEXT.goingDown(plan.name));
    await engine.stop();
    if (why === 'SIGINT') throw new CommandError('', EXIT.INTERRUPTED);
  } finally {
    removeLab(runtime, plan.name, process.pid);
  }
}

function sayReady(plan: LabPlan, dashboard: string, seconds: string, say: (line: string) => void): void {
  say(TEXT.labUp(plan.name, seconds));
  say(TEXT.dashboard(dashboard));
  say(TEXT.tryThis);
  for (const example of examples(plan)) say(`  npx wirelab ${example}`);
  say(TEXT.stopHint);
}

/** Three things to try that this lab can do. */
function examples(plan: LabPlan): string[] {
  const hosts = plan.devices.filter((device) => device.kind === 'host');
  const client = hosts.find((device) => device.name === 'alice') ?? hosts[0];
  const addressed = plan.devices.filter(
    (device) => device !== client && device.ports.some((port) => port.addresses.length > 0),
  );
  const server = addressed.find((device) => device.run.some((argv) => argv[0] === 'httpd')) ?? addressed[0];
  const address = server?.ports.flatMap((port) => port.addresses)[0]?.replace(/\/.*/, '');
  const [wire] = plan.wires;
  const found: string[] = [];
  if (client !== undefined && client.dns.length > 0 && plan.name === 'url-to-page') {
    found.push(`journey ${client.name} http://www.server.com/`);
  }
  if (client !== undefined && address !== undefined) found.push(`exec ${client.name} -- ping -c 3 ${address}`);
  if (wire !== undefined) found.push(`unplug ${wire.a.device}:${wire.a.port}`);
  if (client !== undefined) found.push(`exec ${client.name} -- ip neigh`, 'capture all -w lab.pcapng');
  return found.slice(0, 3);
}

async function portsFor(plan: LabPlan, base: number | undefined): Promise<number[]> {
  try {
    return await findPorts(plan.devices.length + 1, base);
  } catch (error) {
    if (!(error instanceof PortTaken)) throw error;
    const who = error.index === 0 ? `the ${GATEWAY}` : (plan.devices[error.index - 1]?.name ?? 'a device');
    throw new CommandError(TEXT.portTaken(error.message, who));
  }
}

/** The same command again as a process of its own; its words are ours until the lab is ready. */
async function upDetached(): Promise<void> {
  const daemon = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, [DAEMON]: '1' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    detached: true,
    windowsHide: true,
  });
  let outcome: FromDaemon | undefined;
  daemon.on('message', (raw) => {
    const message = raw as FromDaemon;
    if ('line' in message) process.stdout.write(`${message.line}\n`);
    else outcome = message;
    if ('up' in message) daemon.disconnect();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => daemon.kill('SIGTERM'));
  await Promise.race([once(daemon, 'disconnect'), once(daemon, 'exit')]);
  if (outcome !== undefined && 'up' in outcome) {
    daemon.unref();
    return;
  }
  if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'exit');
  if (outcome !== undefined && 'failed' in outcome) throw new CommandError(outcome.failed, outcome.status);
  throw new CommandError('', daemon.exitCode ?? EXIT.FAILED);
}

function sayToParent(line: string): void {
  if (process.connected) process.send?.({ line } satisfies FromDaemon, () => {});
}

/** The lab is ready: the parent may go, and its going is no reason to go down any more. */
function leaveParent(): void {
  process.removeAllListeners('disconnect');
  process.send?.({ up: true } satisfies FromDaemon, () => {});
}

/** For main: a daemon's failure is told by the command that made it. */
export function tellParent(error: CommandError): boolean {
  if (process.env[DAEMON] === undefined || !process.connected) return false;
  process.send?.({ failed: error.message, status: error.status } satisfies FromDaemon, () => process.disconnect());
  return true;
}

async function upDocker(plan: LabPlan, options: UpOptions): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const began = performance.now();
  const running = await composeUp(plan, { root: projectRoot(), port: options.basePort, progress: say });
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  sayReady(plan, `${running.gateway}/#token=${running.token}`, seconds, say);
  if (options.detach) return;
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  say(TEXT.goingDown(plan.name));
  await composeDown(plan.name);
}

/** Take a lab down and wait until nothing of it is left. */
export async function down(lab: RunningLab): Promise<void> {
  if (lab.engine === 'docker') await composeDown(lab.lab);
  else await downProcesses(lab);
  process.stdout.write(`${TEXT.isDown(lab.lab)}\n`);
}

async function downProcesses(lab: RunningLab): Promise<void> {
  const gone = (): boolean => !isAlive(lab.pid, lab.pidStart);
  const viaGateway = new GatewayClient(lab).post('/api/down').then(
    () => true,
    () => false,
  );
  // Without its gateway a lab still has a supervisor, which takes a signal as well.
  if (!(await viaGateway) && !gone()) process.kill(lab.pid, 'SIGTERM');
  const deadline = performance.now() + DOWN_MS_MAX;
  while (!gone() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, DOWN_POLL_MS));
  if (!gone()) process.kill(lab.pid, 'SIGKILL');
  removeLab(runtimeFolder(process.env), lab.lab, lab.pid);
}
