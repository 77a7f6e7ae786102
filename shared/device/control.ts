/**
 * The control server of a device: HTTP and sockets on the one port that its wires use too. Everything but a wire's
 * connection (which has its token in its Hello) and /healthz (which tells nothing else) wants the lab's token. Described at /openapi.json.
 *
 *   GET /healthz /state /metrics /openapi.json      POST /ports/:port/{unplug,plug,impair}
 *   sockets: /wires/NAME, /console, /capture?ports=eth0,eth1 (or all), /trace?cause=7&filter=EXPR
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { closest } from '../lab/closest.ts';
import type { Impairment } from '../lab/plan-types.ts';
import type { Wire } from '../wire/wire.ts';
import type { Cables } from './cables.ts';
import { Captures } from './capture.ts';
import { impairmentChecker } from './config.ts';
import { serveConsole } from './console.ts';
import type { Device } from './device.ts';
import { EmuError } from './errors.ts';
import type { AppOptions } from './http.ts';
import type { Logger } from './log.ts';
import { renderMetrics } from './metrics.ts';
import {
  GarbageCounter,
  REQUEST_LIMITS,
  type SocketHandler,
  serveSockets,
  tokenMatches,
  tokenOf,
  urlOf,
} from './sockets.ts';
import { stateOf } from './state.ts';
import { streamTrace, traceFilterOf } from './trace-stream.ts';
import { boolean, object, problemsOf } from './validate.ts';

/** As Fastify has it: longer than the gateway leaves a connection idle between two questions. */
const KEEP_ALIVE_MS = 72_000;
/** Bodies are an impairment at most. */
const BODY_BYTES_MAX = 16_384;

/** Each has a megabyte of its own, and as much in its socket; people watch through the gateway, which shares one. */
const CAPTURES_MAX = 32;

export interface ControlOptions {
  readonly device: Device;
  readonly cables: Cables;
  readonly token: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly log: Logger;
}

