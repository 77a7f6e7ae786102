/** A lab in a test (types.ts), on whatever driver it rests. */
import { EmuError } from '../../../shared/device/errors.ts';
import { ratioHint } from '../../../shared/lab/knob-hint.ts';
import { FLAP_PERIOD_MIN } from '../../../shared/lab/scenario-check.ts';
import { formatDelay, parseRatio, RATIO_EXPECTED } from '../../../shared/lab/units.ts';
import { downError } from '../../gateway/exec.ts';
import type { FaultRequest } from '../../gateway/fault-request.ts';
import { balances } from '../../gateway/ledger.ts';
import { nameOf } from '../../gateway/names.ts';
import { TEXT } from '../text.ts';
import { FrameCapture } from './capture.ts';
import { argvOf, badRequest, checkGroups, impairmentOf, knownWords, micros } from './checks.ts';
import type { Driver } from './driver.ts';
import { curl } from './fetch.ts';
import type {
  ExecResult,
  FetchResult,
  Net,
  NetCapture,
  NetDevice,
  NetFault,
  NetLedger,
  NetProgram,
  NetVerdict,
  NetWire,
  Wait,
} from './types.ts';

const LIMIT = '5s';
/** How often a condition is asked for: lab time between two looks, microseconds. */
const POLL = 20_000;

export class LabNet implements Net {
  readonly wait: Wait;
  readonly driver: Driver;
  private closing: Promise<void> | undefined;

  constructor(driver: Driver) {
    this.driver = driver;
    this.wait = {
      time: async (time) => await this.open().sleep(micros(time)),
      until: (holds, limit = LIMIT, what = 'the condition') => this.until(holds, limit, what),
      carrier: (target, up = true, limit = LIMIT) =>
        this.until(
          async () => Object.values(await this.carriers(target)).every((carrier) => carrier === up),
          limit,
          `carrier ${up ? 'up' : 'down'} at ${target}`,
        ),
    };
  }

  get name(): string {
    return this.driver.name;
  }
  get engine() {
    return this.driver.engine;
  }
  get seed(): number {
    return this.driver.seed;
  }
  get dashboard(): string | undefined {
    return this.driver.dashboard;
  }

  devices(): readonly string[] {
    return this.driver.devices;
  }

  now(): number {
    return this.driver.now();
  }

  host(name: string): NetDevice {
    const { driver } = this;
    driver.names.device(name);
    const start = (...argv: readonly string[]): NetProgram => startProgram(this.open(), name, argv);
    return {
      name,
      start,
      exec: async (...argv) => await start(...argv).done,
      fetch: async (url): Promise<FetchResult> => await curl(this.open(), name, url),
      state: async () => {
        const { detail } = await this.open().device(name);
        if (detail == null) throw downError(name);
        return detail;
      },
      kill: () => this.kill(name),
      freeze: () => this.freeze(name),
      restart: async () => await driver.during(this.open().lifecycle('restart', name)),
    };
  }

  wire(target: string): NetWire {
    this.driver.names.wire(target);
    return {
      name: target,
      impair: async (knobs) => await this.fault({ fault: 'impair', target, ...impairmentOf(knobs) }),
      unplug: () => this.unplug(target),
      cut: () => this.cut(target),
      carrier: () => this.carriers(target),
    };
  }

  unplug(target: string): Promise<NetFault> {
    return this.fault({ fault: 'unplug', target });
  }

  async plug(target: string): Promise<void> {
    await this.open().plug(target);
  }

  cut(target: string): Promise<NetFault> {
    return this.fault({ fault: 'cut', target });
  }

