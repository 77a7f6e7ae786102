/** What the commands share: which lab is meant, and how they say it. */
import { Option } from 'commander';
import type { LifecycleVerb } from '../../shared/device/ipc.ts';
import { HELP, TEXT } from './text.ts';

export interface Common {
  readonly lab?: string;
}

/** The gateway of the lab that is meant. */
export async function gateway(options: Common) {
  const { GatewayClient, meantLab } = await import('./client.ts');
  return new GatewayClient(await meantLab(options.lab));
}

export const say = (text: string): void => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
export const labOption = (): Option => new Option('--lab <name>', HELP.lab);

/** A device's process is started or ended, by the engine that runs it. */
export async function lifecycle(verb: LifecycleVerb, device: string, options: Common): Promise<string> {
  const client = await gateway(options);
  if (client.lab.engine === 'docker') {
    const { containerLifecycle } = await import('./containers.ts');
    // Compose says nothing about a service that it does not know; the gateway names the closest one.
    await client.get(`/api/devices/${encodeURIComponent(device)}`);
    await containerLifecycle(client, verb, device);
  } else {
    await client.post(`/api/devices/${encodeURIComponent(device)}/${verb}`);
  }
  return `${device} ${TEXT.done[verb]}`;
}
