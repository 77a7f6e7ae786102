/**
 * What UDP, raw and ping sockets share: datagrams that wait in a socket and the memory they cost it, the queue of ICMP
 * errors (IP_RECVERR), readiness, and the memory of what is on its way out (Linux: net/core/datagram.c, sock.c,
 * ip_sockglue.c).
 *
 * A queued sk_buff has `data` at its payload; transportHeader and networkHeader say where its headers stand.
 */
import { IPV4_ANY, type Ipv4 } from '../header/address.ts';
import { finish, sumBytes } from '../header/checksum.ts';
import { ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength } from '../header/ipv4.ts';
import type { Errno, Result } from './errno.ts';
import { purgeErrors, queueError, queueLocalError, receiveError } from './error-queue.ts';
import { icmpErrno } from './icmp.ts';
import type { IcmpInfo } from './ip-input.ts';
import { echoOptions } from './ip-options-echo.ts';
import { optionsUndo } from './ip-options-set.ts';
import { localAddressOf } from './route.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';
import { ERROR_ORIGIN, MSG, POLL, type ReceivedMessage, type SendOptions, Sock, type SockAddress } from './sock.ts';
import { markDatagram, SOF, SOF_TX_RECORD, timestampingOf } from './timestamping.ts';
import { beginZerocopy } from './zerocopy.ts';

/** SKB_TRUESIZE's part for the sk_buff itself. */
const SKB_OVERHEAD_BYTES = 256;
/** Longest payload of an IPv4 packet without options. */
export const IP_PAYLOAD_MAX = 65_535 - IPV4.SIZE;

export class DatagramSock extends Sock {
  /** bind() named the port (SOCK_BINDPORT_LOCK). */
  portLocked = false;
  /** connect() was called: TCP_ESTABLISHED, in Linux's misuse of the word. */
  connected = false;
  /** Bytes of MSG_MORE that wait for the rest. */
  corked: Uint8Array[] = [];
}

/** Memory that an sk_buff costs. */
export function truesizeOf(skb: SkBuff): number {
  let size = skb.head.bytes.length + SKB_OVERHEAD_BYTES;
  for (const frag of skb.frags) size += frag.length;
  return size;
}

/** Queue for the program, or drop when the buffer is full. Consumes `skb`. (Linux: sock_queue_rcv_skb) */
export function queueReceived(sk: Sock, skb: SkBuff): boolean {
  const { host } = sk;
  // One packet is always let in: what counts is the memory before it.
  if (sk.receiveMemory > sk.rcvbuf) {
    sk.drops++;
    host.skbs.drop(skb, 'socket_rcvbuf');
    return false;
  }
  skb.truesize = truesizeOf(skb);
  skb.owner = sk;
  sk.receiveMemory += skb.truesize;
  sk.receiveQueue.push(skb);
  if (host.trace.on) {
    host.trace.point('sock_def_readable', skb, { protocol: sk.proto.name, pid: sk.pid, program: sk.processName });
  }
  sk.wake(POLL.IN);
  return true;
}

/** The payload's length is the protocol's to say: a datagram may be shorter than its packet. */
export function receiveDatagram(
  sk: DatagramSock,
  into: Uint8Array,
  flags: number,
  describe: (skb: SkBuff) => { length: number; from: SockAddress },
): Result<ReceivedMessage> {
  if ((flags & MSG.ERRQUEUE) !== 0) return receiveError(sk, into);
  const pending = sk.takeError();
  if (pending !== undefined) return pending;
  const peek = (flags & MSG.PEEK) !== 0;
  const at = { index: 0, offset: 0 };
  if (peek && sk.peekOffset > 0) passPeeked(sk, at, (skb) => describe(skb).length);
  const skb = sk.receiveQueue[at.index];
  if (skb === undefined) return sk.shutdownRead ? { length: 0, flags: 0 } : 'EAGAIN';
  const { length: whole, from } = describe(skb);
  const length = whole - at.offset;
  const copied = Math.min(length, into.length);
  skb.copyBits(at.offset, copied, into, 0);
  if (sk.peekOffset >= 0) sk.peekOffset = peek ? sk.peekOffset + copied : Math.max(0, sk.peekOffset - whole);
  sk.cause = skb.cause;
  const cut = copied < length;
  const message: ReceivedMessage = {
    length: cut && (flags & MSG.TRUNC) !== 0 ? length : copied,
    from,
    flags: cut ? MSG.TRUNC : 0,
  };
  addControl(sk, skb, message);
  const { trace, skbs } = sk.host;
  if (trace.on) {
    trace.point('skb_copy_datagram', skb, { protocol: sk.proto.name, length: copied, program: sk.processName });
  }
  if (!peek) {
    sk.receiveQueue.shift();
    sk.receiveMemory -= skb.truesize;
    skbs.consume(skb);
  }
  return message;
}

