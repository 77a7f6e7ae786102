/**
 * TCP as a router sees it pass (Linux: nf_conntrack_proto_tcp.c): the state table, timeouts, connections that begin anew
 * on the same ports, resets that nobody sent. Windows are conntrack-tcp-window.ts's. Left out: SYN proxies.
 */
import { ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { seqBefore, TCP, TCP_FLAG, tcpHeaderLength } from '../header/tcp.ts';
import type { Conntrack, CtInfo } from './conntrack.ts';
import type { ConntrackSettings } from './conntrack-settings.ts';
import {
  inWindow,
  newSide,
  readSegment,
  readSynOptions,
  type TcpHistory,
  type TcpSide,
  type TrackedSegment,
} from './conntrack-tcp-window.ts';
import { transportChecksumOk } from './gso.ts';
import type { Host } from './host.ts';
import type { SkBuff } from './skbuff.ts';

export type TcpCtState =
  | 'NONE'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'ESTABLISHED'
  | 'FIN_WAIT'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'SYN_SENT2';

export interface TcpFlow extends TcpHistory {
  state: TcpCtState;
  /** The original direction's side, and the other's. */
  readonly sides: [TcpSide, TcpSide];
  /** The row of the last segment that was taken, or let through unseen. */
  lastRow: number | undefined;
  /** A SYN that was let through unseen, in case its SYN-ACK shows that it counts (IP_CT_EXP_CHALLENGE_ACK and kin). */
  ignoredSyn: TcpSide | undefined;
  challengeExpected: boolean;
  simultaneous: boolean;
}

const STATES: readonly TcpCtState[] = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
];
/** Rows by what a segment is, columns by the state it meets; `iv` invalid, `ig` ignored (tcp_conntracks). */
const ROWS = { syn: 0, synack: 1, fin: 2, ack: 3, rst: 4 } as const;
const ORIGINAL = [
  'ss ss ig ig ig ig ig ss ss s2',
  'iv iv sr iv iv iv iv iv iv sr',
  'iv iv fw fw la la la tw cl iv',
  'es iv es es cw cw tw tw cl iv',
  'iv cl cl cl cl cl cl cl cl cl',
].map((row) => row.split(' '));
const REPLY = [
  'iv s2 ig ig ig ig ig ss iv s2',
  'iv sr ig ig ig ig ig ig ig sr',
  'iv iv fw fw la la la tw cl iv',
  'iv ig sr es cw cw tw tw cl ig',
  'iv cl cl cl cl cl cl cl cl cl',
].map((row) => row.split(' '));
const CODES: Readonly<Record<string, TcpCtState>> = {
  ss: 'SYN_SENT',
  sr: 'SYN_RECV',
  es: 'ESTABLISHED',
  fw: 'FIN_WAIT',
  cw: 'CLOSE_WAIT',
  la: 'LAST_ACK',
  tw: 'TIME_WAIT',
  cl: 'CLOSE',
  s2: 'SYN_SENT2',
};

/** Which row a segment is; undefined for no flags that mean anything. (Linux: get_conntrack_index) */
function rowOf(flags: number): number | undefined {
  if ((flags & TCP_FLAG.RST) !== 0) return ROWS.rst;
  if ((flags & TCP_FLAG.SYN) !== 0) return (flags & TCP_FLAG.ACK) !== 0 ? ROWS.synack : ROWS.syn;
  if ((flags & TCP_FLAG.FIN) !== 0) return ROWS.fin;
  return (flags & TCP_FLAG.ACK) !== 0 ? ROWS.ack : undefined;
}

/** Combinations that exist; ECE, CWR and PSH aside. (Linux: tcp_valid_flags) */
function validFlags(flags: number): boolean {
  const f = flags & ~(TCP_FLAG.ECE | TCP_FLAG.CWR | TCP_FLAG.PSH);
  const { FIN, SYN, RST, ACK, URG } = TCP_FLAG;
  const valid = [SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG];
  return valid.includes(f);
}

function newFlow(): TcpFlow {
  return {
    state: 'NONE',
    sides: [newSide(), newSide()],
    lastRow: undefined,
    ignoredSyn: undefined,
    challengeExpected: false,
    simultaneous: false,
    lastReply: false,
    lastSequence: -1,
    lastAck: -1,
    lastEnd: -1,
    lastWindow: -1,
    retransmissions: 0,
  };
}

/** A flow's first segment; undefined when it cannot be one. (Linux: tcp_new) */
function beginFlow(segment: TrackedSegment, row: number, loose: boolean): TcpFlow | undefined {
  const code = ORIGINAL[row]?.[0];
  if (code === 'iv' || code === undefined) return undefined;
  const tcp = newFlow();
  const [sender, receiver] = tcp.sides;
  sender.end = segment.end;
  sender.maxWindow = Math.max(1, segment.window);
  if (code === 'ss') {
    sender.maxEnd = sender.end;
    readSynOptions(segment, sender);
    return tcp;
  }
  // A connection that was there before us may be picked up in the middle; its window scales are not known.
  if (!loose) return undefined;
  sender.maxEnd = (sender.end + sender.maxWindow) >>> 0;
  sender.sackPermitted = receiver.sackPermitted = true;
  sender.liberal = receiver.liberal = true;
  return tcp;
}

