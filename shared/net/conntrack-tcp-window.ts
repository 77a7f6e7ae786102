/**
 * Whether a segment fits the windows of both ends, as a router in between can tell (Linux: tcp_in_window; van Rooij,
 * "Real Stateful TCP Packet Filtering in IP Filter", 2000). The four bounds are checked in Linux's order. Left out:
 * sequence numbers that a NAT helper moved.
 */
import { seqAfter, seqBefore, TCP, TCP_FLAG } from '../header/tcp.ts';

import type { SkBuff } from './skbuff.ts';

/** Linux: MAXACKWINCONST: how far behind an ACK may be, at least. */
const ACK_WINDOW_MIN = 66_000;
const SCALE_MAX = 14;

/** What was seen of one direction (struct ip_ct_tcp_state). */
export interface TcpSide {
  /** The end of its data, the largest end its peer's window allows, and its own largest window. */
  end: number;
  maxEnd: number;
  maxWindow: number;
  maxAck: number;
  maxAckSet: boolean;
  scale: number;
  scaled: boolean;
  sackPermitted: boolean;
  /** It closed first. */
  closeInit: boolean;
  liberal: boolean;
  unacknowledged: boolean;
}

export function newSide(): TcpSide {
  return {
    end: 0,
    maxEnd: 0,
    maxWindow: 0,
    maxAck: 0,
    maxAckSet: false,
    scale: 0,
    scaled: false,
    sackPermitted: false,
    closeInit: false,
    liberal: false,
    unacknowledged: false,
  };
}

/** A segment as the tracker reads it. */
export interface TrackedSegment {
  readonly skb: SkBuff;
  /** Offset of its TCP header, and the length of that. */
  readonly at: number;
  readonly headerLength: number;
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly window: number;
  /** The sequence number after its data, SYN and FIN counted. */
  readonly end: number;
}

export function readSegment(skb: SkBuff, at: number, headerLength: number): TrackedSegment {
  const { view } = skb;
  const flags = view.getUint8(at + TCP.FLAGS);
  const sequence = view.getUint32(at + TCP.SEQUENCE);
  const payload = skb.tail - at - headerLength + skb.fragBytes;
  const extra = ((flags & TCP_FLAG.SYN) !== 0 ? 1 : 0) + ((flags & TCP_FLAG.FIN) !== 0 ? 1 : 0);
  return {
    skb,
    at,
    headerLength,
    flags,
    sequence,
    acknowledgement: view.getUint32(at + TCP.ACKNOWLEDGEMENT),
    window: view.getUint16(at + TCP.WINDOW),
    end: (sequence + payload + extra) >>> 0,
  };
}

/** Each option of a segment: its kind and where its data stands. Bad ones end the walk. */
function walkOptions(segment: TrackedSegment, visit: (kind: number, at: number, length: number) => void): void {
  const { view } = segment.skb;
  const end = segment.at + segment.headerLength;
  for (let at = segment.at + TCP.SIZE; at < end; ) {
    const kind = view.getUint8(at);
    if (kind === 0) return;
    if (kind === 1) {
      at++;
      continue;
    }
    if (at + 1 >= end) return;
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > end) return;
    visit(kind, at + 2, length);
    at += length;
  }
}

/** What a SYN says of its sender. (Linux: tcp_options) */
export function readSynOptions(segment: TrackedSegment, side: TcpSide): void {
  side.scale = 0;
  side.scaled = side.sackPermitted = false;
  walkOptions(segment, (kind, at, length) => {
    if (kind === 4 && length === 2) side.sackPermitted = true;
    if (kind !== 3 || length !== 3) return;
    side.scale = Math.min(segment.skb.view.getUint8(at), SCALE_MAX);
    side.scaled = true;
  });
}

/** The furthest that a segment acknowledges, selectively included. (Linux: tcp_sack) */
function furthestAck(segment: TrackedSegment): number {
  let furthest = segment.acknowledgement;
  walkOptions(segment, (kind, at, length) => {
    if (kind !== 5) return;
    for (let block = at; block + 8 <= at + length - 2; block += 8) {
      const right = segment.skb.view.getUint32(block + 4);
      if (seqAfter(right, furthest)) furthest = right;
    }
  });
  return furthest;
}

/** The retransmissions of pure ACKs, and the last window (parts of struct ip_ct_tcp). */
export interface TcpHistory {
  lastReply: boolean;
  lastSequence: number;
  lastAck: number;
  lastEnd: number;
  lastWindow: number;
  retransmissions: number;
}

export interface WindowQuestion {
  readonly sender: TcpSide;
  readonly receiver: TcpSide;
  readonly segment: TrackedSegment;
  readonly reply: boolean;
  /** The state before this segment is SYN_SENT, or SYN_SENT or SYN_RECV. */
  readonly synSent: boolean;
  readonly opening: boolean;
  /** It is an ACK and nothing else by its flags. */
  readonly ackOnly: boolean;
  readonly liberal: boolean;
  readonly history: TcpHistory;
}

export type WindowVerdict = 'accept' | 'ignore' | 'invalid';

