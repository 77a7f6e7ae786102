/**
 * TIME-WAIT: what remains of a connection that closed first, without its buffers (Linux: inet_timewait_sock,
 * tcp_timewait_state_process). It answers late segments, and gives way to a SYN that is surely newer (RFC 6191, RFC 1122
 * §4.2.2.13). Its sub-state FIN_WAIT2 stands for an orphan that waits for the peer's FIN.
 */

import type { Ipv4 } from '../header/address.ts';
import { seqAfter, seqBefore, TCP_FLAG } from '../header/tcp.ts';
import type { Timer } from '../platform.ts';
import { JiffyTimer } from './jiffies.ts';
import { setState, tcpDone } from './tcp-close.ts';
import type { BindBucket, Tcp, TcpEntry } from './tcp-host.ts';
import { type Md5Key, md5KeyFor } from './tcp-md5.ts';
import { updateMetrics } from './tcp-metrics-save.ts';
import type { Segment } from './tcp-segment.ts';
import { receiveWindow, type TcpSock, TIMEWAIT_LEN } from './tcp-sock.ts';
import { oowRateLimited, pawsReject } from './tcp-validate.ts';

export class TimeWaitSock {
  readonly state = 'TIME_WAIT';
  readonly tcp: Tcp;
  readonly localAddress: Ipv4;
  readonly localPort: number;
  readonly remoteAddress: Ipv4;
  readonly remotePort: number;
  readonly boundIfindex: number;
  readonly reuseAddress: boolean;
  readonly reusePort: boolean;
  readonly tos: number;
  readonly mark: number;
  readonly timer: Timer;
  hash = 0;
  hashNext: TcpEntry | undefined = undefined;
  hashed = false;
  bucket: BindBucket | undefined = undefined;

  substate: 'FIN_WAIT2' | 'TIME_WAIT';
  rcvNxt: number;
  readonly sndNxt: number;
  readonly rcvWnd: number;
  readonly rcvWscale: number;
  readonly tsOffset: number;
  tsRecent: number;
  tsRecentStamp: number;
  lastOowAckTime = 0;
  /** Lab time at which TIME-WAIT began, for tcp_tw_reuse. */
  enteredAt: number;
  cause: number;
  readonly md5Key: Md5Key | undefined;

  constructor(sk: TcpSock, substate: 'FIN_WAIT2' | 'TIME_WAIT') {
    this.tcp = sk.tcp;
    this.localAddress = sk.localAddress;
    this.localPort = sk.localPort;
    this.remoteAddress = sk.remoteAddress;
    this.remotePort = sk.remotePort;
    this.boundIfindex = sk.boundIfindex;
    this.reuseAddress = sk.reuseAddress;
    this.reusePort = sk.reusePort;
    this.tos = sk.tos;
    this.mark = sk.mark;
    this.substate = substate;
    this.rcvNxt = sk.rcvNxt;
    this.sndNxt = sk.sndNxt;
    this.rcvWnd = receiveWindow(sk);
    this.rcvWscale = sk.rcvWscale;
    this.tsOffset = sk.tsOffset;
    this.tsRecent = sk.tsRecent;
    this.tsRecentStamp = sk.tstampOk ? sk.tsRecentStamp : 0;
    this.enteredAt = sk.host.clock.now();
    this.cause = sk.cause;
    this.md5Key = md5KeyFor(sk, sk.remoteAddress, sk.boundIfindex);
    this.timer = new JiffyTimer(sk.host, 'tw_timer_handler', () => killTimeWait(this));
  }
}

/** The full sock gives way to a small one for `delay`, 60 s at least unless it only waits for a FIN. (Linux: tcp_time_wait) */
export function timeWait(sk: TcpSock, substate: 'FIN_WAIT2' | 'TIME_WAIT', delay: number): void {
  const { tcp } = sk;
  if (tcp.timeWaits.size >= tcp.sysctl.maxTwBuckets.value) {
    // Without room for it the connection just ends: late segments will get a RST.
    sk.host.snmp.TcpExtTCPTimeWaitOverflow++;
    return tcpDone(sk);
  }
  updateMetrics(sk);
  const tw = new TimeWaitSock(sk, substate);
  delay = Math.max(delay, sk.rto * 4 - (sk.rto >> 1));
  if (substate === 'TIME_WAIT') delay = TIMEWAIT_LEN;
  const { bucket } = sk;
  tcp.remove(sk);
  if (bucket !== undefined) {
    bucket.owners.add(tw);
    tw.bucket = bucket;
  }
  tcp.insert(tw);
  tcp.timeWaits.add(tw);
  tw.timer.arm(delay);
  if (substate === 'TIME_WAIT') setState(sk, 'TIME_WAIT');
  tcpDone(sk);
}

/** Its time is over, or a newer connection or a RST took its place (inet_twsk_kill). */
export function killTimeWait(tw: TimeWaitSock): void {
  const { tcp } = tw;
  tw.timer.stop();
  tcp.remove(tw);
  tcp.unbind(tw);
  if (!tcp.timeWaits.delete(tw)) return;
  tcp.host.snmp.TcpExtTW++;
}

/** What a segment for a TIME-WAIT calls for; `syn` carries on with a listener and the sequence number to begin at. */
export type TimeWaitAnswer = 'success' | 'rst' | 'ack' | 'ack-oow' | 'syn';

