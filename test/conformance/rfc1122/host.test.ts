/** RFC 1122 §2 to §4.1: what a host must do below TCP, on a wire where every octet can be written and read. */
import { expect, test } from 'vitest';
import { MAC_BROADCAST, type Mac } from '../../../shared/header/address.ts';
import { fold, pseudoHeaderSum, sumBytes } from '../../../shared/header/checksum.ts';
import { ETHERTYPE } from '../../../shared/header/ethernet.ts';
import { IPV4, IPV4_DF, PROTOCOL } from '../../../shared/header/ipv4.ts';
import { UDP } from '../../../shared/header/udp.ts';
import { isErrno } from '../../../shared/net/errno.ts';
import type { Host } from '../../../shared/net/host.ts';
import type { Sock } from '../../../shared/net/sock.ts';
import { setSocketOption } from '../../../shared/net/socket.ts';
import { tcpProto } from '../../../shared/net/tcp.ts';
import { assert } from '../../../shared/platform.ts';
import { addRoute, attach, Cable, ip, makeHost, newClock } from '../../kit/cable.ts';
import { sendUdp } from '../../kit/datagram.ts';
import { listenEcho, sendEcho } from '../../kit/echo.ts';
import { hex, type IpFields, icmpMessage, ipPacket, udpMessage } from '../../kit/frames.ts';
import { rawPeer } from '../../kit/raw-peer.ts';
import { answerRoute } from '../../kit/route.ts';
import { newSock } from '../../kit/tcp-pair.ts';

const ECHO = icmpMessage(8, 0, 0x0001_0001, new Uint8Array(8));
const WAIT = 10_000;

function udpSock(host: Host, address = '0.0.0.0', port = 53): Sock {
  const sk = host.sockets.create(host, 'inet', 'dgram', 0);
  assert(!isErrno(sk), 'UDP sockets are there');
  assert(sk.proto.bind(sk, { address: ip(address), port }) === undefined, 'a free port');
  return sk;
}

/** A host, and packets to it: `echo` with changed headers, `udp` to port 53. */
async function scene(sysctls: Record<string, string> = {}) {
  const peer = await rawPeer(sysctls);
  const { host, link } = peer;
  const ends = { source: link.address, target: link.target };
  const echo = async (fields: Partial<IpFields> = {}) => {
    link.send(ipPacket({ ...ends, protocol: PROTOCOL.ICMP, ...fields }, ECHO));
    await link.wait(WAIT);
  };
  const udp = async (fields: Partial<IpFields> = {}, to?: Mac) => {
    const ports = { ...ends, ...fields, sourcePort: 9, targetPort: 53 };
    link.send(ipPacket({ ...ends, protocol: PROTOCOL.UDP, ...fields }, udpMessage(ports, new Uint8Array(20))), to);
    await link.wait(WAIT);
  };
  return { ...peer, echo, udp, drops: () => Object.fromEntries(host.skbs.counters.drops) };
}

test('[1122-2.3.1, 1122-2.3.3a] every frame that leaves has the type of IPv4 or of ARP: no trailers, no 802.3 length', () => {
  const clock = newClock();
  const cable = new Cable(clock);
  const [alice, bob] = [makeHost('alice', clock), makeHost('bob', clock)];
  attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
  attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'] });
  // Sizes for which 4.2BSD would have sent trailers among them.
  for (const size of [8, 512, 1_024, 3_000]) sendEcho(alice, ip('10.0.0.2'), { size });
  clock.advance(1_000_000);
  const types = cable.frames.map(({ bytes }) => (bytes[12]! << 8) | bytes[13]!);
  expect(types.length).toBeGreaterThan(10);
  expect(new Set(types)).toEqual(new Set([ETHERTYPE.ARP, ETHERTYPE.IPV4]));
});

test('[1122-2.3.2.1c] base_reachable_time_ms says how long a mapping holds', async () => {
  const { host, dev, link, echo } = await scene({ 'net.ipv4.neigh.default.base_reachable_time_ms': '1000' });
  await echo();
  await link.wait(1_600_000);
  await echo();
  await link.wait(10_000);
  expect(host.neighbours.lookup(dev, link.address)?.state).not.toBe('REACHABLE');
});

test('[1122-2.4a, 1122-3.2.2h] the link layer tells IP of broadcasts: no error is sent about what came in one', async () => {
  const { link, udp } = await scene();
  await udp({}, MAC_BROADCAST);
  expect(link.arrived).toEqual([]);
  await udp();
  expect(link.arrived).toHaveLength(1);
});

