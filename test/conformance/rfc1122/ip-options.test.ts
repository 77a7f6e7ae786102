/** RFC 1122 §3.2.1.8 and RFC 9293 §3.9.2.1: IP options of programs, source routes there and back. */
import { expect, test } from 'vitest';
import { fold, pseudoHeaderSum, sumBytes } from '../../../shared/header/checksum.ts';
import { IPV4, PROTOCOL } from '../../../shared/header/ipv4.ts';
import { TCP_FLAG } from '../../../shared/header/tcp.ts';
import { isErrno } from '../../../shared/net/errno.ts';
import type { Host } from '../../../shared/net/host.ts';
import type { Sock } from '../../../shared/net/sock.ts';
import { getSocketOption, setSocketOption } from '../../../shared/net/socket.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import type { TcpSock } from '../../../shared/net/tcp-sock.ts';
import { assert } from '../../../shared/platform.ts';
import { addRoute, ip } from '../../kit/cable.ts';
import { hex, icmpMessage, ipPacket, udpMessage } from '../../kit/frames.ts';
import { rawPeer } from '../../kit/raw-peer.ts';
import { listenOn, newSock } from '../../kit/tcp-pair.ts';
import { readSegment, tcpSegment } from '../../kit/tcp-raw.ts';

const WAIT = 10_000;
const ACCEPT = { 'net.ipv4.conf.all.accept_source_route': '1' };
const FAR = ip('192.0.2.1');
/** Loose, by 10.0.0.9 and 198.51.100.7. */
const BY_TWO = hex('83 0b 04 0a000009 c6336407 00');
/** As it arrives when it has been gone: 198.51.100.7 and then 10.0.0.9 passed it on. */
const GONE = '83 0b 0c c6336407 0a000009 00';

const options = (packet: DataView): string =>
  Array.from({ length: (packet.getUint8(0) & 15) * 4 - IPV4.SIZE }, (_, i) =>
    packet
      .getUint8(IPV4.SIZE + i)
      .toString(16)
      .padStart(2, '0'),
  ).join('');

function udpSock(host: Host): Sock {
  const sk = host.sockets.create(host, 'inet', 'dgram', 0);
  assert(!isErrno(sk), 'UDP sockets are there');
  assert(sk.proto.bind(sk, { address: ip('0.0.0.0'), port: 53 }) === undefined, 'a free port');
  return sk;
}

/** A connection that somebody far away opened by a source route that is gone to its end. */
async function openedBySourceRoute() {
  const { host, link } = await rawPeer(ACCEPT);
  addRoute(host, 'default via 10.0.0.9');
  const children: TcpSock[] = [];
  listenOn(host, 80, (child) => void children.push(child));
  const ends = { source: FAR, target: link.target, sourcePort: 9, targetPort: 80, ipOptions: GONE };
  link.send(tcpSegment({ ...ends, sequence: 0, flags: TCP_FLAG.SYN }));
  await link.wait(WAIT);
  const synAck = readSegment(link.arrived[0]!.packet, 0)!;
  const ack = synAck.sequence + 1;
  link.send(tcpSegment({ ...ends, sequence: 1, ack, flags: TCP_FLAG.ACK, window: 60_000 }));
  await link.wait(WAIT);
  return { host, link, synAck, ack, ends, child: children[0]! };
}

test('[MUST-51] an active open goes by the source route that the program gives: to its first hop, the target last in the list', async () => {
  const { host, link } = await rawPeer();
  const sk = newSock(host);
  expect(setSocketOption(sk, 'SOL_IP', 'IP_OPTIONS', BY_TWO)).toBeUndefined();
  expect(getSocketOption(sk, 'SOL_IP', 'IP_OPTIONS')).toEqual(BY_TWO);
  // There is no other way: without the route it would be ENETUNREACH.
  expect(tcpProto.connect(sk, { address: FAR, port: 80 })).toBe('EINPROGRESS');
  await link.wait(WAIT);
  const syn = readSegment(link.arrived[0]!.packet, 0)!;
  expect(syn.target).toBe(ip('10.0.0.9'));
  expect(syn.ipOptions).toBe('830b04c6336407c000020100');
});

