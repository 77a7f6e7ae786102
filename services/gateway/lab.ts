/**
 * The lab as the gateway sees it: names resolved (with the closest known one proposed), every device's state asked for
 * at once, and what the supervisor says of the processes.
 */
import type { GatewayPlan } from '../../shared/device/config.ts';
import { EmuError } from '../../shared/device/errors.ts';
import type { ProcessState, ProcessStatus } from '../../shared/device/ipc.ts';
import type { DeviceState } from '../../shared/device/state-types.ts';
import type { DeviceKind, WirePlan } from '../../shared/lab/plan-types.ts';
import { assert } from '../../shared/platform.ts';
import type { DeviceDoor } from './device-link.ts';
import { Names, nameOf, proposal } from './names.ts';

export interface DeviceView {
  readonly name: string;
  readonly kind: DeviceKind;
  readonly index: number;
  readonly control: string;
  /** silent: its process runs, but does not answer. */
  readonly state: ProcessState | 'silent';
  readonly pid: number;
  /** How it ended, when it has. */
  readonly ended: string;
  /** What it says of itself; null when it does not answer. */
  readonly detail: DeviceState | null;
}

export interface WireView {
  readonly name: string;
  /** `alice:eth0`, the first-named end. */
  readonly a: string;
  readonly b: string;
  readonly carrierA: boolean;
  readonly carrierB: boolean;
  readonly plugged: boolean;
}

export interface LabView {
  readonly lab: string;
  readonly seed: number;
  readonly devices: readonly DeviceView[];
  readonly wires: readonly WireView[];
}

export class Lab {
  readonly plan: GatewayPlan;
  /** Unix time of lab time 0, microseconds. */
  readonly clockOrigin: number;
  readonly links: ReadonlyMap<string, DeviceDoor>;
  readonly names: Names;
  private readonly planned: ReadonlyMap<string, GatewayPlan['devices'][number]>;
  private statuses: ReadonlyMap<string, ProcessStatus> = new Map();

  constructor(plan: GatewayPlan, links: Iterable<DeviceDoor>, clockOrigin = 0) {
    this.plan = plan;
    this.clockOrigin = clockOrigin;
    this.names = new Names(plan);
    this.links = new Map([...links].map((link) => [link.name, link]));
    this.planned = new Map(plan.devices.map((device) => [device.name, device]));
  }

  setStatuses(statuses: readonly ProcessStatus[]): void {
    this.statuses = new Map(statuses.map((status) => [status.name, status]));
  }

  /** What the supervisor last said of a device's process; undefined when there is none, or no such device. */
  processState(device: string): ProcessState | undefined {
    return this.statuses.get(device)?.state;
  }

  link(device: string): DeviceDoor {
    const link = this.links.get(this.names.device(device));
    assert(link !== undefined, 'every device has a link');
    return link;
  }

  wire(target: string): WirePlan {
    return this.names.wire(target);
  }

  /** The ports that `alice:eth0,sw:p1`, `alice` or `all` mean, by device. */
  ports(asked: readonly string[]): Map<string, string[]> {
    const found = new Map<string, string[]>();
    const add = (device: string, port: string): void => {
      const ports = found.get(device) ?? [];
      if (!ports.includes(port)) ports.push(port);
      found.set(device, ports);
    };
    for (const word of asked) {
      if (word === 'all') {
        for (const wire of this.plan.wires) {
          add(wire.a.device, wire.a.port);
          add(wire.b.device, wire.b.port);
        }
        continue;
      }
      const [device = '', port] = word.split(':');
      const known = this.names.portsOf(device);
      if (port !== undefined && !known.includes(port)) {
        throw new EmuError('EMU_NO_PORT', `${device} has no port ${port}${proposal(port, known)}`);
      }
      for (const each of port === undefined ? known : [port]) add(device, each);
    }
    return found;
  }

  async view(): Promise<LabView> {
    const devices = await Promise.all(this.plan.devices.map((device) => this.viewOf(device.name)));
    // By name: a lab of a thousand wires is looked at over and over.
    const ports = new Map(
      devices.flatMap(({ name, detail }) =>
        (detail?.ports ?? []).map((port) => [nameOf({ device: name, port: port.name }), port] as const),
      ),
    );
    const wires = this.plan.wires.map((wire) => {
      const a = ports.get(nameOf(wire.a));
      const b = ports.get(nameOf(wire.b));
      return {
        name: wire.name,
        a: nameOf(wire.a),
        b: nameOf(wire.b),
        carrierA: a?.carrier ?? false,
        carrierB: b?.carrier ?? false,
        plugged: (a?.plugged ?? true) && (b?.plugged ?? true),
      };
    });
    return { lab: this.plan.lab, seed: this.plan.seed, devices, wires };
  }

  close(): void {
    for (const link of this.links.values()) link.close();
  }

  async viewOf(wanted: string): Promise<DeviceView> {
    const link = this.link(wanted);
    const device = this.planned.get(wanted);
    assert(device !== undefined, 'every link has a device');
    const status = this.statuses.get(device.name);
    const { name, kind, index, control } = device;
    const known = { name, kind, index, control, ended: status?.ended ?? '' };
    if (status !== undefined && status.state !== 'up') {
      return { ...known, state: status.state, pid: status.pid, detail: null };
    }
    try {
      const detail = await link.get<DeviceState>('/state');
      return { ...known, state: 'up', pid: detail.pid, detail };
    } catch {
      return { ...known, state: status === undefined ? 'dead' : 'silent', pid: status?.pid ?? 0, detail: null };
    }
  }
}
