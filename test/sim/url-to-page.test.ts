/**
 * labs/url-to-page in one process on a manual clock: what its README says is what happens.
 */
import { expect, test } from 'vitest';
import { SECOND } from '../../shared/platform.ts';
import { type TestLab, testLab } from '../kit/lab.ts';

/** Long enough for the limit on ICMP errors to one target (net.ipv4.icmp_ratelimit) to be full again. */
const PAUSE = 10 * SECOND;

/** The routers that answered, by their addresses. */
async function hops({ run, advance }: TestLab, from: string, to: string): Promise<string[]> {
  await advance(PAUSE);
  const { out } = await run(from, `traceroute -n ${to}`);
  return [...out.matchAll(/^ *[0-9]+ {2}(\S+)/gm)].map(([, hop]) => hop ?? '');
}

test('the home is one LAN, through its switch and the bridged ports of its router', async () => {
  const { run, lab } = testLab('url-to-page');
  for (const address of ['192.168.1.1', '192.168.1.11', '192.168.1.12']) {
    const { status, out } = await run('alice', `ping -c 2 ${address}`);
    expect(status, out).toBe(0);
    expect(out).toContain(`64 bytes from ${address}: icmp_seq=2 ttl=64 `);
  }
  lab.stop();
});

test('packets go from the ISP to the web server by core1 and core3, and back', async () => {
  const kit = testLab('url-to-page');
  expect(await hops(kit, 'isp-router', '192.0.2.80')).toEqual([
    '203.0.113.1',
    '203.0.113.14',
    '203.0.113.18',
    '192.0.2.80',
  ]);
  expect(await hops(kit, 'www', '198.51.100.2')).toEqual([
    '192.0.2.65',
    '203.0.113.17',
    '203.0.113.13',
    '203.0.113.2',
    '198.51.100.2',
  ]);
  kit.lab.stop();
});

test('without the wire between core1 and core3 they go round by core2, both ways, until it is plugged in again', async () => {
  const kit = testLab('url-to-page');
  kit.lab.unplug('core1:eth2');
  expect((await kit.run('core1', 'ip route show 192.0.2.64/27')).out).toBe(
    '192.0.2.64/27 via 203.0.113.14 dev eth2 metric 10 linkdown \n192.0.2.64/27 via 203.0.113.6 dev eth1 metric 20 \n',
  );
  expect(await hops(kit, 'isp-router', '192.0.2.80')).toEqual([
    '203.0.113.1',
    '203.0.113.6',
    '203.0.113.10',
    '203.0.113.18',
    '192.0.2.80',
  ]);
  expect(await hops(kit, 'www', '198.51.100.2')).toEqual([
    '192.0.2.65',
    '203.0.113.17',
    '203.0.113.9',
    '203.0.113.5',
    '203.0.113.2',
    '198.51.100.2',
  ]);
  kit.lab.plug('core1:eth2');
  expect(await hops(kit, 'isp-router', '192.0.2.80')).toHaveLength(4);
  kit.lab.stop();
});
