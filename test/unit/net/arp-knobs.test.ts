/** net.ipv4.conf.*.arp_* and their kin, one after another, as Documentation/networking/ip-sysctl.rst has them. */
import { describe, expect, test } from 'vitest';
import { formatIpv4, MAC_BROADCAST, MAC_ZERO, type Mac } from '../../../shared/header/address.ts';
import { ARP_REPLY, ARP_REQUEST, parseArp } from '../../../shared/header/arp.ts';
import { ETHERNET } from '../../../shared/header/ethernet.ts';
import { isMalformed } from '../../../shared/header/malformed.ts';
import { type NetDevice, netifReceive } from '../../../shared/net/netdev.ts';
import { addRoute, attach, Cable, frameSkb, ip, makeHost, newClock } from '../../kit/cable.ts';
import { sendEcho } from '../../kit/echo.ts';
import { arpFrame } from '../../kit/frames.ts';
import { stopsMidFlight } from '../../kit/mid-flight.ts';

const SECOND = 1_000_000;
const EVE = 0x0200_0000_0e0e as Mac;

/** A host with two cards; whoever asks sits on the first. */
function host() {
  const clock = newClock();
  const cables = [new Cable(clock), new Cable(clock)] as const;
  const alice = makeHost('alice', clock);
  const eth0 = attach(alice, 'eth0', cables[0], { addresses: ['10.0.0.1/24', '10.0.9.1/24'] });
  const eth1 = attach(alice, 'eth1', cables[1], { addresses: ['10.0.1.1/24'] });
  for (const cable of cables) attach(makeHost('silent', clock), 'eth0', cable);
  const set = (name: string, value: number) =>
    expect(alice.sysctl.set(`net.ipv4.conf.${name}`, String(value))).toBeUndefined();
  const send = (operation: number, sender: string, target: string, to: Mac = MAC_BROADCAST, dev: NetDevice = eth0) => {
    const targetMac = operation === ARP_REPLY ? EVE : MAC_ZERO;
    const packet = { operation, senderMac: EVE, senderIp: ip(sender), targetMac, targetIp: ip(target) };
    netifReceive(alice, dev, frameSkb(alice, arpFrame(to, EVE, packet)));
    clock.advance(0);
  };
  const ask = (target: string, sender = '10.0.0.9') => send(ARP_REQUEST, sender, target);
  /** Senders of the ARP packets on a cable, and forget them. */
  const said = (at: 0 | 1 = 0, operation: number = ARP_REPLY) => {
    const packets = cables[at].frames.splice(0).map(({ bytes }) => {
      const view = new DataView(bytes.buffer);
      return view.getUint16(ETHERNET.TYPE) === 0x0806 ? parseArp(view, ETHERNET.SIZE, bytes.length) : undefined;
    });
    return packets.flatMap((p) =>
      p === undefined || isMalformed(p) || p.operation !== operation ? [] : [formatIpv4(p.senderIp)],
    );
  };
  stopsMidFlight(alice, clock);
  return { clock, alice, eth0, eth1, set, send, ask, said };
}

describe('arp_ignore', () => {
  test.each([
    [0, ['10.0.0.1', '10.0.9.1', '10.0.1.1']],
    [1, ['10.0.0.1', '10.0.9.1']],
    [2, ['10.0.0.1']],
    [3, ['10.0.0.1', '10.0.9.1', '10.0.1.1']],
    [8, []],
  ])('%i: answers 10.0.0.9 for %j', (mode, answers) => {
    const { set, ask, said } = host();
    set('all.arp_ignore', mode);
    for (const target of ['10.0.0.1', '10.0.9.1', '10.0.1.1']) ask(target);
    expect(said()).toEqual(answers);
  });

  test('3: no answer for an address of scope host', () => {
    const { alice, set, ask, said } = host();
    alice.inet.addAddress(alice.devices.byName('lo')!, ip('10.0.7.7'), { prefix: 32, scope: 'host' });
    ask('10.0.7.7');
    expect(said()).toEqual(['10.0.7.7']);
    set('eth0.arp_ignore', 3);
    ask('10.0.7.7');
    expect(said()).toEqual([]);
  });
});

