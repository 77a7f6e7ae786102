/**
 * The gateway: the one address that people's tools use. It knows where every device listens and has their token; it
 * gathers states, captures and trace events, passes consoles through, keeps the faults in force, and hands out the page.
 *
 *   GET  /                       the page (no token; it finds one in its own address)
 *   GET  /healthz (no token)  /api/state  /api/devices  /api/ledger  /api/openapi.json
 *   POST /api/unplug  /api/plug  {target}      /api/impair {target, impairment, clear}      /api/down
 *   GET, POST /api/faults {fault, …}   DELETE /api/faults/:fault   POST /api/heal {target}   GET /api/verdicts?target=
 *   POST /api/devices/:device/{kill,start,stop,restart,freeze,thaw}      /api/journey {device, url}
 *   sockets: /api/exec?device=  /api/capture?ports=  /api/trace?devices=&cause=  /api/session
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { EmuError } from '../../shared/device/errors.ts';
import { type AppOptions, describeApp, makeApp } from '../../shared/device/http.ts';
import { LIFECYCLE_VERBS } from '../../shared/device/ipc.ts';
import {
  GarbageCounter,
  type SocketHandler,
  serveSockets,
  tokenMatches,
  tokenOf,
  urlOf,
} from '../../shared/device/sockets.ts';
import { servePage } from '../dashboard/page.ts';
import { serveExec } from './exec.ts';
import { FanIn } from './fan-in.ts';
import { Faults } from './faults.ts';
import { journeyRoute } from './journey/route.ts';
import type { Lab } from './lab.ts';
import { ledgerOf } from './ledger.ts';
import { serveSession } from './session.ts';
import { serveCapture, serveTrace } from './streams.ts';
import type { SupervisorLink } from './supervisor-link.ts';
import { troubleRoutes } from './trouble-routes.ts';

const BODY_BYTES_MAX = 65_536;
/** Names by which this machine calls itself: any other in Host is a page that rebound its name to us. */
const OWN_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

export interface GatewayOptions {
  readonly lab: Lab;
  readonly supervisor: SupervisorLink;
  readonly token: string;
  readonly listen: { readonly host: string; readonly port: number };
}

export interface Gateway {
  readonly port: number;
  readonly faults: Faults;
  close(): Promise<void>;
}

export async function serveGateway(options: GatewayOptions): Promise<Gateway> {
  const { lab, supervisor } = options;
  const garbage = new GarbageCounter();
  const faults = new Faults(lab, supervisor);
  const captures = new FanIn(lab);
  const traces = new FanIn(lab);
  const parts: AppOptions = {
    title: 'wirelab gateway',
    bodyBytesMax: BODY_BYTES_MAX,
    garbage,
    guard: (guarded) => guard(guarded, options.token, garbage),
    routes: (routed) => {
      readingRoutes(routed, lab, supervisor, garbage, () => describeApp(parts));
      troubleRoutes(routed, lab, faults);
      lifecycleRoutes(routed, lab, faults, supervisor);
      journeyRoute(routed, { lab, captures, traces });
    },
  };
  const app = makeApp(parts);
  await servePage(app);
  const sockets = serveSockets(app.server, {
    endpoints: new Map<string, SocketHandler>([
      ['/api/exec', (socket, url) => serveExec(lab, socket, url)],
      ['/api/capture', (socket, url) => serveCapture(lab, captures, socket, url)],
      ['/api/trace', (socket, url) => serveTrace(lab, traces, socket, url)],
      ['/api/session', (socket) => serveSession(faults, socket, () => garbage.count('session'))],
    ]),
    allowed: (request, url) => refusal(request, url, options.token),
    garbage,
  });
  await app.listen({ host: options.listen.host, port: options.listen.port });
  const address = app.server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.listen.port,
    faults,
    close: async () => {
      faults.close();
      captures.close();
      traces.close();
      sockets.close();
      lab.close();
      await app.close();
    },
  };
}

