/**
 * What a process is told when it starts, read once at the door into one frozen value; nobody else reads the environment.
 * This is the contract between a device and whatever engine runs it:
 *
 *   WIRELAB_DEVICE             the device's slice of the plan (lab/plan-types.ts DevicePlan) as JSON
 *   WIRELAB_GATEWAY            for the gateway's process instead: GatewayPlan as JSON
 *   WIRELAB_LISTEN             HOST:PORT of wires and control, 127.0.0.1:0 when left out (port 0: any free one)
 *   WIRELAB_TOKEN              what every caller must present; or WIRELAB_TOKEN_FILE, a file that holds it
 *   WIRELAB_CLOCK_ORIGIN       Unix time in microseconds at which lab time was 0; or WIRELAB_CLOCK_ORIGIN_FILE
 *   WIRELAB_FOLDER             the lab's folder (zones, sites), the working directory of programs; `.` when left out
 *   WIRELAB_RUNTIME            gateway, under our supervisor only: folder of the state files, and the supervisor's pid as
 *   WIRELAB_SUPERVISOR         its state file has it
 *   WIRELAB_LOG                pino's level: info when left out
 *
 * Validated without a library; every problem is reported at once, with its path.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { filterProblem, MATCH_RULES_MAX } from '../lab/filter-problem.ts';
import type { DeviceKind, DevicePlan, DnsRole, Impairment, WirePlan } from '../lab/plan-types.ts';
import type { Checker } from './validate.ts';
import {
  boolean,
  deepFreeze,
  dictionary,
  integer,
  list,
  nullable,
  number,
  object,
  oneOf,
  optional,
  problemsOf,
  text,
} from './validate.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the gateway knows of the lab: where each device listens, and which wire joins what. */
export interface GatewayPlan {
  readonly lab: string;
  readonly seed: number;
  readonly devices: readonly {
    readonly name: string;
    readonly kind: DeviceKind;
    readonly role: DnsRole | null;
    readonly index: number;
    /** `http://HOST:PORT`, its control server. */
    readonly control: string;
    readonly ports: readonly string[];
  }[];
  readonly wires: readonly WirePlan[];
}

interface ProcessConfig {
  readonly listen: { readonly host: string; readonly port: number };
  readonly token: string;
  /** Unix time of lab time 0, microseconds. */
  readonly clockOrigin: number;
  readonly logLevel: string;
}

export interface DeviceConfig extends ProcessConfig {
  readonly plan: DevicePlan;
  /** Absolute path of the lab's folder. */
  readonly folder: string;
}

export interface GatewayConfig extends ProcessConfig {
  readonly plan: GatewayPlan;
  /** Folder of state files, where the gateway cleans up after a supervisor that was killed; undefined without one. */
  readonly runtime: { readonly folder: string; readonly supervisor: number } | undefined;
}

/** The configuration cannot be used; `problems` lists everything that is wrong with it. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const TOKEN_LENGTH_MIN = 16;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
const MICROS_MAX = 86_400_000_000;
const name = text('a name of letters, digits, - and _', NAME);
const role = nullable(oneOf('root', 'tld', 'authoritative', 'local'));
const portName = text('a port, as eth0', NAME);
const end = text('DEVICE:PORT', /^[A-Za-z0-9_-]+:[A-Za-z0-9_-]+$/);
const kind = oneOf('host', 'switch', 'router', 'dns');
const cidr = text('ADDRESS/LENGTH', /^\d+\.\d+\.\d+\.\d+\/\d+$/);
const ipv4 = text('an IPv4 address', /^\d+\.\d+\.\d+\.\d+$/);
const micros = integer(0, MICROS_MAX);
const ratio = number(0, 1);

const percentages = object({ p: ratio, r: ratio, bad: ratio, good: ratio });
const lossChecker: Checker = (value, path, problems) =>
  (typeof value === 'object' && value !== null ? percentages : ratio)(value, path, problems);
const layered = object({ ratio, layer: oneOf('ip', 'tcp') });
const corruptChecker: Checker = (value, path, problems) =>
  (typeof value === 'object' && value !== null ? layered : ratio)(value, path, problems);

/** A display filter that can be read. */
const filterChecker: Checker = (value, path, problems) => {
  const problem = typeof value === 'string' ? filterProblem(value) : 'not text';
  if (problem !== undefined) problems.push(`${path}: cannot read the filter: ${problem}`);
};

/** MatchRule of plan-types.ts. */
const matchChecker: Checker = object({
  frames: filterChecker,
  nth: optional(integer(1, 1_000_000_000)),
  every: optional(integer(1, 1_000_000_000)),
  count: optional(integer(1, 1_000_000_000)),
  loss: optional(ratio),
  duplicate: optional(ratio),
  corrupt: optional(corruptChecker),
  delay: optional(micros),
});

const knobs: Readonly<Record<keyof Impairment, Checker>> = {
  delay: micros,
  jitter: micros,
  distribution: oneOf('uniform', 'normal', 'pareto', 'paretonormal'),
  order: oneOf('kept', 'free'),
  loss: lossChecker,
  duplicate: ratio,
  reorder: ratio,
  gap: integer(1, 1_000_000),
  corrupt: corruptChecker,
  rate: integer(1, 1e12),
  limit: integer(1, 1_000_000),
  mtu: integer(68, 65_535),
  match: list(matchChecker, MATCH_RULES_MAX),
};

const eachKnob = (around: (knob: Checker) => Checker): Checker =>
  object(Object.fromEntries(Object.entries(knobs).map(([name, knob]) => [name, around(knob)])));

/** Impairment of plan-types.ts; also what the control API's `impair` takes. */
export const impairmentChecker: Checker = eachKnob(optional);

