/**
 * Packetization-layer path MTU discovery (RFC 4821; Linux: tcp_mtu_probe): with tcp_mtu_probing 2 from the start, with 1 once
 * time-outs smell of a black hole, a larger segment is tried now and then, and the MSS follows what gets through.
 */
import { seqAfter } from '../header/tcp.ts';
import { type Micros, SECOND } from '../platform.ts';
import { currentSsthresh } from './tcp-congestion.ts';
import { currentMss, mssToMtu, mtuToMss, syncMss } from './tcp-mss.ts';
import { eventNewDataSent } from './tcp-output.ts';
import { pacingCheck } from './tcp-pacing.ts';
import { fragmentSegment, joinNext, setCount } from './tcp-queue.ts';
import { packetsInFlight, type TcpSock, windowEnd } from './tcp-sock.ts';
import { transmitSegment } from './tcp-transmit.ts';

const IP_TCP_HEADERS = 40;
/** With less it takes too long until a lost probe is noticed. */
const CWND_MIN = 11;

/** What is searched, and the probe under way (icsk_mtup, tp->mtu_probe). MTUs in octets. */
export class MtuProbing {
  enabled = false;
  searchHigh = 0;
  searchLow = 0;
  /** MTU of the probe in flight; 0: none. */
  probeSize = 0;
  stamp: Micros = 0;
  seqStart = 0;
  seqEnd = 0;
}

/** A connection is established: search from tcp_base_mss to what the peer takes. (Linux: tcp_mtup_init) */
export function mtupInit(sk: TcpSock): void {
  const { mtup } = sk;
  const { sysctl } = sk.tcp;
  mtup.enabled = sysctl.mtuProbing.value > 1;
  mtup.searchHigh = sk.mssClamp + IP_TCP_HEADERS;
  mtup.searchLow = mssToMtu(sk, sysctl.baseMss.value);
  mtup.probeSize = 0;
  if (mtup.enabled) mtup.stamp = sk.host.clock.now();
}

/** After tcp_probe_interval seconds the whole range is searched again. (Linux: tcp_mtu_check_reprobe) */
function checkReprobe(sk: TcpSock): void {
  const { mtup } = sk;
  const now = sk.host.clock.now();
  if (now - mtup.stamp < sk.tcp.sysctl.probeInterval.value * SECOND) return;
  const mss = currentMss(sk);
  mtup.probeSize = 0;
  mtup.searchHigh = sk.mssClamp + IP_TCP_HEADERS;
  mtup.searchLow = mssToMtu(sk, mss);
  mtup.stamp = now;
}

/** The front of the write queue can be made one segment of `length` (tcp_can_coalesce_send_queue_head). */
function coalescible(sk: TcpSock, length: number): boolean {
  for (let segment = sk.writeQueue.head; segment !== undefined; segment = segment.next) {
    if (length <= segment.length) return true;
    if (segment.endOfRecord) return false;
    length -= segment.length;
  }
  return false;
}

/**
 * Send a probe if it is time: `sent`; `wait` when one will be possible once the queue drains, and nothing else should go;
 * `no` otherwise. (Linux: tcp_mtu_probe)
 */
export function mtuProbe(sk: TcpSock): 'sent' | 'wait' | 'no' {
  const { mtup } = sk;
  if (!mtup.enabled || mtup.probeSize > 0 || sk.caState !== 'Open') return 'no';
  if (sk.sndCwnd < CWND_MIN || sk.numSacks > 0 || sk.dsack) return 'no';
  const mss = currentMss(sk);
  const size = mtuToMss(sk, (mtup.searchHigh + mtup.searchLow) >> 1);
  const needed = size + (sk.reordering + 1) * sk.mssCache;
  const interval = mtup.searchHigh - mtup.searchLow;
  if (size > mtuToMss(sk, mtup.searchHigh) || interval < sk.tcp.sysctl.probeThreshold.value) {
    checkReprobe(sk);
    return 'no';
  }
  if ((sk.writeSeq - sk.sndNxt) >>> 0 < needed || sk.sndWnd < needed) return 'no';
  if (seqAfter((sk.sndNxt + needed) >>> 0, windowEnd(sk))) return 'wait';
  // A probe counts as two packets.
  const inFlight = packetsInFlight(sk);
  if (inFlight + 2 > sk.sndCwnd) return inFlight === 0 ? 'no' : 'wait';
  if (!coalescible(sk, size) || pacingCheck(sk)) return 'no';
  return sendProbeSegment(sk, size, mss) ? 'sent' : 'no';
}

