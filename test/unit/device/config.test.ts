import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig, readGatewayConfig } from '../../../shared/device/config.ts';

const plan = {
  lab: 'two-hosts',
  name: 'alice',
  index: 1,
  kind: 'host',
  role: null,
  seed: 1,
  ports: [
    {
      name: 'eth0',
      mac: '02:00:00:00:00:01',
      addresses: ['10.0.0.1/24'],
      mtu: 1500,
      wire: { name: 'alice:eth0--sw:p1', listens: true, peer: 'sw:p1', url: null, egress: {} },
    },
  ],
  routes: [{ to: 'default', via: '10.0.0.254', dev: null, metric: 0 }],
  dns: [],
  search: [],
  hosts: [],
  nat: null,
  lan: [],
  sysctl: {},
  run: [['httpd', 'site/']],
  cpu: { irq: 0, poll: 0, packet: 0 },
  zones: [],
  hints: null,
};
const token = 'a-token-long-enough';

function problemsOfEnv(env: Record<string, string>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}

describe('a device reads its configuration once, at the door', () => {
  test('a good slice becomes a frozen value with its defaults', () => {
    const config = readConfig({ WIRELAB_DEVICE: JSON.stringify(plan), WIRELAB_TOKEN: token });
    expect(config.plan).toEqual(plan);
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 0 });
    expect(Object.isFrozen(config.plan.ports[0])).toBe(true);
  });

  test('everything that is wrong is told at once, each with its path', () => {
    const bad = { ...plan, kind: 'hub', seed: -1, ports: [{ ...plan.ports[0], mtu: 12, colour: 'red' }] };
    const problems = problemsOfEnv({
      WIRELAB_DEVICE: JSON.stringify(bad),
      WIRELAB_LISTEN: 'nowhere',
      WIRELAB_TOKEN: 'x',
    });
    expect(problems.map((problem) => problem.replace(/:.*/, ''))).toEqual([
      'WIRELAB_DEVICE kind',
      'WIRELAB_DEVICE seed',
      'WIRELAB_DEVICE ports[0].mtu',
      'WIRELAB_DEVICE ports[0].colour',
      'WIRELAB_LISTEN',
      'WIRELAB_TOKEN',
    ]);
  });

  test('a missing slice, text that is not JSON and a token file that is not there each say so', () => {
    expect(problemsOfEnv({ WIRELAB_TOKEN: token })[0]).toContain('WIRELAB_DEVICE is missing');
    expect(problemsOfEnv({ WIRELAB_DEVICE: '{', WIRELAB_TOKEN: token })[0]).toContain('WIRELAB_DEVICE is not JSON');
    expect(problemsOfEnv({ WIRELAB_DEVICE: JSON.stringify(plan), WIRELAB_TOKEN_FILE: '/nowhere' })).toEqual([
      'WIRELAB_TOKEN_FILE: cannot read /nowhere (ENOENT)',
    ]);
  });

  test('the gateway reads its own view of the lab', () => {
    const gateway = { lab: 'x', seed: 1, devices: [], wires: [] };
    expect(readGatewayConfig({ WIRELAB_GATEWAY: JSON.stringify(gateway), WIRELAB_TOKEN: token }).plan).toEqual(gateway);
    expect(() => readGatewayConfig({ WIRELAB_TOKEN: token })).toThrow(ConfigError);
  });
});
