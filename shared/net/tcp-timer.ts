/**
 * What happens when nothing comes: retransmission time-out (RFC 6298), zero-window probes, delayed ACK, keepalive, and
 * how often before giving up (Linux: tcp_timer.c). One timer serves retransmission, probe, RACK and TLP (sk.pending).
 */

import type { Micros } from '../platform.ts';
import type { Route } from './route.ts';
import { tcpRtoMin } from './route-metrics.ts';
import { tcpDone, tcpWriteError } from './tcp-close.ts';
import { delackTimer } from './tcp-delack.ts';
import { fastopenSynackTimer } from './tcp-fastopen.ts';
import { detectBlackhole } from './tcp-fastopen-client.ts';
import { enterLoss } from './tcp-loss.ts';
import { timeWait } from './tcp-minisocks.ts';
import { blackHoleDetection } from './tcp-mtu-probe.ts';
import { sendProbe, tsqHandler, writeWakeup } from './tcp-output.ts';
import { pacingDelay } from './tcp-pacing.ts';
import { rackReoTimeout, sendLossProbe } from './tcp-recovery.ts';
import { retransmitSegment } from './tcp-retransmit.ts';
import { setRto } from './tcp-rtt.ts';
import {
  INFINITE_SSTHRESH,
  type PendingTimer,
  RESOURCE_PROBE_INTERVAL,
  RTO_MIN,
  stateIs,
  type TcpSock,
  type TcpTimerHandlers,
  TIMEOUT_INIT,
  TIMEWAIT_LEN,
} from './tcp-sock.ts';
import { sendAck, sendActiveReset } from './tcp-transmit.ts';

/** RFC 1122's alive orphans: tries before a dead end gives up (tcp_orphan_retries). */
const ORPHAN_RETRIES = 8;
/** tcp_stream_is_thin, TCP_THIN_LINEAR_RETRIES. */
const THIN_PACKETS = 4;
const THIN_LINEAR_RETRIES = 6;

/** Arm the one timer for a purpose; nothing else is pending then. (inet_csk_reset_xmit_timer) */
export function resetXmitTimer(sk: TcpSock, pending: PendingTimer, delay: Micros, max: Micros): void {
  sk.pending = pending;
  sk.retransmitTimer.arm(Math.min(delay, max));
}

/** The same, counted from when the last packet departs (tcp_reset_xmit_timer). */
export function tcpResetXmitTimer(sk: TcpSock, pending: PendingTimer, delay: Micros, max: Micros): void {
  resetXmitTimer(sk, pending, delay + pacingDelay(sk), max);
}

export function clearXmitTimer(sk: TcpSock): void {
  sk.pending = 'none';
  sk.retransmitTimer.stop();
}

export function stopAllTimers(sk: TcpSock): void {
  clearXmitTimer(sk);
  sk.delackTimer.stop();
  sk.keepaliveTimer.stop();
  sk.compressedAckTimer.stop();
  sk.pacingTimer.stop();
  sk.ackPending = 0;
}

export const timerHandlers: TcpTimerHandlers = {
  pacing(sk) {
    sk.tcp.enter();
    tsqHandler(sk);
    sk.tcp.leave();
  },
  retransmit(sk) {
    sk.tcp.enter();
    writeTimer(sk);
    sk.tcp.leave();
  },
  delack(sk) {
    sk.tcp.enter();
    delackTimer(sk);
    sk.tcp.leave();
  },
  keepalive(sk) {
    sk.tcp.enter();
    keepaliveTimer(sk);
    sk.tcp.leave();
  },
  compressedAck(sk) {
    sk.tcp.enter();
    // One ACK is due whatever it says; less than all the rest is counted as compressed.
    if (sk.compressedAck > 0) {
      sk.compressedAck--;
      sendAck(sk);
    }
    sk.tcp.leave();
  },
};

function writeTimer(sk: TcpSock): void {
  if (sk.state === 'CLOSE' || sk.state === 'LISTEN') return;
  const what = sk.pending;
  switch (what) {
    case 'reo-timeout':
      return rackReoTimeout(sk);
    case 'loss-probe':
      return sendLossProbe(sk);
    case 'retrans':
      sk.pending = 'none';
      return retransmitTimer(sk);
    case 'probe0':
      sk.pending = 'none';
      return probeTimer(sk);
    default:
  }
}

