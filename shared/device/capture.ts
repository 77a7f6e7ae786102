/**
 * A device's capture: frames copied from the taps of its ports into one bounded buffer per watcher, sent in batches.
 * Watching never slows the lab: what a slow watcher has no room for is lost to it, and counted in its next message.
 *
 * Interface:
 * - new Captures(device): owns the taps; watch(ports, sink) adds a watcher, the returned function removes it.
 * - The tap of a port is set only while somebody watches it, so that nobody pays for nothing.
 */
import type { PhyTap } from '../nic/phy.ts';
import type { Clock } from '../platform.ts';
import { type Verdict, type VerdictLog, verdictText } from '../wire/verdict.ts';
import type { CaptureHello } from './capture-format.ts';
import { CAPTURE_DIRECTION, CAPTURE_FRAME_HEAD, CAPTURE_HEAD, writeCaptureHead } from './capture-format.ts';

/** What a batch may hold before frames are lost: about 600 full frames. */
const BATCH_BYTES_MAX = 1_000_000;
/** Send at once when this much is there; otherwise after FLUSH_MS. */
const BATCH_BYTES_EAGER = 64_000;
/** Longest that a captured frame waits, real time. */
const FLUSH_MS = 10;
/** What may wait in the watcher's socket; beyond it we hold the batch, and then lose frames. */
export const WATCHER_BACKLOG_BYTES_MAX = 1_000_000;
const FRAMES_MAX = 0xffff;

/** The part of a Phy that capture needs. */
export interface CapturePoint {
  tap: PhyTap | undefined;
}

/** Where a watcher's batches go: a WebSocket, or a test. */
export interface CaptureSink {
  send(message: Uint8Array): void;
  /** Octets that were sent and wait. */
  readonly backlog: number;
}

/** One watcher's frames that have not been sent. */
class CaptureQueue {
  private readonly sink: CaptureSink;
  private readonly buffer = new Uint8Array(BATCH_BYTES_MAX);
  private readonly view = new DataView(this.buffer.buffer);
  private at = CAPTURE_HEAD;
  private frames = 0;
  private lost = 0;
  private timer: NodeJS.Timeout | undefined;
  private eager: NodeJS.Immediate | undefined;
  private readonly atOnce: boolean;

  constructor(sink: CaptureSink, atOnce: boolean) {
    this.sink = sink;
    this.atOnce = atOnce;
  }

  /** Copy one frame; `head` writes the fields that the caller knows. */
  add(bytes: Uint8Array, start: number, size: number, head: (view: DataView, at: number) => void): void {
    const end = this.at + CAPTURE_FRAME_HEAD + size;
    if (end > BATCH_BYTES_MAX || this.frames === FRAMES_MAX) {
      this.lost++;
      return;
    }
    head(this.view, this.at);
    this.view.setUint32(this.at + 32, size);
    this.buffer.set(bytes.subarray(start, start + size), this.at + CAPTURE_FRAME_HEAD);
    this.at = end;
    this.frames++;
    if (this.atOnce) this.flush();
    else if (this.at >= BATCH_BYTES_EAGER) this.eager ??= setImmediate(this.flush);
    else this.timer ??= setTimeout(this.flush, FLUSH_MS);
  }

  private readonly flush = (): void => {
    this.stop();
    if (this.sink.backlog > WATCHER_BACKLOG_BYTES_MAX) {
      this.timer = setTimeout(this.flush, FLUSH_MS);
      return;
    }
    writeCaptureHead(this.view, this.frames, this.lost);
    this.sink.send(this.buffer.slice(0, this.at));
    this.at = CAPTURE_HEAD;
    this.frames = 0;
    this.lost = 0;
  };

  stop(): void {
    clearTimeout(this.timer);
    clearImmediate(this.eager);
    this.timer = undefined;
    this.eager = undefined;
  }
}

export class Captures {
  private readonly deviceName: string;
  private readonly deviceIndex: number;
  private readonly clock: Clock;
  private readonly points: ReadonlyMap<string, CapturePoint>;
  private readonly verdictsOf: (port: string) => VerdictLog | undefined;
  private readonly watchers = new Map<CaptureQueue, ReadonlySet<string>>();

  constructor(options: {
    readonly deviceName: string;
    readonly deviceIndex: number;
    readonly clock: Clock;
    readonly points: ReadonlyMap<string, CapturePoint>;
    /** What the wire at a port does to frames, in words, for the watchers. */
    readonly verdictsOf?: (port: string) => VerdictLog | undefined;
  }) {
    this.deviceName = options.deviceName;
    this.deviceIndex = options.deviceIndex;
    this.clock = options.clock;
    this.points = options.points;
    this.verdictsOf = options.verdictsOf ?? (() => undefined);
  }

  /** How many watch. */
  get count(): number {
    return this.watchers.size;
  }

  /** What a watcher of `ports` is told first. */
  hello(ports: readonly string[]): CaptureHello {
    const names = [...this.points.keys()];
    return {
      ports: ports.map((port) => ({
        device: this.deviceIndex,
        port: names.indexOf(port),
        name: `${this.deviceName}:${port}`,
      })),
    };
  }

  /**
   * Send the frames of `ports` to `sink` until the returned function is called. `atOnce`: each in a message of its own,
   * for a watcher in the same process, who then sees the frames of all devices in the order in which they passed.
   */
  watch(ports: readonly string[], sink: CaptureSink, atOnce = false): () => void {
    const queue = new CaptureQueue(sink, atOnce);
    this.watchers.set(queue, new Set(ports));
    this.settle();
    return () => {
      queue.stop();
      this.watchers.delete(queue);
      this.settle();
    };
  }

  /** Taps on the ports that somebody watches, and on no other. */
  private settle(): void {
    let index = 0;
    for (const [port, point] of this.points) {
      const queues = [...this.watchers].filter(([, ports]) => ports.has(port)).map(([queue]) => queue);
      point.tap = queues.length === 0 ? undefined : this.tapOf(index, queues);
      const log = this.verdictsOf(port);
      if (log !== undefined) log.listener = queues.length === 0 ? undefined : this.verdictTapOf(index, queues);
      index++;
    }
  }

  private tapOf(port: number, queues: readonly CaptureQueue[]): PhyTap {
    return (direction, bytes, at, size, traceDevice, traceNumber, cause, frameNumber) => {
      const now = this.clock.now();
      for (const queue of queues) {
        queue.add(bytes, at, size, (view, head) => {
          view.setFloat64(head, now);
          view.setUint16(head + 8, this.deviceIndex);
          view.setUint8(head + 10, port);
          view.setUint8(head + 11, direction === 'in' ? CAPTURE_DIRECTION.IN : CAPTURE_DIRECTION.OUT);
          view.setFloat64(head + 12, frameNumber);
          view.setUint32(head + 20, traceDevice);
          view.setUint32(head + 24, traceNumber);
          view.setUint32(head + 28, cause);
        });
      }
    };
  }

  private verdictTapOf(port: number, queues: readonly CaptureQueue[]): (verdict: Verdict) => void {
    return (verdict) => {
      const words = new TextEncoder().encode(verdictText(verdict));
      for (const queue of queues) {
        queue.add(words, 0, words.length, (view, head) => {
          view.setFloat64(head, verdict.time);
          view.setUint16(head + 8, this.deviceIndex);
          view.setUint8(head + 10, port);
          view.setUint8(head + 11, CAPTURE_DIRECTION.VERDICT);
          view.setFloat64(head + 12, verdict.frame);
          view.setFloat64(head + 20, 0);
          view.setUint32(head + 28, 0);
        });
      }
    };
  }
}