describe('arp_announce', () => {
  const question = (mode: number) => {
    const { clock, alice, set, said } = host();
    set('eth0.arp_announce', mode);
    sendEcho(alice, ip('10.0.0.9'), { source: ip('10.0.1.1') });
    clock.advance(1);
    return said(0, ARP_REQUEST);
  };

  test('0: any address of ours may ask', () => expect(question(0)).toEqual(['10.0.1.1']));
  test('1: only one on the subnet of the target', () => expect(question(1)).toEqual(['10.0.0.1']));
  test('2: the best for the target, whatever the packet says', () => expect(question(2)).toEqual(['10.0.0.1']));
});

describe('other ARP settings', () => {
  test('arp_filter: only the card that we would answer by answers, and it is counted', () => {
    const { alice, set, ask, said } = host();
    addRoute(alice, '192.168.0.0/16 via 10.0.1.9');
    ask('10.0.0.1', '192.168.0.5');
    expect(said()).toEqual(['10.0.0.1']);
    set('all.arp_filter', 1);
    ask('10.0.0.1', '192.168.0.5');
    expect(said()).toEqual([]);
    expect(alice.snmp.TcpExtArpFilter).toBe(1);
  });

  test('arp_accept: 1 learns from announcements and unasked answers, 2 only of our subnets', () => {
    const { alice, eth0, set, send } = host();
    const known = (address: string) => alice.neighbours.lookup(eth0, ip(address))?.state;
    send(ARP_REQUEST, '10.0.0.9', '10.0.0.9');
    expect(known('10.0.0.9')).toBeUndefined();
    set('eth0.arp_accept', 2);
    send(ARP_REQUEST, '172.16.0.9', '172.16.0.9');
    send(ARP_REQUEST, '10.0.0.9', '10.0.0.9');
    expect([known('172.16.0.9'), known('10.0.0.9')]).toEqual([undefined, 'STALE']);
    set('eth0.arp_accept', 1);
    send(ARP_REPLY, '172.16.0.9', '10.0.0.1', eth0.mac);
    expect(known('172.16.0.9')).toBe('REACHABLE');
  });

  test('drop_gratuitous_arp: announcements change nothing', () => {
    const { alice, eth0, set, ask, send } = host();
    ask('10.0.0.1');
    set('all.drop_gratuitous_arp', 1);
    send(ARP_REQUEST, '10.0.0.9', '10.0.0.9');
    expect(alice.skbs.counters.drops.get('arp_gratuitous')).toBe(1);
    expect(alice.neighbours.lookup(eth0, ip('10.0.0.9'))?.state).toBe('STALE');
  });

  test('arp_notify: a card that comes up, or has a new MAC, announces its addresses', () => {
    const { alice, eth0, set, said } = host();
    set('eth0.arp_notify', 1);
    alice.devices.setMac(eth0, 0x0200_0000_0a0b as Mac);
    expect(said(0, ARP_REQUEST)).toEqual(['10.0.0.1', '10.0.9.1']);
    alice.devices.setUp(eth0, false);
    alice.devices.setUp(eth0, true);
    expect(said(0, ARP_REQUEST)).toEqual(['10.0.0.1', '10.0.9.1']);
  });

  test('arp_evict_nocarrier: 0 keeps neighbours through a carrier loss; `all` and the card must both be set', () => {
    for (const [name, kept] of [
      ['eth0', 1],
      ['all', 1],
      ['eth1', 0],
    ] as const) {
      const { alice, eth0, set, ask } = host();
      set(`${name}.arp_evict_nocarrier`, 0);
      ask('10.0.0.1');
      eth0.carrier = false;
      alice.devices.notify('change', eth0);
      expect(alice.neighbours.list().filter((n) => n.dev === eth0)).toHaveLength(kept);
    }
  });
});

