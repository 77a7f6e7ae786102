/**
 * What every end of a wire does the same, whatever carries it: the batch being filled, sequence numbers, the ledger,
 * and telling the listener about carrier and room. What carries the batches is the subclass's.
 */
import type { Micros } from '../platform.ts';
import { type FrameBatch, giveBatch, takeBatch } from './frame-batch.ts';
import type { Wire, WireCounters, WireListener, WireNumbers } from './wire.ts';

export const SILENT_LISTENER: WireListener = { onBatch: () => {}, onCarrier: () => {}, onReady: () => {} };

export function wireCounters(): WireCounters {
  return {
    sentFrames: 0,
    sentBytes: 0,
    receivedFrames: 0,
    receivedBytes: 0,
    lostWithPeer: 0,
    lostByUnplug: 0,
    lostWithoutCarrier: 0,
    lostByCut: 0,
    malformedMessages: 0,
    carrierDown: 0,
  };
}

/** Octets of the frames in a batch, as on the cable. */
export function batchOctets(batch: FrameBatch): number {
  let octets = 0;
  for (let i = 0; i < batch.count; i++) octets += batch.sizes[i]!;
  return octets;
}

/** Frames that may be missing between two numbers: more than any wire loses is a number that somebody made up. */
const GAP_FRAMES_MAX = 2 ** 32;

export abstract class WireEnd implements Wire {
  readonly name: string;
  readonly end: string;
  readonly counters: WireCounters = wireCounters();
  carrier = false;
  ready = true;
  plugged = true;
  isCut = false;
  protected listener: WireListener = SILENT_LISTENER;
  protected portUp = false;
  /** Sequence number of the next frame that leaves. */
  protected sequence = 0;
  private filling: FrameBatch | undefined;
  private scheduled = false;
  /** Which life of the far end we listen to, and from which of its numbers on; undefined before it was heard. */
  private peerEpoch: number | undefined;
  private listenedFrom: number | undefined;
  /** The number that its next frame should have. */
  private expectedFrame: number | undefined;
  /** The same life has come back over another connection, and has not said a number yet. */
  private resumes = false;
  /** What had come, and been lost, when that life began. */
  private receivedBefore = 0;
  private lostBefore = 0;
  private unpluggedBefore = 0;

  constructor(name: string, end: string) {
    this.name = name;
    this.end = end;
  }

  /** Which life of this end it is. */
  abstract readonly epoch: number;
  /** Lab time, for the batch's sentAt. */
  protected abstract now(): Micros;
  /** Call flush() at the end of this turn. */
  protected abstract schedule(): void;
  /** Send a batch that is not empty; owns it, and gives it back when its bytes are no longer needed. */
  protected abstract transmit(batch: FrameBatch): void;
  /** Our port or plug changed: tell the far end. */
  protected abstract announce(): void;
  abstract close(): void;

  attach(listener: WireListener): void {
    this.listener = listener;
  }

  reserve(size: number): FrameBatch {
    if (this.filling !== undefined && !this.filling.hasRoom(size)) this.flush();
    this.filling ??= takeBatch();
    return this.filling;
  }

  passOn(batch: FrameBatch): boolean {
    if (!batch.loose) return false;
    if (this.filling !== undefined) {
      // What was written before goes first, and small batches are better sent together.
      if (this.filling.fitting(batch, 0, batch.count) === batch.count && this.filling.count > 0) return false;
      if (this.filling.count > 0) this.flush();
      else giveBatch(this.filling);
    }
    batch.loose = false;
    this.filling = batch;
    return true;
  }

  kick(): void {
    if (this.scheduled || this.filling === undefined || this.filling.count === 0) return;
    this.scheduled = true;
    this.schedule();
  }

  setPortUp(up: boolean): void {
    if (this.portUp === up) return;
    this.portUp = up;
    this.announce();
  }

  unplug(): void {
    if (!this.plugged) return;
    this.plugged = false;
    this.announce();
  }

  plug(): void {
    if (this.plugged) return;
    this.plugged = true;
    this.announce();
  }

  setCut(cut: boolean): void {
    if (this.isCut === cut) return;
    // What was sent before the cut is on its way.
    this.flush();
    this.isCut = cut;
    this.announce();
  }

  get taken(): number {
    const { sentFrames, lostWithoutCarrier, lostByCut } = this.counters;
    return sentFrames + lostWithoutCarrier + lostByCut + this.waiting;
  }

  get waiting(): number {
    return this.filling?.count ?? 0;
  }