test('[1122-3.2.1.1] version 5 or 6 in an IPv4 frame is dropped without a word, and counted', async () => {
  const { host, link, echo, drops } = await scene();
  for (const version of [0, 5, 6, 15]) await echo({ version });
  expect(link.arrived).toEqual([]);
  expect(drops()).toEqual({ ip_bad_version: 4 });
  expect(host.snmp.IpInHdrErrors).toBe(4);
});

test('[1122-3.2.1.2] a header with a wrong checksum is dropped without a word, and counted', async () => {
  const { host, link, echo, drops } = await scene();
  await echo({ checksumError: 1 });
  expect(link.arrived).toEqual([]);
  expect(drops()).toEqual({ ip_bad_checksum: 1 });
  expect(host.snmp.IpInHdrErrors).toBe(1);
});

test('[1122-3.2.1.3a, 1122-3.3.1.1a, 1122-3.3.1.1b] a mask of any length decides what is on the link, with or without a gateway', () => {
  const clock = newClock();
  const host = makeHost('host', clock);
  attach(host, 'eth0', new Cable(clock), { addresses: ['10.1.2.3/9', '192.0.2.5/30'] });
  expect(answerRoute(host, '10.127.255.1')).toBe('dev eth0 src 10.1.2.3');
  expect(answerRoute(host, '192.0.2.6')).toBe('dev eth0 src 192.0.2.5');
  expect(answerRoute(host, '10.128.0.1')).toBe('ENETUNREACH');
  addRoute(host, 'default via 192.0.2.6');
  expect(answerRoute(host, '10.128.0.1')).toBe('via 192.0.2.6 dev eth0 src 192.0.2.5');
});

test('[1122-3.2.1.3d, 1122-3.2.2j, 1122-4.1.3.6a] a source that no single host can have is dropped without a word', async () => {
  const { host, link, echo, udp } = await scene({ 'net.ipv4.conf.all.log_martians': '0' });
  const open = udpSock(host);
  for (const source of ['255.255.255.255', '224.0.0.5', '127.0.0.1', '10.0.0.255'].map(ip)) {
    await echo({ source });
    await udp({ source });
  }
  expect(link.arrived).toEqual([]);
  expect(open.receiveQueue).toEqual([]);
  await udp();
  expect(open.receiveQueue).toHaveLength(1);
  open.proto.close(open);
  expect(host.skbs.counters.live).toBe(0);
});

test('[1122-3.2.1.6a, 1122-3.2.1.7c, 1122-4.1.4] TTL and type of service are what the program set, for TCP and for UDP', async () => {
  const { host, link } = await scene();
  const udp = udpSock(host);
  const tcp = newSock(host);
  for (const sk of [udp, tcp]) {
    setSocketOption(sk, 'SOL_IP', 'IP_TTL', 9);
    setSocketOption(sk, 'SOL_IP', 'IP_TOS', 0x20);
  }
  udp.proto.sendmsg(udp, new Uint8Array(5), { to: { address: link.address, port: 7 } });
  tcpProto.connect(tcp, { address: link.address, port: 7 });
  await link.wait(WAIT);
  const seen = link.arrived.map(({ packet }) => [
    packet.getUint8(IPV4.PROTOCOL),
    packet.getUint8(IPV4.TTL),
    packet.getUint8(IPV4.TOS),
  ]);
  expect(seen).toEqual([
    [PROTOCOL.UDP, 9, 0x20],
    [PROTOCOL.TCP, 9, 0x20],
  ]);
});

test('[1122-3.2.1.7a, 1122-3.2.1.7d] the default TTL is configurable, and never 0', async () => {
  const { host, link } = await scene({ 'net.ipv4.ip_default_ttl': '33' });
  expect(host.sysctl.set('net.ipv4.ip_default_ttl', '0')).toBe('EINVAL');
  const sk = udpSock(host);
  expect(setSocketOption(sk, 'SOL_IP', 'IP_TTL', 0)).not.toBeUndefined();
  sk.proto.sendmsg(sk, new Uint8Array(5), { to: { address: link.address, port: 7 } });
  await link.wait(WAIT);
  expect(link.arrived.map(({ packet }) => packet.getUint8(IPV4.TTL))).toEqual([33]);
});

