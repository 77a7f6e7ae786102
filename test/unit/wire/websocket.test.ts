import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SystemClock } from '../../../shared/device/clock.ts';
import { seededRandom } from '../../../shared/device/random.ts';
import { encodeHello, encodeLink } from '../../../shared/wire/hello.ts';
import { WebSocketWire } from '../../../shared/wire/websocket.ts';
import { WireServer } from '../../../shared/wire/wire-server.ts';

const NAME = 'alice:eth0--sw:p1';
const TOKEN = 'a token of the right kind';
const clock = new SystemClock();
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

interface Side {
  readonly wire: WebSocketWire;
  readonly frames: string[];
  readonly numbers: number[];
}

function listen(wire: WebSocketWire): Side {
  const side: Side = { wire, frames: [], numbers: [] };
  wire.attach({
    onBatch: (batch) => {
      for (let i = 0; i < batch.count; i++) {
        side.frames.push(
          Buffer.from(batch.bytes.subarray(batch.offset(i), batch.offset(i) + batch.size(i))).toString(),
        );
        side.numbers.push(batch.first + i);
      }
    },
    onCarrier: () => {},
    onReady: () => {},
  });
  wire.setPortUp(true);
  cleanups.push(() => wire.close());
  return side;
}

function send(wire: WebSocketWire, text: string): void {
  const batch = wire.reserve(text.length);
  const at = batch.append(text.length, 1, 2, 3);
  batch.bytes.set(Buffer.from(text), at);
  wire.kick();
}