  async flap(target: string, how: { period?: string; duty?: string } = {}): Promise<NetFault> {
    const { period = '2s', duty = '50%' } = how;
    knownWords('option of a flap', how, ['period', 'duty']);
    const share = parseRatio(duty);
    if (share === undefined) throw badRequest(TEXT.badValue('duty', RATIO_EXPECTED, duty, ratioHint(duty)));
    const least = formatDelay(FLAP_PERIOD_MIN);
    const time = micros(period, 'period');
    if (time < FLAP_PERIOD_MIN) throw badRequest(TEXT.badValue('period', `a time from ${least}`, period));
    return await this.fault({ fault: 'flap', target, period: time, duty: share });
  }

  async partition(...groups: (readonly string[])[]): Promise<NetFault> {
    checkGroups(groups);
    return await this.fault({ fault: 'partition', groups });
  }

  kill(target: string): Promise<NetFault> {
    return this.fault({ fault: 'kill', target });
  }

  freeze(target: string): Promise<NetFault> {
    return this.fault({ fault: 'freeze', target });
  }

  async heal(target?: string): Promise<readonly string[]> {
    return await this.driver.during(this.open().heal(target));
  }

  async capture(...ports: string[]): Promise<NetCapture> {
    return await FrameCapture.start(this.open(), ports.length === 0 ? ['all'] : ports);
  }

  async verdicts(target?: string): Promise<readonly NetVerdict[]> {
    const ports = await this.open().verdicts(target);
    const all = ports.flatMap(({ port, verdicts }) => verdicts.map((verdict) => ({ port, ...verdict })));
    return all.sort((one, other) => one.time - other.time);
  }

  async ledger(): Promise<NetLedger> {
    const rows = await this.open().ledger();
    return { rows, balances: balances(rows) };
  }

  close(): Promise<void> {
    this.closing ??= this.driver.close();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A lab that is closed, or about to be, takes no orders. */
  private open(): Driver {
    if (this.closing !== undefined) throw new EmuError('EMU_LAB_DOWN', TEXT.labClosed(this.name));
    return this.driver;
  }

  private async fault(request: FaultRequest): Promise<NetFault> {
    this.open();
    const { fault, words, wires, ports } = await this.driver.during(this.driver.fault(request));
    let healing: Promise<void> | undefined;
    const heal = (): Promise<void> => {
      // The lab may have gone before the scope of its fault ends.
      healing ??= this.closing ?? this.driver.during(this.driver.endFault(fault));
      return healing;
    };
    return { words, wires, ports, heal, [Symbol.asyncDispose]: heal };
  }

  private async carriers(target: string): Promise<Record<string, boolean>> {
    const found: Record<string, boolean> = {};
    await Promise.all(
      this.driver.names.ends(target).map(async ({ device, port }) => {
        const { detail } = await this.open().device(device);
        found[nameOf({ device, port })] = detail?.ports.find(({ name }) => name === port)?.carrier ?? false;
      }),
    );
    return found;
  }

  private async until(holds: () => boolean | Promise<boolean>, limit: string, what: string): Promise<void> {
    const end = this.open().now() + micros(limit);
    while (!(await holds())) {
      if (this.driver.now() >= end) throw new EmuError('EMU_TIMEOUT', TEXT.notTrue(what, limit));
      await this.open().sleep(POLL);
    }
  }
}

function startProgram(driver: Driver, device: string, words: readonly string[]): NetProgram {
  const argv = argvOf(words);
  const texts = { stdout: '', stderr: '' };
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const add = (stream: 'stdout' | 'stderr') => (bytes: Uint8Array) => {
    texts[stream] += decoders[stream].decode(bytes, { stream: true });
  };
  const running = driver.run(device, argv, { stdout: add('stdout'), stderr: add('stderr') });
  const done: Promise<ExecResult> = driver.during(running.exit).then((status) => ({ status, ...texts }));
  // Somebody who never asks is not told by a crash.
  done.catch(() => {});
  return {
    done,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    kill: (signal = 'SIGINT') => running.kill(signal),
    [Symbol.asyncDispose]: async () => {
      running.kill('SIGTERM');
      await done.catch(() => {});
    },
  };
}
