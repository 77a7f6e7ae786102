/**
 * Writes a message into a buffer of fixed size, compressing names (RFC 1035 §4.1.4). Running out of room is no
 * exception: `overflow` says so, and nothing more is written until the writer is taken back to a mark.
 */
import { type DnsName, NAME_OCTETS_MAX, POINTER_OFFSET_MAX, writeLabel } from './dns-name.ts';

/** A message's length is a 16-bit number where it matters most (TCP, RFC 1035 §4.2.2). */
export const MESSAGE_OCTETS_MAX = 0xffff;

export class DnsWriter {
  /** A name is written before it is known whether it fits, hence the slack. */
  private readonly bytes = new Uint8Array(MESSAGE_OCTETS_MAX + NAME_OCTETS_MAX + 1);
  readonly view = new DataView(this.bytes.buffer);
  at = 0;
  limit = MESSAGE_OCTETS_MAX;
  overflow = false;
  /** Where each name (in lower case) was first written. */
  private readonly offsets = new Map<string, number>();

  /** Start again with room for `limit` octets. */
  reset(limit: number): void {
    this.at = 0;
    this.limit = Math.min(limit, MESSAGE_OCTETS_MAX);
    this.overflow = false;
    this.offsets.clear();
  }

  /** Take back what was written after `mark`, names that could be pointed to included. */
  rewind(mark: number): void {
    this.at = mark;
    this.overflow = false;
    for (const [name, offset] of this.offsets) if (offset >= mark) this.offsets.delete(name);
  }

  /** A copy of what was written. */
  take(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }

  private room(octets: number): boolean {
    if (this.at + octets > this.limit) this.overflow = true;
    return !this.overflow;
  }

  u8(value: number): void {
    if (!this.room(1)) return;
    this.view.setUint8(this.at, value);
    this.at += 1;
  }

  u16(value: number): void {
    if (!this.room(2)) return;
    this.view.setUint16(this.at, value);
    this.at += 2;
  }

  u32(value: number): void {
    if (!this.room(4)) return;
    this.view.setUint32(this.at, value);
    this.at += 4;
  }

  octets(bytes: Uint8Array): void {
    if (!this.room(bytes.length)) return;
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** `compress`: may end in a pointer. Either way later names may point here. */
  name(name: DnsName, compress: boolean): void {
    if (name === '.') return this.u8(0);
    if (this.overflow) return;
    const key = name.toLowerCase();
    let start = 0;
    while (start < name.length) {
      const suffix = start === 0 ? key : key.slice(start);
      const offset = this.offsets.get(suffix);
      if (offset === undefined) {
        if (this.at <= POINTER_OFFSET_MAX) this.offsets.set(suffix, this.at);
      } else if (compress) {
        return this.u16(0xc000 | offset);
      }
      const next = writeLabel(this.view, this.at, name, start);
      this.at = next.at;
      start = next.start;
    }
    if (this.room(0)) this.u8(0);
  }
}
