/** A WebSocket client by hand, octet by octet: what a hostile peer writes that no library would. */
import { connect, type Socket } from 'node:net';

/** RFC 6455 §5.2. */
export const OPCODE = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;
const FIN = 0x80;
const MASK = 0x80;

export interface RawFrame {
  readonly opcode: number;
  readonly payload?: Uint8Array;
  readonly fin?: boolean;
  /** RSV1 to RSV3 as bits 6 to 4. */
  readonly reserved?: number;
  readonly masked?: boolean;
  /** What the header says, whatever follows. */
  readonly length?: number;
}

/** One frame as it goes over the wire; the mask is zero, which is a mask like any other. */
export function rawFrame({ opcode, payload = new Uint8Array(0), fin = true, reserved = 0, ...rest }: RawFrame): Buffer {
  const { masked = true, length = payload.length } = rest;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (fin ? FIN : 0) | reserved | opcode;
  head[1] = (masked ? MASK : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}

export interface RawPeer {
  readonly socket: Socket;
  /** The status line and headers of the answer to the upgrade. */
  readonly answer: string;
  /** The code of the close frame that came, or 0 when the connection ended without one. */
  readonly closed: Promise<number>;
  /** Octets that came after the answer. */
  received(): number;
}

export interface RawUpgrade {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocol?: string | undefined;
}

/** Upgrade a connection; resolves when the answer's headers are there. */
export function rawUpgrade({ port, path, headers = {}, protocol = 'wirelab.v1' }: RawUpgrade): Promise<RawPeer> {
  const socket = connect(port, '127.0.0.1');
  const lines = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': protocol,
    ...headers,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${path} HTTP/1.1\r\n${text.join('')}\r\n`);
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    let answered = false;
    let total = 0;
    let code = 0;
    let settle: (code: number) => void = () => {};
    const closed = new Promise<number>((done) => {
      settle = done;
    });
    socket.on('error', () => {});
    socket.on('data', (data) => {
      bytes = Buffer.concat([bytes, data]);
      if (!answered) {
        const end = bytes.indexOf('\r\n\r\n');
        if (end < 0) return;
        answered = true;
        const answer = bytes.subarray(0, end).toString('latin1');
        bytes = bytes.subarray(end + 4);
        resolve({ socket, answer, closed, received: () => total });
      }
      for (let size = frameSize(bytes); size !== undefined; size = frameSize(bytes)) {
        total += size;
        if (bytes[0] === (FIN | OPCODE.CLOSE)) {
          code = size < 4 ? 1005 : bytes.readUInt16BE(2);
          socket.end();
        }
        bytes = bytes.subarray(size);
      }
    });
    socket.on('close', () => {
      settle(code);
      reject(new Error('closed before it was answered'));
    });
  });
}

/** Octets of the server's frame that `bytes` begins with; undefined when it is not whole. */
function frameSize(bytes: Buffer): number | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes[1]! & 127;
  const head = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < head) return undefined;
  const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  return head + length <= bytes.length ? head + length : undefined;
}
