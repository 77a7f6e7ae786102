import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { SystemClock } from '../../shared/device/clock.ts';
import { encodeHello, encodeLink } from '../../shared/wire/hello.ts';
import { WebSocketWire } from '../../shared/wire/websocket.ts';
import { WireServer } from '../../shared/wire/wire-server.ts';
import { randomBytes, TEST_SEED, testRandom } from '../kit/random.ts';

const NAME = 'alice:eth0--sw:p1';
const TOKEN = 'the token of this lab';
const CONNECTIONS = 150;

test(`whatever is sent to a wire closes that connection at most, and the next one works (seed ${TEST_SEED})`, async () => {
  const random = testRandom('wire socket');
  const clock = new SystemClock();
  const wire = new WebSocketWire({
    lab: 'lab',
    name: NAME,
    end: 'alice:eth0',
    peer: 'sw:p1',
    token: TOKEN,
    clock,
    random,
  });
  wire.setPortUp(true);
  const wires = new WireServer();
  wires.add(wire);
  const server = createServer().on('upgrade', (request, socket, head) =>
    wires.handleUpgrade(request, socket, head as Buffer),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/wires/${NAME}`;
  const hello = encodeHello({ version: 1, lab: 'lab', wire: NAME, end: 'sw:p1', epoch: 1, token: TOKEN });
  const good = [
    hello,
    encodeLink({ up: true, plugged: true }),
    Buffer.from('120f08001a014122080100000002000000', 'hex'),
  ];

  const connect = async (messages: readonly Uint8Array[]): Promise<WebSocket> => {
    const socket = new WebSocket(url, ['wirelab.v1']);
    socket.on('error', () => {});
    await new Promise((resolve) => {
      socket.on('open', resolve);
      socket.on('close', resolve);
    });
    for (const message of messages) if (socket.readyState === WebSocket.OPEN) socket.send(message);
    return socket;
  };
  for (let n = 0; n < CONNECTIONS; n++) {
    const messages = random.below(3) === 0 ? [] : [hello];
    for (let i = random.below(6); i > 0; i--) {
      const message =
        random.below(3) === 0 ? randomBytes(random, random.below(300)) : Uint8Array.from(good[random.below(3)]!);
      if (message.length > 0 && random.below(2) === 0) message[random.below(message.length)] = random.u32();
      messages.push(message);
    }
    const socket = await connect(messages);
    if (random.below(2) === 0) socket.terminate();
    else socket.close();
  }
  // The real end dials until it is let in: others may still be in the door.
  const end = performance.now() + 5_000;
  let last = await connect(good.slice(0, 2));
  while (!wire.carrier && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (!wire.carrier && last.readyState !== WebSocket.OPEN) last = await connect(good.slice(0, 2));
  }
  expect(wire.carrier).toBe(true);
  last.terminate();
  wires.close();
  server.closeAllConnections();
  server.close();
  clock.stop();
});
