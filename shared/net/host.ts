/**
 * One kernel: the parts of a host's stack, made in stack order. A router is the same with forwarding on; a DNS server is
 * a host that runs a server program. Parts find each other here, so that no part makes another.
 */
import type { Clock, Platform, Random } from '../platform.ts';
import { SkBuffs } from './skbuff.ts';
import { Trace } from './trace.ts';

export interface HostOptions {
  readonly name: string;
  /** The device's number in the lab: the high half of its trace identities. */
  readonly index: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly platform: Platform;
}

export class Host {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly platform: Platform;
  readonly trace: Trace;
  readonly skbs: SkBuffs;
  private inodes = 10_000;

  constructor(options: HostOptions) {
    this.name = options.name;
    this.clock = options.clock;
    this.random = options.random;
    this.platform = options.platform;
    this.trace = new Trace({ device: options.name, deviceIndex: options.index, now: () => options.clock.now() });
    this.skbs = new SkBuffs(this.trace);
  }

  /** Sockets are numbered as in /proc/net/tcp's inode column. */
  nextInode(): number {
    return ++this.inodes;
  }
}
