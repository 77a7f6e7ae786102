/**
 * What a receiver reports beside its acknowledgement: SACK blocks, newest first (RFC 2018 §4), and a DSACK (RFC 2883)
 * (Linux: tcp_sack_new_ofo_skb, tcp_sack_remove, tcp_dsack_set).
 */
import { seqAfter, seqBefore } from '../header/tcp.ts';
import { SACK_BLOCKS_MAX } from '../header/tcp-options.ts';
import type { TcpSock } from './tcp-sock.ts';
import { sackCompressSendAck } from './tcp-validate.ts';

/** A duplicate to report in the next ACK (tcp_dsack_set). */
export function dsackSet(sk: TcpSock, seq: number, endSeq: number): void {
  if (!sk.sackOk || sk.tcp.sysctl.dsack.value === 0) return;
  if (seqBefore(seq, sk.rcvNxt)) sk.host.snmp.TcpExtTCPDSACKOldSent++;
  else sk.host.snmp.TcpExtTCPDSACKOfoSent++;
  sk.dsack = true;
  sk.dsackStart = seq;
  sk.dsackEnd = endSeq;
}

/** tcp_dsack_extend. */
export function dsackExtend(sk: TcpSock, seq: number, endSeq: number): void {
  if (!sk.dsack) return dsackSet(sk, seq, endSeq);
  if (seqAfter(seq, sk.dsackEnd) || seqAfter(sk.dsackStart, endSeq)) return;
  if (seqBefore(seq, sk.dsackStart)) sk.dsackStart = seq;
  if (seqAfter(endSeq, sk.dsackEnd)) sk.dsackEnd = endSeq;
}

/** Let block `i` take in a range that touches it (tcp_sack_extend). */
function sackExtend(sk: TcpSock, i: number, seq: number, endSeq: number): boolean {
  const { sackStart, sackEnd } = sk;
  if (seqAfter(seq, sackEnd[i]!) || seqAfter(sackStart[i]!, endSeq)) return false;
  if (seqBefore(seq, sackStart[i]!)) sackStart[i] = seq;
  if (seqAfter(endSeq, sackEnd[i]!)) sackEnd[i] = endSeq;
  return true;
}

/** New data ahead of its turn: its block comes first (RFC 2018 §4). (Linux: tcp_sack_new_ofo_skb) */
export function sackNewOfo(sk: TcpSock, seq: number, endSeq: number): void {
  const { sackStart, sackEnd } = sk;
  for (let i = 0; i < sk.numSacks; i++) {
    if (!sackExtend(sk, i, seq, endSeq)) continue;
    if (i >= 2) sackCompressSendAck(sk);
    const start = sackStart[i]!;
    const end = sackEnd[i]!;
    for (let n = i; n > 0; n--) {
      sackStart[n] = sackStart[n - 1]!;
      sackEnd[n] = sackEnd[n - 1]!;
    }
    sackStart[0] = start;
    sackEnd[0] = end;
    if (sk.numSacks > 1) maybeCoalesce(sk);
    return;
  }
  if (sk.numSacks >= 2) sackCompressSendAck(sk);
  if (sk.numSacks >= SACK_BLOCKS_MAX) sk.numSacks--;
  for (let n = sk.numSacks; n > 0; n--) {
    sackStart[n] = sackStart[n - 1]!;
    sackEnd[n] = sackEnd[n - 1]!;
  }
  sackStart[0] = seq;
  sackEnd[0] = endSeq;
  sk.numSacks++;
}

/** The first block grew: it may touch others now (tcp_sack_maybe_coalesce). */
function maybeCoalesce(sk: TcpSock): void {
  for (let i = 1; i < sk.numSacks; ) {
    if (sackExtend(sk, 0, sk.sackStart[i]!, sk.sackEnd[i]!)) removeBlock(sk, i);
    else i++;
  }
}

function removeBlock(sk: TcpSock, i: number): void {
  sk.numSacks--;
  for (let n = i; n < sk.numSacks; n++) {
    sk.sackStart[n] = sk.sackStart[n + 1]!;
    sk.sackEnd[n] = sk.sackEnd[n + 1]!;
  }
}

/** The cumulative ACK passed some blocks (tcp_sack_remove). */
export function sackRemove(sk: TcpSock): void {
  if (sk.ofoQueue.head === undefined) {
    sk.numSacks = 0;
    return;
  }
  for (let i = 0; i < sk.numSacks; ) {
    if (!seqBefore(sk.rcvNxt, sk.sackStart[i]!)) removeBlock(sk, i);
    else i++;
  }
}
