/** The servers of a device and of the gateway, on real sockets: who is let in, and what garbage does (nothing). */
import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { DeviceLink } from '../../services/gateway/device-link.ts';
import { Lab } from '../../services/gateway/lab.ts';
import { type Gateway, serveGateway } from '../../services/gateway/server.ts';
import { SupervisorLink } from '../../services/gateway/supervisor-link.ts';
import { PackedLab } from '../../services/lab/engine-packed.ts';
import type { Cables } from '../../shared/device/cables.ts';
import { parseCapture } from '../../shared/device/capture-format.ts';
import { SystemClock } from '../../shared/device/clock.ts';
import { type ControlServer, serveControl } from '../../shared/device/control.ts';
import type { Impairment } from '../../shared/lab/plan-types.ts';
import { ip } from '../kit/cable.ts';
import { sendEcho } from '../kit/echo.ts';
import { planFrom } from '../kit/lab.ts';

const TOKEN = 'a-token-that-is-long-enough';
const LISTEN = { host: '127.0.0.1', port: 0 };
const plan = planFrom(`name: pair
devices:
  alice: { kind: host, eth0: 10.0.0.1/24 }
  bob: { kind: host, eth0: 10.0.0.2/24 }
wires:
  - alice:eth0 -- bob:eth0
`);
const clock = new SystemClock();
const packed = new PackedLab(plan, { clock });
const servers = new Map<string, ControlServer>();
let gateway: Gateway;

function cablesOf(name: string): Cables {
  const egress = new Map<string, Impairment>();
  return {
    wires: packed.device(name).wires,
    impair: (port, impairment) => void egress.set(port, impairment),
    impairmentOf: (port) => egress.get(port) ?? {},
    countsOf: () => undefined,
    verdictsOf: () => undefined,
    refusedAt: () => new Map(),
    upgrade: () => false,
    garbage: 0,
    close: () => {},
  };
}

beforeAll(async () => {
  const log = pino({ level: 'silent' });
  for (const [name, device] of packed.devices) {
    servers.set(name, await serveControl({ device, cables: cablesOf(name), token: TOKEN, listen: LISTEN, log }));
  }
  const devices = plan.devices.map(({ name, kind, role, index, ports }) => ({
    name,
    kind,
    role,
    index,
    control: `http://127.0.0.1:${servers.get(name)?.port}`,
    ports: ports.map((port) => port.name),
  }));
  const links = devices.map((device) => new DeviceLink(device, TOKEN));
  const lab = new Lab({ lab: plan.name, seed: plan.seed, devices, wires: plan.wires }, links);
  gateway = await serveGateway({ lab, supervisor: new SupervisorLink(() => {}), token: TOKEN, listen: LISTEN });
});

afterAll(async () => {
  await gateway.close();
  for (const server of servers.values()) await server.close();
  packed.stop();
  clock.stop();
});

const portOf = (name: string): number => servers.get(name)?.port ?? 0;
const bearer = { authorization: `Bearer ${TOKEN}` };

function ask(port: number, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, { headers: bearer, ...init });
}

