/**
 * A batch of frames in the bytes of one `Batch` message (wire.proto): what a NIC fills and a wire sends, and what a
 * wire received and a NIC or a bridge walks through. The frames already stand in their protobuf places, so sending a
 * batch encodes nothing but a short head and tail, and receiving one copies nothing.
 *
 *   bytes:  | room for the head | tag len frame | tag len frame | … | room for traces and causes |
 *
 * Interface:
 * - append() says where to write the next frame; the caller writes it before the next append or send.
 * - offset(i), size(i): frame i as on the cable, preamble first, FCS last.
 * - A batch that was received is valid until the receiving call returns; keep a copy of what you need longer.
 * - From the first bulk on, batches of the pool stand in frame memory (device/frame-memory.ts) while there is some, where
 *   sums are fast; a wire copies what it received there in one piece (settle).
 */
import { frameMemory, frameMemoryInUse } from '../device/frame-memory.ts';
import { assert } from '../platform.ts';

/** One ring's worth; a full message of 64-byte frames then stays below 64 kB with its traces. */
export const BATCH_FRAMES_MAX = 256;
/** A message under 64 kB carries 42 full frames: beyond that batching gains nothing more (measured). */
export const BATCH_BYTES_MAX = 64_000;
/** Message tag and length, `first` and `sent_at` with their tags: at most 1 + 5 + 11 + 11. */
export const BATCH_HEAD_ROOM = 32;
/** Per frame: tag, and a length of up to three octets. */
const FRAME_PREFIX_MAX = 4;
/** Two packed fields with tag and length, 12 octets a frame. */
export const BATCH_TAIL_ROOM = 12 * BATCH_FRAMES_MAX + 16;
const FRAMES_TAG = (3 << 3) | 2;
/** Where the frames section must end. */
const BATCH_LIMIT = BATCH_HEAD_ROOM + BATCH_BYTES_MAX;
/** So many in one batch are no conversation: only then is frame memory worth its 2 MB and 7 ms (measured). */
const BULK_FRAMES = 8;
/** What a batch's own memory has room for. */
const ROOM_BYTES = BATCH_HEAD_ROOM + BATCH_BYTES_MAX + BATCH_TAIL_ROOM;
/**
 * Empty batches kept for reuse in a process: as many as were under way at once, with a hundred hosts of a packed lab or on
 * a switch that floods. Of their 69 MB only what frames have stood in is ever real memory. Those in frame memory are kept
 * besides.
 */
const FREE_BATCHES_MAX = 1_024;

/** Octets of tag and length before a frame of `size` octets. */
function prefixLength(size: number): number {
  return size < 0x80 ? 2 : size < 0x4000 ? 3 : 4;
}

export class FrameBatch {
  bytes: Uint8Array;
  view: DataView;
  count = 0;
  /** Sequence number of the first frame in its direction. */
  first = 0;
  /** Lab time of sending, microseconds. */
  sentAt = 0;
  /** The receiver's own copy, which a wire may pass on whole and then owns (Wire.passOn). */
  loose = false;
  /** End of the frames section in `bytes`. */
  end = BATCH_HEAD_ROOM;
  readonly offsets = new Uint32Array(BATCH_FRAMES_MAX);
  readonly sizes = new Uint32Array(BATCH_FRAMES_MAX);
  readonly traceDevices = new Uint32Array(BATCH_FRAMES_MAX);
  readonly traceNumbers = new Uint32Array(BATCH_FRAMES_MAX);
  readonly causes = new Uint32Array(BATCH_FRAMES_MAX);

  /** A batch to fill, with room of its own; or, with `bytes`, one that a decoder fills in over a received message. */
  constructor(bytes = new Uint8Array(ROOM_BYTES)) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Point at another message's bytes (receiving side). */
  wrap(bytes: Uint8Array): void {
    // A Buffer is one, too, but code that sees both is slower for it.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.count = 0;
  }

  clear(): void {
    this.count = 0;
    this.end = BATCH_HEAD_ROOM;
  }

  /** Whether a frame of `size` octets (on the cable) still fits. An empty batch takes any frame a NIC can make. */
  hasRoom(size: number): boolean {
    return this.count < BATCH_FRAMES_MAX && this.end + FRAME_PREFIX_MAX + size <= BATCH_LIMIT;
  }

