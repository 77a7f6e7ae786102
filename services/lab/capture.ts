/**
 * `wirelab capture`: frames of many wire ends as one pcapng file on one clock. Devices report in batches of their own,
 * so frames are held for a moment and written in the order of their time.
 */

import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import type { RawData } from 'ws';
import { type CapturedFrame, type CaptureHello, parseCapture } from '../../shared/device/capture-format.ts';
import type { EmuError, EmuErrorBody } from '../../shared/device/errors.ts';
import { pcapngHeader, pcapngPacket } from '../../shared/device/pcapng.ts';
import { fromGateway, type GatewayClient } from './client.ts';
import { CommandError, EXIT } from './exit.ts';
import { TEXT } from './text.ts';

/** Longest that a frame is held to be sorted among those of other devices, real time; batches come every 10 ms. */
const HOLD_MS = 250;
/** Time for the last batches of the devices, real time. */
const LAST_FRAMES_MS = 60;
const HELD_FRAMES_MAX = 200_000;

interface Held {
  readonly frame: CapturedFrame;
  readonly arrived: number;
  readonly drops: number;
}

/** Where pcapng goes: a file, or standard output. */
interface Output {
  write(bytes: Uint8Array): void;
  close(): void;
}

function toStandardOutput(file: string | undefined): file is undefined | '-' {
  return file === undefined || file === '-';
}

function openOutput(file: string | undefined): Output {
  if (toStandardOutput(file)) {
    return { write: (bytes) => void process.stdout.write(bytes), close: () => {} };
  }
  try {
    const handle = openSync(file, 'w');
    return {
      write: (bytes) => {
        for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at);
      },
      close: () => closeSync(handle),
    };
  } catch (error) {
    throw new CommandError(`cannot write ${file} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
}

/** Writes frames in the order of lab time, as far as a short wait can tell. */
class Sorter {
  frames = 0;
  lost = 0;
  private held: Held[] = [];
  /** Verdicts that came, by wire end and frame, until their frame is written; they come with it or right behind it. */
  private readonly verdicts = new Map<string, string[]>();
  private readonly interfaces = new Map<number, number>();
  private readonly output: Output;
  private readonly originMicros: number;

  constructor(hello: CaptureHello, output: Output, originMicros: number) {
    this.output = output;
    this.originMicros = originMicros;
    for (const [i, { device, port }] of hello.ports.entries()) this.interfaces.set(device * 256 + port, i);
    output.write(pcapngHeader(hello.ports.map(({ name }) => ({ name, description: `wire end ${name}` }))));
  }

  add(message: Uint8Array): void {
    const batch = parseCapture(message);
    if (batch === undefined) return;
    this.lost += batch.lost;
    const arrived = performance.now();
    for (const [i, frame] of batch.frames.entries())
      this.held.push({ frame, arrived, drops: i === 0 ? batch.lost : 0 });
    for (const { device, port, number, text } of batch.verdicts) {
      const key = verdictKey(device, port, number);
      this.verdicts.set(key, [...(this.verdicts.get(key) ?? []), text]);
    }
    if (this.held.length > HELD_FRAMES_MAX) this.flush(0);
  }

  /** Write what has been held for `holdMs`. */
  flush(holdMs: number): void {
    const before = performance.now() - holdMs;
    this.held.sort((one, other) => one.frame.time - other.frame.time);
    // All up to the latest frame that was held long enough: none older than it can come any more.
    let count = this.held.length;
    while (count > 0 && (this.held[count - 1]?.arrived ?? 0) > before) count--;
    for (const { frame, drops } of this.held.splice(0, count)) {
      const index = this.interfaces.get(frame.device * 256 + frame.port);
      if (index === undefined) continue;
      const { direction, bytes } = frame;
      const time = this.originMicros + frame.time;
      const identity = { device: frame.traceDevice, number: frame.traceNumber };
      const comment = [TEXT.frameNumber(frame.number), ...this.verdictsOn(frame)].join('\n');
      this.output.write(pcapngPacket({ interface: index, time, direction, bytes, drops, identity, comment }));
      this.frames++;
    }
    // One whose frame was lost to the capture has nothing to stand on.
    if (this.held.length === 0) this.verdicts.clear();
  }

  private verdictsOn({ direction, device, port, number }: CapturedFrame): readonly string[] {
    if (direction === 'in' || this.verdicts.size === 0) return [];
    const key = verdictKey(device, port, number);
    const texts = this.verdicts.get(key) ?? [];
    this.verdicts.delete(key);
    return texts;
  }
}

function verdictKey(device: number, port: number, number: number): string {
  return `${device} ${port} ${number}`;
}

/** Runs until Ctrl-C, the end of the lab, or of who reads us. */
export async function capture(
  client: GatewayClient,
  asked: readonly string[],
  file: string | undefined,
): Promise<void> {
  if (toStandardOutput(file) && process.stdout.isTTY) throw new CommandError(TEXT.captureToTerminal, EXIT.BAD_USE);
  let output: Output | undefined;
  const socket = client.socket(`/api/capture?ports=${encodeURIComponent(asked.join(','))}`);
  let sorter: Sorter | undefined;
  let ports: readonly string[] = [];
  let failure: CommandError | EmuError | undefined;
  const onText = (text: string): void => {
    const said = JSON.parse(text) as Partial<CaptureHello> & { attached?: true; error?: EmuErrorBody };
    if (said.error !== undefined) failure = fromGateway(said.error);
    if (said.ports !== undefined) {
      // Not before: a port that is not there leaves no empty file behind.
      output = openOutput(file);
      sorter = new Sorter({ ports: said.ports }, output, said.clockOrigin ?? client.lab.clockOrigin);
      ports = said.ports.map((port) => port.name);
    }
    // Every device reports: from here on nothing is missed.
    if (said.attached === true) {
      process.stderr.write(`${TEXT.capturing(ports.length, file ?? 'standard output')}\n`);
    }
  };
  socket.on('message', (data: RawData, binary: boolean) => {
    if (binary) sorter?.add(data as Buffer);
    else {
      try {
        onText(String(data));
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        failure = error;
        socket.terminate();
      }
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= client.unreachable(error.code ?? error.message);
  });
  // What passed before Ctrl-C is still on its way here.
  const end = (): void => void setTimeout(() => socket.terminate(), LAST_FRAMES_MS);
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  process.stdout.once('error', end);
  const writer = setInterval(() => sorter?.flush(HOLD_MS), HOLD_MS);
  await once(socket, 'close');
  clearInterval(writer);
  sorter?.flush(0);
  output?.close();
  if (failure !== undefined) throw failure;
  process.stderr.write(`${TEXT.captured(sorter?.frames ?? 0, sorter?.lost ?? 0)}\n`);
}
