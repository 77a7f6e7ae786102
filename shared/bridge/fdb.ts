/**
 * The forwarding database: which port a MAC address was last seen on. An entry is MAC and port; it ages out when the
 * address has been silent for 300 seconds, and moves when it is seen on another port. (Linux: net/bridge/br_fdb.c)
 */
import { isMulticastMac, MAC_ZERO, type Mac } from '../header/address.ts';
import { type Micros, SECOND } from '../platform.ts';

/** IEEE 802.1Q table 8-6; Linux: br->ageing_time. */
export const FDB_AGE_MICROS: Micros = 300 * SECOND;
/** A switch that learns for ever is a memory leak with ports. */
export const FDB_ENTRIES_MAX = 8_192;

export interface FdbEntry<Port> {
  readonly mac: Mac;
  port: Port;
  seen: Micros;
  /** Ours: neither ages nor moves. */
  readonly permanent: boolean;
  /** Out of the database; whoever kept a reference must look again. */
  gone: boolean;
}

export type Learned = 'known' | 'new' | 'moved' | 'refused';

export class Fdb<Port> {
  /** Addresses that were not learned because the database was full. */
  overflows = 0;
  private readonly entries = new Map<Mac, FdbEntry<Port>>();

  get size(): number {
    return this.entries.size;
  }

  /** A frame from `mac` came in by `port` (br_fdb_update). */
  learn(mac: Mac, port: Port, now: Micros): Learned {
    const entry = this.entries.get(mac);
    if (entry !== undefined) {
      if (entry.permanent) return 'refused';
      const moved = entry.port !== port;
      const aged = now - entry.seen >= FDB_AGE_MICROS;
      entry.port = port;
      entry.seen = now;
      return moved ? 'moved' : aged ? 'new' : 'known';
    }
    // Nobody sends from a group address; who claims to is not believed.
    if (isMulticastMac(mac) || mac === MAC_ZERO) return 'refused';
    if (this.entries.size >= FDB_ENTRIES_MAX) this.expire(now);
    if (this.entries.size >= FDB_ENTRIES_MAX) {
      this.overflows++;
      return 'refused';
    }
    this.entries.set(mac, { mac, port, seen: now, permanent: false, gone: false });
    return 'new';
  }

  /** An address of this device itself. */
  addPermanent(mac: Mac, port: Port): void {
    this.entries.set(mac, { mac, port, seen: 0, permanent: true, gone: false });
  }

  /** Where to send a frame for `mac`; undefined when it is unknown or has been silent too long (br_fdb_find_rcu). */
  find(mac: Mac, now: Micros): FdbEntry<Port> | undefined {
    const entry = this.entries.get(mac);
    if (entry === undefined || entry.permanent || now - entry.seen < FDB_AGE_MICROS) return entry;
    this.remove(entry);
    return undefined;
  }

  /** Forget what was learned, on one port or on all; how many (br_fdb_delete_by_port). */
  flush(port?: Port): number {
    let count = 0;
    for (const entry of [...this.entries.values()]) {
      if (entry.permanent || (port !== undefined && entry.port !== port)) continue;
      this.remove(entry);
      count++;
    }
    return count;
  }

  /** What is in force, in the order in which it was learned. */
  list(now: Micros): readonly FdbEntry<Port>[] {
    this.expire(now);
    return [...this.entries.values()];
  }

  private expire(now: Micros): void {
    for (const entry of [...this.entries.values()]) {
      if (!entry.permanent && now - entry.seen >= FDB_AGE_MICROS) this.remove(entry);
    }
  }

  private remove(entry: FdbEntry<Port>): void {
    entry.gone = true;
    this.entries.delete(entry.mac);
  }
}
