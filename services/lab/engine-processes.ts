/**
 * The default engine: an operating-system process per device, and the gateway. Everything is spawned at once; a device
 * that dies is shown as dead and left so; `start` brings it back on its port, and its wires dial again by themselves.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { GatewayPlan } from '../../shared/device/config.ts';
import { bodyOf, EmuError } from '../../shared/device/errors.ts';
import type { LifecycleVerb, ToSupervisor } from '../../shared/device/ipc.ts';
import { logFolder } from '../../shared/device/running-lab.ts';
import { slices } from '../../shared/lab/plan.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import { Child, type ChildEvents } from './child.ts';
import { startOrder } from './start-order.ts';

/** The gateway is started again when it dies by itself, but not for ever. */
const GATEWAY_STARTS_MAX = 5;
/** Real time for every wire to have carrier once all devices are up: wires dial at most 2 s apart. */
const CARRIER_MS_MAX = 15_000;
/** Real time for a device that was started to have its wires again: the far ends dial about 2 s apart at most. */
const REJOIN_MS_MAX = 3_500;
const TOKEN_BYTES = 24;
const LOOPBACK = '127.0.0.1';

export interface EngineOptions {
  readonly plan: LabPlan;
  /** The gateway's port first, then one for each device. */
  readonly ports: readonly number[];
  /** Folder of state files. */
  readonly runtime: string;
  readonly clockOrigin: number;
}

export interface EngineListener {
  onReady(device: string, count: number): void;
  onDied(device: string, how: string): void;
  /** `again`: it is being started anew. */
  onGatewayDied(how: string, again: boolean): void;
  /** Somebody asked for the lab to go down, through the gateway. */
  onDown(): void;
}

export function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

export class ProcessEngine {
  readonly token = newToken();
  private readonly plan: LabPlan;
  private readonly ports: readonly number[];
  private readonly listener: EngineListener;
  private readonly gateway: Child;
  private readonly devices: ReadonlyMap<string, Child>;
  private readonly carriers = new Map<string, boolean>();
  /** Who waits for carriers. */
  private readonly watchers = new Set<() => void>();
  private gatewayStarts = 0;
  private readyCount = 0;
  private stopping = false;

  constructor(options: EngineOptions, listener: EngineListener) {
    const { plan, ports, runtime } = options;
    this.plan = plan;
    this.ports = ports;
    this.listener = listener;
    const events: ChildEvents = {
      onMessage: (child, message) => this.onMessage(child, message),
      onState: (child) => this.onState(child),
    };
    const common = {
      WIRELAB_TOKEN: this.token,
      WIRELAB_CLOCK_ORIGIN: String(options.clockOrigin),
      WIRELAB_FOLDER: plan.folder,
      ...(process.env['WIRELAB_LOG'] === undefined ? {} : { WIRELAB_LOG: process.env['WIRELAB_LOG'] }),
    };
    const logs = logFolder(runtime, plan.name);
    const child = (name: string, kind: string, port: number, own: Record<string, string>): Child =>
      new Child(
        {
          name,
          kind,
          environment: { ...common, WIRELAB_LISTEN: `${LOOPBACK}:${port}`, ...own },
          log: join(logs, logName(name, kind)),
        },
        events,
      );
    const portOf = new Map(plan.devices.map((device, i) => [device.name, ports[i + 1] ?? 0]));
    const plans = slices(plan, (device) => `ws://${LOOPBACK}:${portOf.get(device)}`);
    this.devices = new Map(
      plan.devices.map(({ name, kind }) => [
        name,
        child(name, kind, portOf.get(name) ?? 0, { WIRELAB_DEVICE: JSON.stringify(plans.get(name)) }),
      ]),
    );
    this.gateway = child(GATEWAY, 'gateway', ports[0] ?? 0, {
      WIRELAB_GATEWAY: JSON.stringify(gatewayPlan(plan, portOf)),
      WIRELAB_RUNTIME: runtime,
      WIRELAB_SUPERVISOR: String(process.pid),
    });
  }

  get gatewayUrl(): string {
    return `http://${LOOPBACK}:${this.ports[0]}`;
  }

