import { expect, test } from 'vitest';
import type { PackedLab } from '../../services/lab/engine-packed.ts';
import { MILLISECOND } from '../../shared/platform.ts';
import { testLab } from '../kit/lab.ts';

const LAN = `name: lan
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
  sw: { kind: switch }
wires:
  - alice:eth0 -- sw:p1
  - bob:eth0 -- sw:p2
`;

const HOME = `name: home
devices:
  alice: { kind: host, eth0: 192.168.1.10/24 }
  carol: { kind: host, eth0: 192.168.1.12/24 }
  r: { kind: router, eth0: 198.51.100.2/30, eth1: 192.168.1.1/24, eth2:, lan: [eth1, eth2], nat: eth0 }
  isp: { kind: router, eth0: 198.51.100.1/30 }
wires:
  - alice:eth0 -- r:eth1
  - carol:eth0 -- r:eth2
  - r:eth0 -- isp:eth0
`;

test("an address of the lab file has its subnet's broadcast address beside it, as ifupdown sets it", async () => {
  const { run, lab } = testLab(HOME);
  expect((await run('alice', 'ip addr show eth0')).out).toContain(
    'inet 192.168.1.10/24 brd 192.168.1.255 scope global eth0',
  );
  expect((await run('r', 'ip addr show eth0')).out).toContain(
    'inet 198.51.100.2/30 brd 198.51.100.3 scope global eth0',
  );
  expect((await run('alice', 'ip addr show lo')).out).toContain('inet 127.0.0.1/8 scope host lo');
  lab.stop();
});

test('a second address of a subnet is shown as secondary', async () => {
  const { run, lab } = testLab(LAN);
  await run('alice', 'ip addr add 10.0.0.7/24 dev eth0');
  expect((await run('alice', 'ip addr show eth0')).out).toContain('inet 10.0.0.7/24 scope global secondary eth0');
  expect(JSON.parse((await run('alice', 'ip -j addr show eth0')).out)[0].addr_info).toMatchObject([
    { local: '10.0.0.1' },
    { local: '10.0.0.7', secondary: true },
  ]);
  lab.stop();
});

test("a switch's ports have no MAC address, its br0 has one, its lo is up", async () => {
  const { run, lab } = testLab(LAN);
  const { out } = await run('sw', 'ip link');
  expect(out).toMatch(/^1: lo: <LOOPBACK,UP,LOWER_UP> .* state UNKNOWN/m);
  expect(out).toMatch(/: p1: <BROADCAST,MULTICAST,UP,LOWER_UP> .*\n {4}link\/none $/m);
  expect(out).toMatch(/: br0: .* qdisc noqueue .*\n {4}link\/ether 02:b2(:[0-9a-f]{2}){4} brd/m);
  expect((await run('sw', 'ip -br link show p1')).out).toBe(
    'p1               UP             <BROADCAST,MULTICAST,UP,LOWER_UP> \n',
  );
  expect(JSON.parse((await run('sw', 'ip -j link show p1')).out)[0]).not.toHaveProperty('address');
  expect((await run('sw', 'ping -c 1 127.0.0.1')).status).toBe(0);
  lab.stop();
});

test("a switch's port that is set down and up again carries frames as before", async () => {
  const { run, lab } = testLab(LAN);
  expect((await run('alice', 'ping -c 1 10.0.0.2')).status).toBe(0);
  await run('sw', 'ip link set p1 down');
  expect((await run('alice', 'ip link show eth0')).out).toContain('NO-CARRIER');
  await run('sw', 'ip link set p1 up');
  expect((await run('sw', 'ip link show p1')).out).toContain('<BROADCAST,MULTICAST,UP,LOWER_UP>');
  expect((await run('alice', 'ping -c 1 10.0.0.2')).status).toBe(0);
  lab.stop();
});

test("the ports of a home router's LAN hear everything without showing PROMISC, as under Linux", async () => {
  const { run, lab } = testLab(HOME);
  expect((await run('r', 'ip -d link show eth1')).out).toMatch(
    /<BROADCAST,MULTICAST,UP,LOWER_UP>[\s\S]* promiscuity 1 /,
  );
  expect((await run('r', 'ip link show br0')).out).toContain('qdisc noqueue');
  expect((await run('alice', 'ping -c 1 192.168.1.12')).status).toBe(0);
  lab.stop();
});