test('[MUST-52] it takes precedence over one that comes in a segment', async () => {
  const { host, link } = await rawPeer(ACCEPT);
  const sk = newSock(host);
  setSocketOption(sk, 'SOL_IP', 'IP_OPTIONS', BY_TWO);
  tcpProto.connect(sk, { address: FAR, port: 80 });
  await link.wait(WAIT);
  const syn = readSegment(link.arrived[0]!.packet, 0)!;
  const ends = { source: FAR, target: link.target, sourcePort: 80, targetPort: sk.localPort };
  const flags = TCP_FLAG.SYN | TCP_FLAG.ACK;
  const ipOptions = '83 07 08 0a00004d 00';
  link.send(
    tcpSegment({ ...ends, sequence: 7, ack: syn.sequence + 1, flags, window: 60_000, ipOptions, options: '020405b4' }),
  );
  await link.wait(WAIT);
  expect(sk.state).toBe('ESTABLISHED');
  tcpProto.sendmsg(sk, new Uint8Array(3_000), {});
  await link.wait(WAIT);
  const later = link.arrived.slice(1).map(({ packet }) => readSegment(packet, 0)!);
  expect(new Set(later.map((segment) => segment.ipOptions))).toEqual(new Set([syn.ipOptions]));
  // Twelve octets of every packet are the options’.
  expect(Math.max(...later.map((segment) => segment.length))).toBe(1_460 - 12);
  // The sum is over the target, not over the hop that the header names.
  const sums = link.arrived.map(({ packet }) => {
    const from = (packet.getUint8(0) & 15) * 4;
    const segment = new Uint8Array(packet.buffer, packet.byteOffset + from, packet.getUint16(IPV4.TOTAL_LENGTH) - from);
    return fold(sumBytes(segment, 0, segment.length, pseudoHeaderSum(link.target, FAR, 6, segment.length)));
  });
  expect(new Set(sums)).toEqual(new Set([0xffff]));
});

test('[MUST-53, 1122-3.2.1.8e, 1122-3.2.1.8f, 1122-3.2.1.8g] a passive open goes back by the way the SYN came, with every segment', async () => {
  const { link, synAck, child } = await openedBySourceRoute();
  expect(synAck.target).toBe(ip('10.0.0.9'));
  expect(synAck.ipOptions).toBe('830b04c6336407c000020100');
  expect(child.state).toBe('ESTABLISHED');
  tcpProto.sendmsg(child, new Uint8Array(10), {});
  await link.wait(WAIT);
  const data = readSegment(link.arrived.at(-1)!.packet, 0)!;
  expect([data.length, data.target, data.ipOptions]).toEqual([10, ip('10.0.0.9'), synAck.ipOptions]);
});

test('a program’s own options replace the way back of a passive open', async () => {
  const { link, child } = await openedBySourceRoute();
  expect(setSocketOption(child, 'SOL_IP', 'IP_OPTIONS', new Uint8Array(0))).toBeUndefined();
  tcpProto.sendmsg(child, new Uint8Array(10), {});
  await link.wait(WAIT);
  const data = readSegment(link.arrived.at(-1)!.packet, 0)!;
  expect([data.target, data.ipOptions]).toEqual([FAR, '']);
});

test('[1122-3.2.1.8h] two source routes in one header, none with an address, one that does not fit: EINVAL, and when it comes dropped', async () => {
  const { host, link } = await rawPeer(ACCEPT);
  const sk = newSock(host);
  for (const bad of [
    '8307040a000009 8307040a000008',
    '830304',
    '83 08 04 0a00000900',
    '83 07 08 0a000009',
    '01'.repeat(44),
  ]) {
    expect(setSocketOption(sk, 'SOL_IP', 'IP_OPTIONS', hex(bad))).toBe('EINVAL');
  }
  const twice = hex('83 07 08 0a00004d 83 07 08 0a00004d 0000');
  const ends = { source: link.address, target: link.target, protocol: PROTOCOL.ICMP };
  link.send(ipPacket({ ...ends, options: twice }, icmpMessage(8, 0, 1, new Uint8Array(8))));
  await link.wait(WAIT);
  expect(link.arrived.map(({ packet }) => [packet.getUint8(IPV4.SIZE), packet.getUint8(IPV4.SIZE + 4)])).toEqual([
    [12, 27],
  ]);
});

test('a source route is not taken unless accept_source_route says so, and not by a host that is only a hop of it', async () => {
  for (const [sysctls, route] of [
    [{}, GONE],
    [ACCEPT, '83 0b 04 0a00004d 0a00004e 00'],
  ] as const) {
    const { host, link } = await rawPeer(sysctls);
    const ends = { source: link.address, target: link.target, protocol: PROTOCOL.ICMP };
    link.send(ipPacket({ ...ends, options: hex(route) }, icmpMessage(8, 0, 1, new Uint8Array(8))));
    await link.wait(WAIT);
    expect(link.arrived).toEqual([]);
    expect(Object.fromEntries(host.skbs.counters.drops)).toEqual({ ip_source_route: 1 });
  }
});