/** How long `boundary` time-outs last when each doubles (tcp_model_timeout). */
function modelTimeout(boundary: number, base: Micros, most: Micros): Micros {
  const doublings = Math.floor(Math.log2(most / base));
  if (boundary <= doublings) return (2 ** (boundary + 1) - 1) * base;
  return (2 ** (doublings + 1) - 1) * base + (boundary - doublings) * most;
}

/** Whether `boundary` retransmissions, or `timeout` if given, are used up (retransmits_timed_out). */
function retransmitsTimedOut(sk: TcpSock, boundary: number, timeout: Micros): boolean {
  if (sk.retransmits === 0) return false;
  const base = stateIs(sk, 'SYN_SENT', 'SYN_RECV') ? TIMEOUT_INIT : RTO_MIN;
  const limit = timeout > 0 ? timeout : modelTimeout(boundary, base, sk.rtoMax);
  return sk.host.clock.now() - sk.retransStamp >= limit;
}

/** tcp_orphan_retries. */
function orphanRetries(sk: TcpSock, alive: boolean): number {
  let retries = sk.tcp.sysctl.orphanRetries.value;
  if (sk.softError !== undefined && !alive) retries = 0;
  if (retries === 0 && alive) retries = ORPHAN_RETRIES;
  return retries;
}

/** What ICMP taught of the way is asked for anew with the next segment (dst_negative_advice, ipv4_negative_advice). */
function negativeAdvice(sk: TcpSock): void {
  const route = sk.route as Route | undefined;
  if (route === undefined || route.expires === Number.POSITIVE_INFINITY) return;
  sk.route = undefined;
}

/** Whether to give up (tcp_write_timeout); the sock is done with when true. */
function writeTimeout(sk: TcpSock): boolean {
  const { sysctl } = sk.tcp;
  let expired = false;
  let retryUntil: number;
  if (stateIs(sk, 'SYN_SENT', 'SYN_RECV')) {
    retryUntil = sk.synRetries || sysctl.synRetries.value;
    if (sk.retransmits > 0) negativeAdvice(sk);
    const most = sk.state === 'SYN_SENT' ? retryUntil + sysctl.synLinearTimeouts.value : retryUntil;
    expired = sk.retransmits >= most;
  } else {
    // R1 of RFC 1122 §4.2.3.5: perhaps it is the way there.
    if (retransmitsTimedOut(sk, sysctl.retries1.value, 0)) {
      blackHoleDetection(sk);
      negativeAdvice(sk);
    }
    retryUntil = sysctl.retries2.value;
    if (sk.dead) {
      const alive = sk.rto < sk.rtoMax;
      retryUntil = orphanRetries(sk, alive);
      if (tooManyOrphans(sk, alive || !retransmitsTimedOut(sk, retryUntil, 0))) return true;
    }
  }
  if (!expired) expired = retransmitsTimedOut(sk, retryUntil, sk.userTimeout);
  detectBlackhole(sk, expired);
  if (!expired) return false;
  sk.host.snmp.TcpExtTCPAbortOnTimeout++;
  tcpWriteError(sk);
  return true;
}

/** tcp_out_of_resources: more orphans than the host allows. */
function tooManyOrphans(sk: TcpSock, reset: boolean): boolean {
  if (sk.tcp.orphans <= sk.tcp.sysctl.maxOrphans.value) return false;
  if (reset) sendActiveReset(sk);
  sk.host.snmp.TcpExtTCPAbortOnMemory++;
  tcpDone(sk);
  return true;
}

/** The next retransmission no later than the user time-out (tcp_clamp_rto_to_user_timeout). */
function clampedRto(sk: TcpSock): Micros {
  if (sk.userTimeout === 0) return sk.rto;
  const left = sk.userTimeout - (sk.host.clock.now() - sk.retransStamp);
  return left <= 0 ? 1 : Math.min(sk.rto, left);
}

