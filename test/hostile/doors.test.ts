/** The doors of a lab of real processes, tried by those who have no token: by other spellings, and by staying where they are. */
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PsRow, until, Wirelab } from '../kit/wirelab.ts';

const kit = new Wirelab();
const LAB = kit.lab(
  'doors',
  `name: doors
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
wires:
  - alice:eth0 -- bob:eth0
`,
);
const UPGRADE =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n';
/** More than one process lets in at once. */
const CROWD = 2_200;

let gateway = 0;
let token = '';
let alice: PsRow;

beforeAll(async () => {
  await kit.up(LAB);
  const state = kit.state('doors');
  gateway = Number(new URL(state.gateway).port);
  token = state.token;
  alice = (await kit.ps()).find(({ name }) => name === 'alice')!;
}, 60_000);
afterAll(() => kit.end(), 60_000);

/** All that is answered to a request as it stands here; its headers end with a blank line. */
function asked(port: number, head: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.on('close', () => resolve(text));
    socket.write(`${head} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  });
}
const statusOf = (answer: string): number => Number(answer.split(' ')[1]);

/** A path as another may write it, who hopes that one reads it otherwise than the next. */
const spellings = (path: string): string[] => [
  path,
  path.replace('/a', '/%61').replace('/s', '/%73').replace('/p', '/%70').replace('/m', '/%6d'),
  path.replace(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  `http://127.0.0.1${path}`,
  `http://127.0.0.1${path.replace(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}`,
  `/healthz/..${path}`,
  `/healthz/%2e%2e${path}`,
  `${path}/../../healthz`,
  `${path}?/healthz`,
  `${path}#/healthz`,
  `/${path}`,
  `//healthz${path}`,
  path.toUpperCase(),
  `${path}%00`,
  `${path}/`,
];

test('however a path is spelled, without a token it tells nothing and does nothing', async () => {
  const doors: readonly (readonly [number, readonly (readonly [string, string])[]])[] = [
    [
      gateway,
      [
        ['GET', '/api/state'],
        ['GET', '/api/devices/alice'],
        ['GET', '/api/openapi.json'],
        ['POST', '/api/devices/bob/kill'],
        ['POST', '/api/down'],
        ['DELETE', '/api/faults/1'],
      ],
    ],
    [
      alice.control,
      [
        ['GET', '/state'],
        ['GET', '/metrics'],
        ['POST', '/ports/eth0/unplug'],
      ],
    ],
  ];
  const open: string[] = [];
  for (const [port, routes] of doors) {
    for (const [verb, path] of routes) {
      for (const spelling of spellings(path)) {
        const status = statusOf(await asked(port, `${verb} ${spelling}`));
        if (![400, 401, 404].includes(status)) open.push(`${verb} ${spelling}: ${status}`);
      }
    }
  }
  expect(open).toEqual([]);
  expect((await kit.ps()).map(({ state, ports }) => [state, ports[0]?.plugged])).toEqual([
    ['up', true],
    ['up', true],
  ]);
});

test('a path that is none is answered as everything else that is wrong, and counted', async () => {
  for (const port of [gateway, alice.control]) {
    const answer = await asked(port, 'GET /%zz');
    expect(statusOf(answer)).toBe(400);
    expect(answer).toContain('EMU_BAD_REQUEST');
  }
});

/** One who says this, reads the answer, and never closes his half. */
function stays(port: number, words: string): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.resume();
  socket.write(words);
  return socket;
}

test('whoever is refused, or asks without a token, keeps no descriptor by keeping his half of the connection open', async () => {
  const files = (): number => readdirSync(`/proc/${alice.pid}/fd`).length;
  const before = files();
  const host = 'Host: 127.0.0.1\r\n';
  const guests = [
    `GET /state HTTP/1.1\r\n${host}\r\n`,
    `GET /healthz HTTP/1.1\r\n${host}\r\n`,
    `GET /console HTTP/1.1\r\n${host}${UPGRADE}\r\n`,
    `GET /wires/none HTTP/1.1\r\n${host}${UPGRADE}\r\n`,
    `GET ${wirePath()} HTTP/1.1\r\n${host}${UPGRADE}\r\n`,
    `POST /ports/eth0/impair HTTP/1.1\r\n${host}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
    `POST /ports/eth0/impair HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 99\r\n\r\n`,
    '\x16\x03\x01\r\n\r\n',
  ].flatMap((words) => Array.from({ length: 20 }, () => stays(alice.control, words)));
  await until(() => files() > before + 20, 5_000, 'they are in');
  await until(() => files() <= before + 2, 12_000, 'alice has let go of every one of them');
  for (const guest of guests) guest.destroy();
}, 30_000);

const wirePath = (): string => `/wires/${encodeURIComponent('alice:eth0--bob:eth0')}`;

test('connections beyond the limit are counted, and when a crowd has been shown out a device answers again', async () => {
  const crowd = Array.from({ length: CROWD }, () => stays(alice.control, 'GET /healthz HTTP/1.1\r\n'));
  const answers = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${token}`, connection: 'close' };
    const url = `http://127.0.0.1:${alice.control}/metrics`;
    const text = await fetch(url, { headers, signal: AbortSignal.timeout(1_000) }).then(
      (answer) => answer.text(),
      () => '',
    );
    return Number(/garbage_total\{[^}]*where="crowded"\} (\d+)/.exec(text)?.[1] ?? 0);
  };
  await until(async () => (await answers()) > 50, 15_000, 'it answers, and has counted');
  for (const guest of crowd) guest.destroy();
  expect(await kit.exec('alice', 'ping', '-c', '1', '10.0.0.2')).toContain('1 received');
}, 30_000);
