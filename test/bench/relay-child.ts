/**
 * The yardstick: three bare `ws` processes in a row, as host, switch and host are, that pass messages on and know nothing
 * else. argv: `relay`, or `source URL`, or `echo URL`.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';

/** As many octets a message as wirelab's batches of full frames have, about. */
const MESSAGE_BYTES = 48_000;
const BACKLOG_BYTES_MAX = 1_000_000;
const OPTIONS = { perMessageDeflate: false, maxPayload: 1_048_576 };

export type ToRelay =
  | { readonly type: 'blast'; readonly seconds: number }
  | { readonly type: 'round'; readonly count: number; readonly bytes: number; readonly idleMs: number };
export type FromRelay =
  | { readonly type: 'port'; readonly port: number }
  | { readonly type: 'open' }
  | { readonly type: 'done'; readonly octets: number; readonly micros: number; readonly rounds: readonly number[] };

const tell = (message: FromRelay): void => void process.send?.(message);

function relay(): void {
  const sockets: WebSocket[] = [];
  const server = createServer();
  const wss = new WebSocketServer({ server, ...OPTIONS });
  wss.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('message', (data: Buffer) => {
      for (const other of sockets) {
        if (other === socket) continue;
        other.send(data);
        if (other.bufferedAmount < BACKLOG_BYTES_MAX) continue;
        socket.pause();
        const wait = setInterval(() => {
          if (other.bufferedAmount > BACKLOG_BYTES_MAX / 2) return;
          clearInterval(wait);
          socket.resume();
        }, 1);
      }
    });
  });
  server.listen(0, '127.0.0.1', () => tell({ type: 'port', port: (server.address() as AddressInfo).port }));
}

/** Counts what comes and answers short messages with themselves, a `?` with the count. */
function echo(url: string): void {
  const socket = new WebSocket(url, OPTIONS);
  let octets = 0;
  socket.on('open', () => tell({ type: 'open' }));
  socket.on('message', (data: Buffer) => {
    octets += data.length;
    if (data.length === 1) {
      socket.send(String(octets - 1));
      octets = 0;
    } else if (data.length < 2_000) socket.send(data);
  });
}

function source(url: string): void {
  const socket = new WebSocket(url, OPTIONS);
  socket.on('open', () => tell({ type: 'open' }));
  const next = (): Promise<string> =>
    new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString('latin1'))));
  const blast = async (seconds: number): Promise<void> => {
    const message = Buffer.alloc(MESSAGE_BYTES, 0x5a);
    const start = performance.now();
    const end = start + seconds * 1_000;
    while (performance.now() < end) {
      socket.send(message);
      while (socket.bufferedAmount > BACKLOG_BYTES_MAX) await new Promise((resolve) => setImmediate(resolve));
    }
    socket.send('?');
    const octets = Number(await next());
    tell({ type: 'done', octets, micros: (performance.now() - start) * 1_000, rounds: [] });
  };
  const round = async (count: number, bytes: number, idleMs: number): Promise<void> => {
    const message = Buffer.alloc(bytes, 0x5a);
    const rounds: number[] = [];
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      socket.send(message);
      await next();
      rounds.push((performance.now() - start) * 1_000);
      await new Promise((resolve) => setTimeout(resolve, idleMs));
    }
    tell({ type: 'done', octets: 0, micros: 0, rounds });
  };
  process.on('message', (order: ToRelay) => {
    if (order.type === 'blast') void blast(order.seconds);
    else void round(order.count, order.bytes, order.idleMs);
  });
}

const [, , role = '', url = ''] = process.argv;
if (role === 'relay') relay();
else if (role === 'echo') echo(url);
else source(url);
process.on('disconnect', () => process.exit(0));
