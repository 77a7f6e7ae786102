/**
 * One segment on its way to IP: options, header, window, checksum of the pseudo-header (Linux: __tcp_transmit_skb), and the
 * segments that have no data: ACKs, probes, RSTs. The original of a data segment stays in its queue, a clone goes down.
 */
import { fold, pseudoHeaderSum } from '../header/checksum.ts';
import { PROTOCOL } from '../header/ipv4.ts';
import { TCP, TCP_FLAG } from '../header/tcp.ts';
import {
  emitOptions,
  emitSynOptions,
  optionsSize,
  SACK_BASE_ALIGNED,
  SACK_BLOCK,
  synOptionsSize,
  TCP_OPTION_BYTES_MAX,
  type TcpOptions,
} from '../header/tcp-options.ts';
import { ipQueueXmit } from './ip-output.ts';
import type { XmitError } from './qdisc.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';
import { establishedOption, optionWritten, synAckOption } from './tcp-accecn.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { enterCwr } from './tcp-congestion.ts';
import { accecnMode, ecnSend } from './tcp-ecn.ts';
import { md5KeyFor, md5OptionSize, signSegment } from './tcp-md5.ts';
import { routeMtu } from './tcp-mss.ts';
import { paceAfterSend, stampDeparture } from './tcp-pacing.ts';
import { rateSent } from './tcp-rate.ts';
import type { Segment } from './tcp-segment.ts';
import { ATO_MIN, packetsInFlight, type TcpSock, tsClock } from './tcp-sock.ts';
import { selectWindow } from './tcp-window.ts';

const TCP_HEADER_MIN = 20;
/** net.ipv4.route.min_adv_mss. */
const ADVMSS_MIN = 256;
/** What a packet below the socket is charged beside its payload (truesize of the head). */
export const TX_OVERHEAD = 1_280;

/** Options of a segment after the handshake, into the shared record (tcp_established_options). Returns their octets. */
export function establishedOptions(sk: TcpSock, o: TcpOptions): number {
  const signature = md5OptionSize(sk);
  o.md5 = signature > 0;
  o.timestamps = sk.tstampOk;
  if (sk.tstampOk) {
    // The packet's time is that of its departure.
    o.tsval = tsClock(Math.max(sk.tcpWstamp, sk.host.clock.now()), sk.tsOffset);
    o.tsecr = sk.tsRecent;
  }
  o.sackBlocks = 0;
  const blocks = sk.numSacks + (sk.dsack ? 1 : 0);
  if (blocks > 0) {
    const room = TCP_OPTION_BYTES_MAX - (sk.tstampOk ? 12 : 0) - signature - SACK_BASE_ALIGNED;
    o.sackBlocks = Math.max(0, Math.min(blocks, Math.floor(room / SACK_BLOCK)));
  }
  o.accecn = 0;
  if (accecnMode(sk)) establishedOption(sk, o, TCP_OPTION_BYTES_MAX - optionsSize(o));
  return optionsSize(o);
}

function fillSackBlocks(sk: TcpSock, o: TcpOptions): void {
  let i = 0;
  if (sk.dsack) {
    o.sackStart[i] = sk.dsackStart;
    o.sackEnd[i++] = sk.dsackEnd;
    // A duplicate is reported once.
    sk.dsack = false;
  }
  for (let n = 0; i < o.sackBlocks; i++, n++) {
    o.sackStart[i] = sk.sackStart[n] ?? 0;
    o.sackEnd[i] = sk.sackEnd[n] ?? 0;
  }
}

/** The path may have become narrower since the last SYN (tcp_advertise_mss). */
function advertiseMss(sk: TcpSock): void {
  sk.advmss = Math.min(sk.advmss, Math.max(routeMtu(sk) - 40, ADVMSS_MIN));
}

/** The cookie of a Fast Open, or the request for one, where there is room for it. */
function putCookie(sk: TcpSock, o: TcpOptions): void {
  const cookie = sk.fastopenReq?.cookie;
  if (cookie === undefined || cookie.length < 0) return;
  const before = synOptionsSize(o);
  cookie.put(o);
  if (before + o.fastopenSize > TCP_OPTION_BYTES_MAX) {
    o.fastopenLength = -1;
    return;
  }
  sk.synFastopen = true;
  sk.synFastopenExp = cookie.exp;
}

