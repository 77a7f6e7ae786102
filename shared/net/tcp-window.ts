/**
 * The receive window: what to offer at first (tcp_select_initial_window), what to offer now without shrinking or
 * silliness (__tcp_select_window, RFC 9293 §3.8.6.2.2), and the memory behind it. Out: memory pressure of the whole host.
 */
import { WINDOW_SCALE_MAX } from '../header/tcp-options.ts';
import type { SkBuff } from './skbuff.ts';
import { receiveWindow, type TcpSock } from './tcp-sock.ts';

const U16_MAX = 65_535;
/** Linux: net.core.rmem_max, which may ask for a larger scale than tcp_rmem. */
const RMEM_MAX = 212_992;
const RATIO_SHIFT = 256;
/** Bookkeeping around one received packet (sizeof(struct sk_buff), SKB_DATA_ALIGN). */
const SKB_OVERHEAD = 256;

/** Octets of window that `space` octets of memory are good for (tcp_win_from_space). */
export function winFromSpace(sk: TcpSock, space: number): number {
  return Math.floor((space * sk.scalingRatio) / RATIO_SHIFT);
}
export function spaceFromWin(sk: TcpSock, window: number): number {
  return Math.ceil((window * RATIO_SHIFT) / sk.scalingRatio);
}
/** Window that the empty buffer could offer (tcp_full_space). */
export function fullSpace(sk: TcpSock): number {
  return winFromSpace(sk, sk.rcvbuf);
}
/** Window that the buffer can offer now (tcp_space). */
export function tcpSpace(sk: TcpSock): number {
  return winFromSpace(sk, sk.rcvbuf - sk.receiveMemory);
}

/** What a received packet costs the buffer (truesize): its pages and the bookkeeping. */
export function truesizeOf(skb: SkBuff): number {
  // A large head is charged for what stands in it, an ordinary one whole.
  let size = SKB_OVERHEAD + Math.max(2_048, skb.tail);
  for (const frag of skb.frags) size += Math.min(frag.pages.bytes.length, Math.max(2_048, frag.length));
  return size;
}

const alignUp = (n: number, shift: number): number => Math.ceil(n / 2 ** shift) * 2 ** shift;
const alignDown = (n: number, shift: number): number => Math.floor(n / 2 ** shift) * 2 ** shift;

export interface InitialWindow {
  window: number;
  clamp: number;
  scale: number;
}

/** `space` from fullSpace of the sock or its listener, `mss` less the options of every segment. */
export function selectInitialWindow(sk: TcpSock, space: number, mss: number, scaleOk: boolean): InitialWindow {
  let clamp = sk.windowClamp;
  // A buffer that the program chose bounds the window for good.
  if (sk.rcvbufLocked && (clamp > space || clamp === 0)) clamp = space;
  if (clamp === 0) clamp = U16_MAX * 2 ** WINDOW_SCALE_MAX;
  space = Math.min(Math.max(space, 0), clamp);
  if (space > mss) space -= space % mss;
  const window = Math.min(space, U16_MAX);
  let scale = 0;
  if (scaleOk) {
    const most = Math.min(Math.max(space, sk.tcp.sysctl.rmem.values[2] ?? 0, RMEM_MAX), clamp);
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
  if (free < full >> 1) {
    sk.ackQuick = 0;
    free = alignDown(free, sk.rcvWscale);
    // Too little to be worth a packet: better say zero and let tcp_clamp_window make room.
    if (free < allowed >> 4 || free < mss) return 0;
  }
  if (free > sk.rcvSsthresh) free = sk.rcvSsthresh;
  if (sk.rcvWscale > 0) return alignUp(free, sk.rcvWscale);
  // Unscaled: keep it a multiple of the segment size.
  const window = sk.rcvWnd;
  if (window <= free - mss || window > free) return free - (free % mss);
  if (mss === full && free > window + (full >> 1)) return free;
  return window;
}

/** Decide on the window and note that it is offered; returns the field's value (tcp_select_window). */
export function selectWindow(sk: TcpSock): number {
  const { snmp } = sk.host;
  const old = sk.rcvWnd;
  const current = receiveWindow(sk);
  let window = freeWindow(sk);
  if (window < current && (sk.tcp.sysctl.shrinkWindow.value === 0 || sk.rcvWscale === 0)) {
    // What was offered stays offered (RFC 9293 §3.8.6).
    if (window === 0) snmp.TcpExtTCPWantZeroWindowAdv++;
    window = alignUp(current, sk.rcvWscale);
  }
  sk.rcvWnd = window;
  sk.rcvWup = sk.rcvNxt;
  const field = Math.min(window, U16_MAX * 2 ** sk.rcvWscale) >>> sk.rcvWscale;
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