  get numbers(): WireNumbers {
    const { epoch, sequence, peerEpoch, listenedFrom = 0, expectedFrame: expected = 0, counters } = this;
    const received = counters.receivedFrames - this.receivedBefore;
    const lost = this.lost - this.lostBefore;
    const lostByUnplug = counters.lostByUnplug - this.unpluggedBefore;
    return {
      epoch,
      next: sequence,
      peerEpoch: peerEpoch ?? null,
      listenedFrom,
      expected,
      received,
      lost,
      lostByUnplug,
    };
  }

  protected readonly flushScheduled = (): void => {
    this.scheduled = false;
    this.flush();
  };

  protected flush(): void {
    const batch = this.filling;
    if (batch === undefined) return;
    this.filling = undefined;
    if (batch.count === 0 || !this.carrier) {
      this.counters.lostWithoutCarrier += batch.count;
      giveBatch(batch);
      return;
    }
    if (this.isCut) {
      this.counters.lostByCut += batch.count;
      giveBatch(batch);
      return;
    }
    batch.first = this.sequence;
    batch.sentAt = this.now();
    this.sequence += batch.count;
    this.counters.sentFrames += batch.count;
    this.counters.sentBytes += batchOctets(batch);
    this.transmit(batch);
  }

  /** The far end is in this life of its, over a new connection: a life that began while we were here numbers from 0. */
  protected listenTo(epoch: number): void {
    this.resumes = this.peerEpoch === epoch;
    if (this.resumes) return;
    this.listenFrom(this.peerEpoch === undefined ? undefined : 0);
    this.peerEpoch = epoch;
  }

  private listenFrom(number: number | undefined): void {
    this.listenedFrom = number;
    this.expectedFrame = number;
    this.receivedBefore = this.counters.receivedFrames;
    this.lostBefore = this.lost;
    this.unpluggedBefore = this.counters.lostByUnplug;
  }

  /**
   * The far end's next frame has this number: what it numbered before and has not come is lost. False: it came before, or
   * nobody has sent so many. Over a new connection the same life may say a lower number: those above it were made up.
   */
  protected comesNext(number: number): boolean {
    if (this.resumes && number < (this.expectedFrame ?? 0)) this.listenFrom(number);
    this.resumes = false;
    this.listenedFrom ??= number;
    const missed = number - (this.expectedFrame ?? number);
    if (missed < 0 || missed > GAP_FRAMES_MAX) return false;
    this.counters.lostWithPeer += missed;
    this.expectedFrame = number;
    return true;
  }

  /** A batch has come: account for its frames, and hand it up. False when its numbers were there before. */
  protected arrives(batch: FrameBatch): boolean {
    if (!this.comesNext(batch.first)) return false;
    this.expectedFrame = batch.first + batch.count;
    // Light that was under way when the plug came out reaches nobody.
    if (this.plugged) this.deliver(batch);
    else this.counters.lostByUnplug += batch.count;
    return true;
  }

  /** A batch was under way to us and will not come. */
  protected goesMissing(batch: FrameBatch, why: 'lostByUnplug' | 'lostWithPeer'): void {
    this.comesNext(batch.first);
    this.expectedFrame = batch.first + batch.count;
    this.counters[why] += batch.count;
  }

  /** A new life of this end: nothing is remembered. */
  protected forget(): void {
    if (this.filling !== undefined) giveBatch(this.filling);
    this.filling = undefined;
    Object.assign(this.counters, wireCounters());
    this.sequence = 0;
    this.receivedBefore = 0;
    this.lostBefore = 0;
    this.unpluggedBefore = 0;
    this.peerEpoch = undefined;
    this.listenedFrom = undefined;
    this.expectedFrame = undefined;
  }

  private get lost(): number {
    return this.counters.lostWithPeer + this.counters.lostByUnplug;
  }

  /** Hand a batch up; what it came in may be reused when this returns. */
  private deliver(batch: FrameBatch): void {
    this.counters.receivedFrames += batch.count;
    this.counters.receivedBytes += batchOctets(batch);
    this.listener.onBatch(batch);
  }

  protected setCarrier(up: boolean): void {
    if (this.carrier === up) return;
    this.carrier = up;
    if (!up) {
      this.counters.carrierDown++;
      // What was being filled when the light went out is lost as on a cable.
      this.flush();
    }
    this.listener.onCarrier(up);
  }

  protected setReady(ready: boolean): void {
    if (this.ready === ready) return;
    this.ready = ready;
    if (ready) this.listener.onReady();
  }
}