/** A SYN or SYN-ACK: its sender begins here. (Linux: tcp_init_sender) */
function initSender({ sender, receiver, segment, reply }: WindowQuestion): void {
  sender.end = sender.maxEnd = segment.end;
  sender.maxWindow = Math.max(1, segment.window);
  readSynOptions(segment, sender);
  // RFC 7323 §2.2: both must have offered it.
  if (reply && !(sender.scaled && receiver.scaled)) sender.scale = receiver.scale = 0;
}

/** (Linux: tcp_in_window) */
export function inWindow(question: WindowQuestion): WindowVerdict {
  const { sender, receiver, segment, reply } = question;
  const has = (flag: number) => (segment.flags & flag) !== 0;
  let { sequence, end } = segment;
  let ack = segment.acknowledgement;
  let sack = receiver.sackPermitted ? furthestAck(segment) : ack;
  if (sender.maxWindow === 0) {
    if (has(TCP_FLAG.SYN)) {
      initSender(question);
      if (!has(TCP_FLAG.ACK)) return 'accept';
    } else {
      pickUp(question, sack);
    }
  } else if (has(TCP_FLAG.SYN) && seqAfter(end, sender.end) && question.opening) {
    initSender(question);
    if (reply && !has(TCP_FLAG.ACK)) return 'accept';
  }
  // No ACK, or the zero that some stacks send with a RST: as if it were right.
  if (!has(TCP_FLAG.ACK) || (has(TCP_FLAG.RST) && ack === 0)) ack = sack = receiver.end;
  if (has(TCP_FLAG.RST) && sequence === 0 && question.synSent) sequence = end = sender.end;

  const verdict = bounds(question, sequence, end, sack);
  if (verdict !== 'accept' && !question.liberal && !sender.liberal) return verdict;
  update(question, { ack, sack, end });
  return 'accept';
}

/** In the middle of a connection whose beginning was not seen. */
function pickUp({ sender, receiver, segment }: WindowQuestion, sack: number): void {
  sender.end = segment.end;
  sender.maxWindow = Math.max(1, segment.window * 2 ** sender.scale);
  sender.maxEnd = (segment.end + sender.maxWindow) >>> 0;
  if (receiver.maxWindow === 0) receiver.end = receiver.maxEnd = sack;
  else if (sack === (receiver.end + 1) >>> 0) receiver.end = sack;
}

/** The four bounds: not beyond the window, not ACKing what was not sent, not long past, no ACK long past. */
function bounds({ sender, receiver }: WindowQuestion, sequence: number, end: number, sack: number): WindowVerdict {
  const ackWindow = Math.max(sender.maxWindow, ACK_WINDOW_MIN);
  const ackRecent = seqAfter(sack, (receiver.end - ackWindow - 1) >>> 0);
  const dataRecent = seqAfter(end, (sender.end - receiver.maxWindow - 1) >>> 0);
  const ackKnown = seqBefore(sack, (receiver.end + 1) >>> 0);
  if (!seqBefore(sequence, (sender.maxEnd + 1) >>> 0)) {
    const overshot = (end - sender.maxEnd + 1) >>> 0;
    if (!(receiver.maxWindow > 0 && dataRecent && ackRecent && ackKnown && overshot <= receiver.maxWindow))
      return 'invalid';
    // A little more than allowed: should its peer take it, the ACK must not come as a surprise.
    sender.end = end;
    sender.unacknowledged = true;
    return 'ignore';
  }
  if (!ackKnown) return 'invalid';
  if (receiver.maxWindow > 0 && !dataRecent) return 'ignore';
  return ackRecent ? 'accept' : 'ignore';
}

function update(
  { sender, receiver, segment, reply, ackOnly, history }: WindowQuestion,
  { ack, sack, end }: { ack: number; sack: number; end: number },
): void {
  const syn = (segment.flags & TCP_FLAG.SYN) !== 0;
  const window = syn ? segment.window : segment.window * 2 ** sender.scale;
  sender.maxWindow = Math.max(sender.maxWindow, window + ((sack - ack) >>> 0));
  if (seqAfter(end, sender.end)) {
    sender.end = end;
    sender.unacknowledged = true;
  }
  if ((segment.flags & TCP_FLAG.ACK) !== 0 && (!sender.maxAckSet || seqAfter(ack, sender.maxAck))) {
    sender.maxAck = ack;
    sender.maxAckSet = true;
  }
  if (receiver.maxWindow !== 0 && seqAfter(end, sender.maxEnd)) receiver.maxWindow += (end - sender.maxEnd) >>> 0;
  const allowed = (sack + window) >>> 0;
  if (seqAfter(allowed, (receiver.maxEnd - 1) >>> 0)) receiver.maxEnd = window === 0 ? (allowed + 1) >>> 0 : allowed;
  if (ack === receiver.end) receiver.unacknowledged = false;
  if (ackOnly) countRepetitions(segment, history, reply, ack, end);
}

function countRepetitions(
  segment: TrackedSegment,
  history: TcpHistory,
  reply: boolean,
  ack: number,
  end: number,
): void {
  const same =
    history.lastReply === reply &&
    history.lastSequence === segment.sequence &&
    history.lastAck === ack &&
    history.lastEnd === end &&
    history.lastWindow === segment.window;
  if (same) {
    history.retransmissions++;
    return;
  }
  history.lastReply = reply;
  history.lastSequence = segment.sequence;
  history.lastAck = ack;
  history.lastEnd = end;
  history.lastWindow = segment.window;
  history.retransmissions = 0;
}
