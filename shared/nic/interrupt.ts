/**
 * The interrupt table: a card raises its line, the handler that its driver registered is found by number and run by the
 * CPU (napi.ts), and the counts are what /proc/interrupts shows.
 */
import type { Identified } from '../net/trace.ts';

/** Below it are the machine's own lines; PCI MSI vectors of cards start about here on a small x86 machine. */
const IRQ_FIRST = 24;

/** One line of the table. A line that is raised while masked stays pending until it is unmasked. */
export interface Irq {
  readonly number: number;
  /** What /proc/interrupts calls it: the device's name. */
  readonly name: string;
  readonly handler: () => void;
  /** The packet that waits first, so that a trace can say whose interrupt it was. */
  readonly identify: () => Identified | undefined;
  masked: boolean;
  pending: boolean;
  count: number;
}

export class InterruptTable {
  readonly lines: Irq[] = [];

  /** Register a handler on the next free line (request_irq). */
  request(name: string, handler: () => void, identify: () => Identified | undefined): Irq {
    const irq: Irq = {
      number: IRQ_FIRST + this.lines.length,
      name,
      handler,
      identify,
      masked: false,
      pending: false,
      count: 0,
    };
    this.lines.push(irq);
    return irq;
  }

  /** The first line that asks for service, lowest number first. */
  next(): Irq | undefined {
    for (const irq of this.lines) if (irq.pending && !irq.masked) return irq;
    return undefined;
  }

  /** /proc/interrupts of one CPU. */
  text(): string {
    const rows = this.lines.map(
      (irq) =>
        `${String(irq.number).padStart(4)}: ${String(irq.count).padStart(10)}   PCI-MSI-X-edge      ${irq.name}\n`,
    );
    return `           CPU0       \n${rows.join('')}`;
  }
}
