/** Loss without SACK: duplicate ACKs are counted, and the oldest segment is the one that is missing (RFC 6582). */

import { markLost } from './tcp-loss.ts';
import { currentMss } from './tcp-mss.ts';
import { fragmentSegment } from './tcp-queue.ts';
import { SACKED } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';

/** Without SACK, duplicate ACKs stand for segments that left the network (tcp_add_reno_sack). */
export function addRenoSack(sk: TcpSock, dupacks: number): void {
  if (dupacks === 0) return;
  const before = sk.sackedOut;
  sk.sackedOut += dupacks;
  limitRenoSacked(sk, 0);
  const delivered = sk.sackedOut - before;
  if (delivered > 0) sk.delivered += delivered;
}

function limitRenoSacked(sk: TcpSock, addend: number): void {
  const holes = Math.min(Math.max(sk.lostOut, 1), sk.packetsOut);
  if (sk.sackedOut + holes <= sk.packetsOut) return;
  sk.sackedOut = sk.packetsOut - holes;
  sk.reordering = Math.min(sk.packetsOut + addend, sk.tcp.sysctl.maxReordering.value);
  sk.reordSeen++;
  sk.host.snmp.TcpExtTCPRenoReorder++;
}

/** Segments were acknowledged; so many of the duplicate ACKs are accounted for (tcp_remove_reno_sacks). */
export function removeRenoSacks(sk: TcpSock, acked: number): void {
  if (acked > 0) {
    sk.delivered += Math.max(acked - sk.sackedOut, 1);
    sk.sackedOut = acked - 1 >= sk.sackedOut ? 0 : sk.sackedOut - (acked - 1);
  }
  limitRenoSacked(sk, acked);
}

/** NewReno: the first segment is lost at the threshold, and at every partial ACK (tcp_newreno_mark_lost). */
export function newrenoMarkLost(sk: TcpSock, advanced: boolean): void {
  const before = sk.caState === 'Open' || sk.caState === 'Disorder' || sk.caState === 'CWR';
  if (!((before && sk.sackedOut >= sk.reordering) || (sk.caState === 'Recovery' && advanced))) return;
  const head = sk.rtxQueue.head;
  if (head === undefined || (head.sacked & SACKED.LOST) !== 0) return;
  const mss = head.mss || currentMss(sk);
  if (head.count > 1 && head.length > mss) fragmentSegment(sk, sk.rtxQueue, head, mss, mss);
  markLost(sk, head);
}
