/** What a packetdrill script is once it has been read: options, commands, events. Times are microseconds. */
import type { Micros } from '../../shared/platform.ts';

/** Where in the script, from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The script uses something that this runner, or the stack, does not have: said by name, never counted as a pass. */
export class Unsupported extends Error {
  place: Place | undefined = undefined;
}
/** The text is no script. */
export class ParseError extends Error {
  place: Place | undefined = undefined;
}
/** The stack did something else than the script says. */
export class Mismatch extends Error {
  place: Place | undefined = undefined;
}

export type Expression =
  | { readonly kind: 'ellipsis' }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'or'; readonly parts: readonly Expression[] }
  | { readonly kind: 'list'; readonly items: readonly Expression[] }
  | { readonly kind: 'call'; readonly name: string; readonly items: readonly Expression[] }
  /** `{a=1, b(2)=[…]}` or `{..., 100}`: fields by name in `fields`, the others in `items`. */
  | {
      readonly kind: 'struct';
      readonly fields: ReadonlyMap<string, Expression>;
      readonly items: readonly Expression[];
    };

export type When =
  | { readonly kind: 'absolute' | 'relative'; readonly at: Micros; readonly until: Micros | undefined }
  | { readonly kind: 'any' };

export interface TcpOptionText {
  readonly name: string;
  readonly words: readonly string[];
}

export interface TcpLine {
  readonly kind: 'tcp';
  /** `[ect0]`, `[ce]`, `[noecn]` … and `[tos 0x10]`, `[ttl 64]`. */
  readonly ip: readonly string[];
  readonly ports: { readonly source: number; readonly target: number } | undefined;
  readonly flags: number;
  readonly start: number;
  readonly end: number;
  readonly ack: number | undefined;
  readonly window: number | undefined;
  readonly urgent: number | undefined;
  /** `any` for `<...>`. */
  readonly options: readonly TcpOptionText[] | 'any';
}

export interface IcmpLine {
  readonly kind: 'icmp';
  readonly type: string;
  readonly code: string;
  readonly mtu: number;
  /** Of an echo. */
  readonly id: number | undefined;
  /** What it is about: a segment by its range, a datagram by its length; or so many octets of anything. */
  readonly quoted: { readonly protocol: 'tcp' | 'udp' | 'raw'; readonly start: number; readonly length: number };
}

export interface UdpLine {
  readonly kind: 'udp';
  readonly ip: readonly string[];
  /** Octets of payload. */
  readonly length: number;
}

export interface CallEvent {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expression[];
  readonly result: Expression | undefined;
  readonly errno: string | undefined;
  /** `t...end`: the call blocks until then. */
  readonly blocksUntil: { readonly relative: boolean; readonly at: Micros } | undefined;
}

export type Action =
  | { readonly kind: 'in' | 'out'; readonly packet: TcpLine | IcmpLine | UdpLine }
  | CallEvent
  | { readonly kind: 'shell'; readonly text: string }
  | { readonly kind: 'python'; readonly text: string };

export interface ScriptEvent {
  readonly when: When;
  readonly action: Action;
  readonly line: number;
  readonly column: number;
  /** As the script has it, in one line, for messages. */
  readonly source: string;
}

export interface Script {
  readonly options: ReadonlyMap<string, string>;
  readonly init: string | undefined;
  readonly events: readonly ScriptEvent[];
  readonly cleanup: string | undefined;
}

/** Bits of the flag field, as the letters say; AE is the ninth. */
export const FLAG_LETTERS: ReadonlyMap<string, number> = new Map([
  ['F', 0x01],
  ['S', 0x02],
  ['R', 0x04],
  ['P', 0x08],
  ['.', 0x10],
  ['U', 0x20],
  ['E', 0x40],
  ['W', 0x80],
  ['A', 0x100],
]);
