/**
 * When a connection may send next (Linux: tcp_output.c's EDT model): every packet gets its earliest departure time, and
 * either fq below or a timer of the socket's own keeps to it. Rates are octets a second, times lab microseconds with fractions.
 */
import { type Micros, SECOND } from '../platform.ts';
import { PACING_RATE_NONE } from './sock.ts';
import type { TcpSock } from './tcp-sock.ts';

/** The first 10 segments of a connection are not paced, as in sch_fq's time. */
const UNPACED_SEGMENTS = 10;

/** The departure time of the packet under way, in sk.tcpWstamp (the head of __tcp_transmit_skb). */
export function stampDeparture(sk: TcpSock, now: Micros): void {
  if (sk.tcpWstamp < now) sk.tcpWstamp = now;
}

/** It is on its way: when the next may go. `prior` is the stamp before it. (Linux: tcp_update_skb_after_send) */
export function paceAfterSend(sk: TcpSock, length: number, prior: Micros): void {
  if (sk.pacingStatus === 'none') return;
  const rate = sk.pacingRate;
  if (rate === PACING_RATE_NONE || rate === 0 || sk.dataSegsOut < UNPACED_SEGMENTS) return;
  const wait = (length * SECOND) / rate;
  // Timers are late: what was lost by it is given back, up to half.
  sk.tcpWstamp += wait - Math.min(wait / 2, sk.tcpWstamp - prior);
}

/** Whether TCP has to wait by itself; its timer is armed then. (Linux: tcp_pacing_check) */
export function pacingCheck(sk: TcpSock): boolean {
  if (sk.pacingStatus !== 'needed') return false;
  const wait = sk.tcpWstamp - sk.host.clock.now();
  if (wait <= 0) return false;
  if (!sk.pacingTimer.armed) sk.pacingTimer.arm(Math.ceil(wait));
  return true;
}

/** How long what was sent last waits in fq, or before it, yet: timers count from then (tcp_pacing_delay). */
export function pacingDelay(sk: TcpSock): Micros {
  const wait = sk.tcpWstamp - sk.host.clock.now();
  return wait > 0 ? Math.floor(wait) : 0;
}