/** The first `size` octets that wait, as one segment. If it cannot go it is cut again like all others. */
function sendProbeSegment(sk: TcpSock, size: number, mss: number): boolean {
  const probe = sk.writeQueue.head!;
  for (let next = probe.next; probe.length < size && next !== undefined; next = probe.next) {
    const missing = size - probe.length;
    if (next.length > missing) fragmentSegment(sk, sk.writeQueue, next, missing, mss);
    joinNext(sk, probe, next);
  }
  if (probe.length > size) fragmentSegment(sk, sk.writeQueue, probe, size, mss);
  setCount(probe, probe.length);
  if (transmitSegment(sk, probe, false) !== undefined) return false;
  sk.sndCwnd--;
  const { mtup } = sk;
  mtup.probeSize = mssToMtu(sk, probe.length);
  mtup.seqStart = probe.seq;
  mtup.seqEnd = probe.endSeq;
  eventNewDataSent(sk, probe);
  return true;
}

/** An ACK covered the probe: the path takes it, cwnd is counted in larger segments. (Linux: tcp_mtup_probe_success) */
export function mtupProbeAcked(sk: TcpSock): void {
  const { mtup } = sk;
  if (mtup.probeSize === 0 || seqAfter(mtup.seqEnd, sk.sndUna)) return;
  sk.priorSsthresh = currentSsthresh(sk);
  const cwnd = Math.floor((sk.sndCwnd * mssToMtu(sk, sk.mssCache)) / mtup.probeSize);
  sk.sndCwnd = Math.max(1, cwnd);
  sk.sndCwndCnt = 0;
  sk.sndCwndStamp = sk.host.clock.now();
  sk.sndSsthresh = currentSsthresh(sk);
  mtup.searchLow = mtup.probeSize;
  mtup.probeSize = 0;
  syncMss(sk, sk.pmtuCookie);
  sk.host.snmp.TcpExtTCPMTUPSuccess++;
}

/** What is lost is the probe, and that is no sign of congestion; true when it was. (Linux: tcp_mtup_probe_failed) */
export function mtupProbeLost(sk: TcpSock): boolean {
  const { mtup } = sk;
  if (mtup.probeSize === 0 || sk.sndUna !== mtup.seqStart) return false;
  if (sk.caState !== 'Open' && sk.caState !== 'Disorder') return false;
  mtup.searchHigh = mtup.probeSize - 1;
  mtup.probeSize = 0;
  sk.sndCwnd++;
  sk.host.snmp.TcpExtTCPMTUPFail++;
  return true;
}

/** A retransmission makes the probe inconclusive (__tcp_retransmit_skb). */
export function mtupInconclusive(sk: TcpSock): void {
  sk.mtup.probeSize = 0;
}

/** Time-out after time-out: perhaps nothing of this size gets through. (Linux: tcp_mtu_probing) */
export function blackHoleDetection(sk: TcpSock): void {
  const { mtup } = sk;
  const { sysctl } = sk.tcp;
  if (sysctl.mtuProbing.value === 0) return;
  if (!mtup.enabled) {
    mtup.enabled = true;
    mtup.stamp = sk.host.clock.now();
  } else {
    const half = mtuToMss(sk, mtup.searchLow) >> 1;
    const mss = Math.max(Math.min(sysctl.baseMss.value, half), sysctl.mtuProbeFloor.value, sysctl.minSndMss.value);
    mtup.searchLow = mssToMtu(sk, mss);
  }
  syncMss(sk, sk.pmtuCookie);
}