test('[1122-3.2.2f, 1122-3.2.2g, 1122-3.2.2i] no error about an error, a broadcast, a multicast, a later fragment', async () => {
  const { link, udp, host } = await scene();
  const quoted = ipPacket({ source: link.target, target: link.address, protocol: 99 }, new Uint8Array(8));
  const ends = { source: link.address, target: link.target };
  // A parameter problem whose own header is answered by nothing; protocol unreachable is for others.
  link.send(ipPacket({ ...ends, protocol: PROTOCOL.ICMP }, icmpMessage(3, 1, 0, quoted)));
  for (const target of ['10.0.0.255', '255.255.255.255', '224.0.0.1'].map(ip)) await udp({ target }, MAC_BROADCAST);
  await udp({ fragment: 8 });
  await link.wait(40_000_000);
  expect(link.arrived).toEqual([]);
  expect(host.snmp.IcmpOutMsgs).toBe(0);
});

test('[1122-3.2.2.1b, 1122-3.2.2.1c] unreachable is told to the socket that it is about, which goes on all the same', async () => {
  const { host, link } = await scene();
  const sk = udpSock(host, '0.0.0.0', 5_000);
  expect(sk.proto.connect(sk, { address: link.address, port: 7 })).toBeUndefined();
  sk.proto.sendmsg(sk, new Uint8Array(5), {});
  await link.wait(WAIT);
  const { packet } = link.arrived[0]!;
  const sent = new Uint8Array(packet.buffer, packet.byteOffset, packet.getUint16(IPV4.TOTAL_LENGTH));
  setSocketOption(sk, 'SOL_IP', 'IP_RECVERR', 1);
  link.send(
    ipPacket({ source: link.address, target: link.target, protocol: PROTOCOL.ICMP }, icmpMessage(3, 1, 0, sent)),
  );
  await link.wait(WAIT);
  expect(sk.takeError()).toBe('EHOSTUNREACH');
  expect(sk.proto.sendmsg(sk, new Uint8Array(5), {})).toBe(5);
});

test('[1122-3.2.2.2a] a host that does not forward sends no redirect', async () => {
  const { host, link, echo } = await scene();
  addRoute(host, 'default via 10.0.0.77');
  await echo({ target: ip('192.0.2.1') });
  expect(link.arrived).toEqual([]);
  expect(host.snmp.IcmpOutRedirects).toBe(0);
});

test('[1122-3.2.2.2c] redirects for a network and for a host both update the route to their target', async () => {
  const { host, link } = await scene();
  addRoute(host, 'default via 10.0.0.9');
  for (const [i, target] of ['192.0.2.1', '198.51.100.1'].entries()) {
    const about = ipPacket({ source: link.target, target: ip(target), protocol: 17 }, new Uint8Array(8));
    const redirect = icmpMessage(5, i, ip('10.0.0.8'), about);
    link.send(ipPacket({ source: link.address, target: link.target, protocol: PROTOCOL.ICMP }, redirect));
    await link.wait(WAIT);
    expect(answerRoute(host, target)).toBe('via 10.0.0.8 dev eth0 src 10.0.0.2');
  }
});

test('[1122-3.2.2.3] a source quench is counted, and nothing else', async () => {
  const { host, link } = await scene();
  const about = ipPacket({ source: link.target, target: link.address, protocol: 17 }, new Uint8Array(8));
  link.send(
    ipPacket({ source: link.address, target: link.target, protocol: PROTOCOL.ICMP }, icmpMessage(4, 0, 0, about)),
  );
  await link.wait(WAIT);
  expect(host.snmp.IcmpInSrcQuenchs).toBe(1);
  expect(link.arrived).toEqual([]);
});

test('[1122-3.2.2.5a] an option that does not fit is told to its sender: parameter problem, with the octet that is wrong', async () => {
  const { link, echo, drops } = await scene();
  // A length of 9 in a header that has room for 8; a length of 0; a kind without a length at the very end.
  for (const options of ['0101010188090000', '88000000', '01010188']) await echo({ options: hex(options) });
  const told = link.arrived.map(({ packet }) => [20, 21, 24].map((at) => packet.getUint8(at)));
  expect(told).toEqual([
    [12, 0, 24],
    [12, 0, 20],
    [12, 0, 23],
  ]);
  expect(drops()).toEqual({ ip_bad_options: 3 });
});