async function until(done: () => boolean, ms = 3_000): Promise<void> {
  const end = performance.now() + ms;
  while (!done()) {
    if (performance.now() > end) throw new Error('did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function serve(wires: WireServer, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    if (!wires.handleUpgrade(request, socket, head as Buffer)) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

function listening(): { side: Side; wires: WireServer } {
  const wire = new WebSocketWire({
    lab: 'lab',
    name: NAME,
    end: 'alice:eth0',
    peer: 'sw:p1',
    token: TOKEN,
    clock,
    random: seededRandom(1),
  });
  const wires = new WireServer();
  wires.add(wire);
  return { side: listen(wire), wires };
}

function dialling(port: number, change: { token?: string; lab?: string; end?: string; epoch?: number } = {}): Side {
  const url = `ws://127.0.0.1:${port}/wires/${NAME}`;
  const random = seededRandom(2);
  return listen(
    new WebSocketWire({
      lab: 'lab',
      name: NAME,
      end: 'sw:p1',
      peer: 'alice:eth0',
      token: TOKEN,
      clock,
      random,
      url,
      ...change,
    }),
  );
}

async function pair(): Promise<{ a: Side; b: Side; port: number; wires: WireServer }> {
  const { side: a, wires } = listening();
  const { port } = await serve(wires);
  const b = dialling(port);
  await until(() => a.wire.carrier && b.wire.carrier);
  return { a, b, port, wires };
}

test('two ends find each other, and frames go both ways in order with their numbers', async () => {
  const { a, b } = await pair();
  for (let i = 0; i < 300; i++) send(b.wire, `frame ${i}`);
  send(a.wire, 'hello');
  await until(() => a.frames.length === 300 && b.frames.length === 1);
  expect(a.frames[299]).toBe('frame 299');
  expect(a.numbers).toEqual(Array.from({ length: 300 }, (_, i) => i));
  expect(a.wire.counters).toMatchObject({ receivedFrames: 300, lostWithPeer: 0, malformedMessages: 0 });
});

test('unplugging takes carrier down at both ends within 100 ms, and plugging brings it back', async () => {
  const { a, b } = await pair();
  const start = performance.now();
  a.wire.unplug();
  expect(a.wire.carrier).toBe(false);
  await until(() => !b.wire.carrier);
  expect(performance.now() - start).toBeLessThan(100);
  send(b.wire, 'into the dark');
  await until(() => b.wire.counters.lostWithoutCarrier === 1);
  a.wire.plug();
  await until(() => a.wire.carrier && b.wire.carrier);
  b.wire.setPortUp(false);
  await until(() => !a.wire.carrier);
  expect(b.wire.carrier).toBe(true);
});

test('an end that goes away takes carrier down, and the wire comes back with its next incarnation', async () => {
  const { a, b, port } = await pair();
  send(b.wire, 'before');
  await until(() => a.frames.length === 1);
  b.wire.close();
  await until(() => !a.wire.carrier);
  const again = dialling(port, { epoch: Date.now() + 1 });
  await until(() => a.wire.carrier && again.wire.carrier);
  send(again.wire, 'after');
  await until(() => a.frames.length === 2);
  expect(a.numbers).toEqual([0, 0]);
  expect(a.wire.counters.lostWithPeer).toBe(0);
});

test('the end that dials waits for one that is not there yet', async () => {
  const { side, wires } = listening();
  const { server, port } = await serve(wires);
  server.close();
  const b = dialling(port);
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(b.wire.carrier).toBe(false);
  await serve(wires, port);
  await until(() => side.wire.carrier && b.wire.carrier, 6_000);
});

/** A far end by hand: its messages, and how it was closed. */
async function raw(
  port: number,
  messages: (string | Uint8Array)[],
): Promise<{ code: Promise<number>; socket: WebSocket }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/wires/${encodeURIComponent(NAME)}`, ['wirelab.v1']);
  cleanups.push(() => socket.terminate());
  const code = new Promise<number>((resolve) => socket.on('close', resolve));
  await new Promise((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
  });
  for (const message of messages) socket.send(message);
  return { code, socket };
}

const HELLO = { version: 1, lab: 'lab', wire: NAME, end: 'sw:p1', epoch: Date.now() + 60_000, token: TOKEN };

test('who says nothing is shown the door after two seconds', async () => {
  const { a, port } = await pair();
  const peer = await raw(port, []);
  expect(await peer.code).toBe(4408);
  expect(a.wire.carrier).toBe(true);
});

test('the newest with the right token takes the end over, and the older is told 4409', async () => {
  const { side, wires } = listening();
  const { port } = await serve(wires);
  const first = await raw(port, [encodeHello(HELLO), encodeLink({ up: true, plugged: true })]);
  await until(() => side.wire.carrier);
  const second = await raw(port, [
    encodeHello({ ...HELLO, epoch: HELLO.epoch + 1 }),
    encodeLink({ up: true, plugged: true }),
  ]);
  expect(await first.code).toBe(4409);
  await until(() => side.wire.carrier);
  expect(second.socket.readyState).toBe(WebSocket.OPEN);
});

test('frames that went with a connection are known to be lost when the next one says its first pulse', async () => {
  const { side, wires } = listening();
  const { port } = await serve(wires);
  const hello = [encodeHello(HELLO), encodeLink({ up: true, plugged: true, next: 0 })];
  const first = await raw(port, hello);
  await until(() => side.wire.carrier);
  first.socket.terminate();
  await until(() => !side.wire.carrier);
  await raw(port, [encodeHello(HELLO), encodeLink({ up: true, plugged: true, next: 7 })]);
  await until(() => side.wire.carrier);
  expect(side.wire.counters.lostWithPeer).toBe(7);
  expect(side.wire.numbers).toMatchObject({
    peerEpoch: HELLO.epoch,
    listenedFrom: 0,
    expected: 7,
    received: 0,
    lost: 7,
  });
});

test('an end that comes late does not count what was sent before it as lost, and a pulse with an old number is no pulse', async () => {
  const { side, wires } = listening();
  const { port } = await serve(wires);
  const peer = await raw(port, [encodeHello(HELLO), encodeLink({ up: true, plugged: true, next: 1_000 })]);
  await until(() => side.wire.carrier);
  expect(side.wire.numbers).toMatchObject({ listenedFrom: 1_000, expected: 1_000, lost: 0 });
  peer.socket.send(encodeLink({ up: true, plugged: true, next: 999 }));
  expect(await peer.code).toBe(1002);
  expect(side.wire.counters.malformedMessages).toBe(1);
});

test('a gap in the numbers is in the ledger as lost with the peer', async () => {
  const { side, wires } = listening();
  const { port } = await serve(wires);
  const frame = (first: number): Buffer =>
    Buffer.from(`120f08${first.toString(16).padStart(2, '0')}1a0141220801000000020000`.concat('00'), 'hex');
  await raw(port, [encodeHello(HELLO), encodeLink({ up: true, plugged: true }), frame(0), frame(5)]);
  await until(() => side.frames.length === 2);
  expect(side.wire.counters.lostWithPeer).toBe(4);
});

test('other protocols, unknown wires and half an upgrade are answered or dropped without harm', async () => {
  const { a, port, wires } = await pair();
  const status = (path: string, protocols: string[]): Promise<string> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols);
      socket.on('error', (error) => resolve(error.message));
      socket.on('open', () => resolve('open'));
    });
  expect(await status('/wires/none', ['wirelab.v1'])).toContain('404');
  expect(await status('/wires/%E0%A4', ['wirelab.v1'])).toContain('404');
  expect(await status(`/wires/${NAME}`, ['other'])).toContain('400');
  const half = connect(port, '127.0.0.1');
  half.on('error', () => {});
  half.write('GET /wires/x HTTP/1.1\r\nUpgrade: websocket\r\nConn');
  half.destroy();
  expect(wires.refused).toBe(3);
  expect(a.wire.carrier).toBe(true);
});

test('a far end that does not read stops the sender at about 1 MB, and nothing is lost when it reads again', async () => {
  const { side, wires } = listening();
  const { port } = await serve(wires);
  const slow = await raw(port, [encodeHello(HELLO), encodeLink({ up: true, plugged: true })]);
  await until(() => side.wire.carrier);
  slow.socket.pause();
  let bytes = 0;
  slow.socket.on('message', (data: Buffer) => (bytes += data.length));
  const text = 'x'.repeat(1_400);
  let sent = 0;
  for (let turn = 0; turn < 400 && side.wire.ready; turn++) {
    for (let i = 0; i < 40; i++, sent++) send(side.wire, text);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(side.wire.ready).toBe(false);
  slow.socket.resume();
  await until(() => side.wire.ready && bytes >= sent * 1_400);
  expect(side.wire.counters.sentFrames).toBe(sent);
});

test('what the dialling end sends is masked with a key of zeros, so that nothing is copied for it', async () => {
  const { side: a, wires } = listening();
  const { server, port } = await serve(wires);
  const heard: Buffer[] = [];
  server.on('upgrade', (_, socket) => socket.on('data', (octets: Buffer) => heard.push(octets)));
  const b = dialling(port);
  await until(() => a.wire.carrier && b.wire.carrier);
  send(b.wire, 'as it is on the cable');
  await until(() => a.frames.length === 1);
  const octets = Buffer.concat(heard);
  // Short messages all: two octets, key, payload. A client's have the mask bit (RFC 6455 §5.1), as a server insists.
  const keys: Buffer[] = [];
  for (let at = 0; at < octets.length; at += 6 + (octets[at + 1]! & 0x7f)) {
    expect(octets[at + 1]! & 0x80).toBe(0x80);
    expect(octets[at + 1]! & 0x7f).toBeLessThan(126);
    keys.push(octets.subarray(at + 2, at + 6));
  }
  expect(keys.length).toBeGreaterThanOrEqual(2);
  expect(keys.every((key) => key.equals(Buffer.alloc(4)))).toBe(true);
});