/** The header of a segment that makes sense. (Linux: tcp_error) */
function soundSegment(host: Host, skb: SkBuff, checks: boolean): TrackedSegment | undefined {
  const at = skb.networkHeader + ipv4HeaderLength(skb.view, skb.networkHeader);
  if (skb.tail - at < TCP.SIZE) return undefined;
  const headerLength = tcpHeaderLength(skb.view, at);
  if (headerLength < TCP.SIZE || skb.tail - at < headerLength) return undefined;
  if (checks && host.conntrack.settings?.checksum.value !== 0 && !transportChecksumOk(skb, PROTOCOL.TCP))
    return undefined;
  const segment = readSegment(skb, at, headerLength);
  return validFlags(segment.flags) ? segment : undefined;
}

type Tracked = 'ok' | 'invalid' | 'again';

/**
 * One segment against its flow: 'again' when the flow was over and this begins another. `checks`: it comes in, so its sum
 * is looked at. (Linux: nf_conntrack_tcp_packet)
 */
export function trackTcp(host: Host, skb: SkBuff, info: CtInfo, settings: ConntrackSettings, checks: boolean): Tracked {
  const { flow, reply } = info;
  const segment = soundSegment(host, skb, checks);
  const row = segment === undefined ? undefined : rowOf(segment.flags);
  if (segment === undefined || row === undefined) return 'invalid';
  if (flow.tcp === undefined) {
    if (reply) return 'invalid';
    flow.tcp = beginFlow(segment, row, settings.loose.value !== 0);
    if (flow.tcp === undefined) return 'invalid';
  }
  const { tcp } = flow;
  const step: Step = { host, flow, tcp, segment, row, reply, settings, old: tcp.state, next: tcp.state };
  const code = (reply ? REPLY : ORIGINAL)[row]?.[STATES.indexOf(tcp.state)] ?? 'iv';
  if (code === 'iv') return 'invalid';
  step.next = CODES[code] ?? 'NONE';
  const reopens = step.next === 'SYN_SENT' && (step.old === 'TIME_WAIT' || step.old === 'CLOSE');
  if (reopens && mayReopen(step)) {
    host.conntrack.remove(flow);
    return 'again';
  }
  if (code === 'ig' || reopens) {
    if (!isAnswerToIgnored(step)) {
      ignore(step);
      return 'ok';
    }
    syncToIgnored(step);
  }
  return take(step);
}

interface Step {
  readonly host: Host;
  readonly flow: Conntrack;
  readonly tcp: TcpFlow;
  readonly segment: TrackedSegment;
  readonly row: number;
  readonly reply: boolean;
  readonly settings: ConntrackSettings;
  old: TcpCtState;
  next: TcpCtState;
}

const side = (tcp: TcpFlow, reply: boolean): TcpSide => tcp.sides[reply ? 1 : 0];

/** One end closed it, or this end aborted it: a SYN begins another. */
function mayReopen({ tcp, reply }: Step): boolean {
  const closed = tcp.sides[0].closeInit || tcp.sides[1].closeInit;
  return closed || (tcp.lastReply === reply && tcp.lastRow === ROWS.rst);
}

/** A SYN-ACK for the SYN that we let through without believing it: the ends are in step, and we were not. */
function isAnswerToIgnored({ tcp, row, reply, segment }: Step): boolean {
  return (
    row === ROWS.synack &&
    tcp.lastRow === ROWS.syn &&
    tcp.lastReply !== reply &&
    segment.acknowledgement === tcp.lastEnd
  );
}

function syncToIgnored(step: Step): void {
  const { tcp, reply } = step;
  step.old = 'SYN_SENT';
  step.next = 'SYN_RECV';
  const seen = tcp.ignoredSyn ?? newSide();
  tcp.sides[reply ? 0 : 1] = {
    ...seen,
    end: tcp.lastEnd,
    maxEnd: tcp.lastEnd,
    maxWindow: Math.max(1, tcp.lastWindow),
  };
  tcp.sides[reply ? 1 : 0] = newSide();
  tcp.challengeExpected = false;
}

/** Let through, its numbers noted: it may be the ends that are right. */
function ignore({ tcp, segment, row, reply, old }: Step): void {
  tcp.lastRow = row;
  tcp.lastReply = reply;
  tcp.lastSequence = segment.sequence;
  tcp.lastEnd = segment.end;
  tcp.lastWindow = segment.window;
  if (row === ROWS.syn && !reply) {
    const seen = newSide();
    readSynOptions(segment, seen);
    tcp.ignoredSyn = seen;
    tcp.challengeExpected = old === 'LAST_ACK';
  }
  if (old === 'SYN_SENT' && row === ROWS.ack && reply) tcp.lastAck = segment.acknowledgement;
}

