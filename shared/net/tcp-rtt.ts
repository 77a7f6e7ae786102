/** Round trip time: srtt, mdev and RTO (RFC 6298 with Linux's floor on the variance), and the minimum of the last minutes. */
import { seqAfter } from '../header/tcp.ts';
import type { Micros } from '../platform.ts';
import { tcpRtoMin } from './route-metrics.ts';
import { ACK_FLAG, type AckState } from './tcp-ack-state.ts';
import type { TcpSock } from './tcp-sock.ts';

/** One more measurement (tcp_rtt_estimator): Jacobson and Karels, kept eightfold and fourfold. */
export function rttEstimator(sk: TcpSock, measured: Micros): void {
  let m = measured;
  let srtt = sk.srtt;
  if (srtt === 0) {
    srtt = m * 8;
    sk.mdev = m * 2;
    sk.rttvar = Math.max(sk.mdev, tcpRtoMin(sk));
    sk.mdevMax = sk.rttvar;
    sk.rttSeq = sk.sndNxt;
  } else {
    m -= Math.floor(srtt / 8);
    srtt += m;
    if (m < 0) {
      m = -m - Math.floor(sk.mdev / 4);
      // A falling round trip widens the variance eight times slower.
      if (m > 0) m = Math.floor(m / 8);
    } else m -= Math.floor(sk.mdev / 4);
    sk.mdev += m;
    if (sk.mdev > sk.mdevMax) {
      sk.mdevMax = sk.mdev;
      if (sk.mdevMax > sk.rttvar) sk.rttvar = sk.mdevMax;
    }
    if (seqAfter(sk.sndUna, sk.rttSeq)) {
      if (sk.mdevMax < sk.rttvar) sk.rttvar -= Math.floor((sk.rttvar - sk.mdevMax) / 4);
      sk.rttSeq = sk.sndNxt;
      sk.mdevMax = tcpRtoMin(sk);
    }
  }
  sk.srtt = Math.max(1, srtt);
}

/** tcp_set_rto. */
export function setRto(sk: TcpSock): void {
  sk.rto = Math.min(sk.host.jiffies.whole(Math.floor(sk.srtt / 8) + sk.rttvar), sk.rtoMax);
}

/** The smallest of a window of time, from three samples (minmax_running_min, after Nichols). */
export function updateMinRtt(sk: TcpSock, rtt: Micros, flag: number): void {
  const value = sk.minRttValue;
  const at = sk.minRttAt;
  // A delayed ACK measures the peer's timer.
  if ((flag & ACK_FLAG.ACK_MAYBE_DELAYED) !== 0 && rtt > value[0]! && value[0]! > 0) return;
  const window = sk.tcp.sysctl.minRttWlen.value * 1_000_000;
  const now = sk.host.clock.now();
  rtt = Math.max(rtt, 1);
  if (value[0] === 0 || rtt <= value[0]! || now - at[2]! > window) {
    value.fill(rtt);
    at.fill(now);
    return;
  }
  if (rtt <= value[1]!) {
    value[1] = value[2] = rtt;
    at[1] = at[2] = now;
  } else if (rtt <= value[2]!) {
    value[2] = rtt;
    at[2] = now;
  }
  const age = now - at[0]!;
  if (age > window) {
    value[0] = value[1]!;
    at[0] = at[1]!;
    value[1] = value[2]!;
    at[1] = at[2]!;
    value[2] = rtt;
    at[2] = now;
  } else if (at[1] === at[0] && age > window / 4) {
    value[1] = value[2] = rtt;
    at[1] = at[2] = now;
  } else if (at[2] === at[1] && age > window / 2) {
    value[2] = rtt;
    at[2] = now;
  }
}

/** Time since our timestamp that was echoed, whole milliseconds; -1 when it cannot be (tcp_rtt_tsopt_us). */
export function timestampRtt(sk: TcpSock): Micros {
  const delta = (Math.floor(sk.host.clock.now() / 1_000) - sk.rcvTsecr) | 0;
  if (delta < 0 || delta > sk.rtoMax / 1_000) return -1;
  return Math.max(delta, 1) * 1_000;
}

/** The samples of one ACK; true when one was good (Linux: tcp_ack_update_rtt). Karn: none from what was sent twice. */
export function ackUpdateRtt(sk: TcpSock, ack: AckState, seqRtt: Micros, sackRtt: Micros, caRtt: Micros): boolean {
  if (seqRtt < 0) seqRtt = sackRtt;
  if (seqRtt < 0 && sk.sawTstamp && sk.rcvTsecr !== 0 && (ack.flag & ACK_FLAG.ACKED) !== 0) {
    // The echo says which sending it answers, even of a retransmission.
    seqRtt = caRtt = timestampRtt(sk);
  }
  ack.rtt = caRtt;
  if (seqRtt < 0) return false;
  updateMinRtt(sk, caRtt, ack.flag);
  rttEstimator(sk, seqRtt);
  setRto(sk);
  sk.backoff = 0;
  return true;
}
