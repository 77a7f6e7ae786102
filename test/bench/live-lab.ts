/** A lab as a person has it: the `wirelab` command and its processes, with state files in a folder of the bench's own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../services/lab/root.ts';
import { type Command, commandUntil } from './children.ts';
import { scratch } from './undo.ts';

const COMMAND = join(projectRoot(), 'services/lab/wirelab.js');
/** How the line ends that `up` says when all is there: text.ts's labUp. */
const UP = 'every wire has carrier';

export interface LiveLab {
  /** From the command to every device ready and every wire lit. */
  readonly seconds: number;
  /** The devices' processes. */
  readonly pids: readonly number[];
  /** Run a program on a device: what it says. */
  exec(device: string, ...argv: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** A lab of the project by its name, or the text of a lab file, with files beside it. */
export async function liveLab(lab: string, files: Readonly<Record<string, Uint8Array>> = {}): Promise<LiveLab> {
  const folder = scratch();
  const path = lab.includes('\n') ? join(folder.path, 'lab.yaml') : lab;
  if (path !== lab) writeFileSync(path, lab);
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(join(folder.path, name, '..'), { recursive: true });
    writeFileSync(join(folder.path, name), bytes);
  }
  const environment = { XDG_RUNTIME_DIR: folder.path };
  let up: Command | undefined;
  const stop = async (): Promise<void> => {
    await up?.end();
    await folder.remove();
  };
  try {
    up = await commandUntil(UP, [COMMAND, 'up', path], environment);
    const devices = JSON.parse(await run(['ps', '--json'], environment)) as { readonly pid: number }[];
    return {
      seconds: up.seconds,
      pids: devices.map(({ pid }) => pid),
      exec: (device, ...argv) => run(['exec', device, '--', ...argv], environment),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run(argv: readonly string[], environment: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [COMMAND, ...argv], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said: Record<'out' | 'err', string> = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => void (said.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (said.err += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`wirelab ${argv.join(' ')}: status ${status}: ${said.err}`);
  return said.out;
}

/** Hosts h1, h2, … on one switch. h2 serves what is in site/ when `serves`. */
export function starLab(hosts: number, serves = false): string {
  const numbers = Array.from({ length: hosts }, (_, i) => i + 1);
  const address = (n: number): string => `10.0.${n >> 8}.${n & 255}/16`;
  const run = (n: number): string => (serves && n === 2 ? ', run: [ httpd site/ ]' : '');
  return [
    `name: star${hosts}`,
    'devices:',
    ...numbers.map((n) => `  h${n}: { kind: host, eth0: ${address(n)}${run(n)} }`),
    `  sw: { kind: switch, ports: ${hosts} }`,
    'wires:',
    ...numbers.map((n) => `  - sw:p${n} -- h${n}:eth0`),
    '',
  ].join('\n');
}
