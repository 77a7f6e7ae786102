/**
 * A lab in a test over its gateway: devices are processes of their own, or containers. Faults are held by one session,
 * so that they end with this process, however it ends.
 */
import { once } from 'node:events';
import type { RawData, WebSocket } from 'ws';
import type { CaptureHello } from '../../../shared/device/capture-format.ts';
import { STREAM_STDERR } from '../../../shared/device/console-protocol.ts';
import { EmuError, type EmuErrorBody } from '../../../shared/device/errors.ts';
import type { LifecycleVerb } from '../../../shared/device/ipc.ts';
import type { RunningLab } from '../../../shared/device/running-lab.ts';
import type { LabPlan } from '../../../shared/lab/plan-types.ts';
import type { FaultRequest } from '../../gateway/fault-request.ts';
import type { FaultAnswer } from '../../gateway/faults.ts';
import type { DeviceView, LabView } from '../../gateway/lab.ts';
import type { LedgerRow } from '../../gateway/ledger-row.ts';
import { Names } from '../../gateway/names.ts';
import type { PortVerdicts } from '../../gateway/trouble-routes.ts';
import { fromGateway, GatewayClient } from '../client.ts';
import { type DeviceFault, UNDO } from '../containers.ts';
import { TEXT } from '../text.ts';
import type { CaptureStream, Driver, ProgramOutput, RunningProgramHandle } from './driver.ts';
import { Sleepers } from './lab-time.ts';

const MICROS_PER_MS = 1_000;
/** Batches of a capture come every 10 ms, real time, through two processes. */
const DRAIN_MS = 60;

/** Also of a lab that is down by then. */
const drained = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, DRAIN_MS);
  });

export interface RemoteLab {
  readonly running: RunningLab;
  readonly plan: LabPlan;
  /** Verbs for which the gateway has no supervisor: containers are their engine's. */
  readonly lifecycle?: (verb: LifecycleVerb, device: string) => Promise<void>;
  /** Take it down. */
  readonly down: () => Promise<void>;
}

type Asked = { readonly fault: string } | { readonly heal: number };

export class RemoteDriver implements Driver {
  private readonly lab: RemoteLab;
  private readonly client: GatewayClient;
  private readonly session: WebSocket;
  private readonly waiting = new Map<number, { resolve(done: unknown): void; reject(error: Error): void }>();
  /** Faults of devices that the engine carries out itself, with negative numbers. */
  private readonly own = new Map<number, { readonly verb: DeviceFault; readonly device: string }>();
  private readonly opened: Promise<unknown>;
  private readonly known: Names;
  private readonly sleepers = new Sleepers();
  private next = 1;

  constructor(lab: RemoteLab) {
    this.lab = lab;
    this.known = new Names({
      devices: lab.plan.devices.map(({ name, ports }) => ({ name, ports: ports.map((port) => port.name) })),
      wires: lab.plan.wires,
    });
    this.client = new GatewayClient(lab.running);
    this.session = this.client.socket('/api/session');
    this.opened = once(this.session, 'open');
    this.opened.catch(() => {});
    this.session.on('message', (data: RawData) => this.onAnswer(String(data)));
    this.session.on('error', () => {});
    this.session.on('close', () => {
      for (const { reject } of this.waiting.values()) reject(this.client.unreachable('its session ended'));
      this.waiting.clear();
    });
  }

  get name(): string {
    return this.lab.plan.name;
  }
  get engine() {
    return this.lab.running.engine;
  }
  get seed(): number {
    return this.lab.plan.seed;
  }
  get devices(): readonly string[] {
    return this.lab.plan.devices.map((device) => device.name);
  }
  get names(): Names {
    return this.known;
  }
  get dashboard(): string {
    return `${this.lab.running.gateway}/#token=${this.lab.running.token}`;
  }

  now(): number {
    return Math.round((performance.timeOrigin + performance.now()) * MICROS_PER_MS) - this.lab.running.clockOrigin;
  }

  sleep(micros: number): Promise<void> {
    return this.sleepers.sleep((wake) => {
      setTimeout(wake, micros / MICROS_PER_MS);
    });
  }

  during<T>(work: Promise<T>): Promise<T> {
    return work;
  }

