/** A lab in a test, packed in this process: the devices of engine-packed.ts, and the gateway's faults over them. */
import type { WebSocket } from 'ws';
import type { Cables } from '../../../shared/device/cables.ts';
import { Captures } from '../../../shared/device/capture.ts';
import type { CaptureHello } from '../../../shared/device/capture-format.ts';
import { unknownProgram } from '../../../shared/device/console.ts';
import type { Device } from '../../../shared/device/device.ts';
import { EmuError } from '../../../shared/device/errors.ts';
import type { LifecycleVerb, ProcessStatus } from '../../../shared/device/ipc.ts';
import { stateOf } from '../../../shared/device/state.ts';
import type { Impairment, LabPlan } from '../../../shared/lab/plan-types.ts';
import type { DeviceDoor } from '../../gateway/device-link.ts';
import { downError, frozenError } from '../../gateway/exec.ts';
import { type FaultRequest, readFault } from '../../gateway/fault-request.ts';
import { type FaultAnswer, Faults } from '../../gateway/faults.ts';
import { type DeviceView, Lab, type LabView } from '../../gateway/lab.ts';
import { ledgerOf } from '../../gateway/ledger.ts';
import type { LedgerRow } from '../../gateway/ledger-row.ts';
import type { Names } from '../../gateway/names.ts';
import { type PortVerdicts, portsMeant } from '../../gateway/trouble-routes.ts';
import { PackedLab } from '../engine-packed.ts';
import { TEXT } from '../text.ts';
import type { CaptureStream, Driver, ProgramOutput, RunningProgramHandle } from './driver.ts';
import type { LabTime } from './lab-time.ts';
import type { LabOptions } from './types.ts';

const NO_GARBAGE: ReadonlyMap<string, number> = new Map();

/** A capture: it outlives the devices it looks at. */
interface Watch {
  readonly ports: ReadonlyMap<string, readonly string[]>;
  readonly send: (message: Uint8Array) => void;
  /** By device. */
  readonly stops: Map<string, () => void>;
}

export class PackedDriver implements Driver {
  readonly engine = 'packed';
  readonly dashboard = undefined;
  readonly packed: PackedLab;
  private readonly plan: LabPlan;
  readonly time: LabTime;
  private readonly lab: Lab;
  private readonly faults: Faults;
  private readonly captures = new WeakMap<Device, Captures>();
  private readonly watches = new Set<Watch>();
  /** What ends with a device: the programs that run there. */
  private readonly runs = new Map<string, Set<(error: Error) => void>>();

  constructor(plan: LabPlan, time: LabTime, options: Pick<LabOptions, 'output' | 'programs'>) {
    this.plan = plan;
    this.time = time;
    const { output, programs } = options;
    this.packed = new PackedLab(plan, { clock: time.clock, ...(output && { output }), ...(programs && { programs }) });
    const devices = plan.devices.map(({ name, kind, role, index, ports }) => ({
      name,
      kind,
      role,
      index,
      control: '',
      ports: ports.map((port) => port.name),
    }));
    this.lab = new Lab(
      { lab: plan.name, seed: plan.seed, devices, wires: plan.wires },
      plan.devices.map(({ name }) => new PackedDoor(this.packed, name)),
      time.clock.epoch,
    );
    const schedule = (delay: number, fire: () => void) => {
      const timer = time.clock.after(delay, fire);
      return () => timer.stop();
    };
    this.faults = new Faults(this.lab, { request: async (verb, device) => this.lifecycle(verb, device) }, schedule);
  }

  get name(): string {
    return this.plan.name;
  }
  get seed(): number {
    return this.plan.seed;
  }
  get devices(): readonly string[] {
    return this.plan.devices.map((device) => device.name);
  }
  get names(): Names {
    return this.lab.names;
  }

  now(): number {
    return this.time.clock.now();
  }

  sleep(micros: number): Promise<void> {
    return this.time.sleep(micros);
  }

  during<T>(work: Promise<T>): Promise<T> {
    return this.time.during(work);
  }

  run(name: string, argv: readonly string[], output: ProgramOutput): RunningProgramHandle {
    this.lab.link(name);
    const device = this.packed.devices.get(name);
    if (device === undefined) throw downError(name);
    if (this.packed.stateOf(name) === 'frozen') throw frozenError(name);
    const { stdout, stderr } = output;
    const program = device.spawn(argv, {
      stdout: (bytes) => stdout(bytes),
      stderr: (bytes) => stderr(bytes),
      cause: 0,
    });
    if (program === undefined) {
      throw unknownProgram(device, argv[0] ?? '');
    }
    program.end();
    return { exit: this.untilDown(name, program.exited), kill: (signal) => program.kill(signal) };
  }

  /** A program of a device that is killed never says how it ended. */
  private untilDown(device: string, exited: Promise<number>): Promise<number> {
    const runs = this.runs.get(device) ?? new Set();
    this.runs.set(device, runs);
    return new Promise((resolve, reject) => {
      runs.add(reject);
      void exited.then((status) => {
        runs.delete(reject);
        resolve(status);
      });
    });
  }

  state(): Promise<LabView> {
    this.tellStatuses();
    return this.lab.view();
  }

  device(name: string): Promise<DeviceView> {
    this.tellStatuses();
    return this.lab.viewOf(name);
  }

  private tellStatuses(): void {
    this.lab.setStatuses(
      this.devices.map((name): ProcessStatus => ({ name, state: this.packed.stateOf(name), pid: 0, ended: '' })),
    );
  }

  async ledger(): Promise<readonly LedgerRow[]> {
    return ledgerOf(await this.state());
  }

