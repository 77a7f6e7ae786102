/**
 * Time stamps of a stream (Linux: tcp_tx_timestamp, tcp_ack_tstamp, tcp_fragment_tstamp, tcp_skb_collapse_tstamp): what a
 * program wants to know of a call is asked of the sk_buff that holds the last octet of it, by that octet's number.
 */
import { seqBefore } from '../header/tcp.ts';
import type { Result } from './errno.ts';
import { tcpInfo } from './tcp-info.ts';
import type { Segment } from './tcp-segment.ts';
import { stateIs, type TcpSock } from './tcp-sock.ts';
import { SCM_TSTAMP, SOF, SOF_TX_RECORD, txFlagsOf, txTimestamp } from './timestamping.ts';

/** What OPT_ID counts from: the next octet to be written, or the first that is not acknowledged (sock_set_timestamping). */
export function timestampStart(sk: TcpSock, written: boolean): Result<number> {
  if (stateIs(sk, 'CLOSE', 'LISTEN')) return 'EINVAL';
  return written ? sk.writeSeq : sk.sndUna;
}

/** A call has written its last octet; it may have been sent already (tcp_tx_timestamp). */
export function txTimestampCall(sk: TcpSock, timestamping: number): void {
  const segment = sk.writeQueue.tail ?? sk.rtxQueue.tail;
  if (timestamping === 0 || segment?.skb === undefined) return;
  segment.skb.txFlags |= txFlagsOf(timestamping);
  if ((timestamping & SOF.TX_ACK) !== 0) segment.stampAck = true;
  if ((timestamping & SOF_TX_RECORD) !== 0) {
    segment.skb.timestampKey = (segment.seq + segment.length - 1) >>> 0;
  }
}

/** An acknowledgement reached into `segment`: did it cover the octet in question? (tcp_ack_tstamp) */
export function ackTimestamp(sk: TcpSock, segment: Segment, priorSndUna: number): void {
  if (!segment.stampAck || segment.skb === undefined) return;
  const key = segment.skb.timestampKey;
  if (seqBefore(key, priorSndUna) || !seqBefore(key, sk.sndUna)) return;
  txTimestamp(sk.host, segment.skb, sk, SCM_TSTAMP.ACK);
}

/** `segment` was cut: the wish goes with the octet that it is about (tcp_fragment_tstamp). */
export function splitTimestamp(segment: Segment, rest: Segment): void {
  const skb = segment.skb!;
  if ((!segment.stampAck && skb.txFlags === 0) || seqBefore(skb.timestampKey, rest.seq)) return;
  const to = rest.skb!;
  to.txFlags = skb.txFlags;
  to.timestampKey = skb.timestampKey;
  rest.stampAck = segment.stampAck;
  skb.txFlags = skb.timestampKey = 0;
  segment.stampAck = false;
}

/** The payload of `next` now stands in `segment` (tcp_skb_collapse_tstamp). */
export function joinTimestamp(segment: Segment, next: Segment): void {
  const from = next.skb!;
  if (!next.stampAck && from.txFlags === 0) return;
  const skb = segment.skb!;
  skb.txFlags |= from.txFlags;
  skb.timestampKey = from.timestampKey;
  segment.stampAck = segment.stampAck || next.stampAck;
}

/** By the names of linux/tcp.h, TCP_NLA_ left off (tcp_get_timestamping_opt_stats). */
export function timestampStats(sk: TcpSock): Readonly<Record<string, number>> {
  const info = tcpInfo(sk) as Readonly<Record<string, number>>;
  const of = (name: string): number => info[name] ?? 0;
  return {
    BUSY: of('busy_time'),
    RWND_LIMITED: of('rwnd_limited'),
    SNDBUF_LIMITED: of('sndbuf_limited'),
    DATA_SEGS_OUT: of('data_segs_out'),
    TOTAL_RETRANS: of('total_retrans'),
    PACING_RATE: of('pacing_rate'),
    DELIVERY_RATE: of('delivery_rate'),
    SND_CWND: of('snd_cwnd'),
    REORDERING: of('reordering'),
    MIN_RTT: of('min_rtt'),
    RECUR_RETRANS: of('retransmits'),
    SND_SSTHRESH: of('snd_ssthresh'),
    DELIVERED: of('delivered'),
    DELIVERED_CE: of('delivered_ce'),
    SNDQ_SIZE: (sk.writeSeq - sk.sndUna) >>> 0,
    CA_STATE: of('ca_state'),
    BYTES_SENT: of('bytes_sent'),
    BYTES_RETRANS: of('bytes_retrans'),
    DSACK_DUPS: of('dsack_dups'),
    REORD_SEEN: of('reord_seen'),
    SRTT: of('rtt'),
    BYTES_NOTSENT: of('notsent_bytes'),
  };
}
