/**
 * A lab of real processes, a ping that runs through it, and hostile peers at every door: the wire, the control sockets, the
 * gateway. Each is closed and counted; no process grows, none keeps a socket, and the ping goes on.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeHello, encodeLink } from '../../shared/wire/hello.ts';
import { batch, binary } from '../kit/hostile-wire.ts';
import { OPCODE, type RawPeer, rawFrame, rawUpgrade } from '../kit/raw-websocket.ts';
import { type PsRow, type RunningCommand, until, Wirelab } from '../kit/wirelab.ts';

const kit = new Wirelab();
const LAB = kit.twoHosts('besieged');
const WIRE = 'alice:eth0--sw:p1';
const PATH = `/wires/${encodeURIComponent(WIRE)}`;
const MEGABYTE = 1_048_576;
/** What a process may keep of all the attacks: heap and buffers that are not given back to the machine, but used again. */
const GROWN_BYTES_MAX = 200 * MEGABYTE;
/** What the second half of an attack may add to the first. */
const GROWN_AGAIN_BYTES_MAX = 40 * MEGABYTE;
const TRACE = '2208 0000000000000000';

let state: { readonly gateway: string; readonly token: string; readonly pid: number };
let alice: PsRow;
let ping: RunningCommand;
/** Resident octets and descriptors of each process before anything came. */
let before: ReadonlyMap<string, { readonly bytes: number; readonly files: number }>;
let pids: ReadonlyMap<string, number>;

beforeAll(async () => {
  await kit.up(LAB);
  state = kit.state('besieged');
  const rows = await kit.ps();
  alice = rows.find(({ name }) => name === 'alice')!;
  pids = new Map([...rows.map(({ name, pid }): [string, number] => [name, pid]), ['gateway', gatewayPid()]]);
  ping = kit.start(['exec', 'alice', '--', 'ping', '-i', '0.2', '10.0.0.2']);
  await until(() => ping.stdout().includes('icmp_seq=2'), 10_000, 'a ping');
  before = usage();
}, 60_000);
afterAll(() => kit.end(), 60_000);

/** The supervisor's child that is no device. */
function gatewayPid(): number {
  const isGateway = (pid: string): boolean => {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1];
      return Number(parent) === state.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('gateway');
    } catch {
      return false;
    }
  };
  return Number(readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && isGateway(pid)));
}

function usage(): Map<string, { bytes: number; files: number }> {
  return new Map(
    [...pids].map(([name, pid]) => {
      const kilobytes = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      return [name, { bytes: kilobytes * 1_024, files: readdirSync(`/proc/${pid}/fd`).length }];
    }),
  );
}

const bearer = (): { authorization: string } => ({ authorization: `Bearer ${state.token}` });
const gatewayPort = (): number => Number(new URL(state.gateway).port);

