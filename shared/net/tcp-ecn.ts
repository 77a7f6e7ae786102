/**
 * Explicit congestion notification (RFC 3168; Linux: tcp_ecn_*): agreed in the handshake, ECT(0) on new data, CE of the
 * network echoed with ECE until the sender's CWR. Left out: accurate ECN, RFC 8311's ECT(1).
 */
import { seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { Segment } from './tcp-segment.ts';
import { ACK_PENDING, ECN, type TcpSock } from './tcp-sock.ts';
import { enterQuickackMode } from './tcp-validate.ts';

/** The two bits of the TOS octet. */
const ECN_MASK = 3;
const ECT_0 = 2;
const CE = 3;
/** ACKs that go at once when a mark was seen. */
const QUICKACKS = 2;
/** Values of tcp_ecn with which our own SYN asks. */
const ASKING: readonly number[] = [1, 3, 4];
const BOTH = TCP_FLAG.ECE | TCP_FLAG.CWR;

/** Flags of our SYN: both when we ask (tcp_ecn_send_syn). */
export function ecnSynFlags(sk: TcpSock): number {
  if (!ASKING.includes(sk.tcp.sysctl.ecn.value)) return 0;
  sk.ecnFlags = ECN.OK;
  return BOTH;
}

/** A SYN that is repeated may have been lost for its flags: ask no more (tcp_ecn_clear_syn, RFC 3168 §6.1.1.1). */
export function ecnClearSyn(sk: TcpSock, segment: Segment): void {
  if ((segment.flags & (TCP_FLAG.SYN | BOTH)) !== (TCP_FLAG.SYN | BOTH)) return;
  if (sk.tcp.sysctl.ecnFallback.value !== 0) segment.flags &= ~BOTH;
}

/** The flags of a segment after the handshake, and ECT on new data alone (tcp_ecn_send). */
export function ecnSend(sk: TcpSock, seq: number, flags: number, payload: number): number {
  if ((sk.ecnFlags & ECN.OK) === 0) return flags;
  sk.tos &= ~ECN_MASK;
  if (payload > 0 && !seqBefore(seq, sk.sndNxt)) {
    sk.tos |= ECT_0;
    if ((sk.ecnFlags & ECN.QUEUE_CWR) !== 0) {
      sk.ecnFlags &= ~ECN.QUEUE_CWR;
      flags |= TCP_FLAG.CWR;
    }
  }
  return (sk.ecnFlags & ECN.DEMAND_CWR) !== 0 ? flags | TCP_FLAG.ECE : flags;
}

/** What the network wrote on a packet with data (__tcp_ecn_check_ce). */
export function ecnCheckCe(sk: TcpSock, segment: Segment): void {
  if ((sk.ecnFlags & ECN.OK) === 0) return;
  const mark = segment.tos & ECN_MASK;
  if (mark === 0) {
    // No ECT where there was some: probably a retransmission.
    if ((sk.ecnFlags & ECN.SEEN) !== 0) enterQuickackMode(sk, QUICKACKS);
    return;
  }
  if (mark === CE && (sk.ecnFlags & ECN.DEMAND_CWR) === 0) {
    // The sender's window may be small: it must hear at once.
    enterQuickackMode(sk, QUICKACKS);
    sk.ecnFlags |= ECN.DEMAND_CWR;
  }
  sk.ecnFlags |= ECN.SEEN;
}

/** The sender has slowed down: stop telling it (tcp_ecn_accept_cwr). */
export function ecnAcceptCwr(sk: TcpSock, segment: Segment): void {
  if ((segment.flags & TCP_FLAG.CWR) === 0) return;
  sk.ecnFlags &= ~ECN.DEMAND_CWR;
  // An ACK without ECE lets it go on.
  if (segment.seq !== segment.endSeq) sk.ackPending |= ACK_PENDING.NOW;
}
