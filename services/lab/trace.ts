/**
 * `wirelab trace`: what packets pass through, function by function, on many devices at once. Devices report in batches
 * of their own, so events are held for a moment and printed in the order of lab time. A packet that comes to another
 * device keeps its identity; its first line there says where it was before.
 */
import { once } from 'node:events';
import type { RawData } from 'ws';
import type { EmuError, EmuErrorBody } from '../../shared/device/errors.ts';
import { type DeviceNames, identityOf } from '../../shared/device/trace-filter.ts';
import type { TraceEvent } from '../../shared/net/trace.ts';
import { traceLayer } from '../../shared/net/trace-layer.ts';
import type { LabView } from '../gateway/lab.ts';
import { fromGateway, type GatewayClient } from './client.ts';
import type { CommandError } from './exit.ts';
import { TEXT } from './text.ts';

/** Longest that an event is held to be sorted among those of other devices, real time; batches come every 10 ms. */
const HOLD_MS = 150;
const FLUSH_MS = 50;
/** Time for the last batches of the devices, real time. */
const LAST_EVENTS_MS = 60;
const HELD_EVENTS_MAX = 200_000;
/** Packets whose last device is remembered. */
const PACKETS_MAX = 65_536;
/** Octets that wait for who reads us; what comes after them is lost, and told. */
const OUTPUT_BYTES_MAX = 4_000_000;

export interface TraceOptions {
  readonly skb?: string | undefined;
  readonly filter?: string | undefined;
}

/** Prints events in order, and knows where each packet was last. */
export class TracePrinter {
  private readonly names: DeviceNames;
  private readonly lastDevices = new Map<string, string>();

  constructor(names: DeviceNames) {
    this.names = names;
  }

  /** One line: time, device, function, layer, context, packet, its room, the rest; last, where it came from. */
  line(event: TraceEvent): string {
    const { skb } = event;
    const id = skb === undefined ? '-' : identityOf(skb, this.names);
    const room = skb?.len === undefined ? '' : `len=${skb.len} data=${skb.data ?? 0} headroom=${skb.headroom ?? 0}`;
    const rest = Object.entries(event.fields).map(([name, value]) => `${name}=${word(value)}`);
    const columns = [
      (event.at / 1e6).toFixed(6).padStart(12),
      event.device.padEnd(10),
      event.point.padEnd(22),
      traceLayer(event.point).padEnd(9),
      event.context.padEnd(9),
      id.padEnd(12),
      room,
      ...rest,
      ...(event.cause > 0 ? [`cause=${event.cause}`] : []),
      this.hop(event, id),
    ];
    return columns
      .filter((column) => column !== '')
      .join(' ')
      .trimEnd();
  }

  private hop(event: TraceEvent, id: string): string {
    if (event.skb === undefined) return '';
    const before = this.lastDevices.get(id);
    if (before === event.device) return '';
    this.lastDevices.delete(id);
    this.lastDevices.set(id, event.device);
    if (this.lastDevices.size > PACKETS_MAX) {
      const [oldest] = this.lastDevices.keys();
      if (oldest !== undefined) this.lastDevices.delete(oldest);
    }
    return before === undefined ? '' : `<- ${before}`;
  }
}

function word(value: TraceEvent['fields'][string]): string {
  const text = typeof value === 'object' ? value.join(',') : String(value);
  return /[\s"]/.test(text) || text === '' ? JSON.stringify(text) : text;
}

/** Holds events until no older one can come. */
class Sorter {
  shown = 0;
  lost = 0;
  private held: { readonly event: TraceEvent; readonly arrived: number }[] = [];
  private untold = 0;
  private readonly printer: TracePrinter;

  constructor(names: DeviceNames) {
    this.printer = new TracePrinter(names);
  }

  add(event: TraceEvent): void {
    this.held.push({ event, arrived: performance.now() });
    if (this.held.length > HELD_EVENTS_MAX) this.flush(0);
  }

  lose(count: number): void {
    this.lost += count;
    this.untold += count;
  }

  flush(holdMs: number): void {
    const before = performance.now() - holdMs;
    this.held.sort((one, other) => one.event.at - other.event.at);
    let count = this.held.length;
    while (count > 0 && (this.held[count - 1]?.arrived ?? 0) > before) count--;
    const ready = this.held.splice(0, count);
    if (process.stdout.writableLength > OUTPUT_BYTES_MAX) return this.lose(ready.length);
    const lines = ready.map(({ event }) => this.printer.line(event));
    if (this.untold > 0) lines.unshift(TEXT.eventsLost(this.untold));
    this.untold = 0;
    this.shown += ready.length;
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  }
}

/** Runs until Ctrl-C, the end of the lab, or of who reads us. */
export async function trace(client: GatewayClient, devices: readonly string[], options: TraceOptions): Promise<void> {
  const view = await client.get<LabView>('/api/state');
  const names: DeviceNames = new Map(view.devices.map(({ index, name }) => [index, name]));
  const sorter = new Sorter(names);
  const query = new URLSearchParams({ devices: devices.join(',') });
  // The devices themselves choose: what nobody wants to see never leaves them.
  for (const name of ['skb', 'filter'] as const) if (options[name] !== undefined) query.set(name, options[name]);
  const socket = client.socket(`/api/trace?${query}`);
  let failure: CommandError | EmuError | undefined;
  socket.on('message', (data: RawData) => {
    for (const line of String(data).split('\n')) {
      if (line === '') continue;
      const said = JSON.parse(line) as Said;
      if ('error' in said) failure = fromGateway(said.error);
      else if ('lost' in said) sorter.lose(said.lost);
      else if ('attached' in said) process.stderr.write(`${TEXT.tracing(devices.join(', '), said.missing)}\n`);
      else sorter.add(said);
    }
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= client.unreachable(error.code ?? error.message);
  });
  // What happened before Ctrl-C is still on its way here.
  const end = (): void => void setTimeout(() => socket.terminate(), LAST_EVENTS_MS);
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  process.stdout.once('error', end);
  const writer = setInterval(() => sorter.flush(HOLD_MS), FLUSH_MS);
  await once(socket, 'close');
  clearInterval(writer);
  sorter.flush(0);
  if (failure !== undefined) throw failure;
  process.stderr.write(`${TEXT.traced(sorter.shown, sorter.lost)}\n`);
}

type Said =
  | TraceEvent
  | { readonly lost: number }
  | { readonly attached: true; readonly missing: readonly string[] }
  | { readonly error: EmuErrorBody };