/** The oldest segment was not acknowledged in time. (Linux: tcp_retransmit_timer) */
function retransmitTimer(sk: TcpSock): void {
  if (sk.fastopenRsk !== undefined) return fastopenSynackTimer(sk, sk.fastopenRsk);
  const head = sk.rtxQueue.head;
  if (sk.packetsOut === 0 || head === undefined) return;
  const { snmp } = sk.host;
  if (sk.sndWnd === 0 && !sk.dead && !stateIs(sk, 'SYN_SENT', 'SYN_RECV')) {
    // The receiver shrank its window to nothing: keep asking, as with a probe.
    const silent = sk.host.clock.now() - Math.max(sk.rcvTstamp, head.sentAt);
    if (silent > Math.max(sk.rtoMax, sk.userTimeout)) return tcpWriteError(sk);
    enterLoss(sk);
    retransmitSegment(sk, head, 1, 'zero window');
    return backOff(sk);
  }
  snmp.TcpExtTCPTimeouts++;
  if (writeTimeout(sk)) return;
  if (sk.retransmits === 0) countFailure(sk);
  enterLoss(sk);
  updateRtoStats(sk);
  if (sk.rtxQueue.head === undefined) return;
  if (retransmitSegment(sk, sk.rtxQueue.head, 1, 'timeout') === 'NET_XMIT_DROP') {
    // Our own queue is full: senders fight for it without haste.
    resetXmitTimer(sk, 'retrans', RESOURCE_PROBE_INTERVAL, sk.rtoMax);
    return;
  }
  backOff(sk);
}

/** tcp_update_rto_stats. */
function updateRtoStats(sk: TcpSock): void {
  if (sk.retransmits === 0) {
    sk.totalRtoRecoveries++;
    sk.rtoStamp = Math.max(1, sk.host.clock.now());
  }
  sk.retransmits++;
  sk.totalRto++;
}

/** Too little is under way for three duplicate ACKs (tcp_stream_is_thin). */
function isThin(sk: TcpSock): boolean {
  return sk.packetsOut < THIN_PACKETS && sk.sndSsthresh < INFINITE_SSTHRESH;
}

function backOff(sk: TcpSock): void {
  const { sysctl } = sk.tcp;
  const linear = sk.thinLinearTimeouts || sysctl.thinLinearTimeouts.value !== 0;
  if (sk.state === 'ESTABLISHED' && linear && isThin(sk) && sk.retransmits <= THIN_LINEAR_RETRIES) {
    // Only a time-out will repair a thin stream: it does not get slower for a while.
    sk.backoff = 0;
    setRto(sk);
    sk.rto = Math.max(sk.rto, tcpRtoMin(sk));
  } else if (sk.state !== 'SYN_SENT' || sk.totalRto > sysctl.synLinearTimeouts.value) {
    // A SYN is repeated at the same interval some times before it backs off.
    sk.backoff++;
    sk.rto = Math.min(sk.rto * 2, sk.rtoMax);
  }
  resetXmitTimer(sk, 'retrans', clampedRto(sk), sk.rtoMax);
}

function countFailure(sk: TcpSock): void {
  const { snmp } = sk.host;
  if (sk.caState === 'Recovery') {
    if (sk.sackOk) snmp.TcpExtTCPSackRecoveryFail++;
    else snmp.TcpExtTCPRenoRecoveryFail++;
  } else if (sk.caState === 'Loss') snmp.TcpExtTCPLossFailures++;
  else if (sk.caState === 'Disorder' || sk.sackedOut > 0) {
    if (sk.sackOk) snmp.TcpExtTCPSackFailures++;
    else snmp.TcpExtTCPRenoFailures++;
  }
}

/** First interval of zero-window probes (tcp_probe0_base), doubled each time (tcp_probe0_when). */
export function probe0When(sk: TcpSock): Micros {
  const most = Math.floor(Math.log2(sk.rtoMax / RTO_MIN)) + 1;
  return Math.min(Math.max(sk.rto, RTO_MIN) * 2 ** Math.min(most, sk.backoff), sk.rtoMax);
}

/** tcp_clamp_probe0_to_user_timeout. */
export function clampedProbe0(sk: TcpSock, when: Micros): Micros {
  if (sk.userTimeout === 0 || sk.probesAt === 0) return when;
  const left = sk.userTimeout - Math.max(0, sk.host.clock.now() - sk.probesAt);
  return Math.min(Math.max(left, 2_000), when);
}

/** The peer's window is still shut. (Linux: tcp_probe_timer) */
function probeTimer(sk: TcpSock): void {
  if (sk.packetsOut > 0 || sk.writeQueue.head === undefined) {
    sk.probesOut = 0;
    sk.probesAt = 0;
    return;
  }
  const now = sk.host.clock.now();
  if (sk.probesAt === 0) sk.probesAt = now;
  else if (sk.userTimeout > 0 && now - sk.probesAt >= sk.userTimeout) return abortOnTimeout(sk);
  let most = sk.tcp.sysctl.retries2.value;
  if (sk.dead) {
    const alive = sk.rto * 2 ** sk.backoff < sk.rtoMax;
    most = orphanRetries(sk, alive);
    if (!alive && sk.backoff >= most) return abortOnTimeout(sk);
    if (tooManyOrphans(sk, true)) return;
  }
  if (sk.probesOut >= most) return abortOnTimeout(sk);
  sendProbe0(sk);
}

