/**
 * The wire between two processes: a WebSocket at GET /wires/NAME (subprotocol wirelab.v1). The first-named end listens,
 * the other dials, for ever; either may die and come back. (shared contract: wire.ts; messages: wire.proto)
 *
 * Interface:
 * - new WebSocketWire({ …, url }) dials; without url it waits for WireServer (wire-server.ts) to hand connections in.
 * - Carrier: up while link pulses (link-pulse.ts) come from a far end whose port is up, and both plugs are in. A change is
 *   told at once.
 * - One message per callback of the event loop (what one read, timer or reply brought about), and at once when a batch is
 *   full. Not per turn: a turn may read some MB of one connection, and ACKs would wait for the end of it.
 */
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Clock, Micros, Random } from '../platform.ts';
import { encodeBatch, MESSAGE_BYTES_MAX, MESSAGE_PIECES_MAX } from './codec.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import { type FrameBatch, giveBatch } from './frame-batch.ts';
import { CLOSE, type Hello, type Link, type Refusal, SUBPROTOCOL, WIRE_VERSION } from './hello.ts';
import { LinkPulse } from './link-pulse.ts';
import { MessageReader } from './message-reader.ts';
import { WIRE_BACKLOG_BYTES_MAX } from './wire.ts';
import { WireEnd } from './wire-end.ts';

const BACKOFF_MS_MIN = 50;
const BACKOFF_MS_MAX = 2_000;
const HANDSHAKE_MS_MAX = 5_000;
/** Connections that have not proven themselves yet; for the next one the oldest goes: ours says hello at once. */
const UNPROVEN_MAX = 32;
/** The queue goes on when this much is left. */
const WIRE_BACKLOG_BYTES_LOW = WIRE_BACKLOG_BYTES_MAX / 2;

/**
 * A key of zeros, which ws knows to be no work, for wires that do not leave this machine. RFC 6455 §5.3 wants keys that
 * nobody can foretell, so that a page in a browser cannot put requests of its choice past a proxy that takes them for
 * HTTP (§10.3); over loopback there is no proxy. It saves the dialling end a copy of every message and a fifth of its time.
 */
const noMask = (): void => {};
const LOOPBACK = /^wss?:\/\/(127\.|localhost[:/]|\[::1\])/;

/** A connection that reads in its own way; what is for a TCP connection to know of what a request is told. */
function connectReader(options: TcpNetConnectOpts): Socket {
  const reader = new MessageReader();
  // A request's `path` would be taken for a socket in the file system.
  const socket = connect({ ...options, path: undefined, onread: reader.onread } as TcpNetConnectOpts);
  reader.attach(socket);
  return socket;
}

export interface WebSocketWireOptions {
  readonly lab: string;
  /** The wire's name in the lab, `alice:eth0--sw:p1`. */
  readonly name: string;
  /** Our end and the far one, `alice:eth0` and `sw:p1`. */
  readonly end: string;
  readonly peer: string;
  readonly token: string;
  /** Where to dial; left out at the end that listens. */
  readonly url?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Rises with each start of this process; milliseconds since 1970 when left out. */
  readonly epoch?: number;
  /** What a person may want to know: refused, replaced, back again. */
  readonly note?: (text: string) => void;
  /** Carrier came or went at our end; whoever is attached has been told. */
  readonly onCarrier?: (up: boolean) => void;
}

export class WebSocketWire extends WireEnd implements ConnectionOwner {
  readonly hello: Hello;
  readonly expected: Omit<Hello, 'epoch'>;
  /** Connections that were closed or not let in, by why. */
  readonly refused: Map<Refusal, number> = new Map();
  private readonly options: WebSocketWireOptions;
  /** The connection in use: the newest that has proven itself. */
  private current: Connection | undefined;
  private readonly unproven = new Set<Connection>();
  private peerLink: Link = { up: false, plugged: false };
  private readonly pulse = new LinkPulse(performance.now());
  private looker: NodeJS.Timeout | undefined;
  private dialing: WebSocket | undefined;
  private redial: NodeJS.Timeout | undefined;
  private backoffMs = BACKOFF_MS_MIN;
  private closed = false;

  constructor(options: WebSocketWireOptions) {
    super(options.name, options.end);
    this.options = options;
    const common = { version: WIRE_VERSION, lab: options.lab, wire: options.name, token: options.token };
    this.hello = { ...common, end: options.end, epoch: options.epoch ?? Date.now() };
    this.expected = { ...common, end: options.peer };
    this.lookLater();
    if (options.url !== undefined) this.dial();
  }

