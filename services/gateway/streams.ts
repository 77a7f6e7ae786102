/**
 * What the gateway's watchers get: frames and trace events of the whole lab on one clock. A slow watcher loses what does
 * not fit and is told how much; it never slows a device or another watcher.
 */
import type { WebSocket } from 'ws';
import { WATCHER_BACKLOG_BYTES_MAX } from '../../shared/device/capture.ts';
import { CAPTURE_HEAD, type CaptureHello } from '../../shared/device/capture-format.ts';
import { EmuError } from '../../shared/device/errors.ts';
import { parseOrSay } from '../../shared/device/trace-stream.ts';
import type { FanIn } from './fan-in.ts';
import type { Lab } from './lab.ts';

/** Sent once every device streams, or could not be reached: from here on nothing is missed. */
export interface Attached {
  readonly attached: true;
  readonly missing: readonly string[];
}

/** `/api/capture?ports=alice:eth0,sw` or `all`: CaptureHello, then batches (capture-format.ts), and Attached among them. */
export function serveCapture(lab: Lab, fanIn: FanIn, socket: WebSocket, url: URL): void {
  const wanted = lab.ports((url.searchParams.get('ports') ?? 'all').split(','));
  const ports = lab.plan.devices.flatMap((device) =>
    (wanted.get(device.name) ?? []).map((port) => ({
      device: device.index,
      port: device.ports.indexOf(port),
      name: `${device.name}:${port}`,
    })),
  );
  socket.send(JSON.stringify({ ports, clockOrigin: lab.clockOrigin } satisfies CaptureHello));
  const paths = new Map([...wanted].map(([device, names]) => [device, `/capture?ports=${names.join(',')}`]));
  let lost = 0;
  const stop = fanIn.watch(paths, {
    onMessage: (_device, message, binary) => {
      if (!binary || message.length < CAPTURE_HEAD) return;
      if (socket.bufferedAmount > WATCHER_BACKLOG_BYTES_MAX) {
        lost += message.readUInt16BE(2) + message.readUInt32BE(4);
        return;
      }
      if (lost === 0) return socket.send(message);
      const told = Buffer.from(message);
      told.writeUInt32BE(told.readUInt32BE(4) + lost, 4);
      lost = 0;
      socket.send(told);
    },
    onAttached: (missing) => sendAttached(socket, missing),
  });
  socket.on('close', stop);
}

/** `/api/trace?devices=alice,bob&cause=7&skb=alice/17&filter=EXPR`: lines of JSON, TraceEvent or {"lost": n}; Attached is a line of its own. */
export function serveTrace(lab: Lab, fanIn: FanIn, socket: WebSocket, url: URL): void {
  const asked = url.searchParams.get('devices');
  const devices = asked === null || asked === 'all' ? [...lab.links.keys()] : asked.split(',');
  for (const device of devices) lab.link(device);
  const causes = url.searchParams.getAll('cause');
  if (causes.some((cause) => !/^\d{1,10}$/.test(cause))) {
    throw new EmuError('EMU_BAD_REQUEST', 'cause: expected a whole number');
  }
  const query = new URLSearchParams(causes.map((cause): [string, string] => ['cause', cause]));
  addFilter(lab, query, url.searchParams);
  const path = query.size === 0 ? '/trace' : `/trace?${query}`;
  const paths = new Map(devices.map((device) => [device, path]));
  let lost = 0;
  const stop = fanIn.watch(paths, {
    onMessage: (_device, message, binary) => {
      if (binary) return;
      if (socket.bufferedAmount > WATCHER_BACKLOG_BYTES_MAX) {
        lost += lineCount(message);
        return;
      }
      if (lost > 0) socket.send(`${JSON.stringify({ lost })}\n`);
      lost = 0;
      socket.send(message.toString('utf8'));
    },
    onAttached: (missing) => sendAttached(socket, missing),
  });
  socket.on('close', stop);
}

/** What devices are to choose by. They know each other by number: those that an expression names are told to them. */
function addFilter(lab: Lab, query: URLSearchParams, asked: URLSearchParams): void {
  const [skb, filter] = [asked.get('skb'), asked.get('filter')];
  const indexOf = (name: string): number | undefined => lab.plan.devices.find((device) => device.name === name)?.index;
  if (skb !== null) {
    const [, device = '', number = ''] = /^([^/]+)\/(\d{1,10})$/.exec(skb) ?? [];
    if (number === '') throw new EmuError('EMU_BAD_REQUEST', `skb: expected DEVICE/NUMBER, found ${skb}`);
    const index = indexOf(device);
    if (index === undefined) lab.link(device);
    query.set('skb', `${index}/${number}`);
  }
  if (filter === null) return;
  parseOrSay(filter);
  query.set('filter', filter);
  for (const { name, index } of lab.plan.devices) if (filter.includes(name)) query.append('name', `${index}:${name}`);
}

function sendAttached(socket: WebSocket, missing: readonly string[]): void {
  if (socket.readyState === socket.OPEN)
    socket.send(`${JSON.stringify({ attached: true, missing } satisfies Attached)}\n`);
}

function lineCount(message: Buffer): number {
  let count = 0;
  for (const octet of message) if (octet === 10) count++;
  return count;
}
