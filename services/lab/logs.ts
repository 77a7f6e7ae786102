/** `wirelab logs`: what the processes of the lab have printed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { logFolder, type RunningLab, runtimeFolder } from '../../shared/device/running-lab.ts';
import { closest } from '../../shared/lab/closest.ts';
import { CommandError, EXIT } from './exit.ts';
import { TEXT } from './text.ts';

export async function logsOf(lab: RunningLab, device: string | undefined): Promise<string> {
  if (lab.engine === 'docker')
    return formatLogs(await (await import('./engine-docker.ts')).composeLogs(lab.lab, device));
  const folder = logFolder(runtimeFolder(process.env), lab.lab);
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.log'))
    .map((file) => file.slice(0, -'.log'.length))
    .sort();
  if (device === undefined) return formatLogs(names.map((name) => textOf(folder, name)).join(''));
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
  return formatLogs(text);
}

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
/** What every record has, and what is printed elsewhere in its line. */
const USUAL: ReadonlySet<string> = new Set(['time', 'level', 'device', 'pid', 'msg']);

/** Pino's records as lines for people, in the order of their time; what is no record stays with the one before it. */
export function formatLogs(text: string): string {
  const lines: { time: string; line: string }[] = [];
  for (const raw of text.split('\n')) {
    if (raw === '') continue;
    const record = parseRecord(raw);
    const time = record === undefined ? (lines.at(-1)?.time ?? '') : String(record['time']);
    lines.push({ time, line: record === undefined ? raw : formatRecord(record) });
  }
  return lines
    .sort((one, other) => (one.time < other.time ? -1 : Number(one.time > other.time)))
    .map(({ line }) => `${line}\n`)
    .join('');
}

function parseRecord(raw: string): Record<string, unknown> | undefined {
  try {
    const record = JSON.parse(raw) as Record<string, unknown> | null;
    return typeof record === 'object' && record !== null && 'time' in record ? record : undefined;
  } catch {
    return undefined;
  }
}

function formatRecord(record: Record<string, unknown>): string {
  const more = Object.entries(record)
    .filter(([key]) => !USUAL.has(key))
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const level = LEVELS[Number(record['level'])] ?? '';
  const clock = String(record['time']).slice(11, 23);
  return `${clock} ${String(record['device']).padEnd(12)} ${level.padEnd(5)} ${record['msg']}${more.join('')}`;
}

/** The file before the present one, when there is one, and the present one. */
function textOf(folder: string, name: string): string {
  return [`${name}.log.1`, `${name}.log`]
    .map((file) => join(folder, file))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('');
}
