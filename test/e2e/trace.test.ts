import { afterAll, beforeAll, expect, test } from 'vitest';
import { until, Wirelab } from '../kit/wirelab.ts';

const wirelab = new Wirelab();
const LAB = `name: traced
devices:
  alice: { kind: host, eth0: 10.0.1.2/24, routes: [ default via 10.0.1.1 ] }
  gw:    { kind: router, eth0: 10.0.1.1/24, eth1: 10.0.2.1/24 }
  bob:   { kind: host, eth0: 10.0.2.2/24, routes: [ default via 10.0.2.1 ] }
wires:
  - alice:eth0 -- gw:eth0
  - gw:eth1 -- bob:eth0
`;

beforeAll(async () => {
  await wirelab.up(wirelab.lab('traced', LAB));
});
afterAll(() => wirelab.end());

test('one packet is followed by its identity through three devices, in the order of lab time', async () => {
  const running = wirelab.start(['trace', 'all', '--filter', 'ip_rcv || ip_forward || ip_finish_output || napi_poll']);
  await until(() => running.stderr().includes('tracing all'));
  await wirelab.exec('alice', 'ping', '-c', '1', '10.0.2.2');
  await until(() =>
    running
      .stdout()
      .split('\n')
      .some((line) => /alice +ip_rcv/.test(line)),
  );
  running.process.kill('SIGINT');
  const { status, stdout, stderr } = await running.done;
  expect(status).toBe(0);
  expect(stderr).toMatch(/\d+ events\n$/);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ +/));
  const identity = lines.find(([, device, point]) => device === 'gw' && point === 'ip_forward')?.[5] ?? '';
  expect(identity).toMatch(/^alice\/\d+$/);
  const path = lines.filter((line) => line[5] === identity && line[2] !== 'napi_poll');
  expect(path.map(([, device, point]) => `${device} ${point}`)).toEqual([
    'alice ip_finish_output',
    'gw ip_rcv',
    'gw ip_forward',
    'gw ip_finish_output',
    'bob ip_rcv',
  ]);
  expect(path.map((line) => line[4])).toEqual(['process', 'softirq', 'softirq', 'softirq', 'softirq']);
  expect(path[4]?.at(-1)).toBe('gw');
  const times = lines.map(([time]) => Number(time));
  expect(times).toEqual([...times].sort((one, other) => one - other));
});

test('what is no filter, no packet or no device is bad use', async () => {
  for (const [problem, ...args] of [
    ['filter: column 5: expected a value', 'alice', '--filter', 'ttl<'],
    ['skb: expected DEVICE/NUMBER', 'alice', '--skb', 'x'],
    ['nobody', 'alice', '--skb', 'nobody/1'],
    ['nobody', 'nobody'],
  ] as const) {
    const { status, stderr } = await wirelab.run(['trace', ...args]);
    expect({ args, status }).toEqual({ args, status: 2 });
    expect(stderr).toMatch(/^wirelab: /);
    expect(stderr).toContain(problem);
  }
});