export interface ControlServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveControl(options: ControlOptions): Promise<ControlServer> {
  const { device, cables, log } = options;
  const garbage = new GarbageCounter();
  const counts = (): ReadonlyMap<string, number> => new Map([...garbage.counts, ['wire', cables.garbage]]);
  const parts: AppOptions = {
    title: 'wirelab device',
    bodyBytesMax: BODY_BYTES_MAX,
    garbage,
    guard: (guarded) => guard(guarded, options.token, garbage),
    routes: (routed) => {
      readingRoutes(routed, device, cables, counts, async () => (await import('./http.ts')).describeApp(parts));
      cableRoutes(routed, device, cables, log);
    },
  };
  const server = createServer(REQUEST_LIMITS, lazily(parts));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const sockets = serveSockets(server, {
    endpoints: endpointsOf(device, cables, garbage),
    upgrade: (request, socket, head, url) => cables.upgrade(request, socket, head, url),
    allowed: (request, url) =>
      tokenMatches(options.token, tokenOf(request, url)) ? undefined : new EmuError('EMU_TOKEN', 'wrong or no token'),
    garbage,
  });
  server.listen({ host: options.listen.host, port: options.listen.port });
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.listen.port,
    close: async () => {
      sockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * What answers requests, made when the first one comes: most devices of a large lab are never asked anything but for
 * their wires, which are sockets, and Fastify would be a fifth of their start.
 */
function lazily(parts: AppOptions): (request: IncomingMessage, response: ServerResponse) => void {
  let routing: Promise<FastifyInstance['routing']> | undefined;
  const made = async (): Promise<FastifyInstance['routing']> => {
    const { makeApp } = await import('./http.ts');
    const app = makeApp(parts);
    await app.ready();
    return app.routing;
  };
  return (request, response) => {
    routing ??= made();
    void routing.then((answer) => answer(request, response));
  };
}

function guard(app: FastifyInstance, token: string, garbage: GarbageCounter): void {
  app.addHook('onRequest', async (request, reply) => {
    const url = urlOf(request.raw);
    if (url !== undefined && tokenMatches(token, tokenOf(request.raw, url))) return;
    // Who has not shown the token gets an answer, and no place among the connections.
    reply.header('connection', 'close');
    // Whether it is alive is all that a health check learns without a token.
    if (request.routeOptions.url === '/healthz') return;
    garbage.count('token');
    throw new EmuError('EMU_TOKEN', 'wrong or no token');
  });
}

const anyObject = { type: 'object', additionalProperties: true } as const;

function readingRoutes(
  app: FastifyInstance,
  device: Device,
  cables: Cables,
  garbage: () => ReadonlyMap<string, number>,
  describe: () => Promise<object>,
): void {
  app.get('/healthz', { schema: { summary: 'Alive.', response: { 200: anyObject } } }, async () => ({
    status: 'ok',
    device: device.name,
  }));
  app.get(
    '/state',
    { schema: { summary: 'Ports, addresses, programs, counters.', response: { 200: anyObject } } },
    async () => stateOf(device, cables, garbage()),
  );
  app.get('/metrics', { schema: { summary: "Counters in Prometheus' text format." } }, async (_request, reply) =>
    reply.type('text/plain; version=0.0.4').send(renderMetrics(device, cables, garbage())),
  );
  app.get('/openapi.json', { schema: { summary: 'This description.' } }, describe);
}

const portParams = {
  type: 'object',
  properties: { port: { type: 'string', maxLength: 64 } },
  required: ['port'],
} as const;
const portAnswer = {
  200: {
    type: 'object',
    properties: {
      port: { type: 'string' },
      carrier: { type: 'boolean' },
      plugged: { type: 'boolean' },
      cut: { type: 'boolean' },
    },
  },
} as const;

function cableRoutes(app: FastifyInstance, device: Device, cables: Cables, log: Logger): void {
  type Params = { Params: { port: string } };
  const answer = (port: string, wire: Wire) => ({
    port,
    carrier: wire.carrier,
    plugged: wire.plugged,
    cut: wire.isCut,
  });
  app.post<Params>(
    '/ports/:port/unplug',
    { schema: { summary: 'Pull the plug.', params: portParams, response: portAnswer } },
    async (request) => {
      const wire = wireOf(device, cables, request.params.port);
      wire.unplug();
      log.info({ port: request.params.port }, 'unplugged');
      return answer(request.params.port, wire);
    },
  );
  app.post<Params>(
    '/ports/:port/plug',
    { schema: { summary: 'Put the plug back.', params: portParams, response: portAnswer } },
    async (request) => {
      const wire = wireOf(device, cables, request.params.port);
      wire.plug();
      log.info({ port: request.params.port }, 'plugged');
      return answer(request.params.port, wire);
    },
  );
  app.post<Params & { Body: Trouble }>(
    '/ports/:port/trouble',
    {
      schema: {
        summary: 'All that a fault does to this end at once: plugged, cut, impairment.',
        params: portParams,
        body: anyObject,
        response: portAnswer,
      },
    },
    async (request) => {
      const { port } = request.params;
      const wire = wireOf(device, cables, port);
      const problems = problemsOf(troubleChecker, request.body);
      if (problems.length > 0) throw new EmuError('EMU_BAD_REQUEST', problems.join('; '));
      const { plugged, cut, impairment } = request.body;
      if (plugged) wire.plug();
      else wire.unplug();
      wire.setCut(cut);
      cables.impair(port, impairment);
      log.info({ port, plugged, cut, egress: impairment }, 'trouble');
      return answer(port, wire);
    },
  );
  app.get<Params & { Querystring: { since?: number; life?: number } }>(
    '/ports/:port/verdicts',
    {
      schema: {
        summary: 'What this end did to which frame, by which rule, from verdict `since` of its life `life` on.',
        params: portParams,
        querystring: {
          type: 'object',
          properties: { since: { type: 'integer', minimum: 0 }, life: { type: 'integer', minimum: 0 } },
        },
        response: { 200: anyObject },
      },
    },
    async (request) => {
      wireOf(device, cables, request.params.port);
      const { since = 0, life } = request.query;
      const log = cables.verdictsOf(request.params.port);
      return log?.since(wholeOf(since) ?? 0, wholeOf(life)) ?? {};
    },
  );
  app.post<Params & { Body: Impairment }>(
    '/ports/:port/impair',
    {
      schema: {
        summary: 'What this end does to the frames it sends, from now on.',
        params: portParams,
        body: anyObject,
      },
    },
    async (request) => {
      wireOf(device, cables, request.params.port);
      const problems = problemsOf(impairmentChecker, request.body);
      if (problems.length > 0) throw new EmuError('EMU_BAD_REQUEST', problems.join('; '));
      cables.impair(request.params.port, request.body);
      log.info({ port: request.params.port, egress: request.body }, 'impaired');
      return { port: request.params.port, egress: request.body };
    },
  );
}

/** A word of a query as a number; undefined when it is none, or none was said. */
function wholeOf(word: unknown): number | undefined {
  const number = word === undefined ? Number.NaN : Number(word);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

interface Trouble {
  readonly plugged: boolean;
  readonly cut: boolean;
  readonly impairment: Impairment;
}

const troubleChecker = object({ plugged: boolean, cut: boolean, impairment: impairmentChecker });

function wireOf(device: Device, cables: Cables, port: string): Wire {
  const wire = cables.wires.get(port);
  if (wire !== undefined) return wire;
  const names = device.plan.ports.map((other) => other.name);
  if (names.includes(port)) throw new EmuError('EMU_NOT_WIRED', `${device.name}:${port} has no wire`);
  throw noPort(device, port);
}

function noPort(device: Device, port: string): EmuError {
  const near = closest(port, device.phys.keys());
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  return new EmuError('EMU_NO_PORT', `${device.name} has no port ${port}${hint}`);
}

function endpointsOf(device: Device, cables: Cables, garbage: GarbageCounter): ReadonlyMap<string, SocketHandler> {
  const captures = new Captures({
    deviceName: device.name,
    deviceIndex: device.plan.index,
    clock: device.host.clock,
    points: device.phys,
    verdictsOf: (port) => cables.verdictsOf(port),
  });
  return new Map<string, SocketHandler>([
    ['/console', (socket) => serveConsole(device, socket, () => garbage.count('console'))],
    [
      '/capture',
      (socket, url) => {
        const ports = portsOf(device, url.searchParams.get('ports') ?? 'all');
        if (captures.count >= CAPTURES_MAX) throw new EmuError('EMU_TOO_MANY', `${CAPTURES_MAX} captures are running`);
        socket.send(JSON.stringify(captures.hello(ports)));
        const stop = captures.watch(ports, {
          send: (message) => socket.send(message),
          get backlog() {
            return socket.bufferedAmount;
          },
        });
        listenOnly(socket, () => garbage.count('capture'));
        socket.on('close', stop);
      },
    ],
    [
      '/trace',
      (socket, url) => {
        const filter = traceFilterOf(url.searchParams);
        const sink = {
          send: (lines: string) => socket.send(lines),
          get backlog() {
            return socket.bufferedAmount;
          },
        };
        const stop = streamTrace(device.host.trace, sink, filter);
        listenOnly(socket, () => garbage.count('trace'));
        socket.on('close', stop);
      },
    ],
  ]);
}

/** A watcher has nothing to say. */
function listenOnly(socket: Parameters<SocketHandler>[0], garbage: () => void): void {
  socket.on('message', () => {
    garbage();
    socket.close(1003, 'a watcher has nothing to say');
  });
}

function portsOf(device: Device, asked: string): readonly string[] {
  if (asked === 'all') return [...device.phys.keys()];
  const ports = asked.split(',');
  const wrong = ports.find((port) => !device.phys.has(port));
  if (wrong !== undefined) throw noPort(device, wrong);
  return ports;
}