test('[1122-3.2.2.6e] an echo reply reaches the program whose request it answers', async () => {
  const { host, link } = await scene();
  const { replies } = listenEcho(host);
  sendEcho(host, link.address, { id: 3, sequence: 4, size: 16 });
  await link.wait(WAIT);
  const reply = icmpMessage(0, 0, (3 << 16) | 4, new Uint8Array(16));
  link.send(ipPacket({ source: link.address, target: link.target, protocol: PROTOCOL.ICMP }, reply));
  await link.wait(WAIT);
  expect(replies.map(({ id, sequence, size }) => [id, sequence, size])).toEqual([[3, 4, 16]]);
});

test('[1122-3.2.2.8a] a timestamp is answered from the address that was asked', async () => {
  const { host, dev, link } = await scene();
  host.inet.addAddress(dev, ip('10.0.0.3'), { prefix: 24 });
  const ask = icmpMessage(13, 0, 0x0001_0001, new Uint8Array(12));
  link.send(ipPacket({ source: link.address, target: ip('10.0.0.3'), protocol: PROTOCOL.ICMP }, ask));
  await link.wait(WAIT);
  expect(link.arrived.map(({ packet }) => packet.getUint32(IPV4.SOURCE))).toEqual([ip('10.0.0.3')]);
});

test('[1122-3.2.2.9a, 1122-3.3.1.6] address, mask and gateway are configured by hand', () => {
  const clock = newClock();
  const host = makeHost('host', clock);
  attach(host, 'eth0', new Cable(clock), { addresses: ['10.9.8.7/20'] });
  expect(addRoute(host, 'default via 10.9.0.1')).toBeUndefined();
  expect(answerRoute(host, '10.9.15.1')).toBe('dev eth0 src 10.9.8.7');
  expect(answerRoute(host, '192.0.2.1')).toBe('via 10.9.0.1 dev eth0 src 10.9.8.7');
});

test('[1122-3.3.3, 1122-3.4a] the transport learns how much it may send at once, and sets DF, TTL and TOS of it', async () => {
  const { host, link } = await scene();
  const send = (size: number, dontFragment: boolean) =>
    sendUdp(host, link.address, { sourcePort: 1, targetPort: 2, size, dontFragment, ttl: 5, tos: 4 });
  expect(send(1_472, true)).toBeUndefined();
  expect(send(1_473, true)).toBe('EMSGSIZE');
  await link.wait(WAIT);
  const { packet } = link.arrived[0]!;
  const fields = [packet.getUint16(IPV4.FRAGMENT), packet.getUint8(IPV4.TTL), packet.getUint8(IPV4.TOS)];
  expect(fields).toEqual([IPV4_DF, 5, 4]);
});

test('[1122-3.3.4.2b, 1122-4.1.3.5b] a program speaks from the address it chose, or from the one that the route has', async () => {
  const { host, dev, link } = await scene();
  host.inet.addAddress(dev, ip('10.0.0.3'), { prefix: 24 });
  for (const sk of [udpSock(host, '10.0.0.3', 60), udpSock(host, '0.0.0.0', 61)]) {
    sk.proto.sendmsg(sk, new Uint8Array(5), { to: { address: link.address, port: 7 } });
  }
  await link.wait(WAIT);
  expect(link.arrived.map(({ packet }) => packet.getUint32(IPV4.SOURCE))).toEqual([ip('10.0.0.3'), ip('10.0.0.2')]);
});

test('[1122-3.3.6a] all ones is a broadcast, of the subnet and of the link; all zeros is a host', () => {
  const clock = newClock();
  const host = makeHost('host', clock);
  attach(host, 'eth0', new Cable(clock), { addresses: ['10.0.0.1/24'] });
  const types = ['10.0.0.255', '255.255.255.255', '10.0.0.0'].map((text) => host.routes.addressType(ip(text)));
  expect(types).toEqual(['broadcast', 'broadcast', 'unicast']);
});

