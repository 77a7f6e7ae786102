/**
 * Streams of many devices as one: watchers who ask for the same thing of a device share one stream from it, so that ten
 * viewers cost a device what one does. A device that dies and comes back is dialled again while somebody watches.
 *
 * Interface:
 * - new FanIn(lab); watch(paths, watcher): `paths` is the endpoint asked of each device; returns what stops it.
 * - A watcher hears onMessage for every message of its devices, and onAttached once each of them answered or could not.
 */
import type { RawData, WebSocket } from 'ws';
import type { Lab } from './lab.ts';

/** Real time between attempts to reach a device that is down. */
const REDIAL_MS = 250;
/** A device that has not answered by then counts as missing. */
const ATTACH_MS_MAX = 1_000;

export interface Watcher {
  /** One message of one device; `binary` as it came. */
  onMessage(device: string, message: Buffer, binary: boolean): void;
  /** Every device answered or could not be reached. */
  onAttached(missing: readonly string[]): void;
}

class Upstream {
  readonly watchers = new Set<Watcher>();
  attached = false;
  private readonly waiting = new Set<(attached: boolean) => void>();
  private readonly open: () => WebSocket;
  private readonly device: string;
  private socket: WebSocket | undefined;
  private redial: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(device: string, open: () => WebSocket) {
    this.device = device;
    this.open = open;
    this.dial();
  }

  /** Resolves when the stream runs, false when it does not within a second. */
  whenAttached(): Promise<boolean> {
    if (this.attached) return Promise.resolve(true);
    return new Promise((resolve) => {
      const late = setTimeout(() => settle(false), ATTACH_MS_MAX);
      const settle = (attached: boolean): void => {
        clearTimeout(late);
        this.waiting.delete(settle);
        resolve(attached);
      };
      this.waiting.add(settle);
    });
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.redial);
    for (const settle of [...this.waiting]) settle(false);
    this.socket?.terminate();
  }

  private dial(): void {
    const socket = this.open();
    this.socket = socket;
    socket.on('open', () => {
      this.attached = true;
      for (const settle of [...this.waiting]) settle(true);
    });
    socket.on('message', (data: RawData, binary: boolean) => {
      const message = Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
      for (const watcher of this.watchers) watcher.onMessage(this.device, message, binary);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.attached = false;
      if (!this.closed) this.redial = setTimeout(() => this.dial(), REDIAL_MS);
    });
  }
}

export class FanIn {
  private readonly lab: Lab;
  private readonly upstreams = new Map<string, Upstream>();

  constructor(lab: Lab) {
    this.lab = lab;
  }

  watch(paths: ReadonlyMap<string, string>, watcher: Watcher): () => void {
    const keys = [...paths].map(([device, path]) => ({ device, path, key: `${device} ${path}` }));
    const mine = keys.map(({ device, path, key }) => {
      const upstream = this.upstreams.get(key) ?? new Upstream(device, () => this.lab.link(device).socket(path));
      this.upstreams.set(key, upstream);
      upstream.watchers.add(watcher);
      return { device, key, upstream };
    });
    void Promise.all(mine.map(async ({ device, upstream }) => ((await upstream.whenAttached()) ? [] : [device]))).then(
      (missing) => watcher.onAttached(missing.flat()),
    );
    return () => {
      for (const { key, upstream } of mine) {
        upstream.watchers.delete(watcher);
        if (upstream.watchers.size > 0) continue;
        upstream.close();
        this.upstreams.delete(key);
      }
    };
  }

  close(): void {
    for (const upstream of this.upstreams.values()) upstream.close();
    this.upstreams.clear();
  }
}
