/**
 * Ping sockets (socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP); Linux: net/ipv4/ping.c): what `ping` uses. The socket's port is
 * the identifier in the echo messages; the kernel fills it in and computes the sum, the program gives type 8, a sequence
 * number and data, and receives the echo replies that carry its identifier, from their ICMP header on.
 *
 * ICMP hands echo replies to pingReceive, and errors about echo requests to pingError.
 */
import { formatIpv4, IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { ICMP, ICMP_TYPE } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import {
  allocSend,
  checksumOf,
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
import { MSG, type Proto, type SendOptions, type SockAddress } from './sock.ts';

const IDENTIFIER_MAX = 65_535;

export class PingSock extends DatagramSock {}

/** Ping sockets by identifier. */
export class PingTable {
  readonly socks: Map<number, PingSock> = new Map();
  private last = 0;

  /** Linux: ping_get_port. */
  bind(sk: PingSock, identifier: number): Errno | undefined {
    let chosen = identifier;
    if (identifier === 0) {
      if (this.socks.size >= IDENTIFIER_MAX) return 'EADDRINUSE';
      do {
        this.last = this.last >= IDENTIFIER_MAX ? 1 : this.last + 1;
      } while (this.socks.has(this.last));
      chosen = this.last;
    } else if (this.socks.has(identifier)) {
      return 'EADDRINUSE';
    }
    sk.localPort = chosen;
    this.socks.set(chosen, sk);
    return undefined;
  }
  unbind(sk: PingSock): void {
    if (this.socks.get(sk.localPort) === sk) this.socks.delete(sk.localPort);
    sk.localPort = 0;
  }
}

export function pingInit(host: Host): void {
  const table = new PingTable();
  host.pingReceive = (skb) => pingReceive(table, skb);
  host.pingError = (skb, info) => pingError(table, skb, info);
  host.sockets.register({ family: 'inet', type: 'dgram', protocol: PROTOCOL.ICMP, proto: pingProto(host, table) });
}

function pingProto(host: Host, table: PingTable): Proto {
  const proto: Proto = {
    name: 'PING',
    create: () => new PingSock(host, { family: 'inet', type: 'dgram', proto, protocol: PROTOCOL.ICMP }),
    bind: (sk, { address, port }) => {
      if (sk.localPort !== 0) return 'EINVAL';
      if (address !== IPV4_ANY && !mayBindTo(host, address)) return 'EADDRNOTAVAIL';
      sk.localAddress = address;
      return table.bind(sk as PingSock, port);
    },
    connect: (sk, address) => pingConnect(table, sk as PingSock, address),
    disconnect: (sk) => {
      (sk as PingSock).connected = false;
      sk.remoteAddress = IPV4_ANY;
      return undefined;
    },
    sendmsg: (sk, bytes, options) => pingSendmsg(table, sk as PingSock, bytes, options),
    recvmsg: (sk, into, flags) =>
      (flags & MSG.OOB) !== 0 ? 'EOPNOTSUPP' : receiveDatagram(sk as PingSock, into, flags, describe),
    shutdown: (sk, how) => shutdownDatagram(sk as PingSock, how),
    close: (sk) => {
      table.unbind(sk as PingSock);
      purgeReceived(sk);
    },
    poll: (sk) => pollDatagram(sk as PingSock),
    setsockopt: () => 'ENOPROTOOPT',
    getsockopt: () => 'ENOPROTOOPT',
    ioctl: (sk, request) => ioctlDatagram(sk, request, (skb) => skb.length),
  };
  return proto;
}

function describe(skb: SkBuff): { length: number; from: SockAddress } {
  const address = skb.view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4;
  return { length: skb.length, from: { address, port: 0 } };
}

function pingConnect(table: PingTable, sk: PingSock, { address, port }: SockAddress): Errno | undefined {
  const route = routeOutput(sk.host, { target: address, ifindex: sk.boundIfindex || undefined });
  if (isErrno(route)) return route;
  if (route.type === 'broadcast' && !sk.broadcast) return 'EACCES';
  if (sk.localAddress === IPV4_ANY) sk.localAddress = route.source;
  if (sk.localPort === 0) {
    const error = table.bind(sk, 0);
    if (error !== undefined) return error;
  }
  sk.remoteAddress = address;
  sk.remotePort = port;
  sk.connected = true;
  return undefined;
}

/** Linux: ping_v4_sendmsg. */
function pingSendmsg(table: PingTable, sk: PingSock, bytes: Uint8Array, options: SendOptions): Result<number> {
  const { host } = sk;
  if (bytes.length < ICMP.SIZE || bytes[ICMP.TYPE] !== ICMP_TYPE.ECHO_REQUEST || bytes[ICMP.CODE] !== 0)
    return 'EINVAL';
  if (bytes.length > IP_PAYLOAD_MAX) return 'EMSGSIZE';
  if (((options.flags ?? 0) & MSG.OOB) !== 0) return 'EOPNOTSUPP';
  const to = targetOf(sk, options.to);
  if (isErrno(to)) return to;
  if (sk.localPort === 0) {
    const error = table.bind(sk, 0);
    if (error !== undefined) return error;
  }
  const route = routeOutput(host, {
    target: to.address,
    source: sk.localAddress === IPV4_ANY ? undefined : sk.localAddress,
    ifindex: sk.boundIfindex || undefined,
    mark: sk.mark,
  });
  if (isErrno(route)) return route;
  if (route.type === 'broadcast' && !sk.broadcast) return 'EACCES';
  const packetBytes = IPV4.SIZE + bytes.length;
  if (tooLongToSend(sk, route, packetBytes)) {
    return tooLong(sk, to, route.mtu);
  }
  const skb = allocSend(sk, bytes.length);
  if (isErrno(skb)) return skb;
  skb.bytes.set(bytes, skb.data);
  followDatagram(sk, skb, 0, options);
  skb.view.setUint16(skb.data + ICMP.ID, sk.localPort);
  skb.view.setUint16(skb.data + ICMP.CHECKSUM, 0);
  skb.view.setUint16(skb.data + ICMP.CHECKSUM, checksumOf(skb, skb.length, 0));
  countOut(host, ICMP_TYPE.ECHO_REQUEST);
  if (host.trace.on) host.trace.point('ping_v4_sendmsg', skb, { to: formatIpv4(to.address), length: bytes.length });
  const error = ipSendSkb(host, skb, {
    source: sk.localAddress === IPV4_ANY ? route.source : sk.localAddress,
    target: to.address,
    protocol: PROTOCOL.ICMP,
    ttl: options.ttl,
    tos: options.tos,
    sk,
    route,
  });
  if (error === 'ENOBUFS' && !sk.receiveErrors) return bytes.length;
  return error ?? bytes.length;
}

/** An echo reply, checked; `data` is at its ICMP header. True when a socket took it: then `skb` is consumed. (ping_rcv) */
export function pingReceive(table: PingTable, skb: SkBuff): boolean {
  const sk = table.socks.get(skb.view.getUint16(skb.data + ICMP.ID));
  if (sk === undefined) return false;
  const target = skb.view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4;
  if (sk.localAddress !== IPV4_ANY && sk.localAddress !== target) return false;
  if (sk.boundIfindex !== 0 && sk.boundIfindex !== skb.ifindex) return false;
  queueReceived(sk, skb);
  return true;
}

/** An ICMP error about an echo request; `data` is at the quoted IP header. Leaves `skb` to the caller. (ping_err) */
export function pingError(table: PingTable, skb: SkBuff, info: IcmpInfo): void {
  const at = skb.data;
  const icmpAt = at + ipv4HeaderLength(skb.view, at);
  if (icmpAt + ICMP.SIZE > skb.tail || skb.view.getUint8(icmpAt) !== ICMP_TYPE.ECHO_REQUEST) return;
  const sk = table.socks.get(skb.view.getUint16(icmpAt + ICMP.ID));
  if (sk === undefined) return;
  const address = skb.view.getUint32(at + IPV4.TARGET) as Ipv4;
  reportIcmpError(sk, skb, { info, to: { address, port: 0 }, payloadAt: icmpAt });
}
