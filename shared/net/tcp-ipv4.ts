/** Segments and ICMP errors from IPv4, to the connection they belong to (Linux: tcp_v4_rcv, tcp_v4_err). */

import type { Ipv4 } from '../header/address.ts';
import { ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength } from '../header/ipv4.ts';
import { seqBetween, TCP, TCP_FLAG, tcpFlags, tcpHeaderLength } from '../header/tcp.ts';
import { queueIcmpError } from './datagram.ts';
import { transportChecksumOk } from './gso.ts';
import { icmpErrno } from './icmp.ts';
import type { IcmpInfo } from './ip-input.ts';
import { ipUpdatePmtu, neighConfirm, type Route } from './route.ts';
import type { SkBuff } from './skbuff.ts';
import { checkRequest } from './tcp-check-req.ts';
import { tcpDone } from './tcp-close.ts';
import type { Tcp, TcpEntry } from './tcp-host.ts';
import { rcvEstablished, rcvStateProcess } from './tcp-input.ts';
import { connRequest, dropRequest, type RequestSock } from './tcp-listen.ts';
import { simpleRetransmit } from './tcp-loss.ts';
import { md5Refuses } from './tcp-md5.ts';
import { killTimeWait, type TimeWaitSock, timeWaitReceive } from './tcp-minisocks.ts';
import { routeMtu, syncMss } from './tcp-mss.ts';
import { purgeWriteQueue } from './tcp-queue.ts';
import { endsOf, sendResetFor, sendTimeWaitAck } from './tcp-reply.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';
import { cookieCheck } from './tcp-syncookies.ts';
import { flagText } from './tcp-transmit.ts';

/** The path may have to be tried with this at least (net.ipv4.route.min_pmtu is IP's own bound). */
const IPV4_MTU_MIN = 68;

/** skb.data at the TCP header. Consumes `skb`. (Linux: tcp_v4_rcv) */
export function tcpReceive(tcp: Tcp, skb: SkBuff): void {
  tcp.enter();
  receive(tcp, skb);
  tcp.leave();
}

function receive(tcp: Tcp, skb: SkBuff): void {
  const { host } = tcp;
  const { snmp } = host;
  if (skb.packetType !== 'host' && skb.packetType !== 'loopback')
    return host.skbs.drop(skb, 'packet_type_other', 'tcp_v4_rcv');
  snmp.TcpInSegs++;
  const at = skb.data;
  const headerLength = skb.headLength < TCP.SIZE ? 0 : tcpHeaderLength(skb.view, at);
  if (headerLength < TCP.SIZE || headerLength > skb.headLength) {
    snmp.TcpInErrs++;
    return host.skbs.drop(skb, 'tcp_header', 'tcp_v4_rcv');
  }
  skb.transportHeader = at;
  if (skb.checksum === 'none' && !transportChecksumOk(skb, 6)) {
    snmp.TcpInCsumErrors++;
    snmp.TcpInErrs++;
    return host.skbs.drop(skb, 'tcp_bad_checksum', 'tcp_v4_rcv');
  }
  const segment = noteSegment(tcp, skb, headerLength);
  const ip = skb.networkHeader;
  const source = skb.view.getUint32(ip + IPV4.SOURCE) as Ipv4;
  const target = skb.view.getUint32(ip + IPV4.TARGET) as Ipv4;
  const port = skb.view.getUint16(at + TCP.TARGET_PORT);
  const entry = tcp.lookup(target, port, source, skb.view.getUint16(at + TCP.SOURCE_PORT));
  if (host.trace.on) traceReceive(tcp, skb, segment, entry);
  if (
    entry !== undefined &&
    !(entry.state !== 'NEW_SYN_RECV' && entry.boundIfindex !== 0 && entry.boundIfindex !== skb.ifindex)
  ) {
    if (
      entry.state !== 'TIME_WAIT' &&
      unsigned(tcp, skb, entry.state === 'NEW_SYN_RECV' ? (entry as RequestSock).listener : (entry as TcpSock))
    )
      return;
    return deliver(tcp, skb, segment, entry);
  }
  const from = { address: source, port: skb.view.getUint16(at + TCP.SOURCE_PORT) };
  const listener = tcp.listener(target, port, skb.ifindex, from);
  if (listener !== undefined && unsigned(tcp, skb, listener)) return;
  if (listener !== undefined) return listenReceive(tcp, listener, skb, segment, undefined);
  noSocket(tcp, skb);
}

