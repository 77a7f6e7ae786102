import { describe, expect, test } from 'vitest';
import type { AddressRecord, NeighbourRecord, RouteRecord } from '../../../shared/net/netlink.ts';
import { ip4, linkRecord, loopbackRecord, mac, noCounters, testHost } from '../../kit/programs.ts';

/** What a Debian 12 in a network namespace answered for the same state, the numbers replaced by ours. */
const LO = '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN';
const ETH0 = '2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc pfifo_fast state UP';

const addresses: AddressRecord[] = [
  {
    ifindex: 1,
    dev: 'lo',
    address: ip4('127.0.0.1'),
    prefix: 8,
    broadcast: undefined,
    scope: 'host',
    secondary: false,
  },
  {
    ifindex: 2,
    dev: 'eth0',
    address: ip4('10.0.0.1'),
    prefix: 24,
    broadcast: ip4('10.0.0.255'),
    scope: 'global',
    secondary: false,
  },
];

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

const routes: RouteRecord[] = [
  route({ gateway: ip4('10.0.0.254') }),
  route({ target: ip4('10.0.0.0'), prefix: 24, protocol: 'kernel', scope: 'link', source: ip4('10.0.0.1') }),
  route({ target: ip4('10.5.0.0'), prefix: 16, gateway: ip4('10.0.0.254'), metric: 5 }),
  route({ type: 'unreachable', target: ip4('10.6.0.0'), prefix: 16, dev: '' }),
  route({ target: ip4('10.9.0.0'), prefix: 16, scope: 'link', source: ip4('10.0.0.1'), metrics: { mtu: 1400 } }),
  route({
    type: 'local',
    target: ip4('10.0.0.1'),
    prefix: 32,
    table: 'local',
    protocol: 'kernel',
    scope: 'host',
    source: ip4('10.0.0.1'),
  }),
];

const neighbours: NeighbourRecord[] = [
  {
    address: ip4('10.0.0.254'),
    dev: 'eth0',
    mac: mac('02:00:00:00:01:01'),
    state: 'STALE',
    used: 48_000_000,
    confirmed: 48_900_000,
    updated: 23_000_000,
    probes: 4,
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
    probes: 6,
    references: 0,
  },
];

const counters = { ...noCounters, rxBytes: 280, rxPackets: 4, txBytes: 280, txPackets: 4 };

const host = () =>
  testHost({
    RTM_GETLINK: () => [loopbackRecord, linkRecord({ counters })],
    RTM_GETADDR: () => addresses,
    RTM_GETROUTE: ({ table = 'main' }) => routes.filter((one) => table === 'all' || one.table === table),
    RTM_GETNEIGH: () => neighbours,
  });