describe('proxy ARP', () => {
  function router() {
    const made = host();
    made.alice.sysctl.set('net.ipv4.ip_forward', '1');
    return made;
  }

  test('proxy_arp: what is routed out of another card is answered for, after a part of proxy_delay', () => {
    const { clock, set, ask, said } = router();
    ask('10.0.1.50');
    clock.advance(SECOND);
    expect(said()).toEqual([]);
    set('eth0.proxy_arp', 1);
    ask('10.0.1.50');
    expect(said()).toEqual([]);
    clock.advance(0.8 * SECOND);
    expect(said()).toEqual(['10.0.1.50']);
    ask('10.0.0.77');
    clock.advance(SECOND);
    expect(said()).toEqual([]);
  });

  test('proxy_delay 0, or a question to us alone: at once; proxy_qlen bounds what waits', () => {
    const { alice, eth0, set, ask, send, said } = router();
    set('eth0.proxy_arp', 1);
    send(ARP_REQUEST, '10.0.0.9', '10.0.1.50', eth0.mac);
    expect(said()).toEqual(['10.0.1.50']);
    alice.sysctl.set('net.ipv4.neigh.eth0.proxy_qlen', '3');
    for (let n = 0; n < 10; n++) ask('10.0.1.50');
    expect(alice.skbs.counters.drops.get('neigh_queue_full')).toBe(6);
    alice.sysctl.set('net.ipv4.neigh.eth0.proxy_delay', '0');
    ask('10.0.1.51');
    expect(said()).toEqual(['10.0.1.51']);
  });

  test('proxy_arp_pvlan: back out of the card it came in by', () => {
    const { alice, set, ask, said } = router();
    alice.sysctl.set('net.ipv4.neigh.eth0.proxy_delay', '0');
    set('eth0.proxy_arp_pvlan', 1);
    ask('10.0.0.77');
    expect(said()).toEqual(['10.0.0.77']);
  });

  test('medium_id: cards on one medium do not stand in for each other', () => {
    const { alice, set, ask, said } = router();
    alice.sysctl.set('net.ipv4.neigh.eth0.proxy_delay', '0');
    set('all.proxy_arp', 1);
    set('eth0.medium_id', 5);
    set('eth1.medium_id', 5);
    ask('10.0.1.50');
    expect(said()).toEqual([]);
    set('eth1.medium_id', 6);
    ask('10.0.1.50');
    expect(said()).toEqual(['10.0.1.50']);
  });

  test('an address that the administrator named is answered for; when its card goes down, what waits is gone', () => {
    const { clock, alice, eth0, ask, said } = router();
    expect(alice.neighbours.proxies.add(eth0, ip('10.0.1.60'))).toBeUndefined();
    ask('10.0.1.60');
    clock.advance(SECOND);
    expect(said()).toEqual(['10.0.1.60']);
    ask('10.0.1.60');
    alice.devices.setUp(eth0, false);
    expect(alice.skbs.counters.drops.get('neigh_dead')).toBe(1);
    expect(alice.neighbours.proxies.delete(eth0, ip('10.0.1.60'))).toBe('ENOENT');
    expect(alice.skbs.counters.live).toBe(0);
  });
});

describe('default, and the values of a card', () => {
  test('a card without an address follows default where nobody set it; one with an address no more', () => {
    const { alice } = host();
    const { sysctl } = alice;
    const bare = attach(alice, 'eth2', new Cable(newClock()));
    sysctl.set('net.ipv4.conf.eth2.rp_filter', '2');
    sysctl.set('net.ipv4.conf.default.rp_filter', '1');
    sysctl.set('net.ipv4.conf.default.log_martians', '1');
    sysctl.set('net.ipv4.neigh.default.ucast_solicit', '7');
    expect(sysctl.get('net.ipv4.conf.eth2.rp_filter')).toBe(2);
    expect(sysctl.get('net.ipv4.conf.eth2.log_martians')).toBe(1);
    expect(sysctl.get('net.ipv4.neigh.eth2.ucast_solicit')).toBe(7);
    expect(sysctl.get('net.ipv4.conf.eth0.log_martians')).toBe(0);
    expect(sysctl.get('net.ipv4.neigh.eth0.ucast_solicit')).toBe(3);
    alice.inet.addAddress(bare, ip('10.0.2.1'), { prefix: 24 });
    sysctl.set('net.ipv4.neigh.default.ucast_solicit', '9');
    expect(sysctl.get('net.ipv4.neigh.eth2.ucast_solicit')).toBe(7);
    alice.devices.unregister(bare);
    expect(sysctl.names().filter((name) => name.includes('eth2'))).toEqual([]);
  });

  test('unres_qlen is unres_qlen_bytes in frames of 2090 octets', () => {
    const { sysctl } = host().alice;
    expect(sysctl.get('net.ipv4.neigh.eth0.unres_qlen')).toBe(101);
    expect(sysctl.set('net.ipv4.neigh.eth0.unres_qlen', '3')).toBeUndefined();
    expect(sysctl.get('net.ipv4.neigh.eth0.unres_qlen_bytes')).toBe(6_270);
    expect(sysctl.set('net.ipv4.neigh.eth0.unres_qlen', '-1')).toBe('EINVAL');
  });
});
