import { expect, test } from 'vitest';
import { programs } from '../../shared/programs/registry.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { addCard, cardHost } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { start } from '../kit/loop-host.ts';
import { loopStreamInit } from '../kit/loop-stream.ts';
import { runWith } from '../kit/run-with.ts';

function twoHosts() {
  const clock = new ManualClock();
  const [wireA, wireB] = memoryWire(clock, 'alice:eth0', 'bob:eth0');
  const alice = cardHost('alice', clock);
  const bob = cardHost('bob', clock);
  addCard(alice, 'eth0', wireA, { addresses: ['10.0.0.1/24'] });
  addCard(bob, 'eth0', wireB, { addresses: ['10.0.0.2/24'] });
  for (const host of [alice, bob]) host.processes.programs = programs;
  return { clock, alice, bob };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('two nc talk over UDP, both ways', async () => {
  const { clock, alice, bob } = twoHosts();
  const server = start(bob, 'nc', ['nc', '-luv', '9000']);
  const client = start(alice, 'nc', ['nc', '-u', '-q', '1', '10.0.0.2', '9000']);
  client.stdin.write(bytes('ping\n'));
  await clock.runAsync(100_000);
  expect(server.text.out).toBe('ping\n');
  expect(server.text.err).toMatch(/^Bound on 0\.0\.0\.0 9000\nConnection received on 10\.0\.0\.1 [0-9]+\n$/);
  server.stdin.write(bytes('pong\n'));
  await clock.runAsync(200_000);
  client.stdin.end();
  expect(await runWith(clock, client.outcome)).toEqual({ status: 0, out: 'pong\n', err: '' });
});

test('a port that nobody listens on is told with -v, and status 1', async () => {
  const { clock, alice } = twoHosts();
  const scan = await runWith(clock, start(alice, 'nc', ['nc', '-uzv', '10.0.0.2', '9']).outcome);
  expect(scan).toEqual({
    status: 1,
    out: '',
    err: 'nc: connect to 10.0.0.2 port 9 (udp) failed: Connection refused\n',
  });
});

test('streams: what one side sends until its input ends, the other prints until the end', async () => {
  const { clock, alice } = twoHosts();
  loopStreamInit(alice);
  const server = start(alice, 'nc', ['nc', '-l', '-p', '7000']);
  server.stdin.end();
  await clock.runAsync(1_000);
  const client = start(alice, 'nc', ['nc', '-Nv', '127.0.0.1', '7000']);
  client.stdin.write(bytes('hello'));
  client.stdin.end();
  expect((await runWith(clock, server.outcome)).out).toBe('hello');
  expect(await runWith(clock, client.outcome)).toMatchObject({
    status: 0,
    err: 'Connection to 127.0.0.1 7000 port [tcp/*] succeeded!\n',
  });
});
