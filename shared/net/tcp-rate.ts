/**
 * Delivery rate: how fast the network took what we sent, measured from one delivery to another so that neither a burst of
 * ACKs nor a pause of the program spoils it (Linux: tcp_rate.c, after draft-cheng-iccrg-delivery-rate-estimation).
 */
import type { Micros } from '../platform.ts';
import type { AckState } from './tcp-ack-state.ts';
import { ANY_RETRANS, SACKED, type Segment } from './tcp-segment.ts';
import { packetsInFlight, type TcpSock } from './tcp-sock.ts';

/** What a sent segment remembers of the connection at its sending (tcp_rate_skb_sent). */
export function rateSent(sk: TcpSock, segment: Segment): void {
  // A flight begins: time before it was not spent waiting for the network.
  if (sk.packetsOut === 0) sk.firstSentAt = sk.deliveredAt = segment.sentAt;
  segment.firstSentAt = sk.firstSentAt;
  segment.deliveredAt = sk.deliveredAt;
  segment.delivered = sk.delivered;
  segment.appLimited = sk.appLimited !== 0;
  segment.inFlight = packetsInFlight(sk);
}

/** A segment was ACKed or SACKed; the newest of them gives the sample (tcp_rate_skb_delivered). */
export function rateDelivered(sk: TcpSock, segment: Segment, ack: AckState): void {
  if (segment.deliveredAt < 0) return;
  const { sentAt, endSeq } = segment;
  const newer = sentAt > sk.firstSentAt || (sentAt === sk.firstSentAt && ((endSeq - ack.lastEndSeq) | 0) > 0);
  if (ack.priorDelivered < 0 || newer) {
    ack.priorDelivered = segment.delivered;
    ack.priorAt = segment.deliveredAt;
    ack.appLimited = segment.appLimited;
    ack.isRetrans = (segment.sacked & ANY_RETRANS) !== 0;
    ack.lastEndSeq = endSeq;
    sk.firstSentAt = sentAt;
    ack.interval = sentAt - segment.firstSentAt;
  }
  // Once SACKed it must not count again when it is acknowledged.
  if ((segment.sacked & SACKED.ACKED) !== 0) segment.deliveredAt = -1;
}

/** The sample of an ACK that delivered so many segments (tcp_rate_gen). */
export function rateGen(sk: TcpSock, delivered: number, reneged: boolean, ack: AckState): void {
  if (sk.appLimited !== 0 && ((sk.delivered - sk.appLimited) | 0) > 0) sk.appLimited = 0;
  const now = sk.host.clock.now();
  if (delivered > 0) sk.deliveredAt = now;
  if (ack.priorAt < 0 || reneged) return;
  const count = sk.delivered - ack.priorDelivered;
  // The longer of sending and acknowledging: neither may make the rate look higher than it was.
  const interval = Math.max(ack.interval, now - ack.priorAt);
  if (interval < sk.minRttValue[0]!) return;
  if (ack.appLimited && count * sk.rateInterval < sk.rateDelivered * interval) return;
  sk.rateDelivered = count;
  sk.rateInterval = interval;
  sk.rateAppLimited = ack.appLimited;
}

/** Whether it is the program that leaves the pipe empty (tcp_rate_check_app_limited). */
export function rateCheckAppLimited(sk: TcpSock): void {
  const inFlight = packetsInFlight(sk);
  const nothingToSend = (sk.writeSeq - sk.sndNxt) >>> 0 < sk.mssCache && sk.sendMemory === 0;
  if (nothingToSend && inFlight < sk.sndCwnd && sk.lostOut <= sk.retransOut)
    sk.appLimited = sk.delivered + inFlight || 1;
}

/** Octets a second (tcp_compute_delivery_rate). */
export function deliveryRate(sk: TcpSock): number {
  if (sk.rateDelivered === 0 || sk.rateInterval === 0) return 0;
  return Math.floor((sk.rateDelivered * sk.mssCache * 1_000_000) / sk.rateInterval);
}

/** Time that passed in whole jiffies, as Linux keeps most times (tcp_jiffies32). */
export function jiffiesSince(sk: TcpSock, at: Micros): Micros {
  const { tick } = sk.host.jiffies;
  return (Math.floor(sk.host.clock.now() / tick) - Math.floor(at / tick)) * tick;
}