/** What we offer in a SYN, or confirm in a SYN-ACK of a simultaneous open (tcp_syn_options). */
function synOptions(sk: TcpSock, o: TcpOptions, flags: number): number {
  const { sysctl } = sk.tcp;
  o.clear();
  advertiseMss(sk);
  o.mss = sk.advmss;
  const answering = sk.state === 'SYN_RECV';
  o.md5 = md5OptionSize(sk) > 0;
  // With a signature there is no room for timestamps as well.
  o.timestamps = answering ? sk.tstampOk : sysctl.timestamps.value !== 0 && !o.md5;
  if (o.timestamps) {
    o.tsval = tsClock(sk.host.clock.now(), sk.tsOffset);
    o.tsecr = sk.tsRecent;
  }
  o.sackPermitted = answering ? sk.sackOk : sysctl.sack.value !== 0;
  o.wscale = (answering ? sk.wscaleOk : sysctl.windowScaling.value !== 0) ? sk.rcvWscale : -1;
  if ((flags & TCP_FLAG.ACK) !== 0 && accecnMode(sk) && sk.retransmits < 2 && sysctl.ecnOption.value !== 0) {
    synAckOption(o, TCP_OPTION_BYTES_MAX - synOptionsSize(o));
  }
  if (!answering) putCookie(sk, o);
  return synOptionsSize(o);
}

/** A packet without payload, head-room reserved; the caller's. */
function barePacket(sk: TcpSock): SkBuff {
  const skb = sk.host.skbs.alloc(HEADROOM);
  skb.reserve(HEADROOM);
  skb.cause = sk.cause;
  return skb;
}

/**
 * Write the TCP header in front of `skb`'s payload and give it to IP. Consumes `skb`; `count` is how many segments it
 * stands for, of `mss` octets each. (Linux: __tcp_transmit_skb)
 */
function sendDown(sk: TcpSock, skb: SkBuff, seq: number, flags: number, count: number): XmitError | undefined {
  const { host, tcp } = sk;
  stampDeparture(sk, host.clock.now());
  skb.deliveryTime = sk.tcpWstamp;
  skb.owner = sk;
  const o = tcp.sending;
  const payload = skb.length;
  const syn = (flags & TCP_FLAG.SYN) !== 0;
  const size = TCP_HEADER_MIN + (syn ? synOptions(sk, o, flags) : establishedOptions(sk, o));
  const at = skb.push(size);
  skb.transportHeader = at;
  const { view } = skb;
  const ack = (flags & TCP_FLAG.ACK) !== 0 ? sk.rcvNxt : 0;
  const window = syn ? Math.min(sk.rcvWnd, 65_535) : selectWindow(sk);
  view.setUint16(at + TCP.SOURCE_PORT, sk.localPort);
  view.setUint16(at + TCP.TARGET_PORT, sk.remotePort);
  view.setUint32(at + TCP.SEQUENCE, seq);
  view.setUint32(at + TCP.ACKNOWLEDGEMENT, ack);
  const urgent = urgentPointer(sk, seq);
  if (urgent > 0) flags |= TCP_FLAG.URG;
  const onWire = syn ? flags : ecnSend(sk, seq, flags, payload);
  view.setUint16(at + TCP.OFFSET, ((size / 4) << 12) | onWire);
  view.setUint16(at + TCP.WINDOW, window);
  view.setUint16(at + TCP.URGENT, urgent);
  if (syn) emitSynOptions(view, at + TCP.SIZE, o);
  else {
    if (accecnMode(sk)) optionWritten(sk, o);
    if (o.sackBlocks > 0) fillSackBlocks(sk, o);
    emitOptions(view, at + TCP.SIZE, o);
  }
  if (o.md5) sign(sk, skb, o);
  view.setUint16(at + TCP.CHECKSUM, fold(pseudoHeaderSum(sk.localAddress, sk.remoteAddress, PROTOCOL.TCP, skb.length)));
  skb.checksum = 'partial';
  if ((flags & TCP_FLAG.ACK) !== 0) eventAckSent(sk);
  if (payload > 0) {
    eventDataSent(sk);
    sk.dataSegsOut += count;
    sk.bytesSent += payload;
    chargeOutput(sk, skb, payload);
  }
  host.snmp.TcpOutSegs += count;
  sk.segsOut += count;
  if (host.trace.on) traceTransmit(sk, skb, { seq, ack, flags: onWire, payload, window });
  const error = ipQueueXmit(host, sk, skb);
  if (error !== 'NET_XMIT_DROP' && error !== 'NET_XMIT_CN') return error;
  // Congestion begins at home: our own device's queue (net_xmit_eval).
  enterCwr(sk);
  return error === 'NET_XMIT_CN' ? undefined : error;
}

