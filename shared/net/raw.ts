/**
 * Raw IP sockets (raw(7); Linux: net/ipv4/raw.c): every packet of one IP protocol, header included, beside what the
 * protocol itself makes of it; and packets of any protocol sent. Programs here run as root, so anyone may.
 *
 * IP hands rawLocalDeliver each packet to this host, and ICMP rawError each error it hears of (host.rawReceive, rawError).
 * Left out: ICMP_FILTER, own IP options and ID with IP_HDRINCL, SOCK_RAW with IPPROTO_RAW receiving (it never does).
 */
import { formatIpv4, IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import {
  allocSend,
  DatagramSock,
  followDatagram,
  IP_PAYLOAD_MAX,
  ioctlDatagram,
  pollDatagram,
  purgeReceived,
  queueReceived,
  receiveDatagram,
  reportIcmpError,
  shutdownDatagram,
  targetOf,
  tooLong,
} from './datagram.ts';
import { type Errno, isErrno, type Result } from './errno.ts';
import type { Host } from './host.ts';
import { countOut } from './icmp.ts';
import type { IcmpInfo } from './ip-input.ts';
import { ipSendSkb, tooLongToSend } from './ip-output.ts';
import { mayBindTo, routeOutput } from './route.ts';
import type { SkBuff } from './skbuff.ts';
import { MSG, type Proto, type SendOptions, type SockAddress, type SockoptValue } from './sock.ts';
import { describeSock } from './sock-diag.ts';

/** IPPROTO_RAW: sends with a header of its own, receives nothing. */
const IPPROTO_RAW = 255;
/** Raw sockets of a host: each costs a copy of every packet of its protocol. */
const SOCKETS_MAX = 256;

export class RawSock extends DatagramSock {
  /** IP_HDRINCL. */
  headerIncluded = false;
}

/** The open raw sockets of a host. */
export class RawTable {
  readonly socks: Set<RawSock> = new Set();
}

export function rawInit(host: Host): void {
  const table = new RawTable();
  host.rawReceive = (skb, protocol) => rawLocalDeliver(host, table, skb, protocol);
  host.rawError = (skb, protocol, info) => rawError(table, skb, protocol, info);
  const proto = rawProto(host, table);
  host.sockets.register({ family: 'inet', type: 'raw', protocol: -1, proto });
  host.sockDiag.register('raw', () =>
    [...table.socks].map((sk) => describeSock(sk, 'raw', sk.connected ? 'ESTABLISHED' : 'CLOSE')),
  );
}

function rawProto(host: Host, table: RawTable): Proto {
  const proto: Proto = {
    name: 'RAW',
    create: (_host, type, protocol) => {
      const sk = new RawSock(host, { family: 'inet', type, proto, protocol });
      sk.headerIncluded = protocol === IPPROTO_RAW;
      // The port that ss shows of a raw socket is its protocol.
      sk.localPort = protocol;
      if (table.socks.size < SOCKETS_MAX) table.socks.add(sk);
      return sk;
    },
    bind: (sk, { address }) => {
      if (address !== IPV4_ANY && !mayBindTo(host, address)) return 'EADDRNOTAVAIL';
      sk.localAddress = address;
      return undefined;
    },
    connect: (sk, { address }) => rawConnect(sk as RawSock, address),
    disconnect: (sk) => {
      (sk as RawSock).connected = false;
      sk.remoteAddress = IPV4_ANY;
      return undefined;
    },
    sendmsg: (sk, bytes, options) => rawSendmsg(sk as RawSock, bytes, options),
    recvmsg: (sk, into, flags) =>
      (flags & MSG.OOB) !== 0 ? 'EOPNOTSUPP' : receiveDatagram(sk as RawSock, into, flags, describe),
    shutdown: (sk, how) => shutdownDatagram(sk as RawSock, how),
    close: (sk) => {
      table.socks.delete(sk as RawSock);
      purgeReceived(sk);
    },
    poll: (sk) => pollDatagram(sk as RawSock),
    setsockopt: (sk, level, name, value) => setOption(sk as RawSock, level, name, value),
    getsockopt: (sk, level, name) =>
      level === 'SOL_IP' && name === 'IP_HDRINCL' ? Number((sk as RawSock).headerIncluded) : 'ENOPROTOOPT',
    ioctl: (sk, request) => ioctlDatagram(sk, request, (skb) => skb.length),
  };
  return proto;
}

function describe(skb: SkBuff): { length: number; from: SockAddress } {
  const address = skb.view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4;
  return { length: skb.length, from: { address, port: 0 } };
}

function setOption(sk: RawSock, level: string, name: string, value: SockoptValue): Errno | undefined {
  if (level !== 'SOL_IP' || name !== 'IP_HDRINCL') return 'ENOPROTOOPT';
  sk.headerIncluded = value !== 0;
  return undefined;
}

function rawConnect(sk: RawSock, address: Ipv4): Errno | undefined {
  const route = routeOutput(sk.host, { target: address, ifindex: sk.boundIfindex || undefined });
  if (isErrno(route)) return route;
  if (sk.localAddress === IPV4_ANY) sk.localAddress = route.source;
  sk.remoteAddress = address;
  sk.connected = true;
  return undefined;
}

interface RawPacket {
  readonly payload: Uint8Array;
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly protocol: number;
  readonly ttl: number | undefined;
  readonly tos: number;
}

/** Linux: raw_sendmsg. */
function rawSendmsg(sk: RawSock, bytes: Uint8Array, options: SendOptions): Result<number> {
  const { host } = sk;
  if (bytes.length > IP_PAYLOAD_MAX + (sk.headerIncluded ? IPV4.SIZE : 0)) return 'EMSGSIZE';
  if (((options.flags ?? 0) & MSG.OOB) !== 0) return 'EOPNOTSUPP';
  const to = targetOf(sk, options.to);
  if (isErrno(to)) return to;
  const packet = sk.headerIncluded ? withOwnHeader(bytes, to.address) : plain(sk, bytes, to.address, options);
  if (isErrno(packet)) return packet;
  const route = routeOutput(host, {
    target: packet.target,
    source: sk.localAddress === IPV4_ANY ? undefined : sk.localAddress,
    ifindex: sk.boundIfindex || undefined,
    mark: sk.mark,
  });
  if (isErrno(route)) return route;
  if (route.type === 'broadcast' && !sk.broadcast) return 'EACCES';
  const packetBytes = IPV4.SIZE + packet.payload.length;
  if ((sk.headerIncluded && packetBytes > route.mtu) || tooLongToSend(sk, route, packetBytes)) {
    return tooLong(sk, to, route.mtu);
  }
  const skb = allocSend(sk, packet.payload.length);
  if (isErrno(skb)) return skb;
  skb.bytes.set(packet.payload, skb.data);
  followDatagram(sk, skb, 0, options);
  if (packet.protocol === PROTOCOL.ICMP && packet.payload.length > 0) countOut(host, packet.payload[0] ?? 0);
  if (host.trace.on) host.trace.point('raw_sendmsg', skb, { to: formatIpv4(packet.target), length: bytes.length });
  const error = ipSendSkb(host, skb, {
    source: packet.source === IPV4_ANY ? route.source : packet.source,
    target: packet.target,
    protocol: packet.protocol,
    ttl: packet.ttl,
    tos: packet.tos,
    sk,
    route,
  });
  if (error === 'ENOBUFS' && !sk.receiveErrors) return bytes.length;
  return error ?? bytes.length;
}

function plain(sk: RawSock, payload: Uint8Array, target: Ipv4, options: SendOptions): RawPacket {
  const { localAddress: source, protocol } = sk;
  return { payload, source, target, protocol, ttl: options.ttl, tos: options.tos ?? sk.tos };
}

/** IP_HDRINCL: what the program's header says; the sum, and a source left out, are filled in. */
function withOwnHeader(bytes: Uint8Array, target: Ipv4): RawPacket | Errno {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < IPV4.SIZE) return 'EINVAL';
  const headerLength = ipv4HeaderLength(view, 0);
  if (headerLength !== IPV4.SIZE || bytes.length < headerLength) return 'EINVAL';
  return {
    payload: bytes.subarray(headerLength),
    source: view.getUint32(IPV4.SOURCE) as Ipv4,
    target,
    protocol: view.getUint8(IPV4.PROTOCOL),
    ttl: view.getUint8(IPV4.TTL),
    tos: view.getUint8(IPV4.TOS),
  };
}

