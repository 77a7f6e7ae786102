import { expect, test } from 'vitest';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import type { TraceEvent } from '../../shared/net/trace.ts';
import { programs } from '../../shared/programs/registry.ts';
import { impaired } from '../../shared/wire/impair.ts';
import { memoryWire } from '../../shared/wire/memory-wire.ts';
import { addCard, cardHost, platform } from '../kit/cards.ts';
import { ManualClock } from '../kit/clock.ts';
import { folderPlatform, start } from '../kit/loop-host.ts';
import { comesToRest } from '../kit/mid-flight.ts';
import { runWith } from '../kit/run-with.ts';

const IMAGE = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) & 255);
const SITE: Readonly<Record<string, string | Uint8Array>> = {
  'site/index.html':
    '<title>Bob</title><link rel="stylesheet" href="style.css"><h1>Hello</h1><img src="a.png"><img src="b.png">',
  'site/style.css': 'h1 { color: green }',
  'site/a.png': IMAGE,
  'site/b.png': IMAGE,
};

async function twoHosts(impairment: Impairment = {}) {
  const clock = new ManualClock();
  const [wireA, wireB] = memoryWire(clock, 'alice:eth0', 'bob:eth0');
  const alice = cardHost('alice', clock);
  const bob = cardHost('bob', clock);
  addCard(alice, 'eth0', wireA, { addresses: ['10.0.0.1/24'] });
  addCard(bob, 'eth0', impaired(wireB, { clock, platform, seed: 1, impairment }), { addresses: ['10.0.0.2/24'] });
  comesToRest(clock);
  for (const host of [alice, bob]) host.processes.programs = programs;
  // Bob's overlay holds the site: his folder in the lab.
  for (const [path, content] of Object.entries(SITE)) {
    const bytes = folderPlatform({ x: content }).readFile('x') ?? new Uint8Array();
    bob.filesystem.makeDirectory('site');
    bob.filesystem.writeFile(path, bytes);
  }
  const server = start(bob, 'httpd', ['httpd', 'site']);
  await clock.runAsync(10_000);
  expect(server.text.err).toBe('');
  return { clock, alice, bob, server };
}

test('curl fetches a page by address over TCP, and everything is given back', async () => {
  const { clock, alice, bob } = await twoHosts();
  const { status, out, err } = await runWith(clock, start(alice, 'curl', ['curl', '-sv', 'http://10.0.0.2/']).outcome);
  expect(err).toContain('* Connected to 10.0.0.2 (10.0.0.2) port 80 (#0)\n');
  expect(status).toBe(0);
  expect(out).toBe(SITE['site/index.html']);
  bob.processes.killAll('SIGTERM');
  clock.advance(200_000_000);
  expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
  expect(alice.sockDiag.list('tcp')).toEqual([]);
});

test('the browser loads a page of four files, and closes its connections in good order', async () => {
  const { clock, alice, bob } = await twoHosts();
  start(alice, 'browser', ['browser']);
  await clock.runAsync(20_000);
  const states: string[] = [];
  alice.trace.listen((event: TraceEvent) => {
    if (event.point === 'inet_sock_set_state' && event.fields['remote'] === '10.0.0.2:80') {
      states.push(String(event.fields['to']));
    }
  });
  const asked = start(alice, 'browser', ['browser', '--json', '10.0.0.2'], 5);
  const { status, out, err } = await runWith(clock, asked.outcome);
  expect([status, err]).toEqual([0, '']);
  const page = JSON.parse(out);
  expect(page).toMatchObject({ ok: true, title: 'Bob', status: 200 });
  expect(page.resources.map((file: { bytes: number }) => file.bytes).sort()).toEqual(
    [19, 106, 200_000, 200_000].sort(),
  );
  expect(page.connections).toBe(3);
  // Three connections, each closed by us, and TIME-WAIT at our end.
  expect(states.filter((state) => state === 'SYN_SENT')).toHaveLength(3);
  expect(states.filter((state) => state === 'FIN_WAIT1')).toHaveLength(3);
  expect(
    alice.sockDiag.list('tcp').filter(({ state, remotePort }) => state === 'TIME_WAIT' && remotePort === 80),
  ).toHaveLength(3);
  bob.processes.killAll('SIGTERM');
  alice.processes.killAll('SIGTERM');
  clock.advance(200_000_000);
  expect(alice.skbs.counters.live + bob.skbs.counters.live).toBe(0);
});

test('a connection to a port that is closed is refused at once', async () => {
  const { clock, alice } = await twoHosts();
  expect(await runWith(clock, start(alice, 'curl', ['curl', '10.0.0.2:81']).outcome)).toEqual({
    status: 7,
    out: '',
    err: "curl: (7) Failed to connect to 10.0.0.2 port 81 after 0 ms: Couldn't connect to server\n",
  });
});

test('a host that is not there is given up as Linux does, in lab time', async () => {
  const { clock, alice } = await twoHosts();
  const { status, err } = await runWith(clock, start(alice, 'curl', ['curl', '10.0.0.9']).outcome);
  expect(status).toBe(7);
  expect(err).toMatch(/Failed to connect to 10\.0\.0\.9 port 80 after 3[0-9]{3} ms/);
});

test('a page arrives whole over a wire that loses, doubles and delays', async () => {
  const { clock, alice } = await twoHosts({ delay: 5_000, jitter: 2_000, loss: 0.02, duplicate: 0.01 });
  const { out } = await runWith(
    clock,
    start(alice, 'curl', ['curl', '-sw', '%{size_download}', '-o', '/tmp/a', '10.0.0.2/a.png']).outcome,
  );
  expect(out).toBe('200000');
  expect(alice.filesystem.readFile('/tmp/a')).toEqual(IMAGE);
});

test('a server that is killed during a download is told as curl tells it', async () => {
  const { clock, alice, bob, server } = await twoHosts({ rate: 10_000_000, limit: 1_000 });
  bob.filesystem.writeFile('site/big', new Uint8Array(20_000_000));
  const download = start(alice, 'curl', ['curl', '-sS', '-o', '/tmp/big', 'http://10.0.0.2/big']);
  await clock.runAsync(clock.now() + 500_000);
  server.kill('SIGTERM');
  const { status, err } = await runWith(clock, download.outcome);
  expect([18, 56]).toContain(status);
  expect(err).toMatch(
    /^curl: \((18|56)\) (transfer closed with [0-9]+ bytes remaining to read|Recv failure: Connection reset by peer)\n$/,
  );
});
