/**
 * UDP (RFC 768, RFC 1122 §4.1; Linux: net/ipv4/udp.c): datagrams as they are, with a checksum and a port.
 *
 *   udp.ts          sockets: bind, connect, send, receive
 *   udp-input.ts    packets: to a socket, or back as "port unreachable"; ICMP errors to the socket
 *   udp-table.ts    ports
 *
 * Left out: UDP-Lite, encapsulation, GSO and GRO, multicast membership (IP_ADD_MEMBERSHIP).
 */
import { formatIpv4, IPV4_ANY, IPV4_BROADCAST, type Ipv4, isMulticastIpv4 } from '../header/address.ts';
import { pseudoHeaderSum } from '../header/checksum.ts';
import { IPV4, PROTOCOL } from '../header/ipv4.ts';
import { UDP } from '../header/udp.ts';
import {
  allocSend,
  badControl,
  checksumOf,
  followDatagram,
  IP_PAYLOAD_MAX,
  ioctlDatagram,
  pollDatagram,
  purgeReceived,
  receiveDatagram,
  shutdownDatagram,
  targetOf,
  tooLong,
  uncork,
} from './datagram.ts';
import { type Errno, isErrno, type Result } from './errno.ts';
import type { Host } from './host.ts';
import { firstHopOf, optionsLength } from './ip-options-set.ts';
import { ipSendSkb, tooLongToSend } from './ip-output.ts';
import { localAddressOf, mayBindTo, type Route, routeOutput } from './route.ts';
import type { SkBuff } from './skbuff.ts';
import { MSG, type Proto, type SendOptions, type SockAddress, type SockoptValue } from './sock.ts';
import { describeSock } from './sock-diag.ts';
import { udpError, udpReceive } from './udp-input.ts';
import { UdpSock, UdpTable } from './udp-table.ts';

/** Longest message: what an IPv4 packet holds less our header. */
const MESSAGE_BYTES_MAX = IP_PAYLOAD_MAX - UDP.SIZE;

/** Make UDP part of a host. */
export function udpInit(host: Host): void {
  if (host.protocols.has(PROTOCOL.UDP)) return;
  const table = new UdpTable(host);
  host.protocols.set(PROTOCOL.UDP, {
    receive: (_host, skb) => udpReceive(host, table, skb),
    error: (_host, skb, info) => udpError(host, table, skb, info),
  });
  host.sockets.register({ family: 'inet', type: 'dgram', protocol: PROTOCOL.UDP, proto: udpProto(host, table) });
  host.sockDiag.register('udp', () =>
    table.list().map((sk) => describeSock(sk, 'udp', sk.connected ? 'ESTABLISHED' : 'CLOSE')),
  );
}

function udpProto(host: Host, table: UdpTable): Proto {
  const proto: Proto = {
    name: 'UDP',
    create: () => new UdpSock(host, { family: 'inet', type: 'dgram', proto, protocol: PROTOCOL.UDP }),
    bind: (sk, address) => udpBind(table, sk as UdpSock, address),
    connect: (sk, address) => udpConnect(table, sk as UdpSock, address),
    disconnect: (sk) => udpDisconnect(table, sk as UdpSock),
    sendmsg: (sk, bytes, options) => udpSendmsg(table, sk as UdpSock, bytes, options),
    recvmsg: (sk, into, flags) => receiveDatagram(sk as UdpSock, into, flags, describe),
    shutdown: (sk, how) => shutdownDatagram(sk as UdpSock, how),
    close: (sk) => {
      table.unbind(sk as UdpSock);
      purgeReceived(sk);
    },
    poll: (sk) => pollDatagram(sk as UdpSock),
    setsockopt: (sk, level, name, value) => setUdpOption(table, sk as UdpSock, { level, name, value }),
    getsockopt: (sk, level, name) =>
      level === 'SOL_UDP' && name === 'UDP_CORK' ? Number((sk as UdpSock).corking) : 'ENOPROTOOPT',
    ioctl: (sk, request) => ioctlDatagram(sk, request, payloadOf),
  };
  return proto;
}

