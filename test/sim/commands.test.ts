import { expect, test } from 'vitest';
import { testLab } from '../kit/lab.ts';

const ROUTED = `name: routed
devices:
  alice: { kind: host, eth0: 10.0.0.1/24, gateway: 10.0.0.254 }
  bob: { kind: host, eth0: 10.0.1.2/24, gateway: 10.0.1.254 }
  r: { kind: router, eth0: 10.0.0.254/24, eth1: 10.0.1.254/24, nat: eth1 }
  sw: { kind: switch }
wires:
  - alice:eth0 -- sw:p1
  - sw:p2 -- r:eth0
  - bob:eth0 -- r:eth1: { delay: 2ms }
`;

test('ping crosses a router: TTL 63, and twice the delay of the wire', async () => {
  const { run, lab } = testLab(ROUTED);
  await run('alice', 'ping -c1 10.0.1.2');
  const { out, status } = await run('alice', 'ping -c1 10.0.1.2');
  expect(out).toContain('\n64 bytes from 10.0.1.2: icmp_seq=1 ttl=63 time=4.00 ms\n');
  expect(status).toBe(0);
  lab.stop();
});

test('ping tells which router dropped it, and that nobody has the address', async () => {
  const { run, lab } = testLab(ROUTED);
  expect((await run('alice', 'ping -c1 -t1 10.0.1.2')).out).toContain(
    'From 10.0.0.254 icmp_seq=1 Time to live exceeded\n',
  );
  const { out, status } = await run('alice', 'ping -c2 10.0.0.99');
  expect(out).toContain('From 10.0.0.1 icmp_seq=2 Destination Host Unreachable\n');
  expect(out).toContain('2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1000ms\npipe 2\n');
  expect(status).toBe(1);
  expect((await run('alice', 'arp -n')).out).toContain('10.0.0.99                        (incomplete)');
  lab.stop();
});

test('a packet that may not be cut is refused with the MTU', async () => {
  const { run, lab } = testLab(ROUTED);
  expect(await run('alice', 'ping -c1 -M do -s 2000 10.0.1.2')).toMatchObject({
    status: 1,
    err: 'ping: local error: message too long, mtu=1500\n',
  });
  expect((await run('alice', 'ping -c1 -s 4000 10.0.1.2')).out).toContain('4008 bytes from 10.0.1.2');
  lab.stop();
});

test('traceroute names the router, then the target, by UDP and by echo', async () => {
  const { run, lab } = testLab(ROUTED);
  for (const line of ['traceroute -n -q 1 10.0.1.2', 'traceroute -I -n -q 1 10.0.1.2']) {
    const { out } = await run('alice', line);
    expect(out).toMatch(/\n 1 {2}10\.0\.0\.254 {2}[0-9.]+ ms\n 2 {2}10\.0\.1\.2 {2}[0-9.]+ ms\n$/);
  }
  lab.stop();
});

test('tcpdump prints what ping sends and gets, while it happens', async () => {
  const { run, lab } = testLab(ROUTED);
  const [capture] = await Promise.all([run('alice', 'tcpdump -n -t -c 4'), run('alice', 'ping -c1 10.0.1.2')]);
  expect(capture.out).toMatch(/^ARP, Request who-has 10\.0\.0\.254 tell 10\.0\.0\.1, length 28\n/);
  expect(capture.out).toMatch(/\nARP, Reply 10\.0\.0\.254 is-at [0-9a-f:]{17}, length 46\n/);
  expect(capture.out).toContain('\nIP 10.0.0.1 > 10.0.1.2: ICMP echo request, id 1, seq 1, length 64\n');
  expect(capture.out).toContain('\nIP 10.0.1.2 > 10.0.0.1: ICMP echo reply, id 1, seq 1, length 64\n');
  expect(capture.err).toMatch(/listening on eth0, link-type EN10MB.*\n4 packets captured\n/);
  lab.stop();
});

test('a filter passes what it says and nothing else', async () => {
  const { run, lab } = testLab(ROUTED);
  const line = 'tcpdump -n -t -c 1 icmp and src host 10.0.1.2';
  const [capture] = await Promise.all([run('alice', line), run('alice', 'ping -c1 10.0.1.2')]);
  expect(capture.out).toBe('IP 10.0.1.2 > 10.0.0.1: ICMP echo reply, id 1, seq 1, length 64\n');
  lab.stop();
});

test('the switch has learned who is where, the router whom it has translated', async () => {
  const { run, lab } = testLab(ROUTED);
  await run('alice', 'ping -c1 10.0.1.2');
  expect((await run('sw', 'bridge fdb show')).out).toMatch(/^[0-9a-f:]{17} dev p1 master br0 \n[0-9a-f:]{17} dev p2 /);
  expect((await run('r', 'conntrack -L -p icmp')).out).toContain(
    'src=10.0.0.1 dst=10.0.1.2 type=8 code=0 id=1 src=10.0.1.2 dst=10.0.1.254 type=0 code=0 id=1',
  );
  expect((await run('r', 'iptables -t nat -L POSTROUTING -v -n')).out).toContain(
    '    1    84 MASQUERADE  0    --  *      eth1    0.0.0.0/0            0.0.0.0/0           \n',
  );
  lab.stop();
});

test('nstat shows what has counted since it was last called', async () => {
  const { run, lab } = testLab(ROUTED);
  await run('alice', 'nstat -n');
  await run('alice', 'ping -c1 10.0.1.2');
  expect((await run('alice', 'nstat IcmpOutEchos IcmpInEchoReps')).out).toBe(
    '#kernel\nIcmpInEchoReps                  1                  0.0\nIcmpOutEchos                    1                  0.0\n',
  );
  expect((await run('alice', 'nstat Icmp*')).out).toBe('#kernel\n');
  lab.stop();
});

test('ip changes the kernel: an address brings its route, ethtool -K its offload', async () => {
  const { run, lab } = testLab(ROUTED);
  await run('alice', 'ip addr add 10.3.0.1/24 brd + dev eth0');
  expect((await run('alice', 'ip route show 10.3.0.0/24')).out).toBe(
    '10.3.0.0/24 dev eth0 proto kernel scope link src 10.3.0.1 \n',
  );
  expect((await run('alice', 'ip route add 10.5.0.0/16 via 10.77.0.1')).err).toBe(
    'Error: Nexthop has invalid gateway.\n',
  );
  await run('alice', 'ethtool -K eth0 tso off');
  expect((await run('alice', 'ethtool -k eth0')).out).toContain('\ntcp-segmentation-offload: off\n');
  expect((await run('alice', 'ethtool -K eth0 tso on tx off')).out).toBe(
    'Actual changes:\ntx-tcp-segmentation: off [requested on]\n',
  );
  lab.stop();
});