/** A segment that is not signed as its socket wants is gone. */
function unsigned(tcp: Tcp, skb: SkBuff, sk: TcpSock): boolean {
  if (!tcp.md5Needed && tcp.received.md5At < 0) return false;
  const { localAddress: target, remoteAddress: source } = endsOf(skb);
  const reason = md5Refuses(sk, skb, { source, target });
  if (reason === undefined) return false;
  tcp.drop(skb, reason);
  return true;
}

/** What the header says, for everybody after (tcp_v4_fill_cb). */
function noteSegment(tcp: Tcp, skb: SkBuff, headerLength: number): Segment {
  const { view, data: at } = skb;
  const segment = tcp.hold(skb);
  const flags = tcpFlags(view, at);
  segment.flags = flags;
  segment.seq = view.getUint32(at + TCP.SEQUENCE);
  segment.ack = view.getUint32(at + TCP.ACKNOWLEDGEMENT);
  segment.window = view.getUint16(at + TCP.WINDOW);
  segment.urgent = view.getUint16(at + TCP.URGENT);
  segment.tos = view.getUint8(skb.networkHeader + IPV4.TOS);
  segment.headerLength = headerLength;
  const payload = skb.length - headerLength;
  segment.endSeq = (segment.seq + payload + (flags & TCP_FLAG.FIN) + ((flags & TCP_FLAG.SYN) >> 1)) >>> 0;
  tcp.received.parse(view, at + TCP.SIZE, at + headerLength, (flags & TCP_FLAG.SYN) !== 0);
  return segment;
}

function traceReceive(tcp: Tcp, skb: SkBuff, segment: Segment, entry: TcpEntry | undefined): void {
  tcp.host.trace.point('tcp_v4_rcv', skb, {
    seq: segment.seq,
    ack: segment.ack,
    flags: flagText(segment.flags),
    length: skb.length - segment.headerLength,
    window: segment.window,
    state: entry?.state ?? 'LISTEN',
    source: skb.view.getUint16(skb.transportHeader + TCP.SOURCE_PORT),
    target: skb.view.getUint16(skb.transportHeader + TCP.TARGET_PORT),
  });
}

/** Nobody is there. Consumes `skb`. */
function noSocket(tcp: Tcp, skb: SkBuff, listener?: TcpSock): void {
  sendResetFor(tcp, skb, listener);
  tcp.drop(skb, 'no_socket', 'tcp_v4_rcv');
}

function deliver(tcp: Tcp, skb: SkBuff, segment: Segment, entry: TcpEntry): void {
  if (entry.state === 'TIME_WAIT') return deliverTimeWait(tcp, skb, segment, entry as TimeWaitSock);
  if (entry.state === 'NEW_SYN_RECV') return deliverRequest(tcp, skb, entry as RequestSock);
  deliverSock(entry as TcpSock, skb);
}

/** A full sock; a cause that came with the packet is the sock's from here on. (Linux: tcp_v4_do_rcv) */
function deliverSock(sk: TcpSock, skb: SkBuff): void {
  const { tcp } = sk;
  if (skb.cause !== 0) sk.cause = skb.cause;
  const segment = segmentOf(skb);
  sk.segsIn += Math.max(1, skb.gsoSegments);
  // SYN and FIN take sequence numbers, but are no data.
  if (skb.length > segment.headerLength) sk.dataSegsIn += Math.max(1, skb.gsoSegments);
  const una = sk.sndUna;
  const route = sk.route as Route | undefined;
  if (sk.state === 'ESTABLISHED') rcvEstablished(sk, skb);
  else if (rcvStateProcess(sk, skb) === 'reset') {
    sendResetFor(tcp, skb, sk);
    tcp.drop(skb, 'tcp_invalid_ack', 'tcp_v4_do_rcv');
    if (sk.state === 'SYN_RECV' && sk.accept === undefined && !sk.destroyed) sk.tcp.wake(sk);
  }
  // Progress shows that the next hop is there (sk_dst_confirm).
  if (sk.sndUna !== una && route !== undefined) neighConfirm(sk.host, route, sk.remoteAddress);
}

