/**
 * WebSockets beside an HTTP server on its one port: each path has an endpoint; whatever else comes is refused, counted,
 * and touches nothing. Tokens are compared in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { EmuErrorBody } from './errors.ts';
import { bodyOf, EMU_ERRORS, EmuError } from './errors.ts';

/** Largest message on a control socket: standard input comes in pieces of at most 64 kB. */
const MESSAGE_BYTES_MAX = 1_048_576;
/** Sockets open at once on one server. */
const SOCKETS_MAX = 1_024;
/** Answers that may wait for a caller that does not read while it still asks. */
const BACKLOG_BYTES_MAX = 4_194_304;
/** TCP connections of one server: wires, sockets and requests. More are closed as they come. */
const CONNECTIONS_MAX = 2_048;
/**
 * Milliseconds after which half a question is closed (status 408), while few connections are open: on a machine with
 * more to do than it can, a caller and we may both wait long for our turn, and a lab is then slow, not lossy. Node's own.
 */
export const REQUEST_LIMITS = { headersTimeout: 60_000, requestTimeout: 120_000, connectionsCheckingInterval: 1_000 };
/** In a crowd, and until it is this long past, a caller has its question ready or makes room. */
const CROWDED_LIMITS = { headersTimeout: 5_000, requestTimeout: 10_000 };
const CROWDED_MS = 20_000;
/** More than the wires, sockets and requests of a lab of a hundred devices. */
const CROWD = 512;
/** Who was refused may read why for so long; whoever keeps his half of the connection open is not waited for. */
const FAREWELL_MS_MAX = 1_000;
/** Close code for an error of ours; the reason is the body as JSON, cut to what a close frame holds. */
export const CLOSE_ERROR = 4400;
const CLOSE_REASON_BYTES_MAX = 123;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether `given` is the token; takes as long for any wrong one. */
export function tokenMatches(token: string, given: string | undefined): boolean {
  return given !== undefined && timingSafeEqual(digest(token), digest(given));
}

/** The token a caller presents: `Authorization: Bearer …`; for browsers, which cannot set it on sockets, `?token=`. */
export function tokenOf(request: IncomingMessage, url: URL): string | undefined {
  const header = /^Bearer (.+)$/.exec(request.headers.authorization ?? '');
  return header?.[1] ?? url.searchParams.get('token') ?? undefined;
}

/** What did not make sense, by where it came in. */
export class GarbageCounter {
  readonly counts = new Map<string, number>();
  count(where: string): void {
    this.counts.set(where, (this.counts.get(where) ?? 0) + 1);
  }
}

/** Takes a socket that was accepted on its path; throws EmuError to refuse with a code. */
export type SocketHandler = (socket: WebSocket, url: URL) => void;

export interface SocketRoutes {
  /** Endpoints by exact path, behind the token. */
  readonly endpoints: ReadonlyMap<string, SocketHandler>;
  /** Upgrades that are handled elsewhere (wires: their token is in their Hello); true when it was taken. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer, url: URL) => boolean;
  readonly allowed: (request: IncomingMessage, url: URL) => EmuError | undefined;
  readonly garbage: GarbageCounter;
}

/** Serve `routes` on the server's upgrades; returns what closes every socket. */
export function serveSockets(server: Server, routes: SocketRoutes): { close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false });
  server.maxConnections = CONNECTIONS_MAX;
  shorterInACrowd(server);
  server.on('drop', () => routes.garbage.count('crowded'));
  server.on('clientError', (_error, socket) => {
    routes.garbage.count('http');
    if (socket.writable) farewell(socket, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  const floods = new WeakSet<WebSocket>();
  const flooded = (socket: WebSocket): void => {
    if (floods.has(socket)) return;
    floods.add(socket);
    routes.garbage.count('flood');
    socket.terminate();
  };
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const url = urlOf(request);
    if (url === undefined) return refuse(socket, new EmuError('EMU_BAD_REQUEST', 'not a path'));
    if (routes.upgrade?.(request, socket, head, url) === true) return;
    const refused = routes.allowed(request, url) ?? tooMany(sockets);
    const handler = routes.endpoints.get(url.pathname);
    if (refused !== undefined) {
      routes.garbage.count(refused.code === 'EMU_TOKEN' ? 'token' : 'http');
      return refuse(socket, refused);
    }
    if (handler === undefined) return refuse(socket, new EmuError('EMU_NO_SUCH_PATH', `no socket at ${url.pathname}`));
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      accepted.on('error', () => routes.garbage.count(url.pathname));
      accepted.on('message', () => {
        if (accepted.bufferedAmount > BACKLOG_BYTES_MAX && accepted.readyState === accepted.OPEN) flooded(accepted);
      });
      // ws ends whoever asks for many pongs and reads none; it is for us to count.
      accepted.on('ping', () => {
        if (accepted.readyState !== accepted.OPEN) flooded(accepted);
      });
      try {
        handler(accepted, url);
      } catch (error) {
        closeWith(accepted, error);
      }
    });
  });
  return {
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

/** The limits of halves of questions follow the number of connections; the server reads them each time it looks. */
function shorterInACrowd(server: Server): void {
  let open = 0;
  let crowdedUntil = 0;
  const settle = (): void => {
    const now = performance.now();
    if (open > CROWD) crowdedUntil = now + CROWDED_MS;
    const { headersTimeout, requestTimeout } = now < crowdedUntil ? CROWDED_LIMITS : REQUEST_LIMITS;
    server.headersTimeout = headersTimeout;
    server.requestTimeout = requestTimeout;
  };
  server.on('connection', (socket) => {
    open++;
    settle();
    socket.once('close', () => {
      open--;
      settle();
    });
  });
}

function tooMany(sockets: WebSocketServer): EmuError | undefined {
  return sockets.clients.size < SOCKETS_MAX ? undefined : new EmuError('EMU_TOO_MANY', 'too many sockets are open');
}

export function urlOf(request: IncomingMessage): URL | undefined {
  try {
    return new URL(request.url ?? '/', 'http://device');
  } catch {
    return undefined;
  }
}

/** Say this as the last word. HTTP's sockets stay half open until the far end closes, too: nobody makes us wait for that. */
export function farewell(socket: Duplex, text: string): void {
  const late = setTimeout(() => socket.destroy(), FAREWELL_MS_MAX);
  socket.on('error', () => socket.destroy());
  socket.once('end', () => socket.destroy());
  socket.once('close', () => clearTimeout(late));
  socket.end(text);
  socket.resume();
}

function refuse(socket: Duplex, error: EmuError): void {
  const body = JSON.stringify({ error: bodyOf(error) });
  farewell(
    socket,
    `HTTP/1.1 ${EMU_ERRORS[error.code]} Refused\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

/** Tell the other side why and close. */
export function closeWith(socket: WebSocket, error: unknown): void {
  const body = bodyOf(error);
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ error: body } satisfies { error: EmuErrorBody }));
  const reason = Buffer.from(body.message)
    .subarray(0, CLOSE_REASON_BYTES_MAX)
    .toString('utf8')
    .replaceAll('\ufffd', '');
  socket.close(CLOSE_ERROR, reason);
}