/** Octets of payload; the checks on receipt made sure that they are there. */
function payloadOf(skb: SkBuff): number {
  return skb.view.getUint16(skb.transportHeader + UDP.LENGTH) - UDP.SIZE;
}

function describe(skb: SkBuff): { length: number; from: SockAddress } {
  const address = skb.view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4;
  const port = skb.view.getUint16(skb.transportHeader + UDP.SOURCE_PORT);
  return { length: payloadOf(skb), from: { address, port } };
}

/** Linux: __inet_bind. */
function udpBind(table: UdpTable, sk: UdpSock, { address, port }: SockAddress): Errno | undefined {
  if (sk.localPort !== 0) return 'EINVAL';
  if (port < 0 || port > 65_535) return 'EINVAL';
  const group = isMulticastIpv4(address) || address === IPV4_BROADCAST;
  if (address !== IPV4_ANY && !group && !mayBindTo(sk.host, address)) {
    // A subnet's broadcast address may be bound to, too.
    const route = routeOutput(sk.host, { target: address });
    if (isErrno(route) || route.type !== 'broadcast') return 'EADDRNOTAVAIL';
  }
  sk.localAddress = address;
  const error = table.bind(sk, port);
  if (error !== undefined) {
    sk.localAddress = IPV4_ANY;
    return error;
  }
  sk.addressLocked = address !== IPV4_ANY;
  sk.portLocked = port !== 0;
  return undefined;
}

/** Nobody speaks as a group: a socket bound to one listens there, and sends from the address of the way out. */
function speaksAsSelf({ host, localAddress }: UdpSock): boolean {
  return localAddress !== IPV4_ANY && localAddressOf(host, localAddress);
}

function routeFor(sk: UdpSock, target: Ipv4, options: SendOptions = {}): Result<Route> {
  return routeOutput(sk.host, {
    target,
    source: options.source || (speaksAsSelf(sk) ? sk.localAddress : undefined),
    ifindex: options.ifindex || sk.boundIfindex || undefined,
    mark: sk.mark,
  });
}

/** Linux: __ip4_datagram_connect. */
function udpConnect(table: UdpTable, sk: UdpSock, { address, port }: SockAddress): Errno | undefined {
  const route = routeFor(sk, address);
  if (isErrno(route)) return route;
  if (route.type === 'broadcast' && !sk.broadcast) return 'EACCES';
  if (sk.localAddress === IPV4_ANY) sk.localAddress = route.source;
  if (sk.localPort === 0) {
    const error = table.bind(sk, 0);
    if (error !== undefined) return error;
  }
  sk.remoteAddress = address === IPV4_ANY ? route.source : address;
  sk.remotePort = port;
  sk.connected = true;
  return undefined;
}

/** Linux: __udp_disconnect. */
function udpDisconnect(table: UdpTable, sk: UdpSock): Errno | undefined {
  sk.connected = false;
  sk.remoteAddress = IPV4_ANY;
  sk.remotePort = 0;
  if (!sk.addressLocked) sk.localAddress = IPV4_ANY;
  if (!sk.portLocked) table.unbind(sk);
  return undefined;
}

