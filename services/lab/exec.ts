/**
 * `wirelab exec`: one emulated program, with our standard streams as its own. A pipe on standard input is passed on; a
 * terminal is too. Ctrl-C is passed on as SIGINT, a second one within a second gives up.
 */
import { once } from 'node:events';
import type { RawData } from 'ws';
import { STREAM_STDERR } from '../../shared/device/console-protocol.ts';
import type { EmuErrorBody } from '../../shared/device/errors.ts';
import { fromGateway, type GatewayClient } from './client.ts';
import { CommandError, EXIT } from './exit.ts';
import { TEXT } from './text.ts';

const PIECE_BYTES = 65_536;
const BACKLOG_BYTES_MAX = 1_000_000;
const DRAIN_POLL_MS = 5;
const SECOND_CTRL_C_MS = 1_000;

/** Resolves with the program's exit status. */
export async function execOn(client: GatewayClient, device: string, argv: readonly string[]): Promise<number> {
  const socket = client.socket(`/api/exec?device=${encodeURIComponent(device)}`);
  let status: number | undefined;
  let failure: CommandError | undefined;
  let lastCtrlC = Number.NEGATIVE_INFINITY;
  const onCtrlC = (): void => {
    const now = performance.now();
    if (now - lastCtrlC < SECOND_CTRL_C_MS) process.exit(EXIT.INTERRUPTED);
    lastCtrlC = now;
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ signal: 'SIGINT' }));
  };
  socket.on('open', () => {
    socket.send(JSON.stringify({ start: { argv } }));
    void passInput(socket);
  });
  socket.on('message', (data: RawData, binary: boolean) => {
    const message = data as Buffer;
    if (binary) {
      const stream = message[0] === STREAM_STDERR ? process.stderr : process.stdout;
      const room = stream.write(message.subarray(1));
      if (room || socket.isPaused) return;
      socket.pause();
      stream.once('drain', () => socket.resume());
      return;
    }
    const said = JSON.parse(message.toString('utf8')) as { exit?: number; error?: EmuErrorBody };
    if (said.exit !== undefined) status = said.exit;
    if (said.error !== undefined) failure = fromGateway(said.error);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= client.unreachable(error.code ?? error.message);
  });
  // A reader that has gone (`exec … | head`) ends the program as SIGPIPE would.
  process.stdout.on('error', () => socket.terminate());
  process.on('SIGINT', onCtrlC);
  await once(socket, 'close');
  process.off('SIGINT', onCtrlC);
  process.stdin.destroy();
  if (failure !== undefined) throw failure;
  if (status === undefined) throw new CommandError(TEXT.wentDown(device));
  return status;
}

async function passInput(socket: import('ws').WebSocket): Promise<void> {
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        if (socket.readyState !== socket.OPEN) return;
        socket.send(chunk.subarray(at, at + PIECE_BYTES));
        while (socket.readyState === socket.OPEN && socket.bufferedAmount > BACKLOG_BYTES_MAX) {
          await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
        }
      }
    }
  } catch {
    // Standard input that cannot be read is an empty one.
  }
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ end: true }));
}
