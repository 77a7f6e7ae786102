/** A wire that comes and goes: plugged in for a share of each period. Lab time runs with real time here. */

const MICROS_PER_MS = 1_000;

export class Flap {
  private readonly plugMs: number;
  private readonly pullMs: number;
  private readonly swing: (plugged: boolean) => void;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  /** `period` in microseconds; `duty`, 0 to 1, the share of it with the plug in. */
  constructor({ period, duty }: { readonly period: number; readonly duty: number }, swing: (plugged: boolean) => void) {
    this.plugMs = (period * duty) / MICROS_PER_MS;
    this.pullMs = (period * (1 - duty)) / MICROS_PER_MS;
    this.swing = swing;
  }

  start(): void {
    this.turn(false);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private turn(plugged: boolean): void {
    if (this.stopped) return;
    const ms = plugged ? this.plugMs : this.pullMs;
    // A duty of 0 or 1 is a wire that stays out, or in.
    if (ms > 0) this.swing(plugged);
    const other = plugged ? this.pullMs : this.plugMs;
    if (ms > 0 && other === 0) return;
    this.timer = setTimeout(() => this.turn(!plugged), ms);
  }
}
