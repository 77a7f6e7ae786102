/** RFC 826 (ARP) with Linux's neighbour states and timers (RFC 1122 §2.3.2, RFC 4861 §7.3.2, RFC 5227). */
import { describe, expect, test } from 'vitest';
import { MAC_BROADCAST, MAC_ZERO, type Mac } from '../../shared/header/address.ts';
import { ARP_REPLY, ARP_REQUEST, parseArp } from '../../shared/header/arp.ts';
import { ETHERNET } from '../../shared/header/ethernet.ts';
import { isMalformed } from '../../shared/header/malformed.ts';
import { netifReceive } from '../../shared/net/netdev.ts';
import { attach, Cable, type Frame, frameSkb, ip, makeHost, newClock } from '../kit/cable.ts';
import { listenEcho, sendEcho } from '../kit/echo.ts';
import { arpFrame } from '../kit/frames.ts';
import { stopsMidFlight } from '../kit/mid-flight.ts';

const SECOND = 1_000_000;
const BOB = 0x0200_0000_0b0b as Mac;
const EVE = 0x0200_0000_0e0e as Mac;
const ME = 0x0200_0000_0a0a as Mac;

function arpOf(frame: Frame) {
  const view = new DataView(frame.bytes.buffer);
  if (view.getUint16(ETHERNET.TYPE) !== 0x0806) return undefined;
  const packet = parseArp(view, ETHERNET.SIZE, frame.bytes.length);
  return isMalformed(packet) ? undefined : packet;
}

function alone() {
  const clock = newClock();
  const cable = new Cable(clock);
  const alice = makeHost('alice', clock);
  stopsMidFlight(alice, clock);
  const eth0 = attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'], mac: ME });
  const silent = makeHost('silent', clock);
  attach(silent, 'eth0', cable);
  const receive = (frame: Uint8Array) => netifReceive(alice, eth0, frameSkb(alice, frame));
  const reply = (mac: Mac, target: Mac = ME) =>
    receive(
      arpFrame(target, mac, {
        operation: ARP_REPLY,
        senderMac: mac,
        senderIp: ip('10.0.0.2'),
        targetMac: ME,
        targetIp: ip('10.0.0.1'),
      }),
    );
  const ask = (mac: Mac, senderIp: string, targetIp: string) =>
    receive(
      arpFrame(MAC_BROADCAST, mac, {
        operation: ARP_REQUEST,
        senderMac: mac,
        senderIp: ip(senderIp),
        targetMac: MAC_ZERO,
        targetIp: ip(targetIp),
      }),
    );
  const entry = () => alice.neighbours.lookup(eth0, ip('10.0.0.2'));
  return { clock, cable, alice, eth0, reply, ask, entry, receive };
}

describe('RFC 826: address resolution', () => {
  test('[1122-2.3.3b, 826-request] a question goes to everybody, with our addresses and a zero target MAC', () => {
    const { cable, alice } = alone();
    sendEcho(alice, ip('10.0.0.2'));
    expect(cable.frames).toHaveLength(1);
    expect(arpOf(cable.frames[0]!)).toEqual({
      operation: ARP_REQUEST,
      senderMac: ME,
      senderIp: ip('10.0.0.1'),
      targetMac: MAC_ZERO,
      targetIp: ip('10.0.0.2'),
    });
    expect([...cable.frames[0]!.bytes.slice(0, 6)]).toEqual([255, 255, 255, 255, 255, 255]);
  });

  test('[826-reply, 826-learn] a question to us is answered to its sender alone, who becomes a STALE neighbour', () => {
    const { cable, ask, entry } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.1');
    expect(arpOf(cable.frames[0]!)).toEqual({
      operation: ARP_REPLY,
      senderMac: ME,
      senderIp: ip('10.0.0.1'),
      targetMac: BOB,
      targetIp: ip('10.0.0.2'),
    });
    expect(entry()).toMatchObject({ state: 'STALE', mac: BOB });
  });

  test('[826-ignore] a question for somebody else is not answered and teaches nothing new', () => {
    const { cable, ask, entry, alice } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.9');
    expect(cable.frames).toHaveLength(0);
    expect(entry()).toBeUndefined();
    expect(alice.skbs.counters.drops.get('arp_ignored')).toBe(1);
  });

  test('[826-merge] a question for somebody else from a known neighbour updates it (the merge flag)', () => {
    const { clock, ask, entry } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.1');
    clock.advance(2 * SECOND);
    ask(EVE, '10.0.0.2', '10.0.0.9');
    expect(entry()).toMatchObject({ state: 'STALE', mac: EVE });
  });

  test('an answer that nobody asked for creates nothing (arp_accept 0)', () => {
    const { reply, entry } = alone();
    reply(BOB);
    expect(entry()).toBeUndefined();
  });

  test('any address of this host is answered for on any device (arp_ignore 0), lo’s included', () => {
    const { cable, ask, alice } = alone();
    const lo = alice.devices.byName('lo')!;
    alice.inet.addAddress(lo, ip('192.0.2.1'), { prefix: 32 });
    ask(BOB, '10.0.0.2', '192.0.2.1');
    expect(arpOf(cable.frames[0]!)).toMatchObject({ operation: ARP_REPLY, senderIp: ip('192.0.2.1'), senderMac: ME });
  });

  test('[826-types] packets other than IPv4 over Ethernet are dropped', () => {
    const { receive, alice } = alone();
    const frame = arpFrame(ME, BOB, {
      operation: ARP_REQUEST,
      senderMac: BOB,
      senderIp: ip('10.0.0.2'),
      targetMac: MAC_ZERO,
      targetIp: ip('10.0.0.1'),
    });
    frame[ETHERNET.SIZE + 1] = 6;
    receive(frame);
    receive(frame.slice(0, 30));
    expect(alice.skbs.counters.drops.get('arp_malformed')).toBe(2);
  });
});