test('[1122-3.2.2.6f, 1122-3.2.2.8c] echo and timestamp go back by the source route they came by', async () => {
  const { host, link } = await rawPeer(ACCEPT);
  addRoute(host, 'default via 10.0.0.9');
  for (const message of [icmpMessage(8, 0, 1, new Uint8Array(8)), icmpMessage(13, 0, 1, new Uint8Array(12))]) {
    link.send(ipPacket({ source: FAR, target: link.target, protocol: PROTOCOL.ICMP, options: hex(GONE) }, message));
    await link.wait(WAIT);
  }
  expect(link.arrived).toHaveLength(2);
  for (const { packet } of link.arrived) {
    expect([packet.getUint32(IPV4.TARGET), options(packet)]).toEqual([ip('10.0.0.9'), '830b04c6336407c000020100']);
  }
});

test('[1122-3.2.1.8c, 1122-4.1.3.2b, 1122-4.1.3.2c] a program gives options to UDP, which hands them to IP', async () => {
  const { host, link } = await rawPeer();
  const sk = udpSock(host);
  expect(setSocketOption(sk, 'SOL_IP', 'IP_OPTIONS', hex('94040000'))).toBeUndefined();
  sk.proto.sendmsg(sk, new Uint8Array(5), { to: { address: link.address, port: 7 } });
  await link.wait(WAIT);
  expect(link.arrived.map(({ packet }) => options(packet))).toEqual(['94040000']);
});

test('[MAY-10, MAY-11] record route and timestamp of a program are filled in as the packet leaves, and told as they were given', async () => {
  const { host, link, clock } = await rawPeer();
  // Record route with two slots; timestamps with address, one slot.
  for (const given of ['070b04 00000000 00000000 00', '440c0501 00000000 00000000']) {
    const sk = newSock(host);
    expect(setSocketOption(sk, 'SOL_IP', 'IP_OPTIONS', hex(given))).toBeUndefined();
    expect(getSocketOption(sk, 'SOL_IP', 'IP_OPTIONS')).toEqual(hex(given));
    tcpProto.connect(sk, { address: link.address, port: 80 });
    await link.wait(0);
  }
  const time = (clock.now() / 1_000).toString(16).padStart(8, '0');
  expect(link.arrived.map(({ packet }) => options(packet))).toEqual([
    '070b080a0000020000000000',
    `440c0d010a000002${time}`,
  ]);
});

test('[1122-3.2.1.8d, 1122-3.4e, 1122-4.1.3.2a] options that came are passed up: IP_RECVOPTS as they are, IP_RETOPTS for the way back', async () => {
  const { host, link } = await rawPeer(ACCEPT);
  const sk = udpSock(host);
  const ports = { source: FAR, target: link.target, sourcePort: 9, targetPort: 53 };
  const send = async () => {
    link.send(ipPacket({ ...ports, protocol: PROTOCOL.UDP, options: hex(GONE) }, udpMessage(ports, new Uint8Array(5))));
    await link.wait(WAIT);
    return sk.proto.recvmsg(sk, new Uint8Array(10), 0);
  };
  addRoute(host, 'default via 10.0.0.9');
  setSocketOption(sk, 'SOL_IP', 'IP_RECVOPTS', 1);
  expect(await send()).toMatchObject({ options: hex(GONE) });
  setSocketOption(sk, 'SOL_IP', 'IP_RECVOPTS', 0);
  setSocketOption(sk, 'SOL_IP', 'IP_RETOPTS', 1);
  expect(await send()).toMatchObject({ options: BY_TWO });
});

test('[SHLD-24] a source route that comes later does not replace the one that the connection began with', async () => {
  const { link, synAck, ack, ends, child } = await openedBySourceRoute();
  const ipOptions = '83 07 08 0a000009 00';
  link.send(tcpSegment({ ...ends, ipOptions, sequence: 1, ack, flags: TCP_FLAG.ACK, window: 60_000, payload: 10 }));
  await link.wait(WAIT);
  tcpProto.sendmsg(child, new Uint8Array(10), {});
  await link.wait(WAIT);
  const last = readSegment(link.arrived.at(-1)!.packet, 0)!;
  expect([last.length, last.ipOptions]).toEqual([10, synAck.ipOptions]);
});
