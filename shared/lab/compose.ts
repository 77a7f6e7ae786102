/**
 * A plan to the text of its compose.yaml: one container a device from one image, the gateway, and a one-shot service
 * that makes the lab's token. Generated, committed, and held together with the lab file by a test. What a process is
 * told is the contract of device/config.ts.
 */
import type { GatewayPlan } from '../device/config.ts';
import { slices } from './plan.ts';
import type { DevicePlan, LabPlan } from './plan-types.ts';

/** Where every container serves wires and control, inside the lab's network. */
const CONTROL_PORT = 9_000;
/** Where the gateway is published on this machine's loopback, unless WIRELAB_PORT says otherwise. */
const PUBLISHED_PORT = 8_080;
/** Mounted read-only in every container; made by the one-shot service. */
const KEYS_FOLDER = '/run/wirelab';
/** The lab's folder in a container that reads files of it. */
const LAB_FOLDER = '/lab';
const IMAGE = 'wirelab';
/** The user `node` of the base image. */
const USER = '1000:1000';

export interface ComposeOptions {
  /** How the lab is named on the command line. */
  readonly lab: string;
  /** Path of the repository's root, and of the lab's folder, as seen from the compose file. */
  readonly root: string;
  readonly labFolder: string;
  /** Path of this compose file from the repository's root. */
  readonly file: string;
  /** How it is made again; `npx wirelab compose LAB > FILE` when left out. */
  readonly command?: string;
}

/** Writes the token and the origin of lab time, unless a lab that is up has them already. */
const MAKE_KEYS = [
  "const { existsSync, renameSync, writeFileSync } = require('node:fs');",
  `const put = (name, text) => { const path = '${KEYS_FOLDER}/' + name; if (existsSync(path)) return;`,
  "  writeFileSync(path + '.new', text, { mode: 0o400 }); renameSync(path + '.new', path); };",
  "put('token', require('node:crypto').randomBytes(32).toString('hex'));",
  "put('clock', String(Date.now() * 1000));",
].join('\n');

const HEALTH = `fetch('http://127.0.0.1:${CONTROL_PORT}/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`;

export function composeYaml(plan: LabPlan, options: ComposeOptions): string {
  const gateway = ownName('gateway', plan);
  const keys = ownName('keys', plan);
  const devices = slices(plan, (device) => `ws://${device.toLowerCase()}:${CONTROL_PORT}`);
  const services = [
    keysService(keys, options),
    ...[...devices.values()].map((device) => deviceService(device, options)),
    gatewayService(gateway, plan, devices),
  ];
  return `${header(plan, options, keys)}\nservices:\n${services.join('\n')}${footer()}`;
}

/** A service's name, out of the way of a device that has it. */
function ownName(name: string, plan: LabPlan): string {
  const taken = plan.devices.some((device) => device.name.toLowerCase() === name);
  return taken ? ownName(`wirelab-${name}`, plan) : name;
}

function header(plan: LabPlan, { lab, file, command }: ComposeOptions, keys: string): string {
  return `# Generated from the lab file of ${plan.name}; edit that, then: ${command ?? `npx wirelab compose ${lab} > ${file}`}
#
#   docker compose up --build     bring the lab up; the gateway listens on 127.0.0.1:\${WIRELAB_PORT:-${PUBLISHED_PORT}}
#   docker compose down -v        take it down and forget its token
name: wirelab-${plan.name.toLowerCase()}

x-device: &device
  image: ${IMAGE}
  pull_policy: never
  depends_on: { ${keys}: { condition: service_completed_successfully } }
  networks: [wires]
  volumes: [keys:${KEYS_FOLDER}:ro]
  user: '${USER}'
  read_only: true
  cap_drop: [ALL]
  security_opt: [no-new-privileges:true]
  tmpfs: [/tmp]
  init: true
  stop_grace_period: 3s
  healthcheck: &health
    test: [CMD, node, -e, ${quote(HEALTH)}]
    interval: 15s
    timeout: 5s
    retries: 3
    start_period: 30s
    start_interval: 1s

x-environment: &environment
  WIRELAB_LISTEN: 0.0.0.0:${CONTROL_PORT}
  WIRELAB_TOKEN_FILE: ${KEYS_FOLDER}/token
  WIRELAB_CLOCK_ORIGIN_FILE: ${KEYS_FOLDER}/clock
  WIRELAB_LOG: \${WIRELAB_LOG:-info}
`;
}