describe('RFC 5227: address conflict detection', () => {
  test('[5227-2.1] the kernel itself neither probes for an address nor announces it', () => {
    const clock = newClock();
    const cable = new Cable(clock);
    attach(makeHost('peer', clock), 'eth0', cable);
    attach(makeHost('host', clock), 'eth0', cable, { addresses: ['10.0.0.1/24'] });
    clock.advance(20 * SECOND);
    expect(cable.frames).toEqual([]);
  });

  test('[5227-2.1.1] a probe (sender 0.0.0.0) for our address is answered and teaches nothing', () => {
    const { cable, ask, alice } = alone();
    ask(BOB, '0.0.0.0', '10.0.0.1');
    expect(arpOf(cable.frames[0]!)).toMatchObject({ operation: ARP_REPLY, targetMac: BOB, targetIp: 0 });
    expect(alice.neighbours.list().filter((n) => n.state !== 'NOARP')).toEqual([]);
  });
});

describe('neighbour states', () => {
  test('INCOMPLETE: three questions a second apart, then FAILED and the waiting packets are lost', () => {
    const { clock, cable, alice, entry } = alone();
    const echoes = listenEcho(alice);
    sendEcho(alice, ip('10.0.0.2'));
    expect(entry()?.state).toBe('INCOMPLETE');
    clock.advance(2_999_999);
    expect(entry()?.state).toBe('INCOMPLETE');
    clock.advance(1);
    expect(entry()?.state).toBe('FAILED');
    clock.advance(SECOND);
    expect(cable.frames.map((frame) => frame.at)).toEqual([0, SECOND, 2 * SECOND]);
    expect(echoes.errors.map(({ type, code }) => [type, code])).toEqual([[3, 1]]);
  });

  test('[1122-2.3.2.1b] RFC 1122 §2.3.2.1: one address is asked for once a second at most, however many packets want it', () => {
    const { clock, cable, alice } = alone();
    for (let n = 0; n < 20; n++) {
      sendEcho(alice, ip('10.0.0.2'));
      clock.advance(SECOND / 20);
    }
    expect(cable.frames.filter((frame) => frame.at < SECOND)).toHaveLength(1);
  });

  test('[1122-3.3.1.4b, 1122-3.3.1.4c] REACHABLE on an answer, STALE when the reachable time is over, no packet without a reason', () => {
    const { clock, cable, alice, reply, entry } = alone();
    sendEcho(alice, ip('10.0.0.2'));
    reply(BOB);
    expect(entry()).toMatchObject({ state: 'REACHABLE', mac: BOB });
    const reachable = alice.neighbours.list()[0]?.parms.reachable() ?? 0;
    expect(reachable).toBeGreaterThanOrEqual(15 * SECOND);
    expect(reachable).toBeLessThan(45 * SECOND);
    const frames = cable.frames.length;
    clock.advance(reachable - 1);
    expect(entry()?.state).toBe('REACHABLE');
    clock.advance(2);
    expect(entry()?.state).toBe('STALE');
    clock.advance(100 * SECOND);
    expect(cable.frames).toHaveLength(frames);
  });

  test('[1122-2.3.2.1a, 1122-3.3.1.4a] STALE and used: DELAY for 5 s, then three unicast questions, then FAILED', () => {
    const { clock, cable, alice, ask, entry } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.1');
    cable.frames.length = 0;
    sendEcho(alice, ip('10.0.0.2'));
    expect(entry()?.state).toBe('DELAY');
    expect(cable.frames).toHaveLength(1);
    clock.advance(4_999_999);
    expect(entry()?.state).toBe('DELAY');
    clock.advance(1);
    expect(entry()?.state).toBe('PROBE');
    clock.advance(2_999_999);
    expect(entry()?.state).toBe('PROBE');
    clock.advance(1);
    expect(entry()?.state).toBe('FAILED');
    const questions = cable.frames.filter((frame) => arpOf(frame) !== undefined);
    expect(questions.map((frame) => frame.at)).toEqual([5 * SECOND, 6 * SECOND, 7 * SECOND]);
    for (const frame of questions) expect([...frame.bytes.slice(0, 6)]).toEqual([2, 0, 0, 0, 0x0b, 0x0b]);
  });

  test('[1122-3.3.1.4d] DELAY ends REACHABLE when the upper layer made progress meanwhile', () => {
    const { clock, cable, alice, ask, entry } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.1');
    sendEcho(alice, ip('10.0.0.2'));
    clock.advance(2 * SECOND);
    alice.neighbours.confirm(entry()!);
    const frames = cable.frames.length;
    clock.advance(3 * SECOND);
    expect(entry()?.state).toBe('REACHABLE');
    expect(cable.frames).toHaveLength(frames);
  });

  test('PROBE ends REACHABLE with a unicast answer', () => {
    const { clock, alice, ask, reply, entry } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.1');
    sendEcho(alice, ip('10.0.0.2'));
    clock.advance(5 * SECOND);
    expect(entry()?.state).toBe('PROBE');
    reply(BOB);
    expect(entry()?.state).toBe('REACHABLE');
  });

  test('locktime: a second answer within a second does not change the MAC, one after it does', () => {
    const { clock, alice, reply, entry } = alone();
    sendEcho(alice, ip('10.0.0.2'));
    reply(BOB);
    clock.advance(SECOND / 2);
    reply(EVE);
    expect(entry()?.mac).toBe(BOB);
    clock.advance(SECOND);
    reply(EVE);
    expect(entry()).toMatchObject({ mac: EVE, state: 'REACHABLE' });
  });

  test('a broadcast answer does not prove reachability', () => {
    const { clock, alice, reply, ask, entry } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.1');
    clock.advance(2 * SECOND);
    reply(EVE, MAC_BROADCAST);
    expect(entry()).toMatchObject({ mac: EVE, state: 'STALE' });
    expect(alice.skbs.counters.live).toBe(0);
  });

  test('the queue of an unresolved address is bounded by octets, the oldest packet goes first', () => {
    const { clock, cable, alice, reply } = alone();
    expect(alice.sysctl.set('net.ipv4.neigh.eth0.unres_qlen_bytes', '5000')).toBeUndefined();
    for (let sequence = 1; sequence <= 10; sequence++) sendEcho(alice, ip('10.0.0.2'), { sequence, size: 100 });
    expect(alice.skbs.counters.drops.get('neigh_queue_full')).toBe(5);
    reply(BOB);
    clock.advance(1_000);
    const sent = cable.frames.slice(1).map((frame) => new DataView(frame.bytes.buffer).getUint16(40));
    expect(sent).toEqual([6, 7, 8, 9, 10]);
  });

  test('the table is bounded: above gc_thresh3 no entry is made, and the packet says so', () => {
    const { alice } = alone();
    for (const [name, value] of [
      ['gc_thresh1', '0'],
      ['gc_thresh2', '3'],
      ['gc_thresh3', '4'],
    ])
      alice.sysctl.set(`net.ipv4.neigh.default.${name}`, value ?? '');
    for (let n = 2; n < 12; n++) sendEcho(alice, ip(`10.0.0.${n}`));
    expect(alice.neighbours.entries).toBeLessThanOrEqual(4);
    expect(alice.skbs.counters.drops.get('neigh_table_full')).toBeGreaterThan(0);
  });

  test('carrier loss forgets what was learned, not what was configured', () => {
    const { cable, alice, eth0, ask, entry } = alone();
    ask(BOB, '10.0.0.2', '10.0.0.1');
    const fixed = alice.neighbours.obtain(eth0, ip('10.0.0.3'))!;
    alice.neighbours.update(fixed, EVE, 'PERMANENT', { admin: true, override: true });
    cable.setCarrier(false);
    expect(entry()).toBeUndefined();
    expect(alice.neighbours.lookup(eth0, ip('10.0.0.3'))?.state).toBe('PERMANENT');
  });

  test('multicast and broadcast need no question: 01:00:5e and ff:ff:ff:ff:ff:ff', () => {
    const { cable, alice, eth0 } = alone();
    sendEcho(alice, ip('224.1.130.7'), { ifindex: eth0.ifindex });
    sendEcho(alice, ip('10.0.0.255'));
    sendEcho(alice, ip('255.255.255.255'), { ifindex: eth0.ifindex });
    expect(cable.frames.map((frame) => [...frame.bytes.slice(0, 6)])).toEqual([
      [1, 0, 0x5e, 1, 130, 7],
      [255, 255, 255, 255, 255, 255],
      [255, 255, 255, 255, 255, 255],
    ]);
  });
});
