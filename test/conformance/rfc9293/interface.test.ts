/** RFC 9293 §3.9: what a program may ask for (§3.9.1) and what TCP asks of IP (§3.9.2): addresses, TTL, Diffserv, ICMP. */
import { expect, test } from 'vitest';
import type { Mac } from '../../../shared/header/address.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { setSocketOption } from '../../../shared/net/socket.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { stopsMidFlight } from '../../kit/mid-flight.ts';
import { tcpScript } from '../../kit/tcp.ts';
import { connectTo, listenOn, newSock } from '../../kit/tcp-pair.ts';
import { readSegment, type SeenSegment, tcpSegment } from '../../kit/tcp-raw.ts';

const SYN = 'S 0:0(0) win 65535 <mss 1460,sackOK,nop,nop,nop,wscale 8>';

/** Alice with two cards, a peer on each. */
function twoCards() {
  const clock = newClock();
  const [left, right] = [new Cable(clock), new Cable(clock)];
  const alice = makeHost('alice', clock);
  attach(alice, 'eth0', left, { addresses: ['10.0.0.1/24', '10.0.0.11/24'] });
  attach(alice, 'eth1', right, { addresses: ['10.0.1.1/24'] });
  const [bob, carol] = [makeHost('bob', clock), makeHost('carol', clock)];
  for (const host of [alice, bob, carol]) stopsMidFlight(host, clock);
  attach(bob, 'eth0', left, { addresses: ['10.0.0.2/24'] });
  attach(carol, 'eth0', right, { addresses: ['10.0.1.2/24'] });
  const segments = (cable: Cable): SeenSegment[] =>
    cable.frames.flatMap(({ bytes }) => (bytes[12] === 8 && bytes[13] === 0 ? (readSegment(bytes) ?? []) : []));
  return { clock, left, right, alice, bob, carol, segments };
}

test('[MUST-11] a RST in SYN-RECEIVED goes back to where it began: a listener listens on, an open that crossed is over', () => {
  const t = tcpScript();
  const listener = t.listen();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('R 1:1(0) win 0');
  t.silence(5);
  expect(listener.error).toBeUndefined();
  t.nextPeer();
  t.inbound(SYN);
  t.outbound('S. 0:0(0) ack 1');
  t.inbound('. 1:1(0) ack 1 win 257');
  t.accept(listener);

  const crossed = tcpScript();
  const sk = crossed.connect();
  crossed.outbound('S 0:0(0)');
  crossed.inbound('S 0:0(0) win 5792 <mss 1000>');
  crossed.outboundAny('S. 0:0(0) ack 1');
  crossed.inbound('R 1:1(0) win 0');
  // RFC 9293 would say refused; Linux says so only in SYN-SENT.
  expect(sk.takeError()).toBe('ECONNRESET');
  expect(sk.state).toBe('CLOSE');
});

test('[MUST-41, MUST-42] a passive open leaves others alone: several connections of one port, several ports, at once', () => {
  const { clock, alice, bob } = twoCards();
  const accepted: number[] = [];
  for (const port of [80, 81]) listenOn(bob, port, (child) => void accepted.push(child.localPort));
  const first = connectTo(alice, '10.0.0.2', 80);
  clock.advance(10_000);
  listenOn(bob, 82, () => {});
  const more = [connectTo(alice, '10.0.0.2', 80), connectTo(alice, '10.0.0.2', 81)];
  clock.advance(10_000);
  expect(accepted).toEqual([80, 80, 81]);
  expect([first, ...more].map((sk) => sk.state)).toEqual(['ESTABLISHED', 'ESTABLISHED', 'ESTABLISHED']);
});

