/** One line of the ledger (ledger.ts): a type alone, which a test with wirelab in it reads, too. */
export interface LedgerRow {
  readonly wire: string;
  /** The end that sends, and the one that receives. */
  readonly from: string;
  readonly to: string;
  /** Whether that end is there to be asked. */
  readonly fromUp: boolean;
  readonly toUp: boolean;
  /** It runs and does not answer: it stands still. What it has heard is not known, and waits for it at the worst. */
  readonly fromSilent: boolean;
  readonly toSilent: boolean;
  readonly given: number;
  readonly duplicated: number;
  /** What the wire's knobs and its light took away at the sender's end, by reason. */
  readonly takenAway: Readonly<Record<string, number>>;
  /** At the sender's end still: a delay, a rate, a batch that is being filled. */
  readonly waiting: number;
  readonly sent: number;
  /** Sent to an earlier life of the receiver, with which its counts have gone (`lost_with_peer`). */
  readonly toEarlier: number;
  readonly received: number;
  /** Sent and never received, by reason. */
  readonly lost: Readonly<Record<string, number>>;
  /** Sent, not there yet, or nobody can say just now: 0 once the lab is quiet and a link pulse has passed. */
  readonly underWay: number;
  /** Received, and refused by the physical layer, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly unaccounted: number;
}
