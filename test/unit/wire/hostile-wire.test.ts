/**
 * Whoever is no good end of a wire: each is closed with its code and counted by kind, and the good end at the same door
 * keeps its carrier and its frames. Nothing of the hostile is left. test/hostile/wire.test.ts has the many and the slow.
 */
import { expect, test } from 'vitest';
import type { Refusal } from '../../../shared/wire/hello.ts';
import { batch, binary, EPOCH, HostileBench, hello, link, until } from '../../kit/hostile-wire.ts';
import { OPCODE, rawFrame } from '../../kit/raw-websocket.ts';

const MEGABYTE = 1_048_576;
/** Of one frame. */
const TRACE = '2208 0000000000000000';

test.concurrent.each<[string, Buffer[], number, Refusal]>([
  ['a wrong token', [hello({ token: 'guess' })], 4401, 'token'],
  ['no token', [hello({ token: '' })], 4401, 'token'],
  ['version 0', [hello({ version: 0 })], 4406, 'version'],
  ['the next version', [hello({ version: 2 })], 4406, 'version'],
  ['another lab', [hello({ lab: 'other' })], 4404, 'wrong_wire'],
  ['another wire', [hello({ wire: 'x--y' })], 4404, 'wrong_wire'],
  ['our own end', [hello({ end: 'alice:eth0' })], 4404, 'wrong_wire'],
  ['a replayed hello of an old epoch', [hello({ epoch: EPOCH - 1 })], 4409, 'old_epoch'],
  ['hello of more than 4096 octets', [hello({ lab: 'x'.repeat(5_000) })], 1002, 'malformed'],
  ['hello twice', [hello(), hello()], 1002, 'malformed'],
  ['frames before hello', [batch(`0800 1000 1a00 ${TRACE}`)], 4408, 'no_hello'],
  ['link state before hello', [link], 4408, 'no_hello'],
  ['an empty message', [binary(new Uint8Array(0))], 1002, 'malformed'],
  ['text', [rawFrame({ opcode: OPCODE.TEXT, payload: Buffer.from('hello') })], 1002, 'malformed'],
  [
    'text that is not UTF-8',
    [rawFrame({ opcode: OPCODE.TEXT, payload: Buffer.from('fffe', 'hex') })],
    1007,
    'malformed',
  ],
  ['a message one octet over 1 MiB', [hello(), binary(new Uint8Array(MEGABYTE + 1))], 1009, 'too_long'],
  ['a header that promises 2^60 octets', [rawFrame({ opcode: 2, length: 2 ** 52 })], 1009, 'too_long'],
  ['a frame without a mask', [rawFrame({ opcode: 2, payload: new Uint8Array(3), masked: false })], 1002, 'malformed'],
  ['a reserved bit', [rawFrame({ opcode: 2, reserved: 0x40 })], 1002, 'malformed'],
  ['an opcode that is none', [rawFrame({ opcode: 5 })], 1002, 'malformed'],
  ['a ping in fragments', [rawFrame({ opcode: OPCODE.PING, fin: false })], 1002, 'malformed'],
  ['a ping of 126 octets', [rawFrame({ opcode: OPCODE.PING, payload: new Uint8Array(126) })], 1002, 'malformed'],
  ['a close of one octet', [rawFrame({ opcode: OPCODE.CLOSE, payload: new Uint8Array(1) })], 1002, 'malformed'],
  ['a continuation of nothing', [rawFrame({ opcode: OPCODE.CONTINUATION })], 1002, 'malformed'],
  [
    'numbers that go backwards',
    [hello(), link, batch(`0805 1a00 ${TRACE}`), batch(`0804 1a00 ${TRACE}`)],
    1002,
    'malformed',
  ],
  [
    'a gap of more frames than there are',
    [hello(), batch(`0800 1a00 ${TRACE}`), batch(`08ffffffffffffff0f 1a00 ${TRACE}`)],
    1002,
    'malformed',
  ],
  ['a number of ten octets', [hello(), batch(`08ffffffffffffffffff01 1a00 ${TRACE}`)], 1002, 'malformed'],
  ['a number in more octets than it needs', [hello(), batch(`088000 1a00 ${TRACE}`)], 1002, 'malformed'],
  ['a length in more octets than it needs', [hello(), batch(`0800 1a8000 ${TRACE}`)], 1002, 'malformed'],
  ['more traces than frames', [hello(), batch('0800 1a00 2210 00000000000000000000000000000000')], 1002, 'malformed'],
  ['frames without traces', [hello(), batch('0800 1a00')], 1002, 'malformed'],
  ['half an octet of causes', [hello(), batch(`0800 1a00 ${TRACE} 2a0100`)], 1002, 'malformed'],
  ['traces twice', [hello(), batch(`0800 1a00 ${TRACE} ${TRACE}`)], 1002, 'malformed'],
  ['a frame that reaches beyond its message', [hello(), batch('0800 1a7f 00')], 1002, 'malformed'],
  ['a frame of 65535 octets', [hello(), binary(bigFrame(65_535))], 1002, 'malformed'],
  [
    'garbage behind a good batch',
    [hello(), link, batch(`0800 1a00 ${TRACE}`), binary(Buffer.from('ffff', 'hex'))],
    1002,
    'malformed',
  ],
])('%s is closed with its code, counted, and the good end goes on', async (_, bytes, code, why) => {
  await using bench = await HostileBench.open();
  const peer = await bench.hostile(bytes);
  expect(await peer.closed).toBe(code);
  expect(bench.count(why)).toBe(1);
  await bench.goodGoesOn();
  await bench.aloneAgain();
});

