import { expect, test } from 'vitest';
import { programs } from '../../../shared/programs/registry.ts';
import { runOn } from '../../kit/programs.ts';
import { tcpPair } from '../../kit/tcp-pair.ts';

function machine() {
  const { clock, alice } = tcpPair();
  alice.processes.programs = programs;
  return (line: string) => runOn(alice, clock, line.split(' '));
}

test('the metrics of a route are shown as they were given, locks and all', async () => {
  const run = machine();
  const metrics =
    'mtu lock 1400 rtt 100ms advmss 1360 hoplimit 9 initcwnd 20 features ecn rto_min 5ms quickack 1 congctl reno';
  expect((await run(`ip route add 10.9.0.0/16 via 10.0.0.2 ${metrics}`)).err).toBe('');
  const shown = metrics.replace('rto_min 5ms', 'rto_min lock 5ms');
  expect((await run('ip route show 10.9.0.0/16')).out).toContain(` ${shown} \n`);
  expect((await run('ip route get 10.9.1.1')).out).toContain(`cache ${shown} \n`);
  expect(JSON.parse((await run('ip -j route show 10.9.0.0/16')).out)[0].metrics[0]).toMatchObject({
    mtu: 1400,
    advmss: 1360,
  });
});

test('ip route change changes what there is, and nothing else', async () => {
  const run = machine();
  expect(await run('ip route change 10.9.0.0/16 via 10.0.0.2 mtu 1300')).toMatchObject({
    status: 2,
    err: 'RTNETLINK answers: No such file or directory\n',
  });
  await run('ip route add 10.9.0.0/16 via 10.0.0.2');
  expect((await run('ip route change 10.9.0.0/16 via 10.0.0.2 mtu 1300')).status).toBe(0);
  expect((await run('ip route show 10.9.0.0/16')).out).toContain('mtu 1300');
});

test('an unknown congestion control is refused, and a flag that is neither 0 nor 1', async () => {
  const run = machine();
  expect((await run('ip route add 10.9.0.0/16 via 10.0.0.2 congctl vegas')).status).toBe(2);
  expect((await run('ip route add 10.9.0.0/16 via 10.0.0.2 quickack 7')).status).toBe(255);
});
