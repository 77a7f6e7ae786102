import { expect, test } from 'vitest';
import type { ChainRecord, ConntrackRecord, RouteRecord, RuleRecord } from '../../../shared/net/netlink.ts';
import { ip4, linkRecord, loopbackRecord, mac, noCounters, testHost } from '../../kit/programs.ts';

/** Each expected text is what Debian 12 printed in a network namespace for the same state. */
const route = (over: Partial<RouteRecord>): RouteRecord => ({
  type: 'unicast',
  target: ip4('0.0.0.0'),
  prefix: 0,
  gateway: undefined,
  dev: 'eth0',
  source: undefined,
  metric: 0,
  scope: 'global',
  protocol: 'boot',
  table: 'main',
  linkdown: false,
  ...over,
});

const rule = (over: Partial<RuleRecord>): RuleRecord => ({
  table: 'filter',
  chain: 'INPUT',
  specification: '',
  target: 'ACCEPT',
  protocol: 'all',
  source: '0.0.0.0/0',
  destination: '0.0.0.0/0',
  in: '*',
  out: '*',
  extra: '',
  packets: 0,
  bytes: 0,
  ...over,
});

const chain = (over: Partial<ChainRecord>): ChainRecord => ({
  table: 'filter',
  name: 'INPUT',
  policy: 'ACCEPT',
  references: 0,
  packets: 0,
  bytes: 0,
  rules: [],
  ...over,
});

const chains: ChainRecord[] = [
  chain({
    rules: [
      rule({
        protocol: 'icmp',
        extra: 'icmptype 8',
        specification: '-p icmp -m icmp --icmp-type 8 -j ACCEPT',
      }),
      rule({ target: 'REJECT', source: '!10.0.0.1', in: '!eth0', extra: 'reject-with icmp-port-unreachable' }),
    ],
  }),
  chain({
    name: 'FORWARD',
    policy: 'DROP',
    packets: 2,
    bytes: 168,
    rules: [
      rule({
        chain: 'FORWARD',
        protocol: 'tcp',
        in: 'eth0',
        out: 'eth1',
        extra: 'tcp dpt:80',
        specification: '-i eth0 -o eth1 -p tcp -m tcp --dport 80 -j ACCEPT',
        packets: 123_456,
        bytes: 12_345_678,
      }),
    ],
  }),
  chain({ name: 'MYCHAIN', policy: undefined, references: 1, rules: [rule({ chain: 'MYCHAIN', target: 'RETURN' })] }),
];

const flow: ConntrackRecord = {
  protocol: 6,
  state: 'ESTABLISHED',
  timeout: 431_999_400_000,
  original: {
    source: ip4('10.0.0.1'),
    target: ip4('10.0.1.2'),
    sourcePort: 40_000,
    targetPort: 80,
    packets: 4,
    bytes: 300,
  },
  reply: {
    source: ip4('10.0.1.2'),
    target: ip4('10.0.1.254'),
    sourcePort: 80,
    targetPort: 40_000,
    packets: 3,
    bytes: 900,
  },
  assured: true,
  unreplied: false,
};

const host = () =>
  testHost({
    RTM_GETLINK: () => [
      loopbackRecord,
      linkRecord({ counters: { ...noCounters, rxPackets: 2_980_386, txPackets: 2_980_405 } }),
      linkRecord({ ifindex: 3, name: 'p1', master: 'br0' }),
    ],
    RTM_GETROUTE: () => [
      route({ gateway: ip4('10.0.0.254') }),
      route({ target: ip4('10.5.0.0'), prefix: 16, type: 'unreachable', dev: '' }),
      route({ target: ip4('10.6.0.1'), prefix: 32, metric: 7 }),
    ],
    RTM_GETNEIGH: () => [
      {
        address: ip4('10.0.0.254'),
        dev: 'eth0',
        mac: mac('02:00:00:00:01:01'),
        state: 'STALE',
        used: 0,
        confirmed: 0,
        updated: 0,
        probes: 0,
        references: 0,
      },
      {
        address: ip4('10.0.0.50'),
        dev: 'eth0',
        mac: mac('02:00:00:00:00:50'),
        state: 'PERMANENT',
        used: 0,
        confirmed: 0,
        updated: 0,
        probes: 0,
        references: 0,
      },
      {
        address: ip4('10.0.0.99'),
        dev: 'eth0',
        mac: undefined,
        state: 'FAILED',
        used: 0,
        confirmed: 0,
        updated: 0,
        probes: 0,
        references: 0,
      },
    ],
    NFT_GETTABLE: ({ table }) => (table === 'filter' ? chains : 'ENOENT'),
    CT_GET: () => [flow],
    FDB_GET: () => [{ mac: mac('02:00:00:00:00:66'), port: 'p1', age: 1_500_000, permanent: false }],
    SNMP: () =>
      new Map([
        ['IpForwarding', 1],
        ['IpInReceives', 10],
        ['IpForwDatagrams', 0],
        ['IcmpInMsgs', 3],
        ['IcmpInEchoReps', 3],
        ['TcpExtTCPTimeouts', 2],
      ]),
  });