async function metric(pattern: RegExp): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${alice.control}/metrics`, { headers: bearer() });
  return Number(pattern.exec(await answer.text())?.[1] ?? 0);
}
const refused = (why: string): Promise<number> =>
  metric(new RegExp(`wire_refused_total\\{[^}]*why="${why}"\\} (\\d+)`));
const garbage = (where: string): Promise<number> =>
  metric(new RegExp(`garbage_total\\{[^}]*where="${where}"\\} (\\d+)`));

/** The lab is as it was: the ping goes on, nobody holds more than before. */
async function besiegedButWell(): Promise<void> {
  const echoes = (): number => ping.stdout().split('icmp_seq=').length;
  const now = echoes();
  await until(() => echoes() > now + 2, 15_000, 'three more echoes');
  for (const [name, { bytes, files }] of before) {
    await until(() => usage().get(name)!.files <= files + 2, 15_000, `${name} has let go of its sockets`);
    expect(usage().get(name)!.bytes - bytes, `growth of ${name}`).toBeLessThan(GROWN_BYTES_MAX);
  }
}

const atWire = async (pieces: readonly Buffer[]): Promise<RawPeer> => {
  const peer = await rawUpgrade({ port: alice.control, path: PATH });
  for (const piece of pieces) peer.socket.write(piece);
  return peer;
};
const hello = (change: object = {}): Buffer => {
  const right = { version: 1, lab: 'besieged', wire: WIRE, end: 'sw:p1', epoch: Date.now() + 1e6, token: state.token };
  return binary(encodeHello({ ...right, ...change }));
};
const link = binary(encodeLink({ up: true, plugged: true }));

test('strangers at a wire, hundreds of each kind, are closed with their codes while no echo is lost', async () => {
  const kinds: readonly (readonly [Buffer[], number, string])[] = [
    [[hello({ token: 'guess' })], 4401, 'token'],
    [[hello({ version: 9 })], 4406, 'version'],
    [[link], 4408, 'no_hello'],
    [[batch(`0800 1a00 ${TRACE}`)], 4408, 'no_hello'],
    [[rawFrame({ opcode: OPCODE.TEXT, payload: Buffer.from('hello') })], 1002, 'malformed'],
    [[binary(Buffer.alloc(MEGABYTE + 1))], 1009, 'too_long'],
    [[rawFrame({ opcode: OPCODE.BINARY, masked: false, payload: Buffer.alloc(9) })], 1002, 'malformed'],
  ];
  const round = async (): Promise<void> => {
    for (const [pieces, code, why] of kinds) {
      const known = await refused(why);
      for (let n = 0; n < 10; n++) {
        const peers = await Promise.all(Array.from({ length: 8 }, () => atWire(pieces)));
        expect(await Promise.all(peers.map(({ closed }) => closed))).toEqual(peers.map(() => code));
      }
      expect(await refused(why)).toBe(known + 80);
    }
  };
  await round();
  const { bytes } = usage().get('alice')!;
  await round();
  expect(usage().get('alice')!.bytes - bytes).toBeLessThan(GROWN_AGAIN_BYTES_MAX);
  await besiegedButWell();
  expect(ping.stdout()).not.toContain('Unreachable');
});

test('two thousand connections, half a handshake or half a message each, are gone in ten seconds', async () => {
  const half = `GET ${PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n`;
  const whole = `${half}Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: wirelab.v1\r\n\r\n`;
  const open = Array.from({ length: 2_000 }, (_, n) => {
    const socket = connect(alice.control, '127.0.0.1').on('error', () => {});
    socket.resume();
    if (n % 3 === 0) socket.write(half);
    else if (n % 3 === 1) socket.write(whole).valueOf() && socket.write(rawFrame({ opcode: 2, length: 900_000 }));
    return socket;
  });
  await until(() => open.every((socket) => socket.closed), 20_000, 'every one of them is closed');
  expect(await refused('crowded')).toBeGreaterThan(500);
  expect(await garbage('http')).toBeGreaterThan(500);
  await besiegedButWell();
  expect(ping.stdout()).not.toContain('Unreachable');
}, 60_000);

test('who has the token takes the end, floods, lies, and is gone: the wire comes back each time', async () => {
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () => link));
  const frames = Array.from({ length: 250 }, () => `1a40${'55'.repeat(7)}d5${'ff'.repeat(56)}`).join('');
  const many = Buffer.from(`0800${frames}22d00f${'00'.repeat(2_000)}`, 'hex');
  const head = Buffer.from([0x12, (many.length & 127) | 128, (many.length >>> 7) | 128, many.length >>> 14]);
  head[2] = ((many.length >>> 7) & 127) | 128;
  const attacks: readonly Buffer[][] = [
    [hello(), hello()],
    [hello(), flood],
    [hello(), link, binary(Buffer.concat([head, many]))],
    [hello(), link, batch(`0805 1a00 ${TRACE}`), batch(`0801 1a00 ${TRACE}`)],
    [hello(), link, batch(`08ffffffffffff0f 1a00 ${TRACE}`)],
    [hello(), ...Array.from({ length: 50 }, () => rawFrame({ opcode: 0, fin: false, payload: Buffer.alloc(30_000) }))],
  ];
  for (const attack of attacks) {
    const peer = await atWire(attack);
    await new Promise((resolve) => setTimeout(resolve, 100));
    peer.socket.destroy();
  }
  const old = await atWire([hello({ epoch: 1 })]);
  expect([4409, 0]).toContain(await old.closed);
  await besiegedButWell();
  expect(await refused('end_taken')).toBeGreaterThan(0);
}, 60_000);

test('control and gateway sockets: no token, wrong things, too many, and readers who do not read', async () => {
  const doors: readonly (readonly [number, readonly string[]])[] = [
    [alice.control, ['/console', '/capture', '/trace']],
    [gatewayPort(), ['/api/exec?device=alice', '/api/capture', '/api/trace', '/api/session']],
  ];
  for (const [port, paths] of doors) {
    for (const path of paths) {
      for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
        const [error] = (await once(new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers }), 'error')) as [Error];
        expect(error.message).toContain('401');
      }
    }
    const body = JSON.stringify({ target: 'x'.repeat(2 * MEGABYTE) });
    const headers = { ...bearer(), 'content-type': 'application/json' };
    const path = port === alice.control ? '/ports/eth0/impair' : '/api/impair';
    const huge = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body }).catch(
      () => undefined,
    );
    expect([400, 413, undefined]).toContain(huge?.status);
  }
  expect(await garbage('token')).toBeGreaterThanOrEqual(6);
  await besiegedButWell();
});

const deaf = async (port: number, path: string): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: bearer() });
  socket.on('error', () => {});
  await once(socket, 'open');
  socket.pause();
  return socket;
};

test('watchers who do not read are bounded, and captures beyond the thirty-second are refused', async () => {
  const captures = await Promise.all(Array.from({ length: 64 }, () => deaf(alice.control, '/capture')));
  const others = await Promise.all([
    ...Array.from({ length: 30 }, () => deaf(alice.control, '/trace')),
    ...Array.from({ length: 30 }, () => deaf(gatewayPort(), '/api/capture')),
    ...Array.from({ length: 30 }, () => deaf(gatewayPort(), '/api/trace')),
  ]);
  const flood = kit.start(['exec', 'alice', '--', 'ping', '-i', '0.002', '-c', '500', '-s', '1400', '10.0.0.2']);
  await flood.done;
  for (const [name, { bytes }] of before)
    expect(usage().get(name)!.bytes - bytes, `growth of ${name} meanwhile`).toBeLessThan(2 * GROWN_BYTES_MAX);
  for (const socket of captures) socket.resume();
  await until(
    () => captures.filter((socket) => socket.readyState === WebSocket.CLOSED).length === 32,
    5_000,
    '32 closed',
  );
  for (const socket of [...captures, ...others]) socket.terminate();
  await until(() => usage().get('alice')!.files <= before.get('alice')!.files + 2, 10_000, 'let go');
}, 60_000);

test('consoles that are fed nothing, signals, ends and input without measure are closed or work it off', async () => {
  for (const [port, path] of [
    [alice.control, '/console'],
    [gatewayPort(), '/api/exec?device=alice'],
  ] as const) {
    const consoleOf = async (...argv: string[]): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: bearer() });
      await once(socket, 'open');
      socket.send(JSON.stringify({ start: { argv } }));
      // The gateway keeps little for a device that has not answered yet.
      await new Promise((resolve) => setTimeout(resolve, 500));
      for (let n = 0; n < 20_000; n++) socket.send(Buffer.alloc(0));
      return socket;
    };
    // Nobody reads its input: what may wait is bounded.
    const full = await consoleOf('sleep', '100');
    const feed = Buffer.alloc(60_000);
    for (let n = 0; n < 40; n++) full.send(feed);
    expect(((await once(full, 'close')) as [number])[0]).toBe(4400);
    // It ends once.
    const ended = await consoleOf('cat');
    for (let n = 0; n < 5_000; n++) ended.send('{"end":true}');
    expect(((await once(ended, 'close')) as [number])[0]).toBe(1000);
  }
  const session = new WebSocket(`ws://127.0.0.1:${gatewayPort()}/api/session`, { headers: bearer() });
  await once(session, 'open');
  session.send('nonsense');
  expect(((await once(session, 'close')) as [number])[0]).toBe(1003);
  const crowd = new WebSocket(`ws://127.0.0.1:${gatewayPort()}/api/session`, { headers: bearer() });
  await once(crowd, 'open');
  for (let n = 0; n < 5_000; n++) crowd.send(JSON.stringify({ id: n, fault: 'impair', target: WIRE, impairment: {} }));
  await once(crowd, 'close');
  await besiegedButWell();
}, 60_000);

test('and after all of it the ping that ran through has lost no more than the taken wire cost', async () => {
  ping.process.kill('SIGINT');
  const { stdout } = await ping.done;
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  expect(Number(received)).toBeGreaterThan(50);
  expect(Number(received) / Number(sent)).toBeGreaterThan(0.5);
});