describe('ip link and ip addr', () => {
  test('ip addr prints two lines a link and two an address', async () => {
    const { run } = host();
    expect(await run('ip a')).toEqual({
      status: 0,
      err: '',
      out: `${LO} group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
${ETH0} group default qlen 1000
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0
       valid_lft forever preferred_lft forever
`,
    });
  });

  test('ip -o addr prints one line an address, ip -br addr one a link', async () => {
    const { run } = host();
    expect((await run('ip -o addr')).out).toBe(
      '1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n' +
        '2: eth0    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever preferred_lft forever\n',
    );
    expect((await run('ip -br a')).out).toBe(
      'lo               UNKNOWN        127.0.0.1/8 \neth0             UP             10.0.0.1/24 \n',
    );
    expect((await run('ip -br l')).out).toBe(
      'lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP> \n' +
        'eth0             UP             02:00:00:00:00:0a <BROADCAST,MULTICAST,UP,LOWER_UP> \n',
    );
  });

  test('ip -j addr has the keys of iproute2 in its order', async () => {
    const { out } = await host().run('ip -j addr show eth0');
    expect(out).toBe(
      '[{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,' +
        '"qdisc":"pfifo_fast","operstate":"UP","group":"default","txqlen":1000,"link_type":"ether",' +
        '"address":"02:00:00:00:00:0a","broadcast":"ff:ff:ff:ff:ff:ff","addr_info":[{"family":"inet",' +
        '"local":"10.0.0.1","prefixlen":24,"broadcast":"10.0.0.255","scope":"global","label":"eth0",' +
        '"valid_life_time":4294967295,"preferred_life_time":4294967295}]}]\n',
    );
  });

  test('ip -s -s link shows counters under their columns', async () => {
    const { out } = await host().run('ip -s -s link show eth0');
    expect(out).toBe(`${ETH0} mode DEFAULT group default qlen 1000
    link/ether 02:00:00:00:00:0a brd ff:ff:ff:ff:ff:ff
    RX:  bytes packets errors dropped  missed   mcast           
           280       4      0       0       0       0 
    RX errors:  length    crc   frame    fifo overrun
                     0      0       0       0       0 
    TX:  bytes packets errors dropped carrier collsns           
           280       4      0       0       0       0 
    TX errors: aborted   fifo  window heartbt transns
                     0      0       0       0       0 
`);
  });

  test('a link without carrier says so in its flags and its state', async () => {
    const { run, answer } = host();
    answer({ RTM_GETLINK: () => [linkRecord({ carrier: false })] });
    expect((await run('ip link')).out).toContain('eth0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500');
    expect((await run('ip -br link')).out).toContain('eth0             DOWN           02:00:00:00:00:0a');
  });

  test('ip -p -j is spaced as json_writer.c spaces it', async () => {
    const { out } = await host().run('ip -j -p route show default');
    expect(out).toBe(`[ {
        "dst": "default",
        "gateway": "10.0.0.254",
        "dev": "eth0",
        "flags": [ ]
    } ]
`);
  });

  test('changes are asked of the kernel, and its refusal is printed as iproute2 prints it', async () => {
    const asked: unknown[] = [];
    const { run, answer } = host();
    answer({
      RTM_NEWADDR: (query) => (asked.push(query) > 1 ? 'EEXIST' : undefined),
      RTM_DELADDR: () => 'EADDRNOTAVAIL',
      RTM_SETLINK: (query) => void asked.push(query),
    });
    expect(await run('ip addr add 10.3.0.1/24 brd + dev eth0')).toEqual({ status: 0, out: '', err: '' });
    expect(asked[0]).toMatchObject({ dev: 'eth0', address: ip4('10.3.0.1'), prefix: 24, broadcast: ip4('10.3.0.255') });
    expect(await run('ip addr add 10.3.0.1/24 dev eth0')).toMatchObject({
      status: 2,
      err: 'Error: ipv4: Address already assigned.\n',
    });
    expect(await run('ip addr del 10.3.0.1/24 dev eth0')).toMatchObject({
      status: 2,
      err: 'Error: ipv4: Address not found.\n',
    });
    expect(await run('ip link set dev eth0 down mtu 1400')).toMatchObject({ status: 0 });
    expect(asked.at(-1)).toMatchObject({ dev: 'eth0', up: false, mtu: 1400 });
  });
});

