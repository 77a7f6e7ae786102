/** Faults on a lab of processes, made and ended with the command, as a person does it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeviceView } from '../../services/gateway/lab.ts';
import { readPcapng } from '../kit/pcapng.ts';
import { isAlive, until, Wirelab } from '../kit/wirelab.ts';

const YAML = `
name: trouble
seed: 42
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob:   { kind: host, eth0: 10.0.0.2/24 }
  sw1:   { kind: switch }
  sw2:   { kind: switch }
wires:
  - alice:eth0 -- sw1:p1
  - sw1:p2 -- sw2:p2
  - bob:eth0 -- sw2:p1
`;

const kit = new Wirelab();
const good = (...args: string[]): Promise<string> => kit.good(...args);

beforeAll(async () => {
  await kit.up(kit.lab('trouble', YAML));
});
afterAll(() => kit.end());

async function carrier(end: string): Promise<boolean> {
  const [device, port] = end.split(':');
  const row = (await kit.ps()).find(({ name }) => name === device);
  return row?.ports.find(({ name }) => name === port)?.carrier ?? false;
}

const pings = (count: number): Promise<string> =>
  kit
    .run(['exec', 'alice', '--', 'ping', '-c', String(count), '-i', '0.05', '-W', '1', '10.0.0.2'])
    .then(({ stdout }) => stdout);

describe('impair', () => {
  test('turns one knob without touching another, and says the seed', async () => {
    expect(await good('impair', 'alice:eth0', '--delay', '30ms')).toBe('impair alice:eth0 delay 30ms (seed 42)\n');
    await good('impair', 'alice:eth0', '--loss', '100%');
    expect(await good('impair', 'alice:eth0')).toBe('alice:eth0  delay 30ms loss 100%\n');
    expect(await pings(1)).toContain('100% packet loss');
    await good('impair', 'alice:eth0', '--loss', '0%');
    const out = await pings(3);
    expect(out).toContain(' 0% packet loss');
    expect(Number(/= ([\d.]+)\//.exec(out)?.[1])).toBeGreaterThanOrEqual(30);
    await good('impair', 'alice:eth0', '--clear');
    expect(Number(/= ([\d.]+)\//.exec(await pings(2))?.[1])).toBeLessThan(30);
  });

  test('hits the nth frame that a filter names; the log and the capture say which and by which rule', async () => {
    const file = join(kit.folder, 'nth.pcapng');
    const capture = kit.start(['capture', 'alice:eth0', '-w', file]);
    await until(() => capture.stderr().includes('capturing'), 5_000, 'the capture');
    await good('impair', 'alice:eth0', '--match', 'icmp.type == 8', '--nth', '2', '--loss', '100%');
    const out = await pings(4);
    expect(out).toContain('4 packets transmitted, 3 received');
    expect(out).not.toContain('icmp_seq=2 ');
    const rule = 'lost by match "icmp.type == 8" nth 2: loss 100%';
    const [line = ''] = (await good('verdicts', 'alice:eth0')).split('\n').filter((text) => text.includes(rule));
    const frame = /frame (\d+)/.exec(line)?.[0];
    capture.process.kill('SIGINT');
    await capture.done;
    const comments = readPcapng(readFileSync(file)).flatMap(({ comment }) => comment ?? []);
    expect(comments).toContain(`${frame}\n${rule}`);
    expect(comments.filter((comment) => comment.includes('lost by'))).toHaveLength(1);
    await good('heal', 'alice:eth0');
  });
});

describe('carrier', () => {
  test('goes at the deaf end alone of a cut, switch to switch too, and comes back when it is healed', async () => {
    await good('cut', 'sw1:p2');
    expect([await carrier('sw1:p2'), await carrier('sw2:p2')]).toEqual([true, false]);
    expect(await pings(1)).toContain('100% packet loss');
    expect(await good('heal', 'sw2:p2')).toBe('healed: cut sw1:p2\n');
    expect([await carrier('sw1:p2'), await carrier('sw2:p2')]).toEqual([true, true]);
    expect(await pings(1)).toContain(' 0% packet loss');
  });

  test('of the neighbours goes within 4 s when a device freezes, and is back when it thaws', async () => {
    await good('freeze', 'bob');
    expect((await kit.ps()).find(({ name }) => name === 'bob')?.state).toBe('frozen');
    const { gateway, token } = kit.state('trouble');
    const headers = { authorization: `Bearer ${token}` };
    const dark = async (): Promise<boolean> => {
      const { detail } = (await (await fetch(`${gateway}/api/devices/sw2`, { headers })).json()) as DeviceView;
      return detail?.ports.find(({ name }) => name === 'p1')?.carrier === false;
    };
    // From the command's end on, and it took its time, too.
    await until(dark, 4_000, 'a dark port');
    await good('thaw', 'bob');
    await until(() => carrier('sw2:p1'), 4_000, 'carrier');
    expect(await good('faults')).toBe('no fault is in force\n');
    expect(await pings(1)).toContain(' 0% packet loss');
  });

  test('comes and goes on a wire that flaps', async () => {
    await good('flap', 'alice:eth0', '--period', '300ms', '--duty', '50%');
    const seen = new Set<boolean>();
    await until(async () => seen.add(await carrier('alice:eth0')).size === 2, 5_000, 'both states');
    await good('heal');
    expect(await carrier('alice:eth0')).toBe(true);
  });
});

test('a partition unplugs the fewest wires between the groups, and heal starts what was killed, too', async () => {
  expect(await good('partition', 'alice', '--', 'bob,sw2')).toBe(
    'partition alice -- bob,sw2: unplugged alice:eth0--sw1:p1\n',
  );
  await good('kill', 'bob');
  expect(await good('heal')).toContain('healed: kill bob');
  await until(async () => (await kit.ps()).every(({ ports }) => ports.every((port) => port.carrier)), 5_000, 'carrier');
  expect(await pings(1)).toContain(' 0% packet loss');
  expect((await kit.run(['partition', 'alice,alice', '--', 'bob'])).stderr).toContain('alice stands twice');
});

test('a fault that a command holds ends with the command, even one that is killed', async () => {
  const held = kit.start(['unplug', 'alice:eth0', '--hold']);
  await until(() => held.stdout().includes('held until Ctrl-C'), 5_000, 'the fault');
  expect(await carrier('sw1:p1')).toBe(false);
  held.process.kill('SIGKILL');
  await until(() => carrier('sw1:p1'), 2_000, 'carrier');
  expect(await good('unplug', 'alice:eth0', '--for', '200ms')).toContain('held for 0.2 s\nhealed\n');
  expect(await good('faults')).toBe('no fault is in force\n');
});

test('chaos run is status 0 when all holds, 1 when a check fails, 2 for a bad file; a sweep keeps what failed', async () => {
  const write = (name: string, steps: string): string => {
    const file = join(kit.folder, name);
    writeFileSync(file, `lab: two-hosts\nengine: packed\nclock: virtual\nsteps:\n${steps}`);
    return file;
  };
  const good = write(
    'good.yaml',
    '  - unplug: alice:eth0\n    for: 1s\n  - carrier: alice:eth0\n    is: down\n  - wait: 2s\n',
  );
  expect(await kit.run(['chaos', 'run', good])).toMatchObject({ status: 0, stderr: '' });
  const bad = write('bad.yaml', '  - unplug: alice:eth0\n  - fetch: http://10.0.0.2/\n    on: alice\n');
  const failed = await kit.run(['chaos', 'run', '--seed', '5', bad]);
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain(`bad.yaml:6: fetch: http://10.0.0.2/, on: alice`);
  expect(failed.stderr).toContain(`repeat it with: wirelab chaos run --seed 5 ${bad}`);
  const broken = await kit.run(['chaos', 'run', write('broken.yaml', '  - unplg: alice:eth0\n')]);
  expect(broken).toMatchObject({ status: 2, stderr: expect.stringContaining('broken.yaml:5:5: unknown step "unplg"') });
  const keep = join(kit.folder, 'keep');
  const sweep = await kit.run(['chaos', 'sweep', '--seeds', '1..2', '--keep', keep, bad]);
  expect(sweep).toMatchObject({ status: 1, stderr: expect.stringContaining('2 of 2 seeds failed') });
  expect(existsSync(join(keep, 'seed-2', 'frames.pcapng'))).toBe(true);
  expect((await kit.run(['chaos', 'sweep', '--seeds', '9..1', good])).status).toBe(2);
});

test('a device that stands still ends with its supervisor, even one that is killed', async () => {
  const pid = (await kit.ps()).find(({ name }) => name === 'bob')?.pid ?? 0;
  await good('freeze', 'bob');
  process.kill(kit.state('trouble').pid, 'SIGKILL');
  await until(() => !isAlive(pid), 10_000, 'its end');
});
