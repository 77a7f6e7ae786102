/** Mutated packets with their sums repaired, into a host and into a NATing router: nothing throws, nothing leaks. */
import { describe, expect, test } from 'vitest';
import { MAC_BROADCAST, type Mac } from '../../shared/header/address.ts';
import { ETHERTYPE } from '../../shared/header/ethernet.ts';
import { PROTOCOL } from '../../shared/header/ipv4.ts';
import { iptablesCommand, masquerade } from '../../shared/net/iptables.ts';
import { netifReceive } from '../../shared/net/netdev.ts';
import type { Random } from '../../shared/platform.ts';
import { addRoute, attach, Cable, frameSkb, ip, makeHost, newClock } from '../kit/cable.ts';
import { arpFrame, ethernetFrame, icmpMessage, ipPacket, repairSums, udpMessage } from '../kit/frames.ts';
import { TEST_SEED, testRandom } from '../kit/random.ts';

const ROUNDS = 300;
const FRAMES = 40;
const ROUTER = 0x0200_0000_aa01 as Mac;
const FROM = 0x0200_0000_bb01 as Mac;

function sample(random: Random): Uint8Array {
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const inside = ip('192.168.1.10');
  const outside = ip('203.0.113.80');
  const target = pick([
    ip('192.168.1.1'),
    ip('203.0.113.80'),
    ip('203.0.113.1'),
    ip('192.168.1.255'),
    ip('255.255.255.255'),
    ip('8.8.8.8'),
  ]);
  const data = new Uint8Array(random.below(200));
  const ports = { source: inside, target, sourcePort: 5_000 + random.below(4), targetPort: pick([53, 80, 8_053]) };
  const quoted = ipPacket(
    { source: pick([inside, ip('203.0.113.1')]), target: outside, protocol: pick([1, 6, 17]) },
    new Uint8Array(8 + random.below(30)),
  );
  const fragment = pick([0, 0, 0, 0x2000, 0x2001, 0x0003, 0x4000]);
  const payload = pick([
    udpMessage(ports, data),
    icmpMessage(8, 0, random.u32(), data),
    icmpMessage(pick([3, 11, 5, 12]), random.below(16), random.u32(), quoted),
    new Uint8Array(20 + random.below(40)).map((_, i) => (i === 12 ? 0x50 : random.below(256))),
  ]);
  const protocol = pick([PROTOCOL.UDP, PROTOCOL.ICMP, PROTOCOL.TCP, PROTOCOL.ICMP, 47]);
  const ttl = pick([0, 1, 2, 64]);
  const fields = { source: inside, target, protocol, ttl, fragment, id: random.below(4) };
  if (random.below(8) === 0)
    return arpFrame(MAC_BROADCAST, FROM, {
      operation: pick([1, 2, 3]),
      senderMac: FROM,
      senderIp: inside,
      targetMac: ROUTER,
      targetIp: target,
    });
  return ethernetFrame(pick([ROUTER, ROUTER, ROUTER, MAC_BROADCAST]), FROM, ETHERTYPE.IPV4, ipPacket(fields, payload));
}

function mutate(random: Random, frame: Uint8Array): Uint8Array {
  let out = frame.slice();
  for (let n = random.below(4); n > 0; n--) {
    const at = 12 + random.below(Math.max(1, out.length - 12));
    if (at < out.length) out[at] = random.below(256);
  }
  if (random.below(6) === 0) out = out.slice(0, random.below(out.length + 1));
  if (random.below(4) > 0) repairSums(out);
  return out;
}

function device(forwarding: boolean) {
  const clock = newClock();
  const lan = new Cable(clock);
  const wan = new Cable(clock);
  const host = makeHost('router', clock);
  const eth1 = attach(host, 'eth1', lan, { addresses: ['192.168.1.1/24'], mac: ROUTER });
  attach(host, 'eth0', wan, { addresses: ['203.0.113.1/24'], mtu: 100 });
  const far = makeHost('far', clock);
  attach(far, 'eth0', wan, { addresses: ['203.0.113.80/24'], mtu: 100 });
  attach(makeHost('near', clock), 'eth0', lan, { addresses: ['192.168.1.10/24'] });
  addRoute(host, 'default via 203.0.113.80');
  if (forwarding) {
    host.sysctl.set('net.ipv4.ip_forward', '1');
    masquerade(host, 'eth0');
    for (const line of [
      '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
      '-A FORWARD -p tcp --dport 80 -j REJECT --reject-with tcp-reset',
      '-A INPUT -p udp -m multiport --dports 53,80 -j REJECT',
    ])
      expect(iptablesCommand(host, 'filter', line.split(' '))).toEqual({});
  }
  return { clock, host, far, eth1 };
}

describe.each([
  ['a host', false],
  ['a NATing router', true],
])('%s', (_, forwarding) => {
  test(`survives mutated packets and drops or answers each (seed ${TEST_SEED})`, () => {
    const random = testRandom(`kernel ${forwarding}`);
    for (let round = 0; round < ROUNDS; round++) {
      const { clock, host, far, eth1 } = device(forwarding);
      for (let n = 0; n < FRAMES; n++) {
        netifReceive(host, eth1, frameSkb(host, mutate(random, sample(random))));
        clock.advance(random.below(1_000));
      }
      clock.advance(100_000_000);
      expect(host.skbs.counters.live).toBe(0);
      expect(far.skbs.counters.live).toBe(0);
      expect(host.fragments.queues.size).toBe(0);
      expect(host.fragments.bytes).toBe(0);
    }
  });
});
