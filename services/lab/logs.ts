/** `wirelab logs`: what the processes of the lab have printed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { logFolder, type RunningLab, runtimeFolder } from '../../shared/device/running-lab.ts';
import { closest } from '../../shared/lab/closest.ts';
import { composeLogs } from './engine-docker.ts';
import { CommandError, EXIT } from './exit.ts';
import { TEXT } from './text.ts';

export async function logsOf(lab: RunningLab, device: string | undefined): Promise<string> {
  if (lab.engine === 'docker') return await composeLogs(lab.lab, device);
  const folder = logFolder(runtimeFolder(process.env), lab.lab);
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.log'))
    .map((file) => file.slice(0, -'.log'.length))
    .sort();
  if (device === undefined) return names.map((name) => textOf(folder, name)).join('');
  const name = names.includes(device) ? device : names.find((known) => known === `_${device}`);
  if (name === undefined) {
    const near = closest(device, names);
    throw new CommandError(
      `no device is called ${device}${near === undefined ? '' : `; did you mean ${near}?`}`,
      EXIT.BAD_USE,
    );
  }
  const text = textOf(folder, name);
  if (text === '') throw new CommandError(TEXT.noLogs(device), EXIT.DONE);
  return text;
}

/** The file before the present one, when there is one, and the present one. */
function textOf(folder: string, name: string): string {
  return [`${name}.log.1`, `${name}.log`]
    .map((file) => join(folder, file))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('');
}
