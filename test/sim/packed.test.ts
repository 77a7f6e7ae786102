import { expect, test } from 'vitest';
import { testLab } from '../kit/lab.ts';

const PAIR = `name: pair
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
wires:
  - alice:eth0 -- bob:eth0
`;

test('devices of a packed lab have the addresses, routes and files that the lab file says', async () => {
  const { run, lab } = testLab(PAIR);
  expect((await run('alice', 'ip -br address')).out).toMatch(/^lo .*127\.0\.0\.1\/8\s*\neth0 +UP +10\.0\.0\.1\/24/);
  expect((await run('bob', 'ip route')).out).toBe('10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.2 \n');
  expect((await run('bob', 'cat /etc/hosts')).out).toContain('127.0.1.1\tbob');
  lab.stop();
});

test('an unplugged wire takes carrier at both ends, and ip link says so', async () => {
  const { run, lab } = testLab(PAIR);
  lab.unplug('alice:eth0');
  expect((await run('alice', 'ip link show eth0')).out).toContain('<NO-CARRIER,BROADCAST,MULTICAST,UP>');
  expect((await run('bob', 'ip link show eth0')).out).toContain('<NO-CARRIER,BROADCAST,MULTICAST,UP>');
  lab.plug('alice:eth0');
  expect((await run('bob', 'ip link show eth0')).out).toContain('<BROADCAST,MULTICAST,UP,LOWER_UP>');
  lab.stop();
});
