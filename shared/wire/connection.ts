/**
 * One WebSocket connection of a wire, from its opening to its close: Hello both ways within two seconds, then batches
 * and link state. A connection that has not proven itself yet has no say over the wire; the wire (websocket.ts) decides
 * which of the proven ones is in use.
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { decodeBatch, isBatchMessage } from './codec.ts';
import { FrameBatch, giveBatch, settle } from './frame-batch.ts';
import {
  CLOSE,
  decodeSmall,
  encodeHello,
  encodeLink,
  type Hello,
  helloProblem,
  type Link,
  REFUSAL_OF,
  type Refusal,
  SMALL_MESSAGE_BYTES_MAX,
} from './hello.ts';

const HELLO_MS_MAX = 2_000;
/** Before its hello has been read nobody has more to say than hello and link state; ws would keep a message of 1 MiB for each. */
const UNPROVEN_BYTES_MAX = 2 * SMALL_MESSAGE_BYTES_MAX;
/** After a close was sent, how long the far end may take to answer it. */
const CLOSE_MS_MAX = 500;

/** ws's errors that are more than bytes that make no sense. */
const REFUSAL_OF_ERROR: ReadonlyMap<string | undefined, Refusal> = new Map([
  ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'too_long'],
  // More than 2^53.
  ['WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 'too_long'],
  ['WS_ERR_TOO_MANY_BUFFERED_PARTS', 'flood'],
]);

export interface ConnectionOwner {
  /** Our own Hello, and what the far end's must say. */
  readonly hello: Hello;
  readonly expected: Omit<Hello, 'epoch'>;
  /** The far end is who it should be. */
  onProven(connection: Connection): void;
  onLink(connection: Connection, link: Link): void;
  /** Valid until it returns. */
  onBatch(connection: Connection, batch: FrameBatch): void;
  /** It is being closed for something that it did, or did not do; called once. */
  onRefused(connection: Connection, why: Refusal): void;
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

  /** Over a socket that is open; `cable`: what carries it, when whoever came may be anybody. */
  constructor(socket: WebSocket, owner: ConnectionOwner, cable?: Duplex) {
    this.socket = socket;
    this.owner = owner;
    socket.on('message', (data, isBinary) => this.onMessage(data, isBinary));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.refuse(REFUSAL_OF_ERROR.get(error.code) ?? 'malformed', CLOSE.MALFORMED),
    );
    // ws ends whoever asks for many pongs and reads none; it is for us to count.
    socket.on('ping', () => {
      if (socket.readyState !== socket.OPEN) this.abandon('flood');
    });
    socket.on('close', (code) => this.onClose(code));
    this.helloTimer = setTimeout(() => this.refuse('no_hello', CLOSE.NO_HELLO), HELLO_MS_MAX);
    if (cable !== undefined) this.boundUnproven(cable);
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

  /** Close it for a reason that is counted. */
  refuse(why: Refusal, code: number): void {
    if (this.closed || this.closeTimer !== undefined) return;
    this.owner.onRefused(this, why);
    this.close(code);
  }

  /** End it without a word: who floods would not read it. */
  abandon(why: Refusal): void {
    if (this.closed || this.socket.readyState === this.socket.CLOSED) return;
    if (this.closeTimer === undefined) {
      this.owner.onRefused(this, why);
      // What is still in the octets that came with it counts no more; the timer is cleared when the socket is closed.
      this.close(CLOSE.MALFORMED);
    }
    this.socket.terminate();
  }

  private boundUnproven(cable: Duplex): void {
    let octets = 0;
    const count = (chunk: Uint8Array): void => {
      octets += chunk.length;
      if (!this.proven && !this.closed && octets <= UNPROVEN_BYTES_MAX) return;
      cable.off('data', count);
      if (this.proven || this.closed) return;
      this.refuse('too_long', CLOSE.TOO_LONG);
      // What it still says is not even kept until it has gone.
      this.socket.pause();
    };
    cable.on('data', count);
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
    if (!this.proven) return this.refuse('no_hello', CLOSE.NO_HELLO);
    this.owner.onLink(this, message.link);
  }

  private onBatchMessage(data: Uint8Array): void {
    if (!this.proven) return this.refuse('no_hello', CLOSE.NO_HELLO);
    if (decodeBatch(data, this.incoming) !== undefined) return this.garbage();
    const batch = settle(this.incoming);
    this.owner.onBatch(this, batch);
    if (batch.loose) giveBatch(batch);
  }

  private onHello(hello: Hello): void {
    if (this.proven) return this.garbage();
    const problem = helloProblem(hello, this.owner.expected);
    if (problem !== undefined) return this.refuse(REFUSAL_OF.get(problem) ?? 'wrong_wire', problem);
    clearTimeout(this.helloTimer);
    this.proven = true;
    this.peerEpoch = hello.epoch;
    this.owner.onProven(this);
  }

  /** Whoever sends what makes no sense is not listened to any longer. */
  private garbage(): void {
    this.refuse('malformed', CLOSE.MALFORMED);
  }

  private onClose(code: number): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.helloTimer);
    clearTimeout(this.closeTimer);
    this.owner.onClosed(this, this.code === 0 ? code : this.code);
  }
}
