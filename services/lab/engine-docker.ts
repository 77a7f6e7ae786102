/**
 * The lab as containers, through the `docker-compose` package. A Compose lab has no state file: it is found by asking
 * Compose for projects called wirelab-NAME, its published port is Compose's answer, and its token is read from the
 * gateway's volume (`docker compose cp`, which runs nothing in a container). So a lab that was brought up by a plain
 * `docker compose up` is driven by the same commands as one of `wirelab up --docker`.
 */
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { execCompose, type IDockerComposeOptions, type IDockerComposeResult } from 'docker-compose';
import { EmuError } from '../../shared/device/errors.ts';
import type { LifecycleVerb } from '../../shared/device/ipc.ts';
import type { RunningLab } from '../../shared/device/running-lab.ts';
import { composeYaml } from '../../shared/lab/compose.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import { TEXT } from './text.ts';

const PROJECT = 'wirelab-';
/** As in the generated file: where the gateway listens in its container, and the token's place. */
const GATEWAY_PORT = 9_000;
const TOKEN_FILE = '/run/wirelab/token';
/** Real time for a command of Compose's that only asks; containers of a busy machine answer late. */
const ASK_MS_MAX = 10_000;

/** Only the project's name says what is meant: no compose file of the current folder may mix in. */
function projectOptions(lab: string): IDockerComposeOptions {
  return { cwd: tmpdir(), composeOptions: ['--ansi', 'never', '-p', `${PROJECT}${lab.toLowerCase()}`] };
}

function gatewayService(services: readonly string[]): string {
  return services.includes('wirelab-gateway') ? 'wirelab-gateway' : 'gateway';
}

/** A running Compose lab (of that name, or the only one); undefined when there is none, or no Docker. */
export async function findComposeLab(name: string | undefined): Promise<RunningLab | undefined> {
  try {
    const listed = await bounded(execCompose('ls', ['--format', 'json'], { cwd: tmpdir() }));
    const projects = (JSON.parse(listed.out) as { Name: string; Status: string }[])
      .filter((project) => project.Name.startsWith(PROJECT) && project.Status.includes('running'))
      .map((project) => project.Name.slice(PROJECT.length));
    const lab =
      name === undefined && projects.length === 1 ? projects[0] : projects.find((each) => each === name?.toLowerCase());
    return lab === undefined ? undefined : await openComposeLab(lab);
  } catch {
    return undefined;
  }
}

async function openComposeLab(lab: string): Promise<RunningLab> {
  const options = projectOptions(lab);
  const services = (await bounded(execCompose('ps', ['--services'], options))).out.split('\n');
  const gateway = gatewayService(services.map((line) => line.trim()));
  const [port, token] = await Promise.all([
    bounded(execCompose('port', [gateway, String(GATEWAY_PORT)], options)),
    bounded(execCompose('cp', [`${gateway}:${TOKEN_FILE}`, '-'], options)),
  ]);
  return {
    lab,
    state: 'up',
    engine: 'docker',
    folder: '',
    pid: 0,
    pidStart: 0,
    since: 0,
    clockOrigin: 0,
    gateway: `http://${port.out.trim()}`,
    token: fileOfTar(token.out),
  };
}

/** The content of the one file in a tar archive: a head of 512 octets with the size in octal at 124, then the file. */
function fileOfTar(archive: string): string {
  const size = Number.parseInt(archive.slice(124, 136), 8);
  return archive.slice(512, 512 + size).trim();
}

export async function composeUp(
  plan: LabPlan,
  options: {
    readonly root: string;
    readonly port: number | undefined;
    readonly progress: (line: string) => void;
    /** What it is called instead, so that it stands beside others of its name. */
    readonly name?: string;
  },
): Promise<RunningLab> {
  const { name = plan.name } = options;
  const yaml = composeYaml(plan, { lab: plan.name, root: options.root, labFolder: plan.folder, file: 'compose.yaml' });
  await run(
    execCompose('up', ['--detach', '--build', '--wait'], {
      ...projectOptions(name),
      cwd: resolve(plan.folder),
      configAsString: yaml,
      env: { ...process.env, ...(options.port === undefined ? {} : { WIRELAB_PORT: String(options.port) }) },
      callback: (chunk) => {
        for (const line of chunk.toString('utf8').split('\n')) if (line.trim() !== '') options.progress(line.trimEnd());
      },
    }),
  );
  return await openComposeLab(name.toLowerCase());
}

export async function composeDown(lab: string): Promise<void> {
  await run(execCompose('down', ['--volumes', '--timeout', '3'], projectOptions(lab)));
}

export async function composeLifecycle(lab: string, verb: LifecycleVerb, device: string): Promise<void> {
  const words = { freeze: 'pause', thaw: 'unpause' } as const;
  await run(execCompose(verb === 'freeze' || verb === 'thaw' ? words[verb] : verb, [device], projectOptions(lab)));
}

export type ContainerState = 'running' | 'frozen' | 'stopped' | 'killed' | 'dead';

/** What a container's exit code says of its end: asked to (0, or SIGTERM's), by SIGKILL, or by itself. */
const ENDED: ReadonlyMap<number, ContainerState> = new Map([
  [0, 'stopped'],
  [128 + 15, 'stopped'],
  [128 + 9, 'killed'],
]);

/** Every service of a lab and what its container does: the engine's word, which a gateway cannot ask for. */
export async function composeStates(lab: string): Promise<ReadonlyMap<string, ContainerState>> {
  const { out } = await bounded(execCompose('ps', ['--all', '--format', 'json'], projectOptions(lab)));
  type Row = { readonly Service: string; readonly State: string; readonly ExitCode: number };
  // An object a line, or, before Compose 2.21, one array.
  const rows = out.split('\n').flatMap((line) => (line.trim() === '' ? [] : (JSON.parse(line) as Row | Row[])));
  return new Map(
    rows.map(({ Service, State, ExitCode }) => {
      if (State === 'paused') return [Service, 'frozen'];
      return [Service, State === 'exited' ? (ENDED.get(ExitCode) ?? 'dead') : State === 'dead' ? 'dead' : 'running'];
    }),
  );
}

export async function composeLogs(lab: string, device: string | undefined): Promise<string> {
  const services = device === undefined ? [] : [device];
  return (await run(execCompose('logs', ['--no-color', '--no-log-prefix', ...services], projectOptions(lab)))).out;
}

/** Compose's own words when it fails. */
async function run(command: Promise<IDockerComposeResult>): Promise<IDockerComposeResult> {
  try {
    return await command;
  } catch (error) {
    const { err, code } = error as { err?: string; code?: string };
    if (code === 'ENOENT') throw new EmuError('EMU_FAILED', TEXT.noDocker);
    throw new EmuError('EMU_FAILED', (err ?? String((error as Error).message ?? error)).trim());
  }
}

function bounded<T>(work: Promise<T>): Promise<T> {
  let late: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    late = setTimeout(() => reject(new Error('Docker does not answer')), ASK_MS_MAX);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(late));
}
