/** The wires of one process, as its control server sees them; made by plug.ts. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Impairment } from '../lab/plan-types.ts';
import type { VerdictLog, Verdicts } from '../wire/verdict.ts';
import type { Wire } from '../wire/wire.ts';

export interface Cables {
  /** By the name of the port. */
  readonly wires: ReadonlyMap<string, Wire>;
  /** Change what this end of the wire does to the frames it sends. */
  impair(port: string, impairment: Impairment): void;
  impairmentOf(port: string): Impairment;
  /** How many frames met which fate at a port; undefined for a port without a wire. */
  countsOf(port: string): Readonly<Verdicts> | undefined;
  /** What was done to which frame at a port; undefined for a port without a wire. */
  verdictsOf(port: string): VerdictLog | undefined;
  /** A connection to /wires/NAME; true when it was taken (or refused with a code of the wire's own). */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, url: URL): boolean;
  /** Connections that were closed because what they sent made no sense. */
  readonly garbage: number;
  /** Connections that a port's wire closed or did not let in, by why. */
  refusedAt(port: string): ReadonlyMap<string, number>;
  close(): void;
}
