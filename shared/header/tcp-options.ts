/**
 * TCP options (RFC 9293 §3.2, RFC 7323, RFC 2018, RFC 7413, RFC 9768): parsed into one record that is used again for every
 * segment, and emitted in Linux's order and padding. Left out: TCP-AO, MPTCP (skipped as unknown, as the RFC asks).
 */
import { TCP_OPTION } from './tcp.ts';

/** RFC 7323 §2.3: a larger shift is taken as 14. */
export const WINDOW_SCALE_MAX = 14;
/** Four blocks fill the 40 octets of option space. */
export const SACK_BLOCKS_MAX = 4;
/** What the offset field can say beyond the header's 20. */
export const TCP_OPTION_BYTES_MAX = 40;
/** Octets of options on a segment of an established connection with timestamps: nop, nop, TS. */
export const TIMESTAMPS_ALIGNED = 12;
/** nop, nop, kind and length before the first block. */
export const SACK_BASE_ALIGNED = 4;
export const SACK_BLOCK = 8;
/** RFC 2385: the digest, and the option with two NOPs in front. */
export const MD5_DIGEST = 16;
export const MD5_ALIGNED = 20;
/** RFC 7413 §4.1.1: a cookie has 4 to 16 octets, an even number. */
export const FASTOPEN_COOKIE_MIN = 4;
export const FASTOPEN_COOKIE_MAX = 16;
/** What Fast Open was called while it was an experiment, in option 254. */
const FASTOPEN_MAGIC = 0xf989;
const FASTOPEN_BASE = 2;
const FASTOPEN_EXP_BASE = 4;
/** nop, nop, kind 8, length 10: what almost every segment starts its options with. */
const TIMESTAMPS_WORD = 0x0101_080a;

/** Kind and length of an AccECN option, and each of its counters. */
const ACCECN_BASE = 2;
const ACCECN_FIELD = 3;
export const ACCECN_FIELDS_MAX = 3;

/** What a segment's options said; `mss` 0 and `wscale` -1 mean that the option was not there. */
export class TcpOptions {
  mss = 0;
  wscale = -1;
  sackPermitted = false;
  timestamps = false;
  tsval = 0;
  tsecr = 0;
  sackBlocks = 0;
  readonly sackStart = new Uint32Array(SACK_BLOCKS_MAX);
  readonly sackEnd = new Uint32Array(SACK_BLOCKS_MAX);
  /** Kind of the AccECN option, 0: none; how many counters it has, and those in the order of the option. */
  accecn = 0;
  accecnFields = 0;
  readonly accecnCounters = new Uint32Array(ACCECN_FIELDS_MAX);

  /** Signed: the option is there, or room is kept for it. */
  md5 = false;
  /** Where the digest stands in the packet; -1: there is none. */
  md5At = -1;
  /** Octets of a Fast Open cookie; 0: one is asked for; -1: the option is not there. */
  fastopenLength = -1;
  fastopenExp = false;
  readonly fastopenCookie = new Uint8Array(FASTOPEN_COOKIE_MAX);

  clear(): void {
    this.mss = 0;
    this.fastopenLength = this.md5At = -1;
    this.md5 = false;
    this.wscale = -1;
    this.sackPermitted = this.timestamps = false;
    this.tsval = this.tsecr = this.sackBlocks = this.accecn = this.accecnFields = 0;
  }

  /** As if the SYN had offered its MSS alone (tcp_clear_options). */
  clearAgreed(): void {
    this.wscale = -1;
    this.sackPermitted = this.timestamps = false;
  }

