/** Segment sizes: from the path MTU and what the peer takes (tcp_sync_mss), and how much one sk_buff may hold. */
import { seqAfter } from '../header/tcp.ts';
import { TIMESTAMPS_ALIGNED } from '../header/tcp-options.ts';
import { isErrno } from './errno.ts';
import { firstHopOf, optionsLength } from './ip-options-set.ts';
import { dstMtu, type Route, routeOutput } from './route.ts';
import { GSO_BYTES_MAX } from './skbuff.ts';
import { accecnMode } from './tcp-ecn.ts';
import { md5OptionSize } from './tcp-md5.ts';
import { MSS_DEFAULT, packetsInFlight, type TcpSock } from './tcp-sock.ts';
import { establishedOptions } from './tcp-transmit.ts';

const IP_TCP_HEADERS = 40;
/** Linux: MAX_TCP_HEADER and one, left free in a GSO packet. */
const GSO_RESERVE = 321;
const GSO_SEGMENTS_MAX = 65_535;
/** A packet holds about a millisecond at the pacing rate: 1/1024 s (sk_pacing_shift). */
export const PACING_SHIFT = 10;

/** Look the route to the peer up anew and keep it; its MTU, or the cookie when there is none (inet_csk_rebuild_route). */
export function routeMtu(sk: TcpSock): number {
  const route = routeOutput(sk.host, {
    target: firstHopOf(sk.ipOptions, sk.remoteAddress),
    source: sk.localAddress,
    ifindex: sk.boundIfindex,
    mark: sk.mark,
  });
  if (isErrno(route)) return sk.pmtuCookie;
  sk.route = route;
  return dstMtu(route);
}

/** MSS of an MTU, without the room that options of every segment take (__tcp_mtu_to_mss). */
export function mtuToMss(sk: TcpSock, mtu: number): number {
  const mss = Math.min(mtu - IP_TCP_HEADERS - optionsLength(sk.ipOptions), sk.mssClamp);
  return Math.max(mss, sk.tcp.sysctl.minSndMss.value) - (sk.tcpHeaderLength - 20);
}

/** What is worth putting in one packet for a peer with a small window (tcp_bound_to_half_wnd). */
function boundToHalfWindow(sk: TcpSock, size: number): number {
  const cutoff = sk.maxWindow > MSS_DEFAULT ? sk.maxWindow >> 1 : sk.maxWindow;
  if (cutoff > 0 && size > cutoff) return Math.max(cutoff, 68 - sk.tcpHeaderLength);
  return size;
}

/** The MTU that a segment of `mss` octets needs (tcp_mss_to_mtu). */
export function mssToMtu(sk: TcpSock, mss: number): number {
  return mss + sk.tcpHeaderLength + 20;
}

export function syncMss(sk: TcpSock, mtu: number): number {
  const { mtup } = sk;
  if (mtup.searchHigh > mtu) mtup.searchHigh = mtu;
  sk.pmtuCookie = mtu;
  sk.mssCache = boundToHalfWindow(sk, mtuToMss(sk, mtu));
  if (mtup.enabled) sk.mssCache = Math.min(sk.mssCache, mtuToMss(sk, mtup.searchLow));
  return sk.mssCache;
}

/** Payload octets of the next segment, options as they are now (tcp_current_mss). */
export function currentMss(sk: TcpSock): number {
  const route = sk.route as Route | undefined;
  if (route !== undefined) {
    const mtu = dstMtu(route);
    if (mtu !== sk.pmtuCookie) syncMss(sk, mtu);
  }
  // Only SACK blocks and AccECN make the options larger than those of every segment.
  if (sk.numSacks === 0 && !sk.dsack && !accecnMode(sk)) return sk.mssCache;
  const size = establishedOptions(sk, sk.tcp.sending);
  return sk.mssCache - (20 + size - sk.tcpHeaderLength);
}

/** Octets to gather in one sk_buff: a whole number of segments, as GSO takes (tcp_xmit_size_goal). */
export function sizeGoal(sk: TcpSock, mss: number): number {
  // A signature is of one segment: nothing may cut it up afterwards.
  if (sk.md5Keys.length > 0) return mss;
  const size = boundToHalfWindow(sk, GSO_BYTES_MAX - GSO_RESERVE);
  const segments = Math.min(Math.max(1, Math.floor(size / mss)), GSO_SEGMENTS_MAX);
  return Math.max(segments * mss, mss);
}

/** The shortest round trip seen; without any, endless (tcp_min_rtt). */
function minRtt(sk: TcpSock): number {
  return sk.minRttValue[0]! > 0 ? sk.minRttValue[0]! : 0xffff_ffff;
}

/** Segments of one TSO packet: about a millisecond at the pacing rate, more on a short path (tcp_tso_segs). */
export function tsoSegments(sk: TcpSock, mss: number): number {
  if (sk.md5Keys.length > 0) return 1;
  const { sysctl } = sk.tcp;
  const most = GSO_BYTES_MAX - GSO_RESERVE;
  let bytes = Math.floor(sk.pacingRate / 2 ** PACING_SHIFT);
  const shift = minRtt(sk) / 2 ** sysctl.tsoRttLog.value;
  if (shift < 32) bytes += most >>> shift;
  bytes = Math.min(bytes, most);
  return Math.max(Math.floor(bytes / mss), sysctl.minTsoSegs.value);
}

/** sndbuf follows cwnd up to tcp_wmem[2] (tcp_sndbuf_expand). */
export function sndbufExpand(sk: TcpSock): void {
  let perSegment = Math.max(sk.mssClamp, sk.mssCache) + 320 + 320;
  perSegment = 2 ** Math.ceil(Math.log2(perSegment)) + 256;
  const segments = Math.max(10, sk.sndCwnd, sk.reordering + 1);
  const memory = 2 * segments * perSegment;
  if (sk.sndbuf < memory) sk.sndbuf = Math.min(memory, sk.tcp.sysctl.wmem.values[2] ?? memory);
}

/** More cwnd than buffer: let the buffer grow (tcp_should_expand_sndbuf). */
export function shouldExpandSndbuf(sk: TcpSock): boolean {
  return !sk.sndbufLocked && packetsInFlight(sk) < sk.sndCwnd;
}

/** Timestamps were agreed on: every segment carries them from here on. */
export function reserveTimestamps(sk: TcpSock): void {
  sk.tcpHeaderLength = 20 + TIMESTAMPS_ALIGNED + md5OptionSize(sk);
}

/** Half the largest window was written without a push (forced_push). */
export function forcedPush(sk: TcpSock): boolean {
  return seqAfter(sk.writeSeq, (sk.pushedSeq + (sk.maxWindow >> 1)) >>> 0);
}