test('an MTU above what a cable carries is refused, whoever asks', async () => {
  const { run, lab } = testLab(LAN);
  const { host } = lab.device('alice');
  const set = (mtu: number, dev = 'eth0') => host.netlink.ask({ type: 'RTM_SETLINK', dev, mtu });
  expect(set(9_001)).toEqual({ answer: 'EINVAL' });
  expect(set(67)).toEqual({ answer: 'EINVAL' });
  expect(set(9_000)).toEqual({ answer: undefined });
  expect(set(65_537, 'lo')).toEqual({ answer: 'EINVAL' });
  expect((await run('alice', 'ip link set eth0 mtu 9001')).err).toBe('Error: mtu greater than device maximum.\n');
  // The other side takes 1500: it counts what is too long, and nothing breaks.
  expect((await run('alice', 'ping -c 1 -W 1 -M do -s 8900 10.0.0.2')).status).toBe(1);
  expect((await run('sw', 'ethtool -S p1')).out).toMatch(/rx_long_length_errors: 1/);
  lab.stop();
});

/** A program that goes on while others run: what it has printed so far, and its end. */
function started(lab: PackedLab, device: string, line: string): { text(): string; kill(): void } {
  let printed = '';
  const decoder = new TextDecoder();
  const argv = line.split(' ');
  const { kill } = lab.device(device).host.processes.spawn(argv[0] ?? '', argv, {
    stdout: (bytes) => {
      printed += decoder.decode(bytes);
    },
    stderr: () => {},
  });
  return { text: () => printed, kill: () => kill('SIGTERM') };
}

test("tcpdump on a switch's port sees what comes in and what goes out there, and on any all of it", async () => {
  const { run, lab, advance } = testLab(LAN);
  const onP2 = started(lab, 'sw', 'tcpdump -n -i p2');
  const onAny = started(lab, 'sw', 'tcpdump -n -i any');
  await advance(10 * MILLISECOND);
  await run('alice', 'ping -c 1 10.0.0.2');
  await advance(10 * MILLISECOND);
  const lines = onP2.text().trimEnd().split('\n');
  expect(lines.map((line) => line.replace(/^\S+ /, '').replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/, 'MAC'))).toEqual([
    'ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 46',
    'ARP, Reply 10.0.0.2 is-at MAC, length 46',
    expect.stringMatching(/^IP 10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request, id \d+, seq 1, length 64$/),
    expect.stringMatching(/^IP 10\.0\.0\.2 > 10\.0\.0\.1: ICMP echo reply, id \d+, seq 1, length 64$/),
  ]);
  expect(onAny.text()).toMatch(/p1 +B +ARP, Request[\s\S]*p2 +Out ARP, Request[\s\S]*p2 +P +ARP, Reply/);
  onP2.kill();
  onAny.kill();
  await advance(10 * MILLISECOND);
  expect(lab.device('sw').host.skbs.counters.live).toBe(0);
  lab.stop();
});

test('/sys/class/net says of a device what scripts ask there', async () => {
  const { run, lab } = testLab(LAN);
  const read = async (device: string, path: string) => (await run(device, `cat /sys/class/net/${path}`)).out.trimEnd();
  expect(await read('alice', 'eth0/carrier')).toBe('1');
  expect(await read('alice', 'eth0/operstate')).toBe('up');
  expect(await read('alice', 'eth0/mtu')).toBe('1500');
  expect(await read('alice', 'eth0/flags')).toBe('0x1003');
  expect(await read('alice', 'lo/type')).toBe('772');
  lab.unplug('alice:eth0');
  expect(await read('sw', 'p1/operstate')).toBe('down');
  expect(await read('sw', 'p1/address')).toBe('');
  const { out } = await run('alice', 'ip -j -s link show eth0');
  expect(await read('alice', 'eth0/statistics/rx_packets')).toBe(String(JSON.parse(out)[0].stats64.rx.packets));
  expect((await run('alice', 'cat /sys/class/net/eth9/mtu')).err).toMatch(/No such file/);
  lab.stop();
});