test('arp: columns, the BSD form, and what it lacks', async () => {
  const { run } = host();
  expect(
    (await run('arp -n')).out,
  ).toBe(`Address                  HWtype  HWaddress           Flags Mask            Iface
10.0.0.254               ether   02:00:00:00:01:01   C                     eth0
10.0.0.50                ether   02:00:00:00:00:50   CM                    eth0
10.0.0.99                        (incomplete)                              eth0
`);
  expect((await run('arp -an')).out).toBe(`? (10.0.0.254) at 02:00:00:00:01:01 [ether] on eth0
? (10.0.0.50) at 02:00:00:00:00:50 [ether] PERM on eth0
? (10.0.0.99) at <incomplete> on eth0
`);
  expect((await run('arp 10.0.0.98')).out).toBe('10.0.0.98 (10.0.0.98) -- no entry\n');
  expect(await run('arp -s 10.0.0.50')).toMatchObject({ status: 255, err: 'arp: need hardware address\n' });
});

test('route and netstat -r: the same table in two shapes', async () => {
  const { run } = host();
  expect((await run('route -n')).out).toBe(`Kernel IP routing table
Destination     Gateway         Genmask         Flags Metric Ref    Use Iface
0.0.0.0         10.0.0.254      0.0.0.0         UG    0      0        0 eth0
10.5.0.0        -               255.255.0.0     !     0      -        0 -
10.6.0.1        0.0.0.0         255.255.255.255 UH    7      0        0 eth0
`);
  expect((await run('netstat -rn')).out).toContain(
    'Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface\n' +
      '0.0.0.0         10.0.0.254      0.0.0.0         UG        0 0          0 eth0\n',
  );
  expect(await run('route add -net 10.5.0.0/16')).toMatchObject({ status: 7, err: 'SIOCADDRT: No such device\n' });
  expect((await run('route add -net 10.5.0.1/16 gw 10.0.0.254')).err).toMatch(/^route: netmask doesn't match/);
});

test('netstat -i and -s', async () => {
  const { run } = host();
  expect((await run('netstat -i')).out).toContain(
    'Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n' +
      'eth0             1500  2980386      0      0 0       2980405      0      0      0 BMRU\n',
  );
  expect((await run('netstat -s')).out).toBe(`Ip:
    Forwarding: 1
    10 total packets received
    0 forwarded
Icmp:
    3 ICMP messages received
    ICMP input histogram:
        echo replies: 3
IcmpMsg:
Tcp:
Udp:
UdpLite:
TcpExt:
    TCPTimeouts: 2
IpExt:
`);
});

test('iptables -L in columns, -S and iptables-save as commands', async () => {
  const { run } = host();
  expect((await run('iptables -nvL --line-numbers')).out).toBe(`Chain INPUT (policy ACCEPT 0 packets, 0 bytes)
num   pkts bytes target     prot opt in     out     source               destination         
1        0     0 ACCEPT     1    --  *      *       0.0.0.0/0            0.0.0.0/0            icmptype 8
2        0     0 REJECT     0    --  !eth0  *      !10.0.0.1             0.0.0.0/0            reject-with icmp-port-unreachable

Chain FORWARD (policy DROP 2 packets, 168 bytes)
num   pkts bytes target     prot opt in     out     source               destination         
1     123K   12M ACCEPT     6    --  eth0   eth1    0.0.0.0/0            0.0.0.0/0            tcp dpt:80

Chain MYCHAIN (1 references)
num   pkts bytes target     prot opt in     out     source               destination         
1        0     0 RETURN     0    --  *      *       0.0.0.0/0            0.0.0.0/0           
`);
  expect((await run('iptables -L FORWARD')).out).toBe(`Chain FORWARD (policy DROP)
target     prot opt source               destination         
ACCEPT     tcp  --  anywhere             anywhere             tcp dpt:http
`);
  expect((await run('iptables -S FORWARD -v')).out).toBe(
    '-P FORWARD DROP -c 2 168\n' + '-A FORWARD -i eth0 -o eth1 -p tcp -m tcp --dport 80 -c 123456 12345678 -j ACCEPT\n',
  );
  expect((await run('iptables-save -t filter')).out).toContain(
    '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [2:168]\n:MYCHAIN - [0:0]\n-A INPUT -p icmp',
  );
  expect((await run('iptables -t foo -L')).err).toContain("table 'foo' does not exist\n");
  expect((await run('iptables')).status).toBe(2);
});

test('a rule change is one question to the kernel, whose words are printed', async () => {
  const { run, answer } = host();
  const asked: unknown[] = [];
  answer({
    NFT_COMMAND: (query) => {
      asked.push(query);
      return { error: 'iptables: No chain/target/match by that name.' };
    },
  });
  expect(await run('iptables -t nat -A NOPE -j ACCEPT')).toEqual({
    status: 1,
    out: '',
    err: 'iptables: No chain/target/match by that name.\n',
  });
  expect(asked).toMatchObject([{ table: 'nat', argv: ['-A', 'NOPE', '-j', 'ACCEPT'] }]);
});

test('conntrack -L, its count on standard error', async () => {
  const { run } = host();
  expect(await run('conntrack -L -p tcp')).toEqual({
    status: 0,
    out: 'tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.1.2 sport=40000 dport=80 src=10.0.1.2 dst=10.0.1.254 sport=80 dport=40000 [ASSURED] mark=0 use=1\n',
    err: 'conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.\n',
  });
  expect((await run('conntrack -L -p udp')).out).toBe('');
  expect((await run('conntrack -L --src-nat')).out).not.toBe('');
  expect((await run('conntrack -x')).status).toBe(2);
});

test('bridge fdb and link, as text and as JSON', async () => {
  const { run } = host();
  expect((await run('bridge fdb')).out).toBe('02:00:00:00:00:66 dev p1 master br0 \n');
  expect((await run('bridge -s fdb show dev p1')).out).toBe('02:00:00:00:00:66 used 1/1 master br0 \n');
  expect((await run('bridge -j fdb')).out).toBe(
    '[{"mac":"02:00:00:00:00:66","ifname":"p1","flags":[],"master":"br0","state":""}]\n',
  );
  expect((await run('bridge link')).out).toBe(
    '3: p1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state forwarding priority 32 cost 2 \n',
  );
  expect(await run('bridge fdb show dev nope')).toMatchObject({ status: 255, err: 'Cannot find device "nope"\n' });
});

test('ethtool on a device that is not there', async () => {
  const { run } = host();
  expect(await run('ethtool')).toMatchObject({
    status: 1,
    err: 'ethtool: bad command line argument(s)\nFor more information run ethtool -h\n',
  });
  expect((await run('ethtool lo')).out).toBe('Settings for lo:\n\tLink detected: yes\n');
});

test('sysctl reads, sets and says what is not there', async () => {
  const { run } = testHost();
  expect((await run('sysctl net.ipv4.ip_default_ttl')).out).toBe('net.ipv4.ip_default_ttl = 64\n');
  expect((await run('sysctl -n net/ipv4/ip_default_ttl')).out).toBe('64\n');
  expect((await run('sysctl -w net.ipv4.ip_default_ttl=99')).out).toBe('net.ipv4.ip_default_ttl = 99\n');
  expect((await run('sysctl -q net.ipv4.ip_default_ttl=98')).out).toBe('');
  expect((await run('sysctl -ar ip_default_ttl')).out).toBe('net.ipv4.ip_default_ttl = 98\n');
  expect(await run('sysctl net.nope')).toEqual({
    status: 1,
    out: '',
    err: 'sysctl: cannot stat /proc/sys/net/nope: No such file or directory\n',
  });
});