  /** Take a connection that came in for this wire; it has yet to say hello. False when the wire is closed. */
  accept(socket: WebSocket, cable?: Duplex): boolean {
    if (this.closed) return false;
    const [oldest] = this.unproven;
    if (oldest !== undefined && this.unproven.size >= UNPROVEN_MAX) {
      this.unproven.delete(oldest);
      oldest.abandon('crowded');
    }
    this.unproven.add(new Connection(socket, this, cable));
    return true;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.looker);
    clearTimeout(this.redial);
    this.dialing?.terminate();
    for (const connection of this.unproven) connection.close(CLOSE.GOING_AWAY);
    this.current?.close(CLOSE.GOING_AWAY);
    this.refresh();
  }

  // What WireEnd asks of whoever carries the batches.

  get epoch(): number {
    return this.hello.epoch;
  }

  protected now(): Micros {
    return this.options.clock.now();
  }

  protected schedule(): void {
    process.nextTick(this.flushScheduled);
  }

  protected transmit(batch: FrameBatch): void {
    const { current } = this;
    if (current === undefined) return giveBatch(batch);
    const { start, end } = encodeBatch(batch);
    current.sendBatch(batch.bytes.subarray(start, end), () => giveBatch(batch));
    if (current.backlog > WIRE_BACKLOG_BYTES_MAX) this.setReady(false);
  }

  protected announce(): void {
    this.current?.sendLink(this.linkState());
    this.refresh();
  }

  protected override setCarrier(up: boolean): void {
    if (this.carrier === up) return;
    super.setCarrier(up);
    this.options.onCarrier?.(up);
  }

  // What connections report.

  onProven(connection: Connection): void {
    this.unproven.delete(connection);
    const replaced = this.current;
    // A hello of before: an incarnation that was thought dead, or a recording. The one in use is newer.
    if (replaced?.open === true && connection.peerEpoch < replaced.peerEpoch)
      return connection.refuse('old_epoch', CLOSE.END_TAKEN);
    this.current = connection;
    this.peerLink = { up: false, plugged: false };
    this.refresh();
    replaced?.refuse('end_taken', CLOSE.END_TAKEN);
    this.listenTo(connection.peerEpoch);
    this.backoffMs = BACKOFF_MS_MIN;
    this.pulse.heard(performance.now());
    this.setReady(true);
    connection.sendLink(this.linkState());
  }

  onLink(connection: Connection, link: Link): void {
    if (connection !== this.current) return;
    // Frames that went with the connection before this one show here at the latest.
    if (link.next !== undefined && !this.comesNext(link.next)) return connection.refuse('malformed', CLOSE.MALFORMED);
    const due = this.pulse.heard(performance.now());
    this.peerLink = link;
    this.refresh();
    if (!due || connection !== this.current) return;
    connection.sendLink(this.linkState());
    this.lookLater();
  }

  onBatch(connection: Connection, batch: FrameBatch): void {
    if (connection !== this.current) return;
    if (!this.arrives(batch)) connection.refuse('malformed', CLOSE.MALFORMED);
  }

  onRefused(_connection: Connection, why: Refusal): void {
    this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
    if (why !== 'malformed' && why !== 'too_long' && why !== 'flood') return;
    this.counters.malformedMessages++;
    this.note('closed a connection that sent what is no message of a wire');
  }

  onSent(connection: Connection): void {
    if (connection === this.current && !this.ready) this.setReady(connection.backlog <= WIRE_BACKLOG_BYTES_LOW);
  }

  onClosed(connection: Connection, code: number): void {
    this.unproven.delete(connection);
    if (connection === this.current) {
      this.current = undefined;
      this.refresh();
      this.setReady(true);
    }
    if (code >= CLOSE.TOKEN) this.note(`connection closed with code ${code}`);
    if (this.options.url === undefined) return;
    // Refused or replaced: nothing will be better in 50 ms.
    if (code >= CLOSE.TOKEN) this.backoffMs = BACKOFF_MS_MAX;
    if (this.current === undefined) this.dialLater();
  }

  /** Through a cut no light comes: to the far end we are dark. */
  private linkState(): Link {
    return { up: this.portUp && !this.isCut, plugged: this.plugged, next: this.sequence };
  }

  /** Carrier is what plug, connection, pulses and the far port make of it. */
  private refresh(): void {
    const linked = this.current !== undefined && !this.pulse.dark && !this.closed;
    this.setCarrier(linked && this.plugged && this.peerLink.plugged && this.peerLink.up);
  }

  private lookLater(): void {
    clearTimeout(this.looker);
    // Whole milliseconds: for a fraction the event loop wakes twice.
    this.looker = setTimeout(this.look, Math.ceil(this.pulse.next - performance.now()));
  }

  private readonly look = (): void => {
    const { current, pulse } = this;
    if (pulse.look(performance.now())) current?.sendLink(this.linkState());
    this.lookLater();
    // What waits in the socket is read first: there may be a pulse in it.
    if (pulse.dark) setImmediate(this.judge);
  };

  private readonly judge = (): void => {
    this.refresh();
    if (this.pulse.dead) this.current?.close(CLOSE.GOING_AWAY);
  };

  private dial(): void {
    const { url } = this.options;
    if (url === undefined || this.closed) return;
    this.redial = undefined;
    const socket = new WebSocket(url, [SUBPROTOCOL], {
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      maxFragments: MESSAGE_PIECES_MAX,
      handshakeTimeout: HANDSHAKE_MS_MAX,
      followRedirects: false,
      ...(url.startsWith('ws:') ? { createConnection: connectReader as typeof connect } : {}),
      ...(LOOPBACK.test(url) ? { generateMask: noMask } : {}),
    });
    this.dialing = socket;
    let opened = false;
    socket.on('error', () => {});
    socket.on('open', () => {
      opened = true;
      this.dialing = undefined;
      this.unproven.add(new Connection(socket, this));
    });
    socket.on('close', () => {
      if (opened) return;
      this.dialing = undefined;
      this.dialLater();
    });
  }

  /** Dial again after a pause that doubles, with jitter so that a lab's wires do not all knock at once. */
  private dialLater(): void {
    if (this.closed || this.redial !== undefined || this.dialing !== undefined) return;
    const jitter = 0.5 + this.options.random.u32() / 0x1_0000_0000;
    this.redial = setTimeout(() => this.dial(), Math.min(this.backoffMs * jitter, BACKOFF_MS_MAX));
    this.backoffMs = Math.min(this.backoffMs * 2, BACKOFF_MS_MAX);
  }

  private note(text: string): void {
    this.options.note?.(text);
  }
}
