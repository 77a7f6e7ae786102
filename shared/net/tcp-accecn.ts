/**
 * Accurate ECN (RFC 9768; Linux: include/net/tcp_ecn.h, tcp_accecn_process of tcp_input.c): both ends count marks instead
 * of echoing that there was one. The ACE field (AE, CWR, ECE) carries three bits of the count of marked segments, the
 * AccECN option the payload octets that came with each mark. What is asked and agreed in the handshake is in tcp-ecn.ts.
 * Left out: congestion controls that need it and the ECT(1) that they would send.
 */
import { ACE_MASK, ACE_SHIFT, TCP_OPTION } from '../header/tcp.ts';
import { fitAccecn, type TcpOptions } from '../header/tcp-options.ts';
import { ACCECN_FAIL, CE, ECN, ECN_MASK, ECT_0, ECT_1, OPTION_SEEN } from './tcp-accecn-state.ts';
import { ACK_FLAG, ACK_PENDING, type AckState } from './tcp-ack-state.ts';
import type { Segment } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';

/** The count on the wire begins at 5, so that a field set to zero on the way shows (RFC 9768 §3.2.1). */
const CEP_INIT = 5;
/** Three bits. */
const CEP_MASK = 7;
/** More marks than this untold, and the peer could take one turn of the counter for none (§3.2.2.5). */
const ACE_DELTA_MAX = 6;
const PENDING_MAX = 15;
/** Octet counters begin at 1, that of CE at 0 (§3.2.3.1): by IP-ECN codepoint. */
const BYTES_INIT: readonly number[] = [0, 1, 1, 0];
/** Codepoints in the order of the option's counters, by kind. */
const ORDER_0: readonly number[] = [ECT_0, CE, ECT_1];
const ORDER_1: readonly number[] = [ECT_1, CE, ECT_0];
/** How many counters an option must have to tell of a codepoint, ECT(1) first. */
const FIELDS_TO_TELL: readonly number[] = [0, 1, 3, 2];
/** ACE of a SYN-ACK or last ACK, by the codepoint that its SYN or SYN-ACK came with (§3.1.1, Table 2). */
const REFLECTED: readonly number[] = [0b010, 0b011, 0b100, 0b110];
/** And back, as far as the RFC goes. */
const REFLECTS: readonly number[] = [ECT_0, ECT_1, 0, ECT_1, ECT_0, ECT_1, CE, ECT_1];
/** An option at the latest when a counter has moved on by 2^22 octets. */
const BYTES_STEP_SHIFT = 22;
/** So much may be sent before the first option comes: beyond it a counter could have turned over. */
const BYTES_SENT_BEFORE_OPTION = 2 ** 23 - 1;
/** tcp_ecn_option: on every segment that has room, and even when the path seems to drop them. */
const OPTION_FULL = 2;
const OPTION_PERSIST = 3;
/** RFC 9768's SAFETY_FACTOR, as a shift. */
const SAFETY_SHIFT = 1;
const EWMA_WEIGHT = 6;
const EWMA_SHIFT = 6;
const EWMA_MAX = 0xffff;
/** ACKs for more segments than this on average are thinned on the way: a large one is nothing unusual. */
const ACKS_THINNED = 4;

export function aceOf(flags: number): number {
  return (flags & ACE_MASK) >> ACE_SHIFT;
}

/** tcp_accecn_reflector_flags. */
export function reflectorFlags(ect: number): number {
  return (REFLECTED[ect & ECN_MASK] ?? 0) << ACE_SHIFT;
}

/** A SYN with any flags but none or those of RFC 3168 asks for accurate ECN (§3.1.2). (Linux: tcp_accecn_syn_requested) */
export function accecnRequested(flags: number): boolean {
  const ace = aceOf(flags);
  return ace !== 0 && ace !== 0b011;
}

/** The three flags of a segment after the handshake: the count so far (tcp_accecn_set_ace). */
export function aceFlags(sk: TcpSock): number {
  sk.accecn.receivedCePending = 0;
  return ((sk.accecn.receivedCe + CEP_INIT) & CEP_MASK) << ACE_SHIFT;
}

/** What the peer's next segment has there as long as nothing more is marked (__tcp_fast_path_on). */
export function aceExpected(sk: TcpSock): number {
  if ((sk.ecnFlags & ECN.ANY) !== ECN.ACCECN) return 0;
  return ((sk.deliveredCe + CEP_INIT) & CEP_MASK) << ACE_SHIFT;
}

