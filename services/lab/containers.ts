/**
 * Trouble with devices that are containers: their engine carries it out and is the one to know of it, since the gateway
 * cannot ask it. A container that is paused is a device that is frozen, and one that ended by SIGKILL was killed.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EmuError } from '../../shared/device/errors.ts';
import type { LifecycleVerb } from '../../shared/device/ipc.ts';
import type { FaultView } from '../gateway/faults.ts';
import type { DeviceView } from '../gateway/lab.ts';
import type { GatewayClient } from './client.ts';
import { type ContainerState, composeLifecycle, composeStates } from './engine-docker.ts';
import { CommandError, EXIT } from './exit.ts';
import { Keeper } from './keeper.ts';
import { TEXT } from './text.ts';

/** Real time for a container that was started to serve, on a busy machine. */
const BACK_MS_MAX = 30_000;
const POLL_MS = 100;
/** The gateway has given none: nobody can end it by one. */
const NO_NUMBER = 0;

export type DeviceFault = 'kill' | 'freeze';

export const UNDO: Readonly<Record<DeviceFault, LifecycleVerb>> = { kill: 'start', freeze: 'thaw' };

/** Words of the fault that a container is in; undefined when none is. */
const WORDS: Readonly<Record<ContainerState, ((device: string) => string) | undefined>> = {
  running: undefined,
  stopped: undefined,
  frozen: (device) => `freeze ${device}`,
  killed: (device) => `kill ${device}`,
  dead: undefined,
};

/** Start, end or freeze a container. What was in force at its ports is so when it is back. */
export async function containerLifecycle(client: GatewayClient, verb: LifecycleVerb, device: string): Promise<void> {
  await composeLifecycle(client.lab.lab, verb, device);
  if (verb !== 'start' && verb !== 'restart' && verb !== 'thaw') return;
  const path = `/api/devices/${encodeURIComponent(device)}`;
  const end = performance.now() + BACK_MS_MAX;
  while ((await client.get<DeviceView>(path)).state !== 'up') {
    if (performance.now() > end) throw new EmuError('EMU_DEVICE_DOWN', TEXT.notBack(device), { device });
    await sleep(POLL_MS);
  }
  await client.post(`${path}/restore`);
}

/** The faults that only the engine knows of. */
export async function containerFaults(client: GatewayClient): Promise<FaultView[]> {
  return [...(await composeStates(client.lab.lab))].flatMap(([device, state]) => {
    const words = WORDS[state]?.(device);
    return words === undefined ? [] : [{ fault: NO_NUMBER, words, held: false }];
  });
}

/** Let containers go on, or start them: the device that `target` means, or all. Answers what was wrong, in words. */
export async function healContainers(client: GatewayClient, target: string | undefined): Promise<string[]> {
  const healed: string[] = [];
  for (const [device, state] of await composeStates(client.lab.lab)) {
    if (state === 'running' || state === 'stopped' || (target !== undefined && target !== device)) continue;
    if (state === 'dead' && target !== undefined) continue;
    await containerLifecycle(client, state === 'frozen' ? 'thaw' : 'start', device);
    healed.push(WORDS[state]?.(device) ?? `${device}, which was ${state}`);
  }
  return healed;
}

/** Keep a device killed or frozen for as long as this command runs, even if that is killed itself. */
export async function holdContainer(
  client: GatewayClient,
  fault: DeviceFault,
  device: string,
  milliseconds: number | undefined,
  say: (line: string) => void,
): Promise<void> {
  // Compose says nothing about a service that it does not know; the gateway names the closest one.
  await client.get(`/api/devices/${encodeURIComponent(device)}`);
  const keeper = new Keeper([UNDO[fault], device, '--lab', client.lab.lab]);
  try {
    await containerLifecycle(client, fault, device);
    say(`${fault} ${device}`);
    say(TEXT.holding(milliseconds));
    const interrupted = await letGo(milliseconds);
    await containerLifecycle(client, UNDO[fault], device);
    say(TEXT.letGo);
    if (interrupted && milliseconds !== undefined) throw new CommandError('', EXIT.INTERRUPTED);
  } finally {
    keeper.dismiss();
  }
}

/** Until the time is over, or a signal comes: true. */
function letGo(milliseconds: number | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (interrupted: boolean): void => {
      clearTimeout(time);
      clearInterval(stay);
      resolve(interrupted);
    };
    const time = milliseconds === undefined ? undefined : setTimeout(() => end(false), milliseconds);
    // Somebody has to be there to hear the signal.
    const stay = setInterval(() => {}, BACK_MS_MAX);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end(true));
  });
}