test('how often the carrier came and went is counted, in /sys/class/net and under transns', async () => {
  const { run, lab } = testLab(LAN);
  const counts = async (device: string, port: string) =>
    (
      await run(
        device,
        `cat ${['changes', 'up_count', 'down_count'].map((of) => `/sys/class/net/${port}/carrier_${of}`).join(' ')}`,
      )
    ).out;
  expect(await counts('alice', 'eth0')).toBe('1\n1\n0\n');
  lab.unplug('alice:eth0');
  expect(await counts('alice', 'eth0')).toBe('2\n1\n1\n');
  lab.plug('alice:eth0');
  lab.unplug('bob:eth0');
  expect(await counts('alice', 'eth0')).toBe('3\n2\n1\n');
  expect(await counts('sw', 'p1')).toBe('3\n2\n1\n');
  expect(await counts('alice', 'lo')).toBe('0\n0\n0\n');
  const [link] = JSON.parse((await run('alice', 'ip -j -s -s link show eth0')).out);
  expect(link.stats64.tx.carrier_changes).toBe(3);
  expect((await run('alice', 'ip -s -s link show eth0')).out).toMatch(/heartbt transns\n(?: +0){4} +3 \n/);
  lab.stop();
});

test('a router counts what passes its filter from the start, a host from the first look', async () => {
  const { run, lab } = testLab(HOME);
  await run('alice', 'ip route add default via 192.168.1.1');
  const policy = async (device: string, chain: string) =>
    new RegExp(`${chain} \\(policy ACCEPT (\\d+) packets`).exec((await run(device, 'iptables -L -v -n')).out)?.[1];
  expect(await policy('alice', 'OUTPUT')).toBe('0');
  expect((await run('alice', 'ping -c 2 198.51.100.1')).status).toBe(0);
  expect(await policy('r', 'FORWARD')).toBe('4');
  expect(await policy('alice', 'OUTPUT')).toBe('2');
  lab.stop();
});

test('bridge fdb on a machine without a bridge lists nothing, and ip -j rule is JSON', async () => {
  const { run, lab } = testLab(LAN);
  expect(await run('alice', 'bridge fdb show')).toMatchObject({ status: 0, out: '', err: '' });
  expect(JSON.parse((await run('alice', 'bridge -j fdb')).out)).toEqual([]);
  expect(JSON.parse((await run('alice', 'ip -j rule')).out)).toContainEqual({
    priority: 32_766,
    src: 'all',
    table: 'main',
  });
  lab.stop();
});

test('conntrack -D deletes the flows that its filters choose, and says which', async () => {
  const { run, lab } = testLab(HOME);
  await run('alice', 'ip route add default via 192.168.1.1');
  await run('alice', 'ping -c 1 198.51.100.1');
  expect((await run('r', 'conntrack -D -p udp')).status).toBe(1);
  expect((await run('r', 'conntrack -C')).out).toBe('1\n');
  expect(await run('r', 'conntrack -D -p icmp')).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^icmp +1 .*src=192\.168\.1\.10 dst=198\.51\.100\.1 /),
    err: 'conntrack v1.4.7 (conntrack-tools): 1 flow entries have been deleted.\n',
  });
  expect((await run('r', 'conntrack -C')).out).toBe('0\n');
  lab.stop();
});

test('cat -n numbers lines over all files; an option that it does not have is named', async () => {
  const { run, lab } = testLab(LAN);
  const { out } = await run('alice', 'cat -n /etc/hostname /etc/hosts');
  expect(out).toMatch(/^ {5}1\talice\n {5}2\t127\.0\.0\.1\tlocalhost\n {5}3\t/);
  expect(await run('alice', 'cat -Q /etc/hosts')).toMatchObject({ status: 1, err: "cat: unrecognized option '-Q'\n" });
  lab.stop();
});

test('what a command leaves out it says, and ip route takes `to` before any selector', async () => {
  const { run, lab } = testLab(LAN);
  expect((await run('alice', 'tcpdump -r old.pcap')).err).toMatch(/^tcpdump: -r is not here/);
  expect((await run('alice', 'ip route show to match 10.0.0.9')).out).toMatch(/^10\.0\.0\.0\/24 dev eth0 /);
  expect((await run('alice', 'ip route show to 10.0.0.0/24')).out).toMatch(/^10\.0\.0\.0\/24 dev eth0 /);
  lab.stop();
});
