/**
 * `wirelab exec`: one emulated program, with our standard streams as its own. A pipe on standard input is passed on; a
 * terminal is too. Ctrl-C is passed on as SIGINT, a second one within a second gives up.
 */
import { once } from 'node:events';
import type { RawData, WebSocket } from 'ws';
import { INPUT_WINDOW_BYTES, STREAM_STDERR } from '../../shared/device/console-protocol.ts';
import type { EmuError, EmuErrorBody } from '../../shared/device/errors.ts';
import { fromGateway, type GatewayClient } from './client.ts';
import { CommandError, EXIT } from './exit.ts';
import { TEXT } from './text.ts';

const PIECE_BYTES = 65_536;
const SECOND_CTRL_C_MS = 1_000;

/** Resolves with the program's exit status. */
export async function execOn(client: GatewayClient, device: string, argv: readonly string[]): Promise<number> {
  const socket = client.socket(`/api/exec?device=${encodeURIComponent(device)}`);
  let status: number | undefined;
  let failure: CommandError | EmuError | undefined;
  let lastCtrlC = Number.NEGATIVE_INFINITY;
  const onCtrlC = (): void => {
    const now = performance.now();
    if (now - lastCtrlC < SECOND_CTRL_C_MS) process.exit(EXIT.INTERRUPTED);
    lastCtrlC = now;
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ signal: 'SIGINT' }));
  };
  const window = new Window();
  socket.on('open', () => {
    socket.send(JSON.stringify({ start: { argv } }));
    void passInput(socket, window);
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
    const said = JSON.parse(message.toString('utf8')) as { exit?: number; taken?: number; error?: EmuErrorBody };
    if (said.taken !== undefined) window.open(said.taken);
    if (said.exit !== undefined) status = said.exit;
    if (said.error !== undefined) failure = fromGateway(said.error);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= client.unreachable(error.code ?? error.message);
  });
  // A reader that has gone (`exec … | head`) ends the program as SIGPIPE would.
  let unread = false;
  process.stdout.on('error', () => {
    unread = true;
    socket.terminate();
  });
  process.on('SIGINT', onCtrlC);
  await once(socket, 'close');
  process.off('SIGINT', onCtrlC);
  process.stdin.destroy();
  if (unread) return EXIT.BROKEN_PIPE;
  if (failure !== undefined) throw failure;
  if (status === undefined) throw new CommandError(TEXT.wentDown(device));
  return status;
}

/** How much input may be sent; see INPUT_WINDOW_BYTES. */
class Window {
  private room = INPUT_WINDOW_BYTES;
  private opened: () => void = () => {};

  open(octets: number): void {
    this.room += octets;
    this.opened();
  }

  /** Take room for `octets`, once there is that much. */
  async take(octets: number): Promise<void> {
    while (this.room < octets) {
      await new Promise<void>((resolve) => {
        this.opened = resolve;
      });
    }
    this.room -= octets;
  }
}

async function passInput(socket: WebSocket, window: Window): Promise<void> {
  try {
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        await window.take(piece.length);
        if (socket.readyState !== socket.OPEN) return;
        socket.send(piece);
      }
    }
  } catch {
    // Standard input that cannot be read is an empty one.
  }
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ end: true }));
}
