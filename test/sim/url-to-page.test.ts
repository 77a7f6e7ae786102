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

test('alice is behind NAT: she reaches the web server by five routers, and it sees the home router', async () => {
  const kit = testLab('url-to-page');
  expect(await hops(kit, 'alice', '192.0.2.80')).toEqual([
    '192.168.1.1',
    '198.51.100.1',
    '203.0.113.1',
    '203.0.113.14',
    '203.0.113.18',
    '192.0.2.80',
  ]);
  expect((await kit.run('www', 'ping -c 1 -W 1 192.168.1.10')).status).toBe(1);
  kit.lab.stop();
});

test.each([
  ['www.server.com', '192.0.2.80\n'],
  ['web.server.com', 'www.server.com.\n192.0.2.80\n'],
  ['any.shops.server.com', '192.0.2.80\n'],
  ['core2.backbone.net', '192.0.2.1\n'],
  ['nosuch.server.com', ''],
  ['-x 203.0.113.13', 'core1.backbone.net.\n'],
])('dig +short %s, asked of the local server, says %j', async (question, answer) => {
  const { run, lab } = testLab('url-to-page');
  expect((await run('alice', `dig +short ${question}`)).out).toBe(answer);
  lab.stop();
});

test('dig +trace walks down the tree: root, com, server.com', async () => {
  const { run, lab } = testLab('url-to-page');
  const { out } = await run('alice', 'dig +trace www.server.com');
  expect([...out.matchAll(/^;; Received .* from (\S+)/gm)].map(([, server]) => server)).toEqual([
    '198.51.100.18#53(198.51.100.18)',
    '192.0.2.10#53(a.root-servers.net)',
    '192.0.2.11#53(a.gtld-servers.net)',
    '192.0.2.12#53(ns1.server.com)',
  ]);
  expect(out).toMatch(/^www\.server\.com\.\s+300\s+IN\s+A\s+192\.0\.2\.80$/m);
  lab.stop();
});

test('a name is remembered for its TTL, and not longer', async () => {
  const { run, lab, advance } = testLab('url-to-page');
  const ttl = async (): Promise<string> =>
    /^short\.server\.com\.\s+(\d+)/m.exec((await run('alice', 'dig short.server.com')).out)?.[1] ?? 'none';
  expect(await ttl()).toBe('10');
  await advance(4 * SECOND);
  expect(Number(await ttl())).toBeLessThanOrEqual(6);
  await advance(7 * SECOND);
  expect(await ttl()).toBe('10');
  lab.stop();
});

test('with the wire from core1 to core2 out the DNS tree is found by core3', async () => {
  const { run, lab } = testLab('url-to-page');
  lab.unplug('core1:eth1');
  expect((await run('alice', 'dig +short www.server.com')).out).toBe('192.0.2.80\n');
  lab.stop();
});

test('ping and traceroute show names, asked of the DNS backwards, and -n keeps them from asking', async () => {
  const { run, advance, lab } = testLab('url-to-page');
  const way = await run('alice', 'traceroute -I -q 1 www.server.com');
  expect([...way.out.matchAll(/^ *[0-9]+ {2}(\S+ \S+)/gm)].map(([, hop]) => hop)).toEqual([
    'home-router (192.168.1.1)',
    'isp-router.isp.net (198.51.100.1)',
    'core1.backbone.net (203.0.113.1)',
    'core3.backbone.net (203.0.113.14)',
    'server-router.server.net (203.0.113.18)',
    'www.server.com (192.0.2.80)',
  ]);
  await advance(PAUSE);
  expect((await run('alice', 'ping -c 1 www.server.com')).out).toContain('bytes from www.server.com (192.0.2.80): ');
  expect((await run('alice', 'ping -n -c 1 www.server.com')).out).toContain('bytes from 192.0.2.80: ');
  lab.stop();
});
