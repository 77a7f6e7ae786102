/**
 * Explicit congestion notification (Linux: tcp_ecn_*): which kind is asked for and agreed in the handshake, and that of
 * RFC 3168: ECT(0) on new data, CE of the network echoed with ECE until the sender's CWR. Accurate ECN is in tcp-accecn.ts.
 */
import { ACE_MASK, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import { dstMetric, FEATURE_ECN } from './route-metrics.ts';
import {
  accecnRequested,
  aceFlags,
  aceOf,
  noteOption,
  optionInit,
  receivedCounters,
  reflectorFlags,
  thirdAck,
  validateSynFeedback,
} from './tcp-accecn.ts';
import { ACCECN_FAIL, CE, ECN, ECN_MASK, ECT_0, OPTION_SEEN } from './tcp-accecn-state.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import type { RequestSock } from './tcp-listen.ts';
import type { Segment } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';
import { enterQuickackMode } from './tcp-validate.ts';

/** ACKs that go at once when a mark was seen. */
const QUICKACKS = 2;
/** Values of tcp_ecn with which our own SYN asks for ECN, for the accurate one, and with which that is given. */
const ASKING: readonly number[] = [1, 3, 4];
const ASKING_ACCURATE = 3;
const GIVING_ACCURATE = 3;
const BOTH = TCP_FLAG.ECE | TCP_FLAG.CWR;

export function ecnMode(sk: TcpSock): number {
  return sk.ecnFlags & ECN.ANY;
}

export function accecnMode(sk: TcpSock): boolean {
  return ecnMode(sk) === ECN.ACCECN;
}

function setMode(sk: TcpSock, mode: number): void {
  sk.ecnFlags = (sk.ecnFlags & ~ECN.ANY) | mode;
}

/** Flags of our SYN (tcp_ecn_send_syn). */
export function ecnSynFlags(sk: TcpSock): number {
  const routeAsks = (dstMetric(sk.route, 'features') & FEATURE_ECN) !== 0;
  const set = sk.tcp.sysctl.ecn.value;
  // `features ecn` on the route asks where the sysctl would not.
  const wish = routeAsks && !ASKING.includes(set) ? 1 : set;
  sk.ecnFlags = 0;
  sk.accecn.reset();
  if (!ASKING.includes(wish)) return 0;
  if (wish !== ASKING_ACCURATE) {
    setMode(sk, ECN.RFC3168);
    return BOTH;
  }
  setMode(sk, ECN.PENDING);
  sk.accecn.synEctSent = sk.tos & ECN_MASK;
  return BOTH | TCP_FLAG.AE;
}

/**
 * A SYN that is repeated may have been lost for its flags: ask no more (tcp_ecn_clear_syn, RFC 3168 §6.1.1.1), for the
 * accurate kind from the second repetition on (RFC 9768 §3.1.4.1).
 */
export function ecnClearSyn(sk: TcpSock, segment: Segment): void {
  if ((segment.flags & (TCP_FLAG.SYN | BOTH)) !== (TCP_FLAG.SYN | BOTH)) return;
  if (ecnMode(sk) === ECN.PENDING && sk.retransmits <= 1) return;
  if (sk.tcp.sysctl.ecnFallback.value !== 0) segment.flags &= ~ACE_MASK;
}

/** What a SYN asks of a listener (tcp_ecn_create_request). */
export function ecnCreateRequest(request: RequestSock, segment: Segment, routeAsks: boolean): void {
  const mode = request.tcp.sysctl.ecn.value;
  const { flags } = segment;
  if (accecnRequested(flags) && mode >= GIVING_ACCURATE) {
    request.ecnOk = request.accecnOk = true;
    request.synEctReceived = segment.tos & ECN_MASK;
    return;
  }
  // RFC 3168 §6.1.1: asked for by both flags. A SYN that is marked itself means another ECN, unless it says which.
  const plain = (segment.tos & ECN_MASK) === 0 || (flags & TCP_FLAG.AE) !== 0;
  request.ecnOk = (flags & BOTH) === BOTH && plain && (mode !== 0 || routeAsks);
}

/** Flags of a SYN-ACK; without any in the second repetition by the clock, to get through (tcp_ecn_make_synack). */
export function ecnSynAckFlags(request: RequestSock, again: boolean): number {
  if (!request.accecnOk) return request.ecnOk ? TCP_FLAG.ECE : 0;
  return again && request.timeouts > 0 ? 0 : reflectorFlags(request.synEctReceived);
}

/** The SYN again: its mark is the one that counts, and one without flags bars ECT (RFC 9768 §3.1.5). */
export function ecnSynAgain(request: RequestSock, segment: Segment): void {
  if (!request.accecnOk) return;
  request.synEctReceived = segment.tos & ECN_MASK;
  if (aceOf(segment.flags) === 0) request.accecnFailMode |= ACCECN_FAIL.ACE_RECV;
}

/** A SYN-ACK has been sent again; the second one may have been without flags. */
export function ecnSynAckAgain(request: RequestSock): void {
  if (request.accecnOk && request.retransmits > 1) request.accecnFailMode |= ACCECN_FAIL.ACE_SEND;
}

/** The option of the last ACK, before there is a child to keep it (tcp_check_req). */
export function ecnRequestOption(request: RequestSock): void {
  const o = request.tcp.received;
  if (!request.accecnOk || o.accecn === 0 || request.sawAccecnOption >= OPTION_SEEN.COUNTER) return;
  request.sawAccecnOption = optionInit(o);
  if (request.sawAccecnOption === OPTION_SEEN.FAIL) request.accecnFailMode |= ACCECN_FAIL.OPT_RECV;
}

/** A SYN cookie keeps that ECN was agreed on; that it was the accurate kind shows in the ACK (RFC 9768 §5.1). */
export function ecnFromCookie(request: RequestSock, segment: Segment): void {
  request.accecnOk = request.ecnOk && aceOf(segment.flags) > 1;
}

/** What a child has of its request; `payload` octets came with the segment that made it (tcp_ecn_openreq_child). */
export function ecnChild(child: TcpSock, request: RequestSock, segment: Segment, payload: number): void {
  if (!request.accecnOk) return setMode(child, request.ecnOk ? ECN.RFC3168 : 0);
  setMode(child, ECN.ACCECN);
  const { accecn } = child;
  accecn.failMode = request.accecnFailMode;
  accecn.synEctSent = request.listener.tos & ECN_MASK;
  thirdAck(child, segment);
  accecn.sawOption = request.sawAccecnOption;
  accecn.prevField = request.synEctReceived;
  accecn.demand = 1;
  receivedCounters(child, segment, segment.skb?.gsoSegments ?? 1, payload);
}

/** The SYN-ACK to our SYN settles which kind it is (tcp_ecn_rcv_synack, RFC 9768 §3.1.2 Table 2). */
export function ecnReceiveSynAck(sk: TcpSock, segment: Segment): void {
  const mode = ecnMode(sk);
  if (mode === 0) return;
  const ace = aceOf(segment.flags);
  if (mode === ECN.RFC3168) {
    if ((segment.flags & BOTH) !== TCP_FLAG.ECE) setMode(sk, 0);
    return;
  }
  if (ace === 0 || ace === 0b111) return setMode(sk, 0);
  if (ace === 0b001) return setMode(sk, ECN.RFC3168);
  setMode(sk, ECN.ACCECN);
  sk.accecn.synEctReceived = segment.tos & ECN_MASK;
  if (noteOption(sk)) sk.accecn.demand = 2;
  if ((segment.tos & ECN_MASK) !== CE) return;
  // A reserved combination feeds back that all arrived unchanged (§3.1.3).
  if (ace !== 0b101 && !validateSynFeedback(sk, ace)) return;
  sk.accecn.receivedCe++;
  sk.accecn.receivedCePending++;
}

/** A SYN that crosses ours (tcp_ecn_rcv_syn). */
export function ecnReceiveSyn(sk: TcpSock, segment: Segment): void {
  if (ecnMode(sk) === ECN.PENDING) {
    if (accecnRequested(segment.flags)) {
      sk.accecn.synEctReceived = sk.accecn.prevField = segment.tos & ECN_MASK;
      setMode(sk, ECN.ACCECN);
    } else setMode(sk, ECN.RFC3168);
  }
  if (ecnMode(sk) === ECN.RFC3168 && (segment.flags & BOTH) !== BOTH) setMode(sk, 0);
}

/** Flags of the SYN-ACK that our SYN becomes then (tcp_ecn_send_synack). */
export function ecnCrossedSynAckFlags(sk: TcpSock): number {
  if (!accecnMode(sk)) return ecnMode(sk) === 0 ? 0 : TCP_FLAG.ECE;
  sk.accecn.synEctSent = sk.tos & ECN_MASK;
  return reflectorFlags(sk.accecn.synEctReceived);
}

/** The flags of an ACK that answers a SYN or SYN-ACK: its mark, instead of the count (tcp_send_ack_reflect_ect). */
export function ecnReflection(sk: TcpSock): number {
  return accecnMode(sk) ? reflectorFlags(sk.accecn.synEctReceived) : 0;
}

/** The flags of a segment after the handshake, and ECT (tcp_ecn_send). */
export function ecnSend(sk: TcpSock, seq: number, flags: number, payload: number): number {
  const mode = ecnMode(sk);
  if (mode === 0) return flags;
  if (mode === ECN.ACCECN) {
    if ((sk.accecn.failMode & (ACCECN_FAIL.ACE_RECV | ACCECN_FAIL.ACE_SEND)) === 0) sk.tos |= ECT_0;
    return (flags & ACE_MASK) !== 0 ? flags : flags | aceFlags(sk);
  }
  sk.tos &= ~ECN_MASK;
  // New data alone, no ACK and no retransmission.
  if (payload > 0 && !seqBefore(seq, sk.sndNxt)) {
    sk.tos |= ECT_0;
    if ((sk.ecnFlags & ECN.QUEUE_CWR) !== 0) {
      sk.ecnFlags &= ~ECN.QUEUE_CWR;
      flags |= TCP_FLAG.CWR;
    }
  }
  return (sk.ecnFlags & ECN.DEMAND_CWR) !== 0 ? flags | TCP_FLAG.ECE : flags;
}

/** What the network wrote on a packet with data (tcp_data_ecn_check). */
export function ecnCheckCe(sk: TcpSock, segment: Segment): void {
  const mode = ecnMode(sk);
  if (mode === 0) return;
  const mark = segment.tos & ECN_MASK;
  if (mark === 0) {
    // No ECT where there was some: probably a retransmission.
    if ((sk.ecnFlags & ECN.SEEN) !== 0) enterQuickackMode(sk, QUICKACKS);
    return;
  }
  if (mode !== ECN.RFC3168) return;
  if (mark === CE && (sk.ecnFlags & ECN.DEMAND_CWR) === 0) {
    // The sender's window may be small: it must hear at once.
    enterQuickackMode(sk, QUICKACKS);
    sk.ecnFlags |= ECN.DEMAND_CWR;
  }
  sk.ecnFlags |= ECN.SEEN;
}

/** The sender has slowed down: stop telling it (tcp_ecn_accept_cwr). */
export function ecnAcceptCwr(sk: TcpSock, segment: Segment): void {
  if (ecnMode(sk) !== ECN.RFC3168 || (segment.flags & TCP_FLAG.CWR) === 0) return;
  sk.ecnFlags &= ~ECN.DEMAND_CWR;
  // An ACK without ECE lets it go on.
  if (segment.seq !== segment.endSeq) sk.ackPending |= ACK_PENDING.NOW;
}