function sign(sk: TcpSock, skb: SkBuff, o: TcpOptions): void {
  const key = md5KeyFor(sk, sk.remoteAddress, sk.boundIfindex);
  if (key !== undefined) signSegment(skb, o, { source: sk.localAddress, target: sk.remoteAddress }, key);
}

/** Where the urgent data ends, from here; 0 when there is none ahead, 65535 when it is farther than can be said. */
function urgentPointer(sk: TcpSock, seq: number): number {
  const ahead = (sk.sndUp - seq) | 0;
  if (sk.sndUp === sk.sndUna || ahead <= 0) return 0;
  if (ahead <= 0xffff) return ahead;
  return ((seq + 0xffff - sk.sndNxt) | 0) > 0 ? 0xffff : 0;
}

/** Memory below the socket counts until the packet ends (skb_set_owner_w, sk_wmem_alloc). */
function chargeOutput(sk: TcpSock, skb: SkBuff, payload: number): void {
  skb.truesize = payload + TX_OVERHEAD;
  sk.sendMemory += skb.truesize;
  skb.destructor = tcpWfree;
}

/** A packet has left the host: its memory is the socket's again, and TSQ may go on (tcp_wfree). */
function tcpWfree(skb: SkBuff): void {
  const sk = skb.owner as TcpSock;
  sk.sendMemory -= skb.truesize;
  if (!sk.tsqThrottled || sk.tsqQueued || sk.destroyed) return;
  sk.tsqQueued = true;
  const { tcp } = sk;
  tcp.tsqQueue.push(sk);
  if (tcp.tsqScheduled) return;
  tcp.tsqScheduled = true;
  tcp.tsqTimer.arm(0);
}

function traceTransmit(
  sk: TcpSock,
  skb: SkBuff,
  sent: { seq: number; ack: number; flags: number; payload: number; window: number },
): void {
  sk.host.trace.point('tcp_transmit_skb', skb, {
    seq: sent.seq,
    ack: sent.ack,
    flags: flagText(sent.flags),
    length: sent.payload,
    window: sent.window << ((sent.flags & TCP_FLAG.SYN) !== 0 ? 0 : sk.rcvWscale),
    mss: skb.gsoSize || sk.mssCache,
    source: sk.localPort,
    target: sk.remotePort,
    cwnd: sk.sndCwnd,
    headroom: skb.headroom,
  });
}

/** `SYN,ACK` for traces. */
export function flagText(flags: number): string {
  const names: string[] = [];
  for (const [name, bit] of Object.entries(TCP_FLAG)) if ((flags & bit) !== 0) names.push(name);
  return names.join(',');
}

/**
 * Send a segment of the queues; it stays there, a clone goes. A retransmission is a packet of its own for tracing.
 * (Linux: tcp_transmit_skb with clone_it)
 */
