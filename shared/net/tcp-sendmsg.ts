/**
 * From the program to the write queue: bytes are copied once, into pages that several sk_buffs may share, up to 64 kB an
 * sk_buff (Linux: tcp_sendmsg_locked, tcp_push, sk_page_frag_refill). Also the tasklet of small queues (tcp_tsq_handler).
 */
import { TCP_FLAG } from '../header/tcp.ts';
import { SNDBUF_MIN } from './core-sysctl.ts';
import type { Result } from './errno.ts';
import { FRAG_PAGE_BYTES, type SkBuff } from './skbuff.ts';
import { MSG, type SendOptions } from './sock.ts';
import { notsentOk } from './tcp-ack.ts';
import { slowStartAfterIdleCheck } from './tcp-congestion.ts';
import { passiveFastopen } from './tcp-fastopen.ts';
import { sendmsgFastopen } from './tcp-fastopen-send.ts';
import type { Tcp } from './tcp-host.ts';
import { chargeQueued, memorySchedule, moderateSndbuf } from './tcp-memory.ts';
import { currentMss, forcedPush, sizeGoal } from './tcp-mss.ts';
import { markPush, pushPending, tsqHandler, writeXmit } from './tcp-output.ts';
import { entail, newSegment } from './tcp-queue.ts';
import type { Segment } from './tcp-segment.ts';
import { NAGLE, stateIs, type TcpSock } from './tcp-sock.ts';

/** Linux: MAX_SKB_FRAGS. */
const FRAGS_MAX = 17;

/** Whether there is memory for another sk_buff (sk_stream_memory_free). */
function memoryFree(sk: TcpSock): boolean {
  return sk.wmemQueued < sk.sndbuf && notsentOk(sk);
}

/** Memory for another sk_buff; where the host has none, this sock sends from a smaller buffer (tcp_wmem_schedule). */
function scheduleQueued(sk: TcpSock, size: number): void {
  if (memorySchedule(sk, size, false)) return;
  sk.tcp.memory.enterPressure();
  moderateSndbuf(sk, SNDBUF_MIN);
}

/** Room in a shared page, a fresh one when it is full (sk_page_frag_refill). Returns octets free. */
function refillPage(sk: TcpSock): number {
  const { skbs } = sk.host;
  if (sk.fragPage !== undefined) {
    if (sk.fragPage.refs === 1) sk.fragOffset = 0;
    const left = FRAG_PAGE_BYTES - sk.fragOffset;
    if (left > 0) return left;
    skbs.releasePages(sk.fragPage);
  }
  sk.fragPage = skbs.pages(FRAG_PAGE_BYTES);
  skbs.holdPages(sk.fragPage);
  sk.fragOffset = 0;
  return FRAG_PAGE_BYTES;
}

/** Append `count` octets that stand at the page's offset: the last frag grows when they follow it. */
function appendPage(sk: TcpSock, skb: SkBuff, count: number): void {
  const page = sk.fragPage!;
  const last = skb.frags[skb.frags.length - 1];
  if (last !== undefined && last.pages === page && last.offset + last.length === sk.fragOffset) {
    skb.frags[skb.frags.length - 1] = { pages: page, offset: last.offset, length: last.length + count };
    skb.fragBytes += count;
  } else skb.addFrag(page, sk.fragOffset, count);
  sk.fragOffset += count;
}

/** Whether more may be put in the last sk_buff of the write queue. */
function tailWithRoom(sk: TcpSock, goal: number): Segment | undefined {
  const tail = sk.writeQueue.tail;
  if (tail === undefined || tail.endOfRecord || tail.length >= goal) return undefined;
  if ((tail.flags & TCP_FLAG.FIN) !== 0) return undefined;
  const { frags } = tail.skb!;
  return frags.length < FRAGS_MAX ? tail : undefined;
}

