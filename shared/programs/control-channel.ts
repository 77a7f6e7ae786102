/**
 * How an administrator's command talks to a running server on the same host: one line over loopback TCP, text back, end.
 * It stands for rndc's signed channel on 127.0.0.1:953 and for systemd's Varlink sockets, which are local files.
 */
import type { Ipv4 } from '../header/address.ts';
import type { Syscalls } from '../net/syscalls.ts';
import { SECOND } from '../platform.ts';
import { connectStream } from './dns-socket.ts';
import { decodeText, encodeText } from './text.ts';

const LINE_OCTETS_MAX = 1_024;
const ANSWER_OCTETS_MAX = 4 * 1_048_576;
const BACKLOG = 10;

/** Answer commands until the process ends. A port that is taken is told by SyscallError. */
export async function serveCommands(
  sys: Syscalls,
  address: Ipv4,
  port: number,
  answer: (line: string) => string,
): Promise<void> {
  const listener = sys.socket('inet', 'stream');
  sys.setsockopt(listener, 'SOL_SOCKET', 'SO_REUSEADDR', 1);
  sys.bind(listener, { address, port });
  sys.listen(listener, BACKLOG);
  for (;;) {
    const { fd } = await sys.accept(listener);
    void answerOne(sys.thread(0), fd, answer);
  }
}

async function answerOne(sys: Syscalls, fd: number, answer: (line: string) => string): Promise<void> {
  try {
    const buffer = new Uint8Array(LINE_OCTETS_MAX);
    let length = 0;
    while (length < buffer.length && !buffer.subarray(0, length).includes(0x0a)) {
      const got = await sys.recv(fd, buffer.subarray(length));
      if (got.length === 0) break;
      length += got.length;
    }
    const bytes = encodeText(answer(decodeText(buffer.subarray(0, length)).trim()));
    for (let at = 0; at < bytes.length; ) at += await sys.send(fd, bytes.subarray(at));
  } catch {
    // Whoever asked has gone: nobody is left to be told.
  } finally {
    sys.close(fd);
  }
}

/** The answer to one command, or undefined when nobody listens there. */
export async function sendCommand(
  sys: Syscalls,
  address: Ipv4,
  port: number,
  line: string,
): Promise<string | undefined> {
  const stream = await connectStream(sys, { address, port }, 5 * SECOND);
  if (typeof stream === 'string') return undefined;
  try {
    await sys.send(stream.fd, encodeText(`${line}\n`));
    const parts: Uint8Array[] = [];
    for (let total = 0; total < ANSWER_OCTETS_MAX; ) {
      const into = new Uint8Array(16_384);
      const got = await sys.recv(stream.fd, into);
      if (got.length === 0) break;
      parts.push(into.subarray(0, got.length));
      total += got.length;
    }
    return parts.map(decodeText).join('');
  } catch {
    return undefined;
  } finally {
    stream.close();
  }
}
