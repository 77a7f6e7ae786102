/**
 * One WebSocket connection of a wire, from its opening to its close: Hello both ways within two seconds, then batches
 * and link state. A connection that has not proven itself yet has no say over the wire; the wire (websocket.ts) decides
 * which of the proven ones is in use.
 */
import type { WebSocket } from 'ws';
import { decodeBatch, isBatchMessage } from './codec.ts';
import { FrameBatch } from './frame-batch.ts';
import { CLOSE, decodeSmall, encodeHello, encodeLink, type Hello, helloProblem, type Link } from './hello.ts';

const HELLO_MS_MAX = 2_000;
/** After a close was sent, how long the far end may take to answer it. */
const CLOSE_MS_MAX = 500;

export interface ConnectionOwner {
  /** Our own Hello, and what the far end's must say. */
  readonly hello: Hello;
  readonly expected: Omit<Hello, 'epoch'>;
  /** The far end is who it should be. */
  onProven(connection: Connection): void;
  onLink(connection: Connection, link: Link): void;
  /** Valid until it returns. */
  onBatch(connection: Connection, batch: FrameBatch): void;
  /** Bytes that were not what they should be; the connection is being closed. */
  onGarbage(connection: Connection): void;
  onSent(connection: Connection): void;
  /** It is over; called once. `code` is the far end's or ours. */
  onClosed(connection: Connection, code: number): void;
}

export class Connection {
  /** The far end's epoch, once it has proven itself. */
  peerEpoch = 0;
  proven = false;
  private readonly socket: WebSocket;
  private readonly owner: ConnectionOwner;
  private readonly incoming = new FrameBatch(new Uint8Array(0));
  private readonly helloTimer: NodeJS.Timeout;
  private closeTimer: NodeJS.Timeout | undefined;
  private closed = false;
  private code = 0;

  /** Over a socket that is open. */
  constructor(socket: WebSocket, owner: ConnectionOwner) {
    this.socket = socket;
    this.owner = owner;
    socket.on('message', (data, isBinary) => this.onMessage(data, isBinary));
    socket.on('error', () => this.garbage());
    socket.on('close', (code) => this.onClose(code));
    this.helloTimer = setTimeout(() => this.close(CLOSE.NO_HELLO), HELLO_MS_MAX);
    this.sendSmall(encodeHello(owner.hello));
  }

  /** Octets that wait in this process to be sent. */
  get backlog(): number {
    return this.socket.bufferedAmount;
  }

  get open(): boolean {
    return !this.closed && this.socket.readyState === this.socket.OPEN;
  }

  /** Send a batch's message; `done` is called when its bytes are no longer needed, sent or not. */
  sendBatch(message: Uint8Array, done: () => void): void {
    if (!this.open) return done();
    this.socket.send(message, { binary: true, compress: false }, () => {
      done();
      this.owner.onSent(this);
    });
  }

  sendLink(link: Link): void {
    this.sendSmall(encodeLink(link));
  }

  /** End it with a code. From here on nothing that comes in counts. */
  close(code: number): void {
    if (this.closed || this.closeTimer !== undefined) return;
    this.code = code;
    clearTimeout(this.helloTimer);
    this.closeTimer = setTimeout(() => this.socket.terminate(), CLOSE_MS_MAX);
    this.socket.close(code);
  }

  private sendSmall(message: Uint8Array): void {
    if (this.open) this.socket.send(message, { binary: true, compress: false });
  }

  private onMessage(data: unknown, isBinary: boolean): void {
    if (this.closeTimer !== undefined || this.closed) return;
    if (!isBinary || !(data instanceof Uint8Array)) return this.garbage();
    if (isBatchMessage(data)) return this.onBatchMessage(data);
    const message = decodeSmall(data);
    if (message === undefined) return this.garbage();
    if ('hello' in message) return this.onHello(message.hello);
    if (!this.proven) return this.close(CLOSE.NO_HELLO);
    this.owner.onLink(this, message.link);
  }

  private onBatchMessage(data: Uint8Array): void {
    if (!this.proven) return this.close(CLOSE.NO_HELLO);
    if (decodeBatch(data, this.incoming) !== undefined) return this.garbage();
    this.owner.onBatch(this, this.incoming);
  }

  private onHello(hello: Hello): void {
    if (this.proven) return this.garbage();
    const problem = helloProblem(hello, this.owner.expected);
    if (problem !== undefined) return this.close(problem);
    clearTimeout(this.helloTimer);
    this.proven = true;
    this.peerEpoch = hello.epoch;
    this.owner.onProven(this);
  }

  /** Whoever sends what makes no sense is not listened to any longer. */
  private garbage(): void {
    if (this.closed || this.closeTimer !== undefined) return;
    this.owner.onGarbage(this);
    this.close(CLOSE.MALFORMED);
  }

  private onClose(code: number): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.helloTimer);
    clearTimeout(this.closeTimer);
    this.owner.onClosed(this, this.code === 0 ? code : this.code);
  }
}
