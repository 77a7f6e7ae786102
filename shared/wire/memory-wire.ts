/**
 * A wire between two devices in one process: what one end sends in an instant of lab time reaches the other at the end
 * of that instant. The same contract as the WebSocket wire, on a clock, so that whole labs run in a test.
 */
import type { Clock, Micros, Timer } from '../platform.ts';
import { type FrameBatch, giveBatch } from './frame-batch.ts';
import { WIRE_BACKLOG_BYTES_MAX, type Wire } from './wire.ts';
import { WireEnd } from './wire-end.ts';

class MemoryWireEnd extends WireEnd {
  /** Set right after construction, before anybody has hold of either end. */
  peer!: MemoryWireEnd;
  private readonly clock: Clock;
  private readonly flushTimer: Timer;
  private readonly deliverTimer: Timer;
  private queue: FrameBatch[] = [];
  private queuedBytes = 0;
  private closed = false;

  constructor(clock: Clock, name: string, end: string) {
    super(name, end);
    this.clock = clock;
    this.flushTimer = clock.timer(this.flushScheduled);
    this.deliverTimer = clock.timer(() => this.deliverQueue());
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
    const up = whole && this.peer.portUp && !this.peer.isCut;
    // Frames under way when the wire is cut never arrive.
    if (!whole) this.loseQueue();
    this.setCarrier(up);
  }

  private deliverQueue(): void {
    const queue = this.queue;
    this.queue = [];
    this.queuedBytes = 0;
    for (const batch of queue) {
      if (this.closed || this.peer.closed || !this.plugged || !this.peer.plugged) this.lose(batch);
      else this.peer.deliver(batch);
      giveBatch(batch);
    }
    this.setReady(this.queuedBytes <= WIRE_BACKLOG_BYTES_MAX);
  }

  private loseQueue(): void {
    for (const batch of this.queue) {
      this.lose(batch);
      giveBatch(batch);
    }
    this.queue = [];
    this.queuedBytes = 0;
    this.setReady(true);
  }

  private lose(batch: FrameBatch): void {
    this.peer.counters.lostWithPeer += batch.count;
  }
}

/** The two ends of a wire called `nameA--nameB`; each end is named after its port, `alice:eth0`. */
export function memoryWire(clock: Clock, nameA: string, nameB: string): [Wire, Wire] {
  const name = `${nameA}--${nameB}`;
  const a = new MemoryWireEnd(clock, name, nameA);
  const b = new MemoryWireEnd(clock, name, nameB);
  a.peer = b;
  b.peer = a;
  return [a, b];
}