/** Datagrams that SO_PEEK_OFF has left behind, and how far it is into the next (__skb_try_recv_from_queue). */
function passPeeked(sk: Sock, at: { index: number; offset: number }, lengthOf: (skb: SkBuff) => number): void {
  at.offset = sk.peekOffset;
  for (const skb of sk.receiveQueue) {
    const length = lengthOf(skb);
    if (at.offset < length || at.offset === 0) return;
    at.offset -= length;
    at.index++;
  }
}

/** What was asked for beside the bytes (Linux: ip_cmsg_recv). */
export function addControl(sk: Sock, skb: SkBuff, message: ReceivedMessage): void {
  const at = skb.networkHeader;
  if (sk.receiveTtl) message.ttl = skb.view.getUint8(at + IPV4.TTL);
  if (sk.packetInfo) {
    message.target = skb.view.getUint32(at + IPV4.TARGET) as Ipv4;
    message.ifindex = skb.ifindex;
  }
  if (sk.receiveTos) message.tos = skb.view.getUint8(at + IPV4.TOS);
  if (sk.receiveOptions) message.options = skb.bytes.slice(at + IPV4.SIZE, at + ipv4HeaderLength(skb.view, at));
  if (sk.returnOptions) message.options = optionsUndo(echoOptions(sk.host, skb));
  if (sk.receiveOriginal) {
    // The ports of a transport header that has any stand at its start.
    const port = skb.transportHeader + 4 <= skb.tail ? skb.view.getUint16(skb.transportHeader + 2) : 0;
    message.originalTarget = { address: skb.view.getUint32(at + IPV4.TARGET) as Ipv4, port };
  }
  addTimestamp(sk, skb.timestamp, message);
}

/** SO_TIMESTAMP and SCM_TIMESTAMPING of what was received (sock_recv_timestamp). */
export function addTimestamp(sk: Sock, timestamp: number, message: ReceivedMessage): void {
  if (sk.timestamps !== 'off') message.timestamp = timestamp;
  const wanted = SOF.SOFTWARE | SOF.RX_SOFTWARE;
  if ((sk.timestamping & wanted) === wanted && timestamp !== 0) message.softwareTimestamp = timestamp;
}

export interface ErrorReport {
  readonly info: IcmpInfo;
  /** Where the packet that it is about was going. */
  readonly to: SockAddress;
  /** Where the payload starts, absolute in the sk_buff that holds the quoted packet. */
  readonly payloadAt: number;
}

/** Keep what an ICMP message said, and what of our packet it quotes. Leaves `skb` alone. (Linux: ip_icmp_error) */
export function queueIcmpError(sk: Sock, skb: SkBuff, errno: Errno, { info, to, payloadAt }: ErrorReport): void {
  const { type, code, value, from } = info;
  const at = skb.networkHeader;
  queueError(sk, {
    extended: { errno, origin: ERROR_ORIGIN.ICMP, type, code, info: value, data: 0, offender: from },
    to,
    payload: skb.bytes.slice(Math.min(payloadAt, skb.tail), skb.tail),
    timestamp: skb.timestamp,
    cause: skb.cause,
    target: skb.view.getUint32(at + IPV4.TARGET) as Ipv4,
    ifindex: skb.ifindex,
    ttl: skb.view.getUint8(at + IPV4.TTL),
    tos: skb.view.getUint8(at + IPV4.TOS),
  });
}

/**
 * An ICMP error about something that this socket sent. Leaves `skb` (which quotes it) alone.
 * (Linux: the end of __udp4_lib_err, ip_icmp_error)
 */
export function reportIcmpError(sk: DatagramSock, skb: SkBuff, { info, to, payloadAt }: ErrorReport): void {
  const told = icmpErrno(info.type, info.code);
  if (told === undefined) return;
  const tooBig = info.type === ICMP_TYPE.UNREACHABLE && info.code === UNREACHABLE.FRAGMENTATION_NEEDED;
  if (tooBig && sk.pmtuDiscovery === 'dont') return;
  if (sk.receiveErrors) {
    queueIcmpError(sk, skb, told.errno, { info, to, payloadAt });
  } else if (!(told.fatal || tooBig) || !sk.connected) {
    return;
  }
  sk.fail(told.errno);
}

/** Linux: datagram_poll. */
export function pollDatagram(sk: DatagramSock): number {
  let bits = 0;
  if (sk.error !== undefined || sk.errorQueue.length > 0) {
    bits |= POLL.ERR | (sk.selectErrorQueue ? POLL.PRI : 0);
  }
  if (sk.shutdownRead) bits |= POLL.RDHUP | POLL.IN;
  if (sk.shutdownRead && sk.shutdownWrite) bits |= POLL.HUP;
  if (sk.receiveQueue.length > 0) bits |= POLL.IN;
  // Half of the buffer is free (sock_writeable).
  if (sk.sendMemory < sk.sndbuf >> 1) bits |= POLL.OUT;
  return bits;
}

export function shutdownDatagram(sk: DatagramSock, how: 'read' | 'write' | 'both'): Errno | undefined {
  if (how !== 'write') sk.shutdownRead = true;
  if (how !== 'read') sk.shutdownWrite = true;
  sk.wake();
  return sk.connected ? undefined : 'ENOTCONN';
}

