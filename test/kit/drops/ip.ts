/** Drops of IP, of what it asks ARP, its fragments, and the netfilter hooks. */
import { SECOND } from '../../../shared/platform.ts';
import { addRoute, ip } from '../cable.ts';
import { sendUdp } from '../datagram.ts';
import { arpFrame, ipPacket } from '../frames.ts';
import {
  type Counter,
  DropBench,
  type DropRecipes,
  MAC_EVERYBODY,
  NO_COUNTER,
  nstat,
  PEER,
  rtCache,
  udp,
  type Watch,
} from './bench.ts';

/** Numbers for experiments (RFC 3692). */
const PROTOCOL_UNKNOWN = 253;
const MF = 0x2000;
const DF = 0x4000;

const MAC_GROUP = 0x0100_5e01_0101 as typeof PEER;
const FORWARDING = { 'net.ipv4.ip_forward': '1' };
const SOURCE = ip('10.0.0.2');

const router = (watch: Watch): DropBench => new DropBench(watch, { ports: 2, sysctls: FORWARDING });

/** Fragments [from, to) of one datagram, in octets. */
function fragments(bench: DropBench, ...ranges: readonly (readonly [number, number, 'more' | 'last'])[]): void {
  for (const [from, to, more] of ranges) {
    bench.ip(new Uint8Array(to - from), { fragment: (more === 'more' ? MF : 0) | (from / 8), id: 77 });
  }
}

