/** A lab in a test (types.ts), on whatever driver it rests. */
import { parseDelay, parseRatio } from '../../../shared/lab/units.ts';
import type { FaultRequest } from '../../gateway/fault-request.ts';
import { balances } from '../../gateway/ledger.ts';
import { CommandError } from '../exit.ts';
import { changeOf, KNOB_WORDS, type KnobOptions } from '../knobs.ts';
import { TEXT } from '../text.ts';
import { FrameCapture } from './capture.ts';
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

/** A time in words, as microseconds; a test that says it wrong is told. */
export function micros(time: string): number {
  const value = parseDelay(time);
  if (value === undefined) throw new CommandError(`expected a time such as 200ms or 5s, found "${time}"`);
  return value;
}

export class LabNet implements Net {
  readonly wait: Wait;
  readonly driver: Driver;
  private closing: Promise<void> | undefined;

  constructor(driver: Driver) {
    this.driver = driver;
    this.wait = {
      time: (time) => driver.sleep(micros(time)),
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
    const start = (...argv: readonly string[]): NetProgram => startProgram(this.open(), name, argv);
    return {
      name,
      start,
      exec: async (...argv) => await start(...argv).done,
      fetch: async (url): Promise<FetchResult> => await curl(this.open(), name, url),
      state: async () => {
        const { devices } = await driver.state();
        const detail = devices.find((device) => device.name === name)?.detail;
        if (detail == null) throw new CommandError(`${name} is not up`);
        return detail;
      },
      kill: () => this.kill(name),
      freeze: () => this.freeze(name),
      restart: async () => await driver.during(this.open().lifecycle('restart', name)),
    };
  }

  wire(target: string): NetWire {
    return {
      name: target,
      impair: async ({ clear = false, ...knobs }: KnobOptions & { clear?: boolean }) => {
        const impairment = changeOf(knobs);
        if (!clear && Object.keys(impairment).length === 0)
          throw new CommandError(TEXT.noKnob(Object.keys(KNOB_WORDS)));
        return await this.fault({ fault: 'impair', target, impairment, clear });
      },
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

  flap(target: string, { period = '2s', duty = '50%' } = {}): Promise<NetFault> {
    const share = parseRatio(duty);
    if (share === undefined) throw new CommandError(`expected a percentage, found "${duty}"`);
    return this.fault({ fault: 'flap', target, period: micros(period), duty: share });
  }

  partition(...groups: (readonly string[])[]): Promise<NetFault> {
    return this.fault({ fault: 'partition', groups });
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
    const ports = await this.driver.verdicts(target);
    const all = ports.flatMap(({ port, verdicts }) => verdicts.map((verdict) => ({ port, ...verdict })));
    return all.sort((one, other) => one.time - other.time);
  }

  async ledger(): Promise<NetLedger> {
    const rows = await this.driver.ledger();
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
    if (this.closing !== undefined) throw new CommandError(TEXT.labClosed(this.name));
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
    const wanted = target.replace(/\s+/g, '');
    const swapped = wanted.split('--').reverse().join('--');
    const meant = this.driver.wires.flatMap(({ name, ends }) =>
      name === wanted || name === swapped ? ends : ends.filter((end) => end === wanted),
    );
    const found: Record<string, boolean> = {};
    await Promise.all(
      meant.map(async (end) => {
        const [device = '', port] = end.split(':');
        const { detail } = await this.driver.device(device);
        found[end] = detail?.ports.find(({ name }) => name === port)?.carrier ?? false;
      }),
    );
    if (Object.keys(found).length === 0) throw new CommandError(`no wire or wired port is called ${target}`);
    return found;
  }

  private async until(holds: () => boolean | Promise<boolean>, limit: string, what: string): Promise<void> {
    const end = this.driver.now() + micros(limit);
    while (!(await holds())) {
      if (this.driver.now() >= end) throw new CommandError(`${what} did not come true within ${limit}`);
      await this.driver.sleep(POLL);
    }
  }
}

function startProgram(driver: Driver, device: string, words: readonly string[]): NetProgram {
  const argv = words.length === 1 ? (words[0] ?? '').trim().split(/\s+/) : words;
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
