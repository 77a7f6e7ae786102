import { expect, test } from 'vitest';
import { seededRandom } from '../../../shared/device/random.ts';
import { AREA_BYTES, MessageReader } from '../../../shared/wire/message-reader.ts';
import { OPCODE, rawFrame } from '../../kit/raw-websocket.ts';

const ANSWER = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n');

/** A net.Socket's readable side: what is pushed while it is paused waits, and is looked at when it goes on. */
class Sink {
  readableFlowing = true;
  readonly chunks: Buffer[] = [];
  private readonly waiting: Uint8Array[] = [];

  get readableLength(): number {
    return this.waiting.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  push(bytes: Uint8Array): boolean {
    if (this.readableFlowing && this.waiting.length === 0) this.chunks.push(Buffer.from(bytes));
    else this.waiting.push(bytes);
    return this.readableLength === 0;
  }

  resume(): void {
    this.readableFlowing = true;
    for (const bytes of this.waiting.splice(0)) this.chunks.push(Buffer.from(bytes));
  }

  once(): void {}
}

/** Have a reader read `stream`, at most `most` octets at a time; `between` happens between two reads. */
function readAll(stream: Buffer, most: () => number, between = (_sink: Sink): void => {}): Sink {
  const reader = new MessageReader();
  const sink = new Sink();
  reader.attach(sink);
  for (let at = 0; at < stream.length; ) {
    const room = reader.onread.buffer();
    expect(room.length).toBeGreaterThan(0);
    const count = Math.min(room.length, most(), stream.length - at);
    room.set(stream.subarray(at, at + count));
    reader.onread.callback(count);
    at += count;
    between(sink);
  }
  sink.resume();
  return sink;
}

const message = (size: number, fill: number): Buffer =>
  rawFrame({ opcode: OPCODE.BINARY, payload: Buffer.alloc(size, fill), masked: false });

test('messages come in pieces that begin and end where messages do, however they were read', () => {
  const random = seededRandom(1);
  const messages = Array.from({ length: 60 }, (_, i) => message(random.u32() % (i % 3 === 0 ? 200 : 80_000), i));
  const edges = new Set([0]);
  let at = 0;
  for (const { length } of messages) edges.add((at += length));
  const { chunks } = readAll(Buffer.concat([ANSWER, ...messages]), () => 1 + (random.u32() % 100_000));
  expect(chunks[0]).toEqual(ANSWER);
  at = 0;
  for (const chunk of chunks.slice(1)) {
    expect(edges.has(at)).toBe(true);
    at += chunk.length;
  }
  expect(at).toBe(Math.max(...edges));
  expect(Buffer.concat(chunks.slice(1)).equals(Buffer.concat(messages))).toBe(true);
});

test('what waits in a socket that is paused is not written over by what is read next', () => {
  const random = seededRandom(2);
  const messages = Array.from({ length: 60 }, (_, i) => message(30_000, i));
  const { chunks } = readAll(
    Buffer.concat([ANSWER, ...messages]),
    () => 70_000,
    (sink) => {
      if (random.u32() % 2 === 0) sink.resume();
      else sink.readableFlowing = false;
    },
  );
  expect(Buffer.concat(chunks.slice(1)).equals(Buffer.concat(messages))).toBe(true);
});

test.each([
  ['a ping', rawFrame({ opcode: OPCODE.PING, payload: Buffer.from('there?'), masked: false })],
  ['a close', rawFrame({ opcode: OPCODE.CLOSE, masked: false })],
  ['a fragment', rawFrame({ opcode: OPCODE.BINARY, payload: Buffer.alloc(9), fin: false, masked: false })],
  ['a continuation', rawFrame({ opcode: OPCODE.CONTINUATION, payload: Buffer.alloc(9), masked: false })],
  ['a text', rawFrame({ opcode: OPCODE.TEXT, payload: Buffer.from('text'), masked: false })],
  ['a reserved bit', rawFrame({ opcode: OPCODE.BINARY, reserved: 0x10, masked: false })],
  ['a masked message', rawFrame({ opcode: OPCODE.BINARY, payload: Buffer.alloc(300, 7) })],
  ['a message as large as the area', message(AREA_BYTES, 1)],
  ['a length beyond all limits', rawFrame({ opcode: OPCODE.BINARY, length: 2 ** 52, masked: false })],
  ['noise', Buffer.from([0x7f, 0xff, 0x00])],
])('%s between messages changes no octet of the stream', (_, odd) => {
  const stream = Buffer.concat([message(20_000, 1), odd, message(100, 2), message(70_000, 3)]);
  const { chunks } = readAll(Buffer.concat([ANSWER, stream]), () => 50_000);
  const got = Buffer.concat(chunks.slice(1));
  // Of a length that never comes nothing may be held back, either.
  expect(got.equals(stream)).toBe(true);
});

test.each([
  ['a refusal', 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno'],
  ['an interim answer', `HTTP/1.1 103 Early Hints\r\n\r\n${ANSWER.toString()}\x82\x02hi`],
])('%s in HTTP is passed on as it is', (_, text) => {
  const { chunks } = readAll(Buffer.from(text), () => 7);
  expect(Buffer.concat(chunks).toString()).toBe(text);
});

test('an answer in HTTP that does not end is passed on before the area is full', () => {
  const stream = Buffer.from(`HTTP/1.1 101 x\r\n${'a: b\r\n'.repeat(AREA_BYTES)}`);
  expect(Buffer.concat(readAll(stream, () => 60_000).chunks).equals(stream)).toBe(true);
});