describe('ip route', () => {
  test('each route is one line that ends in a blank', async () => {
    expect((await host().run('ip r')).out).toBe(
      `default via 10.0.0.254 dev eth0 
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 
10.5.0.0/16 via 10.0.0.254 dev eth0 metric 5 
unreachable 10.6.0.0/16 
10.9.0.0/16 dev eth0 scope link src 10.0.0.1 mtu 1400 
`,
    );
  });

  test('what a selector fixes is not repeated', async () => {
    const { run } = host();
    expect((await run('ip route show proto kernel')).out).toBe('10.0.0.0/24 dev eth0 scope link src 10.0.0.1 \n');
    expect((await run('ip ro sh match 10.0.0.5')).out).toBe(
      'default via 10.0.0.254 dev eth0 \n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 \n',
    );
    expect((await run('ip route show table local')).out).toBe(
      'local 10.0.0.1 dev eth0 proto kernel scope host src 10.0.0.1 \n',
    );
    expect((await run('ip route show table all')).out).toContain('local 10.0.0.1 dev eth0 table local proto kernel');
  });

  test('ip -d -j route names type, protocol and scope always', async () => {
    expect((await host().run('ip -d -j route show default')).out).toBe(
      '[{"type":"unicast","dst":"default","gateway":"10.0.0.254","dev":"eth0","protocol":"boot","scope":"global",' +
        '"flags":[]}]\n',
    );
  });

  test('ip ro ge prints the route that output would take', async () => {
    const { run, answer } = host();
    answer({
      RTM_LOOKUP: () =>
        route({
          target: ip4('10.0.1.2'),
          prefix: 32,
          gateway: ip4('10.0.0.254'),
          source: ip4('10.0.0.1'),
          metrics: { mtu: 1000 },
          cacheExpires: 595_400_000,
        }),
    });
    expect((await run('ip ro ge 10.0.1.2')).out).toBe(
      '10.0.1.2 via 10.0.0.254 dev eth0 src 10.0.0.1 uid 0 \n    cache expires 595sec mtu 1000 \n',
    );
    answer({ RTM_LOOKUP: () => 'ENETUNREACH' });
    expect(await run('ip route get 1.2.3.4')).toEqual({
      status: 2,
      out: '',
      err: 'RTNETLINK answers: Network is unreachable\n',
    });
  });

  test.each([
    ['ip route add 10.5.0.1/16 via 10.0.0.254', 2, 'Error: Invalid prefix for given prefix length.'],
    ['ip route add 10.5.0.0/16 via foo', 1, 'Error: inet address is expected rather than "foo".'],
    ['ip route add 10.5.0.0/16 dev nope', 1, 'Cannot find device "nope"'],
    ['ip route add 300.0.0.0/8 via 10.0.0.254', 1, 'Error: any valid prefix is expected rather than "300.0.0.0/8".'],
    ['ip route add 10.5.0.0/16', 2, 'RTNETLINK answers: No such device'],
    ['ip route flush', 1, '"ip route flush" requires arguments.'],
    ['ip route foo', 255, 'Command "foo" is unknown, try "ip route help".'],
    ['ip foo', 1, 'Object "foo" is unknown, try "ip help".'],
    ['ip -x a', 255, 'Option "-x" is unknown, try "ip -help".'],
    ['ip link show nope', 1, 'Device "nope" does not exist.'],
    ['ip link set nope up', 1, 'Cannot find device "nope"'],
    ['ip link set eth0 mtu', 255, 'Command line is not complete. Try option "help"'],
    ['ip link set eth0 mtu 67', 2, 'Error: mtu less than device minimum.'],
    ['ip addr add 10.9.0.1', 1, 'Not enough information: "dev" argument is required.'],
    ['ip addr add foo dev eth0', 1, 'Error: any valid prefix is expected rather than "foo".'],
    ['ip neigh add 10.0.0.2 dev eth0', 2, 'Error: No link layer address given.'],
    ['ip neigh get 10.0.0.77 dev eth0', 2, 'Error: Neighbour entry not found.'],
  ])('%s: status %i and the text of iproute2', async (line, status, text) => {
    expect(await host().run(line)).toEqual({ status, out: '', err: `${text}\n` });
  });
});

describe('ip neigh', () => {
  test('an entry is its address, its link, its MAC when known, and its state', async () => {
    const { run } = host();
    expect((await run('ip n')).out).toBe(
      '10.0.0.254 dev eth0 lladdr 02:00:00:00:01:01 STALE \n10.0.0.99 dev eth0 FAILED \n',
    );
    expect((await run('ip neigh show dev eth0 nud stale')).out).toBe('10.0.0.254 lladdr 02:00:00:00:01:01 STALE \n');
    expect((await run('ip -s n show 10.0.0.254')).out).toBe(
      '10.0.0.254 dev eth0 lladdr 02:00:00:00:01:01  used 48/48/23probes 4 STALE \n',
    );
    expect((await run('ip -j n')).out).toBe(
      '[{"dst":"10.0.0.254","dev":"eth0","lladdr":"02:00:00:00:01:01","state":["STALE"]},' +
        '{"dst":"10.0.0.99","dev":"eth0","state":["FAILED"]}]\n',
    );
  });
});
