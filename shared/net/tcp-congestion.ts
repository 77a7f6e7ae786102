/**
 * Congestion control: the interface that an algorithm implements (struct tcp_congestion_ops), Reno, and what belongs to
 * every algorithm: slow start, whether cwnd limits at all (RFC 7661's concern), restart after idle, pacing rate.
 */

import { seqBefore } from '../header/tcp.ts';
import type { Micros } from '../platform.ts';
import type { Route } from './route.ts';
import { dstMetricLocked, initCwnd } from './route-metrics.ts';
import { ECN } from './tcp-accecn-state.ts';
import { ACK_FLAG } from './tcp-ack-state.ts';
import { cubic } from './tcp-cubic.ts';
import { chronoStart } from './tcp-info.ts';
import {
  type CaState,
  INFINITE_SSTHRESH,
  inCwndReduction,
  inSlowStart,
  packetsInFlight,
  type TcpSock,
} from './tcp-sock.ts';

export interface CongestionOps {
  readonly name: string;
  init(sk: TcpSock): void;
  /** The new slow start threshold on a loss. */
  ssthresh(sk: TcpSock): number;
  congAvoid(sk: TcpSock, acked: number): void;
  /** cwnd after a reduction turned out to be needless. */
  undoCwnd(sk: TcpSock): number;
  setState(sk: TcpSock, state: CaState): void;
  /** The first segment after a pause is being sent (CA_EVENT_TX_START). */
  txStart(sk: TcpSock): void;
  /** Segments were acknowledged; `rtt` is negative when it could not be measured. */
  pktsAcked(sk: TcpSock, packets: number, rtt: Micros): void;
}

export const reno: CongestionOps = {
  name: 'reno',
  init() {},
  ssthresh: (sk) => Math.max(sk.sndCwnd >> 1, 2),
  congAvoid(sk, acked) {
    if (!tcpIsCwndLimited(sk)) return;
    if (inSlowStart(sk)) {
      acked = slowStart(sk, acked);
      if (acked === 0) return;
    }
    congAvoidAi(sk, sk.sndCwnd, acked);
  },
  undoCwnd: renoUndoCwnd,
  setState() {},
  txStart() {},
  pktsAcked() {},
};

export const CONGESTION_CONTROLS: ReadonlyMap<string, CongestionOps> = new Map([
  ['cubic', cubic],
  ['reno', reno],
]);

/** `congctl` of the route, before the first segment (tcp_ca_dst_init, tcp_ca_openreq_child). */
export function routeCongestion(sk: TcpSock): void {
  const metrics = (sk.route as Route | undefined)?.metrics;
  const ca = metrics?.congctl === undefined ? undefined : CONGESTION_CONTROLS.get(metrics.congctl);
  if (ca === undefined) return;
  sk.ca = ca;
  sk.caLocked = dstMetricLocked(sk.route, 'congctl');
}

export function renoUndoCwnd(sk: TcpSock): number {
  return Math.max(sk.sndCwnd, sk.priorCwnd);
}

/** Grow by what was acknowledged up to ssthresh; returns what is left over (tcp_slow_start). */
export function slowStart(sk: TcpSock, acked: number): number {
  const cwnd = Math.min(sk.sndCwnd + acked, sk.sndSsthresh);
  acked -= cwnd - sk.sndCwnd;
  sk.sndCwnd = Math.min(cwnd, sk.sndCwndClamp);
  return acked;
}

/** One segment more for each `w` acknowledged (tcp_cong_avoid_ai). */
export function congAvoidAi(sk: TcpSock, w: number, acked: number): void {
  if (sk.sndCwndCnt >= w) {
    sk.sndCwndCnt = 0;
    sk.sndCwnd++;
  }
  sk.sndCwndCnt += acked;
  if (sk.sndCwndCnt >= w) {
    const delta = Math.floor(sk.sndCwndCnt / w);
    sk.sndCwndCnt -= delta * w;
    sk.sndCwnd += delta;
  }
  sk.sndCwnd = Math.min(sk.sndCwnd, sk.sndCwndClamp);
}

