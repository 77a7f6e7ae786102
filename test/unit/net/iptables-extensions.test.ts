/** Matches and targets of iptables-extensions(8): as iptables 1.8.9 saves and lists them, and what they do to packets. */
import { describe, expect, test } from 'vitest';
import { formatIpv4 } from '../../../shared/header/address.ts';
import { ETHERNET } from '../../../shared/header/ethernet.ts';
import { IPV4, PROTOCOL } from '../../../shared/header/ipv4.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import type { Host } from '../../../shared/net/host.ts';
import { iptablesCommand, listTable } from '../../../shared/net/iptables.ts';
import { PRIORITY } from '../../../shared/net/netfilter.ts';
import { addRoute, attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { listen, sendTcp, sendUdp } from '../../kit/datagram.ts';
import { stopsMidFlight } from '../../kit/mid-flight.ts';

const SECOND = 1_000_000;
const run = (host: Host, line: string, table = 'filter') => iptablesCommand(host, table, line.split(' '));
const must = (host: Host, line: string, table = 'filter') => expect(run(host, line, table)).toEqual({});

/** alice — router — bob. */
function setup() {
  const clock = newClock();
  const [left, right] = [new Cable(clock), new Cable(clock)];
  const [alice, router, bob] = ['alice', 'router', 'bob'].map((name) => makeHost(name, clock)) as [Host, Host, Host];
  attach(alice, 'eth0', left, { addresses: ['10.0.1.2/24'] });
  attach(router, 'eth0', left, { addresses: ['10.0.1.1/24'] });
  attach(router, 'eth1', right, { addresses: ['10.0.2.1/24'] });
  attach(bob, 'eth0', right, { addresses: ['10.0.2.2/24'] });
  router.sysctl.set('net.ipv4.ip_forward', '1');
  addRoute(alice, 'default via 10.0.1.1');
  addRoute(bob, 'default via 10.0.2.1');
  for (const host of [alice, router, bob]) stopsMidFlight(host, clock);
  const seen = listen(bob, PROTOCOL.UDP);
  listen(alice, PROTOCOL.UDP);
  /** One datagram of alice's to bob; whether it came. */
  const passes = (
    ports: { sourcePort?: number; targetPort?: number; size?: number; ttl?: number; tos?: number } = {},
  ) => {
    const before = seen.arrivals.length;
    sendUdp(alice, ip('10.0.2.2'), { sourcePort: 5_000, targetPort: 53, ...ports });
    clock.advance(1_000);
    return seen.arrivals.length > before;
  };
  /** IPv4 headers that reached bob's cable. */
  const headers = () =>
    right.frames
      .filter(({ bytes }) => bytes[12] === 8 && bytes[13] === 0)
      .map(({ bytes }) => new DataView(bytes.buffer, ETHERNET.SIZE));
  return { clock, alice, router, bob, seen, passes, headers, right };
}

describe('as iptables 1.8.9 writes and lists them', () => {
  test.each<[string, string, string, string?]>([
    ['filter', '-m length --length 10:20', 'length 10:20'],
    ['filter', '-m length ! --length 100', 'length !100'],
    ['filter', '-m ttl --ttl-lt 5', 'TTL match TTL < 5'],
    ['filter', '-m ttl ! --ttl-eq 5', 'TTL match TTL != 5'],
    ['filter', '-m mac ! --mac-source 02:00:00:00:00:aa', 'MAC ! 02:00:00:00:00:aa'],
    [
      'filter',
      '-m statistic --mode random --probability 0.25000000000',
      'statistic mode random probability 0.25000000000',
    ],
    ['filter', '-m statistic --mode nth --every 3 --packet 1', 'statistic mode nth every 3 packet 1'],
    [
      'filter',
      '-m iprange --src-range 1.1.1.1-1.1.1.5 ! --dst-range 2.1.1.1-2.1.1.5',
      'source IP range 1.1.1.1-1.1.1.5 destination IP range ! 2.1.1.1-2.1.1.5',
    ],
    [
      'filter',
      '-m addrtype --src-type UNICAST,LOCAL ! --dst-type BROADCAST',
      'ADDRTYPE match src-type UNICAST,LOCAL dst-type !BROADCAST',
    ],
    ['filter', '-m addrtype --dst-type LOCAL --limit-iface-in', 'ADDRTYPE match dst-type LOCAL limit-in'],
    ['filter', '-m pkttype ! --pkt-type unicast', 'PKTTYPE != unicast'],
    ['filter', '-m connmark --mark 0x1', 'connmark match  0x1'],
    ['filter', '-m connmark ! --mark 0x10/0xff', 'connmark match ! 0x10/0xff'],
    [
      'filter',
      '-m recent --update --seconds 60 --hitcount 4 --name ssh --mask 255.255.255.255 --rsource -j DROP',
      'recent: UPDATE seconds: 60 hit_count: 4 name: ssh side: source mask: 255.255.255.255',
    ],
    [
      'filter',
      '-m recent ! --rcheck --name DEFAULT --mask 255.255.255.255 --rsource',
      '! recent: CHECK name: DEFAULT side: source mask: 255.255.255.255',
    ],
    [
      'filter',
      '-m hashlimit --hashlimit-upto 10/min --hashlimit-burst 3 --hashlimit-mode srcip,dstport --hashlimit-name y',
      'limit: up to 10/min burst 3 mode srcip-dstport',
    ],
    ['filter', '-p tcp -m connlimit --connlimit-upto 3 --connlimit-mask 24 --connlimit-daddr', '#conn dst/24 <= 3'],
    ['filter', '-m dscp ! --dscp 0x20', 'DSCP match !0x20'],
    ['filter', '-m tos --tos 0x10/0x3f', 'tos match0x10/0x3f'],
    ['filter', '-p tcp -m tcpmss --mss 500:1460', 'tcpmss match 500:1460'],
    [
      'filter',
      '-j LOG --log-prefix hey --log-level 7 --log-tcp-sequence --log-tcp-options --log-ip-options --log-uid',
      'LOG flags 15 level 7 prefix "hey"',
    ],
    ['mangle', '-p tcp -j TCPMSS --clamp-mss-to-pmtu', 'TCPMSS clamp to PMTU', 'FORWARD'],
    ['mangle', '-p tcp -j TCPMSS --set-mss 1400', 'TCPMSS set 1400'],
    ['mangle', '-j DSCP --set-dscp 0x2e', 'DSCP set 0x2e'],
    ['mangle', '-j TOS --set-tos 0x08/0x00', 'TOS set 0x08/0x00'],
    ['mangle', '-j TTL --ttl-inc 1', 'TTL increment by 1'],
    ['mangle', '-j MARK --set-xmark 0x5/0x7', 'MARK xset 0x5/0x7'],
    ['mangle', '-j MARK --set-xmark 0x0/0xfffffffa', 'MARK and 0x5'],
    ['filter', '-j CONNMARK --set-xmark 0x8/0xffffffff', 'CONNMARK set 0x8'],
    ['mangle', '-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf0', 'CONNMARK restore ctmask 0xf0 nfmask ~0xff'],
    ['raw', '-j CT --notrack', 'CT notrack', 'PREROUTING'],
    ['raw', '-j NOTRACK', 'NOTRACK', 'PREROUTING'],
    ['nat', '-d 10.0.0.0/24 -j NETMAP --to 192.168.0.0/24', 'to:192.168.0.0/24', 'PREROUTING'],
  ])('%s %s', (table, rule, extra, chain = 'INPUT') => {
    const host = makeHost('host', newClock());
    must(host, `-A ${chain} ${rule}`, table);
    const [record] = listTable(host.tables.get(table)!).flatMap((one) => one.rules);
    expect(record?.specification).toBe(rule);
    expect(record?.extra).toBe(extra);
  });

  test.each([
    ['-m length --length 5:', '-m length --length 5:65535'],
    ['-m dscp --dscp-class AF11', '-m dscp --dscp 0x0a'],
    ['-m tos --tos Minimize-Delay', '-m tos --tos 0x10/0x3f'],
    ['-m tos --tos 16', '-m tos --tos 0x10/0xff'],
    ['-m recent --set', '-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource'],
    [
      '-p tcp -m connlimit --connlimit-above 3',
      '-p tcp -m connlimit --connlimit-above 3 --connlimit-mask 32 --connlimit-saddr',
    ],
    ['-j MARK --or-mark 5', '-j MARK --set-xmark 0x5/0x5'],
    ['-j CONNMARK --save-mark', '-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff'],
  ])('%s is saved as %s', (given, saved) => {
    const host = makeHost('host', newClock());
    must(host, `-A INPUT ${given}`);
    expect(listTable(host.tables.get('filter')!)[0]?.rules[0]?.specification).toBe(saved);
  });

  const V = 'iptables v1.8.9 (nf_tables)';
  const HINT = "\nTry `iptables -h' or 'iptables --help' for more information.";
  test.each<[string, string, number]>([
    ['-A INPUT -m length', `${V}: length: option "--length" must be specified\n${HINT}`, 2],
    [
      '-A INPUT -m length --length 70000',
      `${V}: length: bad value for option "--length" near "70000", or out of range (0-65535).\n${HINT}`,
      2,
    ],
    [
      '-A INPUT -m ttl --ttl-eq 300',
      `${V}: ttl: bad value for option "--ttl-eq", or out of range (0-255).\n${HINT}`,
      2,
    ],
    ['-A INPUT -m statistic --mode foo', `${V}: Bad mode "foo"${HINT}`, 2],
    ['-A INPUT -m addrtype --dst-type FOO', `${V}: addrtype: bad type "FOO"${HINT}`, 2],
    ['-A INPUT -m pkttype --pkt-type foo', `${V}: Bad packet type 'foo'${HINT}`, 2],
    [
      '-A INPUT -m hashlimit --hashlimit-above 5/sec',
      `${V}: hashlimit: option "--hashlimit-name" must be specified\n${HINT}`,
      2,
    ],
    ['-A INPUT -m foo', `${V}: Couldn't load match \`foo':No such file or directory\n${HINT}`, 2],
    ['-A INPUT -j FOO', `${V}: Chain 'FOO' does not exist${HINT}`, 2],
    ['-A INPUT -j TTL --ttl-set 4', `${V}:  RULE_APPEND failed (Invalid argument): rule in chain INPUT`, 4],
    ['-I INPUT -j TTL --ttl-set 4', `${V}:  RULE_INSERT failed (Invalid argument): rule in chain INPUT`, 4],
    ['-X INPUT', `${V}:  CHAIN_DEL failed (Device or resource busy): chain INPUT`, 4],
    ['-E NOWHERE X', 'iptables: No chain/target/match by that name.', 1],
  ])('%s: refused as iptables does', (line, error, status) => {
    expect(run(makeHost('host', newClock()), line)).toEqual({ error, status });
  });

  test('-E renames a chain, and the rules that jump to it', () => {
    const host = makeHost('host', newClock());
    for (const line of ['-N A', '-A INPUT -j A', '-E A B']) must(host, line);
    const chains = listTable(host.tables.get('filter')!);
    expect(chains.map((chain) => chain.name)).toContain('B');
    expect(chains[0]?.rules[0]?.specification).toBe('-j B');
    expect(run(host, '-E B INPUT')).toEqual({ error: 'iptables: File exists.', status: 1 });
  });
});

describe('matches', () => {
  test.each<
    [string, Parameters<ReturnType<typeof setup>['passes']>[0], Parameters<ReturnType<typeof setup>['passes']>[0]]
  >([
    ['-m length --length 100:', { size: 100 }, { size: 10 }],
    ['-m ttl --ttl-lt 10', { ttl: 5 }, { ttl: 64 }],
    ['-m dscp --dscp 46', { tos: 0xb8 }, { tos: 0 }],
    ['-m tos --tos 0x10', { tos: 0x10 }, { tos: 0 }],
  ])('%s', (match, fits, others) => {
    const { router, passes } = setup();
    must(router, `-A FORWARD ${match} -j DROP`);
    expect(passes(fits)).toBe(false);
    expect(passes(others)).toBe(true);
  });

  test('iprange, addrtype, pkttype and mac look at who it is from and for', () => {
    for (const match of [
      '-m iprange --src-range 10.0.1.2-10.0.1.9',
      '-m addrtype --src-type UNICAST ! --dst-type LOCAL',
      '-m pkttype --pkt-type unicast',
    ]) {
      const { router, passes } = setup();
      expect(passes()).toBe(true);
      must(router, `-A FORWARD ${match} -j DROP`);
      expect(passes()).toBe(false);
    }
    const { alice, router, passes } = setup();
    const mac = alice.devices
      .byName('eth0')!
      .mac.toString(16)
      .padStart(12, '0')
      .replace(/..(?!$)/g, '$&:');
    must(router, `-A FORWARD -m mac --mac-source ${mac} -j DROP`);
    expect(passes()).toBe(false);
  });

  test('statistic: every third by count, about a quarter by chance', () => {
    const { router, passes } = setup();
    must(router, '-A FORWARD -m statistic --mode nth --every 3 --packet 0 -j DROP');
    expect(Array.from({ length: 6 }, () => passes())).toEqual([false, true, true, false, true, true]);
    run(router, '-F');
    must(router, '-A FORWARD -m statistic --mode random --probability 0.25 -j DROP');
    const lost = Array.from({ length: 200 }, () => passes()).filter((passed) => !passed).length;
    expect(lost).toBeGreaterThan(25);
    expect(lost).toBeLessThan(80);
  });

  test('recent: the fourth within a minute is dropped, and one a minute later is not', () => {
    const { clock, router, passes } = setup();
    must(router, '-A FORWARD -m recent --name x --update --seconds 60 --hitcount 3 -j DROP');
    must(router, '-A FORWARD -m recent --name x --set');
    expect([passes(), passes(), passes(), passes()]).toEqual([true, true, true, false]);
    clock.advance(61 * SECOND);
    expect(passes()).toBe(true);
  });

  test('hashlimit: a bucket for each source port', () => {
    const { clock, router, passes } = setup();
    must(
      router,
      '-A FORWARD -m hashlimit --hashlimit-upto 1/sec --hashlimit-burst 2 --hashlimit-mode srcport --hashlimit-name x -j ACCEPT',
    );
    must(router, '-P FORWARD DROP');
    expect([passes(), passes(), passes()]).toEqual([true, true, false]);
    expect(passes({ sourcePort: 6_000 })).toBe(true);
    clock.advance(SECOND);
    expect(passes()).toBe(true);
  });

  test('connlimit: the third connection of a host is one too many', () => {
    const { router, passes } = setup();
    must(router, '-A FORWARD -p udp -m connlimit --connlimit-above 2 -j DROP');
    expect([1, 2, 3].map((n) => passes({ sourcePort: n }))).toEqual([true, true, false]);
    expect(passes({ sourcePort: 1 })).toBe(true);
  });
});

describe('targets', () => {
  const sumOk = (view: DataView): boolean => {
    let sum = 0;
    for (let at = 0; at < IPV4.SIZE; at += 2) sum += view.getUint16(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    return sum === 0xffff;
  };

  test('DSCP, TOS and TTL change the header, and its sum follows', () => {
    const { router, passes, headers } = setup();
    must(router, '-A FORWARD -j DSCP --set-dscp 46', 'mangle');
    must(router, '-A FORWARD -j TTL --ttl-inc 9', 'mangle');
    passes({ tos: 1 });
    const [first] = headers();
    expect([first!.getUint8(IPV4.TOS), first!.getUint8(IPV4.TTL), sumOk(first!)]).toEqual([0xb9, 72, true]);
    must(router, '-F', 'mangle');
    must(router, '-A FORWARD -j TOS --or-tos 0x08', 'mangle');
    passes({ tos: 0x10 });
    expect(headers()[1]!.getUint8(IPV4.TOS)).toBe(0x18);
  });

  test('CONNMARK keeps a mark with the flow and gives it to its later packets, both ways', () => {
    const { clock, router, bob, passes } = setup();
    must(router, '-A PREROUTING -j CONNMARK --restore-mark', 'mangle');
    must(router, '-A PREROUTING -i eth0 -m mark --mark 0 -j MARK --set-mark 7', 'mangle');
    must(router, '-A PREROUTING -j CONNMARK --save-mark', 'mangle');
    must(router, '-A FORWARD -i eth1 -m mark --mark 7');
    passes();
    expect(router.conntrack.list()[0]?.mark).toBe(7);
    sendUdp(bob, ip('10.0.1.2'), { sourcePort: 53, targetPort: 5_000 });
    clock.advance(1_000);
    expect(router.tables.get('filter')!.chains.get('FORWARD')!.rules[0]?.packets).toBe(1);
  });

  test('TCPMSS lowers the MSS of a SYN, with a right sum, and never raises it', () => {
    const { clock, alice, router, bob } = setup();
    const seen = listen(bob, PROTOCOL.TCP);
    must(router, '-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu', 'mangle');
    router.devices.setMtu(router.devices.byName('eth1')!, 1_400);
    sendTcp(alice, ip('10.0.2.2'), { sourcePort: 1, targetPort: 2, flags: TCP_FLAG.SYN });
    clock.advance(1_000);
    expect(seen.arrivals[0]?.checksumOk).toBe(true);
  });

  test('CT --notrack: no flow, ctstate UNTRACKED, not INVALID', () => {
    const { router, passes } = setup();
    must(router, '-A FORWARD -m conntrack --ctstate INVALID -j DROP');
    must(router, '-A FORWARD -m conntrack --ctstate UNTRACKED');
    must(router, '-A PREROUTING -p udp -j CT --notrack', 'raw');
    expect(passes()).toBe(true);
    expect(router.conntrack.list()).toEqual([]);
    expect(router.tables.get('filter')!.chains.get('FORWARD')!.rules[1]?.packets).toBe(1);
  });

  test('NETMAP: a network onto another, host by host', () => {
    const { clock, alice, router, seen } = setup();
    must(router, '-A PREROUTING -d 192.168.7.0/24 -j NETMAP --to 10.0.2.0/24', 'nat');
    sendUdp(alice, ip('192.168.7.2'), { sourcePort: 5_000, targetPort: 53 });
    clock.advance(1_000);
    expect(seen.arrivals.map(({ target }) => formatIpv4(target))).toEqual(['10.0.2.2']);
  });

  test('LOG writes what nf_log_syslog writes', () => {
    const { router, passes } = setup();
    must(router, '-A FORWARD -j LOG --log-prefix fwd: --log-level 6');
    passes();
    expect(router.log.lines.map(({ level, text }) => ({ level, text }))).toEqual([
      {
        level: 6,
        text: expect.stringMatching(
          /^fwd:IN=eth0 OUT=eth1 MAC=(?:[0-9a-f]{2}:){13}[0-9a-f]{2} SRC=10\.0\.1\.2 DST=10\.0\.2\.2 LEN=38 TOS=0x00 PREC=0x00 TTL=63 ID=\d+ PROTO=UDP SPT=5000 DPT=53 LEN=18 $/,
        ),
      },
    ]);
  });
});

describe('the hooks', () => {
  test('stand in the order of Linux’s priorities, whatever the order in which tables were first used', () => {
    const host = makeHost('host', newClock());
    must(host, '-A INPUT -j ACCEPT');
    must(host, '-A OUTPUT -m conntrack --ctstate NEW');
    must(host, '-A POSTROUTING -j MASQUERADE', 'nat');
    must(host, '-A PREROUTING -j MARK --set-mark 1', 'mangle');
    must(host, '-A PREROUTING -j NOTRACK', 'raw');
    const { DEFRAG, RAW, CONNTRACK, MANGLE, NAT_TARGET, FILTER, NAT_SOURCE, CONFIRM } = PRIORITY;
    expect(host.netfilter.hooks.map((list) => list.map(({ priority }) => priority))).toEqual([
      [DEFRAG, RAW, CONNTRACK, MANGLE, NAT_TARGET],
      [MANGLE, FILTER, NAT_SOURCE, CONFIRM],
      [MANGLE, FILTER],
      [DEFRAG, RAW, CONNTRACK, MANGLE, NAT_TARGET, FILTER],
      [MANGLE, NAT_SOURCE, CONFIRM],
    ]);
    expect([DEFRAG, RAW, CONNTRACK, MANGLE, NAT_TARGET, FILTER, NAT_SOURCE, CONFIRM]).toEqual([
      -400, -300, -200, -150, -100, 0, 100, 2_147_483_647,
    ]);
  });

  test('a host without rules has none', () => {
    expect(makeHost('host', newClock()).netfilter.hooks.map((list) => list.length)).toEqual([0, 0, 0, 0, 0]);
  });
});
