import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { testLab } from '../kit/lab.ts';
import { gone } from '../kit/mid-flight.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const LAB = `name: memory
devices:
  alice: { kind: host, eth0: 10.0.0.2/24, gateway: 10.0.0.1, dns: 10.0.1.3 }
  home: { kind: router, eth0: 10.0.1.1/24, eth1: 10.0.0.1/24, nat: eth0 }
  sw: { kind: switch }
  bob: { kind: host, eth0: 10.0.1.2/24, gateway: 10.0.1.1 }
wires:
  - alice:eth0 -- home:eth1
  - home:eth0 -- sw:p1
  - bob:eth0 -- sw:p2
`;

test('a device that is killed leaves memory at once, with what its programs waited for and its armed timers', async () => {
  const { lab, advance, clock } = testLab(LAB);
  await advance(1_000_000);
  const silent = { stdout: () => {}, stderr: () => {} };
  const spawn = (device: string, line: string): void => {
    const argv = line.split(' ');
    void lab.device(device).host.processes.spawn(argv[0] ?? '', argv, silent);
  };
  spawn('bob', 'nc -l -k -p 99');
  spawn('alice', 'ping 10.0.1.2');
  spawn('alice', 'nc 10.0.1.2 99');
  await advance(3_000_000);
  const names = [...lab.devices.keys()];
  const devices = new Map(names.map((name) => [name, new WeakRef(lab.device(name).host)]));
  const before = clock.pending;
  for (const name of names) {
    gone.add(lab.device(name).host.skbs);
    lab.kill(name);
    expect(lab.stateOf(name)).toBe('dead');
  }
  expect(before).toBeGreaterThan(3);
  expect(clock.pending).toBe(0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  collect();
  expect(names.filter((name) => devices.get(name)?.deref() !== undefined)).toEqual([]);
});

test('a device that comes back has timers again, and those of its neighbours went on', async () => {
  const { lab, run, advance } = testLab(LAB);
  await advance(1_000_000);
  gone.add(lab.device('alice').host.skbs);
  lab.kill('alice');
  expect((await run('bob', 'ping -c 1 10.0.1.1')).status).toBe(0);
  lab.start('alice');
  await advance(1_000_000);
  expect((await run('alice', 'ping -c 3 10.0.1.2')).out).toContain('3 received');
});