export const IP_DROPS: DropRecipes = {
  arp_gratuitous: [
    {
      when: 'an announcement comes while drop_gratuitous_arp is set',
      counter: NO_COUNTER,
      make: (watch) => {
        const bench = new DropBench(watch);
        bench.host.sysctl.set('net.ipv4.conf.eth0.drop_gratuitous_arp', '1');
        const [senderIp, targetIp] = [ip('10.0.0.55'), ip('10.0.0.55')];
        const packet = { operation: 1, senderMac: PEER, senderIp, targetMac: MAC_EVERYBODY, targetIp };
        bench.wire(arpFrame(MAC_EVERYBODY, PEER, packet));
      },
    },
  ],
  ip_header_too_short: [
    {
      when: 'its header claims more octets than came',
      counter: nstat('IpInHdrErrors'),
      make: (watch) => {
        const bytes = ipPacket({ source: SOURCE, target: ip('10.0.0.1'), protocol: 17 }, new Uint8Array(20));
        bytes[0] = 0x4f;
        new DropBench(watch).frame(0x0800, bytes);
      },
    },
  ],
  ip_bad_version: [
    {
      when: 'it says that it is version 5',
      counter: nstat('IpInHdrErrors'),
      make: (watch) => new DropBench(watch).udp(9, { version: 5 }),
    },
  ],
  ip_bad_checksum: [
    {
      when: 'its header sum is wrong',
      counter: nstat('IpExtInCsumErrors'),
      make: (watch) => new DropBench(watch).udp(9, { checksumError: 1 }),
    },
  ],
  ip_truncated: [
    {
      when: 'its end is missing',
      counter: nstat('IpExtInTruncatedPkts'),
      make: (watch) => new DropBench(watch).udp(9, { totalLength: 1_000 }),
    },
  ],
  ip_bad_length: [
    {
      when: 'it claims to be shorter than its header',
      counter: nstat('IpInHdrErrors'),
      make: (watch) => new DropBench(watch).udp(9, { totalLength: 19 }),
    },
  ],
  ip_bad_options: [
    {
      when: 'an option is longer than the header',
      counter: nstat('IpInHdrErrors'),
      make: (watch) => new DropBench(watch).udp(9, { options: Uint8Array.of(7, 40, 4, 0) }),
    },
  ],
  ip_source_route: [
    {
      when: 'it asks for a source route, which accept_source_route does not allow',
      counter: NO_COUNTER,
      make: (watch) => new DropBench(watch).udp(9, { options: Uint8Array.of(131, 7, 4, 10, 0, 1, 2, 0) }),
    },
  ],
  ip_invalid_source: [
    {
      when: 'it comes from 127.0.0.1 by a wire',
      counter: rtCache(7),
      make: (watch) => new DropBench(watch).udp(9, { source: ip('127.0.0.1') }),
    },
  ],
  ip_invalid_target: [
    {
      when: 'it is for 127.0.0.1 and comes by a wire',
      counter: rtCache(6),
      make: (watch) => new DropBench(watch).udp(9, { target: ip('127.0.0.1') }),
    },
  ],
  ip_not_member: [
    {
      when: 'it is for a group that nobody joined',
      counter: NO_COUNTER,
      make: (watch) => new DropBench(watch).udp(9, { target: ip('224.1.1.1') }, MAC_GROUP),
    },
  ],
  ip_rpfilter: [
    {
      when: 'the way back to its source is another interface',
      counter: nstat('TcpExtIPReversePathFilter'),
      make: (watch) => {
        const bench = new DropBench(watch, { ports: 2 });
        bench.host.sysctl.set('net.ipv4.conf.all.rp_filter', '1');
        bench.udp(9, { source: ip('10.0.1.2') });
      },
    },
  ],
  ip_no_route: [
    {
      when: 'a router knows no way',
      counter: nstat('IpExtInNoRoutes'),
      make: (watch) => router(watch).udp(9, { target: ip('192.0.2.1') }),
    },
  ],
  ip_not_forwarding: [
    {
      when: 'it is for somebody else and this is no router',
      counter: nstat('IpInAddrErrors'),
      make: (watch) => new DropBench(watch).udp(9, { target: ip('192.0.2.1') }),
    },
  ],
  ip_ttl_exceeded: [
    {
      when: 'its TTL runs out in a router',
      counter: nstat('IpInHdrErrors'),
      make: (watch) => router(watch).udp(9, { target: ip('10.0.1.2'), ttl: 1 }),
    },
  ],
  ip_too_big: [
    {
      when: 'the next link is narrower and DF is set',
      place: 'ip_forward',
      counter: nstat('IpFragFails'),
      make: (watch) => {
        const bench = router(watch);
        bench.host.devices.setMtu(bench.port(1).dev, 576);
        bench.ip(new Uint8Array(1_000), { target: ip('10.0.1.2'), fragment: DF });
      },
    },
    {
      when: 'a program sets DF on what its own link cannot carry',
      place: 'ip_send_skb',
      counter: nstat('IpFragFails'),
      make: (watch) => {
        const { host } = new DropBench(watch);
        sendUdp(host, SOURCE, { sourcePort: 9, targetPort: 9, size: 3_000, dontFragment: true });
      },
    },
  ],
  ip_no_protocol: [
    {
      when: 'nobody here speaks protocol 253',
      counter: nstat('IpInUnknownProtos'),
      make: (watch) => new DropBench(watch).ip(new Uint8Array(20), { protocol: PROTOCOL_UNKNOWN }),
    },
  ],
  ip_link_broadcast: [
    {
      when: 'it is for one host in a frame for everybody, and drop_unicast_in_l2_multicast is set',
      counter: NO_COUNTER,
      make: (watch) => {
        const bench = new DropBench(watch);
        bench.host.sysctl.set('net.ipv4.conf.all.drop_unicast_in_l2_multicast', '1');
        bench.udp(9, {}, MAC_EVERYBODY);
      },
    },
    {
      when: 'a router is to forward what came in a frame for everybody',
      place: 'ip_forward',
      counter: NO_COUNTER,
      make: (watch) => router(watch).udp(9, { target: ip('10.0.1.2') }, MAC_EVERYBODY),
    },
  ],
};

