/**
 * From the program to the write queue: bytes are copied once, into pages that several sk_buffs may share, up to 64 kB an
 * sk_buff (Linux: tcp_sendmsg_locked, tcp_push, sk_page_frag_refill). Also the tasklet of small queues (tcp_tsq_handler).
 */
import { TCP_FLAG } from '../header/tcp.ts';
import { SNDBUF_MIN } from './core-sysctl.ts';
import type { Result } from './errno.ts';
import type { UserBuffer } from './pages.ts';
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
import { rateCheckAppLimited } from './tcp-rate.ts';
import type { Segment } from './tcp-segment.ts';
import { NAGLE, stateIs, type TcpSock } from './tcp-sock.ts';
import { txTimestampCall } from './tcp-timestamping.ts';
import { SOF_TX_RECORD, timestampingOf } from './timestamping.ts';
import { beginZerocopy, type PageSource, splicedPages, type ZerocopyCalls } from './zerocopy.ts';

/** Linux: MAX_SKB_FRAGS. */
const FRAGS_MAX = 17;
/** A frag of a program's memory is a page at most. */
const USER_PAGE_BYTES = 4_096;
const NOTHING = new Uint8Array(0);

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
  if (frags.length < FRAGS_MAX) return tail;
  // It has no place for another frag: it goes as it is (tcp_mark_push before new_segment).
  markPush(sk, tail);
  return undefined;
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
  grown(sk, segment, count);
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

/** A control message that asks for what it may not (__sock_cmsg_send). */
function badControl({ timestamping = 0 }: SendOptions): Result<number> | undefined {
  return (timestamping & ~SOF_TX_RECORD) === 0 ? undefined : 'EINVAL';
}

/** One call while it runs. Reused: TCP takes one at a time. */
const call = {
  bytes: NOTHING as Uint8Array,
  copied: 0,
  goal: 0,
  /** Ends of the parts that the octets come in, counted from the first (struct iovec). */
  ends: [] as number[],
  /** Where the octets stay, when they are not copied. */
  source: undefined as PageSource | undefined,
};

/** Where the part ends that octet `at` is in. */
function partEnd(at: number): number {
  for (const end of call.ends) if (end > at) return end;
  return call.bytes.length;
}

/**
 * Let `segment` refer to the program's own octets, page by page and part by part; 0 when it can take no more
 * (skb_zerocopy_iter_stream).
 */
function referTo(sk: TcpSock, segment: Segment, source: PageSource): number {
  const skb = segment.skb!;
  const first = skb.frags[0];
  // A packet knows one owner, and what was copied has none.
  if (source.alone && first !== undefined && first.pages.user !== (source as PageSource | UserBuffer)) return 0;
  const room = Math.min(call.goal - segment.length, call.bytes.length - call.copied);
  let taken = 0;
  while (taken < room && skb.frags.length < FRAGS_MAX) {
    const at = call.copied + taken;
    const count = Math.min(partEnd(at) - at, USER_PAGE_BYTES, room - taken);
    skb.addFrag(source.pages(call.bytes.subarray(at, at + count)), 0, count);
    taken += count;
  }
  if (taken > 0) grown(sk, segment, taken);
  return taken;
}

/** `count` octets more in the last segment of the write queue. */
function grown(sk: TcpSock, segment: Segment, count: number): void {
  // Only the first octets of a call take back the push of the call before.
  if (call.copied === 0) segment.flags &= ~TCP_FLAG.PSH;
  segment.endSeq = (segment.endSeq + count) >>> 0;
  // The count is made anew when it is sent.
  segment.count = 0;
  sk.writeSeq = (sk.writeSeq + count) >>> 0;
  chargeQueued(sk, count);
}

/** The next octets go into the write queue; false when there is no memory for another sk_buff. */
function takeSome(sk: TcpSock, mss: number, flags: number): boolean {
  let segment = tailWithRoom(sk, call.goal);
  if (segment !== undefined && call.source !== undefined) {
    const referred = referTo(sk, segment, call.source);
    if (referred === 0) {
      markPush(sk, segment);
      segment = undefined;
    } else call.copied += referred;
  } else if (segment !== undefined) call.copied += copyIn(sk, segment, call.bytes, call.copied, call.goal);
  if (segment === undefined) {
    if (!memoryFree(sk)) return false;
    scheduleQueued(sk, mss);
    slowStartAfterIdleCheck(sk);
    segment = newSegment(sk, TCP_FLAG.ACK);
    entail(sk, segment);
    if (call.source !== undefined) call.copied += referTo(sk, segment, call.source);
    else call.copied += copyIn(sk, segment, call.bytes, call.copied, call.goal);
  }
  if (call.copied === call.bytes.length) {
    if ((flags & MSG.EOR) !== 0) segment.endOfRecord = true;
    return true;
  }
  if (segment.length < call.goal || (flags & MSG.OOB) !== 0) return true;
  if (forcedPush(sk)) {
    markPush(sk, segment);
    pushPending(sk, mss, NAGLE.PUSH);
  } else if (segment === sk.writeQueue.head) writeXmit(sk, mss, NAGLE.PUSH, 1);
  return true;
}