export function transmitSegment(sk: TcpSock, segment: Segment, retransmission: boolean): XmitError | undefined {
  const skb = segment.skb!;
  const { skbs, trace } = sk.host;
  // Headers go in the head: when an earlier clone still uses it, this one gets its own (pskb_copy).
  let clone: SkBuff;
  if (skb.head.refs === 1) clone = skbs.clone(skb);
  else {
    clone = barePacket(sk);
    for (const frag of skb.frags) clone.addFrag(frag.pages, frag.offset, frag.length);
    clone.traceNumber = skb.traceNumber;
    clone.cause = skb.cause;
    clone.txFlags = skb.txFlags;
    clone.timestampKey = skb.timestampKey;
    skbs.counters.cloned++;
    skbs.counters.copies.clone++;
  }
  if (segment.count > 1) {
    clone.gsoSize = segment.mss;
    clone.gsoSegments = segment.count;
    clone.gsoAccecn = accecnMode(sk);
  }
  if (retransmission) {
    clone.parent = skb.traceNumber;
    clone.traceNumber = trace.number();
  }
  // PSH on every large packet: the receiver's GRO passes it on without waiting for more.
  const flags = segment.count > 1 ? segment.flags | TCP_FLAG.PSH : segment.flags;
  const prior = sk.tcpWstamp;
  const error = sendDown(sk, clone, segment.seq, flags, segment.count);
  if (error !== undefined) return error;
  // For RACK: when it was last sent, in sending order (tcp_update_skb_after_send).
  segment.sentAt = Math.floor(sk.tcpWstamp);
  paceAfterSend(sk, segment.length, prior);
  if (retransmission) {
    sk.tsorted.remove(segment);
    sk.tsorted.append(segment);
  }
  rateSent(sk, segment);
  return undefined;
}

/** A segment with no data and no place in a queue: pure ACK, probe (tcp_xmit_probe_skb), RST. */
export function sendControl(sk: TcpSock, seq: number, flags: number): XmitError | undefined {
  return sendDown(sk, barePacket(sk), seq, flags, 1);
}

/** A sequence number within the peer's window, even if it shrank (tcp_acceptable_seq). */
export function acceptableSeq(sk: TcpSock): number {
  const end = (sk.sndUna + sk.sndWnd) >>> 0;
  const beyond = (sk.sndNxt - end) | 0;
  // By less than the rounding of a scaled window it did not really shrink.
  if (beyond <= 0 || (sk.wscaleOk && beyond < 2 ** sk.sndWscale)) return sk.sndNxt;
  return end;
}

/** Acknowledge now; `ace` is what the ACE field says if not the count. (Linux: __tcp_send_ack) */
export function sendAck(sk: TcpSock, ace = 0): void {
  if (sk.state === 'CLOSE') return;
  sendControl(sk, acceptableSeq(sk), TCP_FLAG.ACK | ace);
}

/** Abort: RST with our place in the stream (tcp_send_active_reset). */
export function sendActiveReset(sk: TcpSock): void {
  sk.host.snmp.TcpOutRsts++;
  sendControl(sk, acceptableSeq(sk), TCP_FLAG.ACK | TCP_FLAG.RST);
}

function eventAckSent(sk: TcpSock): void {
  if (sk.compressedAck > 0) {
    sk.host.snmp.TcpExtTCPAckCompressed += sk.compressedAck;
    sk.compressedAck = 0;
    sk.compressedAckTimer.stop();
  }
  if (sk.ackQuick > 0) {
    sk.ackQuick--;
    if (sk.ackQuick === 0) sk.ato = ATO_MIN;
  }
  sk.ackPending = 0;
  sk.ackRetry = 0;
  if (sk.delackTimer.armed) sk.delackTimer.stop();
}

function eventDataSent(sk: TcpSock): void {
  const now = sk.host.clock.now();
  if (packetsInFlight(sk) === 0) sk.ca.txStart(sk);
  sk.lsndtime = now;
  // An answer within ato of what came in: the two ends talk in turns, ACKs can wait for data.
  if (now - sk.lrcvtime < sk.ato) sk.ackPingpong = Math.min(sk.ackPingpong + 1, 255);
}

/** The program and the peer take turns (inet_csk_in_pingpong_mode). */
export function inPingpongMode(sk: TcpSock): boolean {
  return sk.ackPingpong >= sk.tcp.sysctl.pingpongThresh.value;
}

export function scheduleAck(sk: TcpSock): void {
  sk.ackPending |= ACK_PENDING.SCHED;
}
