/** One wire with a good end at its door, and hostile ones who come to the same door: what they do to each other. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SystemClock } from '../../shared/device/clock.ts';
import { seededRandom } from '../../shared/device/random.ts';
import { encodeHello, encodeLink, type Refusal } from '../../shared/wire/hello.ts';
import { WebSocketWire } from '../../shared/wire/websocket.ts';
import { WireServer } from '../../shared/wire/wire-server.ts';
import { OPCODE, type RawPeer, rawFrame, rawUpgrade } from './raw-websocket.ts';

const NAME = 'alice:eth0--sw:p1';
const TOKEN = 'a token of the right kind';
/** The good end's. */
export const EPOCH = 1_000;
export const HOSTILE_PATH = `/wires/${encodeURIComponent(NAME)}`;
const HELLO = { version: 1, lab: 'lab', wire: NAME, end: 'sw:p1', epoch: EPOCH + 1, token: TOKEN };
const PATIENCE_MS = 8_000;

export const binary = (payload: Uint8Array): Buffer => rawFrame({ opcode: OPCODE.BINARY, payload });
/** A hello as the good end's next incarnation would say it, but for what is changed. */
export const hello = (change: Partial<typeof HELLO> = {}): Buffer => binary(encodeHello({ ...HELLO, ...change }));
export const link = binary(encodeLink({ up: true, plugged: true }));

/** A batch by its fields in hexadecimal, its own length told. */
export function batch(fields: string): Buffer {
  const inner = Buffer.from(fields.replace(/ /g, ''), 'hex');
  return binary(Buffer.concat([Buffer.from([0x12, inner.length]), inner]));
}

export async function until(done: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`did not happen in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export class HostileBench {
  port = 0;
  /** Frames that came in at the end that listens. */
  received = 0;
  readonly ours: WebSocketWire;
  private good: WebSocketWire | undefined;
  private readonly clock = new SystemClock();
  private readonly wires = new WireServer();
  private readonly server = createServer();

  private constructor() {
    this.ours = this.wire('alice:eth0', 'sw:p1', { epoch: 1 });
    this.ours.attach({ onBatch: ({ count }) => (this.received += count), onCarrier: () => {}, onReady: () => {} });
    this.wires.add(this.ours);
    this.server.on('upgrade', (request, socket, head) => {
      if (!this.wires.handleUpgrade(request, socket, head as Buffer)) socket.destroy();
    });
  }

  /** With a good end that has carrier. */
  static async open(): Promise<HostileBench> {
    const bench = new HostileBench();
    await new Promise<void>((resolve) => bench.server.listen(0, '127.0.0.1', resolve));
    bench.port = (bench.server.address() as AddressInfo).port;
    const url = `ws://127.0.0.1:${bench.port}${HOSTILE_PATH}`;
    bench.good = bench.wire('sw:p1', 'alice:eth0', { url, epoch: EPOCH });
    await bench.goodGoesOn();
    return bench;
  }

  private wire(end: string, peer: string, more: { readonly url?: string; readonly epoch: number }): WebSocketWire {
    const { clock } = this;
    const common = { lab: 'lab', name: NAME, token: TOKEN, clock, random: seededRandom(1) };
    const wire = new WebSocketWire({ ...common, end, peer, ...more });
    wire.setPortUp(true);
    return wire;
  }

  count(why: Refusal): number {
    return this.ours.refused.get(why) ?? 0;
  }

  /** Connections that the server holds. */
  connections(): Promise<number> {
    return new Promise((resolve) => this.server.getConnections((_error, count) => resolve(count)));
  }

  /** A frame of the good end arrives. It sends until one does: what it sends as its connection goes is lost, as it should be. */
  async goodGoesOn(): Promise<void> {
    const { ours, good } = this;
    const before = this.received;
    const arrived = (): boolean => {
      if (this.received > before && ours.carrier && good?.carrier === true) return true;
      good?.reserve(64).append(64, 1, 2, 3);
      good?.kick();
      return false;
    };
    await until(arrived, 'carrier at both ends, and a frame of the good end');
  }

  /** The good end is gone for good. */
  silenceGood(): void {
    this.good?.close();
  }

  /** Nobody but the good end is connected. */
  async aloneAgain(): Promise<void> {
    await until(async () => (await this.connections()) === 1, 'the hostile are gone');
  }

  async hostile(bytes: readonly Buffer[], headers: Readonly<Record<string, string>> = {}): Promise<RawPeer> {
    const peer = await rawUpgrade({ port: this.port, path: HOSTILE_PATH, headers });
    for (const piece of bytes) peer.socket.write(piece);
    return peer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.good?.close();
    this.wires.close();
    this.clock.stop();
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