/** Nothing becomes ECT on the way, nothing that was ECT or CE becomes less (tcp_ect_transition_valid). */
function transitionValid(sent: number, received: number): boolean {
  if (received === sent) return true;
  return sent !== 0 && received !== 0 && sent !== CE;
}

/** What the peer says our SYN or SYN-ACK came with: can it be? (tcp_accecn_validate_syn_feedback) */
export function validateSynFeedback(sk: TcpSock, ace: number): boolean {
  if (sk.tcp.sysctl.ecnFallback.value === 0) return true;
  if (transitionValid(sk.accecn.synEctSent, REFLECTS[ace] ?? 0)) return true;
  sk.accecn.failMode |= ACCECN_FAIL.ACE_RECV;
  return false;
}

/** The first ACK that a server gets reflects its SYN-ACK's mark (§3.2.2.1, Table 4). (Linux: tcp_accecn_third_ack) */
export function thirdAck(sk: TcpSock, segment: Segment): void {
  const ace = aceOf(segment.flags);
  const sacks = sk.tcp.received.sackBlocks > 0;
  if (ace === 0) {
    // Something on the way clears them: send no ECT, believe no feedback, but go on giving it.
    if (!sacks) sk.accecn.failMode |= ACCECN_FAIL.ACE_RECV | ACCECN_FAIL.OPT_RECV;
    return;
  }
  if (ace === 0b111 || ace === 0b101 || ace === 0b001) return;
  if (segment.seq !== segment.endSeq || sacks || !validateSynFeedback(sk, ace)) return;
  if (REFLECTS[ace] === CE && sk.deliveredCe === 0) sk.deliveredCe++;
}

/** Count what the network wrote on a segment; `payload` octets of `count` segments (tcp_ecn_received_counters). */
export function receivedCounters(sk: TcpSock, segment: Segment, count: number, payload: number): void {
  const { accecn } = sk;
  const field = segment.tos & ECN_MASK;
  if (field !== 0) {
    if ((sk.ecnFlags & ECN.ANY) !== ECN.RFC3168) sk.ecnFlags |= ECN.SEEN;
    const marked = field === CE ? Math.max(1, count) : 0;
    accecn.receivedCe = (accecn.receivedCe + marked) >>> 0;
    accecn.receivedCePending = Math.min(accecn.receivedCePending + marked, PENDING_MAX);
    if (payload > 0) {
      const before = accecn.receivedBytes[field - 1] ?? 0;
      const after = (before + payload) >>> 0;
      accecn.receivedBytes[field - 1] = after;
      accecn.minlen = Math.max(accecn.minlen, FIELDS_TO_TELL[field] ?? 0);
      if (before >>> BYTES_STEP_SHIFT !== after >>> BYTES_STEP_SHIFT) demandOption(sk, 1);
    }
  }
  const edge = accecn.prevField !== field;
  if (!edge && field !== CE) return;
  accecn.prevField = field;
  if ((sk.ecnFlags & ECN.ANY) !== ECN.ACCECN) return;
  // A change is told at once, and twice: then the second ACK shows the new mark alone (§3.2.2.5.1).
  if (edge) sk.ackPending |= ACK_PENDING.NOW;
  accecn.demand = 2;
}

function demandOption(sk: TcpSock, least: number): void {
  sk.accecn.demand = Math.max(sk.accecn.demand, least);
}

/** The first option of a half-connection: counters that begin at 1 and are 0 were cleared (tcp_accecn_option_init). */
export function optionInit(o: TcpOptions): number {
  if (o.accecnFields === 0) return OPTION_SEEN.EMPTY;
  if (o.accecnCounters[0] === 0) return OPTION_SEEN.FAIL;
  return o.accecnFields === 3 && o.accecnCounters[2] === 0 ? OPTION_SEEN.FAIL : OPTION_SEEN.COUNTER;
}

/** Note an option of the segment in hand, the first ones at least; true when there was one to note. */
export function noteOption(sk: TcpSock): boolean {
  const o = sk.tcp.received;
  if (o.accecn === 0 || sk.accecn.sawOption >= OPTION_SEEN.COUNTER) return false;
  setSawOption(sk, optionInit(o));
  return true;
}