export const FRAGMENT_DROPS: DropRecipes = {
  frag_overlap: [
    {
      when: 'two fragments overlap',
      counter: nstat('IpExtReasmOverlaps'),
      counts: 1,
      make: (watch) => fragments(new DropBench(watch), [0, 800, 'more'], [400, 1_200, 'more']),
    },
  ],
  frag_duplicate: [
    {
      when: 'a fragment comes twice',
      counter: NO_COUNTER,
      make: (watch) => {
        const bench = new DropBench(watch);
        fragments(bench, [0, 800, 'more'], [0, 800, 'more'], [800, 900, 'last']);
      },
    },
  ],
  frag_too_far: [
    {
      when: 'so many fragments of its source came since that its ID has been used again',
      counter: nstat('IpReasmFails'),
      make: (watch) => {
        const bench = new DropBench(watch, { sysctls: { 'net.ipv4.ipfrag_max_dist': '2' } });
        fragments(bench, [0, 800, 'more']);
        for (let id = 1; id <= 3; id++) bench.ip(new Uint8Array(8), { fragment: MF, id });
        fragments(bench, [800, 900, 'last']);
      },
    },
  ],
  frag_timeout: [
    {
      when: 'the rest does not come for 30 seconds',
      counter: nstat('IpReasmTimeout'),
      make: (watch) => {
        const bench = new DropBench(watch);
        fragments(bench, [0, 800, 'more']);
        bench.clock.advance(31 * SECOND);
      },
    },
  ],
  frag_memory: [
    {
      when: 'ipfrag_high_thresh is reached',
      counter: nstat('IpReasmFails'),
      make: (watch) => {
        const bench = new DropBench(watch, {
          sysctls: { 'net.ipv4.ipfrag_low_thresh': '500', 'net.ipv4.ipfrag_high_thresh': '500' },
        });
        fragments(bench, [0, 800, 'more'], [800, 1_600, 'more']);
      },
    },
  ],
  frag_malformed: [
    {
      when: 'a fragment ends beyond 65535 octets',
      counter: nstat('IpReasmFails'),
      make: (watch) => fragments(new DropBench(watch), [65_528, 65_928, 'last']),
    },
  ],
};

/** A number of `conntrack -S`. */
const conntrackCounter = (name: string): Counter => ({
  command: 'conntrack -S',
  number: new RegExp(` ${name}=(\\d+)`),
});

export const NETFILTER_DROPS: DropRecipes = {
  netfilter_drop: [
    {
      when: 'a rule says DROP',
      counter: { command: 'iptables -L INPUT -v -n -x', number: /^ +(\d+) +\d+ DROP/m },
      make: (watch) => {
        const bench = new DropBench(watch);
        bench.iptables('filter', '-A INPUT -p udp --dport 9 -j DROP');
        bench.udp(9);
        bench.udp(9);
      },
    },
  ],
  conntrack_full: [
    {
      when: 'nf_conntrack_max connections are tracked',
      counter: conntrackCounter('drop'),
      make: (watch) => {
        const bench = new DropBench(watch);
        bench.iptables('filter', '-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT');
        // Back and forth for more than two seconds: such a flow is assured, and is not thrown out for another.
        for (let n = 0; n < 3; n++) {
          sendUdp(bench.host, SOURCE, { sourcePort: 9, targetPort: 9 });
          bench.udp(9);
          bench.clock.advance(3 * SECOND);
        }
        bench.host.sysctl.set('net.netfilter.nf_conntrack_max', '1');
        bench.udp(8);
      },
    },
  ],
  nat_no_port: [
    {
      when: 'two connections need the one port that the rule has',
      counter: conntrackCounter('insert_failed'),
      make: (watch) => {
        const bench = router(watch);
        addRoute(bench.host, '192.0.2.0/24 via 10.0.1.2 dev eth1');
        bench.iptables('nat', '-A POSTROUTING -o eth1 -p udp -j SNAT --to-source 10.0.1.1:5000');
        for (const source of ['10.0.0.2', '10.0.0.3'])
          bench.ip(udp({ target: 53, source: ip(source), to: ip('192.0.2.1') }), {
            source: ip(source),
            target: ip('192.0.2.1'),
          });
      },
    },
  ],
};
