/**
 * Loss told by counting, for tcp_recovery=0: a segment is lost when enough of those behind it were SACKed (RFC 6675's
 * IsLost, in segments; Linux: tcp_update_scoreboard, tcp_mark_head_lost).
 */
import { seqAfter } from '../header/tcp.ts';
import { markLost } from './tcp-loss.ts';
import { highestSackSeq } from './tcp-sack.ts';
import { SACKED } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Bit of tcp_recovery: RACK tells losses (TCP_RACK_LOSS_DETECTION). */
const RACK_LOSS_DETECTION = 1;

export function isRack(sk: TcpSock): boolean {
  return (sk.tcp.sysctl.recovery.value & RACK_LOSS_DETECTION) !== 0;
}

/** More than the reordering that is known was SACKed beyond the first hole (tcp_force_fast_retransmit). */
export function forceFastRetransmit(sk: TcpSock): boolean {
  return seqAfter(highestSackSeq(sk), (sk.sndUna + sk.reordering * sk.mssCache) >>> 0);
}

/** A loss is proven, or the duplicate ACKs are enough (tcp_time_to_recover). */
export function timeToRecover(sk: TcpSock): boolean {
  return sk.lostOut > 0 || (!isRack(sk) && sk.sackedOut + 1 > sk.reordering);
}

/** Mark from the front until more than `packets` SACKed segments lie behind; `one`: the first only. */
function markHeadLost(sk: TcpSock, packets: number, one: boolean): void {
  let sacked = 0;
  for (let segment = sk.rtxQueue.head; segment !== undefined; segment = segment.next) {
    if ((segment.sacked & SACKED.ACKED) !== 0) sacked += segment.count;
    if (sacked > packets) return;
    if ((segment.sacked & SACKED.LOST) === 0) markLost(sk, segment);
    if (one) return;
  }
}

/** After an ACK that brought duplicates; `fast`: recovery begins with it. */
export function updateScoreboard(sk: TcpSock, fast: boolean): void {
  if (!sk.sackOk) return;
  const upTo = sk.sackedOut - sk.reordering;
  if (upTo >= 0) markHeadLost(sk, upTo, false);
  else if (fast) markHeadLost(sk, 1, true);
}
