/**
 * The receive window: what to offer at first (tcp_select_initial_window), what to offer now without shrinking or
 * silliness (__tcp_select_window, RFC 9293 §3.8.6.2.2), and the memory behind it.
 */

import { WINDOW_SCALE_MAX } from '../header/tcp-options.ts';
import type { Route } from './route.ts';
import { dstMetric } from './route-metrics.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { underMemoryPressure } from './tcp-memory.ts';
import { adjustRcvSsthresh } from './tcp-rcvbuf.ts';
import { receiveWindow, type TcpSock } from './tcp-sock.ts';

const U16_MAX = 65_535;
/** MAX_TCP_WINDOW: what a peer that reads the field as a signed number understands (tcp_workaround_signed_windows). */
const SIGNED_MAX = 32_767;
const RATIO_SHIFT = 256;

/** Octets of window that `space` octets of memory are good for (tcp_win_from_space). */
export function winFromSpace(sk: TcpSock, space: number): number {
  return Math.floor((space * sk.scalingRatio) / RATIO_SHIFT);
}
export function spaceFromWin(sk: TcpSock, window: number): number {
  return Math.floor((window * RATIO_SHIFT) / sk.scalingRatio);
}
/** Window that the empty buffer could offer (tcp_full_space). */
export function fullSpace(sk: TcpSock): number {
  return winFromSpace(sk, sk.rcvbuf);
}
/** Window that the buffer can offer now (tcp_space). */
export function tcpSpace(sk: TcpSock): number {
  return winFromSpace(sk, sk.rcvbuf - sk.receiveMemory);
}

// A shift of at most 14; `2 ** shift` would be a call, and this is asked with each segment.
const alignUp = (n: number, shift: number): number => Math.ceil(n / (1 << shift)) * (1 << shift);
const alignDown = (n: number, shift: number): number => Math.floor(n / (1 << shift)) * (1 << shift);

export interface InitialWindow {
  window: number;
  clamp: number;
  scale: number;
}

/** `space` from fullSpace of the sock or its listener, `mss` less the options of every segment. */
export function selectInitialWindow(
  sk: TcpSock,
  route: Route,
  space: number,
  mss: number,
  scaleOk: boolean,
): InitialWindow {
  let clamp = sk.windowClamp || dstMetric(route, 'window');
  // A buffer that the program chose bounds the window for good.
  if (sk.rcvbufLocked && (clamp > space || clamp === 0)) clamp = space;
  if (clamp === 0) clamp = U16_MAX * 2 ** WINDOW_SCALE_MAX;
  space = Math.min(Math.max(space, 0), clamp);
  if (space > mss) space -= space % mss;
  const first = dstMetric(route, 'initrwnd');
  const unscaledMax = sk.tcp.sysctl.workaroundSignedWindows.value === 0 ? U16_MAX : SIGNED_MAX;
  const window = Math.min(space, unscaledMax, first > 0 ? first * mss : U16_MAX);
  let scale = 0;
  if (scaleOk) {
    const most = Math.min(Math.max(space, sk.tcp.sysctl.rmem.values[2] ?? 0, sk.host.core.rmemMax.value), clamp);
    scale = Math.min(Math.max(Math.floor(Math.log2(most)) - 15, 0), WINDOW_SCALE_MAX);
  }
  clamp = Math.min(U16_MAX * 2 ** scale, clamp);
  return { window, clamp, scale };
}

/** The window that would be right to offer now, were shrinking allowed (__tcp_select_window). */
export function freeWindow(sk: TcpSock): number {
  let mss = sk.rcvMss;
  let free = tcpSpace(sk);
  const allowed = fullSpace(sk);
  const full = Math.min(sk.windowClamp, allowed);
  if (mss > full) {
    mss = full;
    if (mss <= 0) return 0;
  }
  const shrink = mayShrink(sk);
  // A window that may shrink is one that the buffer truly has, always.
  if (shrink) free = alignDown(free, sk.rcvWscale);
  if (free < full >> 1) {
    sk.ackQuick = 0;
    if (underMemoryPressure(sk)) adjustRcvSsthresh(sk);
    free = alignDown(free, sk.rcvWscale);
    // Too little to be worth a packet: better say zero and let tcp_clamp_window make room.
    if (free < allowed >> 4 || free < mss || (shrink && free < 2 ** sk.rcvWscale)) return 0;
  }
  if (free > sk.rcvSsthresh) {
    free = sk.rcvSsthresh;
    if (shrink) return alignUp(free, sk.rcvWscale);
  }
  if (sk.rcvWscale > 0) return alignUp(free, sk.rcvWscale);
  // Unscaled: keep it a multiple of the segment size.
  const window = sk.rcvWnd;
  if (window <= free - mss || window > free) return free - (free % mss);
  if (mss === full && free > window + (full >> 1)) return free;
  return window;
}

/** tcp_shrink_window: what was offered may be taken back, which a peer with scaled windows has to bear. */
function mayShrink(sk: TcpSock): boolean {
  return sk.tcp.sysctl.shrinkWindow.value !== 0 && sk.rcvWscale > 0;
}

/** Note what is offered from now on, and the right edge that it must never be held against the peer to use. */
function offer(sk: TcpSock, window: number): void {
  sk.rcvWnd = window;
  sk.rcvWup = sk.rcvNxt;
  const edge = (sk.rcvNxt + window) >>> 0;
  if (((edge - sk.rcvMwndSeq) | 0) > 0) sk.rcvMwndSeq = edge;
}

/** Decide on the window and note that it is offered; returns the field's value (tcp_select_window). */
export function selectWindow(sk: TcpSock): number {
  const { snmp } = sk.host;
  // Data had to be refused for want of memory: shut, whatever was offered.
  if ((sk.ackPending & ACK_PENDING.NOMEM) !== 0) {
    sk.fastPath = false;
    offer(sk, 0);
    return 0;
  }
  const old = sk.rcvWnd;
  const current = receiveWindow(sk);
  let window = freeWindow(sk);
  if (window < current && !mayShrink(sk)) {
    // What was offered stays offered (RFC 9293 §3.8.6).
    if (window === 0) snmp.TcpExtTCPWantZeroWindowAdv++;
    window = alignUp(current, sk.rcvWscale);
  }
  offer(sk, window);
  const signed = sk.rcvWscale === 0 && sk.tcp.sysctl.workaroundSignedWindows.value !== 0;
  const field = Math.min(window, (signed ? SIGNED_MAX : U16_MAX) << sk.rcvWscale) >>> sk.rcvWscale;
  if (field === 0) {
    sk.fastPath = false;
    if (old > 0) snmp.TcpExtTCPToZeroWindowAdv++;
  } else if (old === 0) snmp.TcpExtTCPFromZeroWindowAdv++;
  return field;
}

/** Header prediction holds while nothing is unusual (tcp_fast_path_check). */
export function fastPathCheck(sk: TcpSock): void {
  sk.fastPath = sk.ofoQueue.head === undefined && sk.rcvWnd > 0 && sk.receiveMemory < sk.rcvbuf && sk.urgData === 0;
}
