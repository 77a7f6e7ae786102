/**
 * wirelab in a test: `await using net = await lab('two-hosts')`. The lab, every fault and every capture end with their
 * scope. See net/types.ts for what a lab can do.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logFolder, type RunningLab } from '../../shared/device/running-lab.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import { GatewayClient } from './client.ts';
import { containerLifecycle } from './containers.ts';
import { composeDown, composeUp } from './engine-docker.ts';
import { ProcessEngine } from './engine-processes.ts';
import { Keeper } from './keeper.ts';
import { planOf } from './labs.ts';
import { checkLab } from './net/checks.ts';
import type { Driver } from './net/driver.ts';
import { realTime, virtualTime } from './net/lab-time.ts';
import { LabNet } from './net/net.ts';
import { PackedDriver } from './net/packed.ts';
import { RemoteDriver } from './net/remote.ts';
import type { LabOptions, Net } from './net/types.ts';
import { findPorts } from './ports.ts';
import { projectRoot } from './root.ts';

export { type EmuCode, EmuError } from '../../shared/device/errors.ts';
export type * from './net/types.ts';

const MICROS_PER_MS = 1_000;
/** Lab time for every wire of a packed lab to have carrier. */
const CARRIER_LIMIT = '5s';

/**
 * Bring a lab up: by its name (`url-to-page`), or the path of a lab file or its folder. Resolves when every device is
 * ready and every wire has carrier. Rejects with every problem of a bad file.
 */
export async function lab(nameOrPath: string, options: LabOptions = {}): Promise<Net> {
  checkLab(nameOrPath, options);
  const plan = planOf(nameOrPath, options.seed);
  const driver = await driverOf(plan, options);
  const net = new LabNet(driver);
  if (options.engine === 'packed') await allCarriers(driver, net);
  return net;
}

async function driverOf(plan: LabPlan, options: LabOptions): Promise<Driver> {
  switch (options.engine ?? 'processes') {
    case 'packed':
      return new PackedDriver(plan, options.clock === 'virtual' ? virtualTime() : realTime(), options);
    case 'docker':
      return await dockerDriver(plan);
    case 'processes':
      return await processDriver(plan);
  }
}

/** One look for all wires, however many there are. */
async function allCarriers(driver: Driver, net: Net): Promise<void> {
  const lit = async (): Promise<boolean> =>
    (await driver.state()).wires.every(({ carrierA, carrierB }) => carrierA && carrierB);
  await net.wait.until(lit, CARRIER_LIMIT, 'carrier at every wire');
}

/** Processes of this one: they end when it does. Beside whatever lab a person has up: nothing is shared with it. */
async function processDriver(plan: LabPlan): Promise<Driver> {
  const runtime = mkdtempSync(join(tmpdir(), 'wirelab-net-'));
  mkdirSync(logFolder(runtime, plan.name), { recursive: true });
  const clockOrigin = Math.round((performance.timeOrigin + performance.now()) * MICROS_PER_MS);
  const ports = await findPorts(plan.devices.length + 1, undefined);
  const nobody = { onReady: () => {}, onDied: () => {}, onGatewayDied: () => {}, onDown: () => {} };
  const engine = new ProcessEngine({ plan, ports, runtime, clockOrigin }, nobody);
  const down = async (): Promise<void> => {
    await engine.stop();
    rmSync(runtime, { recursive: true, force: true });
  };
  try {
    await engine.start();
  } catch (error) {
    rmSync(runtime, { recursive: true, force: true });
    throw error;
  }
  const running: RunningLab = {
    lab: plan.name,
    state: 'up',
    engine: 'processes',
    folder: plan.folder,
    pid: process.pid,
    pidStart: 0,
    since: Date.now(),
    clockOrigin,
    gateway: engine.gatewayUrl,
    token: engine.token,
  };
  return new RemoteDriver({ running, plan, down });
}

/**
 * A project and a port of its own: test files run at the same time, and beside the lab a person has up. Containers do not
 * end with this process by themselves: a keeper takes them down when it is killed.
 */
async function dockerDriver(plan: LabPlan): Promise<Driver> {
  const name = `${plan.name}-test-${randomBytes(4).toString('hex')}`;
  const keeper = new Keeper(['down', name]);
  const down = (): Promise<void> => composeDown(name).finally(() => keeper.dismiss());
  try {
    const [port] = await findPorts(1, undefined);
    const running = await composeUp(plan, { root: projectRoot(), name, port, progress: () => {} });
    const client = new GatewayClient(running);
    return new RemoteDriver({
      running,
      plan,
      lifecycle: (verb, device) => containerLifecycle(client, verb, device),
      down,
    });
  } catch (error) {
    // What has come up of it; why it did not is what is told.
    await down().catch(() => {});
    throw error;
  }
}
