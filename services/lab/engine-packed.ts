/**
 * A whole lab in one process: every device built by its own device.ts, wires in memory, everything on the clock that is
 * handed in. What simulations run on: on a manual clock a run repeats exactly, and a lab second takes no time.
 */
import type { Device, DeviceParts } from '../../shared/device/device.ts';
import { DeviceClock, type SharedClock } from '../../shared/device/device-clock.ts';
import { nodePlatform } from '../../shared/device/platform.ts';
import { seededRandom } from '../../shared/device/random.ts';
import type { DeviceKind, DevicePlan, Impairment, LabPlan } from '../../shared/lab/plan-types.ts';
import type { Program } from '../../shared/net/syscalls.ts';
import { assert } from '../../shared/platform.ts';
import { type ImpairedWire, impaired } from '../../shared/wire/impair.ts';
import { type MemoryWireEnd, memoryWire } from '../../shared/wire/memory-wire.ts';
import type { Wire } from '../../shared/wire/wire.ts';
import { SILENT_LISTENER } from '../../shared/wire/wire-end.ts';
import { build as buildDns } from '../dns/device.ts';
import { build as buildHost } from '../host/device.ts';
import { build as buildRouter } from '../router/device.ts';
import { build as buildSwitch } from '../switch/device.ts';

const BUILDERS: Readonly<Record<DeviceKind, (plan: DevicePlan, parts: DeviceParts) => Device>> = {
  host: buildHost,
  switch: buildSwitch,
  router: buildRouter,
  dns: buildDns,
};

export interface PackedOptions {
  readonly clock: SharedClock;
  /** What resident programs print. */
  readonly output?: (device: string, program: string, text: string) => void;
  /** Programs beside the built-in ones. */
  readonly programs?: ReadonlyMap<string, Program>;
}

const nameOf = (end: { readonly device: string; readonly port: string }): string => `${end.device}:${end.port}`;

export class PackedLab {
  readonly plan: LabPlan;
  readonly devices = new Map<string, Device>();
  /** Wire ends by port, `alice:eth0`, as the devices see them. */
  readonly ends = new Map<string, ImpairedWire>();
  private readonly cores = new Map<string, MemoryWireEnd>();
  /** What the lab file says of each end; a device that is switched on knows no faults. */
  private readonly planned = new Map<string, Impairment>();
  private readonly clocks = new Map<string, DeviceClock>();
  private readonly options: PackedOptions;

  constructor(plan: LabPlan, options: PackedOptions) {
    this.plan = plan;
    this.options = options;
    const { clock } = options;
    const seeds = new Map(plan.devices.map((device) => [device.name, device.seed]));
    const platform = nodePlatform();
    for (const wire of plan.wires) {
      const ends = memoryWire(clock, nameOf(wire.a), nameOf(wire.b));
      for (const [i, end] of [wire.a, wire.b].entries()) {
        // As in a process of its own: the sender's seed decides what happens to its frames.
        const seed = seeds.get(end.device) ?? plan.seed;
        const impairment = i === 0 ? wire.forward : wire.backward;
        const core = ends[i];
        assert(core !== undefined, 'a wire has two ends');
        this.cores.set(nameOf(end), core);
        this.planned.set(nameOf(end), impairment);
        this.ends.set(nameOf(end), impaired(core, { clock, platform, seed, impairment }));
      }
    }
    for (const device of plan.devices) this.build(device);
  }

  device(name: string): Device {
    const device = this.devices.get(name);
    assert(device !== undefined, `the lab has a device ${name}`);
    return device;
  }

  /** The wire end at a port, `alice:eth0`. */
  end(port: string): ImpairedWire {
    const end = this.ends.get(port);
    assert(end !== undefined, `a wire ends at ${port}`);
    return end;
  }

  unplug(port: string): void {
    this.end(port).unplug();
  }

  plug(port: string): void {
    this.end(port).plug();
  }

  /** down: its power is off. frozen: it stands still. */
  stateOf(name: string): 'up' | 'frozen' | 'dead' {
    if (!this.devices.has(name)) return 'dead';
    return this.clocks.get(name)?.frozen === true ? 'frozen' : 'up';
  }

  /** The power of a device goes: no packet says goodbye. */
  kill(name: string): void {
    const device = this.device(name);
    this.clocks.get(name)?.off();
    this.devices.delete(name);
    for (const phy of device.phys.values()) phy.detach();
    for (const [port, core] of this.cores) {
      if (!port.startsWith(`${name}:`)) continue;
      const end = this.end(port);
      end.attach(SILENT_LISTENER);
      core.powerOff();
      // What stood still is dead now, and comes back to listen.
      core.setFrozen(false);
      end.reset();
    }
    device.host.processes.programs = new Map();
  }

  /** A device is switched on again. */
  start(name: string): void {
    const plan = this.plan.devices.find((device) => device.name === name);
    assert(plan !== undefined && !this.devices.has(name), 'a device of the lab that is down');
    for (const [port, core] of this.cores) {
      if (!port.startsWith(`${name}:`)) continue;
      core.plug();
      core.setCut(false);
      this.end(port).set(this.planned.get(port) ?? {});
    }
    this.build(plan);
  }

  /** Let a device stand still, or go on. */
  freeze(name: string, frozen: boolean): void {
    const clock = this.clocks.get(name);
    if (frozen) clock?.freeze();
    else clock?.thaw();
    for (const [port, core] of this.cores) if (port.startsWith(`${name}:`)) core.setFrozen(frozen);
  }

  /** Sk_buffs alive in all devices: none when the lab has come to rest. */
  get skbsLive(): number {
    return [...this.devices.values()].reduce((sum, device) => sum + device.host.skbs.counters.live, 0);
  }

  stop(): void {
    for (const device of this.devices.values()) device.stop();
    for (const end of this.ends.values()) end.close();
  }

  private build(plan: DevicePlan): void {
    const { output } = this.options;
    const clock = new DeviceClock(this.options.clock);
    this.clocks.set(plan.name, clock);
    const wires = new Map<string, Wire>();
    for (const port of plan.ports) {
      this.cores.get(`${plan.name}:${port.name}`)?.powerOn();
      const end = this.ends.get(`${plan.name}:${port.name}`);
      if (end !== undefined) wires.set(port.name, end);
    }
    const parts: DeviceParts = {
      clock,
      random: seededRandom(plan.seed),
      platform: nodePlatform({ folder: this.plan.folder }),
      wires,
      ...(output === undefined ? {} : { output: (program, text) => output(plan.name, program, text) }),
    };
    const device = BUILDERS[plan.kind](plan, parts);
    const { programs } = this.options;
    if (programs !== undefined)
      device.host.processes.programs = new Map([...device.host.processes.programs, ...programs]);
    this.devices.set(plan.name, device);
  }
}
