/**
 * A connection leaves what it learned of the way for the next one to the same destination: round trip, ssthresh, cwnd,
 * reordering (Linux: tcp_update_metrics, tcp_init_metrics). Round trips stand eightfold, variances fourfold, as in the sock.
 */
import type { Micros } from '../platform.ts';
import { SECOND } from '../platform.ts';
import { dstMetric, dstMetricLocked, type RouteMetric, tcpRtoMin } from './route-metrics.ts';
import type { TcpMetrics } from './tcp-metrics.ts';
import { INFINITE_SSTHRESH, inSlowStart, type TcpSock } from './tcp-sock.ts';

/** After an hour what was learned is forgotten (TCP_METRICS_TIMEOUT). */
const METRICS_TIMEOUT: Micros = 3_600 * SECOND;
/** RFC 6298 §5.7: without a sample from the handshake (TCP_TIMEOUT_FALLBACK). */
const TIMEOUT_FALLBACK: Micros = 3 * SECOND;

type Saved = 'rtt' | 'rttvar' | 'ssthresh' | 'cwnd' | 'reordering';

/** What is known of the peer, when it is not too old. `create`: a block to write to (tcp_get_metrics). */
function metricsOf(sk: TcpSock, create: boolean): TcpMetrics | undefined {
  const { metrics } = sk.tcp;
  const now = sk.host.clock.now();
  const known = metrics.get(sk.localAddress, sk.remoteAddress);
  if (known === undefined && !create) return undefined;
  const fresh = known === undefined || known.stamp === 0 || now - known.stamp > METRICS_TIMEOUT;
  const block = known ?? metrics.touch(sk.localAddress, sk.remoteAddress, now);
  if (fresh) suckRoute(block, sk, now);
  return block;
}

/** A block begins with what the route says (tcpm_suck_dst). */
function suckRoute(block: TcpMetrics, sk: TcpSock, now: Micros): void {
  const { route } = sk;
  block.rtt = dstMetric(route, 'rtt') * 8;
  block.rttvar = dstMetric(route, 'rttvar') * 4;
  block.ssthresh = dstMetric(route, 'ssthresh');
  block.cwnd = dstMetric(route, 'cwnd');
  block.reordering = dstMetric(route, 'reordering');
  block.stamp = now;
}

function locked(sk: TcpSock, name: RouteMetric & Saved): boolean {
  return dstMetricLocked(sk.route, name);
}

/** The connection ends well. (Linux: tcp_update_metrics) */
export function updateMetrics(sk: TcpSock): void {
  const { sysctl } = sk.tcp;
  if (sysctl.noMetricsSave.value !== 0 || sk.route === undefined) return;
  if (sk.backoff > 0 || sk.srtt === 0) {
    // Nothing came back in time: what was known of the round trip is wrong.
    const known = metricsOf(sk, false);
    if (known !== undefined && !locked(sk, 'rtt')) known.rtt = 0;
    return;
  }
  const block = metricsOf(sk, true);
  if (block === undefined) return;
  updateRtt(sk, block);
  updateWindow(sk, block);
  block.stamp = sk.host.clock.now();
}

/** A longer round trip counts at once, a shorter one by an eighth: too long is the lesser evil. */
function updateRtt(sk: TcpSock, block: TcpMetrics): void {
  const shorter = block.rtt - sk.srtt;
  if (!locked(sk, 'rtt')) block.rtt = shorter <= 0 ? sk.srtt : block.rtt - (shorter >> 3);
  if (locked(sk, 'rttvar')) return;
  const deviation = Math.max(Math.abs(shorter) >> 1, sk.mdev);
  if (deviation >= block.rttvar) block.rttvar = deviation;
  else block.rttvar -= (block.rttvar - deviation) >> 2;
}

function updateWindow(sk: TcpSock, block: TcpMetrics): void {
  const saveSsthresh = sk.tcp.sysctl.noSsthreshMetricsSave.value === 0 && !locked(sk, 'ssthresh');
  const saveCwnd = !locked(sk, 'cwnd');
  if (sk.sndSsthresh >= INFINITE_SSTHRESH) {
    // The first slow start did not end.
    if (saveSsthresh && block.ssthresh > 0 && sk.sndCwnd >> 1 > block.ssthresh) block.ssthresh = sk.sndCwnd >> 1;
    if (saveCwnd) block.cwnd = Math.max(block.cwnd, sk.sndCwnd);
  } else if (!inSlowStart(sk) && sk.caState === 'Open') {
    if (saveSsthresh) block.ssthresh = Math.max(sk.sndCwnd >> 1, sk.sndSsthresh);
    if (saveCwnd) block.cwnd = (block.cwnd + sk.sndCwnd) >> 1;
  } else {
    if (saveCwnd) block.cwnd = (block.cwnd + sk.sndSsthresh) >> 1;
    if (saveSsthresh && block.ssthresh > 0 && sk.sndSsthresh > block.ssthresh) block.ssthresh = sk.sndSsthresh;
    const usual = sk.tcp.sysctl.reordering.value;
    if (!locked(sk, 'reordering') && block.reordering < sk.reordering && sk.reordering !== usual)
      block.reordering = sk.reordering;
  }
}

/** What is known counts from the start; a cached round trip only for the first time-out. (Linux: tcp_init_metrics) */
export function initMetrics(sk: TcpSock): void {
  sk.sndSsthresh = INFINITE_SSTHRESH;
  const block = sk.route === undefined ? undefined : metricsOf(sk, false);
  let cached = 0;
  if (block !== undefined) {
    if (locked(sk, 'cwnd')) sk.sndCwndClamp = block.cwnd;
    const ssthresh = sk.tcp.sysctl.noSsthreshMetricsSave.value !== 0 ? 0 : block.ssthresh;
    if (ssthresh > 0) sk.sndSsthresh = Math.min(ssthresh, sk.sndCwndClamp);
    if (block.reordering > 0) sk.reordering = block.reordering;
    cached = block.rtt;
  }
  if (cached > sk.srtt) {
    const rtt = cached >> 3;
    sk.rto = rtt + Math.max(2 * rtt, tcpRtoMin(sk));
  } else if (sk.srtt === 0) {
    sk.rttvar = sk.mdev = sk.mdevMax = TIMEOUT_FALLBACK;
    sk.rto = TIMEOUT_FALLBACK;
  }
}
