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
    if (!whole) this.loseQueue();
    this.setCarrier(up);
  }

  private deliverQueue(): void {
    // As in the socket of a process that stands still: it waits, and when too much does, we are told to stop.
    if (this.peer.frozen) return;
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
export function memoryWire(clock: Clock, nameA: string, nameB: string): [MemoryWireEnd, MemoryWireEnd] {
  const name = `${nameA}--${nameB}`;
  const a = new MemoryWireEnd(clock, name, nameA);
  const b = new MemoryWireEnd(clock, name, nameB);
  a.peer = b;
  b.peer = a;
  return [a, b];
}
