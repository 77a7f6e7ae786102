/**
 * TCP options (RFC 9293 §3.2, RFC 7323, RFC 2018): parsed into one record that is used again for every segment, and
 * emitted in Linux's order and padding. Left out: MD5, TCP-AO, Fast Open, MPTCP (skipped as unknown, as the RFC asks).
 */
import { TCP_OPTION } from './tcp.ts';

/** RFC 7323 §2.3: a larger shift is taken as 14. */
export const WINDOW_SCALE_MAX = 14;
/** Four blocks fill the 40 octets of option space. */
export const SACK_BLOCKS_MAX = 4;
/** Octets of options on a segment of an established connection with timestamps: nop, nop, TS. */
export const TIMESTAMPS_ALIGNED = 12;
/** nop, nop, kind and length before the first block. */
export const SACK_BASE_ALIGNED = 4;
export const SACK_BLOCK = 8;
/** nop, nop, kind 8, length 10: what almost every segment starts its options with. */
const TIMESTAMPS_WORD = 0x0101_080a;

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

  clear(): void {
    this.mss = 0;
    this.wscale = -1;
    this.sackPermitted = this.timestamps = false;
    this.tsval = this.tsecr = this.sackBlocks = 0;
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
    }
  }
}

/** Octets that emitSynOptions will write. */
export function synOptionsSize(o: TcpOptions): number {
  let size = o.mss > 0 ? 4 : 0;
  if (o.timestamps) size += TIMESTAMPS_ALIGNED;
  else if (o.sackPermitted) size += 4;
  if (o.wscale >= 0) size += 4;
  return size;
}

/** `mss, sackOK, TS, nop, wscale`, or without timestamps `mss, nop, nop, sackOK, nop, wscale`. */
export function emitSynOptions(view: DataView, at: number, o: TcpOptions): number {
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
  } else if (o.sackPermitted) {
    view.setUint32(at, (0x0101 << 16) | (TCP_OPTION.SACK_PERMITTED << 8) | 2);
    at += 4;
  }
  if (o.wscale >= 0) {
    view.setUint32(at, (TCP_OPTION.NOP << 24) | (TCP_OPTION.WINDOW_SCALE << 16) | (3 << 8) | o.wscale);
    at += 4;
  }
  return at;
}

/** Octets that emitOptions will write. */
export function optionsSize(o: TcpOptions): number {
  const sack = o.sackBlocks > 0 ? SACK_BASE_ALIGNED + o.sackBlocks * SACK_BLOCK : 0;
  return (o.timestamps ? TIMESTAMPS_ALIGNED : 0) + sack;
}

/** `nop, nop, TS` and `nop, nop, sack`: the options of everything after the handshake. */
export function emitOptions(view: DataView, at: number, o: TcpOptions): number {
  if (o.timestamps) {
    view.setUint32(at, TIMESTAMPS_WORD);
    view.setUint32(at + 4, o.tsval);
    view.setUint32(at + 8, o.tsecr);
    at += TIMESTAMPS_ALIGNED;
  }
  if (o.sackBlocks > 0) {
    view.setUint32(at, (0x0101 << 16) | (TCP_OPTION.SACK << 8) | (2 + o.sackBlocks * SACK_BLOCK));
    at += SACK_BASE_ALIGNED;
    for (let i = 0; i < o.sackBlocks; i++, at += SACK_BLOCK) {
      view.setUint32(at, o.sackStart[i] ?? 0);
      view.setUint32(at + 4, o.sackEnd[i] ?? 0);
    }
  }
  return at;
}