/** Why a request is not served: another site's page, or no token. `route`: what was found for it, however its path was written. */
function refusal(request: IncomingMessage, url: URL, token: string, route = ''): EmuError | undefined {
  const host = request.headers.host ?? '';
  if (!OWN_NAMES.includes(host.replace(/:\d+$/, ''))) return new EmuError('EMU_ORIGIN', `not served as ${host}`);
  const { origin } = request.headers;
  if (origin !== undefined && origin !== `http://${host}`) return new EmuError('EMU_ORIGIN', `not for ${origin}`);
  const inner = [url.pathname, route].some((path) => path.startsWith('/api/'));
  if (inner && !tokenMatches(token, tokenOf(request, url))) {
    return new EmuError('EMU_TOKEN', 'wrong or no token');
  }
  return undefined;
}

function guard(app: FastifyInstance, token: string, garbage: GarbageCounter): void {
  app.addHook('onRequest', async (request, reply) => {
    const url = urlOf(request.raw);
    // Who has not shown the token gets an answer, and no place among the connections.
    if (url === undefined || !tokenMatches(token, tokenOf(request.raw, url))) reply.header('connection', 'close');
    // /%61pi/state is the route /api/state, too.
    const refused =
      url === undefined
        ? new EmuError('EMU_BAD_REQUEST', 'not a path')
        : refusal(request.raw, url, token, request.routeOptions.url);
    if (refused === undefined) return;
    garbage.count(refused.code === 'EMU_TOKEN' ? 'token' : 'http');
    throw refused;
  });
  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    reply.header('referrer-policy', 'no-referrer');
    reply.header(
      'content-security-policy',
      "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
    );
  });
}

const deviceParams = {
  type: 'object',
  properties: { device: { type: 'string', maxLength: 64 } },
  required: ['device'],
} as const;

function readingRoutes(
  app: FastifyInstance,
  lab: Lab,
  supervisor: SupervisorLink,
  garbage: GarbageCounter,
  describe: () => Promise<object>,
): void {
  app.get('/healthz', { schema: { summary: 'Alive; needs no token.' } }, async () => ({ status: 'ok' }));
  app.get('/api/state', { schema: { summary: 'Devices and wires of the lab.' } }, async () => ({
    ...(await lab.view()),
    supervised: supervisor.present,
    garbage: Object.fromEntries(garbage.counts),
  }));
  app.get('/api/devices', { schema: { summary: 'Devices of the lab.' } }, async () => (await lab.view()).devices);
  app.get('/api/ledger', { schema: { summary: 'Where every frame is, per wire and direction.' } }, async () =>
    ledgerOf(await lab.view()),
  );
  app.get<{ Params: { device: string } }>(
    '/api/devices/:device',
    { schema: { summary: 'One device.', params: deviceParams } },
    async (request) => await lab.viewOf(request.params.device),
  );
  app.get('/api/openapi.json', { schema: { summary: 'This description.' } }, describe);
}

function lifecycleRoutes(app: FastifyInstance, lab: Lab, faults: Faults, supervisor: SupervisorLink): void {
  for (const verb of LIFECYCLE_VERBS) {
    app.post<{ Params: { device: string } }>(
      `/api/devices/:device/${verb}`,
      { schema: { summary: `${verb} a device's process.`, params: deviceParams } },
      async (request) => {
        const { name } = lab.link(request.params.device);
        if (verb === 'kill' || verb === 'freeze') await faults.add({ fault: verb, target: name });
        else {
          await supervisor.request(verb, name);
          faults.settled(name, verb);
        }
        return { device: name, verb };
      },
    );
  }
  app.post<{ Params: { device: string } }>(
    '/api/devices/:device/restore',
    {
      schema: {
        summary: 'An engine of its own has brought it back: faults at its ports hold again.',
        params: deviceParams,
      },
    },
    async (request) => {
      const { name } = lab.link(request.params.device);
      await faults.restore(name);
      return { device: name };
    },
  );
  app.post('/api/down', { schema: { summary: 'Take the lab down.' } }, async () => {
    supervisor.down();
    return { down: true };
  });
}
