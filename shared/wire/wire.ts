/**
 * One end of a wire, as a NIC or a bridge port sees it. What lies behind is a WebSocket to another process, the other
 * end in the same process, or another wire that this one impairs; wires nest.
 *
 * Interface:
 * - Sending: batch = reserve(size); at = batch.append(size, …); write the frame at `at`; then kick() once per burst.
 *   The wire sends a batch when it is full, and what is left at the end of the event-loop turn (or instant of lab time).
 * - `ready` is false while too much waits in the far end's direction: stop the queue, and go on at onReady.
 * - Frames are sent only while carrier is up; what is appended without carrier is counted and lost, as on a cable.
 * - Receiving: onBatch, in order; the batch is valid until it returns.
 */
import type { FrameBatch } from './frame-batch.ts';

/** Bytes that may wait in a socket before the TX queue is stopped (as netif_stop_queue). */
export const WIRE_BACKLOG_BYTES_MAX = 1_000_000;

export interface WireListener {
  onBatch(batch: FrameBatch): void;
  /** This end's carrier went up or down. */
  onCarrier(up: boolean): void;
  /** The wire takes frames again. */
  onReady(): void;
}

/** Frames and octets per direction at this end; the ledger: every frame is somewhere in here. */
export interface WireCounters {
  sentFrames: number;
  sentBytes: number;
  receivedFrames: number;
  receivedBytes: number;
  /** Frames that the far end numbered and that never came: they went with a connection, or with their sender. */
  lostWithPeer: number;
  /** Frames that were under way to us when the plug came out. */
  lostByUnplug: number;
  /** Appended while there was no carrier. */
  lostWithoutCarrier: number;
  /** Sent into the direction that is cut. */
  lostByCut: number;
  /** Messages that were not what they should be; each closed the connection. */
  malformedMessages: number;
  /** How often carrier went (Linux: carrier_down_count). */
  carrierDown: number;
}

/**
 * Where an end stands in the numbers of both directions. An epoch is one life of an end: a process that is started anew
 * numbers its frames from 0, and has no memory of what came before.
 */
export interface WireNumbers {
  readonly epoch: number;
  /** The next frame that leaves here has this number: so many were sent. */
  readonly next: number;
  /** Which life of the far end we listen to; null before it was heard. */
  readonly peerEpoch: number | null;
  /** The number at which we began to listen to that life; what it sent before went to an earlier life of ours. */
  readonly listenedFrom: number;
  /** The number that its next frame should have. */
  readonly expected: number;
  /** Frames of that life that came, and that were lost; together expected - listenedFrom. */
  readonly received: number;
  readonly lost: number;
  /** Of those lost, the ones that were under way when the plug came out. */
  readonly lostByUnplug: number;
}

export interface Wire {
  /** The wire's name in the lab, `alice:eth0--sw:p1`. */
  readonly name: string;
  /** Whose end this is, `alice:eth0`. */
  readonly end: string;
  readonly carrier: boolean;
  readonly ready: boolean;
  readonly counters: Readonly<WireCounters>;
  attach(listener: WireListener): void;
  /** The batch being filled, with room for a frame of `size` octets as on the cable. */
  reserve(size: number): FrameBatch;
  /** Send a received batch as it is: true, and it is the wire's from now on. False: its frames must be copied. */
  passOn(batch: FrameBatch): boolean;
  /** A burst has been written: send it by the end of this turn. */
  kick(): void;
  /** Our port is up or down (ip link set up/down): the far end's carrier follows. */
  setPortUp(up: boolean): void;
  /** Pull the plug or put it back: carrier goes at both ends. Link pulses stop counting until plug(). */
  unplug(): void;
  plug(): void;
  readonly plugged: boolean;
  /** Cut the direction that leaves here, or mend it: the far end goes deaf and loses its carrier, ours stays. */
  setCut(cut: boolean): void;
  readonly isCut: boolean;
  /** Frames that this end was given to send, whatever became of them. */
  readonly taken: number;
  /** Frames that wait at this end to be sent. */
  readonly waiting: number;
  readonly numbers: WireNumbers;
  close(): void;
}