  /** Claim `size` octets for the next frame and return where in `bytes` they start. */
  append(size: number, traceDevice: number, traceNumber: number, cause: number): number {
    assert(this.hasRoom(size), 'the caller asked hasRoom first');
    let at = this.end;
    this.bytes[at++] = FRAMES_TAG;
    let rest = size;
    while (rest > 127) {
      this.bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.bytes[at++] = rest;
    const n = this.count++;
    this.offsets[n] = at;
    this.sizes[n] = size;
    this.traceDevices[n] = traceDevice;
    this.traceNumbers[n] = traceNumber;
    this.causes[n] = cause;
    this.end = at + size;
    return at;
  }

  /** Copy frame `i` of another batch to the end of this one. */
  appendFrom(other: FrameBatch, i: number): void {
    const size = other.size(i);
    const from = other.offset(i);
    const at = this.append(size, other.traceDevices[i]!, other.traceNumbers[i]!, other.causes[i]!);
    this.bytes.set(other.bytes.subarray(from, from + size), at);
  }

  /** The end of the longest stretch from frame `from`, at most up to `to`, whose frames stand back to back in `bytes`. */
  runEnd(from: number, to: number): number {
    let i = from + 1;
    while (i < to && this.start(i) === this.offsets[i - 1]! + this.sizes[i - 1]!) i++;
    return i;
  }

  /** Copy frames [from, to) of another batch, which stand back to back there, in one piece; all of them must fit. */
  appendRun(other: FrameBatch, from: number, to: number): void {
    const start = other.start(from);
    const length = other.offsets[to - 1]! + other.sizes[to - 1]! - start;
    assert(this.count + (to - from) <= BATCH_FRAMES_MAX && this.end + length <= BATCH_LIMIT, 'the run fits');
    this.bytes.set(other.bytes.subarray(start, start + length), this.end);
    const shift = this.end - start;
    for (let i = from; i < to; i++) {
      const n = this.count++;
      this.offsets[n] = other.offsets[i]! + shift;
      this.sizes[n] = other.sizes[i]!;
      this.traceDevices[n] = other.traceDevices[i]!;
      this.traceNumbers[n] = other.traceNumbers[i]!;
      this.causes[n] = other.causes[i]!;
    }
    this.end += length;
  }

  /** How many of `other`'s frames from `from` on, at most up to `to`, fit in one appendRun. */
  fitting(other: FrameBatch, from: number, to: number): number {
    const room = BATCH_LIMIT - this.end + other.start(from);
    const last = Math.min(to, from + BATCH_FRAMES_MAX - this.count);
    let i = from;
    while (i < last && other.offsets[i]! + other.sizes[i]! <= room) i++;
    return i - from;
  }

  /** Where frame `i` starts with its tag and length, were they written as append() writes them. */
  private start(i: number): number {
    return this.offsets[i]! - prefixLength(this.sizes[i]!);
  }

  offset(i: number): number {
    assert(i < this.count, 'frame index within the batch');
    return this.offsets[i]!;
  }

  size(i: number): number {
    assert(i < this.count, 'frame index within the batch');
    return this.sizes[i]!;
  }
}

const freeBatches: FrameBatch[] = [];
let bulkSeen = false;

/** From now on batches are cut from frame memory; those that were not are left to the collector. */
function openForBulk(): void {
  if (bulkSeen) return;
  bulkSeen = true;
  if (frameMemory() !== undefined) freeBatches.length = 0;
}

/**
 * A received batch's frames in a batch of the pool, to be given back while it is `loose`; or itself when they do not stand
 * back to back, or in frame memory already.
 */
export function settle(received: FrameBatch): FrameBatch {
  const { count } = received;
  if (count >= BULK_FRAMES) openForBulk();
  if (count === 0 || received.runEnd(0, count) < count || frameMemoryInUse()?.has(received.bytes) === true)
    return received;
  const batch = takeBatch();
  if (batch.fitting(received, 0, count) < count) {
    giveBatch(batch);
    return received;
  }
  batch.appendRun(received, 0, count);
  batch.first = received.first;
  batch.sentAt = received.sentAt;
  batch.loose = true;
  return batch;
}

/** An empty batch to fill, from the process's pool. */
export function takeBatch(): FrameBatch {
  return freeBatches.pop() ?? new FrameBatch(frameMemoryInUse()?.take(ROOM_BYTES));
}

/** Give a batch back that takeBatch gave; nobody may look at it any more. */
export function giveBatch(batch: FrameBatch): void {
  if (batch.count >= BULK_FRAMES) openForBulk();
  batch.clear();
  batch.loose = false;
  const memory = frameMemoryInUse();
  const better = memory?.has(batch.bytes) === true;
  // From the time before, while there is room in frame memory for another.
  if (!better && memory !== undefined && memory.left >= ROOM_BYTES) return;
  if (better || freeBatches.length < FREE_BATCHES_MAX) freeBatches.push(batch);
}