function post(port: number, path: string, body: object): Promise<Response> {
  return ask(port, path, {
    method: 'POST',
    headers: { ...bearer, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function open(port: number, path: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: bearer });
  await once(socket, 'open');
  return socket;
}

/** Run a program over a console socket, sending `first` as it opens. */
async function runOver(port: number, path: string, argv: string[]): Promise<{ out: string; exit: number | undefined }> {
  const socket = await open(port, path);
  socket.send(JSON.stringify({ start: { argv } }));
  socket.send(JSON.stringify({ end: true }));
  let out = '';
  let exit: number | undefined;
  socket.on('message', (data: Buffer, binary: boolean) => {
    if (binary) out += data.subarray(1).toString();
    else exit = JSON.parse(String(data)).exit;
  });
  await once(socket, 'close');
  return { out, exit };
}

describe('the token', () => {
  test('is wanted everywhere but for the health check, which tells nothing', async () => {
    for (const port of [portOf('alice'), gateway.port]) {
      expect((await ask(port, '/healthz', { headers: {} })).status).toBe(200);
      const paths =
        port === gateway.port ? ['/api/state', '/api/openapi.json'] : ['/state', '/metrics', '/openapi.json'];
      for (const path of paths) {
        expect((await ask(port, path, { headers: {} })).status).toBe(401);
        expect((await ask(port, path, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
        expect((await ask(port, path)).status).toBe(200);
      }
    }
    for (const path of ['/console', '/capture', '/trace']) {
      const socket = new WebSocket(`ws://127.0.0.1:${portOf('alice')}${path}`);
      const [error] = (await once(socket, 'error')) as [Error];
      expect(error.message).toContain('401');
    }
  });

  test('another site or another name for this machine gets nothing of the gateway', async () => {
    const foreign = { ...bearer, origin: 'http://evil.example' };
    expect((await ask(gateway.port, '/api/state', { headers: foreign })).status).toBe(403);
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/api/trace`, { headers: foreign });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain('403');
    const raw = connect(gateway.port, '127.0.0.1');
    raw.write(`GET /api/state HTTP/1.1\r\nHost: rebound.example\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    const [answer] = (await once(raw, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 403 /);
    raw.destroy();
  });
});

describe('garbage closes its own connection, is counted, and nothing else suffers', () => {
  test('on a console', async () => {
    const steady = await open(portOf('alice'), '/console');
    for (const garbage of [
      'hello',
      '{"start":{"argv":"ls"}}',
      '[]',
      'null',
      '{"signal":"SIGKILL"}',
      Buffer.alloc(64),
    ]) {
      const socket = await open(portOf('alice'), '/console');
      socket.send(garbage);
      const [code] = (await once(socket, 'close')) as [number];
      expect(code).toBe(4400);
    }
    const state = (await (await ask(portOf('alice'), '/state')).json()) as { garbage: Record<string, number> };
    expect(state.garbage['console']).toBe(6);
    steady.send(JSON.stringify({ start: { argv: ['echo', 'still', 'here'] } }));
    const [data] = (await once(steady, 'message')) as [Buffer];
    expect(data.subarray(1).toString()).toBe('still here\n');
    steady.terminate();
  });

  test('a message too long, on any socket', async () => {
    const socket = await open(portOf('alice'), '/trace');
    socket.on('error', () => {});
    socket.send(Buffer.alloc(2_000_000));
    const [code] = (await once(socket, 'close')) as [number];
    expect([1006, 1009]).toContain(code);
    expect((await ask(portOf('alice'), '/state')).status).toBe(200);
  });

  test('bytes that are no HTTP, half a request, an upgrade to nowhere', async () => {
    for (const bytes of ['\x16\x03\x01\x00\xff', 'GET / HTTP/9.9\r\n\r\n', 'nonsense\r\n\r\n']) {
      const raw = connect(portOf('alice'), '127.0.0.1');
      raw.on('error', () => {});
      raw.write(bytes);
      raw.resume();
      await once(raw, 'close');
    }
    const nowhere = new WebSocket(`ws://127.0.0.1:${portOf('alice')}/nowhere`, { headers: bearer });
    const [error] = (await once(nowhere, 'error')) as [Error];
    expect(error.message).toContain('404');
    const metrics = await (await ask(portOf('alice'), '/metrics')).text();
    expect(metrics).toMatch(/wirelab_garbage_total\{device="alice",where="http"\} 3/);
  });

  test('bodies that are not what a route takes: 400 with a code', async () => {
    const answer = await post(portOf('alice'), '/ports/eth0/impair', { loss: 2, colour: 'red' });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'EMU_BAD_REQUEST' } });
    expect((await post(gateway.port, '/api/unplug', { port: 'alice:eth0' })).status).toBe(400);
    const wrong = await post(portOf('alice'), '/ports/eth7/unplug', {});
    expect(await wrong.json()).toMatchObject({
      error: { code: 'EMU_NO_PORT', message: 'alice has no port eth7; did you mean eth0?' },
    });
  });
});

test('what is served is described as OpenAPI', async () => {
  for (const [port, path, route] of [
    [portOf('alice'), '/openapi.json', '/ports/{port}/unplug'],
    [gateway.port, '/api/openapi.json', '/api/devices/{device}/kill'],
  ] as const) {
    const { openapi, paths } = (await (await ask(port, path)).json()) as { openapi: string; paths: object };
    expect(openapi).toMatch(/^3\./);
    expect(Object.keys(paths)).toContain(route);
  }
});

describe('the gateway', () => {
  test('passes a console through, and an unknown program back with the closest', async () => {
    expect(await runOver(gateway.port, '/api/exec?device=bob', ['hostname'])).toEqual({ out: 'bob\n', exit: 0 });
    const socket = await open(gateway.port, '/api/exec?device=bob');
    socket.send(JSON.stringify({ start: { argv: ['hostnam'] } }));
    const [data] = (await once(socket, 'message')) as [Buffer];
    expect(JSON.parse(String(data))).toMatchObject({
      error: { code: 'EMU_NO_PROGRAM', message: 'hostnam: command not found; did you mean hostname?' },
    });
    socket.terminate();
  });

  test('unplugs a wire by port, by name, by either order, and says what it cannot find', async () => {
    for (const target of ['alice:eth0', 'bob:eth0', 'alice:eth0--bob:eth0', 'bob:eth0 -- alice:eth0']) {
      expect(await (await post(gateway.port, '/api/unplug', { target })).json()).toEqual({
        wire: 'alice:eth0--bob:eth0',
        plugged: false,
        carrier: { 'alice:eth0': false, 'bob:eth0': false },
      });
      expect(await (await post(gateway.port, '/api/plug', { target })).json()).toMatchObject({ plugged: true });
    }
    const wrong = await post(gateway.port, '/api/unplug', { target: 'alice:eth1' });
    expect(await wrong.json()).toMatchObject({
      error: { code: 'EMU_NO_PORT', message: expect.stringContaining('did you mean alice:eth0?') },
    });
  });

  test('a fault on a session ends with it', async () => {
    const session = await open(gateway.port, '/api/session');
    session.send(JSON.stringify({ id: 1, fault: 'unplug', target: 'alice:eth0' }));
    const [data] = (await once(session, 'message')) as [Buffer];
    expect(JSON.parse(String(data))).toMatchObject({ id: 1, done: { wires: ['alice:eth0--bob:eth0'] } });
    expect(packed.end('bob:eth0').carrier).toBe(false);
    // A slip is answered, and ends nothing.
    session.send(JSON.stringify({ id: 2, fault: 'flap', target: 'alice:eth0', period: 1, duty: 0.5 }));
    const [slip] = (await once(session, 'message')) as [Buffer];
    expect(JSON.parse(String(slip))).toMatchObject({ id: 2, error: { code: 'EMU_BAD_REQUEST' } });
    expect(packed.end('bob:eth0').carrier).toBe(false);
    session.close();
    await expect.poll(() => packed.end('bob:eth0').carrier).toBe(true);
  });

  test('who asks and does not read the answers is let go', async () => {
    const session = await open(gateway.port, '/api/session');
    session.pause();
    const slip = JSON.stringify({ id: 1, fault: 'unplug', ['x'.repeat(60)]: 0 });
    const closed = once(session, 'close');
    for (let n = 0; n < 400 && session.readyState === session.OPEN; n++) {
      for (let i = 0; i < 500; i++) session.send(slip);
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }
    session.resume();
    const [code] = (await closed) as [number];
    expect(code).toBe(1006);
  });

  test('what nobody can be told of ends a session', async () => {
    const session = await open(gateway.port, '/api/session');
    session.send('{"fault": "unplug"');
    const [code] = (await once(session, 'close')) as [number];
    expect(code).toBe(1003);
  });

  test('captures from every device on one clock, each frame at both ends', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/api/capture?ports=all`, { headers: bearer });
    const frames: { port: number; direction: string; time: number }[] = [];
    const names = new Map<number, string>();
    let attached = false;
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (binary)
        frames.push(
          ...(parseCapture(data)?.frames ?? []).map((f) => ({ port: f.device, direction: f.direction, time: f.time })),
        );
      else {
        const said = JSON.parse(String(data));
        attached ||= said.attached === true;
        for (const port of said.ports ?? []) names.set(port.device, port.name);
      }
    });
    await expect.poll(() => attached).toBe(true);
    expect([...names.values()]).toEqual(['alice:eth0', 'bob:eth0']);
    sendEcho(packed.device('alice').host, ip('10.0.0.2'));
    // ARP question and answer, echo request and reply; each leaves one end and reaches the other.
    await expect.poll(() => frames.length).toBe(8);
    expect(frames.filter((frame) => frame.direction === 'out')).toHaveLength(4);
    expect(new Set(frames.map((frame) => frame.port))).toEqual(new Set([1, 2]));
    socket.terminate();
  });
});
