/**
 * The console of a device: one socket runs one emulated program, never the machine's shell.
 *
 *   to us:    text {"start": {"argv": […], "cause": 0}} first; then binary: standard input; text {"signal": "SIGINT"},
 *             {"end": true} for the end of standard input
 *   from us:  binary, first octet 1 or 2: standard output or error; text {"taken": n}: octets of input that the program's
 *             pipe took; text {"exit": status} and close 1000; or text {"error": {code, message, details}} and close 4400
 *
 * A reader that falls behind holds the program back, as a full pipe does; input that the program does not read may wait
 * up to INPUT_WINDOW_BYTES. When the socket goes, the program gets SIGHUP.
 */
import type { RawData, WebSocket } from 'ws';
import { closest } from '../lab/closest.ts';
import { INPUT_WINDOW_BYTES, STREAM_STDERR, STREAM_STDOUT } from './console-protocol.ts';
import type { Device, RunningProgram } from './device.ts';
import { EmuError } from './errors.ts';
import { closeWith } from './sockets.ts';
import { integer, list, object, oneOf, optional, problemsOf, text } from './validate.ts';

const ARGUMENTS_MAX = 256;
/** Output that may wait in the socket before the program is held back. */
const OUTPUT_BACKLOG_BYTES_MAX = 262_144;
const DRAIN_POLL_MS = 5;
/** What must come within this time of connecting, real time. */
const START_MS_MAX = 5_000;
const CLOSE_NORMAL = 1000;

type Message =
  | { start: { argv: string[]; cause?: number } }
  | { signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP' }
  | { end: true };

const startChecker = object({
  start: object({ argv: list(text('a word'), ARGUMENTS_MAX), cause: optional(integer(0, 0xffff_ffff)) }),
});
const signalChecker = object({ signal: oneOf('SIGINT', 'SIGTERM', 'SIGHUP') });

function parseMessage(raw: string): Message | undefined {
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return undefined;
  }
  const good = [startChecker, signalChecker].some((checker) => problemsOf(checker, value).length === 0);
  if (good) return value as Message;
  return (value as { end?: unknown } | null)?.end === true ? { end: true } : undefined;
}

/** Serve one console on `socket`; `garbage` is called once when what comes in makes no sense, and the socket closes. */
export function serveConsole(device: Device, socket: WebSocket, garbage: () => void): void {
  let program: RunningProgram | undefined;
  let ended = false;
  let input: Promise<void> = Promise.resolve();
  let waiting = 0;
  let atEnd = false;
  const late = setTimeout(() => fail('nothing was started'), START_MS_MAX);

  const fail = (why: string): void => {
    clearTimeout(late);
    garbage();
    closeWith(socket, new EmuError('EMU_BAD_REQUEST', why));
  };
  const tell = (message: object): void => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
  const output = (stream: number) => (bytes: Uint8Array) => {
    if (socket.readyState !== socket.OPEN) return;
    const message = Buffer.allocUnsafe(1 + bytes.length);
    message[0] = stream;
    message.set(bytes, 1);
    socket.send(message);
    return socket.bufferedAmount > OUTPUT_BACKLOG_BYTES_MAX ? drained(socket) : undefined;
  };
  const start = (argv: readonly string[], cause: number): void => {
    clearTimeout(late);
    const name = argv[0] ?? '';
    program = device.spawn(argv, { stdout: output(STREAM_STDOUT), stderr: output(STREAM_STDERR), cause });
    if (program === undefined) return closeWith(socket, unknownProgram(device, name));
    void program.exited.then((status) => {
      ended = true;
      tell({ exit: status });
      socket.close(CLOSE_NORMAL);
    });
  };
  const feed = (bytes: Uint8Array): void => {
    if (program === undefined) return fail('input came before a program was started');
    const running = program;
    if (ended || bytes.length === 0) return;
    waiting += bytes.length;
    if (waiting > INPUT_WINDOW_BYTES) return fail('more input than the window allows');
    input = input.then(async () => {
      await running.write(bytes);
      // Who does not read what we say is not fed on: what we say about it would pile up here.
      if (socket.bufferedAmount > OUTPUT_BACKLOG_BYTES_MAX) await drained(socket);
      waiting -= bytes.length;
      tell({ taken: bytes.length });
    });
  };

  socket.on('message', (data: RawData, binary: boolean) => {
    if (socket.readyState !== socket.OPEN) return;
    if (binary) return feed(bytesOf(data));
    const message = parseMessage(bytesOf(data).toString('utf8'));
    if (message === undefined) return fail('expected {"start"}, {"signal"} or {"end"}');
    if ('start' in message) {
      if (program !== undefined || message.start.argv.length === 0) return fail('one program a console, by its name');
      return start(message.start.argv, message.start.cause ?? 0);
    }
    if (program === undefined) return fail('no program was started');
    if ('signal' in message) program.kill(message.signal);
    else if (!atEnd) {
      atEnd = true;
      void input.then(() => program?.end());
    }
  });
  socket.on('close', () => {
    clearTimeout(late);
    if (!ended) program?.kill('SIGHUP');
  });
}

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? Buffer.from(data) : data;
}

/** Resolves when what waits has mostly gone, or the socket has. */
async function drained(socket: WebSocket): Promise<void> {
  while (socket.readyState === socket.OPEN && socket.bufferedAmount > OUTPUT_BACKLOG_BYTES_MAX / 2) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
}

export function unknownProgram(device: Device, name: string): EmuError {
  const proposal = closest(name, device.programs);
  const hint = proposal === undefined ? '' : `; did you mean ${proposal}?`;
  return new EmuError('EMU_NO_PROGRAM', `${name}: command not found${hint}`, { program: name });
}
