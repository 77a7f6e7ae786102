import { describe, expect, test } from 'vitest';
import { listSnmp } from '../../../shared/net/snmp.ts';
import { attach, Cable, makeHost, newClock } from '../../kit/cable.ts';

function host() {
  const clock = newClock();
  const made = makeHost('host', clock);
  attach(made, 'eth0', new Cable(clock), { addresses: ['10.0.0.1/24'] });
  return made;
}

describe('sysctl', () => {
  test('names and defaults are Linux’s; a path names the same', () => {
    const { sysctl } = host();
    expect(sysctl.getText('net.ipv4.ip_default_ttl')).toBe('64');
    expect(sysctl.getText('net/ipv4/conf/eth0/rp_filter')).toBe('0');
    expect(sysctl.getText('net.ipv4.neigh.default.gc_thresh3')).toBe('1024');
    expect(sysctl.getText('net.ipv4.icmp_ratemask')).toBe('6168');
    expect(sysctl.getText('net.ipv4.route.min_pmtu')).toBe('552');
    expect(sysctl.names()).toEqual([...sysctl.names()].sort());
  });

  test('an unknown name is ENOENT, nonsense EINVAL', () => {
    const { sysctl } = host();
    expect(sysctl.set('net.ipv4.ip_forwad', '1')).toBe('ENOENT');
    expect(sysctl.set('net.ipv4.ip_default_ttl', 'many')).toBe('EINVAL');
    expect(sysctl.set('net.ipv4.ip_default_ttl', '256')).toBe('EINVAL');
    expect(sysctl.set('net.ipv4.ip_default_ttl', ' 128 ')).toBeUndefined();
    expect(sysctl.get('net.ipv4.ip_default_ttl')).toBe(128);
  });

  test('ip_forward is conf.all.forwarding, and sets every device’s', () => {
    const { sysctl } = host();
    sysctl.set('net.ipv4.ip_forward', '1');
    const names = [
      'net.ipv4.ip_forward',
      'net.ipv4.conf.all.forwarding',
      'net.ipv4.conf.default.forwarding',
      'net.ipv4.conf.eth0.forwarding',
    ];
    expect(names.map((name) => sysctl.get(name))).toEqual([1, 1, 1, 1]);
    expect(sysctl.get('net.ipv4.conf.all.accept_redirects')).toBe(0);
  });
});

describe('counters and /proc/net', () => {
  test('counters have nstat’s names in Linux’s order', () => {
    const names = [...listSnmp(host().snmp).keys()];
    expect(names[0]).toBe('IpInReceives');
    expect(names.indexOf('IcmpInMsgs')).toBeLessThan(names.indexOf('TcpActiveOpens'));
    expect(names).toContain('TcpExtTCPLostRetransmit');
    expect(names.at(-1)).toBe('IpExtReasmOverlaps');
  });

  test('/proc/net files look like Linux’s', () => {
    const made = host();
    const read = (name: string) => made.procfs.lookup(`/proc/net/${name}`)?.read() ?? '';
    expect(read('route').split('\n')[1]?.trimEnd()).toBe('eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0');
    expect(read('arp')).toBe('IP address       HW type     Flags       HW address            Mask     Device\n');
    expect(read('dev').split('\n')[2]).toMatch(/^ {4}lo: +0 +0/);
    const [names, values] = read('snmp').split('\n');
    expect(names).toMatch(/^Ip: Forwarding DefaultTTL InReceives /);
    expect(values).toMatch(/^Ip: 2 64 /);
    expect(names?.split(' ')).toHaveLength(values?.split(' ').length ?? 0);
    expect(read('netstat')).toMatch(/^TcpExt: SyncookiesSent .*\nTcpExt: 0 .*\nIpExt: InNoRoutes .*\nIpExt: 0 .*\n$/);
  });
});
