/**
 * CUBIC (RFC 9438) with HyStart, in the arithmetic of Linux's tcp_cubic.c: time in 1/1024 s, windows in segments.
 * Left out: the module's parameters but hystart_detect (fast_convergence, beta and the rest are fixed at their defaults).
 */
import { seqAfter } from '../header/tcp.ts';
import type { Micros } from '../platform.ts';
import type { CongestionOps } from './tcp-congestion.ts';
import { congAvoidAi, renoUndoCwnd, slowStart, tcpIsCwndLimited } from './tcp-congestion.ts';
import { inSlowStart, type TcpSock } from './tcp-sock.ts';

/** beta = 717/1024. */
const BETA = 717;
const BETA_SCALE = 1_024;
/** C = 0.4: (41 * 10) / 1024 per 1/1024 s cubed. */
const CUBE_RTT_SCALE = 410;
const CUBE_FACTOR = 2 ** 40 / CUBE_RTT_SCALE;
const FRIENDLY_SCALE = Math.floor((8 * (BETA_SCALE + BETA)) / 3 / (BETA_SCALE - BETA));
/** Bits of hystart_detect. */
const HYSTART_ACK_TRAIN = 1;
const HYSTART_DELAY = 2;
const HYSTART_LOW_WINDOW = 16;
const HYSTART_SAMPLES_MIN = 8;
const HYSTART_ACK_DELTA: Micros = 2_000;
const HYSTART_DELAY_MIN: Micros = 4_000;
const HYSTART_DELAY_MAX: Micros = 16_000;
const SECOND: Micros = 1_000_000;
const MILLISECOND: Micros = 1_000;
const GSO_LEGACY_MAX = 65_536;

export class CubicState {
  cnt = 0;
  lastMaxCwnd = 0;
  lastCwnd = 0;
  lastTime: Micros = 0;
  originPoint = 0;
  /** Time to the origin point, in 1/1024 s. */
  k = 0;
  delayMin: Micros = 0;
  epochStart: Micros = 0;
  ackCnt = 0;
  tcpCwnd = 0;
  found = false;
  sampleCnt = 0;
  roundStart: Micros = 0;
  endSeq = 0;
  lastAck: Micros = 0;
  currRtt: Micros = 0;

  reset(): void {
    this.cnt = this.lastMaxCwnd = this.lastCwnd = this.lastTime = this.originPoint = this.k = 0;
    this.delayMin = this.epochStart = this.ackCnt = this.tcpCwnd = 0;
    this.found = false;
  }
}

export const cubic: CongestionOps = {
  name: 'cubic',
  init(sk) {
    sk.cubic.reset();
    hystartReset(sk);
  },
  ssthresh(sk) {
    const ca = sk.cubic;
    ca.epochStart = 0;
    // Fast convergence: who loses below the last maximum leaves room for newcomers.
    ca.lastMaxCwnd =
      sk.sndCwnd < ca.lastMaxCwnd ? Math.floor((sk.sndCwnd * (BETA_SCALE + BETA)) / (2 * BETA_SCALE)) : sk.sndCwnd;
    return Math.max(Math.floor((sk.sndCwnd * BETA) / BETA_SCALE), 2);
  },
  congAvoid(sk, acked) {
    if (!tcpIsCwndLimited(sk)) return;
    if (inSlowStart(sk)) {
      acked = slowStart(sk, acked);
      if (acked === 0) return;
    }
    update(sk, acked);
    congAvoidAi(sk, sk.cubic.cnt, acked);
  },
  undoCwnd: renoUndoCwnd,
  setState(sk, state) {
    if (state !== 'Loss') return;
    sk.cubic.reset();
    hystartReset(sk);
  },
  txStart(sk) {
    const ca = sk.cubic;
    const now = sk.host.clock.now();
    const delta = now - sk.lsndtime;
    // Idle time does not count: the curve is shifted by it.
    if (ca.epochStart > 0 && delta > 0) ca.epochStart = Math.min(ca.epochStart + delta, now);
  },
  pktsAcked(sk, _packets, rtt) {
    const ca = sk.cubic;
    if (rtt < 0) return;
    const now = sk.host.clock.now();
    // Samples right after fast recovery are of queues that were just there.
    if (ca.epochStart > 0 && now - ca.epochStart < SECOND) return;
    const delay = Math.max(rtt, 1);
    if (ca.delayMin === 0 || ca.delayMin > delay) ca.delayMin = delay;
    // 6.12 looks for the start of a round only from here on, too.
    if (!ca.found && inSlowStart(sk) && sk.sndCwnd >= HYSTART_LOW_WINDOW) hystartUpdate(sk, delay, now);
  },
};

