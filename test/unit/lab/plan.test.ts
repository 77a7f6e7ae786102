import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig, readGatewayConfig } from '../../../shared/device/config.ts';
import { checkLab } from '../../../shared/lab/check.ts';
import { composeYaml } from '../../../shared/lab/compose.ts';
import { findLab, LabError, listLabs, loadLab } from '../../../shared/lab/find.ts';
import { planLab, slices } from '../../../shared/lab/plan.ts';
import type { DevicePlan, LabPlan } from '../../../shared/lab/plan-types.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const LABS = { labsFolder: join(ROOT, 'labs'), cwd: ROOT };
const COMPOSE = { lab: 'x', root: '.', labFolder: '.', file: 'compose.yaml' };

function planOf(text: string, seed?: number): LabPlan {
  const { lab, problems } = checkLab(text, { file: 'lab.yaml' });
  expect(problems).toEqual([]);
  if (lab === undefined) throw new Error('a good lab');
  return planLab(lab, { folder: '/labs/x', ...(seed === undefined ? {} : { seed }) });
}

function device(plan: LabPlan, name: string): DevicePlan {
  const found = plan.devices.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const TWO = `name: two
devices:
  alice: { kind: host, eth0: 10.0.0.1/24, gateway: 10.0.0.2, routes: [ 10.9.0.0/16 via 10.0.0.2 metric 7 ] }
  bob: { kind: host, eth0: { address: [10.0.0.2/24, 10.0.0.3/24], mtu: 9000 }, run: [ "httpd 'my site' -p 80" ], cpu: { irq: 5us } }
  sw: { kind: switch, ports: 2 }
wires:
  - alice:eth0 -- sw:p1
  - bob:eth0 -- sw:p2: { delay: 5ms, loss: 1%, "->": { rate: 10mbit, delay: 1ms }, "<-": { corrupt: 0.5% } }
`;

test('one file gives one plan, whatever the machine; another seed changes the seeds alone', () => {
  const plan = planOf(TWO);
  expect(planOf(TWO)).toEqual(plan);
  const other = planOf(TWO, 7);
  expect(other.seed).toBe(7);
  expect(other.devices.map(({ seed }) => seed)).not.toEqual(plan.devices.map(({ seed }) => seed));
  const seedless = (p: LabPlan) => ({ ...p, seed: 0, devices: p.devices.map((each) => ({ ...each, seed: 0 })) });
  expect(seedless(other)).toEqual(seedless(plan));
});

test('the first-named end of a wire listens, and the other knows where to dial', () => {
  const all = slices(planOf(TWO), (name) => `ws://${name}.lab:1234`);
  expect(all.get('alice')?.ports[0]?.wire).toEqual({
    name: 'alice:eth0--sw:p1',
    listens: true,
    peer: 'sw:p1',
    url: null,
    egress: {},
  });
  expect(all.get('sw')?.ports[0]?.wire).toEqual({
    name: 'alice:eth0--sw:p1',
    listens: false,
    peer: 'alice:eth0',
    url: 'ws://alice.lab:1234/wires/alice:eth0--sw:p1',
    egress: {},
  });
});

test('what a wire does is done both ways, but for what stands under a direction', () => {
  const plan = planOf(TWO);
  const forward = { delay: 1_000, loss: 0.01, rate: 10_000_000 };
  const backward = { delay: 5_000, loss: 0.01, corrupt: 0.005 };
  expect(plan.wires[1]).toMatchObject({ forward, backward });
  expect(device(plan, 'bob').ports[0]?.wire?.egress).toEqual(forward);
  expect(device(plan, 'sw').ports[1]?.wire?.egress).toEqual(backward);
});

test('a gateway is a default route, run is split into words, and what is left out has its default', () => {
  const plan = planOf(TWO);
  expect(device(plan, 'alice').routes).toEqual([
    { to: 'default', via: '10.0.0.2', dev: null, metric: 0 },
    { to: '10.9.0.0/16', via: '10.0.0.2', dev: null, metric: 7 },
  ]);
  expect(device(plan, 'bob')).toMatchObject({
    index: 2,
    role: null,
    run: [['httpd', 'my site', '-p', '80']],
    cpu: { irq: 5, poll: 0, packet: 0 },
    ports: [{ name: 'eth0', addresses: ['10.0.0.2/24', '10.0.0.3/24'], mtu: 9_000 }],
  });
  expect(device(plan, 'alice').ports[0]?.mtu).toBe(1_500);
  expect(device(plan, 'sw').ports.map(({ name, mac }) => [name, mac])).toEqual([
    ['p1', null],
    ['p2', null],
  ]);
});

test('every card has a locally administered MAC of its own, made from lab, device and port', () => {
  const names = Array.from({ length: 2_000 }, (_, n) => `h${n}: { kind: host, eth0: , eth1: }`);
  const plan = planOf(`name: many\ndevices:\n  ${names.join('\n  ')}\n`);
  const macs = plan.devices.flatMap(({ ports }) => ports.map(({ mac }) => mac));
  expect(new Set(macs).size).toBe(4_000);
  for (const mac of macs) expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/);
  // They do not change when a device is put before others, and a lab by another name has others.
  const again = planOf(`name: many\ndevices:\n  z: { kind: host, eth0: }\n  ${names.join('\n  ')}\n`);
  expect(device(again, 'h77').ports).toEqual(device(plan, 'h77').ports);
  const other = planOf('name: other\ndevices:\n  h77: { kind: host, eth0: , eth1: }\n');
  expect(device(other, 'h77').ports[0]?.mac).not.toBe(device(plan, 'h77').ports[0]?.mac);
});