/** Send one datagram; with MSG_MORE, keep it for the rest to come. (Linux: udp_sendmsg) */
function udpSendmsg(table: UdpTable, sk: UdpSock, bytes: Uint8Array, options: SendOptions): Result<number> {
  const { host } = sk;
  if (bytes.length > MESSAGE_BYTES_MAX) return 'EMSGSIZE';
  if (((options.flags ?? 0) & MSG.OOB) !== 0) return 'EOPNOTSUPP';
  // A datagram in the making goes where its first part was to go.
  const to = sk.corkedTo ?? targetOf(sk, options.to);
  if (isErrno(to)) return to;
  if (to.port <= 0 || to.port > 65_535 || badControl(sk, options)) return 'EINVAL';
  if (sk.localPort === 0) {
    const error = table.bind(sk, 0);
    if (error !== undefined) return error;
  }
  if (sk.corking || ((options.flags ?? 0) & MSG.MORE) !== 0) {
    sk.corkedTo = to;
    sk.corked.push(bytes.slice());
    return bytes.length;
  }
  const route = routeFor(sk, firstHopOf(sk.ipOptions, to.address), options);
  if (isErrno(route)) return route;
  if (route.type === 'broadcast' && !sk.broadcast) return 'EACCES';
  const payload = uncork(sk, bytes);
  sk.corkedTo = undefined;
  if (payload.length > MESSAGE_BYTES_MAX) return 'EMSGSIZE';
  const packetBytes = IPV4.SIZE + optionsLength(sk.ipOptions) + UDP.SIZE + payload.length;
  if (tooLongToSend(sk, route, packetBytes)) {
    return tooLong(sk, to, route.mtu);
  }
  const skb = allocSend(sk, UDP.SIZE + payload.length);
  if (isErrno(skb)) {
    if (skb === 'EAGAIN') host.snmp.UdpSndbufErrors++;
    return skb;
  }
  const unheard = followDatagram(sk, skb, payload.length, options);
  if (unheard !== undefined) {
    host.skbs.consume(skb);
    return unheard;
  }
  const source = options.source || (speaksAsSelf(sk) ? sk.localAddress : route.source);
  const target = to.address === IPV4_ANY ? source : to.address;
  skb.bytes.set(payload, skb.data + UDP.SIZE);
  writeHeader(skb, { source, target, sourcePort: sk.localPort, targetPort: to.port });
  if (host.trace.on) traceSend(host, skb, { source, target, sourcePort: sk.localPort, targetPort: to.port });
  const error = ipSendSkb(host, skb, {
    source,
    target,
    protocol: PROTOCOL.UDP,
    ipOptions: sk.ipOptions,
    ttl: options.ttl,
    tos: options.tos,
    sk,
    route,
  });
  if (error === undefined) host.snmp.UdpOutDatagrams++;
  // A full device queue is a lost datagram, which a program hears of only if it asked to.
  if (error === 'ENOBUFS' && !sk.receiveErrors) {
    host.snmp.UdpSndbufErrors++;
    return bytes.length;
  }
  return error ?? bytes.length;
}

/** UDP_CORK; taken out, what waited goes as one datagram. (Linux: udp_lib_setsockopt, udp_push_pending_frames) */
function setUdpOption(
  table: UdpTable,
  sk: UdpSock,
  { level, name, value }: { level: string; name: string; value: SockoptValue },
): Errno | undefined {
  if (level !== 'SOL_UDP' || name !== 'UDP_CORK') return 'ENOPROTOOPT';
  if (typeof value !== 'number') return 'EINVAL';
  sk.corking = value !== 0;
  if (sk.corking || sk.corkedTo === undefined) return undefined;
  // What becomes of it is not this call's to say.
  udpSendmsg(table, sk, new Uint8Array(0), {});
  return undefined;
}

interface UdpEnds {
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly sourcePort: number;
  readonly targetPort: number;
}

/** Leaves `skb` with its header and checksum in place. (Linux: udp_send_skb) */
function writeHeader(skb: SkBuff, ends: UdpEnds): void {
  const { view, data, length } = skb;
  view.setUint16(data + UDP.SOURCE_PORT, ends.sourcePort);
  view.setUint16(data + UDP.TARGET_PORT, ends.targetPort);
  view.setUint16(data + UDP.LENGTH, length);
  view.setUint16(data + UDP.CHECKSUM, 0);
  const sum = checksumOf(skb, length, pseudoHeaderSum(ends.source, ends.target, PROTOCOL.UDP, length));
  // Zero means "no checksum" (RFC 768), so a sum of zero is sent as its twin.
  view.setUint16(data + UDP.CHECKSUM, sum === 0 ? 0xffff : sum);
}

function traceSend(host: Host, skb: SkBuff, ends: UdpEnds): void {
  const from = `${formatIpv4(ends.source)}:${ends.sourcePort}`;
  const to = `${formatIpv4(ends.target)}:${ends.targetPort}`;
  host.trace.point('udp_sendmsg', skb, { from, to, length: skb.length - UDP.SIZE });
}