  run(device: string, argv: readonly string[], output: ProgramOutput): RunningProgramHandle {
    const socket = this.client.socket(`/api/exec?device=${encodeURIComponent(device)}`);
    let status: number | undefined;
    let failure: Error | undefined;
    const early: string[] = [];
    const say = (message: object): void => {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
      else if (socket.readyState === socket.CONNECTING) early.push(JSON.stringify(message));
    };
    say({ start: { argv } });
    say({ end: true });
    socket.on('open', () => {
      for (const message of early) socket.send(message);
    });
    socket.on('message', (data: RawData, binary: boolean) => {
      const message = data as Buffer;
      if (binary) return output[message[0] === STREAM_STDERR ? 'stderr' : 'stdout'](message.subarray(1));
      const said = JSON.parse(message.toString('utf8')) as { exit?: number; error?: EmuErrorBody };
      if (said.exit !== undefined) status = said.exit;
      if (said.error !== undefined) failure = fromGateway(said.error);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure ??= this.client.unreachable(error.code ?? error.message);
    });
    const exit = new Promise<number>((resolve, reject) => {
      socket.on('close', () => {
        if (status !== undefined) resolve(status);
        else reject(failure ?? new EmuError('EMU_DEVICE_DOWN', TEXT.wentDown(device), { device }));
      });
    });
    return { exit, kill: (signal) => say({ signal }) };
  }

  state(): Promise<LabView> {
    return this.client.get<LabView>('/api/state');
  }

  device(name: string): Promise<DeviceView> {
    return this.client.get<DeviceView>(`/api/devices/${encodeURIComponent(name)}`);
  }

  ledger(): Promise<readonly LedgerRow[]> {
    return this.client.get<LedgerRow[]>('/api/ledger');
  }

  async fault(request: FaultRequest): Promise<FaultAnswer> {
    const { lifecycle } = this.lab;
    if (lifecycle !== undefined && (request.fault === 'kill' || request.fault === 'freeze')) {
      await lifecycle(request.fault, request.target);
      const fault = -this.next++;
      this.own.set(fault, { verb: request.fault, device: request.target });
      const words = `${request.fault} ${request.target}`;
      return { fault, words, held: true, wires: [], ports: [], carrier: {}, seed: this.seed };
    }
    return (await this.ask(request)) as FaultAnswer;
  }

  async endFault(fault: number): Promise<void> {
    const own = this.own.get(fault);
    if (own === undefined) return void (await this.ask({ heal: fault }));
    this.own.delete(fault);
    await this.lab.lifecycle?.(UNDO[own.verb], own.device).catch(() => {});
  }

  async plug(target: string): Promise<void> {
    await this.client.post('/api/plug', { target });
  }

  async heal(target: string | undefined): Promise<readonly string[]> {
    const own = [...this.own].filter(([, { device }]) => target === undefined || target === device);
    for (const [fault] of own) await this.endFault(fault);
    const { healed } = await this.client.post<{ healed: string[] }>(
      '/api/heal',
      target === undefined ? {} : { target },
    );
    return [...own.map(([, { verb, device }]) => `${verb} ${device}`), ...healed];
  }

  async lifecycle(verb: LifecycleVerb, device: string): Promise<void> {
    if (this.lab.lifecycle !== undefined) return await this.lab.lifecycle(verb, device);
    await this.client.post(`/api/devices/${encodeURIComponent(device)}/${verb}`);
  }

  verdicts(target: string | undefined): Promise<readonly PortVerdicts[]> {
    return this.client.get(`/api/verdicts${target === undefined ? '' : `?target=${encodeURIComponent(target)}`}`);
  }

  async capture(ports: readonly string[], onMessage: (message: Uint8Array) => void): Promise<CaptureStream> {
    const socket = this.client.socket(`/api/capture?ports=${encodeURIComponent(ports.join(','))}`);
    let hello: CaptureHello | undefined;
    await new Promise<void>((resolve, reject) => {
      socket.on('message', (data: RawData, binary: boolean) => {
        if (binary) return onMessage(data as Buffer);
        const said = JSON.parse(String(data)) as Partial<CaptureHello> & { attached?: true; error?: EmuErrorBody };
        if (said.error !== undefined) reject(fromGateway(said.error));
        if (said.ports !== undefined) hello = { ...said, ports: said.ports };
        if (said.attached === true) resolve();
      });
      socket.on('error', (error: NodeJS.ErrnoException) =>
        reject(this.client.unreachable(error.code ?? error.message)),
      );
      socket.on('close', () => reject(this.client.unreachable('the capture ended')));
    });
    if (hello === undefined) throw this.client.unreachable('an odd answer');
    return { hello, drained, stop: () => socket.terminate() };
  }

  async close(): Promise<void> {
    this.sleepers.end();
    this.session.terminate();
    await this.lab.down();
  }

  private async ask(request: FaultRequest | Asked): Promise<unknown> {
    await this.opened;
    const id = this.next++;
    return await new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.session.send(JSON.stringify({ id, ...request }), (error) => {
        if (error == null) return;
        this.waiting.delete(id);
        reject(this.client.unreachable('its session ended'));
      });
    });
  }

  private onAnswer(text: string): void {
    const { id, done, error } = JSON.parse(text) as { id: number; done?: unknown; error?: EmuErrorBody };
    const who = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) who?.resolve(done);
    else who?.reject(fromGateway(error));
  }
}