function setSawOption(sk: TcpSock, seen: number): void {
  sk.accecn.sawOption = seen;
  if (seen === OPTION_SEEN.FAIL) sk.accecn.failMode |= ACCECN_FAIL.OPT_RECV;
}

/** A SYN on an AccECN connection: its mark and option count, the ACK reflects it. */
export function noteSyn(sk: TcpSock, segment: Segment): void {
  sk.accecn.synEctReceived = segment.tos & ECN_MASK;
  if (noteOption(sk)) demandOption(sk, 1);
}

/** A 24-bit counter moved: by how much, backwards when an estimate was too high (tcp_update_ecn_bytes). */
function updateBytes(sk: TcpSock, field: number, wire: number): number {
  const { deliveredBytes } = sk.accecn;
  const now = deliveredBytes[field - 1] ?? 0;
  const delta = ((wire - (BYTES_INIT[field] ?? 0) - now) << 8) >> 8;
  deliveredBytes[field - 1] = (now + delta) >>> 0;
  return delta;
}

/** An ACK without option: guess by what the last option said. True when the octet counters can be used. */
function withoutOption(sk: TcpSock, delivered: number): boolean {
  const { accecn } = sk;
  if (accecn.sawOption === OPTION_SEEN.NOT) {
    if (sk.bytesSent >= BYTES_SENT_BEFORE_OPTION) setSawOption(sk, OPTION_SEEN.FAIL);
    return false;
  }
  if (accecn.estField === 0) return false;
  const at = accecn.estField - 1;
  accecn.deliveredBytes[at] = ((accecn.deliveredBytes[at] ?? 0) + delivered) >>> 0;
  return true;
}

/** Take the octet counters of an ACK; true when they can be used (tcp_accecn_process_option). */
function processOption(sk: TcpSock, delivered: number, flag: number): boolean {
  const { accecn } = sk;
  const o = sk.tcp.received;
  if ((accecn.failMode & ACCECN_FAIL.OPT_RECV) !== 0) return false;
  if ((flag & ACK_FLAG.SLOWPATH) === 0 || o.accecn === 0) return withoutOption(sk, delivered);
  noteOption(sk);
  const order = o.accecn === TCP_OPTION.ACCECN1 ? ORDER_1 : ORDER_0;
  const estimated = accecn.estField;
  let usable = estimated !== 0;
  let ambiguous = false;
  let changed = false;
  for (let i = 0; i < o.accecnFields; i++) {
    const field = order[i] ?? 0;
    const delta = updateBytes(sk, field, o.accecnCounters[i] ?? 0);
    if (delta === 0) continue;
    if (delta < 0) {
      usable = false;
      ambiguous = true;
    }
    if (field === estimated) continue;
    if (changed) {
      usable = false;
      ambiguous = true;
    } else {
      accecn.estField = field;
      changed = true;
    }
  }
  if (ambiguous) accecn.estField = 0;
  return usable;
}

function notePacketsAcked(sk: TcpSock, packets: number): void {
  const { accecn } = sk;
  let average = packets * 2 ** EWMA_SHIFT;
  if (accecn.packetsAcked !== 0) {
    average = Math.floor((accecn.packetsAcked * (2 ** EWMA_WEIGHT - 1) + average) / 2 ** EWMA_WEIGHT);
  }
  accecn.packetsAcked = Math.min(average, EWMA_MAX);
}

