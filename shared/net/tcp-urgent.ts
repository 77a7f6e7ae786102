/**
 * Urgent data in the BSD sense: one octet, out of band, before the one that the pointer names (Linux: tcp_urg,
 * tcp_check_urg; RFC 6093 §2 says why). Left out: tcp_stdurg, SIGURG.
 */
import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { SkBuff } from './skbuff.ts';
import { dataReady } from './tcp-receive.ts';
import { segmentOf } from './tcp-segment.ts';
import { type TcpSock, URG } from './tcp-sock.ts';

/** Look at the urgent pointer of a segment whose header is still in front. The skb stays the caller's. */
export function receiveUrgent(sk: TcpSock, skb: SkBuff): void {
  const segment = segmentOf(skb);
  if ((segment.flags & TCP_FLAG.URG) !== 0) noteUrgent(sk, segment.seq, segment.urgent);
  if (sk.urgData !== URG.NOTYET) return;
  const at = (sk.urgSeq - segment.seq) | 0;
  const payload = skb.length - segment.headerLength;
  if (at < 0 || at >= payload) return;
  const octet = new Uint8Array(1);
  skb.copyBits(segment.headerLength + at, 1, octet, 0);
  sk.urgData = URG.VALID | octet[0]!;
  dataReady(sk);
}

function noteUrgent(sk: TcpSock, seq: number, pointer: number): void {
  const urgSeq = (seq + pointer - (pointer > 0 ? 1 : 0)) >>> 0;
  // Read already, or older than what is known.
  if (seqAfter(sk.copiedSeq, urgSeq) || seqBefore(urgSeq, sk.rcvNxt)) return;
  if (sk.urgData !== 0 && !seqAfter(urgSeq, sk.urgSeq)) return;
  sk.urgData = URG.NOTYET;
  sk.urgSeq = urgSeq;
  sk.fastPath = false;
}
