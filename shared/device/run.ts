/**
 * A device's process, the same for every kind: configuration at the door, wires plugged, the device built, the control
 * server up, the supervisor told; and all of it closed in order at the end.
 */
import type { DevicePlan } from '../lab/plan-types.ts';
import { SystemClock } from './clock.ts';
import { ConfigError, type DeviceConfig, readConfig } from './config.ts';
import { serveControl } from './control.ts';
import type { Device, DeviceParts } from './device.ts';
import { tellSupervisor } from './ipc.ts';
import { createLogger, type Logger } from './log.ts';
import { nodePlatform } from './platform.ts';
import { plugWires } from './plug.ts';
import { seededRandom } from './random.ts';
import { onShutdown } from './shutdown.ts';

export type BuildDevice = (plan: DevicePlan, parts: DeviceParts) => Device;

/** Never rejects: what cannot start says why, to people and to the supervisor, and leaves an exit status. */
export async function runDevice(build: BuildDevice): Promise<void> {
  try {
    await run(build, readConfig(process.env));
  } catch (error) {
    const problem = error instanceof ConfigError ? error.problems.join('; ') : sayError(error as NodeJS.ErrnoException);
    tellSupervisor({ type: 'failed', problem });
    process.stderr.write(`${problem}\n`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
    if (process.connected) process.disconnect();
  }
}

function sayError(error: NodeJS.ErrnoException): string {
  return error.code === 'EADDRINUSE' ? `its port is taken (${error.message})` : (error.stack ?? String(error));
}

async function run(build: BuildDevice, config: DeviceConfig): Promise<void> {
  const { plan } = config;
  const log = createLogger({ device: plan.name, level: config.logLevel });
  const clock = new SystemClock({ originUnixMicros: config.clockOrigin });
  const random = seededRandom(plan.seed);
  const platform = nodePlatform({ folder: config.folder });
  const onCarrier = (port: string, up: boolean): void => tellSupervisor({ type: 'carrier', port, up });
  const cables = plugWires(plan, { clock, random, platform, token: config.token, log, onCarrier });
  const device = build(plan, { clock, random, platform, wires: cables.wires, output: logOutput(log) });
  const control = await serveControl({ device, cables, token: config.token, listen: config.listen, log });
  onShutdown([{ close: () => device.stop() }, cables, control, { close: () => clock.stop() }], (problem) =>
    log.error(problem),
  );
  log.info({ port: control.port, seed: plan.seed, kind: plan.kind }, 'device ready');
  tellSupervisor({ type: 'ready', port: control.port });
}

/** What resident programs print, a line a record. */
function logOutput(log: Logger): (program: string, text: string) => void {
  return (program, text) => {
    for (const line of text.split('\n')) if (line !== '') log.info({ program }, line);
  };
}