test('[MUST-44, MUST-45] IP is asked for the source of a SYN, and the connection keeps it', () => {
  const { clock, left, right, alice, bob, carol, segments } = twoCards();
  listenOn(bob, 80, () => {});
  listenOn(carol, 80, () => {});
  const near = connectTo(alice, '10.0.0.2', 80);
  const far = connectTo(alice, '10.0.1.2', 80);
  clock.advance(10_000);
  tcpProto.sendmsg(near, new Uint8Array(10), {});
  tcpProto.sendmsg(far, new Uint8Array(10), {});
  clock.advance(100_000);
  const sources = (cable: Cable, to: string) =>
    new Set(
      segments(cable)
        .filter((segment) => segment.target === ip(to))
        .map((segment) => segment.source),
    );
  expect(sources(left, '10.0.0.2')).toEqual(new Set([ip('10.0.0.1')]));
  expect(sources(right, '10.0.1.2')).toEqual(new Set([ip('10.0.1.1')]));
});

test('[MUST-43] a program may say which of its addresses an open is to use, active or passive', () => {
  const { clock, alice, bob } = twoCards();
  const remote: number[] = [];
  listenOn(bob, 80, (child) => void remote.push(child.remoteAddress));
  const sk = newSock(alice);
  expect(tcpProto.bind(sk, { address: ip('10.0.0.11'), port: 0 })).toBeUndefined();
  expect(tcpProto.connect(sk, { address: ip('10.0.0.2'), port: 80 })).toBe('EINPROGRESS');
  const passive = newSock(alice);
  tcpProto.bind(passive, { address: ip('10.0.0.11'), port: 90 });
  tcpProto.listen!(passive, 5);
  const heard = connectTo(bob, '10.0.0.11', 90);
  const deaf = connectTo(bob, '10.0.0.1', 90);
  clock.advance(10_000);
  expect(remote).toEqual([ip('10.0.0.11')]);
  expect([heard.state, deaf.takeError()]).toEqual(['ESTABLISHED', 'ECONNREFUSED']);
});

test('[MUST-46] an open to a broadcast or multicast address is refused', () => {
  const { alice } = twoCards();
  for (const address of ['255.255.255.255', '10.0.0.255', '224.0.0.1']) {
    expect(tcpProto.connect(newSock(alice), { address: ip(address), port: 80 })).toBe('ENETUNREACH');
  }
});

test('[MUST-57, MUST-63] a SYN to or from a broadcast or multicast address is dropped without a word', () => {
  const t = tcpScript();
  const listener = t.listen();
  let sent = 0;
  t.onFrame = () => sent++;
  const { theirIsn: sequence, ...ends } = t.ends();
  const syn = { ...ends, sequence, flags: TCP_FLAG.SYN };
  const broadcast = 0xffff_ffff_ffff as Mac;
  for (const target of ['255.255.255.255', '192.168.0.255', '224.0.0.1'].map(ip)) {
    t.inboundPacket(tcpSegment({ ...syn, target }), broadcast);
  }
  for (const source of ['255.255.255.255', '192.168.0.255', '224.0.0.1', '0.0.0.0'].map(ip)) {
    t.inboundPacket(tcpSegment({ ...syn, source }));
  }
  t.wait(10);
  expect(sent).toBe(0);
  expect(listener.accept?.ready.length).toBe(0);
  expect(t.live()).toBe(0);
});

test('[MUST-49] a program sets the TTL of its segments; net.ipv4.ip_default_ttl that of all others', () => {
  const { clock, left, alice, bob, segments } = twoCards();
  listenOn(bob, 80, () => {});
  const sk = newSock(alice);
  expect(setSocketOption(sk, 'SOL_IP', 'IP_TTL', 7)).toBeUndefined();
  tcpProto.connect(sk, { address: ip('10.0.0.2'), port: 80 });
  bob.sysctl.set('net.ipv4.ip_default_ttl', '99');
  clock.advance(10_000);
  const ttls = segments(left).map(({ source, ttl }) => [source === ip('10.0.0.1') ? 'alice' : 'bob', ttl]);
  expect(ttls.slice(0, 3)).toEqual([
    ['alice', 7],
    ['bob', 99],
    ['alice', 7],
  ]);
});

