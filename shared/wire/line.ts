/** A line of a certain rate and the frames that wait for it: when the next one will have left. (netem's rate) */
import type { Micros } from '../platform.ts';

/** IEEE 802.3: the gap between two frames costs twelve octets of line time. */
const INTER_FRAME_GAP = 12;
/** Departures that are past are thrown away in lots of this many. */
const PAST_MAX = 1_000;

export class Line {
  private free: Micros = 0;
  /** When each waiting frame leaves, and the first that has not. */
  private departures: Micros[] = [];
  private next = 0;

  /** Frames that the rate has not let go yet. */
  waiting(now: Micros): number {
    const { departures } = this;
    while (this.next < departures.length && departures[this.next]! <= now) this.next++;
    if (this.next > PAST_MAX) {
      departures.splice(0, this.next);
      this.next = 0;
    }
    return departures.length - this.next;
  }

  /** Queue a frame of `size` octets as on the cable, at `rate` bits per second: when its last bit has left. */
  take(now: Micros, size: number, rate: number): Micros {
    this.free = Math.max(this.free, now) + ((size + INTER_FRAME_GAP) * 8 * 1_000_000) / rate;
    this.departures.push(this.free);
    return this.free;
  }

  /** The rate changed: what is left of the frames that wait takes `factor` times as long; with 0 the line is free. */
  stretch(now: Micros, factor: number): void {
    if (factor === 1) return;
    const later = (time: Micros): Micros => (time <= now ? time : now + (time - now) * factor);
    this.free = later(this.free);
    this.departures = this.departures.map(later);
  }

  clear(): void {
    this.free = 0;
    this.departures.length = 0;
    this.next = 0;
  }
}
