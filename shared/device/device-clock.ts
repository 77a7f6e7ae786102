/**
 * One device's share of a clock that a whole lab runs on: its timers can be held while the device stands still, and are
 * forgotten when its power goes, without touching anybody else's.
 */
import type { Clock, Micros, Timer, TimerMark } from '../platform.ts';

/** A clock on which timers have owners. */
export interface SharedClock extends Clock {
  timerOf(owner: object, fire: () => void, mark?: TimerMark): Timer;
  /** None of its timers fires any more, and none is kept. */
  forget(owner: object): void;
}

export class DeviceClock implements Clock {
  private readonly inner: SharedClock;
  private state: 'running' | 'frozen' | 'off' = 'running';
  /** What became due while it stood still. */
  private late: (() => void)[] = [];

  constructor(inner: SharedClock) {
    this.inner = inner;
  }

  get epoch(): Micros {
    return this.inner.epoch;
  }

  now(): Micros {
    return this.inner.now();
  }

  timer(fire: () => void, mark?: TimerMark): Timer {
    return this.inner.timerOf(this, () => this.fire(fire), mark);
  }

  /** The whole lab's: their marks say whose they are. */
  armed(): { mark: TimerMark; deadline: Micros }[] {
    return this.inner.armed();
  }

  after(delay: Micros, fire: () => void): Timer {
    const timer = this.timer(fire);
    timer.arm(delay);
    return timer;
  }

  get frozen(): boolean {
    return this.state === 'frozen';
  }

  freeze(): void {
    if (this.state === 'running') this.state = 'frozen';
  }

  thaw(): void {
    if (this.state !== 'frozen') return;
    this.state = 'running';
    const late = this.late;
    this.late = [];
    for (const fire of late) this.after(0, fire);
  }

  /** Nothing of this device happens any more. */
  off(): void {
    this.state = 'off';
    this.late = [];
    this.inner.forget(this);
  }

  private fire(fire: () => void): void {
    if (this.state === 'running') fire();
    else if (this.state === 'frozen') this.late.push(fire);
  }
}
