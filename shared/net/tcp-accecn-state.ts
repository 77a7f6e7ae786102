/** What a connection keeps for ECN, of RFC 3168 and accurate (RFC 9768; the accecn fields of Linux's struct tcp_sock). */

/** Bits of TcpSock.ecnFlags (TCP_ECN_*). The mode is RFC3168, ACCECN, none, or both while our SYN asks for the latter. */
export const ECN = { RFC3168: 1, QUEUE_CWR: 2, DEMAND_CWR: 4, SEEN: 8, ACCECN: 16, PENDING: 17, ANY: 17 } as const;

/** Index of a byte counter: the IP-ECN codepoint less one, ECT(1), ECT(0), CE. */
export const ECT_1 = 1;
export const ECT_0 = 2;
export const CE = 3;
export const ECN_MASK = 3;

/** What is known not to pass (TCP_ACCECN_*_FAIL_*). */
export const ACCECN_FAIL = { ACE_SEND: 1, ACE_RECV: 2, OPT_SEND: 4, OPT_RECV: 8 } as const;
/** The best AccECN option that came (TCP_ACCECN_OPT_*_SEEN). */
export const OPTION_SEEN = { NOT: 0, EMPTY: 1, COUNTER: 2, FAIL: 3 } as const;

export class AccEcnState {
  /** CE-marked segments that came, pure ACKs too (r.cep less its offset), and those not told yet, at most 15. */
  receivedCe = 0;
  receivedCePending = 0;
  /** Payload octets that came with each mark, and those that the peer says came there (r.*b and s.*b). */
  readonly receivedBytes = new Uint32Array(3);
  readonly deliveredBytes = new Uint32Array(3);
  /** Counters that the next option must have at least: one of them changed since the last. */
  minlen = 0;
  /** So many ACKs to come shall carry the option. */
  demand = 0;
  /** The mark that most likely was on what is acknowledged without an option; 0: no guess. */
  estField = 0;
  /** IP-ECN field of the last segment that came. */
  prevField = 0;
  /** IP-ECN fields of our SYN or SYN-ACK, and of the peer's. */
  synEctSent = 0;
  synEctReceived = 0;
  sawOption: number = OPTION_SEEN.NOT;
  failMode = 0;
  /** Lab time of the last option. */
  optionAt = 0;
  /** The last ACK had an option and reported a duplicate. */
  optionSentWithDsack = false;
  /** Segments acknowledged at a time, smoothed, in 64ths. */
  packetsAcked = 0;

  reset(): void {
    this.receivedCe = this.receivedCePending = 0;
    this.receivedBytes.fill(0);
    this.deliveredBytes.fill(0);
    this.minlen = this.demand = this.estField = this.prevField = 0;
    this.synEctSent = this.synEctReceived = 0;
    this.sawOption = OPTION_SEEN.NOT;
    this.failMode = this.optionAt = this.packetsAcked = 0;
    this.optionSentWithDsack = false;
  }
}
