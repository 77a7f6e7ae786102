/** The gateway's process. Started first and stopped last; when the supervisor is killed, it clears up after it. */
import { ConfigError, type GatewayConfig, readGatewayConfig } from '../../shared/device/config.ts';
import { type ProcessState, supervisorHasGone, tellSupervisor } from '../../shared/device/ipc.ts';
import { createLogger } from '../../shared/device/log.ts';
import { removeLab } from '../../shared/device/running-lab.ts';
import { onShutdown } from '../../shared/device/shutdown.ts';
import { DeviceLink } from './device-link.ts';
import { Lab } from './lab.ts';
import { type Gateway, serveGateway } from './server.ts';
import { SupervisorLink } from './supervisor-link.ts';

async function main(config: GatewayConfig): Promise<void> {
  const log = createLogger({ device: 'gateway', level: config.logLevel });
  const lab = new Lab(
    config.plan,
    config.plan.devices.map((device) => new DeviceLink(device, config.token)),
    config.clockOrigin,
  );
  const states = new Map<string, ProcessState>();
  const pids = new Map<string, number>();
  const strangers: string[] = [];
  let gateway: Gateway | undefined;
  const restore = (name: string): void => {
    if (gateway === undefined) strangers.push(name);
    else void gateway.faults.restore(name);
  };
  const supervisor = new SupervisorLink((statuses) => {
    lab.setStatuses(statuses);
    for (const { name, state, pid } of statuses) {
      pids.set(name, pid);
      const before = states.get(name);
      states.set(name, state);
      if (state !== 'up' || before === 'up') continue;
      // Up before this gateway was: another one was killed, and what it had put in force ends here.
      if (before === undefined || before === 'frozen') restore(name);
      else void gateway?.faults.reapply(name);
    }
  });
  process.once('disconnect', () => thawAll(states, pids));
  cleanUpAfterSupervisor(config);
  gateway = await serveGateway({
    lab,
    supervisor,
    token: config.token,
    listen: config.listen,
  });
  for (const name of supervisor.present ? strangers : lab.links.keys()) restore(name);
  onShutdown([gateway], (problem) => log.error(problem));
  log.info({ port: gateway.port, lab: config.plan.lab }, 'gateway ready');
  tellSupervisor({ type: 'ready', port: gateway.port });
}

/** Our supervisor has gone, and devices end with it; but one that stands still cannot notice. */
function thawAll(states: ReadonlyMap<string, ProcessState>, pids: ReadonlyMap<string, number>): void {
  for (const [name, state] of states) {
    const pid = pids.get(name) ?? 0;
    if (state !== 'frozen' || pid === 0) continue;
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // It has ended meanwhile.
    }
  }
}

/** Our supervisor removes its files itself, unless it was killed. */
function cleanUpAfterSupervisor({ plan, runtime }: GatewayConfig): void {
  if (runtime === undefined) return;
  const cleanUp = (): void => removeLab(runtime.folder, plan.lab, runtime.supervisor);
  process.once('disconnect', cleanUp);
  if (supervisorHasGone()) cleanUp();
}

async function run(): Promise<void> {
  try {
    await main(readGatewayConfig(process.env));
  } catch (error) {
    const problem =
      error instanceof ConfigError ? error.problems.join('; ') : String((error as Error).message ?? error);
    tellSupervisor({ type: 'failed', problem });
    process.stderr.write(`gateway: ${problem}\n`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
    if (process.connected) process.disconnect();
  }
}

void run();
