/**
 * What the gateway's watchers get: frames and trace events of the whole lab on one clock. A slow watcher loses what does
 * not fit and is told how much; it never slows a device or another watcher.
 */
import type { WebSocket } from 'ws';
import { WATCHER_BACKLOG_BYTES_MAX } from '../../shared/device/capture.ts';
import { CAPTURE_HEAD, type CaptureHello } from '../../shared/device/capture-format.ts';
import { EmuError } from '../../shared/device/errors.ts';
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

/** `/api/trace?devices=alice,bob&cause=7`: lines of JSON, TraceEvent or {"lost": n}; Attached is a line of its own. */
export function serveTrace(lab: Lab, fanIn: FanIn, socket: WebSocket, url: URL): void {
  const asked = url.searchParams.get('devices');
  const devices = asked === null || asked === 'all' ? [...lab.links.keys()] : asked.split(',');
  for (const device of devices) lab.link(device);
  const causes = url.searchParams.getAll('cause');
  if (causes.some((cause) => !/^\d{1,10}$/.test(cause))) {
    throw new EmuError('EMU_BAD_REQUEST', 'cause: expected a whole number');
  }
  const query = causes.map((cause) => `cause=${cause}`).join('&');
  const paths = new Map(devices.map((device) => [device, query === '' ? '/trace' : `/trace?${query}`]));
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

function sendAttached(socket: WebSocket, missing: readonly string[]): void {
  if (socket.readyState === socket.OPEN)
    socket.send(`${JSON.stringify({ attached: true, missing } satisfies Attached)}\n`);
}

function lineCount(message: Buffer): number {
  let count = 0;
  for (const octet of message) if (octet === 10) count++;
  return count;
}