/** The only service that is built: its image is everyone's. */
function keysService(name: string, { root }: ComposeOptions): string {
  return `  ${name}:
    image: ${IMAGE}
    build: { context: ${quote(root)}, dockerfile: services/Dockerfile }
    command:
      - node
      - -e
      - |
${indent(escapeDollars(MAKE_KEYS), 8)}
    network_mode: none
    volumes: [keys:${KEYS_FOLDER}]
    user: '${USER}'
    read_only: true
    cap_drop: [ALL]
    security_opt: [no-new-privileges:true]
    init: true
`;
}

function deviceService(device: DevicePlan, { labFolder }: ComposeOptions): string {
  const files = readsFiles(device);
  const lower = device.name.toLowerCase();
  const lines = [
    `  ${device.name}:`,
    '    <<: *device',
    `    hostname: ${quote(lower)}`,
    `    command: [node, dist/services/start.cjs, ${device.kind}]`,
  ];
  if (lower !== device.name) lines.push(`    networks: { wires: { aliases: [${quote(lower)}] } }`);
  if (files) {
    // The long form, as a path may hold a colon.
    const folder = `{ type: bind, source: ${quote(labFolder)}, target: ${LAB_FOLDER}, read_only: true }`;
    lines.push('    volumes:', `      - keys:${KEYS_FOLDER}:ro`, `      - ${folder}`);
  }
  lines.push('    environment:', '      <<: *environment');
  if (files) lines.push(`      WIRELAB_FOLDER: ${LAB_FOLDER}`);
  lines.push(`      WIRELAB_DEVICE: ${quote(JSON.stringify(device))}`, '');
  return lines.join('\n');
}

/** Programs may read the lab's folder; a device without any needs none of it. */
function readsFiles(device: DevicePlan): boolean {
  return device.kind !== 'switch';
}

function gatewayService(name: string, plan: LabPlan, devices: ReadonlyMap<string, DevicePlan>): string {
  const gateway: GatewayPlan = {
    lab: plan.name,
    seed: plan.seed,
    devices: [...devices.values()].map(({ name: device, kind, role, index, ports }) => ({
      name: device,
      kind,
      role,
      index,
      control: `http://${device.toLowerCase()}:${CONTROL_PORT}`,
      ports: ports.map((port) => port.name),
    })),
    wires: plan.wires,
  };
  return `  ${name}:
    <<: *device
    command: [node, dist/services/start.cjs, gateway]
    networks: [wires, outside]
    ports: ['127.0.0.1:\${WIRELAB_PORT:-${PUBLISHED_PORT}}:${CONTROL_PORT}']
    environment:
      <<: *environment
      WIRELAB_GATEWAY: ${quote(JSON.stringify(gateway))}
`;
}

/** Devices see each other and nothing else; an internal network cannot publish, so the gateway is in a second one. */
function footer(): string {
  return `
networks:
  wires: { internal: true }
  outside: {}

volumes:
  keys: {}
`;
}

/** A single-quoted YAML scalar that compose does not interpolate. */
function quote(text: string): string {
  return `'${escapeDollars(text).replaceAll("'", "''")}'`;
}

function escapeDollars(text: string): string {
  return text.replaceAll('$', '$$$$');
}

function indent(text: string, blanks: number): string {
  return text
    .split('\n')
    .map((line) => ' '.repeat(blanks) + line)
    .join('\n');
}