test('[1122-3.3.6b] a packet in a link-layer broadcast is to a broadcast address, one to a neighbour is not in one', () => {
  const clock = newClock();
  const cable = new Cable(clock);
  const [alice, bob] = [makeHost('alice', clock), makeHost('bob', clock)];
  attach(alice, 'eth0', cable, { addresses: ['10.0.0.1/24'] });
  attach(bob, 'eth0', cable, { addresses: ['10.0.0.2/24'] });
  for (const target of ['10.0.0.255', '10.0.0.2']) sendUdp(alice, ip(target), { sourcePort: 1, targetPort: 2 });
  clock.advance(1_000);
  const packets = cable.frames.filter(({ bytes, from }) => bytes[13] === 0 && from.startsWith('alice'));
  const seen = packets.map(({ bytes }) => [bytes[0] === 0xff, new DataView(bytes.buffer).getUint32(14 + IPV4.TARGET)]);
  expect(seen).toEqual(
    expect.arrayContaining([
      [true, ip('10.0.0.255')],
      [false, ip('10.0.0.2')],
    ]),
  );
  expect(seen).toHaveLength(2);
});

test('[1122-3.2.1.6b, 1122-3.4b, 1122-4.1.3.5a] IP_PKTINFO and IP_RECVTOS tell interface, address and type of service of what came', async () => {
  const { host, dev, udp } = await scene();
  host.inet.addAddress(dev, ip('10.0.0.3'), { prefix: 24 });
  const sk = udpSock(host);
  setSocketOption(sk, 'SOL_IP', 'IP_PKTINFO', 1);
  setSocketOption(sk, 'SOL_IP', 'IP_RECVTOS', 1);
  await udp({ target: ip('10.0.0.3'), tos: 0x1c });
  const message = sk.proto.recvmsg(sk, new Uint8Array(100), 0);
  expect(message).toMatchObject({ target: ip('10.0.0.3'), ifindex: dev.ifindex, tos: 0x1c });
});

test('[1122-3.4c, 1122-3.4d] UDP has port unreachable sent, and IP hands such a message with its quote to UDP', async () => {
  const { host, link, udp } = await scene();
  await udp();
  const { packet } = link.arrived[0]!;
  expect([packet.getUint8(IPV4.SIZE), packet.getUint8(IPV4.SIZE + 1)]).toEqual([3, 3]);
  const sk = udpSock(host, '0.0.0.0', 4_000);
  sk.proto.connect(sk, { address: link.address, port: 9 });
  const ports = { source: link.target, target: link.address, sourcePort: 4_000, targetPort: 9 };
  // The header and eight octets of what it is about, no more.
  const quote = ipPacket({ ...ports, protocol: PROTOCOL.UDP }, udpMessage(ports, new Uint8Array(4))).slice(0, 28);
  const error = icmpMessage(3, 3, 0, quote);
  link.send(ipPacket({ source: link.address, target: link.target, protocol: PROTOCOL.ICMP }, error));
  await link.wait(WAIT);
  expect(sk.takeError()).toBe('ECONNREFUSED');
});

test('[1122-4.1.3.4a, 1122-4.1.3.4c] what UDP sends has a checksum, and it is right', async () => {
  const { host, link } = await scene();
  const sk = udpSock(host);
  sk.proto.sendmsg(sk, Uint8Array.from([1, 2, 3]), { to: { address: link.address, port: 7 } });
  await link.wait(WAIT);
  const { packet } = link.arrived[0]!;
  const datagram = new Uint8Array(packet.buffer, packet.byteOffset + IPV4.SIZE, UDP.SIZE + 3);
  expect(packet.getUint16(IPV4.SIZE + UDP.CHECKSUM)).not.toBe(0);
  const pseudo = pseudoHeaderSum(link.target, link.address, PROTOCOL.UDP, datagram.length);
  expect(fold(sumBytes(datagram, 0, datagram.length, pseudo))).toBe(0xffff);
});

test('[1122-4.1.3.4b] a datagram with a wrong checksum is dropped without a word; one without a checksum is taken', async () => {
  const { host, link } = await scene();
  const sk = udpSock(host);
  const ports = { source: link.address, target: link.target, sourcePort: 9, targetPort: 53 };
  for (const change of [1, 0]) {
    const datagram = udpMessage(ports, new Uint8Array(20));
    const view = new DataView(datagram.buffer);
    view.setUint16(UDP.CHECKSUM, change === 0 ? 0 : view.getUint16(UDP.CHECKSUM) ^ change);
    link.send(ipPacket({ ...ports, protocol: PROTOCOL.UDP }, datagram));
    await link.wait(WAIT);
  }
  expect(link.arrived).toEqual([]);
  expect(host.snmp.UdpInCsumErrors).toBe(1);
  expect(sk.receiveQueue).toHaveLength(1);
  sk.proto.close(sk);
});