/** Whether more cwnd would have been used (tcp_is_cwnd_limited). */
export function tcpIsCwndLimited(sk: TcpSock): boolean {
  if (sk.cwndLimited) return true;
  return inSlowStart(sk) && sk.sndCwnd < 2 * sk.maxPacketsOut;
}

export function setCaState(sk: TcpSock, state: CaState): void {
  sk.ca.setState(sk, state);
  sk.caState = state;
}

/** What ssthresh would be if a reduction ended now (tcp_current_ssthresh). */
export function currentSsthresh(sk: TcpSock): number {
  if (inCwndReduction(sk)) return sk.sndSsthresh;
  return Math.max(sk.sndSsthresh, (sk.sndCwnd >> 1) + (sk.sndCwnd >> 2));
}

/** A burst was sent: note how much of cwnd was in use (tcp_cwnd_validate). */
export function cwndValidate(sk: TcpSock, isCwndLimited: boolean): void {
  const roundOver = !seqBefore(sk.sndUna, sk.cwndUsageSeq);
  if (roundOver || isCwndLimited || (!sk.cwndLimited && sk.packetsOut > sk.maxPacketsOut)) {
    sk.cwndLimited = isCwndLimited;
    sk.maxPacketsOut = sk.packetsOut;
    sk.cwndUsageSeq = sk.sndNxt;
  }
  const now = sk.host.clock.now();
  if (tcpIsCwndLimited(sk)) {
    sk.sndCwndUsed = 0;
    sk.sndCwndStamp = now;
    return;
  }
  if (sk.packetsOut > sk.sndCwndUsed) sk.sndCwndUsed = sk.packetsOut;
  // All was sent, cwnd has room, and the program waits for memory: the buffer is what holds us up.
  if (sk.writeQueue.head === undefined && sk.noSpace && (sk.state === 'ESTABLISHED' || sk.state === 'CLOSE_WAIT')) {
    chronoStart(sk, 'sndbuf');
  }
  if (sk.tcp.sysctl.slowStartAfterIdle.value !== 0 && now - sk.sndCwndStamp >= sk.rto) applicationLimited(sk, now);
}

/** RFC 2861: an application that does not fill cwnd does not keep it (tcp_cwnd_application_limited). */
function applicationLimited(sk: TcpSock, now: Micros): void {
  if (sk.caState === 'Open' && !sk.dead && !sk.noSpace) {
    const used = Math.max(sk.sndCwndUsed, initCwnd(sk));
    if (used < sk.sndCwnd) {
      sk.sndSsthresh = currentSsthresh(sk);
      sk.sndCwnd = (sk.sndCwnd + used) >> 1;
    }
    sk.sndCwndUsed = 0;
  }
  sk.sndCwndStamp = now;
}

/** RFC 5681 §4.1: before new data after a pause (tcp_slow_start_after_idle_check). */
export function slowStartAfterIdleCheck(sk: TcpSock): void {
  if (sk.tcp.sysctl.slowStartAfterIdle.value === 0 || sk.packetsOut > 0) return;
  let delta = sk.host.clock.now() - sk.lsndtime;
  if (delta <= sk.rto) return;
  const restart = Math.min(initCwnd(sk), sk.sndCwnd);
  let cwnd = sk.sndCwnd;
  sk.sndSsthresh = currentSsthresh(sk);
  while ((delta -= sk.rto) > 0 && cwnd > restart) cwnd >>= 1;
  sk.sndCwnd = Math.max(cwnd, restart);
  sk.sndCwndStamp = sk.host.clock.now();
  sk.sndCwndUsed = 0;
}

