/** Accurate ECN between two whole hosts: what one counted the other knows, through TSO, GRO and acknowledgements that stand for many. */
import { expect, test } from 'vitest';
import { IPV4 } from '../../shared/header/ipv4.ts';
import type { Host } from '../../shared/net/host.ts';
import { HOOK } from '../../shared/net/netfilter.ts';
import type { TcpSock } from '../../shared/net/tcp-sock.ts';
import { platform } from '../kit/cards.ts';
import { connectTo, listenOn, type Pair, pattern, pumpIn, pumpOut, runUntil, tcpPair } from '../kit/tcp-pair.ts';

const OCTETS = 800_000;

/** A queue on the way that marks one packet in `every`, those with ECT. */
function marker(host: Host, every: number): { marked: number } {
  const seen = { marked: 0 };
  let count = 0;
  host.netfilter.register(HOOK.PREROUTING, 0, (_host, skb) => {
    const tos = skb.view.getUint8(skb.data + IPV4.TOS);
    if ((tos & 3) !== 0 && ++count % every === 0) {
      skb.view.setUint8(skb.data + IPV4.TOS, tos | 3);
      seen.marked += Math.max(1, skb.gsoSegments);
    }
    return skb;
  });
  return seen;
}

/** Alice sends to bob with timestamps or without; both ends when all has arrived. */
function send(
  sysctls: Readonly<Record<string, string>>,
  every: number,
): { pair: Pair; alice: TcpSock; bob: TcpSock; marked: number } {
  const pair = tcpPair((clock, direction) => ({
    clock,
    platform,
    seed: 1 + direction,
    impairment: { delay: 5_000 },
  }));
  for (const host of [pair.alice, pair.bob]) {
    for (const [name, value] of Object.entries({ 'net.ipv4.tcp_ecn': '3', ...sysctls })) host.sysctl.set(name, value);
  }
  const seen = marker(pair.bob, every);
  marker(pair.alice, 3 * every);
  let bob: TcpSock | undefined;
  let got = 0;
  listenOn(pair.bob, 80, (child) => {
    bob = child;
    const sink = pumpIn(child);
    child.wait.add(() => {
      got = sink.total;
    });
  });
  const alice = connectTo(pair.alice, '10.0.0.2', 80);
  let begun = false;
  alice.wait.add(() => {
    if (begun || alice.state !== 'ESTABLISHED') return;
    begun = true;
    pumpOut(alice, pattern(OCTETS, 7), () => {});
  });
  expect(runUntil(pair.clock, () => got === OCTETS && alice.packetsOut === 0, 60_000_000)).toBe(true);
  return { pair, alice, bob: bob!, marked: seen.marked };
}

for (const timestamps of ['0', '1']) {
  test(`the sender knows every mark and octet that the receiver saw (timestamps ${timestamps})`, () => {
    const { alice, bob, marked } = send({ 'net.ipv4.tcp_timestamps': timestamps }, 9);
    expect(marked).toBeGreaterThan(20);
    expect(bob.accecn.receivedCe).toBe(marked);
    expect(alice.deliveredCe).toBe(marked);
    expect([...alice.accecn.deliveredBytes]).toEqual([...bob.accecn.receivedBytes]);
    expect(alice.accecn.deliveredBytes.reduce((sum, octets) => sum + octets)).toBe(OCTETS);
    expect(alice.sndSsthresh).toBeLessThan(0x7fff_ffff);
    expect(alice.totalRetrans).toBe(0);
    // Bob only acknowledges: what alice counted of his ACKs he learns from her segments, however they were cut and joined.
    if (timestamps === '1') {
      expect(alice.accecn.receivedCe).toBeGreaterThan(5);
      expect(alice.accecn.receivedCe - bob.deliveredCe).toBeOneOf([0, 1]);
    }
  });
}

test('without the option the field alone tells of the marks', () => {
  const { alice, marked } = send({ 'net.ipv4.tcp_ecn_option': '0' }, 9);
  expect(Math.abs(alice.deliveredCe - marked)).toBeLessThanOrEqual(marked / 4);
});

test('on a path that marks nothing no ACK is taken for a mark', () => {
  const { alice } = send({}, 1e9);
  expect(alice.deliveredCe).toBe(0);
  expect(alice.sndSsthresh).toBe(0x7fff_ffff);
});
