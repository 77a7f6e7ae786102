/** Names in a lab: what a device, a port or a wire is called by people, and the closest one for a name that nothing has. */
import { EmuError } from '../../shared/device/errors.ts';
import { closest } from '../../shared/lab/closest.ts';
import type { WirePlan } from '../../shared/lab/plan-types.ts';

export interface PortRef {
  readonly device: string;
  readonly port: string;
}

export const nameOf = (port: PortRef): string => `${port.device}:${port.port}`;

export interface NamedLab {
  readonly devices: readonly { readonly name: string; readonly ports: readonly string[] }[];
  readonly wires: readonly WirePlan[];
}

export class Names {
  private readonly ports: ReadonlyMap<string, readonly string[]>;
  private readonly wires: readonly WirePlan[];

  constructor({ devices, wires }: NamedLab) {
    this.ports = new Map(devices.map(({ name, ports }) => [name, ports]));
    this.wires = wires;
  }

  /** The name, when a device has it. */
  device(name: string): string {
    if (this.ports.has(name)) return name;
    throw new EmuError('EMU_NO_DEVICE', `no device is called ${name}${proposal(name, this.ports.keys())}`);
  }

  portsOf(device: string): readonly string[] {
    return this.ports.get(this.device(device)) ?? [];
  }

  /** The wire that a port or a wire's own name means. Blanks do not count, and the ends may stand in either order. */
  wire(target: string): WirePlan {
    const wanted = target.replace(/\s+/g, '');
    const swapped = wanted.split('--').reverse().join('--');
    const { wires } = this;
    const found = wires.find(
      (wire) => wire.name === wanted || wire.name === swapped || nameOf(wire.a) === wanted || nameOf(wire.b) === wanted,
    );
    if (found !== undefined) return found;
    const ports = [...this.ports].flatMap(([name, ports]) => ports.map((port) => `${name}:${port}`));
    if (ports.includes(wanted)) throw new EmuError('EMU_NOT_WIRED', `${wanted} has no wire`);
    if (wanted.includes('--')) {
      // The end that is wrong says more than the whole.
      for (const end of wanted.split('--')) if (!ports.includes(end)) throw this.noPort(end, ports);
      const known = wires.map((wire) => wire.name);
      throw new EmuError('EMU_NO_WIRE', `no wire is called ${wanted}${proposal(wanted, known)}`);
    }
    throw this.noPort(wanted, ports);
  }

  /** The ends that a port, or a wire, means. */
  ends(target: string): readonly PortRef[] {
    const wire = this.wire(target);
    const wanted = target.replace(/\s+/g, '');
    return [wire.a, wire.b].filter((end) => wanted.includes('--') || nameOf(end) === wanted);
  }

  private noPort(wanted: string, ports: readonly string[]): EmuError {
    const [device = ''] = wanted.split(':');
    const known = this.ports.get(device);
    if (known === undefined) this.device(device);
    // A device alone: any of its ports may be meant.
    const near = wanted === device ? known?.map((port) => `${device}:${port}`).slice(0, 1) : undefined;
    const hint = near?.[0] === undefined ? proposal(wanted, ports) : `; did you mean ${near[0]}?`;
    return new EmuError('EMU_NO_PORT', `no port is called ${wanted}${hint}`);
  }
}

export function proposal(word: string, known: Iterable<string>): string {
  const near = closest(word, known);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