test('[MUST-48, SHLD-21, SHLD-22] the Diffserv field is the program’s, passed unchanged, and may change on the way', () => {
  const { clock, left, alice, bob, segments } = twoCards();
  listenOn(bob, 80, () => {});
  const sk = newSock(alice);
  setSocketOption(sk, 'SOL_IP', 'IP_TOS', 0xb8);
  tcpProto.connect(sk, { address: ip('10.0.0.2'), port: 80 });
  clock.advance(10_000);
  setSocketOption(sk, 'SOL_IP', 'IP_TOS', 0x28);
  tcpProto.sendmsg(sk, new Uint8Array(10), {});
  clock.advance(10_000);
  const ours = segments(left).filter(({ source }) => source === ip('10.0.0.1'));
  expect(ours.map(({ tos }) => tos)).toEqual([0xb8, 0xb8, 0x28]);
});

test('[MUST-50] IP options that TCP has no use for do not disturb it', () => {
  const t = tcpScript();
  const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
  const { theirIsn, ourIsn, ...ends } = t.ends();
  // A stream identifier (136), no-operations, and an option that nobody knows (0x5e).
  for (const [i, ipOptions] of ['8804abcd', '01010101', '5e040102'].entries()) {
    const flags = TCP_FLAG.ACK | TCP_FLAG.PSH;
    t.inboundPacket(
      tcpSegment({ ...ends, sequence: theirIsn + 1 + i * 10, ack: ourIsn + 1, flags, ipOptions, payload: 10 }),
    );
  }
  expect(t.read(sk, 100)).toBe(30);
});

test('[MUST-54, MUST-56, SHLD-25] unreachable 0, 1 and 5, time exceeded and parameter problem reach the connection and do not end it', () => {
  for (const [type, code, error] of [
    [3, 0, 'ENETUNREACH'],
    [3, 1, 'EHOSTUNREACH'],
    [3, 5, 'EOPNOTSUPP'],
    [11, 0, 'EHOSTUNREACH'],
    [11, 1, 'EHOSTUNREACH'],
    [12, 0, 'EPROTO'],
  ] as const) {
    const t = tcpScript();
    const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
    t.write(sk, 100);
    t.outbound('P. 1:101(100) ack 1');
    t.icmp(type, code, 0);
    expect(sk.state).toBe('ESTABLISHED');
    expect(sk.softError).toBe(error);
    t.inbound('. 1:1(0) ack 101 win 257');
    t.write(sk, 100);
    t.outbound('P. 101:201(100) ack 1');
  }
});

test('[MUST-55] a source quench is thrown away', () => {
  const t = tcpScript();
  const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
  t.write(sk, 100);
  t.outbound('P. 1:101(100) ack 1');
  const before = t.info(sk);
  t.icmp(4, 0, 0);
  expect(t.info(sk)).toEqual(before);
  expect(sk.softError).toBeUndefined();
});

test('[MUST-47] what went wrong is told once by SO_ERROR and to who reads; of what may pass, IP_RECVERR tells at once', () => {
  const t = tcpScript();
  const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
  expect(setSocketOption(sk, 'SOL_IP', 'IP_RECVERR', 1)).toBeUndefined();
  t.write(sk, 100);
  t.outbound('P. 1:101(100) ack 1');
  t.icmp(3, 1, 0);
  expect(tcpProto.recvmsg(sk, new Uint8Array(10), 0)).toBe('EHOSTUNREACH');
  expect(sk.state).toBe('ESTABLISHED');
  t.inbound('R. 1:1(0) ack 101 win 0');
  expect(sk.takeError()).toBe('ECONNRESET');
  expect(sk.takeError()).toBeUndefined();
});

test('[SHLD-26] unreachable 2 to 4 do not end an established connection either', () => {
  for (const [code, error] of [
    [2, 'ENOPROTOOPT'],
    [3, 'ECONNREFUSED'],
  ] as const) {
    const t = tcpScript();
    const sk = t.established({ syn: SYN, ack: '. 1:1(0) ack 1 win 257' });
    t.write(sk, 100);
    t.outbound('P. 1:101(100) ack 1');
    t.icmp(3, code, 0);
    expect(sk.state).toBe('ESTABLISHED');
    expect(sk.softError).toBe(error);
  }
  // In SYN-SENT they do.
  const t = tcpScript();
  const sk = t.connect();
  t.outbound('S 0:0(0)');
  t.icmp(3, 3, 0, 0);
  expect(sk.takeError()).toBe('ECONNREFUSED');
});
