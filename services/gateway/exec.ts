/**
 * `/api/exec?device=alice`: a person's console, passed to the device's (device/console.ts says what is spoken) and back.
 * Each side is paused while the other is behind, so a full pipe holds the program and not the gateway's memory.
 */
import type { RawData, WebSocket } from 'ws';
import { EmuError } from '../../shared/device/errors.ts';
import { closeWith } from '../../shared/device/sockets.ts';
import type { Lab } from './lab.ts';

const BACKLOG_BYTES_MAX = 262_144;
const DRAIN_POLL_MS = 5;
/** What a caller may say before the device answered. */
const EARLY_MESSAGES_MAX = 64;
const EARLY_BYTES_MAX = 1_048_576;
const CLOSE_NORMAL = 1000;

export function frozenError(device: string): EmuError {
  const problem = `${device} is frozen; \`wirelab thaw ${device}\` lets it go on`;
  return new EmuError('EMU_DEVICE_DOWN', problem, { device });
}

export function downError(device: string, why = ''): EmuError {
  const problem = `${device} is not up${why}; \`wirelab start ${device}\` brings it back`;
  return new EmuError('EMU_DEVICE_DOWN', problem, { device });
}

export function serveExec(lab: Lab, socket: WebSocket, url: URL): void {
  const device = url.searchParams.get('device') ?? '';
  const state = lab.processState(device);
  if (state === 'frozen') return closeWith(socket, frozenError(device));
  if (state === 'dead' || state === 'stopped') return closeWith(socket, downError(device));
  const upstream = lab.link(device).socket('/console');
  const early: { data: RawData; binary: boolean }[] = [];
  let earlyBytes = 0;
  socket.on('message', (data: RawData, binary: boolean) => {
    if (upstream.readyState === upstream.OPEN) return forward(socket, upstream, data, binary);
    earlyBytes += lengthOf(data);
    if (early.length < EARLY_MESSAGES_MAX && earlyBytes <= EARLY_BYTES_MAX) early.push({ data, binary });
    else closeWith(socket, new EmuError('EMU_TOO_MANY', 'too much input before the device answered'));
  });
  upstream.on('open', () => {
    for (const { data, binary } of early) upstream.send(data, { binary });
    early.length = 0;
  });
  upstream.on('message', (data: RawData, binary: boolean) => forward(upstream, socket, data, binary));
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    closeWith(socket, downError(device, ` (${error.code ?? error.message})`));
  });
  upstream.on('close', (code, reason) => {
    if (code === CLOSE_NORMAL || code >= 4000) return socket.close(code, reason);
    closeWith(socket, new EmuError('EMU_DEVICE_DOWN', `${device} went down`, { device }));
  });
  socket.on('close', () => upstream.terminate());
}

function lengthOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, part) => sum + part.length, 0) : data.byteLength;
}

function forward(from: WebSocket, to: WebSocket, data: RawData, binary: boolean): void {
  if (to.readyState !== to.OPEN) return;
  to.send(data, { binary });
  if (to.bufferedAmount <= BACKLOG_BYTES_MAX || from.isPaused) return;
  from.pause();
  const poll = setInterval(() => {
    if (to.readyState === to.OPEN && to.bufferedAmount > BACKLOG_BYTES_MAX / 2) return;
    clearInterval(poll);
    from.resume();
  }, DRAIN_POLL_MS);
}