/** ImpairmentChange of plan-types.ts. */
export const impairmentChangeChecker: Checker = eachKnob((knob) => optional(nullable(knob)));

const portChecker = object({
  name: portName,
  mac: nullable(text('a MAC address', /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i)),
  addresses: list(cidr, 256),
  mtu: integer(68, 65_535),
  wire: nullable(
    object({
      name: text('a wire, as a:eth0--b:eth0'),
      listens: boolean,
      peer: end,
      url: nullable(text('ws://HOST:PORT/wires/NAME', /^wss?:\/\//)),
      egress: impairmentChecker,
    }),
  ),
});

const devicePlanChecker = object({
  lab: name,
  name,
  index: integer(1, 65_535),
  kind,
  role,
  seed: integer(0, 0xffff_ffff),
  ports: list(portChecker, 256),
  routes: list(
    object({
      to: text('a prefix or default', /^(default|\d+\.\d+\.\d+\.\d+(\/\d+)?)$/),
      via: nullable(ipv4),
      dev: nullable(portName),
      metric: integer(0, 0xffff_ffff),
    }),
  ),
  dns: list(ipv4, 16),
  search: list(text('a domain'), 16),
  hosts: list(object({ address: ipv4, names: list(text('a host name')) })),
  nat: nullable(object({ outside: portName })),
  lan: list(portName, 256),
  sysctl: dictionary(text('a value as text')),
  run: list(list(text('a word'))),
  cpu: object({ irq: micros, poll: micros, packet: micros }),
  zones: list(object({ origin: text('a zone'), file: text('a file') })),
  hints: nullable(text('a file')),
});

const wirePlanChecker = object({
  name: text('a wire'),
  a: object({ device: name, port: portName }),
  b: object({ device: name, port: portName }),
  forward: impairmentChecker,
  backward: impairmentChecker,
});

const gatewayPlanChecker = object({
  lab: name,
  seed: integer(0, 0xffff_ffff),
  devices: list(
    object({
      name,
      kind,
      role,
      index: integer(1, 65_535),
      control: text('http://HOST:PORT', /^http:\/\/[^/]+$/),
      ports: list(portName, 256),
    }),
  ),
  wires: list(wirePlanChecker),
});

/** The value of NAME, or the content of the file that NAME_FILE names. */
function valueOrFile(env: Environment, key: string, problems: string[]): string | undefined {
  const file = env[`${key}_FILE`];
  if (file === undefined) return env[key];
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    problems.push(`${key}_FILE: cannot read ${file} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
    return undefined;
  }
}

function readJson(env: Environment, key: string, what: string, checker: Checker, problems: string[]): unknown {
  const value = env[key];
  if (value === undefined || value === '') {
    problems.push(`${key} is missing: it holds ${what}`);
    return undefined;
  }
  try {
    const parsed: unknown = JSON.parse(value);
    for (const problem of problemsOf(checker, parsed)) problems.push(`${key} ${problem}`);
    return parsed;
  } catch (error) {
    problems.push(`${key} is not JSON: ${(error as Error).message}`);
    return undefined;
  }
}

function readProcess(env: Environment, problems: string[]): ProcessConfig {
  const listen = /^(.+):(\d{1,5})$/.exec(env['WIRELAB_LISTEN'] ?? '127.0.0.1:0');
  const port = Number(listen?.[2] ?? -1);
  if (listen === null || port > 65_535)
    problems.push(`WIRELAB_LISTEN: expected HOST:PORT, found ${env['WIRELAB_LISTEN']}`);
  const before = problems.length;
  const token = valueOrFile(env, 'WIRELAB_TOKEN', problems) ?? '';
  if (token.length < TOKEN_LENGTH_MIN && problems.length === before) {
    problems.push(`WIRELAB_TOKEN: expected at least ${TOKEN_LENGTH_MIN} characters, found ${token.length}`);
  }
  const origin = Number(valueOrFile(env, 'WIRELAB_CLOCK_ORIGIN', problems) ?? '0');
  if (!Number.isSafeInteger(origin) || origin < 0) {
    problems.push(`WIRELAB_CLOCK_ORIGIN: expected Unix time in microseconds, found ${env['WIRELAB_CLOCK_ORIGIN']}`);
  }
  const logLevel = env['WIRELAB_LOG'] ?? 'info';
  if (!['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].includes(logLevel)) {
    problems.push(`WIRELAB_LOG: expected a level of pino's, found ${logLevel}`);
  }
  return { listen: { host: listen?.[1] ?? '', port }, token, clockOrigin: origin, logLevel };
}

/** The configuration of a device's process. Throws ConfigError with everything that is wrong. */
export function readConfig(env: Environment): DeviceConfig {
  const problems: string[] = [];
  const plan = readJson(env, 'WIRELAB_DEVICE', "this device's slice of the lab", devicePlanChecker, problems);
  const rest = readProcess(env, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze({ plan: plan as DevicePlan, folder: resolve(env['WIRELAB_FOLDER'] ?? '.'), ...rest });
}

/** The configuration of the gateway's process. Throws ConfigError with everything that is wrong. */
export function readGatewayConfig(env: Environment): GatewayConfig {
  const problems: string[] = [];
  const plan = readJson(env, 'WIRELAB_GATEWAY', 'the lab as the gateway sees it', gatewayPlanChecker, problems);
  const rest = readProcess(env, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const folder = env['WIRELAB_RUNTIME'];
  const runtime = folder === undefined ? undefined : { folder, supervisor: Number(env['WIRELAB_SUPERVISOR']) };
  return deepFreeze({ plan: plan as GatewayPlan, runtime, ...rest });
}