/** The octets went with the SYN, copied: the notice comes when that segment is gone (tcp_send_syn_data). */
function followSyn(sk: TcpSock, zerocopy: ZerocopyCalls | undefined): void {
  if (zerocopy === undefined) return;
  zerocopy.markCopied();
  const data = sk.rtxQueue.tail?.skb;
  if (data === undefined) return zerocopy.release();
  data.destructor = () => zerocopy.release();
}

/** Take what fits, at least one octet, and send what may go. (Linux: tcp_sendmsg_locked) */
export function sendmsg(sk: TcpSock, bytes: Uint8Array, options: SendOptions): Result<number> {
  const flags = options.flags ?? 0;
  const held = options.held?.zerocopy as ZerocopyCalls | undefined;
  let zerocopy = held;
  if (held === undefined && (flags & MSG.ZEROCOPY) !== 0 && sk.zerocopy && bytes.length > 0) {
    zerocopy = beginZerocopy(sk, bytes.length, sk.writeQueue.tail?.skb?.frags[0]?.pages.user);
    if (zerocopy === undefined) return 'ENOBUFS';
  }
  if ((flags & MSG.FASTOPEN) !== 0 || sk.deferConnect) {
    const opened = sendmsgFastopen(sk, bytes, options.to);
    if (opened !== undefined) {
      if (typeof opened === 'number') followSyn(sk, zerocopy);
      else zerocopy?.abort();
      return opened;
    }
  }
  const refused = mayNotSend(sk) ?? badControl(options);
  if (refused !== undefined) {
    if (held === undefined) zerocopy?.abort();
    return refused;
  }
  const mss = currentMss(sk);
  rateCheckAppLimited(sk);
  call.bytes = bytes;
  call.copied = 0;
  call.goal = (flags & MSG.OOB) !== 0 ? mss : sizeGoal(sk, mss);
  call.source = zerocopy ?? ((flags & MSG.SPLICE_PAGES) !== 0 ? splicedPages : undefined);
  call.ends.length = 0;
  let end = 0;
  for (const part of options.parts ?? []) call.ends.push((end += part));
  let memory = true;
  while (memory && call.copied < bytes.length) memory = takeSome(sk, mss, flags);
  const { copied } = call;
  call.bytes = NOTHING;
  call.source = undefined;
  const { trace } = sk.host;
  if (trace.on) trace.mark('tcp_sendmsg', sk.cause, { length: copied, asked: bytes.length, port: sk.remotePort });
  return finishCall(sk, { copied, mss, zerocopy, whole: copied === bytes.length }, options);
}

interface Taken {
  readonly copied: number;
  readonly mss: number;
  readonly zerocopy: ZerocopyCalls | undefined;
  /** All octets of the call. */
  readonly whole: boolean;
}

/** Push what was taken; where there was no room for all, the caller waits or has to come again. */
function finishCall(sk: TcpSock, { copied, mss, zerocopy, whole }: Taken, options: SendOptions): Result<number> {
  const flags = options.flags ?? 0;
  const { held } = options;
  if (!whole) {
    sk.noSpace = true;
    if (copied > 0 || options.resumed === true) push(sk, flags & ~MSG.MORE, mss, NAGLE.PUSH);
    if (held !== undefined) {
      held.zerocopy = zerocopy;
      return copied > 0 ? copied : 'EAGAIN';
    }
    if (copied === 0) {
      zerocopy?.abort();
      return 'EAGAIN';
    }
  }
  if (copied > 0) {
    txTimestampCall(sk, timestampingOf(sk, options.timestamping));
    push(sk, flags, mss, sk.nonagle);
  }
  if (held !== undefined) held.zerocopy = undefined;
  zerocopy?.release();
  return copied;
}

/** The caller gave up waiting: the octets that were taken are all there is. */
export function sendmsgEnd(sk: TcpSock, options: SendOptions): void {
  txTimestampCall(sk, timestampingOf(sk, options.timestamping));
  if (sk.state !== 'CLOSE') push(sk, options.flags ?? 0, currentMss(sk), sk.nonagle);
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
