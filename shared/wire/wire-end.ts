/**
 * What every end of a wire does the same, whatever carries it: the batch being filled, sequence numbers, the ledger,
 * and telling the listener about carrier and room. What carries the batches is the subclass's.
 */
import { assert, type Micros } from '../platform.ts';
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

/** Lives of the far end that are remembered beside the one in use. */
const LIVES_MAX = 8;

/** What this end heard of one life of the far end. */
interface Heard {
  readonly epoch: number;
  /** From which of its numbers on we listened, and the one that its next frame should have; undefined before it said any. */
  from: number | undefined;
  expected: number | undefined;
  received: number;
  lost: number;
  /** Of those lost. */
  lostByUnplug: number;
}

function unheard(epoch: number, from: number | undefined): Heard {
  return { epoch, from, expected: from, received: 0, lost: 0, lostByUnplug: 0 };
}

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
  /** The life of the far end that we listen to, and those before it, which may come back: somebody else had its place. */
  private heard: Heard | undefined;
  private readonly heardBefore = new Map<number, Heard>();
  /** A life that was heard before has come back over another connection, and has not said a number yet. */
  private resumes = false;

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
    const { epoch, sequence: next, heard = unheard(0, 0) } = this;
    const { from = 0, expected = 0, received, lost, lostByUnplug } = heard;
    const peerEpoch = this.heard?.epoch ?? null;
    return { epoch, next, peerEpoch, listenedFrom: from, expected, received, lost, lostByUnplug };
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

  /**
   * The far end is in this life of its, over a new connection. A later life than the one we know numbers from 0: it began
   * while we were here. One that we never heard may have said much before.
   */
  protected listenTo(epoch: number): void {
    const { heard, heardBefore } = this;
    this.resumes = heard?.epoch === epoch;
    if (this.resumes) return;
    const known = heardBefore.get(epoch);
    this.resumes = known !== undefined;
    this.heard = known ?? unheard(epoch, heard !== undefined && heard.epoch < epoch ? 0 : undefined);
    heardBefore.delete(epoch);
    if (heard === undefined) return;
    heardBefore.set(heard.epoch, heard);
    const [oldest] = heardBefore.keys();
    if (heardBefore.size > LIVES_MAX && oldest !== undefined) heardBefore.delete(oldest);
  }

  /**
   * The far end's next frame has this number: what it numbered before and has not come is lost. False: it came before, or
   * nobody has sent so many. Over a new connection the same life may say a lower number: those above it were made up.
   */
  protected comesNext(number: number): boolean {
    let heard = this.heardNow();
    if (this.resumes && number < (heard.expected ?? 0)) heard = this.heard = unheard(heard.epoch, number);
    this.resumes = false;
    heard.from ??= number;
    const missed = number - (heard.expected ?? number);
    if (missed < 0 || missed > GAP_FRAMES_MAX) return false;
    this.counters.lostWithPeer += missed;
    heard.lost += missed;
    heard.expected = number;
    return true;
  }

  /** A batch has come: account for its frames, and hand it up. False when its numbers were there before. */
  protected arrives(batch: FrameBatch): boolean {
    if (!this.comesNext(batch.first)) return false;
    // Light that was under way when the plug came out reaches nobody.
    if (!this.plugged) this.loses(batch, 'lostByUnplug');
    else this.deliver(batch);
    return true;
  }

  /** A batch was under way to us and will not come. */
  protected goesMissing(batch: FrameBatch, why: 'lostByUnplug' | 'lostWithPeer'): void {
    this.comesNext(batch.first);
    this.loses(batch, why);
  }

  private loses(batch: FrameBatch, why: 'lostByUnplug' | 'lostWithPeer'): void {
    const heard = this.heardNow();
    heard.expected = batch.first + batch.count;
    heard.lost += batch.count;
    if (why === 'lostByUnplug') heard.lostByUnplug += batch.count;
    this.counters[why] += batch.count;
  }

  /** Frames come over connections that have said whose they are. */
  private heardNow(): Heard {
    assert(this.heard !== undefined, 'listenTo was told which life it is');
    return this.heard;
  }

  /** A new life of this end: nothing is remembered. */
  protected forget(): void {
    if (this.filling !== undefined) giveBatch(this.filling);
    this.filling = undefined;
    Object.assign(this.counters, wireCounters());
    this.sequence = 0;
    this.heard = undefined;
    this.heardBefore.clear();
  }

  /** Hand a batch up; what it came in may be reused when this returns. */
  private deliver(batch: FrameBatch): void {
    const heard = this.heardNow();
    heard.expected = batch.first + batch.count;
    heard.received += batch.count;
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
