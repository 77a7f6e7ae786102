/**
 * Record one journey: attach to every device's trace and ports, have the device's resident browser fetch the URL under a
 * cause of its own, wait until the lab has come to rest, let go.
 */
import type { WebSocket } from 'ws';
import { parseCapture } from '../../../shared/device/capture-format.ts';
import { EmuError } from '../../../shared/device/errors.ts';
import { closest } from '../../../shared/lab/closest.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import type { FanIn } from '../fan-in.ts';
import type { Lab } from '../lab.ts';
import type { RecordedFrame, Recording } from './recording.ts';

/** Real time: the browser gives up by itself long before. */
const FETCH_MS_MAX = 90_000;
/** Nothing of this cause for so long: the close is done, too. */
const QUIET_MS = 300;
const QUIET_MS_MAX = 4_000;
/** A bound on memory: a journey is a page, not a download. */
const FRAMES_MAX = 200_000;
const EVENTS_MAX = 1_000_000;

export interface Recorder {
  readonly lab: Lab;
  readonly captures: FanIn;
  readonly traces: FanIn;
  /** Causes are numbers that no other journey of this gateway has. */
  nextCause(): number;
}

class Notes {
  readonly frames: RecordedFrame[] = [];
  readonly events: TraceEvent[] = [];
  lost = 0;
  changedAt = Date.now();
  private readonly lab: Lab;
  private readonly cause: number;
  private readonly wires: ReadonlyMap<string, string>;

  constructor(lab: Lab, cause: number) {
    this.lab = lab;
    this.cause = cause;
    this.wires = new Map(
      lab.plan.wires.flatMap((wire) =>
        [wire.a, wire.b].map((end) => [`${end.device}:${end.port}`, wire.name] as const),
      ),
    );
  }

  addFrames(device: string, message: Uint8Array): void {
    const batch = parseCapture(message);
    const ports = this.lab.plan.devices.find((other) => other.name === device)?.ports ?? [];
    if (batch === undefined) return;
    this.lost += batch.lost;
    for (const frame of batch.frames) {
      const port = ports[frame.port] ?? '?';
      const wire = this.wires.get(`${device}:${port}`);
      if (frame.cause !== this.cause || wire === undefined) continue;
      this.changedAt = Date.now();
      if (this.frames.length >= FRAMES_MAX) {
        this.lost++;
        continue;
      }
      const { direction, number, time, traceDevice, traceNumber } = frame;
      this.frames.push({
        wire,
        device,
        port,
        direction,
        number,
        at: time,
        traceDevice,
        traceNumber,
        bytes: frame.bytes.slice(),
      });
    }
  }

  addEvents(message: string): void {
    for (const line of message.split('\n')) {
      if (line === '') continue;
      const event = JSON.parse(line) as TraceEvent | { lost: number };
      if ('lost' in event) this.lost += event.lost;
      else if (this.events.length >= EVENTS_MAX) this.lost++;
      else this.events.push(event);
    }
  }
}

export async function record(recorder: Recorder, device: string, url: string): Promise<Recording> {
  const { lab } = recorder;
  const link = lab.link(device);
  const cause = recorder.nextCause();
  const notes = new Notes(lab, cause);
  const stops: (() => void)[] = [];
  try {
    await Promise.all([
      attached((onAttached) => {
        const paths = new Map(
          [...lab.ports(['all'])].map(([name, ports]) => [name, `/capture?ports=${ports.join(',')}`]),
        );
        stops.push(
          recorder.captures.watch(paths, {
            onMessage: (from, bytes, binary) => binary && notes.addFrames(from, bytes),
            onAttached,
          }),
        );
      }),
      attached((onAttached) => {
        const paths = new Map([...lab.links.keys()].map((name) => [name, `/trace?cause=${cause}`]));
        stops.push(
          recorder.traces.watch(paths, {
            onMessage: (_from, bytes, binary) => !binary && notes.addEvents(bytes.toString('utf8')),
            onAttached,
          }),
        );
      }),
    ]);
    const { exitStatus, output } = await browse(link.socket('/console'), url, cause);
    await rest(notes);
    const startedAt = Math.min(...notes.events.map((event) => event.at), ...notes.frames.map((frame) => frame.at));
    const devices = lab.plan.devices.map(({ name, kind, role, index }) => ({ name, kind, role, index }));
    const { frames, events, lost } = notes;
    return {
      device,
      url,
      cause,
      startedAt: Number.isFinite(startedAt) ? startedAt : 0,
      devices,
      events,
      frames,
      exitStatus,
      output,
      lost,
    };
  } finally {
    for (const stop of stops) stop();
  }
}

function attached(attach: (onAttached: () => void) => void): Promise<void> {
  return new Promise((resolve) => attach(resolve));
}

/** Run `browser URL` on the device; its output and exit status. */
function browse(socket: WebSocket, url: string, cause: number): Promise<{ exitStatus: number; output: string }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const late = setTimeout(() => fail('the browser did not come back'), FETCH_MS_MAX);
    const fail = (why: string): void => {
      clearTimeout(late);
      socket.terminate();
      reject(new EmuError('EMU_DEVICE_DOWN', why));
    };
    socket.on('open', () => socket.send(JSON.stringify({ start: { argv: ['browser', url], cause } })));
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => fail('the device went down'));
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (binary) return chunks.push(data.subarray(1));
      const answer = JSON.parse(data.toString('utf8')) as { exit?: number; error?: { message: string } };
      if (answer.error !== undefined) return fail(answer.error.message);
      if (answer.exit === undefined) return undefined;
      clearTimeout(late);
      socket.removeAllListeners('close');
      socket.terminate();
      return resolve({ exitStatus: answer.exit, output: Buffer.concat(chunks).toString('utf8') });
    });
  });
}

/** Wait until nothing more of the journey is on any wire. */
async function rest(notes: Notes): Promise<void> {
  const until = Date.now() + QUIET_MS_MAX;
  const since = Date.now();
  while (Date.now() < until && Date.now() - Math.max(notes.changedAt, since) < QUIET_MS) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS / 6));
  }
}

/** The device that a journey starts from: it must be one that people sit at. */
export function journeyDevice(lab: Lab, name: string): string {
  const device = lab.plan.devices.find((other) => other.name === lab.link(name).name);
  if (device?.kind === 'host') return name;
  const hosts = lab.plan.devices.filter((other) => other.kind === 'host').map((other) => other.name);
  const near = closest(name, hosts) ?? hosts[0];
  throw new EmuError('EMU_BAD_REQUEST', `a journey starts from a host, and ${name} is a ${device?.kind}; try ${near}`);
}