/** How many more segments were marked, as the ACE field and the option of an ACK say (__tcp_accecn_process). */
function ceDelta(sk: TcpSock, segment: Segment, packets: number, ack: AckState): number {
  const { accecn } = sk;
  const { flag, deliveredBytes: bytes } = ack;
  // Overtaken, or of an unknown order: it says nothing for sure.
  if ((flag & (ACK_FLAG.FORWARD_PROGRESS | ACK_FLAG.TS_PROGRESS)) === 0) return 0;
  const ceBefore = accecn.deliveredBytes[CE - 1] ?? 0;
  const usable = processOption(sk, bytes, flag);
  if (packets > 0) notePacketsAcked(sk, packets);
  // Header prediction compared the field: only a large ACK may hide a turn of it.
  if ((flag & ACK_FLAG.SLOWPATH) === 0 && packets <= CEP_MASK) return 0;
  // In the handshake the field stands for something else.
  if ((flag & ACK_FLAG.SYN_ACKED) !== 0) return 0;
  if (accecn.receivedCePending >= ACE_DELTA_MAX) sk.ackPending |= ACK_PENDING.NOW;
  const delta = (aceOf(segment.flags) - CEP_INIT - sk.deliveredCe) & CEP_MASK;
  if (packets <= CEP_MASK) return delta;
  // The counter may have turned over: as often as it can have, unless the octets say otherwise (RFC 9768 Appendix A).
  const safe = packets - ((packets - delta) & CEP_MASK);
  if (!usable) return accecn.packetsAcked > ACKS_THINNED << EWMA_SHIFT ? delta : safe;
  const ceBytes = ((accecn.deliveredBytes[CE - 1] ?? 0) - ceBefore) >>> 0;
  if (ceBytes === 0) return delta;
  const trusted = sk.sackOk || sk.caState === 'Open' || sk.caState === 'CWR';
  if (packets >= 2 * (CEP_MASK + 1) && trusted) {
    if (bytes <= ceBytes) return safe;
    const estimate = Math.ceil((ceBytes * packets) / bytes);
    return Math.min(safe, delta + (estimate - (estimate & CEP_MASK)));
  }
  if (ceBytes > delta * sk.mssCache) return safe;
  return ceBytes < (safe * sk.mssCache) >> SAFETY_SHIFT ? delta : safe;
}

/** Feedback of an ACK that delivered `packets` segments; how many more were marked (tcp_accecn_process). */
export function accecnProcess(sk: TcpSock, segment: Segment, packets: number, ack: AckState): number {
  const delta = ceDelta(sk, segment, packets, ack);
  if (delta === 0) return 0;
  sk.deliveredCe += delta;
  ack.flag |= ACK_FLAG.ECE;
  return delta;
}

/** Add the option to a segment that has `room` octets left, when it is time for one. Returns by how much the options grow. */
export function establishedOption(sk: TcpSock, o: TcpOptions, room: number): number {
  const { accecn } = sk;
  const mode = sk.tcp.sysctl.ecnOption.value;
  if (mode === 0 || accecn.sawOption === OPTION_SEEN.NOT) return 0;
  if (mode < OPTION_PERSIST && (accecn.failMode & ACCECN_FAIL.OPT_SEND) !== 0) return 0;
  if (mode < OPTION_FULL && accecn.demand === 0 && !beaconDue(sk)) return 0;
  const grown = fitAccecn(o, accecn.minlen, room, false);
  for (let i = 0; o.accecn !== 0 && i < o.accecnFields; i++) {
    const field = ORDER_1[i] ?? 0;
    o.accecnCounters[i] = ((accecn.receivedBytes[field - 1] ?? 0) + (BYTES_INIT[field] ?? 0)) & 0xff_ffff;
  }
  return grown;
}

/** A SYN-ACK's option: nothing has come yet. */
export function synAckOption(o: TcpOptions, room: number): void {
  fitAccecn(o, 0, room, true);
  for (let i = 0; i < o.accecnFields; i++) o.accecnCounters[i] = BYTES_INIT[ORDER_1[i] ?? 0] ?? 0;
}

/** The option is due several times a round trip (tcp_accecn_option_beacon_check). */
export function beaconDue(sk: TcpSock): boolean {
  const beacon = sk.tcp.sysctl.ecnOptionBeacon.value;
  return beacon > 0 && (sk.host.clock.now() - sk.accecn.optionAt) * beacon >= sk.srtt >> 3;
}

/** A segment went out, with the option or without (tcp_options_write); before its SACK blocks are written. */
export function optionWritten(sk: TcpSock, o: TcpOptions): void {
  const { accecn } = sk;
  accecn.optionSentWithDsack = o.accecn !== 0 && sk.dsack;
  if (o.accecn === 0) return;
  accecn.minlen = 0;
  accecn.optionAt = sk.host.clock.now();
  if (accecn.demand > 0) accecn.demand--;
}

/**
 * What came is here already, and that was said in an ACK with the option: such ACKs do not arrive, so send them without
 * (tcp_rcv_spurious_retrans).
 */
export function spuriousRetransmission(sk: TcpSock, segment: Segment): void {
  if ((sk.ecnFlags & ECN.ANY) !== ECN.ACCECN || !sk.accecn.optionSentWithDsack) return;
  if (segment.seq === sk.dsackStart) sk.accecn.failMode |= ACCECN_FAIL.OPT_SEND;
}
