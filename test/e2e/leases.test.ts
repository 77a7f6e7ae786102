/** A fault ends with its holder, however that ends: a command, a page and a test are killed while they hold one of each kind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { FaultRequest } from '../../services/gateway/fault-request.ts';
import type { FaultView } from '../../services/gateway/faults.ts';
import type { LabView } from '../../services/gateway/lab.ts';
import { ROOT } from '../kit/sources.ts';
import { isAlive, until, Wirelab } from '../kit/wirelab.ts';

/** Each kind of fault has a host of its own. */
const HOSTS = ['impaired', 'ruled', 'cut', 'flapping', 'unplugged', 'parted', 'frozen', 'killed'];
const YAML = `name: leases
devices:
${HOSTS.map((host, i) => `  ${host}: { kind: host, eth0: 10.0.0.${i + 1}/24 }`).join('\n')}
  sw: { kind: switch }
wires:
${HOSTS.map((host, i) => `  - ${host}:eth0 -- sw:p${i + 1}`).join('\n')}
`;
const FILTER = 'icmp.type == 8';

const COMMANDS = [
  ['impair', 'impaired:eth0', '--loss', '50%', '--delay', '20ms'],
  ['impair', 'ruled:eth0', '--match', FILTER, '--nth', '2', '--loss', '100%'],
  ['cut', 'cut:eth0'],
  ['flap', 'flapping:eth0', '--period', '200ms'],
  ['unplug', 'unplugged:eth0'],
  ['partition', 'parted'],
  ['freeze', 'frozen'],
  ['kill', 'killed'],
];

const REQUESTS: readonly FaultRequest[] = [
  { fault: 'impair', target: 'impaired:eth0', impairment: { loss: 0.5, delay: 20_000 } },
  { fault: 'impair', target: 'ruled:eth0', impairment: { match: [{ frames: FILTER, nth: 2, loss: 1 }] } },
  { fault: 'cut', target: 'cut:eth0' },
  { fault: 'flap', target: 'flapping:eth0', period: 200_000, duty: 0.5 },
  { fault: 'unplug', target: 'unplugged:eth0' },
  { fault: 'partition', groups: [['parted']] },
  { fault: 'freeze', target: 'frozen' },
  { fault: 'kill', target: 'killed' },
];

const IN_FORCE = [
  'cut cut:eth0',
  'flap flapping:eth0--sw:p4 period 200ms duty 50%',
  'freeze frozen',
  `impair impaired:eth0 delay 20ms loss 50%`,
  `impair ruled:eth0 match "${FILTER}" nth 2: loss 100%`,
  'kill killed',
  'partition parted',
  'unplug unplugged:eth0--sw:p5',
];

const kit = new Wirelab();
const children: ChildProcess[] = [];
beforeAll(async () => {
  await kit.up(kit.lab('leases', YAML));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await kit.end();
});

async function ask<T>(path: string): Promise<T> {
  const { gateway, token } = kit.state('leases');
  return (await (await fetch(`${gateway}${path}`, { headers: { authorization: `Bearer ${token}` } })).json()) as T;
}

const wordsInForce = async (): Promise<string[]> =>
  (await ask<FaultView[]>('/api/faults')).map(({ words, held }) => (held ? words : `${words}, held by nobody`)).sort();

/** What is not as the lab file says, at any port or device. */
async function troubleLeft(): Promise<string[]> {
  const { devices } = await ask<LabView>('/api/state');
  return devices.flatMap(({ name, state, detail }) => [
    ...(state === 'up' ? [] : [`${name} is ${state}`]),
    ...(detail?.ports ?? []).flatMap((port) => {
      if (port.wire === null) return [];
      const { plugged, cut, carrier, egress } = port;
      const fine = plugged && !cut && carrier && Object.keys(egress).length === 0;
      return fine ? [] : [`${name}:${port.name} ${JSON.stringify({ plugged, cut, carrier, egress })}`];
    }),
  ]);
}

async function allInForce(): Promise<void> {
  await until(async () => (await wordsInForce()).length === IN_FORCE.length, 15_000, 'a fault of each kind');
  expect(await wordsInForce()).toEqual(IN_FORCE);
  // Each of them is felt somewhere: eight hosts, and the far ends of those that went dark.
  expect((await troubleLeft()).length).toBeGreaterThanOrEqual(HOSTS.length - 1);
}

async function nothingLeft(): Promise<void> {
  await until(async () => (await wordsInForce()).length === 0, 10_000, 'no fault');
  await until(async () => (await troubleLeft()).length === 0, 10_000, 'the lab as its file says').catch(
    async (error) => {
      throw new Error(`${error.message}: ${(await troubleLeft()).join('; ')}`);
    },
  );
}

test('commands in the foreground that are killed leave nothing behind', async () => {
  const held = COMMANDS.map((words) => kit.start([...words, '--hold']));
  await allInForce();
  for (const command of held) command.process.kill('SIGKILL');
  await nothingLeft();
});

test('a page whose socket breaks off leaves nothing behind, not even what was still being put in force', async () => {
  const { gateway, token } = kit.state('leases');
  const open = (): WebSocket =>
    new WebSocket(`${gateway.replace('http', 'ws')}/api/session`, { headers: { authorization: `Bearer ${token}` } });
  const holdAll = (page: WebSocket): void => {
    for (const [id, request] of REQUESTS.entries()) page.send(JSON.stringify({ id, ...request }));
  };
  const page = open();
  page.on('open', () => holdAll(page));
  await allInForce();
  page.terminate();
  await nothingLeft();
  const hasty = open();
  hasty.on('open', () => {
    holdAll(hasty);
    setTimeout(() => hasty.terminate(), 20);
  });
  await until(() => hasty.readyState === WebSocket.CLOSED, 5_000, 'the end of the page');
  // Faults are put in force one after the other: this waits for its turn behind the page's.
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  await fetch(`${gateway}/api/plug`, { method: 'POST', headers, body: JSON.stringify({ target: 'impaired:eth0' }) });
  await nothingLeft();
});

test('a test that is killed leaves no process behind, neither frozen nor flapping', async () => {
  const file = join(kit.folder, 'holder.mjs');
  writeFileSync(
    file,
    `import { lab } from ${JSON.stringify(`file://${join(ROOT, 'dist/services/lab/index.js')}`)};
import { readFileSync } from 'node:fs';
const net = await lab(${JSON.stringify(join(kit.folder, 'labs/leases'))});
await net.wire('impaired:eth0').impair({ loss: '50%' });
await net.wire('ruled:eth0').impair({ match: '${FILTER}', loss: '100%' });
await net.cut('cut:eth0');
await net.flap('flapping:eth0', { period: '200ms' });
await net.unplug('unplugged:eth0');
await net.partition(['parted']);
await net.freeze('frozen');
await net.kill('killed');
console.log(readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8'));
setInterval(() => {}, 1_000);
`,
  );
  const holder = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(holder);
  let said = '';
  holder.stdout.on('data', (text) => (said += text));
  await until(() => said.includes('\n'), 30_000, 'a test with a lab');
  const pids = said.trim().split(/\s+/).map(Number);
  // The gateway, the switch and all hosts but the one that was killed.
  expect(pids).toHaveLength(HOSTS.length + 1);
  holder.kill('SIGKILL');
  await until(() => !pids.some(isAlive), 10_000, 'the end of every process');
});
