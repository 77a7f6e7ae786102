/** A lab comes up and goes away without a trace, whichever way; and what is wrong is one clear line. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isAlive, type PsRow, until, Wirelab } from '../kit/wirelab.ts';

const kit = new Wirelab();
const LAB = kit.lab(
  'small',
  'name: small\ndevices:\n  alice: { kind: host, eth0: 10.0.0.1/24 }\n  sw: { kind: switch }\nwires: []\n',
);

async function down(): Promise<void> {
  if (kit.leftovers().length > 0) await kit.run(['down']);
}
afterAll(() => kit.end());

async function pids(): Promise<number[]> {
  const devices: PsRow[] = await kit.ps();
  return [...devices.map((device) => device.pid), kit.state('small').pid];
}

async function nothingIsLeft(processes: readonly number[]): Promise<void> {
  await until(() => !processes.some(isAlive) && kit.leftovers().length === 0, 4_000, 'an end without leftovers');
}

const portIsFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

describe('a lab that goes away leaves no process, socket or file', () => {
  afterEach(down);

  test('after Ctrl-C, with status 130', async () => {
    const up = kit.start(['up', LAB]);
    await until(() => up.stdout().includes('try:'), 15_000, 'the lab');
    expect(up.stdout()).toMatch(/alice ready \d\.\d s {2}\d\/3/);
    expect(up.stdout()).toMatch(/dashboard: http:\/\/127\.0\.0\.1:\d+\/#token=/);
    const processes = await pids();
    const [{ control }] = (await kit.ps()) as [PsRow];
    up.process.kill('SIGINT');
    expect((await up.done).status).toBe(130);
    await nothingIsLeft(processes);
    expect(await portIsFree(control)).toBe(true);
  });

  test('after down', async () => {
    expect((await kit.run(['up', LAB, '--detach'])).status).toBe(0);
    const processes = await pids();
    expect(await kit.run(['down'])).toMatchObject({ status: 0, stdout: 'small is down\n' });
    await nothingIsLeft(processes);
  });

  test('after its supervisor was killed', async () => {
    await kit.run(['up', LAB, '--detach']);
    const processes = await pids();
    process.kill(kit.state('small').pid, 'SIGKILL');
    await nothingIsLeft(processes);
  });

  test('after supervisor and gateway were killed, once the next command looks', async () => {
    await kit.run(['up', LAB, '--detach']);
    const state = kit.state('small');
    const processes = await pids();
    const log = readFileSync(join(kit.folder, 'wirelab', 'small', '_gateway.log'), 'utf8');
    const gateway = Number(/"pid":(\d+)/.exec(log)?.[1]);
    process.kill(gateway, 'SIGSTOP');
    process.kill(state.pid, 'SIGKILL');
    process.kill(gateway, 'SIGKILL');
    await until(() => !processes.some(isAlive), 4_000, 'the end of the devices');
    expect(kit.leftovers()).not.toEqual([]);
    expect(await kit.run(['ps'])).toMatchObject({ status: 1, stderr: expect.stringContaining('no lab is up') });
    expect(kit.leftovers()).toEqual([]);
  });
});

describe('what cannot be is one clear line', () => {
  afterEach(down);

  test('the same lab twice, a taken port, an unknown device, nothing to take down', async () => {
    expect((await kit.run(['up', LAB, '--detach'])).status).toBe(0);
    const [{ control }] = (await kit.ps()) as [PsRow];
    expect(await kit.run(['up', LAB])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'wirelab: small is up already; `wirelab down --lab small` takes it down\n',
    });
    const other = kit.lab('other', 'name: other\ndevices:\n  carol: { kind: host }\nwires: []\n');
    expect(await kit.run(['up', other, '--base-port', String(control - 1)])).toEqual({
      status: 1,
      stdout: '',
      stderr: `wirelab: port ${control - 1} is taken (it is for the gateway); try another --base-port\n`,
    });
    expect(await kit.run(['exec', 'alise', '--', 'echo'])).toEqual({
      status: 2,
      stdout: '',
      stderr: 'wirelab: no device is called alise; did you mean alice?\n',
    });
    await kit.run(['down']);
    expect(await kit.run(['down'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'wirelab: no lab is up; `wirelab up LAB` brings one up\n',
    });
  });

  test('a lab file with a mistake: status 2, file, line and column, and nothing starts', async () => {
    const bad = kit.lab('bad', 'name: bad\ndevices:\n  alice: { kind: hots }\nwires: []\n');
    const { status, stdout, stderr } = await kit.run(['up', bad]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/lab\.yaml:3:\d+: .*hots.*did you mean "host"\?/);
    expect(kit.leftovers()).toEqual([]);
  });

  test('a command that is not there, an option that is not, a number that is none: status 2', async () => {
    for (const args of [['upp'], ['ps', '--jsn'], ['up', '--seed', '-1'], ['exec']]) {
      const outcome = await kit.run(args);
      expect({ args, status: outcome.status, stdout: outcome.stdout }).toEqual({ args, status: 2, stdout: '' });
      expect(outcome.stderr).not.toContain('    at ');
    }
  });
});

describe('a lab that is up', () => {
  beforeAll(async () => {
    expect((await kit.run(['up', LAB, '--detach'])).status).toBe(0);
  });
  afterAll(down);

  test('exec has the streams and the exit status of the program', async () => {
    expect(await kit.run(['exec', 'alice', '--', 'echo', 'a  b', '-n'])).toMatchObject({
      status: 0,
      stdout: 'a  b -n\n',
    });
    const big = 'x'.repeat(3_000_000);
    expect((await kit.run(['exec', 'alice', 'cat'], { input: big })).stdout).toBe(big);
    expect((await kit.run(['exec', 'alice', 'false'])).status).toBe(1);
    expect(await kit.run(['exec', 'alice', 'pingg'])).toMatchObject({
      status: 127,
      stderr: expect.stringContaining('pingg: command not found'),
    });
    const sleep = kit.start(['exec', 'alice', 'sleep', '30']);
    await until(async () => (await kit.run(['exec', 'alice', 'ps'])).stdout.includes('sleep'), 5_000, 'sleep');
    sleep.process.kill('SIGINT');
    expect((await sleep.done).status).toBe(130);
  });

  test('exec ends quietly when the reader of its output goes, and so does the program', async () => {
    const ping = kit.start(['exec', 'alice', '--', 'ping', '-i', '0.05', '127.0.0.1']);
    await until(async () => ping.stdout().includes('icmp_seq=2'), 5_000, 'ping');
    ping.process.stdout?.destroy();
    expect(await ping.done).toMatchObject({ status: 141, stderr: '' });
    await until(async () => !(await kit.run(['exec', 'alice', 'ps'])).stdout.includes('ping'), 5_000, 'its end');
    expect(await kit.run(['exec', 'alice', '--'])).toMatchObject({
      status: 2,
      stderr: "wirelab: missing required argument 'cmd'\n",
    });
  });

  test('a capture of a port that is not there leaves no file behind', async () => {
    const file = join(kit.folder, 'none.pcapng');
    expect((await kit.run(['capture', 'alice:eth9', '-w', file])).stderr).toMatch(/did you mean eth0/);
    expect(existsSync(file)).toBe(false);
  });

  test('a program that reads no input still hears Ctrl-C', async () => {
    const sleep = kit.start(['exec', 'alice', 'sleep', '30']);
    sleep.process.stdin?.on('error', () => {});
    sleep.process.stdin?.write(Buffer.alloc(4_000_000));
    await until(async () => (await kit.run(['exec', 'alice', 'ps'])).stdout.includes('sleep'), 5_000, 'sleep');
    sleep.process.kill('SIGINT');
    expect((await sleep.done).status).toBe(130);
    expect((await kit.run(['logs', 'alice'])).stdout).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} alice +info +device ready port=\d+/,
    );
  });

  test('a device that is killed is shown as dead, and start brings it back on its port', async () => {
    const before = (await kit.ps()).find((row) => row.name === 'alice');
    expect((await kit.run(['kill', 'alice'])).stdout).toBe('alice killed\n');
    const dead = (await kit.ps()).find((row) => row.name === 'alice');
    expect(dead).toMatchObject({ state: 'dead', pid: 0, control: before?.control });
    expect(await kit.run(['exec', 'alice', 'echo'])).toMatchObject({ status: 1 });
    expect((await kit.run(['start', 'alice'])).status).toBe(0);
    expect((await kit.ps()).find((row) => row.name === 'alice')).toMatchObject({
      state: 'up',
      control: before?.control,
    });
    expect((await kit.run(['start', 'alice'])).stderr).toBe('wirelab: alice is up already\n');
    expect((await kit.run(['exec', 'alice', 'echo', 'back'])).stdout).toBe('back\n');
  });
});