function deliverTimeWait(tcp: Tcp, skb: SkBuff, segment: Segment, tw: TimeWaitSock): void {
  const answer = timeWaitReceive(tw, segment);
  switch (answer) {
    case 'syn': {
      const listener = tcp.listener(tw.localAddress, tw.localPort, skb.ifindex, {
        address: tw.remoteAddress,
        port: tw.remotePort,
      });
      if (listener !== undefined) {
        // A number that is surely beyond all that the old connection used.
        const isn = (tw.sndNxt + 65_537) >>> 0 || 1;
        killTimeWait(tw);
        return listenReceive(tcp, listener, skb, segment, isn);
      }
      sendTimeWaitAck(tw, skb.cause, false);
      return tcp.drop(skb, 'tcp_time_wait');
    }
    case 'ack':
    case 'ack-oow':
      sendTimeWaitAck(tw, skb.cause, answer === 'ack-oow');
      return tcp.drop(skb, 'tcp_time_wait');
    case 'rst':
      sendResetFor(tcp, skb);
      return tcp.drop(skb, 'tcp_time_wait');
    default:
      return tcp.drop(skb, 'tcp_time_wait');
  }
}

function deliverRequest(tcp: Tcp, skb: SkBuff, request: RequestSock): void {
  const { listener } = request;
  if (listener.state !== 'LISTEN') {
    dropRequest(request);
    return noSocket(tcp, skb);
  }
  const answer = checkRequest(request, skb);
  if (answer === 'dropped') return tcp.drop(skb, 'tcp_invalid_ack', 'tcp_check_req');
  if (answer === 'reset') {
    sendResetFor(tcp, skb);
    return tcp.drop(skb, 'tcp_invalid_ack', 'tcp_check_req');
  }
  childProcess(listener, answer, skb);
}

/** The child takes the segment as its first; then the program may accept it (tcp_child_process). */
function childProcess(listener: TcpSock, child: TcpSock, skb: SkBuff): void {
  deliverSock(child, skb);
  listener.cause = child.cause;
  listener.tcp.wake(listener);
}

/** LISTEN (RFC 9293 §3.10.7.2): RST is ignored, ACK is reset, SYN begins a handshake. Consumes `skb`. */
function listenReceive(tcp: Tcp, listener: TcpSock, skb: SkBuff, segment: Segment, isn: number | undefined): void {
  const { flags } = segment;
  if ((flags & TCP_FLAG.RST) !== 0) return tcp.drop(skb, 'tcp_reset');
  if ((flags & TCP_FLAG.ACK) !== 0) {
    const child = (flags & TCP_FLAG.SYN) === 0 ? cookieCheck(listener, skb, endsOf(skb)) : undefined;
    if (child === undefined) return noSocket(tcp, skb, listener);
    if (child === 'dropped') return tcp.drop(skb, 'tcp_listen_overflow', 'tcp_get_cookie_sock');
    return childProcess(listener, child, skb);
  }
  if ((flags & TCP_FLAG.SYN) === 0 || (flags & TCP_FLAG.FIN) !== 0) return tcp.drop(skb, 'tcp_flags');
  connRequest(listener, skb, endsOf(skb), isn);
}

/** An ICMP error about a segment of ours, skb.data at the quoted IPv4 header. The skb stays the caller's. (Linux: tcp_v4_err) */
export function tcpError(tcp: Tcp, skb: SkBuff, info: IcmpInfo): void {
  tcp.enter();
  error(tcp, skb, info);
  tcp.leave();
}

