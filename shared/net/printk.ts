/**
 * The kernel's log (Linux: kernel/printk): what dmesg(1) shows. The network's lines are rationed as net_ratelimit()
 * does, ten every five seconds, so that a storm of bad packets cannot fill it. Left out: facilities, continuation lines.
 */
import { type Micros, SECOND } from '../platform.ts';
import type { Host } from './host.ts';

/** Lines kept; the oldest go first (Linux keeps 128 kB, about as many). */
const LINES_MAX = 1_024;
/** Linux: net.core.message_cost (seconds) and message_burst. */
const MESSAGE_COST = 5;
const MESSAGE_BURST = 10;

export const KERN = { EMERG: 0, ALERT: 1, CRIT: 2, ERR: 3, WARNING: 4, NOTICE: 5, INFO: 6, DEBUG: 7 } as const;

export interface LogLine {
  readonly at: Micros;
  readonly level: number;
  readonly text: string;
}

export class KernelLog {
  readonly lines: LogLine[] = [];
  private readonly host: Host;
  private readonly cost: { readonly value: number };
  private readonly burst: { readonly value: number };
  private begin: Micros = Number.NEGATIVE_INFINITY;
  private printed = 0;
  private missed = 0;

  constructor(host: Host) {
    this.host = host;
    this.cost = host.sysctl.number('net.core.message_cost', MESSAGE_COST, { min: 0 });
    this.burst = host.sysctl.number('net.core.message_burst', MESSAGE_BURST, { min: 0 });
  }

  print(level: number, text: string): void {
    if (this.lines.length >= LINES_MAX) this.lines.shift();
    this.lines.push({ at: this.host.clock.now() - this.host.bootedAt, level, text });
  }

  /** A line about a packet, unless there were too many lately. (Linux: net_warn_ratelimited) */
  rationed(level: number, text: () => string): void {
    if (this.ratelimit()) this.print(level, text());
  }

  clear(): void {
    this.lines.length = 0;
  }

  /** (Linux: ___ratelimit) */
  private ratelimit(): boolean {
    const interval = this.cost.value * SECOND;
    if (interval === 0) return true;
    const now = this.host.clock.now();
    if (now - this.begin > interval) {
      if (this.missed > 0) this.print(KERN.WARNING, `net_ratelimit: ${this.missed} callbacks suppressed`);
      this.missed = 0;
      this.begin = now;
      this.printed = 0;
    }
    if (this.printed < this.burst.value) {
      this.printed++;
      return true;
    }
    this.missed++;
    return false;
  }
}