/**
 * Give every raw socket that it concerns a copy, from the IP header on; whether there was one. Leaves `skb` alone.
 * `data` is at the IP header. (Linux: raw_local_deliver)
 */
export function rawLocalDeliver(host: Host, table: RawTable, skb: SkBuff, protocol: number): boolean {
  if (table.socks.size === 0) return false;
  const at = skb.networkHeader;
  const source = skb.view.getUint32(at + IPV4.SOURCE) as Ipv4;
  const target = skb.view.getUint32(at + IPV4.TARGET) as Ipv4;
  let delivered = false;
  for (const sk of table.socks) {
    if (sk.protocol !== protocol || sk.protocol === IPPROTO_RAW) continue;
    if (!concerns(sk, source, target, skb.ifindex)) continue;
    const twin = host.skbs.copy(skb);
    queueReceived(sk, twin);
    delivered = true;
  }
  return delivered;
}

/** Linux: raw_v4_match. */
function concerns(sk: RawSock, source: Ipv4, target: Ipv4, ifindex: number): boolean {
  if (sk.remoteAddress !== IPV4_ANY && sk.remoteAddress !== source) return false;
  if (sk.localAddress !== IPV4_ANY && sk.localAddress !== target) return false;
  return sk.boundIfindex === 0 || sk.boundIfindex === ifindex;
}

/** An ICMP error; `data` is at the quoted IP header. Leaves `skb` to the caller. (Linux: raw_icmp_error) */
export function rawError(table: RawTable, skb: SkBuff, protocol: number, info: IcmpInfo): void {
  if (table.socks.size === 0) return;
  const at = skb.data;
  const address = skb.view.getUint32(at + IPV4.TARGET) as Ipv4;
  const source = skb.view.getUint32(at + IPV4.SOURCE) as Ipv4;
  const payloadAt = at + ipv4HeaderLength(skb.view, at);
  for (const sk of table.socks) {
    if (sk.protocol !== protocol || !concerns(sk, address, source, skb.ifindex)) continue;
    reportIcmpError(sk, skb, { info, to: { address, port: 0 }, payloadAt });
  }
}
