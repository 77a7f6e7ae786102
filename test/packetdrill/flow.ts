/**
 * The connection under test: which tuple it is, and how the script's numbers (from its own initial sequence numbers, and
 * its own timestamps) map to those on the wire.
 */
import type { Ipv4 } from '../../shared/header/address.ts';
import { Mismatch } from './script.ts';

/** Ports of a connection, as the host sees them. */
export interface PortPair {
  readonly local: number;
  readonly remote: number;
}

export class Flow {
  readonly localAddress: Ipv4;
  readonly remoteAddress: Ipv4;
  readonly localPort: number;
  readonly remotePort: number;
  /** The ports that the script calls it by; they need not be those on the wire. */
  scriptPorts: PortPair | undefined = undefined;
  /** Echoes that nothing sent had are reckoned from the first pair (--tcp_ts_ecr_scaled). */
  scaledEchoes = false;
  /** Initial sequence numbers on the wire; undefined until a SYN of that direction was seen. */
  localIsn: number | undefined = undefined;
  remoteIsn: number | undefined = undefined;
  /** The same in the script, where the numbers of SYNs count from 0 and all others from the SYN. */
  localScriptIsn = 0;
  remoteScriptIsn = 0;
  /** Timestamps of ours: the script's to the wire's. */
  private readonly stamps = new Map<number, number>();
  /** The first pair, for scripts that say how long a tick is. */
  firstStamp: { readonly script: number; readonly live: number } | undefined = undefined;

  constructor(ends: { localAddress: Ipv4; localPort: number; remoteAddress: Ipv4; remotePort: number }) {
    this.localAddress = ends.localAddress;
    this.localPort = ends.localPort;
    this.remoteAddress = ends.remoteAddress;
    this.remotePort = ends.remotePort;
  }

  /** Whether a segment that the host sent is of this connection. */
  sends(it: { readonly sourcePort: number; readonly targetPort: number; readonly target: number }): boolean {
    return it.sourcePort === this.localPort && it.targetPort === this.remotePort && it.target === this.remoteAddress;
  }

  learnStamp(script: number, live: number): void {
    this.stamps.set(script, live);
    this.firstStamp ??= { script, live };
  }

  /** What an echo in the script is on the wire; the script may only echo what it has shown before. */
  liveStamp(script: number): number {
    const live = this.stamps.get(script);
    if (live !== undefined) return live;
    if (script === 0) return 0;
    if (this.scaledEchoes && this.firstStamp !== undefined) {
      return (this.firstStamp.live + (script - this.firstStamp.script)) >>> 0;
    }
    throw new Mismatch(`the script echoes timestamp ${script}, which nothing sent had`);
  }

  /** `syn`: the number stands in a SYN or SYN-ACK. */
  toLiveLocal(script: number, syn = false): number {
    return (script + (this.localIsn ?? 0) - (syn ? this.localScriptIsn : 0)) >>> 0;
  }
  toLiveRemote(script: number, syn = false): number {
    return (script + (this.remoteIsn ?? 0) - (syn ? this.remoteScriptIsn : 0)) >>> 0;
  }
  toScriptLocal(live: number, syn = false): number {
    return (live - (this.localIsn ?? 0) + (syn ? this.localScriptIsn : 0)) >>> 0;
  }
  toScriptRemote(live: number, syn = false): number {
    return (live - (this.remoteIsn ?? 0) + (syn ? this.remoteScriptIsn : 0)) >>> 0;
  }
}
