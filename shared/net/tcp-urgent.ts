/**
 * Urgent data in the BSD sense: one octet, out of band, before the one that the pointer names, or with
 * net.ipv4.tcp_stdurg the one it names (Linux: tcp_urg, tcp_check_urg; RFC 6093 §2 says why).
 */
import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { SkBuff } from './skbuff.ts';
import { POLL } from './sock.ts';
import { uncharge } from './tcp-receive.ts';
import { segmentOf } from './tcp-segment.ts';
import { type TcpSock, URG } from './tcp-sock.ts';

/** Look at the urgent pointer of a segment whose header is still in front. The skb stays the caller's. (Linux: tcp_urg) */
export function receiveUrgent(sk: TcpSock, skb: SkBuff): void {
  const segment = segmentOf(skb);
  if ((segment.flags & TCP_FLAG.URG) !== 0) noteUrgent(sk, segment.seq, segment.urgent);
  if (sk.urgData !== URG.NOTYET) return;
  const syn = (segment.flags & TCP_FLAG.SYN) !== 0 ? 1 : 0;
  const at = ((sk.urgSeq - segment.seq) | 0) - syn;
  if (at < 0 || at >= skb.length - segment.headerLength) return;
  const octet = new Uint8Array(1);
  skb.copyBits(segment.headerLength + at, 1, octet, 0);
  sk.urgData = URG.VALID | octet[0]!;
  if (!sk.dead) sk.tcp.wake(sk, POLL.IN);
}

/** Where the urgent octet is, unless it was read already or is older than one that is known. (Linux: tcp_check_urg) */
function noteUrgent(sk: TcpSock, seq: number, pointer: number): void {
  const bsd = pointer > 0 && sk.tcp.sysctl.stdurg.value === 0 ? 1 : 0;
  const urgSeq = (seq + pointer - bsd) >>> 0;
  if (seqAfter(sk.copiedSeq, urgSeq) || seqBefore(urgSeq, sk.rcvNxt)) return;
  if (sk.urgData !== URG.NONE && !seqAfter(urgSeq, sk.urgSeq)) return;
  // SIGURG to the owner (F_SETOWN), and EPOLLPRI to those who wait (sk_send_sigurg, sk_wake_async).
  if (!sk.dead) {
    sk.urgentOwner?.();
    sk.tcp.wake(sk, POLL.PRI);
  }
  passLastUrgent(sk);
  sk.urgData = URG.NOTYET;
  sk.urgSeq = urgSeq;
  sk.fastPath = false;
}

/** An urgent octet that reading stands at gives way to the next: it is not to come up as data. */
function passLastUrgent(sk: TcpSock): void {
  if (sk.urgData === URG.NONE || sk.urgSeq !== sk.copiedSeq || sk.urgInline || sk.copiedSeq === sk.rcvNxt) return;
  sk.copiedSeq = (sk.copiedSeq + 1) >>> 0;
  const skb = sk.receiveQueue[0];
  if (skb === undefined || seqBefore(sk.copiedSeq, segmentOf(skb).endSeq)) return;
  sk.receiveQueue.shift();
  uncharge(sk, skb);
}
