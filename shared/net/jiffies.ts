/**
 * The kernel's tick: timers of TCP run on jiffies, HZ of them a second, and never early (Linux: mod_timer, the timer wheel's
 * first level). `wirelab.hz` says how many; a kernel has it fixed when it is built.
 * Left out: the coarser levels of the wheel, by which a long timer may be up to an eighth of its length late.
 */
import type { Micros, Timer } from '../platform.ts';
import type { Host } from './host.ts';
import type { SysctlEntry } from './sysctl.ts';

const HZ_DEFAULT = 1_000;
const HZ_KNOWN: readonly number[] = [100, 250, 300, 1_000];

export class Jiffies implements SysctlEntry {
  hz = HZ_DEFAULT;
  /** Length of one. */
  tick: Micros = 1_000_000 / HZ_DEFAULT;

  read(): string {
    return String(this.hz);
  }

  write(text: string): 'EINVAL' | undefined {
    const hz = Number(text.trim());
    if (!HZ_KNOWN.includes(hz)) return 'EINVAL';
    this.hz = hz;
    this.tick = 1_000_000 / hz;
    return undefined;
  }

  /** A time in whole jiffies, rounded up (usecs_to_jiffies). */
  whole(time: Micros): Micros {
    return Math.round(Math.ceil(time / this.tick) * this.tick);
  }

  /** How long a timer armed at `now` for `delay` takes: whole ticks, and the one under way does not count. */
  delay(now: Micros, delay: Micros): Micros {
    const { tick } = this;
    return Math.round((Math.floor(now / tick) + Math.ceil(delay / tick) + 1) * tick) - now;
  }
}

/** A timer of the host that fires on a tick. */
export class JiffyTimer implements Timer {
  private readonly host: Host;
  private readonly timer: Timer;

  constructor(host: Host, name: string, fire: () => void) {
    this.host = host;
    this.timer = host.softTimer(name, fire);
  }

  arm(delay: Micros): void {
    const { jiffies, clock } = this.host;
    this.timer.arm(jiffies.delay(clock.now(), delay));
  }

  stop(): void {
    this.timer.stop();
  }

  get armed(): boolean {
    return this.timer.armed;
  }

  get deadline(): Micros {
    return this.timer.deadline;
  }
}