/** What a pacer would send at; sizes TSO bursts even without one (tcp_update_pacing_rate). Octets a second. */
export function updatePacingRate(sk: TcpSock): void {
  const { sysctl } = sk.tcp;
  const ratio = sk.sndCwnd < sk.sndSsthresh / 2 ? sysctl.pacingSsRatio.value : sysctl.pacingCaRatio.value;
  const window = sk.mssCache * Math.max(sk.sndCwnd, sk.packetsOut);
  const rate = Math.floor((window * 80_000 * ratio) / Math.max(sk.srtt, 1));
  sk.pacingRate = Math.min(rate, sk.maxPacingRate);
}

/** PRR (RFC 6937): how much to send while cwnd comes down to ssthresh (tcp_cwnd_reduction). */
export function cwndReduction(sk: TcpSock, ackedSacked: number, newlyLost: number, advanced: boolean): void {
  if (ackedSacked <= 0 || sk.priorCwnd === 0) return;
  const inFlight = packetsInFlight(sk);
  const delta = sk.sndSsthresh - inFlight;
  let count: number;
  sk.prrDelivered += ackedSacked;
  if (delta < 0) {
    count = Math.floor((sk.sndSsthresh * sk.prrDelivered + sk.priorCwnd - 1) / sk.priorCwnd) - sk.prrOut;
  } else {
    count = Math.max(sk.prrDelivered - sk.prrOut, ackedSacked);
    if (advanced && newlyLost === 0) count++;
    count = Math.min(delta, count);
  }
  // The first retransmission goes out whatever the sums say.
  count = Math.max(count, sk.prrOut > 0 ? 0 : 1);
  sk.sndCwnd = inFlight + count;
}

/** Tell the receiver that cwnd was reduced, where that is how it is done: RFC 3168 (tcp_ecn_queue_cwr). */
export function ecnQueueCwr(sk: TcpSock): void {
  if ((sk.ecnFlags & ECN.ANY) === ECN.RFC3168) sk.ecnFlags |= ECN.QUEUE_CWR;
}

export function initCwndReduction(sk: TcpSock): void {
  sk.highSeq = sk.sndNxt;
  sk.tlpHighSeq = 0;
  sk.sndCwndCnt = 0;
  sk.priorCwnd = sk.sndCwnd;
  sk.prrDelivered = 0;
  sk.prrOut = 0;
  sk.sndSsthresh = sk.ca.ssthresh(sk);
  ecnQueueCwr(sk);
}

export function endCwndReduction(sk: TcpSock): void {
  if (sk.sndSsthresh < INFINITE_SSTHRESH && (sk.undoMarker !== 0 || sk.caState === 'CWR')) {
    sk.sndCwnd = sk.sndSsthresh;
    sk.sndCwndStamp = sk.host.clock.now();
  }
}

/** Congestion without loss: ECN, or our own interface was full (tcp_enter_cwr). */
export function enterCwr(sk: TcpSock): void {
  sk.priorSsthresh = 0;
  if (sk.caState === 'CWR' || sk.caState === 'Recovery' || sk.caState === 'Loss') return;
  sk.undoMarker = 0;
  initCwndReduction(sk);
  setCaState(sk, 'CWR');
}

/** Called once for every ACK that was of use; `flag` has ACK_FLAG bits (tcp_cong_control). */
export function congControl(sk: TcpSock, delivered: number, lost: number, flag: number): void {
  if (inCwndReduction(sk)) cwndReduction(sk, delivered, lost, (flag & ACK_FLAG.SND_UNA_ADVANCED) !== 0);
  else {
    // With much reordering any delivery counts, else only what was acknowledged in order (tcp_may_raise_cwnd).
    const manyReorder = sk.reordering > sk.tcp.sysctl.reordering.value;
    if ((flag & (manyReorder ? ACK_FLAG.FORWARD_PROGRESS : ACK_FLAG.DATA_ACKED)) !== 0) {
      sk.ca.congAvoid(sk, delivered);
      sk.sndCwndStamp = sk.host.clock.now();
    }
  }
  updatePacingRate(sk);
}