  /** Read the options in [at, end). Bad lengths end the reading, as in Linux; nothing is ever refused. */
  parse(view: DataView, at: number, end: number, syn: boolean): void {
    this.clear();
    if (at >= end) return;
    if (end - at === TIMESTAMPS_ALIGNED && view.getUint32(at) === TIMESTAMPS_WORD) {
      this.timestamps = true;
      this.tsval = view.getUint32(at + 4);
      this.tsecr = view.getUint32(at + 8);
      return;
    }
    while (at < end) {
      const kind = view.getUint8(at);
      if (kind === TCP_OPTION.EOL) return;
      if (kind === TCP_OPTION.NOP) {
        at++;
        continue;
      }
      if (at + 2 > end) return;
      const length = view.getUint8(at + 1);
      if (length < 2 || at + length > end) return;
      this.take(view, at, kind, length, syn);
      at += length;
    }
  }

  private take(view: DataView, at: number, kind: number, length: number, syn: boolean): void {
    switch (kind) {
      case TCP_OPTION.MSS:
        if (length === 4 && syn) this.mss = view.getUint16(at + 2);
        return;
      case TCP_OPTION.WINDOW_SCALE:
        if (length === 3 && syn) this.wscale = Math.min(view.getUint8(at + 2), WINDOW_SCALE_MAX);
        return;
      case TCP_OPTION.SACK_PERMITTED:
        if (length === 2 && syn) this.sackPermitted = true;
        return;
      case TCP_OPTION.TIMESTAMPS:
        if (length !== 10) return;
        this.timestamps = true;
        this.tsval = view.getUint32(at + 2);
        this.tsecr = view.getUint32(at + 6);
        return;
      case TCP_OPTION.SACK: {
        if (length < 10 || (length - 2) % SACK_BLOCK !== 0) return;
        this.sackBlocks = Math.min((length - 2) / SACK_BLOCK, SACK_BLOCKS_MAX);
        for (let i = 0; i < this.sackBlocks; i++) {
          this.sackStart[i] = view.getUint32(at + 2 + i * SACK_BLOCK);
          this.sackEnd[i] = view.getUint32(at + 6 + i * SACK_BLOCK);
        }
        return;
      }
      case TCP_OPTION.ACCECN0:
      case TCP_OPTION.ACCECN1:
        this.accecn = kind;
        this.accecnFields = Math.min(Math.floor((length - ACCECN_BASE) / ACCECN_FIELD), ACCECN_FIELDS_MAX);
        for (let i = 0, from = at + ACCECN_BASE; i < this.accecnFields; i++, from += ACCECN_FIELD) {
          this.accecnCounters[i] = (view.getUint8(from) << 16) | view.getUint16(from + 1);
        }
        return;
      case TCP_OPTION.MD5:
        if (length === MD5_DIGEST + 2) this.md5At = at + 2;
        return;
      case TCP_OPTION.FASTOPEN:
        if (syn) this.takeCookie(view, at + FASTOPEN_BASE, length - FASTOPEN_BASE, false);
        return;
      case TCP_OPTION.EXPERIMENT:
        if (!syn || length < FASTOPEN_EXP_BASE || view.getUint16(at + 2) !== FASTOPEN_MAGIC) return;
        this.takeCookie(view, at + FASTOPEN_EXP_BASE, length - FASTOPEN_EXP_BASE, true);
    }
  }

  /** Of a length that no cookie has: as if the option were not there (tcp_parse_fastopen_option). */
  private takeCookie(view: DataView, at: number, length: number, exp: boolean): void {
    if ((length & 1) !== 0) return;
    const fits = length >= FASTOPEN_COOKIE_MIN && length <= FASTOPEN_COOKIE_MAX;
    if (fits) for (let i = 0; i < length; i++) this.fastopenCookie[i] = view.getUint8(at + i);
    this.fastopenLength = fits || length === 0 ? length : -1;
    this.fastopenExp = exp;
  }

  /** Octets of the Fast Open option with its padding; 0 without one. */
  get fastopenSize(): number {
    if (this.fastopenLength < 0) return 0;
    return (this.fastopenLength + (this.fastopenExp ? FASTOPEN_EXP_BASE : FASTOPEN_BASE) + 3) & ~3;
  }
}

