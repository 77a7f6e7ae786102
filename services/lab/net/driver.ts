/** What a lab in a test rests on: over the gateway of processes or containers, or on devices in this process. */
import type { CaptureHello } from '../../../shared/device/capture-format.ts';
import type { LifecycleVerb } from '../../../shared/device/ipc.ts';
import type { FaultRequest } from '../../gateway/fault-request.ts';
import type { FaultAnswer } from '../../gateway/faults.ts';
import type { DeviceView, LabView } from '../../gateway/lab.ts';
import type { LedgerRow } from '../../gateway/ledger-row.ts';
import type { Names } from '../../gateway/names.ts';
import type { PortVerdicts } from '../../gateway/trouble-routes.ts';
import type { Engine } from './types.ts';

export interface RunningProgramHandle {
  readonly exit: Promise<number>;
  kill(signal: 'SIGINT' | 'SIGTERM'): void;
}

export interface ProgramOutput {
  stdout(bytes: Uint8Array): void;
  stderr(bytes: Uint8Array): void;
}

export interface CaptureStream {
  readonly hello: CaptureHello;
  /** Resolves when what has passed so far has been handed over. */
  drained(): Promise<void>;
  stop(): void;
}

export interface Driver {
  readonly name: string;
  readonly engine: Engine;
  readonly seed: number;
  readonly devices: readonly string[];
  readonly names: Names;
  readonly dashboard: string | undefined;
  /** Lab time, microseconds. */
  now(): number;
  sleep(micros: number): Promise<void>;
  /** Lab time passes until the work is done. */
  during<T>(work: Promise<T>): Promise<T>;
  run(device: string, argv: readonly string[], output: ProgramOutput): RunningProgramHandle;
  state(): Promise<LabView>;
  /** One device alone: another that stands still holds nobody up. */
  device(name: string): Promise<DeviceView>;
  ledger(): Promise<readonly LedgerRow[]>;
  fault(request: FaultRequest): Promise<FaultAnswer>;
  endFault(fault: number): Promise<void>;
  plug(target: string): Promise<void>;
  heal(target: string | undefined): Promise<readonly string[]>;
  lifecycle(verb: LifecycleVerb, device: string): Promise<void>;
  verdicts(target: string | undefined): Promise<readonly PortVerdicts[]>;
  /** Resolves once nothing is missed any more; messages are those of capture-format.ts. */
  capture(ports: readonly string[], onMessage: (message: Uint8Array) => void): Promise<CaptureStream>;
  close(): Promise<void>;
}
