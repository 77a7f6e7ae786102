/** The delayed ACK: how long one waits for data to go with, and what happens when none comes (Linux: tcp_send_delayed_ack). */
import { tcpRtoMin } from './route-metrics.ts';
import { ACK_PENDING } from './tcp-ack-state.ts';
import { ATO_MIN, DELACK_MIN, type TcpSock } from './tcp-sock.ts';
import { inPingpongMode, sendAck } from './tcp-transmit.ts';

/** An ACK has waited long enough for company. (Linux: tcp_delack_timer_handler) */
export function delackTimer(sk: TcpSock): void {
  if (sk.state === 'CLOSE' || sk.state === 'LISTEN') return;
  if (sk.compressedAck > 0) {
    sendAck(sk);
    return;
  }
  if ((sk.ackPending & ACK_PENDING.TIMER) === 0) return;
  sk.ackPending &= ~ACK_PENDING.TIMER;
  if ((sk.ackPending & ACK_PENDING.SCHED) === 0) return;
  if (inPingpongMode(sk)) {
    // The program did not answer in time: back to quick ACKs.
    sk.ackPingpong = 0;
    sk.ato = ATO_MIN;
  } else sk.ato = Math.min(sk.ato * 2, sk.rto);
  sendAck(sk);
  sk.host.snmp.TcpExtDelayedACKs++;
}

/** An ACK is due, but may wait for data or a second segment. (Linux: tcp_send_delayed_ack) */
export function sendDelayedAck(sk: TcpSock): void {
  let { ato } = sk;
  const now = sk.host.clock.now();
  if (ato > DELACK_MIN) {
    let most = 500_000;
    if (inPingpongMode(sk) || (sk.ackPending & ACK_PENDING.PUSHED) !== 0) most = 200_000;
    // A slow receiver does not hold up a fast path: not longer than a round trip.
    if (sk.srtt > 0) most = Math.min(most, Math.max(sk.srtt >> 3, DELACK_MIN));
    ato = Math.min(ato, most);
  }
  // A shorter RTO of ours is likely a shorter one of the peer's, too (tcp_delack_max).
  const tick = sk.host.jiffies.tick;
  ato = Math.min(ato, sk.delackMax, Math.max(tcpRtoMin(sk), 2 * tick) - tick);
  let timeout = now + ato;
  if ((sk.ackPending & ACK_PENDING.TIMER) !== 0) {
    if (sk.ackTimeout <= now + (ato >> 2)) return sendAck(sk);
    timeout = Math.min(timeout, sk.ackTimeout);
  }
  sk.ackPending |= ACK_PENDING.SCHED | ACK_PENDING.TIMER;
  if (sk.ackTimeout === timeout && sk.delackTimer.armed) return;
  sk.ackTimeout = timeout;
  sk.delackTimer.arm(timeout - now);
}