/** SIOCINQ and SIOCOUTQ; `describe` as in receiveDatagram. */
export function ioctlDatagram(sk: Sock, request: string, lengthOf: (skb: SkBuff) => number): Result<number> {
  const first = sk.receiveQueue[0];
  if (request === 'SIOCINQ' || request === 'FIONREAD') return first === undefined ? 0 : lengthOf(first);
  return request === 'SIOCOUTQ' ? sk.sendMemory : 'EINVAL';
}

/** The last descriptor is gone: what waits was for nobody. */
export function purgeReceived(sk: Sock): void {
  for (const skb of sk.receiveQueue) sk.host.skbs.drop(skb, 'socket_closed');
  sk.receiveQueue.length = 0;
  purgeErrors(sk);
  sk.receiveMemory = 0;
  sk.dead = true;
}

/**
 * An sk_buff for `size` octets of transport header and payload, charged to the socket until it ends; head-room for the
 * layers below. EAGAIN when too much of the socket's is still on its way. (Linux: sock_alloc_send_skb)
 */
export function allocSend(sk: Sock, size: number): SkBuff | Errno {
  const pending = sk.takeError();
  if (pending !== undefined) return pending;
  if (sk.shutdownWrite) return 'EPIPE';
  if (sk.sendMemory >= sk.sndbuf) return 'EAGAIN';
  const skb = sk.host.skbs.alloc(HEADROOM + size);
  skb.reserve(HEADROOM);
  skb.put(size);
  skb.transportHeader = skb.data;
  skb.truesize = truesizeOf(skb);
  skb.owner = sk;
  skb.mark = sk.mark;
  skb.cause = sk.cause;
  sk.sendMemory += skb.truesize;
  skb.destructor = releaseSend;
  return skb;
}

/** Linux: sock_wfree. */
function releaseSend(skb: SkBuff): void {
  const sk = skb.owner;
  if (!(sk instanceof Sock)) return;
  const half = sk.sndbuf >> 1;
  const wasFull = sk.sendMemory >= half;
  sk.sendMemory -= skb.truesize;
  if (wasFull && sk.sendMemory < half) sk.wake(POLL.OUT);
}

/** A control message that asks for what there is not (ip_cmsg_send, __sock_cmsg_send). */
export function badControl(
  sk: Sock,
  { ttl = 1, tos = 0, timestamping = 0, source = IPV4_ANY, ifindex = 0 }: SendOptions,
): boolean {
  if (ttl < 1 || ttl > 255 || tos < 0 || tos > 255) return true;
  if ((timestamping & ~SOF_TX_RECORD) !== 0) return true;
  if (source !== IPV4_ANY && !localAddressOf(sk.host, source)) return true;
  return ifindex !== 0 && sk.host.devices.byIndex(ifindex) === undefined;
}

/** EMSGSIZE for what the path cannot take whole, told in the error queue, too (ip_append_data, raw_send_hdrinc). */
export function tooLong(sk: DatagramSock, to: SockAddress, mtu: number): Errno {
  queueLocalError(sk, 'EMSGSIZE', { address: to.address, port: sk.remotePort }, mtu);
  return 'EMSGSIZE';
}

/**
 * What the call or the socket asked to hear of this datagram: time stamps, and with MSG_ZEROCOPY that its octets are free.
 * They are in the packet already, so that the notice says COPIED and comes when the packet is gone; ENOBUFS without memory.
 */
export function followDatagram(sk: DatagramSock, skb: SkBuff, length: number, options: SendOptions): Errno | undefined {
  markDatagram(sk, skb, timestampingOf(sk, options.timestamping));
  if (((options.flags ?? 0) & MSG.ZEROCOPY) === 0 || !sk.zerocopy || length === 0) return undefined;
  const calls = beginZerocopy(sk, length, undefined);
  if (calls === undefined) return 'ENOBUFS';
  calls.markCopied();
  skb.destructor = (ended) => {
    releaseSend(ended);
    calls.release();
  };
  return undefined;
}

/** Checksum over `length` octets from `data` on, wherever they stand; `sum` is the pseudo-header's. */
export function checksumOf(skb: SkBuff, length: number, sum: number): number {
  if (length <= skb.headLength) return finish(sumBytes(skb.bytes, skb.data, skb.data + length, sum));
  const whole = new Uint8Array(length);
  skb.copyBits(0, length, whole, 0);
  return finish(sumBytes(whole, 0, length, sum));
}

/** Sum up what MSG_MORE has held back with what is sent now. */
export function uncork(sk: DatagramSock, bytes: Uint8Array): Uint8Array {
  if (sk.corked.length === 0) return bytes;
  const parts = [...sk.corked, bytes];
  sk.corked = [];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Where a message goes: the address given, or the one connected to. (Linux: the start of udp_sendmsg) */
export function targetOf(sk: DatagramSock, to: SockAddress | undefined): Result<SockAddress> {
  if (to !== undefined) return to;
  if (!sk.connected) return 'EDESTADDRREQ';
  return { address: sk.remoteAddress, port: sk.remotePort };
}