/** It belongs to the flow by its flags; by its numbers, too? */
function take(step: Step): Tracked {
  const { tcp, row, reply, old } = step;
  if (step.next === 'TIME_WAIT' && old === 'LAST_ACK' && row === ROWS.ack && tcp.challengeExpected) {
    // RFC 5961: the answer to a SYN in the middle is no answer to the FIN.
    if (tcp.lastReply !== reply && tcp.lastRow === ROWS.syn) {
      tcp.challengeExpected = false;
      return 'ok';
    }
  }
  if (step.next === 'SYN_SENT2') tcp.simultaneous = true;
  if (step.next === 'SYN_RECV' && reply && row === ROWS.ack && tcp.simultaneous) step.next = 'ESTABLISHED';
  let looked = false;
  if (step.next === 'CLOSE' && row === ROWS.rst) {
    const verdict = judgeReset(step);
    if (verdict === 'invalid') return 'invalid';
    looked = verdict === 'in window';
  }
  if (!looked) {
    const verdict = inWindow({
      sender: side(tcp, reply),
      receiver: side(tcp, !reply),
      segment: step.segment,
      reply,
      synSent: old === 'SYN_SENT',
      opening: old === 'SYN_SENT' || old === 'SYN_RECV',
      ackOnly: row === ROWS.ack,
      liberal: step.settings.liberal.value !== 0,
      history: tcp,
    });
    if (verdict === 'invalid') return 'invalid';
    if (verdict === 'ignore') return 'ok';
  }
  return enter(step);
}

const CLOSING: ReadonlySet<TcpCtState> = new Set(['FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE']);

/** Whether a RST is in its place. A guessed one that is not exact keeps the flow (RFC 5961 §3). */
function judgeReset(step: Step): 'invalid' | 'in window' | 'look' {
  const { tcp, flow, segment, reply, old, settings } = step;
  if (CLOSING.has(old)) return 'in window';
  const other = side(tcp, !reply);
  const established = old === 'ESTABLISHED';
  if (other.maxAckSet && tcp.lastRow !== ROWS.syn) {
    const { sequence } = segment;
    if (sequence === 0 && !established) return 'look';
    if (seqBefore(sequence, other.maxAck) && settings.ignoreInvalidReset.value === 0) return 'invalid';
    if (!established || sequence === other.maxAck) return 'look';
    if (tcp.lastRow === ROWS.ack && tcp.lastReply === reply && sequence === tcp.lastEnd) return 'look';
    step.next = old;
  }
  const answersIgnored = (flow.seenReply && tcp.lastRow === ROWS.syn) || (!flow.assured && tcp.lastRow === ROWS.ack);
  return answersIgnored && segment.acknowledgement === tcp.lastEnd ? 'in window' : 'look';
}

/** The segment counts: state, timeout, and whether the flow is worth keeping. */
function enter(step: Step): Tracked {
  const { host, flow, tcp, row, reply, old, next, settings } = step;
  tcp.lastRow = row;
  tcp.lastReply = reply;
  tcp.state = next;
  if (old !== next && next === 'FIN_WAIT') side(tcp, reply).closeInit = true;
  let seconds = timeoutOf(tcp, row, settings);
  if (!flow.seenReply) {
    if (row === ROWS.rst) {
      // Refused, or taken back: there was no connection.
      host.conntrack.remove(flow);
      return 'ok';
    }
    // A SYN sent again must not keep the flow alive for ever.
    if (row === ROWS.syn && old === 'SYN_SENT') return 'ok';
    if (next === 'ESTABLISHED') seconds = Math.min(seconds, settings.tcp.get('unacknowledged')?.value ?? seconds);
  } else if (!flow.assured && (old === 'SYN_RECV' || old === 'ESTABLISHED') && next === 'ESTABLISHED') {
    flow.assured = true;
  }
  host.conntrack.refresh(flow, seconds);
  return 'ok';
}

function timeoutOf(tcp: TcpFlow, row: number, settings: ConntrackSettings): number {
  const of = (name: string) => settings.tcp.get(name)?.value ?? settings.generic.value;
  const seconds = of(tcp.state.toLowerCase());
  if (tcp.retransmissions >= settings.maxRetrans.value && seconds > of('max_retrans')) return of('max_retrans');
  if (row === ROWS.rst) return of('close');
  const waiting = tcp.sides[0].unacknowledged || tcp.sides[1].unacknowledged;
  if (waiting && seconds > of('unacknowledged')) return of('unacknowledged');
  return tcp.lastWindow === 0 && seconds > of('max_retrans') ? of('max_retrans') : seconds;
}