/** Whether any octet lies in the window (tcp_in_window). */
export function inWindow(seq: number, endSeq: number, from: number, to: number): boolean {
  if (seq === from) return true;
  if (seqAfter(endSeq, from) && seqBefore(seq, to)) return true;
  return seq === to && seq === endSeq;
}

function ackUnlessLimited(tw: TimeWaitSock, segment: Segment): TimeWaitAnswer {
  const { snmp } = tw.tcp.host;
  if (!oowRateLimited(tw, segment)) return 'ack-oow';
  if (tw.substate === 'FIN_WAIT2') snmp.TcpExtTCPACKSkippedFinWait2++;
  else snmp.TcpExtTCPACKSkippedTimeWait++;
  return 'success';
}

/** A segment for a connection in TIME-WAIT. The skb stays the caller's. (Linux: tcp_timewait_state_process) */
export function timeWaitReceive(tw: TimeWaitSock, segment: Segment): TimeWaitAnswer {
  const { tcp } = tw;
  const o = tcp.received;
  const now = tcp.host.clock.now();
  const rst = (segment.flags & TCP_FLAG.RST) !== 0;
  const stamped = o.timestamps && tw.tsRecentStamp !== 0;
  const paws = stamped && pawsReject(tw.tsRecent, tw.tsRecentStamp, o.tsval, now, rst);
  if (tw.substate === 'FIN_WAIT2') return finWait2Receive(tw, segment, paws);
  const { seq, endSeq, flags } = segment;
  if (!paws && seq === tw.rcvNxt && (seq === endSeq || rst)) {
    if (rst) {
      // Assassination (RFC 1337); Linux lets it happen unless told otherwise.
      if (tcp.sysctl.rfc1337.value === 0) {
        killTimeWait(tw);
        return 'success';
      }
    } else tw.timer.arm(TIMEWAIT_LEN);
    if (stamped) storeTs(tw, o.tsval, now);
    return 'success';
  }
  const bareSyn = (flags & (TCP_FLAG.SYN | TCP_FLAG.RST | TCP_FLAG.ACK)) === TCP_FLAG.SYN;
  if (bareSyn && !paws && (seqAfter(seq, tw.rcvNxt) || (stamped && ((tw.tsRecent - o.tsval) | 0) < 0))) return 'syn';
  if (paws) tcp.host.snmp.TcpExtPAWSTimewait++;
  if (rst) return 'success';
  if (paws || (flags & TCP_FLAG.ACK) !== 0) tw.timer.arm(TIMEWAIT_LEN);
  return ackUnlessLimited(tw, segment);
}

function storeTs(tw: TimeWaitSock, tsval: number, now: number): void {
  tw.tsRecent = tsval;
  tw.tsRecentStamp = Math.floor(now / 1_000_000) + 1;
}

/** The orphan's FIN-WAIT-2: only the FIN is welcome, data is answered with a RST. */
function finWait2Receive(tw: TimeWaitSock, segment: Segment, paws: boolean): TimeWaitAnswer {
  const { seq, endSeq, flags } = segment;
  if (paws || !inWindow(seq, endSeq, tw.rcvNxt, (tw.rcvNxt + tw.rcvWnd) >>> 0)) return ackUnlessLimited(tw, segment);
  if ((flags & TCP_FLAG.RST) !== 0) {
    killTimeWait(tw);
    return 'success';
  }
  if ((flags & TCP_FLAG.SYN) !== 0 && !seqBefore(seq, tw.rcvNxt)) {
    killTimeWait(tw);
    return 'rst';
  }
  if ((flags & TCP_FLAG.ACK) === 0 || !seqAfter(endSeq, tw.rcvNxt) || endSeq === seq) return 'success';
  if ((flags & TCP_FLAG.FIN) === 0 || endSeq !== (tw.rcvNxt + 1) >>> 0) {
    killTimeWait(tw);
    return 'rst';
  }
  tw.substate = 'TIME_WAIT';
  tw.rcvNxt = endSeq;
  tw.enteredAt = tw.tcp.host.clock.now();
  const o = tw.tcp.received;
  if (o.timestamps && tw.tsRecentStamp !== 0) storeTs(tw, o.tsval, tw.enteredAt);
  tw.timer.arm(TIMEWAIT_LEN);
  return 'ack';
}

/**
 * Whether connect() may take the place of a TIME-WAIT with the same four numbers (tcp_twsk_unique): where the program
 * bound the port itself its timestamps are enough, else tcp_tw_reuse has a say.
 */
export function mayReuse(tw: TimeWaitSock, bound: boolean): boolean {
  if (bound) return tw.tsRecentStamp !== 0;
  const { twReuse, twReuseDelayMs } = tw.tcp.sysctl;
  const mode = twReuse.value;
  const loopback = tw.localAddress >>> 24 === 127 || tw.remoteAddress >>> 24 === 127;
  if (mode === 0 || (mode === 2 && !loopback)) return false;
  // After the delay the timestamps are surely newer.
  return tw.tsRecentStamp !== 0 && tw.tcp.host.clock.now() - tw.enteredAt > twReuseDelayMs.value * 1_000;
}