test('a MAC of the lab file is taken, and no made one is the same', () => {
  const made = device(planOf('name: m\ndevices:\n  a: { kind: host, eth0: }\n'), 'a').ports[0]?.mac ?? '';
  const plan = planOf(`name: m\ndevices:\n  a: { kind: host, eth0: }\n  b: { kind: host, eth0: { mac: "${made}" } }\n`);
  expect(device(plan, 'b').ports[0]?.mac).toBe(made);
  expect(device(plan, 'a').ports[0]?.mac).not.toBe(made);
});

test.each(['url-to-page', 'two-hosts', 'lossy-link', 'napi'])(
  '%s is a good lab, and every process takes what compose tells it',
  (lab) => {
    const plan = loadLab(lab, LABS);
    const { services } = parse(composeYaml(plan, COMPOSE), { merge: true }) as {
      services: Record<string, { environment?: Record<string, string>; command: string[] }>;
    };
    const told = (environment: Record<string, string> = {}): Record<string, string> => {
      const { WIRELAB_DEVICE: slice, WIRELAB_GATEWAY: gateway } = environment;
      const token = { WIRELAB_TOKEN: 'x'.repeat(32), WIRELAB_LISTEN: environment['WIRELAB_LISTEN'] ?? '' };
      const value = (slice ?? gateway ?? '').replaceAll('$$', '$');
      return slice === undefined ? { ...token, WIRELAB_GATEWAY: value } : { ...token, WIRELAB_DEVICE: value };
    };
    for (const { name, kind } of plan.devices) {
      const config = readConfig(told(services[name]?.environment));
      expect(config.plan.name).toBe(name);
      expect(config.listen).toEqual({ host: '0.0.0.0', port: 9_000 });
      expect(services[name]?.command).toEqual(['node', 'dist/services/start.cjs', kind]);
    }
    const gateway = readGatewayConfig(told(services['gateway']?.environment));
    expect(gateway.plan.wires).toEqual(plan.wires);
  },
);

test('compose is told no variable that is not ours: dollars are doubled, quotes too', () => {
  const plan = planOf(`name: q\ndevices:\n  a: { kind: host, eth0: , run: [ "echo $HOME 'its good'" ] }\n`);
  const text = composeYaml(plan, COMPOSE);
  expect(text).toContain(`"run":[["echo","$$HOME","its good"]]`);
  expect(text.replaceAll('$$', '').match(/\$\{?[A-Z_]+/g)).toEqual([
    '${WIRELAB_PORT',
    '${WIRELAB_LOG',
    '${WIRELAB_PORT',
  ]);
});

test('a device may be called gateway or keys: our own services step aside', () => {
  const plan = planOf('name: q\ndevices:\n  gateway: { kind: router, eth0: }\n  Keys: { kind: host, eth0: }\n');
  const { services } = parse(composeYaml(plan, COMPOSE), { merge: true }) as {
    services: Record<string, { depends_on: unknown; networks: unknown; hostname: string }>;
  };
  expect(Object.keys(services)).toEqual(['wirelab-keys', 'gateway', 'Keys', 'wirelab-gateway']);
  expect(services['gateway']?.depends_on).toEqual({ 'wirelab-keys': { condition: 'service_completed_successfully' } });
  expect(services['Keys']).toMatchObject({ hostname: 'keys', networks: { wires: { aliases: ['keys'] } } });
});

test('every container is hardened, and only the gateway is published, on loopback', () => {
  const compose = parse(composeYaml(loadLab('url-to-page', LABS), COMPOSE), { merge: true }) as {
    services: Record<string, Record<string, unknown>>;
    networks: Record<string, unknown>;
  };
  for (const [name, service] of Object.entries(compose.services)) {
    expect(service, name).toMatchObject({
      user: '1000:1000',
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      init: true,
    });
    expect(service['ports'] ?? null, name).toEqual(
      name === 'gateway' ? [`127.0.0.1:\${WIRELAB_PORT:-8080}:9000`] : null,
    );
  }
  expect(compose.networks['wires']).toEqual({ internal: true });
});

test('a lab is found by its name, its folder or its file; else the closest name is proposed', () => {
  const file = join(ROOT, 'labs', 'two-hosts', 'lab.yaml');
  for (const lab of ['two-hosts', 'labs/two-hosts', './labs/two-hosts/', 'labs/two-hosts/lab.yaml', file]) {
    expect(findLab(lab, LABS), lab).toBe(file);
  }
  expect(() => findLab('two-host', LABS)).toThrow(
    new LabError(
      'no lab "two-host"; expected one of lossy-link, napi, two-hosts, url-to-page, or the path of a lab file; did you mean "two-hosts"?',
    ),
  );
  expect(() => findLab('shared', LABS)).toThrow(/a folder without a lab\.yaml/);
});

test('labs are listed with what they are', () => {
  expect(listLabs(LABS.labsFolder).map(({ name, devices, problems }) => [name, devices, problems.length])).toEqual([
    ['lossy-link', 2, 0],
    ['napi', 2, 0],
    ['two-hosts', 3, 0],
    ['url-to-page', 17, 0],
  ]);
});
