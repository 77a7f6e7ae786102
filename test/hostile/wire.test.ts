/** Who comes in great number, never ends or never reads: bounded, closed, counted, and the good end goes on. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { batch, EPOCH, HOSTILE_PATH, HostileBench, hello, link, until } from '../kit/hostile-wire.ts';
import { OPCODE, rawFrame } from '../kit/raw-websocket.ts';

const TRACE = '2208 0000000000000000';

test('half a message that never ends, and one of fragments without end, are closed after two seconds or at 1 MiB', async () => {
  await using bench = await HostileBench.open();
  const slow = await bench.hostile([rawFrame({ opcode: 2, payload: new Uint8Array(3), length: 500_000 })]);
  const endless = await bench.hostile([rawFrame({ opcode: 2, fin: false, payload: new Uint8Array(10) })]);
  const piece = rawFrame({ opcode: OPCODE.CONTINUATION, fin: false, payload: new Uint8Array(60_000) });
  for (let n = 0; n < 20; n++) endless.socket.write(piece);
  expect(await endless.closed).toBe(1009);
  expect(await slow.closed).toBe(4408);
  expect([bench.count('too_long'), bench.count('no_hello')]).toEqual([1, 1]);
  await bench.goodGoesOn();
});

test('a thousand connections that say nothing leave room for one that does, and are all gone in three seconds', async () => {
  await using bench = await HostileBench.open();
  const open = Array.from({ length: 1_000 }, () => connect(bench.port, '127.0.0.1').on('error', () => {}));
  const handshake = `GET ${HOSTILE_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: wirelab.v1\r\n\r\n`;
  for (const socket of open) socket.resume().write(handshake);
  await until(() => bench.count('crowded') + bench.count('no_hello') > 900, 'most are shown the door');
  await bench.goodGoesOn();
  await bench.aloneAgain();
  expect(bench.count('crowded') + bench.count('no_hello')).toBe(1_000);
  await bench.goodGoesOn();
});

test('who asks for pongs without reading them is closed before they are a burden', async () => {
  await using bench = await HostileBench.open();
  const peer = await bench.hostile([hello()]);
  peer.socket.pause();
  const pings = Buffer.concat(
    Array.from({ length: 2_000 }, () => rawFrame({ opcode: OPCODE.PING, payload: new Uint8Array(125) })),
  );
  let ended = false;
  void peer.closed.then(() => (ended = true));
  peer.socket.on('close', () => (ended = true));
  for (let n = 0; n < 400 && !ended && bench.count('flood') === 0; n++) {
    if (!peer.socket.write(pings)) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await until(() => bench.count('flood') === 1, 'it is closed');
  peer.socket.destroy();
  await bench.goodGoesOn();
});

test('a flood of hellos, link states and batches is worked off or closed, frame after frame', async () => {
  await using bench = await HostileBench.open();
  const peer = await bench.hostile([hello(), link]);
  const numbered = (n: number): Buffer =>
    batch(`08${(0x80 | (n & 127)).toString(16)}${(n >>> 7).toString(16).padStart(2, '0')} 1a00 ${TRACE}`);
  const flood = Array.from({ length: 5_000 }, (_, n) => [link, numbered(n + 128)]).flat();
  peer.socket.write(Buffer.concat([...flood, hello()]));
  expect(await peer.closed).toBe(1002);
  expect(bench.received).toBeGreaterThanOrEqual(5_000);
  await bench.goodGoesOn();
});

test('who had taken the end is gone, and what the good end had sent before counts as received still, not as lost', async () => {
  await using bench = await HostileBench.open();
  for (let n = 0; n < 50; n++) await bench.goodGoesOn();
  const before = bench.ours.numbers;
  expect([before.peerEpoch, before.listenedFrom]).toEqual([EPOCH, 0]);
  expect(before.received).toBeGreaterThanOrEqual(50);
  for (const epoch of [EPOCH + 5, EPOCH + 9]) {
    const thief = await bench.hostile([hello({ epoch }), link, batch(`0803 1a00 ${TRACE}`)]);
    await until(() => bench.ours.numbers.peerEpoch === epoch && bench.ours.numbers.received === 1, 'the end is taken');
    thief.socket.destroy();
    await bench.goodGoesOn();
  }
  const { peerEpoch, listenedFrom, expected, received, lost } = bench.ours.numbers;
  expect([peerEpoch, listenedFrom]).toEqual([EPOCH, 0]);
  expect(received).toBeGreaterThan(before.received);
  expect(received + lost).toBe(expected);
});

test('a life that we never heard and that is older than the one we did has not lost what it numbered before', async () => {
  await using bench = await HostileBench.open();
  const stranger = await bench.hostile([hello({ epoch: 0 })]);
  expect(await stranger.closed).toBe(4409);
  const peers: number[] = [];
  for (const [epoch, first] of [
    [EPOCH + 7, '00'],
    [EPOCH + 6, '63'],
  ] as const) {
    const peer = await bench.hostile([]);
    bench.silenceGood();
    peer.socket.write(Buffer.concat([hello({ epoch }), link, batch(`08${first} 1a00 ${TRACE}`)]));
    await until(() => bench.ours.numbers.peerEpoch === epoch && bench.ours.numbers.received === 1, 'it is heard');
    peers.push(bench.ours.numbers.lost);
    peer.socket.destroy();
    await until(() => !bench.ours.carrier, 'it is gone');
  }
  expect(peers).toEqual([0, 0]);
});

test('an epoch that no clock shows is no hello', async () => {
  await using bench = await HostileBench.open();
  const peer = await bench.hostile([hello({ epoch: 2 ** 60 })]);
  expect(await peer.closed).toBe(1002);
  const long = await bench.hostile([rawFrame({ opcode: OPCODE.BINARY, length: 2 ** 62 })]);
  expect(await long.closed).toBe(1009);
  expect([bench.count('malformed'), bench.count('too_long'), bench.count('end_taken')]).toEqual([1, 1, 0]);
  await bench.goodGoesOn();
});

test('who has not said hello gets no room for a message and is told 1009, and nobody gets it in a thousand pieces', async () => {
  await using bench = await HostileBench.open();
  const pieces = Buffer.concat(
    Array.from({ length: 3_000 }, () =>
      rawFrame({ opcode: OPCODE.CONTINUATION, fin: false, payload: new Uint8Array(1) }),
    ),
  );
  const started = rawFrame({ opcode: OPCODE.BINARY, fin: false, payload: new Uint8Array(1) });
  const attacks = [
    [rawFrame({ opcode: OPCODE.BINARY, payload: new Uint8Array(9_000), length: 1_000_000 })],
    [Buffer.concat(Array.from({ length: 5_000 }, () => rawFrame({ opcode: OPCODE.PONG })))],
  ];
  for (const attack of attacks) expect(await (await bench.hostile(attack)).closed).toBe(1009);
  expect(bench.count('too_long')).toBe(attacks.length);
  expect(await (await bench.hostile([hello(), started, pieces])).closed).toBe(1008);
  expect(bench.count('flood')).toBe(1);
  await bench.goodGoesOn();
});
