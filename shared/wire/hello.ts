/** The two small messages of a wire, Hello and Link: made, read with suspicion, and checked. Frames are codec.ts's. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { Message } from './gen/wire.js';

/** Version of wire.proto that both ends must speak. */
export const WIRE_VERSION = 1;
export const SUBPROTOCOL = 'wirelab.v1';

/** Why an end closed the connection. */
export const CLOSE = {
  /** Ours was closed or is going away (RFC 6455 §7.4.1). */
  GOING_AWAY: 1001,
  /** Bytes that are no message of this protocol (RFC 6455 §7.4.1: protocol error). */
  MALFORMED: 1002,
  /** More than a wire takes (RFC 6455 §7.4.1: message too big). */
  TOO_LONG: 1009,
  TOKEN: 4401,
  /** Another lab, wire or end than this one. */
  WRONG_WIRE: 4404,
  VERSION: 4406,
  NO_HELLO: 4408,
  END_TAKEN: 4409,
} as const;

/** Why connections of a wire were closed or not let in, as /metrics counts them. */
export const REFUSALS = [
  'token',
  'version',
  'wrong_wire',
  'no_hello',
  'old_epoch',
  'end_taken',
  'malformed',
  'too_long',
  'flood',
  'crowded',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** The word for a code that helloProblem answers. */
export const REFUSAL_OF: ReadonlyMap<number, Refusal> = new Map([
  [CLOSE.TOKEN, 'token'],
  [CLOSE.VERSION, 'version'],
  [CLOSE.WRONG_WIRE, 'wrong_wire'],
]);

export interface Hello {
  readonly version: number;
  readonly lab: string;
  readonly wire: string;
  readonly end: string;
  readonly epoch: number;
  readonly token: string;
}

export interface Link {
  readonly up: boolean;
  readonly plugged: boolean;
  /** Number of the sender's next frame: what it numbered before and has not come is lost. */
  readonly next?: number;
}

/** Hello and Link together are short; whoever sends more before saying hello is not one of us. */
export const SMALL_MESSAGE_BYTES_MAX = 4_096;

export function encodeHello(hello: Hello): Uint8Array {
  return Message.encode({ hello: { ...hello } }).finish();
}

export function encodeLink(link: Link): Uint8Array {
  return Message.encode({ link: { ...link } }).finish();
}

export type SmallMessage = { readonly hello: Hello } | { readonly link: Link };

/** Read a message that is no batch; undefined when it is not what it should be. */
export function decodeSmall(bytes: Uint8Array): SmallMessage | undefined {
  if (bytes.length > SMALL_MESSAGE_BYTES_MAX) return undefined;
  try {
    const { hello, link, batch } = Message.decode(bytes);
    if (batch) return undefined;
    if (hello) {
      const { version = 0, lab = '', wire = '', end = '', epoch = 0, token = '' } = hello;
      if (!Number.isSafeInteger(Number(epoch))) return undefined;
      return { hello: { version: Number(version), lab, wire, end, epoch: Number(epoch), token } } as SmallMessage;
    }
    if (!link) return undefined;
    const state = { up: link.up === true, plugged: link.plugged === true };
    if (link.next == null) return { link: state };
    const next = Number(link.next);
    return Number.isSafeInteger(next) ? { link: { ...state, next } } : undefined;
  } catch {
    // The generated decoder answers bad bytes by throwing; here they are an answer.
    return undefined;
  }
}

/** What is wrong with the far end's Hello, as a close code; undefined when it is welcome. */
export function helloProblem(hello: Hello, expected: Omit<Hello, 'epoch'>): number | undefined {
  if (hello.version !== expected.version) return CLOSE.VERSION;
  if (!sameSecret(hello.token, expected.token)) return CLOSE.TOKEN;
  if (hello.lab !== expected.lab || hello.wire !== expected.wire || hello.end !== expected.end) return CLOSE.WRONG_WIRE;
  return undefined;
}

/** Compare in a time that does not tell how much of it was right, nor how long the secret is. */
export function sameSecret(given: string, secret: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}