/** Copy from `bytes` at `from` into `segment`; returns how many octets. */
export function copyIn(sk: TcpSock, segment: Segment, bytes: Uint8Array, from: number, goal: number): number {
  const room = refillPage(sk);
  const count = Math.min(room, bytes.length - from, goal - segment.length);
  sk.fragPage!.bytes.set(
    from === 0 && count === bytes.length ? bytes : bytes.subarray(from, from + count),
    sk.fragOffset,
  );
  appendPage(sk, segment.skb!, count);
  // Only the first octets of a call take back the push of the call before.
  if (from === 0) segment.flags &= ~TCP_FLAG.PSH;
  segment.endSeq = (segment.endSeq + count) >>> 0;
  // The count is made anew when it is sent.
  segment.count = 0;
  sk.writeSeq = (sk.writeSeq + count) >>> 0;
  chargeQueued(sk, count);
  return count;
}

function mayNotSend(sk: TcpSock): Result<number> | undefined {
  const error = sk.takeError();
  if (error !== undefined) return error;
  if (sk.shutdownWrite) return 'EPIPE';
  if (passiveFastopen(sk)) return undefined;
  if (stateIs(sk, 'SYN_SENT', 'SYN_RECV')) {
    sk.noSpace = true;
    return 'EAGAIN';
  }
  // Never connected, or no more.
  return stateIs(sk, 'ESTABLISHED', 'CLOSE_WAIT') ? undefined : 'EPIPE';
}

/** Take what fits, at least one octet, and send what may go. (Linux: tcp_sendmsg_locked) */
export function sendmsg(sk: TcpSock, bytes: Uint8Array, options: SendOptions): Result<number> {
  const flags = options.flags ?? 0;
  if ((flags & MSG.FASTOPEN) !== 0 || sk.deferConnect) {
    const opened = sendmsgFastopen(sk, bytes, options.to);
    if (opened !== undefined) return opened;
  }
  const refused = mayNotSend(sk);
  if (refused !== undefined) return refused;
  const mss = currentMss(sk);
  const goal = (flags & MSG.OOB) !== 0 ? mss : sizeGoal(sk, mss);
  let copied = 0;
  while (copied < bytes.length) {
    let segment = tailWithRoom(sk, goal);
    if (segment === undefined) {
      if (!memoryFree(sk)) break;
      scheduleQueued(sk, mss);
      slowStartAfterIdleCheck(sk);
      segment = newSegment(sk, TCP_FLAG.ACK);
      entail(sk, segment);
    }
    copied += copyIn(sk, segment, bytes, copied, goal);
    if (copied === bytes.length && (flags & MSG.EOR) !== 0) segment.endOfRecord = true;
    if (segment.length < goal || (flags & MSG.OOB) !== 0) continue;
    if (forcedPush(sk)) {
      markPush(sk, segment);
      pushPending(sk, mss, NAGLE.PUSH);
    } else if (segment === sk.writeQueue.head) writeXmit(sk, mss, NAGLE.PUSH, 1);
  }
  const { trace } = sk.host;
  if (trace.on) trace.mark('tcp_sendmsg', sk.cause, { length: copied, asked: bytes.length, port: sk.remotePort });
  if (copied < bytes.length) {
    sk.noSpace = true;
    if (copied === 0) {
      push(sk, flags & ~MSG.MORE, mss, NAGLE.PUSH);
      return 'EAGAIN';
    }
  }
  if (copied > 0) push(sk, flags, mss, sk.nonagle);
  return copied;
}

/** What was written is to go, unless more is to come (tcp_push). */
function push(sk: TcpSock, flags: number, mss: number, nonagle: number): void {
  const tail = sk.writeQueue.tail;
  if (tail === undefined) return;
  if ((flags & MSG.MORE) === 0 || forcedPush(sk)) markPush(sk, tail);
  if ((flags & MSG.OOB) !== 0) sk.sndUp = sk.writeSeq;
  pushPending(sk, mss, (flags & MSG.MORE) !== 0 ? NAGLE.CORK : nonagle);
}

/** Packets of throttled socks have left: go on where TSQ stopped (tcp_tsq_workfn). */
export function tsqTasklet(tcp: Tcp): void {
  tcp.tsqScheduled = false;
  tcp.enter();
  const count = tcp.tsqQueue.length;
  for (let i = 0; i < count; i++) {
    const sk = tcp.tsqQueue[i]!;
    sk.tsqQueued = false;
    sk.tsqThrottled = false;
    tsqHandler(sk);
  }
  tcp.tsqQueue.splice(0, count);
  tcp.leave();
}
