/** What a clock whose timers hang on one heap does the same, whether the machine or somebody else moves its time. */
import type { Micros, Timer, TimerMark } from '../platform.ts';
import type { SharedClock } from './device-clock.ts';
import type { TimerHeap } from './timer-heap.ts';

export abstract class HeapClock implements SharedClock {
  abstract readonly epoch: Micros;
  protected abstract readonly heap: TimerHeap;

  abstract now(): Micros;

  timer(fire: () => void, mark?: TimerMark): Timer {
    return this.heap.timer(fire, mark);
  }

  armed(): { mark: TimerMark; deadline: Micros }[] {
    return this.heap.armed();
  }

  timerOf(owner: object, fire: () => void, mark?: TimerMark): Timer {
    return this.heap.timer(fire, mark, owner);
  }

  forget(owner: object): void {
    this.heap.forget(owner);
  }

  after(delay: Micros, fire: () => void): Timer {
    const timer = this.heap.timer(fire);
    timer.arm(delay);
    return timer;
  }
}