/** Two NOPs that pad the option which follows may give way to the end of an AccECN option; one NOP to one octet of it. */
function accecnPadding(o: TcpOptions, syn: boolean): number {
  if (!syn) return o.sackBlocks > 0 ? 2 : 0;
  if (o.sackPermitted && !o.timestamps) return 2;
  return o.wscale >= 0 ? 1 : 0;
}

/** Octets that an AccECN option of `fields` counters adds to the others, aligned. */
function accecnSize(o: TcpOptions, fields: number, syn: boolean): number {
  const size = ACCECN_BASE + fields * ACCECN_FIELD;
  return (size & 3) > accecnPadding(o, syn) ? (size + 3) & ~3 : size & ~3;
}

/**
 * Add an AccECN option with as many counters as `room` octets take, `required` at least; for that, SACK blocks beyond the
 * second may go. Returns the octets by which the options grow, negative when blocks went. (Linux: tcp_options_fit_accecn)
 */
export function fitAccecn(o: TcpOptions, required: number, room: number, syn: boolean): number {
  const blocks = o.sackBlocks;
  for (;;) {
    for (let fields = ACCECN_FIELDS_MAX; fields >= required; fields--) {
      const size = accecnSize(o, fields, syn);
      if (size > room) continue;
      o.accecn = TCP_OPTION.ACCECN1;
      o.accecnFields = fields;
      return size - (blocks - o.sackBlocks) * SACK_BLOCK;
    }
    if (required === 0 || o.sackBlocks <= 2) break;
    o.sackBlocks--;
    room += SACK_BLOCK;
  }
  o.sackBlocks = blocks;
  return 0;
}

/** Up to the last whole word; what is left over goes in front of the next option, or before NOPs. */
function emitAccecn(view: DataView, at: number, o: TcpOptions): number {
  view.setUint8(at, o.accecn);
  view.setUint8(at + 1, ACCECN_BASE + o.accecnFields * ACCECN_FIELD);
  at += ACCECN_BASE;
  for (let i = 0; i < o.accecnFields; i++, at += ACCECN_FIELD) {
    const counter = o.accecnCounters[i] ?? 0;
    view.setUint8(at, counter >>> 16);
    view.setUint16(at + 1, counter & 0xffff);
  }
  return at;
}

/** NOPs until `at` stands `place` octets into a word of the options that begin at `start`. */
function pad(view: DataView, start: number, at: number, place: number): number {
  while (((at - start) & 3) !== place) view.setUint8(at++, TCP_OPTION.NOP);
  return at;
}

/** Octets that emitSynOptions will write. */
export function synOptionsSize(o: TcpOptions): number {
  let size = o.mss > 0 ? 4 : 0;
  if (o.timestamps) size += TIMESTAMPS_ALIGNED;
  else if (o.sackPermitted) size += 4;
  if (o.wscale >= 0) size += 4;
  const accecn = o.accecn === 0 ? 0 : accecnSize(o, o.accecnFields, true);
  return size + accecn + o.fastopenSize + (o.md5 ? MD5_ALIGNED : 0);
}

/** Kind 34, or 254 with its magic, and the cookie; two NOPs fill it up (tcp_options_write). */
function emitFastopen(view: DataView, at: number, o: TcpOptions): number {
  const base = o.fastopenExp ? FASTOPEN_EXP_BASE : FASTOPEN_BASE;
  const length = base + o.fastopenLength;
  view.setUint8(at, o.fastopenExp ? TCP_OPTION.EXPERIMENT : TCP_OPTION.FASTOPEN);
  view.setUint8(at + 1, length);
  if (o.fastopenExp) view.setUint16(at + 2, FASTOPEN_MAGIC);
  for (let i = 0; i < o.fastopenLength; i++) view.setUint8(at + base + i, o.fastopenCookie[i] ?? 0);
  if ((length & 3) === 2) view.setUint16(at + length, 0x0101);
  return at + o.fastopenSize;
}

