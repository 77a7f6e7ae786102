/**
 * A wire between two devices in one process: what one end sends in an instant of lab time reaches the other at the end
 * of that instant. The same contract as the WebSocket wire, on a clock, so that whole labs run in a test.
 */
import type { Clock, Micros, Timer } from '../platform.ts';
import { type FrameBatch, giveBatch } from './frame-batch.ts';
import { WIRE_BACKLOG_BYTES_MAX } from './wire.ts';
import { WireEnd } from './wire-end.ts';

/** Real link pulses come each second; the far end of a wire whose device stands still misses three. */
const FROZEN_DARK: Micros = 3_000_000;

export class MemoryWireEnd extends WireEnd {
  /** Set right after construction, before anybody has hold of either end. */
  peer!: MemoryWireEnd;
  private readonly clock: Clock;
  private readonly flushTimer: Timer;
  private readonly deliverTimer: Timer;
  private queue: FrameBatch[] = [];
  private queuedBytes = 0;
  private closed = false;
  private frozen = false;
  /** Its device runs; without power nothing that comes in is heard. */
  private powered = true;
  private life = 1;
  /** Frozen for so long that the far end has noticed. */
  private silent = false;
  private readonly silenceTimer: Timer;

  constructor(clock: Clock, name: string, end: string) {
    super(name, end);
    this.clock = clock;
    this.flushTimer = clock.timer(this.flushScheduled);
    this.deliverTimer = clock.timer(() => this.deliverQueue());
    this.silenceTimer = clock.timer(() => {
      this.silent = true;
      this.announce();
    });
  }

  /** Our device stands still, or goes on: what comes in waits, and no pulse goes out. */
  setFrozen(frozen: boolean): void {
    if (this.frozen === frozen) return;
    this.frozen = frozen;
    if (frozen) return this.silenceTimer.arm(FROZEN_DARK);
    this.silenceTimer.stop();
    this.silent = false;
    this.announce();
    this.peer.deliverTimer.arm(0);
  }

  get epoch(): number {
    return this.life;
  }

  /** The power of our device goes: what it had sent and nobody has heard goes with it, and it remembers nothing. */
  powerOff(): void {
    this.powered = false;
    this.setPortUp(false);
    this.loseQueue('lostWithPeer');
    this.peer.dropQueue();
    this.forget();
    this.life++;
  }

  /** As with a hello: both ends know of each other's life, and of its next number, before a frame is sent. */
  powerOn(): void {
    this.powered = true;
    const { peer } = this;
    if (!peer.powered) return;
    this.meet(peer);
    peer.meet(this);
  }

  private meet(peer: MemoryWireEnd): void {
    this.listenTo(peer.epoch);
    this.comesNext(peer.sequence);
  }

  close(): void {
    this.closed = true;
    this.announce();
  }

  protected now(): Micros {
    return this.clock.now();
  }

  protected schedule(): void {
    this.flushTimer.arm(0);
  }

  protected transmit(batch: FrameBatch): void {
    this.queue.push(batch);
    this.queuedBytes += batch.end;
    if (this.queuedBytes > WIRE_BACKLOG_BYTES_MAX) this.setReady(false);
    if (!this.deliverTimer.armed) this.deliverTimer.arm(0);
  }

  protected announce(): void {
    this.refresh();
    this.peer.refresh();
  }

  private refresh(): void {
    const whole = this.plugged && this.peer.plugged && !this.closed && !this.peer.closed;
    const up = whole && this.peer.portUp && !this.peer.isCut && !this.peer.silent;
    // Frames under way when the wire is cut never arrive.
    if (!whole) this.loseQueue(this.plugged && this.peer.plugged ? 'lostWithPeer' : 'lostByUnplug');
    this.setCarrier(up);
  }

  private deliverQueue(): void {
    // As in the socket of a process that stands still: it waits, and when too much does, we are told to stop.
    if (this.peer.frozen) return;
    const queue = this.queue;
    this.queue = [];
    this.queuedBytes = 0;
    for (const batch of queue) {
      // The far end may pass it on as it is.
      batch.loose = true;
      this.hand(batch);
      if (batch.loose) giveBatch(batch);
    }
    this.setReady(this.queuedBytes <= WIRE_BACKLOG_BYTES_MAX);
  }

  /** What came before a batch in the queue may have pulled the plug. */
  private hand(batch: FrameBatch): void {
    const { peer } = this;
    // To a device without power: its next life begins to listen at a later number.
    if (!peer.powered) return;
    peer.listenTo(this.epoch);
    if (this.closed || peer.closed) peer.goesMissing(batch, 'lostWithPeer');
    else if (!this.plugged) peer.goesMissing(batch, 'lostByUnplug');
    else peer.arrives(batch);
  }

  private loseQueue(why: 'lostByUnplug' | 'lostWithPeer'): void {
    const { peer } = this;
    for (const batch of this.queue) {
      if (!peer.powered) continue;
      peer.listenTo(this.epoch);
      peer.goesMissing(batch, why);
    }
    this.dropQueue();
  }

  private dropQueue(): void {
    for (const batch of this.queue) giveBatch(batch);
    this.queue = [];
    this.queuedBytes = 0;
    this.setReady(true);
  }
}

/** The two ends of a wire called `nameA--nameB`; each end is named after its port, `alice:eth0`. */
export function memoryWire(clock: Clock, nameA: string, nameB: string): [MemoryWireEnd, MemoryWireEnd] {
  const name = `${nameA}--${nameB}`;
  const a = new MemoryWireEnd(clock, name, nameA);
  const b = new MemoryWireEnd(clock, name, nameB);
  a.peer = b;
  b.peer = a;
  return [a, b];
}