function abortOnTimeout(sk: TcpSock): void {
  sk.host.snmp.TcpExtTCPAbortOnTimeout++;
  tcpWriteError(sk);
}

/** tcp_send_probe0. */
function sendProbe0(sk: TcpSock): void {
  const error = writeWakeup(sk);
  if (sk.packetsOut > 0 || sk.writeQueue.head === undefined) {
    sk.probesOut = 0;
    sk.backoff = 0;
    sk.probesAt = 0;
    return;
  }
  sk.probesOut++;
  let when: Micros = RESOURCE_PROBE_INTERVAL;
  if (error !== 'NET_XMIT_DROP') {
    if (sk.backoff < sk.tcp.sysctl.retries2.value) sk.backoff++;
    when = probe0When(sk);
  }
  tcpResetXmitTimer(sk, 'probe0', clampedProbe0(sk, when), sk.rtoMax);
}

/** Start or stop probing an idle connection (tcp_set_keepalive). */
export function setKeepalive(sk: TcpSock, on: boolean): void {
  if (stateIs(sk, 'CLOSE', 'LISTEN')) return;
  if (on && !sk.keepaliveTimer.armed) sk.keepaliveTimer.arm(keepaliveTimeWhen(sk));
  else if (!on && !stateIs(sk, 'FIN_WAIT2')) sk.keepaliveTimer.stop();
}

export function keepaliveTimeWhen(sk: TcpSock): Micros {
  return (sk.keepaliveTime || sk.tcp.sysctl.keepaliveTime.value) * 1_000_000;
}
function keepaliveInterval(sk: TcpSock): Micros {
  return (sk.keepaliveIntvl || sk.tcp.sysctl.keepaliveIntvl.value) * 1_000_000;
}

/** FIN-WAIT-2 of an orphan ends, or an idle connection is probed. (Linux: tcp_keepalive_timer) */
function keepaliveTimer(sk: TcpSock): void {
  if (sk.state === 'LISTEN') return;
  if (sk.state === 'FIN_WAIT2' && sk.dead) {
    if (sk.linger2 >= 0) {
      const left = finTime(sk) - TIMEWAIT_LEN;
      if (left > 0) return timeWait(sk, 'FIN_WAIT2', left);
    }
    sendActiveReset(sk);
    return tcpDone(sk);
  }
  if (!sk.keepalive || stateIs(sk, 'CLOSE', 'SYN_SENT')) return;
  let when = keepaliveTimeWhen(sk);
  // Data under way does its own asking.
  if (sk.packetsOut === 0 && sk.writeQueue.head === undefined) {
    const idle = keepaliveElapsed(sk);
    if (idle >= when) {
      const limit = sk.keepaliveProbes || sk.tcp.sysctl.keepaliveProbes.value;
      const outOfTime = sk.userTimeout > 0 && idle >= sk.userTimeout && sk.probesOut > 0;
      if (outOfTime || (sk.userTimeout === 0 && sk.probesOut >= limit)) {
        sendActiveReset(sk);
        return tcpWriteError(sk);
      }
      sk.host.snmp.TcpExtTCPKeepAlive++;
      sendProbe(sk);
      sk.probesOut++;
      when = keepaliveInterval(sk);
    } else when -= idle;
  }
  sk.keepaliveTimer.arm(when);
}

/** Since anything came in (keepalive_time_elapsed). */
function keepaliveElapsed(sk: TcpSock): Micros {
  const now = sk.host.clock.now();
  return Math.min(now - sk.lrcvtime, now - sk.rcvTstamp);
}

/** How long FIN-WAIT-2 lasts without its FIN (tcp_fin_time). */
export function finTime(sk: TcpSock): Micros {
  const timeout = sk.linger2 || sk.tcp.sysctl.finTimeout.value * 1_000_000;
  return Math.max(timeout, sk.rto * 4 - (sk.rto >> 1));
}

/** The receiver may have thrown SACKed data away: time out soon, but give it a chance (tcp_check_sack_reneging). */
export function rearmForReneging(sk: TcpSock): void {
  const delay = Math.max(Math.floor(sk.srtt / 16), 10_000);
  resetXmitTimer(sk, 'retrans', delay, sk.rtoMax);
}
