/** From the receive queue to the program: one copy, then the window may open (Linux: tcp_recvmsg_locked, tcp_cleanup_rbuf). */
import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import { addTimestamp } from './datagram.ts';
import type { Errno, Result } from './errno.ts';
import { receiveError } from './error-queue.ts';
import type { SkBuff } from './skbuff.ts';
import { MSG, type ReceivedMessage } from './sock.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { rcvSpaceAdjust } from './tcp-rcvbuf.ts';
import { uncharge } from './tcp-receive.ts';
import { segmentOf } from './tcp-segment.ts';
import { receiveWindow, type TcpSock, URG } from './tcp-sock.ts';
import { inPingpongMode, sendAck } from './tcp-transmit.ts';
import { fastPathCheck, freeWindow } from './tcp-window.ts';

/** What to say when nothing is there to read. */
function nothing(sk: TcpSock): Errno | 'end' {
  // After the peer's FIN the stream has an end, whatever happened since (SOCK_DONE).
  if (sk.finReceived) return 'end';
  const error = sk.takeError();
  if (error !== undefined) return error;
  if (sk.shutdownRead) return 'end';
  if (sk.state === 'CLOSE') return 'ENOTCONN';
  return 'EAGAIN';
}

/** The one urgent octet; never waits (tcp_recv_urg). */
function receiveOob(sk: TcpSock, into: Uint8Array, flags: number): Result<ReceivedMessage> {
  if (sk.urgInline || sk.urgData === URG.NONE || sk.urgData === URG.READ) return 'EINVAL';
  if (sk.state === 'CLOSE' && !sk.finReceived) return 'ENOTCONN';
  if ((sk.urgData & URG.VALID) === 0) {
    return sk.state === 'CLOSE' || sk.shutdownRead ? { length: 0, flags: 0 } : 'EAGAIN';
  }
  const octet = sk.urgData & 255;
  if ((flags & MSG.PEEK) === 0) sk.urgData = URG.READ;
  if (into.length === 0) return { length: 0, flags: MSG.OOB | MSG.TRUNC };
  if ((flags & MSG.TRUNC) === 0) into[0] = octet;
  return { length: 1, flags: MSG.OOB };
}

/** Fill `into` from what is in order, up to urgent data. (Linux: tcp_recvmsg) */
export function recvmsg(sk: TcpSock, into: Uint8Array, flags: number): Result<ReceivedMessage> {
  if ((flags & MSG.ERRQUEUE) !== 0) return receiveError(sk, into);
  if (sk.state === 'LISTEN') return 'ENOTCONN';
  if ((flags & MSG.OOB) !== 0) return receiveOob(sk, into, flags);
  const peek = (flags & MSG.PEEK) !== 0;
  const copied = copyOut(sk, into, flags);
  if (copied === 0 && !read.found) {
    const answer = nothing(sk);
    if (answer !== 'end') return answer;
  }
  const { trace } = sk.host;
  if (trace.on) trace.mark('tcp_recvmsg', sk.cause, { length: copied, port: sk.localPort });
  if (!peek) cleanupRbuf(sk, copied);
  const message: ReceivedMessage = { length: copied, flags: 0 };
  if (sk.receiveInq) message.inq = inqHint(sk);
  if (read.timestamp !== 0) addTimestamp(sk, read.timestamp, message);
  return message;
}

/** What is left to read, or 1 where the end of the stream is next (tcp_inq_hint). */
function inqHint(sk: TcpSock): number {
  const inq = (sk.rcvNxt - sk.copiedSeq) | 0;
  return inq === 0 && sk.shutdownRead ? 1 : Math.max(inq, 0);
}

/** What copyOut saw beside the octets. Reused: TCP reads for one program at a time. */
const read = {
  seq: 0,
  copied: 0,
  /** Data that was not asked for, or the end of the stream: nothing to wait for. */
  found: false,
  /** When the last packet of it arrived. */
  timestamp: 0,
};

/** The next octets of one packet; false when reading ends here, with octets left in it. */
function readPacket(sk: TcpSock, skb: SkBuff, into: Uint8Array, flags: number): boolean {
  const { seq: start } = segmentOf(skb);
  for (let offset = (read.seq - start) | 0; offset < skb.length; offset = (read.seq - start) | 0) {
    const urgent = sk.urgData === URG.NONE ? -1 : (sk.urgSeq - read.seq) | 0;
    // What is urgent ends what is read at once.
    // A splice does not pass it at all (tcp_read_sock).
    const splice = (flags & MSG.SPLICE_PAGES) !== 0;
    if (read.copied === into.length || (urgent === 0 && (read.copied > 0 || splice))) {
      read.found = true;
      return false;
    }
    let count = Math.min(skb.length - offset, into.length - read.copied);
    let skip = 0;
    if (urgent > 0 && urgent < count) count = urgent;
    else if (urgent === 0 && !sk.urgInline) {
      // Read past the urgent octet, which is not part of the stream.
      skip = 1;
      count--;
    }
    if (count > 0 && (flags & MSG.TRUNC) === 0) skb.copyBits(offset + skip, count, into, read.copied);
    read.copied += count;
    read.seq = (read.seq + skip + count) >>> 0;
    read.timestamp = skb.timestamp;
    advance(sk, count, flags);
  }
  return true;
}

/** `count` octets more have been given to the program. */
function advance(sk: TcpSock, count: number, flags: number): void {
  if ((flags & MSG.PEEK) !== 0) {
    if (sk.peekOffset >= 0) sk.peekOffset += count;
    return;
  }
  sk.copiedSeq = read.seq;
  if (sk.peekOffset >= 0) sk.peekOffset = Math.max(0, sk.peekOffset - count);
  rcvSpaceAdjust(sk);
  // What was urgent lies behind.
  if (sk.urgData !== URG.NONE && seqAfter(sk.copiedSeq, sk.urgSeq)) {
    sk.urgData = URG.NONE;
    fastPathCheck(sk);
  }
}

/** Copy, and free what has been read. Returns octets. (Linux: the loop of tcp_recvmsg_locked) */
function copyOut(sk: TcpSock, into: Uint8Array, flags: number): number {
  const queue = sk.receiveQueue;
  const peek = (flags & MSG.PEEK) !== 0;
  read.seq = peek && sk.peekOffset > 0 ? (sk.copiedSeq + sk.peekOffset) >>> 0 : sk.copiedSeq;
  read.copied = read.timestamp = 0;
  read.found = false;
  let freed = 0;
  for (const skb of queue) {
    const { flags: bits, endSeq } = segmentOf(skb);
    const fin = (bits & TCP_FLAG.FIN) !== 0;
    // Peeked at already, to its end.
    if (peek && !seqBefore(read.seq, endSeq)) continue;
    if (!readPacket(sk, skb, into, flags)) break;
    if (fin) {
      read.found = true;
      read.seq = (read.seq + 1) >>> 0;
    }
    if (peek) {
      if (fin) break;
      continue;
    }
    sk.copiedSeq = read.seq;
    freed++;
    uncharge(sk, skb);
    if (fin) break;
  }
  if (freed > 0) queue.splice(0, freed);
  return read.copied;
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
