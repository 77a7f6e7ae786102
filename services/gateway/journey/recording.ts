/**
 * What devices reported of one journey: their trace events and the frames that their ports captured, all of one cause.
 * The story is told from this and from nothing else, so that every sentence can be checked.
 */
import { dissect } from '../../../shared/header/dissect.ts';
import type { Dissection } from '../../../shared/header/dissection.ts';
import type { DeviceKind, DnsRole } from '../../../shared/lab/plan-types.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';

export interface RecordedDevice {
  readonly name: string;
  readonly kind: DeviceKind;
  readonly role: DnsRole | null;
  readonly index: number;
}

/** One frame at one end of one wire: each frame that arrives is captured twice, out at one end and in at the other. */
export interface RecordedFrame {
  readonly wire: string;
  readonly device: string;
  readonly port: string;
  readonly direction: 'in' | 'out';
  /** Its number among those that this end sent, or received. */
  readonly number: number;
  /** Lab time, microseconds. */
  readonly at: number;
  readonly traceDevice: number;
  readonly traceNumber: number;
  /** Ethernet frame with FCS. */
  readonly bytes: Uint8Array;
}

export interface Recording {
  readonly device: string;
  readonly url: string;
  readonly cause: number;
  /** Lab time at which the browser was asked. */
  readonly startedAt: number;
  readonly devices: readonly RecordedDevice[];
  readonly events: readonly TraceEvent[];
  readonly frames: readonly RecordedFrame[];
  /** What the browser said in the end. */
  readonly exitStatus: number;
  readonly output: string;
  /** Frames and events that a watcher lost because it was slow; the story says so when it is not 0. */
  readonly lost: number;
}

/** A frame with its layers, taken apart once. */
export interface SeenFrame extends RecordedFrame {
  readonly dissection: Dissection;
}

/** The recording in order of time, with the look-ups that chapters share. */
export class Evidence {
  readonly recording: Recording;
  readonly events: readonly TraceEvent[];
  readonly frames: readonly SeenFrame[];
  private readonly byIdentity = new Map<string, SeenFrame[]>();
  private readonly eventsByIdentity = new Map<string, TraceEvent[]>();

  constructor(recording: Recording) {
    this.recording = recording;
    this.events = [...recording.events].sort((a, b) => a.at - b.at);
    this.frames = [...recording.frames]
      .sort((a, b) => a.at - b.at)
      .map((frame) => ({ ...frame, dissection: dissect(frame.bytes) }));
    for (const frame of this.frames) push(this.byIdentity, key(frame.traceDevice, frame.traceNumber), frame);
    for (const event of this.events) {
      if (event.skb !== undefined) push(this.eventsByIdentity, key(event.skb.device, event.skb.number), event);
    }
  }

  deviceOf(name: string): RecordedDevice | undefined {
    return this.recording.devices.find((device) => device.name === name);
  }

  /** Everywhere the packet was seen, in order of time. */
  appearances(frame: { traceDevice: number; traceNumber: number }): readonly SeenFrame[] {
    return this.byIdentity.get(key(frame.traceDevice, frame.traceNumber)) ?? [];
  }

  /** Where an event's packet was seen on a port of the event's device, or else anywhere. */
  frameOf(event: TraceEvent): SeenFrame | undefined {
    if (event.skb === undefined) return undefined;
    const frames = this.byIdentity.get(key(event.skb.device, event.skb.number)) ?? [];
    return frames.find((frame) => frame.device === event.device) ?? frames[0];
  }

  /** Events of one packet on one device. */
  eventsOf(frame: { traceDevice: number; traceNumber: number }, device: string): readonly TraceEvent[] {
    const events = this.eventsByIdentity.get(key(frame.traceDevice, frame.traceNumber)) ?? [];
    return events.filter((event) => event.device === device);
  }

  /** The same packet as it came in at the far end of the wire, when it arrived. Not by number: impairments renumber. */
  arrival(frame: SeenFrame): SeenFrame | undefined {
    return this.appearances(frame).find(
      (other) => other.wire === frame.wire && other.direction === 'in' && other.device !== frame.device,
    );
  }

  /** The first frame that a device sent from `at` on, or the last that it received until `at`, that matches. */
  nearest(
    device: string,
    direction: 'in' | 'out',
    at: number,
    matches: (frame: SeenFrame) => boolean,
  ): SeenFrame | undefined {
    const fits = (frame: SeenFrame): boolean =>
      frame.device === device && frame.direction === direction && matches(frame);
    if (direction === 'out') return this.frames.find((frame) => frame.at >= at && fits(frame));
    return this.frames.findLast((frame) => frame.at <= at && fits(frame));
  }
}

/** A field's value by Wireshark's name; undefined when no layer has it. */
export function fieldOf(frame: SeenFrame, name: string): string | number | undefined {
  for (const layer of frame.dissection.layers) {
    const field = layer.fields.find((other) => other.name === name);
    if (field !== undefined) return field.value;
  }
  return undefined;
}

export function numberOf(frame: SeenFrame, name: string): number {
  return Number(fieldOf(frame, name) ?? 0);
}

export function textOf(frame: SeenFrame, name: string): string {
  return String(fieldOf(frame, name) ?? '');
}

function key(device: number, number: number): string {
  return `${device}/${number}`;
}

function push<T>(map: Map<string, T[]>, at: string, value: T): void {
  const list = map.get(at);
  if (list === undefined) map.set(at, [value]);
  else list.push(value);
}
