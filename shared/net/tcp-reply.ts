/**
 * Segments that no full sock sends: RST to a segment that nobody wants (tcp_v4_send_reset), ACKs of TIME-WAIT and of
 * half-open connections (tcp_v4_send_ack), SYN-ACKs (tcp_v4_send_synack).
 */
import type { Ipv4 } from '../header/address.ts';
import { fold, pseudoHeaderSum } from '../header/checksum.ts';
import { IPV4, PROTOCOL } from '../header/ipv4.ts';
import { TCP, TCP_FLAG } from '../header/tcp.ts';
import {
  emitOptions,
  emitSynOptions,
  optionsSize,
  synOptionsSize,
  TCP_OPTION_BYTES_MAX,
  type TcpOptions,
} from '../header/tcp-options.ts';
import type { OptionsToSend } from './ip-options-echo.ts';
import { ipSendSkb } from './ip-output.ts';
import { addressType } from './route.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';
import { synAckOption } from './tcp-accecn.ts';
import { ECN_MASK } from './tcp-accecn-state.ts';
import { ecnSynAckFlags } from './tcp-ecn.ts';
import type { FastopenCookie } from './tcp-fastopen-cookie.ts';
import type { Tcp } from './tcp-host.ts';
import type { RequestSock } from './tcp-listen.ts';
import { type Md5Key, md5KeyFor, resetKey, signSegment } from './tcp-md5.ts';
import type { TimeWaitSock } from './tcp-minisocks.ts';
import { segmentOf } from './tcp-segment.ts';
import { type FourTuple, type TcpSock, tsClock } from './tcp-sock.ts';
import { cookieTimestamp } from './tcp-syncookies.ts';
import { flagText } from './tcp-transmit.ts';

interface Reply {
  readonly ends: FourTuple;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  /** Options from tcp.sending: those of a SYN, of other segments, or none. */
  readonly options: 'syn' | 'plain' | 'none';
  readonly cause: number;
  readonly ifindex: number;
  readonly tos: number;
  /** Sign it; `sending.md5` says so to the options. */
  readonly key?: Md5Key | undefined;
  readonly ipOptions?: OptionsToSend | undefined;
}

/** Write a header and send it, DF set and ID 0 as a connection's segments without one. */
function sendReply(tcp: Tcp, reply: Reply): void {
  const { host } = tcp;
  const o: TcpOptions = tcp.sending;
  if (reply.options === 'none') o.clear();
  o.md5 = reply.key !== undefined;
  const options =
    reply.options === 'none' ? optionsSize(o) : reply.options === 'syn' ? synOptionsSize(o) : optionsSize(o);
  const size = TCP.SIZE + options;
  const skb = host.skbs.alloc(HEADROOM + size);
  skb.reserve(HEADROOM);
  const at = skb.put(size);
  const { view } = skb;
  const { ends } = reply;
  view.setUint16(at + TCP.SOURCE_PORT, ends.localPort);
  view.setUint16(at + TCP.TARGET_PORT, ends.remotePort);
  view.setUint32(at + TCP.SEQUENCE, reply.seq);
  view.setUint32(at + TCP.ACKNOWLEDGEMENT, reply.ack);
  view.setUint16(at + TCP.OFFSET, ((size / 4) << 12) | reply.flags);
  view.setUint16(at + TCP.WINDOW, reply.window);
  view.setUint16(at + TCP.URGENT, 0);
  if (reply.options === 'syn') emitSynOptions(view, at + TCP.SIZE, o);
  else emitOptions(view, at + TCP.SIZE, o);
  skb.transportHeader = at;
  if (reply.key !== undefined) {
    signSegment(skb, o, { source: ends.localAddress, target: ends.remoteAddress }, reply.key);
  }
  const sum = pseudoHeaderSum(ends.localAddress, ends.remoteAddress, PROTOCOL.TCP, size);
  view.setUint16(at + TCP.CHECKSUM, fold(sum));
  skb.checksum = 'partial';
  skb.cause = reply.cause;
  host.snmp.TcpOutSegs++;
  if (host.trace.on) {
    host.trace.point('tcp_transmit_skb', skb, {
      seq: reply.seq,
      ack: reply.ack,
      flags: flagText(reply.flags),
      length: 0,
      window: reply.window,
      mss: reply.options === 'syn' ? o.mss : 0,
      source: ends.localPort,
      target: ends.remotePort,
    });
  }
  ipSendSkb(host, skb, {
    source: ends.localAddress,
    target: ends.remoteAddress,
    protocol: PROTOCOL.TCP,
    dontFragment: true,
    tos: reply.tos,
    ifindex: reply.ifindex,
    ipOptions: reply.ipOptions,
  });
}

/** The ends of a received packet, as we see them. */
export function endsOf(skb: SkBuff): FourTuple {
  const { view, networkHeader: ip, transportHeader: th } = skb;
  return {
    localAddress: view.getUint32(ip + IPV4.TARGET) as Ipv4,
    localPort: view.getUint16(th + TCP.TARGET_PORT),
    remoteAddress: view.getUint32(ip + IPV4.SOURCE) as Ipv4,
    remotePort: view.getUint16(th + TCP.SOURCE_PORT),
  };
}

/**
 * RST for a segment that nobody wants (RFC 9293 §3.10.7.1): where it has an ACK, from that number and without ACK;
 * else from 0, acknowledging all of it. Never to a RST, never to a broadcast. The skb stays the caller's.
 */