/** How many ACKs a segment more of cwnd costs now (bictcp_update). */
function update(sk: TcpSock, acked: number): void {
  const ca = sk.cubic;
  const cwnd = sk.sndCwnd;
  const now = sk.host.clock.now();
  ca.ackCnt += acked;
  if (ca.lastCwnd === cwnd && now - ca.lastTime <= SECOND / 32) return;
  if (ca.epochStart === 0 || now - ca.lastTime >= MILLISECOND) aim(ca, cwnd, acked, now);
  // At least as fast as Reno would be with the same loss (RFC 9438 §4.3).
  const step = Math.max(1, (cwnd * FRIENDLY_SCALE) >> 3);
  while (ca.ackCnt > step) {
    ca.ackCnt -= step;
    ca.tcpCwnd++;
  }
  if (ca.tcpCwnd > cwnd) ca.cnt = Math.min(ca.cnt, Math.floor(cwnd / (ca.tcpCwnd - cwnd)));
  ca.cnt = Math.max(ca.cnt, 2);
}

/** Where the cubic curve will be in one round trip. */
function aim(ca: CubicState, cwnd: number, acked: number, now: Micros): void {
  ca.lastCwnd = cwnd;
  ca.lastTime = now;
  if (ca.epochStart === 0) {
    ca.epochStart = now;
    ca.ackCnt = acked;
    ca.tcpCwnd = cwnd;
    if (ca.lastMaxCwnd <= cwnd) {
      ca.k = 0;
      ca.originPoint = cwnd;
    } else {
      ca.k = Math.floor(Math.cbrt(CUBE_FACTOR * (ca.lastMaxCwnd - cwnd)));
      ca.originPoint = ca.lastMaxCwnd;
    }
  }
  const t = Math.floor(((now - ca.epochStart + ca.delayMin) * 1_024) / SECOND);
  const offset = Math.abs(t - ca.k);
  const delta = Math.floor((CUBE_RTT_SCALE * offset * offset * offset) / 2 ** 40);
  const target = t < ca.k ? ca.originPoint - delta : ca.originPoint + delta;
  ca.cnt = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
  // Without a known maximum, grow by at least one in 20 ACKs.
  if (ca.lastMaxCwnd === 0 && ca.cnt > 20) ca.cnt = 20;
}

function hystartReset(sk: TcpSock): void {
  const ca = sk.cubic;
  ca.roundStart = ca.lastAck = sk.host.clock.now();
  ca.endSeq = sk.sndNxt;
  ca.currRtt = Number.MAX_SAFE_INTEGER;
  ca.sampleCnt = 0;
}

/** Leave slow start before it overruns: by the length of an ACK train, or by a rising delay (RFC 9406's forerunner). */
function hystartUpdate(sk: TcpSock, delay: Micros, now: Micros): void {
  const ca = sk.cubic;
  if (seqAfter(sk.sndUna, ca.endSeq)) hystartReset(sk);
  const { snmp } = sk.host;
  const { hystartDetect } = sk.tcp;
  if ((hystartDetect & HYSTART_ACK_TRAIN) !== 0 && now - ca.lastAck <= HYSTART_ACK_DELTA) {
    ca.lastAck = now;
    const pacing = sk.pacingRate;
    const slack = pacing === 0 ? 0 : Math.min(MILLISECOND, Math.floor((GSO_LEGACY_MAX * 4 * SECOND) / pacing));
    // Pacing may have spread the packets over half a round trip by itself.
    const threshold = (ca.delayMin + slack) >> (sk.pacingStatus === 'none' ? 1 : 0);
    if (now - ca.roundStart > threshold) {
      ca.found = true;
      snmp.TcpExtTCPHystartTrainDetect++;
      snmp.TcpExtTCPHystartTrainCwnd += sk.sndCwnd;
      sk.sndSsthresh = sk.sndCwnd;
    }
  }
  if ((hystartDetect & HYSTART_DELAY) === 0) return;
  if (ca.currRtt > delay) ca.currRtt = delay;
  if (ca.sampleCnt < HYSTART_SAMPLES_MIN) {
    ca.sampleCnt++;
    return;
  }
  const threshold = Math.min(Math.max(ca.delayMin >> 3, HYSTART_DELAY_MIN), HYSTART_DELAY_MAX);
  if (ca.found || ca.currRtt <= ca.delayMin + threshold) return;
  ca.found = true;
  snmp.TcpExtTCPHystartDelayDetect++;
  snmp.TcpExtTCPHystartDelayCwnd += sk.sndCwnd;
  sk.sndSsthresh = sk.sndCwnd;
}
