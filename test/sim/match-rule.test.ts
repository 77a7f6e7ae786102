/** Match faults: trouble for the frames that a display filter names, on two hosts that talk TCP over a wire. */
import { expect, test } from 'vitest';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { type ImpairedWire, impaired } from '../../shared/wire/impair.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { cable } from '../kit/bad-cable.ts';
import { addCard, cardHost, platform } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { download, pattern, runUntil } from '../kit/tcp-pair.ts';

/** Alice downloads from bob; `out` is what alice's end does to the frames she sends, `back` bob's. */
function fetching(out: Impairment, back: Impairment, size: number) {
  const clock = new ManualClock(1_000_000);
  const [wireA, wireB] = memoryWire(clock, 'alice:eth0', 'bob:eth0');
  const ends = [wireA, wireB].map((wire, i) =>
    impaired(wire, { clock, platform, seed: 1, impairment: i === 0 ? out : back }),
  ) as [ImpairedWire, ImpairedWire];
  const alice = cardHost('alice', clock);
  const bob = cardHost('bob', clock);
  addCard(alice, 'eth0', ends[0], { addresses: ['10.0.0.1/24'] });
  addCard(bob, 'eth0', ends[1], { addresses: ['10.0.0.2/24'] });
  const bytes = pattern(size, 1);
  const { sink } = download({ clock, alice, bob, wires: ends }, bytes);
  const started = clock.now();
  const finished = runUntil(clock, () => sink()?.end === 'end', 60_000_000);
  expect(finished && Buffer.concat(sink()?.parts ?? []).equals(Buffer.from(bytes))).toBe(true);
  return { ends, alice, bob, took: clock.now() - started };
}

const SYN_ACK = 'tcp.flags.syn==1 && tcp.flags.ack==1';

test('the first and the second SYN-ACK are dropped by rules of their own; the third opens the connection a second later', () => {
  const rules = [
    { frames: SYN_ACK, nth: 1, loss: 1 },
    { frames: SYN_ACK, nth: 2, loss: 1 },
  ];
  const { ends, took } = fetching({}, { match: rules }, 1_000);
  const lost = ends[1].log.since(0).verdicts;
  expect(lost.map(({ verdict, rule }) => `${verdict} ${rule}`)).toEqual([
    `lost match "${SYN_ACK}" nth 1: loss 100%`,
    `lost match "${SYN_ACK}" nth 2: loss 100%`,
  ]);
  expect(took).toBeGreaterThanOrEqual(1_000_000);
  expect(took).toBeLessThan(1_500_000);
});

test('a rule with nth and count acts on those frames and leaves the others', () => {
  const match = [{ frames: 'tcp.len > 0', nth: 10, count: 3, loss: 1 }];
  const { ends } = fetching({}, { match }, 100_000);
  expect(ends[1].verdicts.lost).toBe(3);
  const frames = ends[1].log.since(0).verdicts.map(({ frame }) => frame);
  expect(frames[2]! - frames[0]!).toBe(2);
});

test('a corrupted segment whose FCS is right is found by TCP, and one whose IP header is hit by IP', () => {
  const hit = (layer: 'ip' | 'tcp') =>
    fetching({}, { match: [{ frames: 'tcp.len > 0', nth: 3, corrupt: { ratio: 1, layer } }] }, 50_000);
  const tcp = hit('tcp').alice;
  expect(tcp.snmp.TcpInCsumErrors).toBe(1);
  const ip = hit('ip').alice;
  expect(ip.snmp.TcpInCsumErrors).toBe(0);
  expect(ip.snmp.IpInHdrErrors).toBeGreaterThan(0);
  const cable = fetching({}, { match: [{ frames: 'tcp.len > 0', nth: 3, corrupt: 1 }] }, 50_000).alice;
  expect(cable.snmp.TcpInCsumErrors + cable.snmp.IpInHdrErrors).toBe(0);
  expect(cable.skbs.counters.drops.get('fcs_error')).toBe(1);
});

test('a delayed frame comes late and those behind it do not wait', () => {
  const match = [{ frames: 'tcp.len > 0', nth: 2, delay: 5_000 }];
  const { ends, alice } = fetching({}, { match, delay: 1_000 }, 20_000);
  expect(ends[1].verdicts.delayed).toBe(1);
  expect(alice.snmp.TcpExtTCPOFOQueue).toBeGreaterThan(0);
});

test('one rule is set without another losing its count', () => {
  const first = { frames: 'arp', loss: 1, nth: 5 };
  const clock = new ManualClock();
  const [inner] = memoryWire(clock, 'a:eth0', 'b:eth0');
  const wire = impaired(inner, { clock, platform, seed: 1, impairment: { match: [first] } });
  const arp = (): void => {
    const at = wire.reserve(76).append(76, 1, 1, 0);
    wire.reserve(0).view.setUint16(at + 8 + 12, 0x0806);
    wire.reserve(0).bytes.set([0, 1, 8, 0, 6, 4, 0, 1], at + 8 + 14);
    wire.kick();
  };
  for (let i = 0; i < 4; i++) arp();
  wire.set({ match: [first, { frames: 'udp', loss: 1 }] });
  arp();
  wire.set({});
  expect(wire.verdicts.lost).toBe(1);
});

test.each([
  [{ nth: 3 }, [3]],
  [{ count: 2 }, [1, 2]],
  [{ nth: 3, count: 2 }, [3, 4]],
  [{ every: 4 }, [4, 8, 12]],
  [{ nth: 2, every: 5 }, [2, 7, 12]],
  [{ nth: 2, every: 5, count: 2 }, [2, 7]],
  [{}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]],
])('of twelve frames that match, %j acts on %j', (which, hit) => {
  const { wire, send } = cable({ match: [{ frames: 'eth', loss: 1, ...which }] });
  send(12, 80);
  expect(wire.log.since(0).verdicts.map(({ frame }) => frame + 1)).toEqual(hit);
});

test('two rules of the same words count each for itself, whatever is set meanwhile', () => {
  const rule = { frames: 'eth', nth: 3, delay: 1_000 };
  const { wire, send } = cable({ match: [rule, rule] });
  send(2, 80);
  wire.set({ match: [rule, rule], delay: 5 });
  send(2, 80);
  expect(wire.log.since(0).verdicts.map(({ frame }) => frame + 1)).toEqual([3, 3]);
});