export function sendResetFor(tcp: Tcp, skb: SkBuff, sk?: TcpSock): void {
  const segment = segmentOf(skb);
  if ((segment.flags & TCP_FLAG.RST) !== 0) return;
  const ends = endsOf(skb);
  if (addressType(tcp.host, ends.localAddress) !== 'local') return;
  const key =
    sk === undefined
      ? resetKey(tcp, skb, { source: ends.remoteAddress, target: ends.localAddress })
      : md5KeyFor(sk, ends.remoteAddress, skb.ifindex);
  if (key === 'none') return;
  const acked = (segment.flags & TCP_FLAG.ACK) !== 0;
  tcp.host.snmp.TcpOutRsts++;
  sendReply(tcp, {
    ends,
    seq: acked ? segment.ack : 0,
    ack: acked ? 0 : segment.endSeq,
    flags: acked ? TCP_FLAG.RST : TCP_FLAG.RST | TCP_FLAG.ACK,
    window: 0,
    options: 'none',
    key,
    cause: skb.cause,
    ifindex: 0,
    tos: 0,
  });
}

/** TIME-WAIT says again what it has; ECT as the connection had, but not to what lies out of the window (tcp_v4_timewait_ack). */
export function sendTimeWaitAck(tw: TimeWaitSock, cause: number, outOfWindow: boolean): void {
  const { tcp } = tw;
  const o = tcp.sending;
  o.clear();
  o.timestamps = tw.tsRecentStamp !== 0;
  o.tsval = tsClock(tcp.host.clock.now(), tw.tsOffset);
  o.tsecr = tw.tsRecent;
  sendReply(tcp, {
    ends: tw,
    seq: tw.sndNxt,
    ack: tw.rcvNxt,
    flags: TCP_FLAG.ACK,
    window: Math.min(tw.rcvWnd >>> tw.rcvWscale, 65_535),
    options: 'plain',
    key: tw.md5Key,
    cause,
    ifindex: tw.boundIfindex,
    tos: outOfWindow ? tw.tos & ~ECN_MASK : tw.tos,
  });
}

/** A half-open connection says where it is (tcp_v4_reqsk_send_ack). */
export function sendRequestAck(request: RequestSock, sndNxt = (request.sntIsn + 1) >>> 0): void {
  const { tcp } = request;
  const o = tcp.sending;
  o.clear();
  o.timestamps = request.tstampOk;
  o.tsval = tsClock(tcp.host.clock.now(), request.tsOffset);
  o.tsecr = request.tsRecent;
  sendReply(tcp, {
    ends: request,
    ipOptions: request.ipOptions,
    seq: sndNxt,
    ack: request.rcvNxt,
    flags: TCP_FLAG.ACK,
    window: Math.min(request.rcvWnd >>> request.rcvWscale, 65_535),
    options: 'plain',
    key: md5KeyFor(request.listener, request.remoteAddress),
    cause: request.cause,
    ifindex: request.listener.boundIfindex,
    tos: request.listener.tos & ~ECN_MASK,
  });
}

/** The listener's, or with tcp_reflect_tos what the SYN had (tcp_v4_send_synack). */
function synAckTos({ listener, synTos, tcp }: RequestSock): number {
  if (tcp.sysctl.reflectTos.value === 0) return listener.tos;
  return (synTos & ~ECN_MASK) | (listener.tos & ECN_MASK);
}

/** The second step of the handshake, with what we agree to (tcp_make_synack). */
export function sendSynAck(request: RequestSock, again: boolean, cookie?: FastopenCookie | 'cookie'): void {
  const { tcp } = request;
  const o = tcp.sending;
  const key = md5KeyFor(request.listener, request.remoteAddress);
  // Signed, SACK and timestamps do not fit together.
  if (key !== undefined && cookie !== 'cookie' && request.sackOk) request.tstampOk = false;
  o.clear();
  o.md5 = key !== undefined;
  o.mss = request.advmss;
  o.timestamps = request.tstampOk;
  if (request.tstampOk) {
    const now = tcp.host.clock.now();
    o.tsval =
      cookie === 'cookie' ? (cookieTimestamp(request, now) + request.tsOffset) >>> 0 : tsClock(now, request.tsOffset);
    o.tsecr = request.tsRecent;
  }
  o.sackPermitted = request.sackOk;
  o.wscale = request.wscaleOk ? request.rcvWscale : -1;
  // What is sent again may have been dropped for the option (RFC 9768 §3.2.3.2.2).
  if (request.accecnOk && !again && tcp.sysctl.ecnOption.value !== 0) {
    synAckOption(o, TCP_OPTION_BYTES_MAX - synOptionsSize(o));
  }
  // Only the first has a cookie.
  if (cookie !== 'cookie') cookie?.put(o);
  if (again && tcp.host.trace.on) {
    const fields = { seq: request.sntIsn, length: 0, flags: 'SYN,ACK', reason: 'timeout' };
    tcp.host.trace.mark('tcp_retransmit_synack', request.cause, fields);
  }
  sendReply(tcp, {
    ends: request,
    ipOptions: request.ipOptions,
    seq: request.sntIsn,
    ack: request.rcvNxt,
    flags: TCP_FLAG.SYN | TCP_FLAG.ACK | ecnSynAckFlags(request, again),
    window: Math.min(request.rcvWnd, 65_535),
    options: 'syn',
    key,
    cause: request.cause,
    ifindex: request.listener.boundIfindex,
    tos: synAckTos(request),
  });
}
