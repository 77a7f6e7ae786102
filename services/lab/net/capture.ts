/** Frames recorded for a test: kept in order, looked up by display filter, written as pcapng. */
import { type CapturedFrame, type CaptureHello, parseCapture } from '../../../shared/device/capture-format.ts';
import { EmuError } from '../../../shared/device/errors.ts';
import { pcapngHeader, pcapngPacket } from '../../../shared/device/pcapng.ts';
import { parseFilter } from '../../../shared/header/display-filter.ts';
import { dissect } from '../../../shared/header/dissect.ts';
import type { Dissection } from '../../../shared/header/dissection.ts';
import { filterProblem } from '../../../shared/lab/filter-problem.ts';
import { TEXT } from '../text.ts';
import { micros } from './checks.ts';
import type { CaptureStream, Driver } from './driver.ts';
import type { NetCapture, NetFrame } from './types.ts';

/** A test that records more than this wants a file and tshark. */
const FRAMES_MAX = 1_000_000;
const POLL = 20_000;

class Frame implements NetFrame {
  readonly port: string;
  readonly direction: 'in' | 'out';
  readonly time: number;
  readonly number: number;
  readonly bytes: Uint8Array;
  readonly verdicts: string[] = [];
  readonly identity: { readonly device: number; readonly number: number };
  private taken: Dissection | undefined;

  constructor(port: string, frame: CapturedFrame) {
    this.port = port;
    this.direction = frame.direction;
    this.time = frame.time;
    this.number = frame.number;
    this.bytes = frame.bytes.slice();
    this.identity = { device: frame.traceDevice, number: frame.traceNumber };
  }

  /** Taken apart when somebody asks. */
  get dissection(): Dissection {
    this.taken ??= dissect(this.bytes);
    return this.taken;
  }
}

export class FrameCapture implements NetCapture {
  lost = 0;
  private readonly driver: Driver;
  private readonly list: Frame[] = [];
  private readonly sent = new Map<string, Frame>();
  private stream: CaptureStream | undefined;
  private names = new Map<number, string>();
  private sorted = true;

  private constructor(driver: Driver) {
    this.driver = driver;
  }

  static async start(driver: Driver, ports: readonly string[]): Promise<FrameCapture> {
    const capture = new FrameCapture(driver);
    const early: Uint8Array[] = [];
    const stream = await driver.capture(ports, (message) => {
      if (capture.stream === undefined) early.push(message.slice());
      else capture.add(message);
    });
    capture.open(stream);
    for (const message of early) capture.add(message);
    return capture;
  }

  frames(filter?: string): readonly Frame[] {
    this.sort();
    if (filter === undefined) return [...this.list];
    const fits = parseFilter(filter);
    if ('problem' in fits)
      throw new EmuError('EMU_BAD_REQUEST', `cannot read the filter "${filter}": ${filterProblem(filter)}`);
    return this.list.filter((frame) => fits(frame.dissection));
  }

  async until(filter: string, count = 1, limit = '5s'): Promise<readonly Frame[]> {
    const end = this.driver.now() + micros(limit);
    for (;;) {
      await this.stream?.drained();
      const frames = this.frames(filter);
      if (frames.length >= count) return frames;
      if (this.driver.now() >= end) {
        throw new EmuError(
          'EMU_TIMEOUT',
          `${frames.length} of ${count} frames that fit "${filter}" came within ${limit}`,
        );
      }
      await this.driver.sleep(POLL);
    }
  }

  pcapng(): Uint8Array {
    this.sort();
    const ports = [...new Set(this.list.map((frame) => frame.port))].sort();
    const origin = this.stream?.hello.clockOrigin ?? 0;
    return Buffer.concat([
      pcapngHeader(ports.map((name) => ({ name, description: `wire end ${name}` }))),
      ...this.list.map(({ port, time, direction, bytes, identity, number, verdicts }) => {
        const comment = [TEXT.frameNumber(number), ...verdicts].join('\n');
        return pcapngPacket({
          interface: ports.indexOf(port),
          time: origin + time,
          direction,
          bytes,
          identity,
          comment,
        });
      }),
    ]);
  }

  async stop(): Promise<void> {
    await this.stream?.drained();
    this.stream?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private open(stream: CaptureStream): void {
    this.stream = stream;
    this.names = namesOf(stream.hello);
  }

  private add(message: Uint8Array): void {
    const batch = parseCapture(message);
    if (batch === undefined) return;
    this.lost += batch.lost;
    for (const captured of batch.frames) {
      if (this.list.length >= FRAMES_MAX) {
        this.lost++;
        continue;
      }
      const port = this.names.get(captured.device * 256 + captured.port) ?? '?';
      const frame = new Frame(port, captured);
      this.list.push(frame);
      this.sorted = false;
      if (frame.direction === 'out') this.sent.set(`${port} ${frame.number}`, frame);
    }
    for (const { device, port, number, text } of batch.verdicts) {
      this.sent.get(`${this.names.get(device * 256 + port)} ${number}`)?.verdicts.push(text);
    }
  }

  private sort(): void {
    if (!this.sorted) this.list.sort((one, other) => one.time - other.time);
    this.sorted = true;
  }
}

function namesOf({ ports }: CaptureHello): Map<number, string> {
  return new Map(ports.map(({ device, port, name }) => [device * 256 + port, name]));
}
