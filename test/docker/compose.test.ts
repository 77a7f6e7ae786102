import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** The lab at the top of the project, as a reader of the README brings it up: plain Compose, then the wirelab command. */
const hasEngine = spawnSync('docker', ['info'], { stdio: 'ignore' }).status === 0;

const docker = (...args: string[]): string =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const wirelab = (...args: string[]) => spawnSync('node', ['services/lab/wirelab.js', ...args], { encoding: 'utf8' });

interface Inspected {
  readonly Name: string;
  readonly Config: { readonly User: string };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly Privileged: boolean;
    readonly CapDrop: readonly string[];
    readonly CapAdd: readonly string[] | null;
    readonly SecurityOpt: readonly string[];
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string }[]>> | null;
  };
}

describe.skipIf(!hasEngine)('docker compose up --build (skipped where no Docker engine answers)', () => {
  beforeAll(() => {
    docker('compose', 'up', '--build', '--detach', '--wait', '--quiet-pull');
  }, 600_000);
  afterAll(() => {
    docker('compose', 'down', '--volumes', '--timeout', '3');
  }, 120_000);

  const containers = (): Inspected[] => {
    const ids = docker('compose', 'ps', '--quiet').trim().split('\n');
    return JSON.parse(docker('inspect', ...ids)) as Inspected[];
  };

  test('every device is a container of its own, healthy, beside one gateway', () => {
    const plan = wirelab('ps', '--json');
    expect(plan.stderr).toBe('');
    const rows = JSON.parse(plan.stdout) as { name: string; state: string }[];
    expect(rows.length).toBeGreaterThanOrEqual(14);
    expect(rows.filter((row) => row.state !== 'up')).toEqual([]);
    expect(containers()).toHaveLength(rows.length + 1);
  });

  test('no container has root, a capability, a writable root or a way to more', () => {
    for (const { Name, Config, HostConfig } of containers()) {
      expect([Name, Config.User]).toEqual([Name, expect.stringMatching(/^(1000|node)(:|$)/)]);
      expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, Privileged: false, CapDrop: ['ALL'] });
      expect(HostConfig.CapAdd ?? []).toEqual([]);
      expect(HostConfig.SecurityOpt.join()).toContain('no-new-privileges');
    }
  });

  test('only the gateway is published, on the loopback address', () => {
    const published = containers().flatMap(({ Name, HostConfig }) =>
      Object.values(HostConfig.PortBindings ?? {}).flatMap((ports) => ports.map(({ HostIp }) => [Name, HostIp])),
    );
    expect(published).toHaveLength(1);
    expect(published[0]).toEqual([expect.stringContaining('gateway'), '127.0.0.1']);
  });

  test('the wirelab command works against it: a page by name, from inside', () => {
    const { stdout, stderr, status } = wirelab('exec', 'alice', '--', 'curl', '-sS', 'http://www.server.com/');
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain('<html');
  });

  test('a journey is told over containers as well', () => {
    const { stdout, status } = wirelab('journey', 'bob', 'http://www.server.com/', '--json');
    expect(status).toBe(0);
    const story = JSON.parse(stdout) as { steps: { title: string }[] };
    expect(story.steps.map((step) => step.title)).toContain('Handshake 1 of 3: SYN');
  });

  test('a wire is unplugged and plugged; a killed device’s neighbour loses carrier, and a start brings it back', async () => {
    expect(wirelab('unplug', 'alice:eth0').status).toBe(0);
    expect(wirelab('exec', 'alice', '--', 'ip', 'link', 'show', 'eth0').stdout).toContain('NO-CARRIER');
    expect(wirelab('plug', 'alice:eth0').status).toBe(0);
    expect(wirelab('kill', 'bob').status).toBe(0);
    const carrier = (): boolean =>
      !wirelab('exec', 'home-switch', '--', 'ip', 'link', 'show', 'p2').stdout.includes('NO-CARRIER');
    expect(carrier()).toBe(false);
    expect(wirelab('start', 'bob').status).toBe(0);
    await expect.poll(carrier, { timeout: 30_000, interval: 500 }).toBe(true);
  });

  const lit = (): boolean =>
    !wirelab('exec', 'home-switch', '--', 'ip', 'link', 'show', 'p2').stdout.includes('NO-CARRIER');

  test('faults that the engine alone knows are listed, and heal ends them; what was in force at a port is so again', async () => {
    expect(wirelab('impair', 'bob:eth0', '--delay', '200ms').status).toBe(0);
    expect(wirelab('freeze', 'alice').status).toBe(0);
    expect(wirelab('kill', 'bob').status).toBe(0);
    expect(wirelab('faults').stdout).toBe('impair bob:eth0 delay 200ms\nfreeze alice\nkill bob\n');
    expect(wirelab('start', 'bob').status).toBe(0);
    await expect.poll(lit, { timeout: 30_000, interval: 500 }).toBe(true);
    const { stdout } = wirelab('exec', 'bob', '--', 'ping', '-c', '1', '192.168.1.1');
    expect(Number(/time=([\d.]+)/.exec(stdout)?.[1])).toBeGreaterThanOrEqual(200);
    const healed = wirelab('heal');
    expect([healed.status, healed.stderr]).toEqual([0, '']);
    expect(healed.stdout).toBe('healed: freeze alice\nhealed: impair bob:eth0 delay 200ms\n');
    expect(wirelab('faults').stdout).toBe('no fault is in force\n');
    expect(wirelab('exec', 'alice', '--', 'ping', '-c', '1', '-W', '2', '192.168.1.1').status).toBe(0);
  });

  test('a container that a command keeps frozen goes on when that ends, even when it is killed', async () => {
    expect(wirelab('freeze', 'bob', '--for', '100ms').stdout).toBe('freeze bob\nheld for 0.1 s\nhealed\n');
    const holder = spawn('node', ['services/lab/wirelab.js', 'kill', 'bob', '--hold'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await expect.poll(() => String(holder.stdout.read() ?? ''), { timeout: 30_000 }).toContain('held until Ctrl-C');
    expect(wirelab('faults').stdout).toBe('kill bob\n');
    holder.kill('SIGKILL');
    await expect
      .poll(() => wirelab('faults').stdout, { timeout: 30_000, interval: 500 })
      .toBe('no fault is in force\n');
    await expect.poll(lit, { timeout: 30_000, interval: 500 }).toBe(true);
  });
});

test.skipIf(!hasEngine)('after down nothing is left of it', () => {
  expect(
    docker('ps', '--all', '--quiet', '--filter', 'label=com.docker.compose.project=wirelab-url-to-page').trim(),
  ).toBe('');
});
