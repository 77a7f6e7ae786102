/**
 * Both neighbours of a switch in one process: one port sends 64-octet frames as fast as the wire takes them, in full
 * batches or one a message, the other counts what comes. No stack, no card: what is measured is the switch.
 */
import { connect, type Socket } from 'node:net';
import { crc32 } from 'node:zlib';
import { WebSocket } from 'ws';
import { SystemClock } from '../../shared/device/clock.ts';
import { seededRandom } from '../../shared/device/random.ts';
import { CABLE, ETHERNET, FRAME_SIZE_MIN } from '../../shared/header/ethernet.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';
import { MESSAGE_BYTES_MAX } from '../../shared/wire/codec.ts';
import { BATCH_FRAMES_MAX, type FrameBatch } from '../../shared/wire/frame-batch.ts';
import { SUBPROTOCOL } from '../../shared/wire/hello.ts';
import { WebSocketWire } from '../../shared/wire/websocket.ts';

export type ToFrames =
  | { readonly type: 'plug'; readonly from: DevicePlan; readonly to: DevicePlan; readonly token: string }
  | { readonly type: 'send'; readonly seconds: number; readonly batch: boolean };
export type FromFrames =
  | { readonly type: 'plugged' }
  /** Frames a second from the first sent to the last that came. */
  | { readonly type: 'sent'; readonly rate: number; readonly lost: number };

/** Preamble, 60 octets, FCS. */
const CABLE_BYTES = CABLE.LEAD + FRAME_SIZE_MIN + CABLE.FCS;
/** An EtherType for experiments (IEEE 802, local experimental 1). */
const EXPERIMENT = 0x88b5;
/** Nothing came for so long: nothing will. */
const QUIET_MS = 300;
const CARRIER_MS_MAX = 10_000;
/** Messages written in one go when each has one frame: a system call for each would measure this process, not the switch. */
const BURST_MESSAGES = 32;

/** A wire that sends what it has now, without waiting for the end of the turn. */
class EagerWire extends WebSocketWire {
  sendNow(): void {
    this.flush();
  }
}

const clock = new SystemClock();
const tell = (message: FromFrames): void => void process.send?.(message);

function frame(target: number, source: number): Uint8Array {
  const bytes = new Uint8Array(CABLE_BYTES).fill(CABLE.PREAMBLE, 0, CABLE.PREAMBLE_SIZE);
  bytes[CABLE.PREAMBLE_SIZE] = CABLE.SFD;
  const view = new DataView(bytes.buffer);
  const at = CABLE.LEAD;
  for (const [where, last] of [
    [ETHERNET.TARGET, target],
    [ETHERNET.SOURCE, source],
  ] as const) {
    view.setUint8(at + where, 0x02);
    view.setUint8(at + where + 5, last);
  }
  view.setUint16(at + ETHERNET.TYPE, EXPERIMENT);
  view.setUint32(at + FRAME_SIZE_MIN, crc32(bytes.subarray(at, at + FRAME_SIZE_MIN)), true);
  return bytes;
}

/** A wire's end and the TCP connection under it. */
interface Plug {
  readonly wire: EagerWire;
  readonly tcp: Socket;
}

async function plug(plan: DevicePlan, token: string): Promise<Plug> {
  const [port] = plan.ports;
  if (!port?.wire?.url) throw new Error(`${plan.name} has no wire to dial`);
  const { name, peer, url } = port.wire;
  const end = `${plan.name}:${port.name}`;
  const wire = new EagerWire({ lab: plan.lab, name, end, peer, token, clock, random: seededRandom(plan.seed) });
  wire.setPortUp(true);
  const tcp = connect(Number(new URL(url).port), '127.0.0.1');
  const options = { perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX, createConnection: () => tcp };
  const socket = new WebSocket(url, [SUBPROTOCOL], options);
  // At once: the far end's hello may come in the same turn.
  socket.once('open', () => wire.accept(socket));
  await lit(wire);
  return { wire, tcp };
}

async function lit(wire: EagerWire): Promise<void> {
  const end = performance.now() + CARRIER_MS_MAX;
  while (!wire.carrier) {
    if (performance.now() > end) throw new Error(`no carrier at ${wire.end}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

class Blaster {
  private readonly tcp: Socket;
  private readonly from: EagerWire;
  private readonly to: EagerWire;
  private count = 0;
  private lastAt = 0;
  private onRoom = (): void => {};

  constructor({ wire: from, tcp }: Plug, { wire: to }: Plug) {
    this.tcp = tcp;
    this.from = from;
    this.to = to;
    from.attach({ onBatch: () => {}, onCarrier: () => {}, onReady: () => this.onRoom() });
    to.attach({ onBatch: (batch) => this.arrived(batch), onCarrier: () => {}, onReady: () => {} });
  }

  /** Let the switch learn where the frames' target is. */
  teach(): void {
    this.put(this.to, frame(1, 2));
    this.to.sendNow();
  }

  async send(seconds: number, perMessage: number): Promise<FromFrames> {
    const bytes = frame(2, 1);
    const before = this.count;
    const start = performance.now();
    const end = start + seconds * 1_000;
    let sent = 0;
    while (performance.now() < end) {
      // A turn's worth; then what came is looked at.
      this.tcp.cork();
      for (let n = 0; n < (perMessage === 1 ? BURST_MESSAGES : 1) && this.from.ready; n++) {
        for (let i = 0; i < perMessage; i++) this.put(this.from, bytes);
        this.from.sendNow();
        sent += perMessage;
      }
      this.tcp.uncork();
      await (this.from.ready ? turnOver() : this.room());
    }
    this.lastAt = performance.now();
    while (this.count - before < sent && performance.now() - this.lastAt < QUIET_MS) await turnOver();
    const arrived = this.count - before;
    return { type: 'sent', rate: arrived / ((this.lastAt - start) / 1_000), lost: sent - arrived };
  }

  private put(wire: EagerWire, bytes: Uint8Array): void {
    const batch = wire.reserve(CABLE_BYTES);
    batch.bytes.set(bytes, batch.append(CABLE_BYTES, 0, 0, 0));
  }

  private arrived(batch: FrameBatch): void {
    this.count += batch.count;
    this.lastAt = performance.now();
  }

  private room(): Promise<void> {
    return new Promise((resolve) => {
      this.onRoom = resolve;
    });
  }
}

const turnOver = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let blaster: Blaster | undefined;

async function obey(order: ToFrames): Promise<void> {
  if (order.type === 'plug') {
    const [from, to] = await Promise.all([plug(order.from, order.token), plug(order.to, order.token)]);
    blaster = new Blaster(from, to);
    blaster.teach();
    tell({ type: 'plugged' });
  } else if (blaster !== undefined) {
    tell(await blaster.send(order.seconds, order.batch ? BATCH_FRAMES_MAX : 1));
  }
}

process.on('message', (order: ToFrames) => void obey(order));
process.on('disconnect', () => process.exit(0));