function bigFrame(size: number): Buffer {
  const varint = Buffer.from([(size & 127) | 128, ((size >>> 7) & 127) | 128, size >>> 14]);
  const inner = Buffer.concat([
    Buffer.from([0x08, 0, 0x1a]),
    varint,
    Buffer.alloc(size),
    Buffer.from(TRACE.replace(/ /g, ''), 'hex'),
  ]);
  const total = inner.length;
  return Buffer.concat([Buffer.from([0x12, (total & 127) | 128, ((total >>> 7) & 127) | 128, total >>> 14]), inner]);
}

test.concurrent.each([
  ['no frames', '0800'],
  ['a frame of no octets', `0800 1a00 ${TRACE}`],
  ['a frame of one octet', `0800 1a0155 ${TRACE}`],
])('a batch with %s is a batch', async (_, fields) => {
  await using bench = await HostileBench.open();
  const peer = await bench.hostile([hello(), link, batch(fields)]);
  await until(() => bench.count('end_taken') === 1, 'the end taken');
  peer.socket.destroy();
  await bench.goodGoesOn();
  expect(bench.count('malformed')).toBe(0);
});

test.concurrent('the newest hello takes the end; the good one dials again and has it back', async () => {
  await using bench = await HostileBench.open();
  const peer = await bench.hostile([hello({ epoch: EPOCH }), link]);
  // The same epoch, as a recording has it: the older connection is told 4409, waits, and is the newest then.
  expect(await peer.closed).toBe(4409);
  expect(bench.count('end_taken')).toBe(2);
  await bench.goodGoesOn();
});

test.concurrent('numbers that a replayed hello pushed up do not shut the good end out', async () => {
  await using bench = await HostileBench.open();
  await bench.goodGoesOn();
  const peer = await bench.hostile([hello({ epoch: EPOCH }), link, batch(`08ffff7f 1a00 ${TRACE}`)]);
  await until(() => bench.received >= 2, 'the forged batch');
  peer.socket.destroy();
  await bench.goodGoesOn();
  expect(bench.count('malformed')).toBe(0);
});

test.concurrent('permessage-deflate is not agreed on, whatever is offered', async () => {
  await using bench = await HostileBench.open();
  const offer = {
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits; server_no_context_takeover',
  };
  const peer = await bench.hostile([hello({ token: 'guess' })], offer);
  expect(peer.answer).toMatch(/^HTTP\/1.1 101 /);
  expect(peer.answer.toLowerCase()).not.toContain('sec-websocket-extensions');
  expect(await peer.closed).toBe(4401);
});