/** Two NOPs and room for the digest, before all other options. */
function emitMd5(view: DataView, at: number, o: TcpOptions): number {
  view.setUint32(at, (0x0101 << 16) | (TCP_OPTION.MD5 << 8) | (MD5_DIGEST + 2));
  o.md5At = at + MD5_ALIGNED - MD5_DIGEST;
  for (let i = 0; i < MD5_DIGEST; i += 4) view.setUint32(o.md5At + i, 0);
  return at + MD5_ALIGNED;
}

/**
 * `mss, sackOK, TS, nop, wscale`, or without timestamps `mss, nop, nop, sackOK, nop, wscale`; AccECN before what stands
 * behind NOPs, a Fast Open cookie last.
 */
export function emitSynOptions(view: DataView, start: number, o: TcpOptions): number {
  let at = o.md5 ? emitMd5(view, start, o) : start;
  if (o.mss > 0) {
    view.setUint32(at, (TCP_OPTION.MSS << 24) | (4 << 16) | o.mss);
    at += 4;
  }
  if (o.timestamps) {
    const first = o.sackPermitted ? (TCP_OPTION.SACK_PERMITTED << 8) | 2 : 0x0101;
    view.setUint16(at, first);
    view.setUint16(at + 2, (TCP_OPTION.TIMESTAMPS << 8) | 10);
    view.setUint32(at + 4, o.tsval);
    view.setUint32(at + 8, o.tsecr);
    at += TIMESTAMPS_ALIGNED;
  }
  if (o.accecn !== 0) at = emitAccecn(view, at, o);
  if (o.sackPermitted && !o.timestamps) {
    at = pad(view, start, at, 2);
    view.setUint16(at, (TCP_OPTION.SACK_PERMITTED << 8) | 2);
    at += 2;
  }
  if (o.wscale >= 0) {
    at = pad(view, start, at, 1);
    view.setUint16(at, (TCP_OPTION.WINDOW_SCALE << 8) | 3);
    view.setUint8(at + 2, o.wscale);
    at += 3;
  }
  at = pad(view, start, at, 0);
  return o.fastopenLength >= 0 ? emitFastopen(view, at, o) : at;
}

/** Octets that emitOptions will write. */
export function optionsSize(o: TcpOptions): number {
  const sack = o.sackBlocks > 0 ? SACK_BASE_ALIGNED + o.sackBlocks * SACK_BLOCK : 0;
  const accecn = o.accecn === 0 ? 0 : accecnSize(o, o.accecnFields, false);
  return (o.timestamps ? TIMESTAMPS_ALIGNED : 0) + accecn + sack + (o.md5 ? MD5_ALIGNED : 0);
}

/** `nop, nop, TS`, AccECN and `nop, nop, sack`: the options of everything after the handshake. */
export function emitOptions(view: DataView, start: number, o: TcpOptions): number {
  let at = o.md5 ? emitMd5(view, start, o) : start;
  if (o.timestamps) {
    view.setUint32(at, TIMESTAMPS_WORD);
    view.setUint32(at + 4, o.tsval);
    view.setUint32(at + 8, o.tsecr);
    at += TIMESTAMPS_ALIGNED;
  }
  if (o.accecn !== 0) at = emitAccecn(view, at, o);
  if (o.sackBlocks > 0) {
    at = pad(view, start, at, 2);
    view.setUint16(at, (TCP_OPTION.SACK << 8) | (2 + o.sackBlocks * SACK_BLOCK));
    at += 2;
    for (let i = 0; i < o.sackBlocks; i++, at += SACK_BLOCK) {
      view.setUint32(at, o.sackStart[i] ?? 0);
      view.setUint32(at + 4, o.sackEnd[i] ?? 0);
    }
  }
  return pad(view, start, at, 0);
}
