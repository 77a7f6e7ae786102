/** From the receive queue to the program: one copy, then the window may open (Linux: tcp_recvmsg_locked, tcp_cleanup_rbuf). */
import { TCP_FLAG } from '../header/tcp.ts';
import type { Errno, Result } from './errno.ts';
import { MSG, type ReceivedMessage } from './sock.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { rcvSpaceAdjust } from './tcp-rcvbuf.ts';
import { uncharge } from './tcp-receive.ts';
import { segmentOf } from './tcp-segment.ts';
import { receiveWindow, stateIs, type TcpSock, URG } from './tcp-sock.ts';
import { inPingpongMode, sendAck } from './tcp-transmit.ts';
import { fastPathCheck, freeWindow } from './tcp-window.ts';

/** What to say when nothing is there to read. */
function nothing(sk: TcpSock): Errno | 'end' {
  const error = sk.takeError();
  if (error !== undefined) return error;
  if (sk.shutdownRead) return 'end';
  if (sk.state === 'CLOSE') return 'ENOTCONN';
  return 'EAGAIN';
}

/** The one urgent octet (tcp_recv_urg). */
function receiveOob(sk: TcpSock, into: Uint8Array, flags: number): Result<ReceivedMessage> {
  if (sk.urgInline || sk.urgData === 0 || sk.urgData === URG.READ) return 'EINVAL';
  if (stateIs(sk, 'CLOSE', 'LISTEN')) return 'ENOTCONN';
  if ((sk.urgData & URG.VALID) === 0) return 'EAGAIN';
  if (into.length === 0) return { length: 0, flags: MSG.OOB | MSG.TRUNC };
  into[0] = sk.urgData & 255;
  if ((flags & MSG.PEEK) === 0) sk.urgData = URG.READ;
  return { length: 1, flags: MSG.OOB };
}

/** Fill `into` from what is in order, up to urgent data. (Linux: tcp_recvmsg) */
export function recvmsg(sk: TcpSock, into: Uint8Array, flags: number): Result<ReceivedMessage> {
  if (sk.state === 'LISTEN') return 'ENOTCONN';
  if ((flags & MSG.OOB) !== 0) return receiveOob(sk, into, flags);
  if ((flags & MSG.ERRQUEUE) !== 0) return 'EAGAIN';
  const peek = (flags & MSG.PEEK) !== 0;
  const copied = copyOut(sk, into, peek, (flags & MSG.TRUNC) !== 0);
  if (copied === 0 && into.length > 0) {
    const answer = nothing(sk);
    if (answer !== 'end') return answer;
  }
  const { trace } = sk.host;
  if (trace.on) trace.mark('tcp_recvmsg', sk.cause, { length: copied, port: sk.localPort });
  if (!peek) cleanupRbuf(sk, copied);
  return sk.receiveInq ? { length: copied, flags: 0, inq: inqHint(sk) } : { length: copied, flags: 0 };
}

/** What is left to read, or 1 where the end of the stream is next (tcp_inq_hint). */
function inqHint(sk: TcpSock): number {
  const inq = (sk.rcvNxt - sk.copiedSeq) | 0;
  return inq === 0 && sk.shutdownRead ? 1 : Math.max(inq, 0);
}

/** Copy, and free what has been read. Returns octets. */
function copyOut(sk: TcpSock, into: Uint8Array, peek: boolean, discard: boolean): number {
  const queue = sk.receiveQueue;
  let seq = sk.copiedSeq;
  let copied = 0;
  let freed = 0;
  for (const skb of queue) {
    const segment = segmentOf(skb);
    const offset = (seq - segment.seq) | 0;
    const fin = (segment.flags & TCP_FLAG.FIN) !== 0;
    let available = skb.length - offset;
    if (available > 0) {
      if (copied === into.length) break;
      let count = Math.min(available, into.length - copied);
      let skip = 0;
      if (sk.urgData !== 0) {
        const urgent = (sk.urgSeq - seq) | 0;
        if (urgent >= 0 && urgent < count) {
          if (urgent > 0) count = urgent;
          else if (copied > 0) break;
          else if (!sk.urgInline) {
            // Read past the urgent octet, which is not part of the stream.
            skip = 1;
            count--;
          }
        }
      }
      seq = (seq + skip) >>> 0;
      if (count > 0 && !discard) skb.copyBits(offset + skip, count, into, copied);
      copied += count;
      seq = (seq + count) >>> 0;
      available -= count + skip;
      if (!peek) {
        sk.copiedSeq = seq;
        rcvSpaceAdjust(sk);
        if (sk.urgData !== 0 && ((seq - sk.urgSeq) | 0) > 0) {
          sk.urgData = URG.NONE;
          fastPathCheck(sk);
        }
      }
      if (available > 0) break;
    }
    if (fin) seq = (seq + 1) >>> 0;
    if (peek) continue;
    sk.copiedSeq = seq;
    freed++;
    uncharge(sk, skb);
    if (fin) break;
  }
  if (freed > 0) queue.splice(0, freed);
  return copied;
}

/** After reading: does an ACK have to go, because of what was read or because the window opened? (__tcp_cleanup_rbuf) */
export function cleanupRbuf(sk: TcpSock, copied: number): void {
  let now = false;
  if ((sk.ackPending & ACK_PENDING.SCHED) !== 0) {
    const pushed = (sk.ackPending & ACK_PENDING.PUSHED) !== 0 && !inPingpongMode(sk);
    const drained = copied > 0 && ((sk.ackPending & ACK_PENDING.PUSHED2) !== 0 || pushed) && sk.receiveMemory === 0;
    now = ((sk.rcvNxt - sk.rcvWup) | 0) > sk.rcvMss || drained;
  }
  if (copied > 0 && !now && !sk.shutdownRead) {
    const window = receiveWindow(sk);
    if (2 * window <= sk.windowClamp) {
      const next = freeWindow(sk);
      now = next > 0 && next >= 2 * window;
    }
  }
  if (now) sendAck(sk);
}
