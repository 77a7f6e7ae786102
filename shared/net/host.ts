/**
 * One kernel: the parts of a host's stack, made in stack order. A router is the same with forwarding on; a DNS server is
 * a host that runs a server program. Parts find each other here, so that no part makes another.
 */
import type { Clock, Micros, Platform, Random } from '../platform.ts';
import { Filesystem } from './filesystem.ts';
import { NetlinkHandlers } from './netlink-table.ts';
import { procInit } from './proc-files.ts';
import { Processes } from './process.ts';
import { Procfs } from './procfs.ts';
import { SkBuffs } from './skbuff.ts';
import { SocketSwitch } from './socket.ts';
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
  /** Who answers which netlink question. */
  readonly netlink: NetlinkHandlers = new NetlinkHandlers();
  /** Files of /proc and /sys; each part registers its own. */
  readonly procfs: Procfs = new Procfs();
  readonly filesystem: Filesystem;
  /** Which protocol serves which family and type of socket; protocols register at boot. */
  readonly sockets: SocketSwitch = new SocketSwitch();
  readonly processes: Processes;
  /** Lab time at which this device came up: uptime counts from here. */
  readonly bootedAt: Micros;
  private inodes = 10_000;

  constructor(options: HostOptions) {
    this.name = options.name;
    this.clock = options.clock;
    this.random = options.random;
    this.platform = options.platform;
    this.trace = new Trace({ device: options.name, deviceIndex: options.index, now: () => options.clock.now() });
    this.skbs = new SkBuffs(this.trace);
    this.bootedAt = options.clock.now();
    this.filesystem = new Filesystem(options.platform, this.procfs);
    this.processes = new Processes(this);
    procInit(this);
  }

  /** Sockets are numbered as in /proc/net/tcp's inode column. */
  nextInode(): number {
    return ++this.inodes;
  }
}
