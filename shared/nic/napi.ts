/**
 * The CPU as cards and drivers see it: hard interrupts, and the softirq that polls (NAPI). (Linux: softirq.c, dev.c)
 *
 *   card raises its line -> handler masks it and schedules NAPI -> at interrupt exit the softirq polls, 64 packets a
 *   device in turn, 300 a round or 2 jiffies -> a poll that comes back short unmasks the line. After 10 rounds or 2 ms
 *   of one softirq the rest is ksoftirqd's, which lets everything else go first.
 *
 * Without a cost model all of that happens in the instant in which the card raises the line, and cards never overrun:
 * they let the CPU run before their ring is full. With one (`cpu: { irq, poll, packet }`, microseconds of lab time; a
 * model, not a measurement) the CPU is busy meanwhile, frames pile up in the ring, and overruns, squeezed budgets and
 * interrupt storms are real.
 */
import type { Host, SoftnetCounters } from '../net/host.ts';
import type { Micros, Timer } from '../platform.ts';
import { InterruptTable, type Irq } from './interrupt.ts';

/** Linux: NAPI_POLL_WEIGHT. */
export const NAPI_WEIGHT = 64;
/** Linux: MAX_SOFTIRQ_RESTART, MAX_SOFTIRQ_TIME. */
const SOFTIRQ_ROUNDS_MAX = 10;
const SOFTIRQ_MICROS_MAX: Micros = 2_000;

export interface CpuCosts {
  readonly irq: Micros;
  readonly poll: Micros;
  readonly packet: Micros;
}

export const NO_COSTS: CpuCosts = { irq: 0, poll: 0, packet: 0 };

/** A driver's place in the poll list. */
export interface Napi {
  readonly name: string;
  /** Packets at most in one poll. */
  readonly weight: number;
  /** Handle at most `budget` received packets; how many there were. */
  poll(budget: number): number;
  /** The poll came back short: unmask the line, and raise it again for what came meanwhile (napi_complete_done). */
  complete(): void;
  scheduled: boolean;
}

export class Cpu {
  readonly interrupts = new InterruptTable();
  readonly softnet: SoftnetCounters;
  private costs: CpuCosts = NO_COSTS;
  private readonly host: Host;
  private readonly timer: Timer;
  private readonly pollList: Napi[] = [];
  private running = false;
  /** The round under way: packets left, and when it began; -1 when there is none. */
  private budget = -1;
  private roundStart: Micros = 0;
  /** The softirq under way: rounds so far, and when it began. */
  private rounds = 0;
  private softirqStart: Micros = 0;
  /** What is left is ksoftirqd's, and it has not run yet. */
  private deferred = false;
  /** ksoftirqd runs, until the poll list is empty. */
  private inKsoftirqd = false;

  constructor(host: Host) {
    this.host = host;
    this.softnet = host.softnet;
    this.timer = host.clock.timer(() => this.onTimer());
  }

  configure(costs: CpuCosts): void {
    this.costs = costs;
  }

  /** Whether work takes lab time, so that a ring may truly fill up. */
  get costed(): boolean {
    return this.costs.irq > 0 || this.costs.poll > 0 || this.costs.packet > 0;
  }

  /** A card raises its line. The handler runs at the end of this instant, or when somebody lets the CPU run. */
  raise(irq: Irq): void {
    irq.pending = true;
    if (!irq.masked && !this.running && !this.timer.armed) this.timer.arm(0);
  }

  unmask(irq: Irq): void {
    irq.masked = false;
    if (irq.pending && !this.running && !this.timer.armed) this.timer.arm(0);
  }

  /** Put a driver on the poll list and raise the softirq (napi_schedule). */
  schedule(napi: Napi): void {
    if (napi.scheduled) return;
    napi.scheduled = true;
    this.pollList.push(napi);
  }

  /** Let the CPU work now, if it costs nothing: a card's burst has ended or its ring fills up. */
  runNow(): void {
    if (this.running || this.costed) return;
    this.work(false);
  }

  /** A ring is full although work costs nothing: do all of it, ksoftirqd's share too, so that no frame is lost. */
  drain(): void {
    if (this.running || this.costed) return;
    this.work(true);
    while (this.deferred) this.work(true);
  }

  private onTimer(): void {
    if (!this.running) this.work(this.deferred);
  }

  /** Interrupts first, then the softirq, until there is nothing to do, time must pass, or ksoftirqd takes over. */
  private work(ksoftirqd: boolean): void {
    const { trace } = this.host;
    const { context } = trace;
    this.running = true;
    if (ksoftirqd) {
      this.deferred = false;
      this.inKsoftirqd = true;
      this.rounds = 0;
      this.softirqStart = this.host.clock.now();
    }
    let wait: Micros = 0;
    for (;;) {
      const irq = this.interrupts.next();
      if (irq !== undefined) {
        trace.context = 'hardirq';
        wait = this.serve(irq);
      } else if (this.pollList.length > 0 && !this.deferred) {
        trace.context = this.inKsoftirqd ? 'ksoftirqd' : 'softirq';
        wait = this.pollOne();
      } else break;
      if (wait > 0) break;
    }
    trace.context = context;
    this.running = false;
    if (wait > 0 || this.deferred) this.timer.arm(wait);
  }

  /** Run a line's handler (handle_irq_event). */
  private serve(irq: Irq): Micros {
    irq.pending = false;
    irq.count++;
    const { trace } = this.host;
    if (trace.on) trace.point('irq_handler_entry', irq.identify(), { irq: irq.number, dev: irq.name });
    irq.handler();
    return this.costs.irq;
  }

  /** One device's poll, and what it does to the round's budget (net_rx_action, napi_poll). */
  private pollOne(): Micros {
    const now = this.host.clock.now();
    if (this.budget < 0) {
      this.budget = this.host.devices.budget.value;
      this.host.softirqs.NET_RX++;
      this.roundStart = now;
      if (this.rounds === 0) this.softirqStart = now;
    }
    const napi = this.pollList.shift()!;
    const weight = Math.min(napi.weight, Math.max(1, this.budget));
    const work = napi.poll(weight);
    this.softnet.processed += work;
    this.budget -= work;
    if (work < weight) {
      napi.scheduled = false;
      napi.complete();
    } else {
      this.pollList.push(napi);
    }
    if (this.pollList.length === 0) this.endRound(false);
    else if (this.budget <= 0 || this.host.clock.now() - this.roundStart >= this.host.devices.budgetMicros.value)
      this.endRound(true);
    return this.costs.poll + work * this.costs.packet;
  }

  private endRound(squeezed: boolean): void {
    this.budget = -1;
    if (!squeezed) {
      this.rounds = 0;
      this.inKsoftirqd = false;
      return;
    }
    this.softnet.timeSqueeze++;
    this.rounds++;
    const tooLong = this.host.clock.now() - this.softirqStart >= SOFTIRQ_MICROS_MAX;
    if (this.rounds < SOFTIRQ_ROUNDS_MAX && !tooLong) return;
    this.softnet.ksoftirqd++;
    this.deferred = true;
  }
}

const cpus = new WeakMap<Host, Cpu>();

/** The one CPU of a host; its files in /proc come with it. */
export function cpuOf(host: Host): Cpu {
  let cpu = cpus.get(host);
  if (cpu === undefined) {
    const made = new Cpu(host);
    cpu = made;
    cpus.set(host, made);
    host.procfs.register('/proc/interrupts', () => made.interrupts.text());
  }
  return cpu;
}
