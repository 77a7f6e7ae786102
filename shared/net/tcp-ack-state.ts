/** What is learnt while one ACK is worked on: Linux's FLAG_* bits of tcp_ack, its sacktag state and rate sample. */

const F = {
  /** The segment carried data. */
  DATA: 0x01,
  WIN_UPDATE: 0x02,
  /** New data was acknowledged. */
  DATA_ACKED: 0x04,
  RETRANS_DATA_ACKED: 0x08,
  SYN_ACKED: 0x10,
  /** New data was SACKed. */
  DATA_SACKED: 0x20,
  ECE: 0x40,
  LOST_RETRANS: 0x80,
  /** Header prediction failed: every field is to be looked at. */
  SLOWPATH: 0x100,
  /** Something sent once and before the recovery point was (S)ACKed: it was not lost. */
  ORIG_SACK_ACKED: 0x200,
  SND_UNA_ADVANCED: 0x400,
  DSACKING_ACK: 0x800,
  SET_XMIT_TIMER: 0x1000,
  SACK_RENEGING: 0x2000,
  UPDATE_TS_RECENT: 0x4000,
  NO_CHALLENGE_ACK: 0x8000,
  ACK_MAYBE_DELAYED: 0x1_0000,
  DSACK_TLP: 0x2_0000,
  /** The peer's timestamp went on. */
  TS_PROGRESS: 0x4_0000,
} as const;

const ACKED = F.DATA_ACKED | F.SYN_ACKED;

export const ACK_FLAG = {
  ...F,
  ACKED,
  NOT_DUP: F.DATA | F.WIN_UPDATE | ACKED,
  CA_ALERT: F.DATA_SACKED | F.ECE | F.DSACKING_ACK,
  FORWARD_PROGRESS: ACKED | F.DATA_SACKED,
} as const;

/** Bits of TcpSock.ackPending (ICSK_ACK_*). */
export const ACK_PENDING = { SCHED: 1, TIMER: 2, PUSHED: 4, PUSHED2: 8, NOW: 16, NOMEM: 32 } as const;

/** What tcp_xmit_recovery is to send when the ACK is done with. */
export type Rexmit = 'none' | 'lost' | 'new';

/** One per host, used again for every ACK (struct tcp_sacktag_state, struct rate_sample). */
export class AckState {
  flag = 0;
  rexmit: Rexmit = 'none';
  /** Lowest sequence that was (S)ACKed out of order. */
  reord = 0;
  /** When the first and last newly SACKed segments had been sent; -1: none. */
  firstSackt = -1;
  lastSackt = -1;
  /** Delivered before the newest segment that this ACK covers was sent; -1: no sample. */
  priorDelivered = -1;
  /** When that was, -1 for none; how long the sending took since; whether the program was slow, or it was sent twice. */
  priorAt = -1;
  interval = 0;
  appLimited = false;
  isRetrans = false;
  lastEndSeq = 0;
  /** Sequence numbers newly known to have arrived. */
  deliveredBytes = 0;
  /** The tightest round trip sample of this ACK, -1 for none. */
  rtt = -1;

  begin(flag: number, sndNxt: number): void {
    this.flag = flag;
    this.rexmit = 'none';
    this.reord = sndNxt;
    this.deliveredBytes = 0;
    this.firstSackt = this.lastSackt = this.priorDelivered = this.priorAt = this.rtt = -1;
    this.interval = this.lastEndSeq = 0;
    this.appLimited = this.isRetrans = false;
  }
}