  /** Resolves when every device serves and every wire has carrier; on failure everything is ended again. */
  async start(): Promise<void> {
    try {
      const inOrder = startOrder(this.plan).flatMap((name) => this.devices.get(name) ?? []);
      const children = [this.gateway, ...inOrder];
      this.gatewayStarts++;
      const results = await Promise.allSettled(children.map((child) => this.startOne(child)));
      const failed = results
        .filter((result) => result.status === 'rejected')
        .map((result) => String(result.reason.message));
      if (failed.length > 0) throw new EmuError('EMU_FAILED', failed.join('\n'));
      await this.allCarriers();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** The devices' processes, 0 for one that does not run. */
  get pids(): readonly number[] {
    return [...this.devices.values()].map((child) => child.pid);
  }

  /** Wire ends that have no carrier, `alice:eth0`. */
  darkEnds(): string[] {
    const ends = this.plan.wires.flatMap(({ a, b }) => [`${a.device}:${a.port}`, `${b.device}:${b.port}`]);
    return ends.filter((end) => this.carriers.get(end) !== true);
  }

  async lifecycle(verb: LifecycleVerb, name: string): Promise<void> {
    const child = this.devices.get(name);
    if (child === undefined) throw new EmuError('EMU_NO_DEVICE', `no device is called ${name}`);
    if (verb !== 'start' && verb !== 'restart' && child.pid === 0) {
      throw new EmuError('EMU_DEVICE_DOWN', `${name} is not up (${child.state})`);
    }
    if (verb === 'freeze' || verb === 'thaw') return child.freeze(verb === 'freeze');
    if (verb === 'kill') await child.end('kill');
    if (verb === 'stop' || verb === 'restart') await child.end('stop');
    if (verb === 'start' || verb === 'restart') {
      await child.start();
      // Back in the lab is more than running. A wire that is unplugged stays dark: nobody waits for that for long.
      await this.carriersOf((dark) => !dark.some((end) => this.touches(end, name)), REJOIN_MS_MAX);
    }
  }

  /** A wire end of the device, or the far end of one of its wires whose device runs. */
  private touches(end: string, name: string): boolean {
    return this.plan.wires.some(({ a, b }) => {
      const other = a.device === name ? b : b.device === name ? a : undefined;
      if (other === undefined || this.devices.get(other.device)?.pid === 0) return false;
      return end === `${a.device}:${a.port}` || end === `${b.device}:${b.port}`;
    });
  }

  /** End every device, then the gateway. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.look();
    await Promise.all([...this.devices.values()].map((child) => child.end('stop')));
    await this.gateway.end('stop');
    for (const child of [this.gateway, ...this.devices.values()]) child.log.close();
  }

  private async startOne(child: Child): Promise<void> {
    await child.start();
    this.readyCount++;
    this.listener.onReady(child.name, this.readyCount);
  }

  private async allCarriers(): Promise<void> {
    const fallen = (): Child | undefined => [...this.devices.values()].find(({ state }) => state === 'dead');
    const lit = await this.carriersOf((dark) => dark.length === 0 || fallen() !== undefined, CARRIER_MS_MAX);
    const dead = fallen();
    if (dead !== undefined) throw new EmuError('EMU_FAILED', `${dead.name} did not start: ${dead.ended}`);
    if (lit) return;
    throw new EmuError('EMU_FAILED', `no carrier within ${CARRIER_MS_MAX / 1_000} s at ${this.darkEnds().join(', ')}`);
  }

  /** Wait for the ends without carrier to be as wanted: false when that took too long, or the lab goes down. */
  private carriersOf(wanted: (dark: readonly string[]) => boolean, milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.stopping) end(false);
        else if (wanted(this.darkEnds())) end(true);
      };
      const end = (answer: boolean): void => {
        clearTimeout(late);
        this.watchers.delete(look);
        resolve(answer);
      };
      const late = setTimeout(() => end(false), milliseconds);
      this.watchers.add(look);
      look();
    });
  }

  private onMessage(child: Child, message: ToSupervisor): void {
    switch (message.type) {
      case 'carrier':
        this.carriers.set(`${child.name}:${message.port}`, message.up);
        return this.look();
      case 'lifecycle':
        void this.lifecycle(message.verb, message.device).then(
          () => child.tell({ type: 'answer', id: message.id }),
          (error) => child.tell({ type: 'answer', id: message.id, error: bodyOf(error) }),
        );
        return;
      case 'down':
        return this.listener.onDown();
      case 'ready':
        if (child === this.gateway) this.tellStatus();
        return;
      case 'failed':
        return;
    }
  }

  private onState(child: Child): void {
    const down = child.state === 'dead' || child.state === 'stopped';
    if (down)
      for (const end of this.carriers.keys()) if (end.startsWith(`${child.name}:`)) this.carriers.set(end, false);
    if (child === this.gateway) {
      if (child.state === 'dead' && !this.stopping) this.restartGateway();
      return;
    }
    this.tellStatus();
    if (child.state !== 'dead' || this.stopping) return;
    this.listener.onDied(child.name, child.ended);
    this.look();
  }

  /** Whoever waits for carriers looks again. */
  private look(): void {
    for (const look of [...this.watchers]) look();
  }

  private restartGateway(): void {
    const again = this.readyCount > 0 && this.gatewayStarts < GATEWAY_STARTS_MAX;
    this.listener.onGatewayDied(this.gateway.ended, again);
    if (!again) return;
    this.gatewayStarts++;
    this.gateway.start().catch(() => {
      // It died again: onState has been told.
    });
  }

  private tellStatus(): void {
    this.gateway.tell({ type: 'status', devices: [...this.devices.values()].map((child) => child.status) });
  }
}

/** How the gateway's process is called where devices' are. */
export const GATEWAY = 'gateway';

function gatewayPlan(plan: LabPlan, portOf: ReadonlyMap<string, number>): GatewayPlan {
  return {
    lab: plan.name,
    seed: plan.seed,
    devices: plan.devices.map(({ name, kind, role, index, ports }) => ({
      name,
      kind,
      role,
      index,
      control: `http://${LOOPBACK}:${portOf.get(name)}`,
      ports: ports.map((port) => port.name),
    })),
    wires: plan.wires,
  };
}

/** A device may be called gateway, too; no device's name starts with an underscore. */
export function logName(name: string, kind: string): string {
  return `${kind === GATEWAY ? '_' : ''}${name}.log`;
}