function error(tcp: Tcp, skb: SkBuff, info: IcmpInfo): void {
  const { host } = tcp;
  const { view, data: ip } = skb;
  const th = ip + ipv4HeaderLength(view, ip);
  if (th + 8 > skb.tail) return;
  const local = view.getUint32(ip + IPV4.SOURCE) as Ipv4;
  const remote = view.getUint32(ip + IPV4.TARGET) as Ipv4;
  const seq = view.getUint32(th + TCP.SEQUENCE);
  const entry = tcp.lookup(local, view.getUint16(th + TCP.SOURCE_PORT), remote, view.getUint16(th + TCP.TARGET_PORT));
  if (entry === undefined) {
    host.snmp.IcmpInErrors++;
    return;
  }
  if (entry.state === 'TIME_WAIT') return;
  if (entry.state === 'NEW_SYN_RECV') return requestError(entry as RequestSock, seq, info);
  sockError(entry as TcpSock, skb, seq, info);
}

/** A half-open connection whose SYN-ACK cannot arrive is forgotten (tcp_req_err). */
function requestError(request: RequestSock, seq: number, info: IcmpInfo): void {
  if (seq !== request.sntIsn) {
    request.tcp.host.snmp.TcpExtOutOfWindowIcmps++;
    return;
  }
  const abort =
    info.type === ICMP_TYPE.PARAMETER_PROBLEM ||
    (info.type === ICMP_TYPE.UNREACHABLE && (info.code === UNREACHABLE.NET || info.code === UNREACHABLE.HOST));
  if (!abort) return;
  dropRequest(request);
  request.tcp.host.snmp.TcpExtListenDrops++;
}

function sockError(sk: TcpSock, skb: SkBuff, seq: number, info: IcmpInfo): void {
  if (sk.state === 'CLOSE' || sk.state === 'LISTEN') return;
  // A Fast Open child's SYN-ACK is before what it counts as sent.
  const una = sk.fastopenRsk === undefined ? sk.sndUna : sk.fastopenRsk.sntIsn;
  if (!seqBetween(una, seq, sk.sndNxt)) {
    sk.host.snmp.TcpExtOutOfWindowIcmps++;
    return;
  }
  if (info.type === ICMP_TYPE.UNREACHABLE && info.code === UNREACHABLE.FRAGMENTATION_NEEDED) {
    return mtuReduced(sk, info.value);
  }
  const meaning = icmpErrno(info.type, info.code);
  if (meaning === undefined) return;
  // A Fast Open child that was accepted counts as connected.
  const accepted = sk.fastopenRsk !== undefined && sk.fastopenRsk.child === undefined;
  if (!accepted && (sk.state === 'SYN_SENT' || (sk.state === 'SYN_RECV' && !sk.dead))) {
    // Told whether or not it was asked for, so that anybody can trace a route with SYNs.
    const payloadAt = skb.data + ipv4HeaderLength(skb.view, skb.data);
    const to = { address: sk.remoteAddress, port: sk.remotePort };
    queueIcmpError(sk, skb, meaning.errno, { info, to, payloadAt });
    sk.error = meaning.errno;
    purgeWriteQueue(sk);
    tcpDone(sk);
    return;
  }
  // A soft error may pass: it is told only if the connection fails for want of an answer (RFC 1122 §4.2.3.9).
  if (sk.receiveErrors) {
    sk.fail(meaning.errno);
  } else sk.softError = meaning.errno;
}

/** RFC 1191: a router on the way takes smaller packets only; send again at once what was too long (tcp_v4_mtu_reduced). */
function mtuReduced(sk: TcpSock, mtu: number): void {
  const how = sk.pmtuDiscovery;
  if (mtu < IPV4_MTU_MIN || how === 'dont' || how === 'probe' || how === 'interface' || how === 'omit') return;
  ipUpdatePmtu(sk.host, sk.remoteAddress, mtu);
  const now = routeMtu(sk);
  if (sk.pmtuCookie <= now) return;
  syncMss(sk, now);
  simpleRetransmit(sk);
}
