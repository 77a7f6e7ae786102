/** How long half a question may be held open: long on a machine that has too much to do, short in a crowd. */
import { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GarbageCounter, serveSockets } from '../../../shared/device/sockets.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'], now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

test('half a question waits a minute, five seconds while connections crowd, and a minute again when they have gone', () => {
  const server = new EventEmitter() as unknown as Server;
  serveSockets(server, { endpoints: new Map(), allowed: () => undefined, garbage: new GarbageCounter() });
  const came = (): EventEmitter => {
    const socket = new EventEmitter();
    server.emit('connection', socket);
    return socket;
  };
  const few = Array.from({ length: 300 }, came);
  expect([server.headersTimeout, server.requestTimeout]).toEqual([60_000, 120_000]);

  const many = Array.from({ length: 300 }, came);
  expect([server.headersTimeout, server.requestTimeout]).toEqual([5_000, 10_000]);
  // The last of them are held to it, too.
  for (const socket of [...many, ...few]) socket.emit('close');
  expect(server.headersTimeout).toBe(5_000);

  vi.advanceTimersByTime(20_000);
  came();
  expect([server.headersTimeout, server.requestTimeout]).toEqual([60_000, 120_000]);
});
