/**
 * How fast and in what pieces data comes in, and what follows from it: the peer's segment size, the pace of delayed ACKs,
 * the window that is offered, and the receive buffer that grows with it (Linux: tcp_measure_rcv_mss, tcp_event_data_recv,
 * tcp_grow_window, tcp_rcv_space_adjust: dynamic right-sizing).
 */

import { seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { Micros } from '../platform.ts';
import type { SkBuff } from './skbuff.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { ecnCheckCe } from './tcp-ecn.ts';
import { underMemoryPressure } from './tcp-memory.ts';
import { timestampRtt } from './tcp-rtt.ts';
import { type Segment, segmentOf } from './tcp-segment.ts';
import { ATO_MIN, INIT_CWND, MSS_DEFAULT, MSS_MIN, QUICKACKS_MAX, type TcpSock } from './tcp-sock.ts';
import { scheduleAck, TX_OVERHEAD } from './tcp-transmit.ts';
import { incrQuickack } from './tcp-validate.ts';
import { fullSpace, spaceFromWin, tcpSpace, winFromSpace } from './tcp-window.ts';

/** Flags of a segment that may be shorter than the rest (TCP_REMNANT). */
const REMNANT = TCP_FLAG.FIN | TCP_FLAG.URG | TCP_FLAG.SYN | TCP_FLAG.PSH;
/** Smaller payloads do not open the window. */
const GROW_BYTES_MIN = 128;

/** First guess, before anything came (tcp_initialize_rcv_mss). */
export function initializeRcvMss(sk: TcpSock): void {
  let hint = Math.min(sk.advmss, sk.mssCache);
  hint = Math.min(hint, sk.rcvWnd >> 1, MSS_DEFAULT);
  sk.rcvMss = Math.max(hint, MSS_MIN);
}

/** The size of the peer's full segments (tcp_measure_rcv_mss). `skb` begins at its payload. */
export function measureRcvMss(sk: TcpSock, skb: SkBuff): void {
  const last = sk.lastSegSize;
  sk.lastSegSize = 0;
  const segment = segmentOf(skb);
  let length = skb.gsoSize || skb.length;
  if (length >= sk.rcvMss) {
    if (length !== sk.rcvMss) {
      // How much of the memory is payload decides how much window the buffer is worth.
      const ratio = Math.max(1, Math.floor((skb.length * 256) / skb.truesize)) & 255;
      if (ratio !== sk.scalingRatio) {
        sk.scalingRatio = ratio;
        setWindowClamp(sk, winFromSpace(sk, sk.rcvbuf));
      }
    }
    sk.rcvMss = Math.min(length, sk.advmss);
    // A full segment with PSH: the sender may have nothing more, and wait for our ACK.
    if ((segment.flags & TCP_FLAG.PSH) !== 0) sk.ackPending |= ACK_PENDING.PUSHED;
    return;
  }
  // Options vary, payload and options together do not: two alike in a row are the new size.
  length += segment.headerLength;
  const pushed = (segment.flags & REMNANT) !== 0;
  if (length >= MSS_DEFAULT + 20 || (length >= MSS_MIN + 20 && !pushed)) {
    length -= sk.tcpHeaderLength;
    sk.lastSegSize = length;
    if (length === last) {
      sk.rcvMss = length;
      return;
    }
  }
  if ((sk.ackPending & ACK_PENDING.PUSHED) !== 0) sk.ackPending |= ACK_PENDING.PUSHED2;
  sk.ackPending |= ACK_PENDING.PUSHED;
}

/** Data came in order: note its size, pace and round trip (tcp_event_data_recv). */
export function dataReceived(sk: TcpSock, skb: SkBuff): void {
  scheduleAck(sk);
  measureRcvMss(sk, skb);
  rcvRttMeasure(sk);
  const now = sk.host.clock.now();
  if (sk.ato === 0) {
    incrQuickack(sk, QUICKACKS_MAX);
    sk.ato = ATO_MIN;
  } else {
    const gap = now - sk.lrcvtime;
    if (gap <= ATO_MIN / 2) sk.ato = (sk.ato >> 1) + ATO_MIN / 2;
    else if (gap < sk.ato) sk.ato = Math.min((sk.ato >> 1) + gap, sk.rto);
    else if (gap > sk.rto) incrQuickack(sk, QUICKACKS_MAX);
  }
  sk.lrcvtime = now;
  ecnCheckCe(sk, segmentOf(skb));
  if (skb.length >= GROW_BYTES_MIN) growWindow(sk, skb, true);
}

/**
 * The window may open further as long as payload fills its memory well (tcp_grow_window). `adjust`: the head of a packet
 * whose payload is all in frags does not count, as it goes when the packet is merged into another (truesize_adjust).
 */
export function growWindow(sk: TcpSock, skb: SkBuff, adjust: boolean): void {
  const room = Math.min(sk.windowClamp, tcpSpace(sk)) - sk.rcvSsthresh;
  if (room <= 0) return;
  if (underMemoryPressure(sk)) return adjustRcvSsthresh(sk);
  let { truesize } = skb;
  if (adjust && skb.headLength === 0 && truesize - TX_OVERHEAD >= skb.length) truesize -= TX_OVERHEAD;
  let increase = winFromSpace(sk, truesize) <= skb.length ? 2 * sk.advmss : growStep(sk, skb, truesize);
  if (increase === 0) return;
  increase = Math.max(increase, 2 * skb.length);
  sk.rcvSsthresh += Math.min(room, increase);
  sk.ackQuick |= 1;
}

function growStep(sk: TcpSock, skb: SkBuff, truesize: number): number {
  let space = winFromSpace(sk, truesize) >> 1;
  let window = winFromSpace(sk, sk.tcp.sysctl.rmem.values[2] ?? 0) >> 1;
  while (sk.rcvSsthresh <= window) {
    if (space <= skb.length) return 2 * sk.rcvMss;
    space >>= 1;
    window >>= 1;
  }
  return 0;
}

/** The host is short of memory: offer a few segments only (tcp_adjust_rcv_ssthresh). */
export function adjustRcvSsthresh(sk: TcpSock): void {
  sk.rcvSsthresh = Math.min(sk.rcvSsthresh, 4 * sk.advmss);
}

/** The buffer overflows: let it be as large as it is, offer no more (tcp_clamp_window). */
export function clampWindow(sk: TcpSock): void {
  sk.ackQuick = 0;
  const { memory, sysctl } = sk.tcp;
  const most = sysctl.rmem.values[2] ?? 0;
  const plenty = !underMemoryPressure(sk) && memory.allocated < memory.limit(0);
  if (sk.rcvbuf < most && !sk.rcvbufLocked && plenty) sk.rcvbuf = Math.min(sk.receiveMemory, most);
  if (sk.receiveMemory > sk.rcvbuf) sk.rcvSsthresh = Math.min(sk.windowClamp, 2 * sk.advmss);
}

/** The widest window follows the buffer, unless TCP_WINDOW_CLAMP says what it is (tcp_set_window_clamp). */
function setWindowClamp(sk: TcpSock, clamp: number): void {
  if (!sk.windowClampLocked) sk.windowClamp = clamp;
}

function rcvRttUpdate(sk: TcpSock, sample: Micros, byWindow: boolean): void {
  if (sk.rcvRtt === 0) sk.rcvRtt = sample * 8;
  else if (byWindow) sk.rcvRtt = Math.min(sk.rcvRtt, sample * 8);
  else sk.rcvRtt += sample - Math.floor(sk.rcvRtt / 8);
}

/** The receiver's round trip without timestamps: the time to fill a window (tcp_rcv_rtt_measure). */
function rcvRttMeasure(sk: TcpSock): void {
  const now = sk.host.clock.now();
  if (sk.rcvRttAt !== 0) {
    if (seqBefore(sk.rcvNxt, sk.rcvRttSeq)) return;
    rcvRttUpdate(sk, Math.max(1, now - sk.rcvRttAt), true);
  }
  sk.rcvRttSeq = (sk.rcvNxt + sk.rcvWnd) >>> 0;
  sk.rcvRttAt = now;
}

/** With timestamps: since the echoed one was sent (tcp_rcv_rtt_measure_ts). */
export function rcvRttMeasureTs(sk: TcpSock, segment: Segment): void {
  if (!sk.sawTstamp || sk.rcvTsecr === 0 || sk.rcvRttLastTsecr === sk.rcvTsecr) return;
  sk.rcvRttLastTsecr = sk.rcvTsecr;
  if ((segment.endSeq - segment.seq) >>> 0 < sk.rcvMss) return;
  const rtt = timestampRtt(sk);
  if (rtt > 0) rcvRttUpdate(sk, rtt, false);
}

/** The program read: was it as fast as the network, and would a larger buffer help? (tcp_rcv_space_adjust) */
export function rcvSpaceAdjust(sk: TcpSock): void {
  const now = sk.host.clock.now();
  if (sk.rcvRtt === 0 || now - sk.rcvqAt < sk.rcvRtt / 8) return;
  const copied = (sk.copiedSeq - sk.rcvqSeq) >>> 0;
  if (copied > sk.rcvqSpace) {
    if (sk.tcp.sysctl.moderateRcvbuf.value !== 0 && !sk.rcvbufLocked) enlarge(sk, copied);
    sk.rcvqSpace = copied;
  }
  sk.rcvqSeq = sk.copiedSeq;
  sk.rcvqAt = now;
}

function enlarge(sk: TcpSock, copied: number): void {
  // Twice what was read in a round trip, and room for the sender's slow start.
  let window = copied * 2 + 16 * sk.advmss;
  const grow = Math.floor((window * (copied - sk.rcvqSpace)) / Math.max(sk.rcvqSpace, 1));
  window += grow * 2;
  const rcvbuf = Math.min(spaceFromWin(sk, window), sk.tcp.sysctl.rmem.values[2] ?? 0);
  if (rcvbuf <= sk.rcvbuf) return;
  sk.rcvbuf = rcvbuf;
  setWindowClamp(sk, winFromSpace(sk, rcvbuf));
}

/** Both buffers as they stand when the connection is established (tcp_init_buffer_space). */
export function initReceiveSpace(sk: TcpSock): void {
  const appWin = sk.tcp.sysctl.appWin.value;
  sk.rcvqAt = sk.host.clock.now();
  sk.rcvqSeq = sk.copiedSeq;
  const most = fullSpace(sk);
  if (sk.windowClamp >= most) {
    sk.windowClamp = most;
    if (appWin > 0 && most > 4 * sk.advmss) {
      sk.windowClamp = Math.max(most - Math.floor(most / 2 ** appWin), 4 * sk.advmss);
    }
  }
  if (appWin > 0 && sk.windowClamp > 2 * sk.advmss && sk.windowClamp + sk.advmss > most) {
    sk.windowClamp = Math.max(2 * sk.advmss, most - sk.advmss);
  }
  sk.rcvSsthresh = Math.min(sk.rcvSsthresh, sk.windowClamp);
  sk.sndCwndStamp = sk.rcvqAt;
  sk.rcvqSpace = Math.min(sk.rcvSsthresh, sk.rcvWnd, INIT_CWND * sk.advmss);
}
