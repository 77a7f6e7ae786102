/**
 * Interrupt coalescing: a received frame may wait for others, so that one interrupt serves them all. The interrupt comes
 * when `rxFrames` wait, when the first has waited for `rxUsecs`, or when the ring is half full, whichever is first.
 *
 * `adaptiveRx` chooses rxUsecs from what each interrupt found, as e1000e's dynamic throttle does (e1000_update_itr): few
 * small frames are somebody's round trips and must not wait; many large ones are a transfer and may.
 */
import type { Micros, Timer } from '../platform.ts';

export interface CoalesceSettings {
  /** 0: no frame waits. */
  readonly rxUsecs: number;
  /** 0: time alone decides. */
  readonly rxFrames: number;
  readonly adaptiveRx: boolean;
}

export const NO_COALESCING: CoalesceSettings = { rxUsecs: 0, rxFrames: 0, adaptiveRx: false };

/** e1000e takes up to 10 ms; frames are at most a ring. */
export const RX_USECS_MAX = 10_000;
export const RX_FRAMES_MAX = 4_096;

/** e1000e's three moderations, 70,000, 20,000 and 4,000 interrupts a second, as microseconds between them. */
const LOWEST_LATENCY: Micros = 14;
const LOW_LATENCY: Micros = 50;
const BULK: Micros = 250;

/** The moderation after an interrupt that found so much. (Linux: e1000_update_itr) */
export function nextModeration(now: Micros, packets: number, bytes: number): Micros {
  if (packets === 0) return now;
  const size = bytes / packets;
  if (now >= BULK) {
    if (bytes > 25_000) return packets > 35 ? LOW_LATENCY : BULK;
    return bytes < 6_000 ? LOW_LATENCY : BULK;
  }
  if (now >= LOW_LATENCY) {
    if (bytes > 10_000) {
      if (size > 8_000 || packets < 10 || size > 1_200) return BULK;
      return packets > 35 ? LOWEST_LATENCY : LOW_LATENCY;
    }
    if (size > 2_000) return BULK;
    return packets <= 2 && bytes < 512 ? LOWEST_LATENCY : LOW_LATENCY;
  }
  if (size > 8_000) return BULK;
  return packets < 5 && bytes > 512 ? LOW_LATENCY : LOWEST_LATENCY;
}

export class Coalescer {
  settings = NO_COALESCING;
  /** Frames that did not raise the line themselves. */
  held = 0;
  private readonly timer: Timer;
  private readonly raise: () => void;
  private moderation: Micros = LOWEST_LATENCY;
  /** Since the last interrupt. */
  private waiting = 0;
  private packets = 0;
  private bytes = 0;

  constructor(timer: (fire: () => void) => Timer, raise: () => void) {
    this.timer = timer(() => this.fire());
    this.raise = raise;
  }

  /** What is in force now. */
  get rxUsecs(): Micros {
    return this.settings.adaptiveRx ? this.moderation : this.settings.rxUsecs;
  }

  /** Frames wait for their interrupt, and it will come. */
  get waits(): boolean {
    return this.timer.armed;
  }

  change(settings: CoalesceSettings): void {
    this.settings = settings;
    this.moderation = LOWEST_LATENCY;
    if (this.waiting > 0) this.fire();
  }

  /** A frame is in the ring; `half` when that is half full. */
  frame(size: number, half: boolean): void {
    const { rxFrames, adaptiveRx } = this.settings;
    if (adaptiveRx) {
      this.packets++;
      this.bytes += size;
    }
    this.waiting++;
    const { rxUsecs } = this;
    if (rxUsecs === 0 || half || (rxFrames > 0 && this.waiting >= rxFrames)) return this.fire();
    this.held++;
    if (!this.timer.armed) this.timer.arm(rxUsecs);
  }

  /** The driver has emptied the ring: nothing waits any more. */
  emptied(): void {
    this.waiting = 0;
    if (this.timer.armed) this.timer.stop();
    if (!this.settings.adaptiveRx) return;
    this.moderation = nextModeration(this.moderation, this.packets, this.bytes);
    this.packets = 0;
    this.bytes = 0;
  }

  private fire(): void {
    this.waiting = 0;
    if (this.timer.armed) this.timer.stop();
    this.raise();
  }
}
