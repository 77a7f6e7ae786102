import { describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../../shared/header/ipv4.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import type { Host } from '../../../shared/net/host.ts';
import { iptablesCommand, listTable } from '../../../shared/net/iptables.ts';
import { addRoute, attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { listen, sendTcp, sendUdp } from '../../kit/datagram.ts';
import { listenEcho, sendEcho } from '../../kit/echo.ts';

const run = (host: Host, line: string, table = 'filter') => iptablesCommand(host, table, line.split(' '));
const save = (host: Host, table = 'filter') =>
  listTable(host.tables.get(table)!).flatMap((chain) =>
    chain.rules.map((rule) => `-A ${chain.name} ${rule.specification}`),
  );

function setup() {
  const clock = newClock();
  const left = new Cable(clock);
  const right = new Cable(clock);
  const alice = makeHost('alice', clock);
  const router = makeHost('router', clock);
  const bob = makeHost('bob', clock);
  attach(alice, 'eth0', left, { addresses: ['10.0.1.2/24'] });
  attach(router, 'eth0', left, { addresses: ['10.0.1.1/24'] });
  attach(router, 'eth1', right, { addresses: ['10.0.2.1/24'] });
  attach(bob, 'eth0', right, { addresses: ['10.0.2.2/24'] });
  router.sysctl.set('net.ipv4.ip_forward', '1');
  addRoute(alice, 'default via 10.0.1.1');
  addRoute(bob, 'default via 10.0.2.1');
  return { clock, alice, router, bob };
}

describe('rules as iptables writes them', () => {
  test.each([
    ['-A INPUT -p tcp --dport 80 -j ACCEPT', '-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT', 'tcp dpt:80'],
    [
      '-A INPUT -s 10.0.0.0/8 ! -d 10.1.2.3 -i eth+ -j DROP',
      '-A INPUT -s 10.0.0.0/8 ! -d 10.1.2.3/32 -i eth+ -j DROP',
      '',
    ],
    [
      '-A INPUT -p tcp --syn -m multiport --dports 22,80,8000:8010 -j DROP',
      '-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m multiport --dports 22,80,8000:8010 -j DROP',
      'tcp flags:0x17/0x02 multiport dports 22,80,8000:8010',
    ],
    [
      '-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
      '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      'ctstate RELATED,ESTABLISHED',
    ],
    [
      '-A INPUT -p icmp --icmp-type echo-request -m limit --limit 1/s -j ACCEPT',
      '-A INPUT -p icmp -m icmp --icmp-type 8 -m limit --limit 1/sec -j ACCEPT',
      'icmptype 8 limit: avg 1/sec burst 5',
    ],
    [
      '-A FORWARD -o eth1 -p udp ! --sport 53 -j REJECT',
      '-A FORWARD -o eth1 -p udp -m udp ! --sport 53 -j REJECT --reject-with icmp-port-unreachable',
      'udp spt:!53 reject-with icmp-port-unreachable',
    ],
    ['-A OUTPUT -j LOG --log-prefix out', '-A OUTPUT -j LOG --log-prefix out', 'LOG flags 0 level 4 prefix "out"'],
  ])('%s', (line, saved, extra) => {
    const { router } = setup();
    expect(run(router, line)).toEqual({});
    expect(save(router)).toEqual([saved]);
    expect(listTable(router.tables.get('filter')!).flatMap((chain) => chain.rules)[0]?.extra).toBe(extra);
  });

  test.each([
    ['nat', '-A POSTROUTING -o eth0 -j MASQUERADE', '-A POSTROUTING -o eth0 -j MASQUERADE', ''],
    [
      'nat',
      '-A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 10.0.2.2:8080',
      '-A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.2.2:8080',
      'tcp dpt:80 to:10.0.2.2:8080',
    ],
    [
      'nat',
      '-A POSTROUTING -s 10.0.1.0/24 -j SNAT --to-source 192.0.2.1-192.0.2.4',
      '-A POSTROUTING -s 10.0.1.0/24 -j SNAT --to-source 192.0.2.1-192.0.2.4',
      'to:192.0.2.1-192.0.2.4',
    ],
    [
      'mangle',
      '-A PREROUTING -j MARK --set-mark 7',
      '-A PREROUTING -j MARK --set-xmark 0x7/0xffffffff',
      'MARK set 0x7',
    ],
  ])('%s: %s', (table, line, saved, extra) => {
    const { router } = setup();
    expect(run(router, line, table)).toEqual({});
    expect(save(router, table)).toEqual([saved]);
    expect(listTable(router.tables.get(table)!).flatMap((chain) => chain.rules)[0]?.extra).toBe(extra);
  });

  test('-I, -R, -D by number and by rule, -F, several sources at once', () => {
    const { router } = setup();
    for (const line of [
      '-A INPUT -s 10.0.0.1 -j DROP',
      '-I INPUT -s 10.0.0.2,10.0.0.3 -j DROP',
      '-I INPUT 2 -j ACCEPT',
    ])
      expect(run(router, line)).toEqual({});
    const sources = () => save(router).map((line) => /-s 10.0.0.([0-9])/.exec(line)?.[1] ?? 'any');
    expect(sources()).toEqual(['2', 'any', '3', '1']);
    expect(run(router, '-R INPUT 2 -s 10.0.0.9 -j DROP')).toEqual({});
    expect(run(router, '-D INPUT 1')).toEqual({});
    expect(run(router, '-D INPUT -s 10.0.0.1 -j DROP')).toEqual({});
    expect(sources()).toEqual(['9', '3']);
    expect(run(router, '-C INPUT -s 10.0.0.3/32 -j DROP')).toEqual({});
    expect(run(router, '-F INPUT')).toEqual({});
    expect(sources()).toEqual([]);
  });
});

describe('what iptables says of mistakes', () => {
  const v = 'iptables v1.8.9 (nf_tables): ';
  const hint = "\nTry `iptables -h' or 'iptables --help' for more information.";
  test.each([
    ['-A NOWHERE -j DROP', 'iptables: No chain/target/match by that name.', 1],
    ['-A INPUT -j NOWHERE', `${v}Chain 'NOWHERE' does not exist${hint}`, 2],
    ['-A INPUT -m nowhere -j DROP', `${v}Couldn't load match \`nowhere':No such file or directory\n${hint}`, 2],
    ['-A INPUT --dport 80 -j DROP', `${v}unknown option "--dport"${hint}`, 2],
    ['-A INPUT -p tpc -j DROP', `${v}unknown protocol "tpc" specified${hint}`, 2],
    ['-A INPUT -s 10.0.0.300 -j DROP', `${v}host/network \`10.0.0.300' not found${hint}`, 2],
    ['-A INPUT -p tcp --dport 99999 -j DROP', `${v}invalid port/service \`99999' specified${hint}`, 2],
    ['-A INPUT -o eth0 -j DROP', `${v}Can't use -o with INPUT\n${hint}`, 2],
    ['-D INPUT 7', 'iptables: Index of deletion too big.', 1],
    ['-I INPUT 7 -j DROP', 'iptables: Index of insertion too big.', 1],
    ['-D INPUT -j DROP', 'iptables: Bad rule (does a matching rule exist in that chain?).', 1],
    ['-N INPUT', 'iptables: Chain already exists.', 1],
    ['-X NOWHERE', 'iptables: No chain/target/match by that name.', 1],
    ['-P INPUT REJECT', "iptables: Bad policy name. Run `dmesg' for more information.", 1],
  ])('%s', (line, error, status) => {
    expect(run(setup().router, line)).toEqual({ error, status });
  });

  test('a chain that is used or not empty stays; a loop is refused; an unknown table is named', () => {
    const { router } = setup();
    for (const line of ['-N a', '-N b', '-A a -j b', '-A INPUT -j a']) expect(run(router, line)).toEqual({});
    expect(run(router, '-X a').error).toBe(`${v} CHAIN_DEL failed (Device or resource busy): chain a`);
    expect(run(router, '-X b').error).toBe(`${v} CHAIN_DEL failed (Device or resource busy): chain b`);
    expect(run(router, '-A b -j a').error).toBe('iptables: Too many levels of symbolic links.');
    expect(run(router, '-L', 'nowhere').error).toContain("table 'nowhere' does not exist");
  });
});

describe('what rules do', () => {
  test('without rules no hook is registered', () => {
    expect(setup().router.netfilter.hooks.every((hook) => hook.length === 0)).toBe(true);
  });

  test('DROP is silent, REJECT answers, counters count', () => {
    const { clock, alice, router, bob } = setup();
    const echoes = listenEcho(alice);
    run(router, '-A FORWARD -p icmp -d 10.0.2.2 -j DROP');
    run(router, '-A FORWARD -p icmp -j REJECT --reject-with icmp-admin-prohibited');
    sendEcho(alice, ip('10.0.2.2'));
    sendEcho(alice, ip('10.0.2.3'));
    clock.advance(1_000_000);
    expect(echoes.replies).toEqual([]);
    expect(echoes.errors.map(({ type, code }) => [type, code])).toEqual([[3, 13]]);
    const [, forward] = listTable(router.tables.get('filter')!);
    expect(forward?.rules.map(({ packets, bytes }) => [packets, bytes])).toEqual([
      [1, 84],
      [1, 84],
    ]);
    expect(router.skbs.counters.drops.get('netfilter_drop')).toBe(2);
    expect(bob.snmp.IcmpInEchos).toBe(0);
  });

  test('a stateful firewall: out and back, but not in; an error about the flow comes in', () => {
    const { clock, alice, router, bob } = setup();
    run(router, '-P FORWARD DROP');
    run(router, '-A FORWARD -i eth0 -j ACCEPT');
    run(router, '-A FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT');
    const atAlice = listen(alice, PROTOCOL.UDP);
    sendUdp(bob, ip('10.0.1.2'), { sourcePort: 53, targetPort: 1_000 });
    clock.advance(1_000_000);
    expect(atAlice.arrivals).toEqual([]);
    // Nobody listens at bob: the error is RELATED.
    sendUdp(alice, ip('10.0.2.2'), { sourcePort: 1_000, targetPort: 54 });
    clock.advance(1_000_000);
    expect(atAlice.errors.map(({ type, code }) => [type, code])).toEqual([[3, 3]]);
    sendUdp(bob, ip('10.0.1.2'), { sourcePort: 54, targetPort: 1_000 });
    clock.advance(1_000_000);
    expect(atAlice.arrivals).toHaveLength(1);
  });

  test('REJECT with tcp-reset looks like the target closed', () => {
    const { clock, alice, router } = setup();
    run(router, '-A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset');
    const seen = listen(alice, PROTOCOL.TCP);
    sendTcp(alice, ip('10.0.2.2'), { sourcePort: 1_000, targetPort: 80, flags: TCP_FLAG.SYN });
    clock.advance(1_000_000);
    expect(seen.arrivals).toMatchObject([
      { source: ip('10.0.2.2'), sourcePort: 80, flags: TCP_FLAG.RST | TCP_FLAG.ACK, checksumOk: true },
    ]);
  });

  test('own chains return to where they were called from', () => {
    const { clock, alice, router, bob } = setup();
    for (const line of [
      '-N web',
      '-A web -p tcp -j DROP',
      '-A web -s 10.9.9.9 -j RETURN',
      '-A FORWARD -j web',
      '-A FORWARD -p udp --dport 7 -j DROP',
    ])
      expect(run(router, line)).toEqual({});
    const seen = listen(bob, PROTOCOL.UDP);
    for (const targetPort of [7, 8]) sendUdp(alice, ip('10.0.2.2'), { sourcePort: 1, targetPort });
    clock.advance(1_000_000);
    expect(seen.arrivals.map((arrival) => arrival.targetPort)).toEqual([8]);
  });

  test('an OUTPUT drop is EPERM for the sender', () => {
    const { alice } = setup();
    run(alice, '-A OUTPUT -p udp -j DROP');
    expect(sendUdp(alice, ip('10.0.2.2'), { sourcePort: 1, targetPort: 2 })).toBe('EPERM');
    expect(alice.skbs.counters.live).toBe(0);
  });
});
