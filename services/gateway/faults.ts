/**
 * Faults that are in force: which wires are unplugged and what the ends are impaired with. Kept here, beside the devices
 * that carry them out, so that a device that comes back gets them again; and so that those of a session end with it.
 */
import { EmuError } from '../../shared/device/errors.ts';
import type { Impairment, WirePlan } from '../../shared/lab/plan-types.ts';
import type { Lab, PortRef } from './lab.ts';
import { nameOf } from './lab.ts';

export interface PlugAnswer {
  readonly wire: string;
  readonly plugged: boolean;
  /** Carrier at each end once it is done; an end whose device is down has none. */
  readonly carrier: Readonly<Record<string, boolean>>;
}

export class Faults {
  private readonly lab: Lab;
  private readonly unplugged = new Set<string>();
  private readonly impaired = new Map<string, Impairment>();

  constructor(lab: Lab) {
    this.lab = lab;
  }

  /** Pull the plug of the wire that `target` means (a port's or its own name). Carrier goes at both ends. */
  async unplug(target: string): Promise<PlugAnswer> {
    const wire = this.lab.wire(target);
    const answer = await this.setPlug(wire, false);
    this.unplugged.add(wire.name);
    return answer;
  }

  async plug(target: string): Promise<PlugAnswer> {
    const wire = this.lab.wire(target);
    this.unplugged.delete(wire.name);
    return await this.setPlug(wire, true);
  }

  /** A port: what it sends. A wire: both ways. An empty impairment ends it. */
  async impair(target: string, impairment: Impairment): Promise<{ ports: string[] }> {
    const wire = this.lab.wire(target);
    const wanted = target.replace(/\s+/g, '');
    const ends = [wire.a, wire.b].filter((end) => wanted.includes('--') || nameOf(end) === wanted);
    for (const end of ends) {
      await this.lab.link(end.device).post(`/ports/${end.port}/impair`, impairment);
      this.impaired.set(nameOf(end), impairment);
    }
    return { ports: ends.map(nameOf) };
  }

  /** What the end was impaired with, for whoever puts it back. */
  egressOf(end: PortRef): Impairment {
    const wire = this.lab.wire(nameOf(end));
    const planned = nameOf(wire.a) === nameOf(end) ? wire.forward : wire.backward;
    return this.impaired.get(nameOf(end)) ?? planned;
  }

  isUnplugged(target: string): boolean {
    return this.unplugged.has(this.lab.wire(target).name);
  }

  /** A device came back: what was in force at its ports is in force again. */
  async reapply(device: string): Promise<void> {
    for (const wire of this.lab.plan.wires) {
      for (const end of [wire.a, wire.b].filter((each) => each.device === device)) {
        const link = this.lab.link(device);
        const impairment = this.impaired.get(nameOf(end));
        if (impairment !== undefined) await link.post(`/ports/${end.port}/impair`, impairment).catch(() => {});
        if (this.unplugged.has(wire.name)) await link.post(`/ports/${end.port}/unplug`).catch(() => {});
      }
    }
  }

  /** Both ends carry it out, so that either device may be down or come back meanwhile. */
  private async setPlug(wire: WirePlan, plugged: boolean): Promise<PlugAnswer> {
    const verb = plugged ? 'plug' : 'unplug';
    const ends = [wire.a, wire.b];
    const results = await Promise.allSettled(
      ends.map((end) => this.lab.link(end.device).post<{ carrier: boolean }>(`/ports/${end.port}/${verb}`)),
    );
    if (results.every((result) => result.status === 'rejected')) {
      throw new EmuError('EMU_DEVICE_DOWN', `both devices of ${wire.name} are down`);
    }
    const carrier = ends.map((end, i) => {
      const result = results[i];
      return [nameOf(end), result?.status === 'fulfilled' && result.value.carrier] as const;
    });
    return { wire: wire.name, plugged, carrier: Object.fromEntries(carrier) };
  }
}

/** Faults of one session: each is healed when the session ends, the latest first. */
export class Lease {
  private readonly faults: Faults;
  private readonly heals: (() => Promise<unknown>)[] = [];

  constructor(faults: Faults) {
    this.faults = faults;
  }

  async unplug(target: string): Promise<PlugAnswer> {
    const was = this.faults.isUnplugged(target);
    const answer = await this.faults.unplug(target);
    if (!was) this.heals.push(() => this.faults.plug(target));
    return answer;
  }

  async impair(lab: Lab, target: string, impairment: Impairment): Promise<{ ports: string[] }> {
    const wire = lab.wire(target);
    const before = [wire.a, wire.b].map((end) => [nameOf(end), this.faults.egressOf(end)] as const);
    const answer = await this.faults.impair(target, impairment);
    for (const [port, egress] of before.filter(([name]) => answer.ports.includes(name))) {
      this.heals.push(() => this.faults.impair(port, egress));
    }
    return answer;
  }

  async end(): Promise<void> {
    for (let heal = this.heals.pop(); heal !== undefined; heal = this.heals.pop()) {
      await heal().catch(() => {});
    }
  }
}
