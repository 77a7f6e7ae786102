/**
 * The only ways out of protocol code: time, chance, and a few things a machine does better than a script.
 * Whoever builds a device hands them in; nothing under header, net, nic, bridge, dns or programs may reach for its own.
 * Wires, the fourth way out, have a room of their own: `wire/wire.ts`.
 */

/** Lab time or a span of it, in integer microseconds. Time 0 is the moment the lab came up, the same in every device. */
export type Micros = number;

export const MILLISECOND: Micros = 1_000;
export const SECOND: Micros = 1_000_000;

/** A timer that is made once and armed often, as Linux's `struct timer_list`: arming it again moves it, at no cost. */
export interface Timer {
  /** Fire `delay` from now; replaces an earlier deadline (mod_timer). */
  arm(delay: Micros): void;
  /** Forget the deadline (timer_delete). Harmless when it is not armed. */
  stop(): void;
  readonly armed: boolean;
  /** Lab time at which it fires; meaningless unless armed. */
  readonly deadline: Micros;
}

export interface Clock {
  now(): Micros;
  /** What the calendar said at lab time 0, in microseconds since 1970; 0 where no calendar is meant (a manual clock). */
  readonly epoch: Micros;
  /**
   * Make a timer, not armed. Timers that are due at the same microsecond fire in the order in which they were armed. `mark`
   * says what it is to those who look at what is armed.
   */
  timer(fire: () => void, mark?: TimerMark): Timer;
  /** Make a timer and arm it: `after(0, f)` runs f in this instant of lab time, after the work under way. */
  after(delay: Micros, fire: () => void): Timer;
  /** The timers with a mark that are armed now, in no order. */
  armed(): { readonly mark: TimerMark; readonly deadline: Micros }[];
}

/** What a timer is for: its owner, and the function that it runs. */
export interface TimerMark {
  readonly owner: object;
  readonly name: string;
}

/** A seeded source of chance: the same seed gives the same sequence on every machine. */
export interface Random {
  /** A whole number from 0 to 2^32 - 1. */
  u32(): number;
  /** A whole number from 0 to limit - 1, each as likely; limit from 1 to 2^32. */
  below(limit: number): number;
  /** An independent source that depends on this one's seed and `name` alone, not on how much was drawn before. */
  fork(name: string): Random;
}

export interface Platform {
  /** CRC-32 as of IEEE 802.3 (zlib's), of bytes[start, end): an unsigned 32-bit number. */
  crc32(bytes: Uint8Array, start: number, end: number): number;
  /** The Internet checksum's sum of [start, end) of a view, folded to 16 bits (header/checksum.ts: sumView). */
  sum(view: DataView, start: number, end: number): number;
  /** Copy `length` octets of a view from `from` on into another at `at`. They may be the same memory, but not overlap. */
  copy(source: DataView, from: number, length: number, target: DataView, at: number): void;
  /** The same, and answers what sum() would of them. */
  copySum(source: DataView, from: number, length: number, target: DataView, at: number): number;
  /** Memory for packets in which all of that is fast; undefined where there is none, and any other will do. */
  packetMemory(size: number): Uint8Array | undefined;
  /** A keyed 64-bit hash's low 32 bits (Linux uses SipHash), for initial sequence numbers, ports and fates. */
  hash(key: readonly [number, number], ...words: number[]): number;
  /** The bytes of a file that belongs to the lab (a zone, a page), or undefined. Never leaves the lab's folder. */
  readFile(path: string): Uint8Array | undefined;
  /** The names in a folder of the lab, sorted; undefined when it is not a folder. */
  readDirectory(path: string): readonly string[] | undefined;
}

/** Something that the code relies on and no input can cause to be false: a bug when it fails. */
export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${why}`);
}

/** The compiler's proof that every case was handled. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${String(value)}`);
}
