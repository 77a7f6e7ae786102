/**
 * Batches of frames to and from the bytes of a `Message` (wire.proto), by hand: the frames stand in their places already,
 * so encoding writes a short head in front and the trace identities behind, and decoding notes offsets. The bytes are
 * those that protobufjs's static code writes; a test holds the two together. Hello and Link go through that code.
 *
 * Decoding believes nothing: every length is checked against the message, every count against a limit, and whatever is
 * wrong is a Malformed answer. Numbers must be in their shortest form, since a switch passes frames on with the tag and
 * length that they came with.
 */
import { type Malformed, malformed } from '../header/malformed.ts';
import { BATCH_BYTES_MAX, BATCH_FRAMES_MAX, BATCH_HEAD_ROOM, type FrameBatch } from './frame-batch.ts';

/** Largest WebSocket message on a wire. */
export const MESSAGE_BYTES_MAX = 1_048_576;
/** Pieces that one may come in. Our ends send it whole; what stands between two may cut it up. */
export const MESSAGE_PIECES_MAX = 256;

/** Tags: field number and wire type (0 varint, 2 length-delimited). */
const MESSAGE_BATCH = (2 << 3) | 2;
const FIRST = 1 << 3;
const SENT_AT = 2 << 3;
const FRAMES = (3 << 3) | 2;
const TRACES = (4 << 3) | 2;
const CAUSES = (5 << 3) | 2;
const TRACE_BYTES = 8;
const CAUSE_BYTES = 4;
/** A varint of up to 2^53 has eight octets of seven bits. */
const VARINT_BYTES_MAX = 8;

/** Octets that a number takes as a varint. */
function varintLength(n: number): number {
  let length = 1;
  while (n >= 128) {
    n = Math.floor(n / 128);
    length++;
  }
  return length;
}

/** Write a number as a varint; returns where it ends. */
function putVarint(bytes: Uint8Array, at: number, n: number): number {
  while (n >= 128) {
    bytes[at++] = (n % 128) | 128;
    n = Math.floor(n / 128);
  }
  bytes[at++] = n;
  return at;
}

function anyCause(batch: FrameBatch): boolean {
  for (let i = 0; i < batch.count; i++) if (batch.causes[i] !== 0) return true;
  return false;
}

/** Put head and tail around a batch's frames; the message is batch.bytes[start, end). The batch itself stays as it is. */
export function encodeBatch(batch: FrameBatch): { readonly start: number; readonly end: number } {
  const { bytes, view, count } = batch;
  let end = batch.end;
  if (count > 0) {
    bytes[end++] = TRACES;
    end = putVarint(bytes, end, count * TRACE_BYTES);
    for (let i = 0; i < count; i++, end += TRACE_BYTES) {
      view.setUint32(end, batch.traceNumbers[i]!, true);
      view.setUint32(end + 4, batch.traceDevices[i]!, true);
    }
    if (anyCause(batch)) {
      bytes[end++] = CAUSES;
      end = putVarint(bytes, end, count * CAUSE_BYTES);
      for (let i = 0; i < count; i++, end += CAUSE_BYTES) view.setUint32(end, batch.causes[i]!, true);
    }
  }
  const numbers = 2 + varintLength(batch.first) + varintLength(batch.sentAt);
  const inner = numbers + end - BATCH_HEAD_ROOM;
  const start = BATCH_HEAD_ROOM - numbers - varintLength(inner) - 1;
  bytes[start] = MESSAGE_BATCH;
  let at = putVarint(bytes, start + 1, inner);
  bytes[at++] = FIRST;
  at = putVarint(bytes, at, batch.first);
  bytes[at++] = SENT_AT;
  putVarint(bytes, at, batch.sentAt);
  return { start, end };
}

/** Whether a message is a batch; the others are decoded by the generated code. */
export function isBatchMessage(message: Uint8Array): boolean {
  return message[0] === MESSAGE_BATCH;
}

/** A cursor over a message. A number that is not what it should be leaves `bad` set, and everything after it is 0. */
class Cursor {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  bad = false;

  begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
    this.bad = false;
  }

  /** A varint below 2^53 in its shortest form. */
  varint(): number {
    const { bytes, end } = this;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_BYTES_MAX && this.at < end; i++) {
      const octet = bytes[this.at++]!;
      value += (octet & 127) * scale;
      if (octet < 128) {
        if (octet === 0 && i > 0) break;
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    this.bad = true;
    return 0;
  }

  /** A length that must fit in what is left. */
  length(): number {
    const length = this.varint();
    if (length <= this.end - this.at) return length;
    this.bad = true;
    return 0;
  }
}

const cursor = new Cursor();

/** Fill `batch` in over the message's bytes, which it refers to from now on. */
export function decodeBatch(message: Uint8Array, batch: FrameBatch): Malformed | undefined {
  batch.wrap(message);
  batch.first = 0;
  batch.sentAt = 0;
  cursor.begin(message);
  if (message[0] !== MESSAGE_BATCH) return refused(batch, 'wire_not_a_batch');
  cursor.at = 1;
  const inner = cursor.length();
  if (cursor.bad || cursor.at + inner !== message.length) return refused(batch, 'wire_bad_length');
  const problem = decodeFields(batch);
  return problem === undefined ? undefined : refused(batch, problem);
}

function refused(batch: FrameBatch, why: string): Malformed {
  batch.count = 0;
  return malformed(why);
}

function decodeFields(batch: FrameBatch): string | undefined {
  let tracesAt = -1;
  let tracesLength = 0;
  let causesAt = -1;
  let causesLength = 0;
  while (cursor.at < cursor.end) {
    const tag = cursor.bytes[cursor.at++]!;
    if (tag === FRAMES) {
      const size = cursor.length();
      if (cursor.bad) return 'wire_bad_length';
      if (batch.count === BATCH_FRAMES_MAX) return 'wire_too_many_frames';
      if (size > BATCH_BYTES_MAX) return 'wire_frame_too_long';
      batch.offsets[batch.count] = cursor.at;
      batch.sizes[batch.count++] = size;
      cursor.at += size;
    } else if (tag === FIRST) {
      batch.first = cursor.varint();
    } else if (tag === SENT_AT) {
      batch.sentAt = cursor.varint();
    } else if (tag === TRACES && tracesAt < 0) {
      tracesLength = cursor.length();
      tracesAt = cursor.at;
      cursor.at += tracesLength;
    } else if (tag === CAUSES && causesAt < 0) {
      causesLength = cursor.length();
      causesAt = cursor.at;
      cursor.at += causesLength;
    } else {
      return 'wire_unknown_field';
    }
    if (cursor.bad) return 'wire_bad_number';
  }
  batch.end = cursor.at;
  if (tracesLength !== batch.count * TRACE_BYTES) return 'wire_traces_mismatch';
  if (causesLength !== 0 && causesLength !== batch.count * CAUSE_BYTES) return 'wire_causes_mismatch';
  readIdentities(batch, tracesAt, causesLength === 0 ? -1 : causesAt);
  return undefined;
}

function readIdentities(batch: FrameBatch, tracesAt: number, causesAt: number): void {
  const { view } = batch;
  for (let i = 0; i < batch.count; i++) {
    batch.traceNumbers[i] = view.getUint32(tracesAt + i * TRACE_BYTES, true);
    batch.traceDevices[i] = view.getUint32(tracesAt + i * TRACE_BYTES + 4, true);
    batch.causes[i] = causesAt < 0 ? 0 : view.getUint32(causesAt + i * CAUSE_BYTES, true);
  }
}
