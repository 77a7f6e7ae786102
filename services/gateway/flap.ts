/** A wire that comes and goes: plugged in for a share of each period. */
import type { Micros } from '../../shared/platform.ts';

const MICROS_PER_MS = 1_000;

/** Call back after so much lab time; what it returns forgets it. */
export type Schedule = (delay: Micros, fire: () => void) => () => void;

/** Lab time runs with real time where devices are processes. */
export const realTime: Schedule = (delay, fire) => {
  const timer = setTimeout(fire, delay / MICROS_PER_MS);
  return () => clearTimeout(timer);
};

export class Flap {
  private readonly plugFor: Micros;
  private readonly pullFor: Micros;
  private readonly schedule: Schedule;
  private readonly swing: (plugged: boolean) => void;
  private cancel: () => void = () => {};
  private stopped = false;

  /** `period` in microseconds; `duty`, 0 to 1, the share of it with the plug in. */
  constructor(
    { period, duty }: { readonly period: Micros; readonly duty: number },
    schedule: Schedule,
    swing: (plugged: boolean) => void,
  ) {
    this.plugFor = Math.round(period * duty);
    // The rest of it: rounded by itself it would not come out even.
    this.pullFor = period - this.plugFor;
    this.schedule = schedule;
    this.swing = swing;
  }

  start(): void {
    this.turn(false);
  }

  stop(): void {
    this.stopped = true;
    this.cancel();
  }

  private turn(plugged: boolean): void {
    if (this.stopped) return;
    const time = plugged ? this.plugFor : this.pullFor;
    // A duty of 0 or 1 is a wire that stays out, or in.
    if (time > 0) this.swing(plugged);
    if (time > 0 && (plugged ? this.pullFor : this.plugFor) === 0) return;
    this.cancel = this.schedule(time, () => this.turn(!plugged));
  }
}
