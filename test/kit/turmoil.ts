/**
 * What is done to a device while frames come: an administrator with a bad day at its console, a CPU that is busy, a wire
 * that takes nothing. Each upheaval ends after a while, and then the device is as its lab file has it. All of it from a
 * seed: the same seed does the same to the same device before the same batch. (What there is: turmoil-list.ts)
 *
 * Interface: strike() begins one, now or never; end() stops all that stands in the way of coming to rest.
 */
import type { Device } from '../../shared/device/device.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';
import { type CpuCosts, cpuOf, NO_COSTS } from '../../shared/nic/napi.ts';
import {
  assert,
  type Clock,
  MILLISECOND,
  type Micros,
  type Random,
  SECOND,
  type Timer,
} from '../../shared/platform.ts';
import type { MemoryWireEnd } from '../../shared/wire/memory-wire.ts';
import { pick } from './mutate.ts';
import { settingsFor, type Upheaval, upheavalsFor } from './turmoil-list.ts';

/** More at once and nothing gets anywhere. */
const AT_ONCE_MAX = 3;
/** How long one lasts: in lab time a batch takes 0.4 s on average. */
const DURATIONS: readonly Micros[] = [MILLISECOND, 300 * MILLISECOND, 2 * SECOND, 10 * SECOND, 30 * SECOND];
/** A switch keeps a thousand frames for a wire that takes none. */
const STALLS: readonly Micros[] = [...DURATIONS, 300 * SECOND];
/** So slow that one burst fills a ring. */
const SLOW: CpuCosts = { irq: 50, poll: 20, packet: 2_000 };

export interface TurmoilOptions {
  readonly device: Device;
  readonly plan: DevicePlan;
  readonly clock: Clock;
  readonly random: Random;
  /** The device's own ends, by port. */
  readonly wires: ReadonlyMap<string, MemoryWireEnd>;
  /** What a program wrote to standard error. */
  readonly heard: (program: string, text: string) => void;
}

export class Turmoil {
  private readonly options: TurmoilOptions;
  private readonly upheavals: readonly Upheaval[];
  private readonly settings: readonly (readonly [name: string, value: string])[];
  private readonly ends = new Set<Timer>();
  private over = false;

  constructor(options: TurmoilOptions) {
    this.options = options;
    this.upheavals = upheavalsFor(options.plan);
    this.settings = settingsFor(options.plan);
  }

  strike(): void {
    const { random } = this.options;
    if (this.ends.size >= AT_ONCE_MAX) return;
    const port = pick(random, this.options.plan.ports).name;
    const kind = random.below(8);
    const lasts = pick(random, DURATIONS);
    if (kind === 0) this.busy(lasts);
    else if (kind === 1) this.stall(port, pick(random, STALLS));
    else if (kind < 5 && this.settings.length > 0) this.set(pick(random, this.settings), port, lasts);
    else this.upheave(pick(random, this.upheavals), port, lasts);
  }

  /** A CPU and wires that work again; what else is turned stays as it is, and the device must come to rest all the same. */
  end(): void {
    this.over = true;
    for (const timer of this.ends) timer.stop();
    this.ends.clear();
    cpuOf(this.options.device.host).configure(NO_COSTS);
    for (const wire of this.options.wires.values()) takes(wire, true);
  }

  private after(lasts: Micros, undo: () => void): void {
    const timer = this.options.clock.after(lasts, () => {
      this.ends.delete(timer);
      undo();
    });
    this.ends.add(timer);
  }

  private busy(lasts: Micros): void {
    const cpu = cpuOf(this.options.device.host);
    cpu.configure(SLOW);
    this.after(lasts, () => cpu.configure(NO_COSTS));
  }

  private stall(port: string, lasts: Micros): void {
    const wire = this.options.wires.get(port);
    assert(wire !== undefined, 'a wire at each port');
    takes(wire, false);
    this.after(lasts, () => takes(wire, true));
  }

  private set([name, value]: readonly [string, string], port: string, lasts: Micros): void {
    const { sysctl } = this.options.device.host;
    const key = name.replace('PORT', port);
    const before = sysctl.getText(key);
    assert(before !== undefined, `${key} exists`);
    assert(sysctl.set(key, value) === undefined, `${key} may be ${value}`);
    this.after(lasts, () => void sysctl.set(key, before));
  }

  private upheave({ lines, undo, slow, stalled }: Upheaval, port: string, lasts: Micros): void {
    void this.type(lines, port);
    if (slow === true) this.busy(lasts);
    if (stalled === true) this.stall(port, lasts / 2);
    this.after(lasts, () => void this.type(undo, port));
  }

  /** At the console, one after the other; some are in vain, as another upheaval was there first. */
  private async type(lines: readonly string[], port: string): Promise<void> {
    const { device, heard } = this.options;
    for (const line of lines) {
      if (this.over) return;
      const words = line.replaceAll('PORT', port);
      const stderr = (bytes: Uint8Array): void => heard(words, new TextDecoder().decode(bytes));
      await device.spawn(words.split(' '), { stdout: () => {}, stderr, cause: 0 })?.exited;
    }
  }
}

/** As an end over a socket says when too much waits in it, and again when it has gone. */
function takes(wire: MemoryWireEnd, ready: boolean): void {
  (wire as unknown as { setReady(ready: boolean): void }).setReady(ready);
}
