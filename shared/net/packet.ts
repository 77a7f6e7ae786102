/**
 * Packet sockets (packet(7); Linux: net/packet/af_packet.c): frames as a device sends and receives them, for tcpdump.
 * Type `raw` sees them from the link header on, `dgram` from the network header on. Protocol ETH_P_ALL (3) sees what is
 * sent, too. A socket with protocol 0 sees nothing until it is bound.
 *
 * Each socket gets a copy of its own: the stack may rewrite headers (TTL, NAT) before the program reads.
 * Left out: fanout, memory-mapped rings, filters (the program filters).
 */
import { ETHERNET } from '../header/ethernet.ts';
import { allocSend, DatagramSock, ioctlDatagram, pollDatagram, purgeReceived, queueReceived } from './datagram.ts';
import { type Errno, isErrno, type Result } from './errno.ts';
import type { Host } from './host.ts';
import { devQueueXmit, type NetDevice, type PacketTap } from './netdev.ts';
import type { SocketRecord } from './netlink.ts';
import type { SkBuff } from './skbuff.ts';
import { type LinkAddress, MSG, type Proto, type ReceivedMessage, type SocketType } from './sock.ts';
import { describeSock } from './sock-diag.ts';

/** Each costs a copy of every frame. */
const SOCKETS_MAX = 64;

export class PacketSock extends DatagramSock {
  /** In force: from socket() or bind(). */
  etherType = 0;
  tap: PacketTap | undefined;
}

export class PacketTable {
  readonly socks: Set<PacketSock> = new Set();
}

export function packetInit(host: Host): void {
  const table = new PacketTable();
  for (const type of ['raw', 'dgram'] satisfies SocketType[]) {
    host.sockets.register({ family: 'packet', type, protocol: -1, proto: packetProto(host, table) });
  }
  host.sockDiag.register('packet', () => [...table.socks].map(describePacketSock));
}

/** The record's fields are an IP socket's: the port is the EtherType, the remote port the interface. */
function describePacketSock(sk: PacketSock): SocketRecord {
  const record = describeSock(sk, 'packet', sk.type === 'raw' ? 'RAW' : 'DGRAM');
  return { ...record, localPort: sk.etherType, remotePort: sk.boundIfindex };
}

function packetProto(host: Host, table: PacketTable): Proto {
  const proto: Proto = {
    name: 'PACKET',
    create: (_host, type, protocol) => {
      const sk = new PacketSock(host, { family: 'packet', type, proto, protocol });
      sk.etherType = protocol;
      if (table.socks.size < SOCKETS_MAX) {
        table.socks.add(sk);
        hook(sk);
      }
      return sk;
    },
    bind: () => 'EINVAL',
    bindLink: (sk, address) => packetBind(sk as PacketSock, address),
    connect: () => 'EOPNOTSUPP',
    disconnect: () => 'EOPNOTSUPP',
    sendmsg: (sk, bytes) => packetSendmsg(sk as PacketSock, bytes),
    recvmsg: (sk, into, flags) => packetRecvmsg(sk as PacketSock, into, flags),
    shutdown: () => 'EOPNOTSUPP',
    close: (sk) => {
      unhook(sk as PacketSock);
      table.socks.delete(sk as PacketSock);
      purgeReceived(sk);
    },
    poll: (sk) => pollDatagram(sk as PacketSock),
    setsockopt: () => 'ENOPROTOOPT',
    getsockopt: (sk, level, name) => packetGetsockopt(sk as PacketSock, level, name),
    ioctl: (sk, request) => ioctlDatagram(sk, request, (skb) => skb.length),
  };
  return proto;
}

function hook(sk: PacketSock): void {
  if (sk.etherType === 0) return;
  sk.tap = { protocol: sk.etherType, ifindex: sk.boundIfindex, deliver: (skb, dev) => packetReceive(sk, skb, dev) };
  sk.host.packetTaps.add(sk.tap);
}

function unhook(sk: PacketSock): void {
  if (sk.tap !== undefined) sk.host.packetTaps.delete(sk.tap);
  sk.tap = undefined;
}

/** Linux: packet_do_bind. */
function packetBind(sk: PacketSock, { ifindex, protocol }: LinkAddress): Errno | undefined {
  if (ifindex !== 0 && sk.host.devices.byIndex(ifindex) === undefined) return 'ENODEV';
  unhook(sk);
  sk.boundIfindex = ifindex;
  sk.etherType = protocol || sk.etherType;
  hook(sk);
  return undefined;
}

/** A frame passes a tap. Leaves `skb` alone. (Linux: packet_rcv) */
function packetReceive(sk: PacketSock, skb: SkBuff, dev: NetDevice): void {
  const { skbs, clock } = sk.host;
  const twin = skbs.copy(skb);
  twin.packetType = skb.packetType;
  twin.ifindex = dev.ifindex;
  twin.timestamp = skb.timestamp || clock.now();
  if (twin.data > twin.macHeader) twin.push(twin.data - twin.macHeader);
  if (sk.type === 'dgram') twin.pull(Math.min(dev.hardHeaderLength, twin.headLength));
  queueReceived(sk, twin);
}

function packetRecvmsg(sk: PacketSock, into: Uint8Array, flags: number): Result<ReceivedMessage> {
  const pending = sk.takeError();
  if (pending !== undefined) return pending;
  const skb = sk.receiveQueue[0];
  if (skb === undefined) return 'EAGAIN';
  const copied = Math.min(skb.length, into.length);
  skb.copyBits(0, copied, into, 0);
  const cut = copied < skb.length;
  const message: ReceivedMessage = {
    length: cut && (flags & MSG.TRUNC) !== 0 ? skb.length : copied,
    flags: cut ? MSG.TRUNC : 0,
    ifindex: skb.ifindex,
    timestamp: skb.timestamp,
    packetType: skb.packetType,
  };
  if ((flags & MSG.PEEK) === 0) {
    sk.receiveQueue.shift();
    sk.receiveMemory -= skb.truesize;
    sk.host.skbs.consume(skb);
  }
  return message;
}

/** A whole frame, link header included, out of the device that the socket is bound to. (Linux: packet_snd) */
function packetSendmsg(sk: PacketSock, bytes: Uint8Array): Result<number> {
  const dev = sk.host.devices.byIndex(sk.boundIfindex);
  if (dev === undefined) return 'ENXIO';
  if (!dev.up) return 'ENETDOWN';
  if (sk.type !== 'raw' || bytes.length < ETHERNET.SIZE) return 'EINVAL';
  if (bytes.length > dev.mtu + ETHERNET.SIZE) return 'EMSGSIZE';
  const skb = allocSend(sk, bytes.length);
  if (isErrno(skb)) return skb;
  skb.bytes.set(bytes, skb.data);
  skb.macHeader = skb.data;
  skb.networkHeader = skb.transportHeader = skb.data + ETHERNET.SIZE;
  skb.protocol = skb.view.getUint16(skb.data + ETHERNET.TYPE);
  devQueueXmit(sk.host, skb, dev);
  return bytes.length;
}

function packetGetsockopt(sk: PacketSock, level: string, name: string): Result<{ packets: number; drops: number }> {
  if (level !== 'SOL_PACKET' || name !== 'PACKET_STATISTICS') return 'ENOPROTOOPT';
  const { drops } = sk;
  sk.drops = 0; // Reading them starts them anew, as in Linux.
  return { packets: sk.receiveQueue.length, drops };
}