  async fault(request: FaultRequest): Promise<FaultAnswer> {
    // Values go through the same door as on the other engines.
    const read = readFault(request);
    if (Array.isArray(read)) throw new EmuError('EMU_BAD_REQUEST', read.join('; '));
    return await this.faults.add(read, 1);
  }

  endFault(fault: number): Promise<void> {
    return this.faults.remove(fault);
  }

  async plug(target: string): Promise<void> {
    await this.faults.plug(target);
  }

  async heal(target: string | undefined): Promise<readonly string[]> {
    await this.state();
    return await this.faults.heal(target);
  }

  async lifecycle(verb: LifecycleVerb, device: string): Promise<void> {
    this.lab.link(device);
    const { packed } = this;
    const up = packed.stateOf(device) !== 'dead';
    if (!up && verb !== 'start' && verb !== 'restart') throw new EmuError('EMU_DEVICE_DOWN', `${device} is not up`);
    if (verb === 'freeze' || verb === 'thaw') return packed.freeze(device, verb === 'freeze');
    if (up && verb === 'start') throw new EmuError('EMU_DEVICE_UP', `${device} is up already`);
    if (up) {
      packed.kill(device);
      for (const fail of this.runs.get(device) ?? [])
        fail(new EmuError('EMU_DEVICE_DOWN', TEXT.wentDown(device), { device }));
      this.runs.delete(device);
    }
    if (verb !== 'start' && verb !== 'restart') return;
    packed.start(device);
    for (const watch of this.watches) this.attach(watch, device);
    // Not awaited: it may be a fault's turn that asked.
    void this.faults.reapply(device);
  }

  async verdicts(target: string | undefined): Promise<readonly PortVerdicts[]> {
    return portsMeant(this.lab, target).map(({ device, port }) => {
      const name = `${device}:${port}`;
      return { port: name, ...this.packed.end(name).log.since(0) };
    });
  }

  /** One for all watchers of a device: it owns the taps of the ports. */
  private capturesOf(name: string): Captures {
    const device = this.packed.device(name);
    const known = this.captures.get(device);
    if (known !== undefined) return known;
    const captures = new Captures({
      deviceName: name,
      deviceIndex: device.plan.index,
      clock: this.time.clock,
      points: device.phys,
      verdictsOf: (port) => this.packed.ends.get(`${name}:${port}`)?.log,
    });
    this.captures.set(device, captures);
    return captures;
  }

  async capture(asked: readonly string[], onMessage: (message: Uint8Array) => void): Promise<CaptureStream> {
    const watch: Watch = { ports: this.lab.ports(asked), send: onMessage, stops: new Map() };
    this.watches.add(watch);
    for (const device of this.packed.devices.keys()) this.attach(watch, device);
    return {
      hello: { clockOrigin: this.time.clock.epoch, ports: [...watch.ports].flatMap((each) => this.helloOf(...each)) },
      drained: async () => {},
      stop: () => {
        this.watches.delete(watch);
        for (const stop of watch.stops.values()) stop();
      },
    };
  }

  /** A device that is switched on again is watched on. */
  private attach({ ports, send, stops }: Watch, device: string): void {
    const meant = ports.get(device);
    if (meant === undefined) return;
    stops.get(device)?.();
    stops.set(device, this.capturesOf(device).watch(meant, { send, backlog: 0 }, true));
  }

  /** The ports of a device by the numbers that its frames carry; it may be down. */
  private helloOf(device: string, ports: readonly string[]): CaptureHello['ports'] {
    const plan = this.plan.devices.find(({ name }) => name === device);
    const names = plan?.ports.map(({ name }) => name) ?? [];
    return ports.map((port) => ({ device: plan?.index ?? 0, port: names.indexOf(port), name: `${device}:${port}` }));
  }

  async close(): Promise<void> {
    this.faults.close();
    this.packed.stop();
    this.time.stop();
  }
}

/** A device in this process, reached as the gateway reaches one over its control server. */
class PackedDoor implements DeviceDoor {
  readonly name: string;
  private readonly packed: PackedLab;

  constructor(packed: PackedLab, name: string) {
    this.packed = packed;
    this.name = name;
  }

  async get<T>(_path: string): Promise<T> {
    return stateOf(this.device(), this.cables(), NO_GARBAGE) as T;
  }

  async post<T>(path: string, body: object = {}): Promise<T> {
    const port = /^\/ports\/([^/]+)\/trouble$/.exec(path)?.[1] ?? '';
    this.device();
    const end = this.packed.end(`${this.name}:${port}`);
    const { plugged, cut, impairment } = body as { plugged: boolean; cut: boolean; impairment: Impairment };
    if (plugged) end.plug();
    else end.unplug();
    end.setCut(cut);
    end.set(impairment);
    return { port, carrier: end.carrier, plugged, cut } as T;
  }

  socket(): WebSocket {
    throw new Error('a packed device has no sockets');
  }

  close(): void {}

  private device() {
    const device = this.packed.devices.get(this.name);
    if (device === undefined) throw new EmuError('EMU_DEVICE_DOWN', `${this.name} is not up`);
    return device;
  }

  private cables(): Cables {
    const end = (port: string) => this.packed.ends.get(`${this.name}:${port}`);
    return {
      wires: this.device().wires,
      impair: (port, impairment) => end(port)?.set(impairment),
      impairmentOf: (port) => end(port)?.impairment ?? {},
      countsOf: (port) => end(port)?.verdicts,
      verdictsOf: (port) => end(port)?.log,
      refusedAt: () => new Map(),
      upgrade: () => false,
      garbage: 0,
      close: () => {},
    };
  }
}
