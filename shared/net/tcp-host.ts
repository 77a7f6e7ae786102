/**
 * TCP of one host: who is connected (the established table, with request and time-wait socks in it), who listens, who
 * has which port, and what all connections share (Linux: tcp_hashinfo, inet_hashtables.c).
 *
 * Interface:
 * - lookup(source, sourcePort, target, targetPort): the connection of a segment, else undefined (__inet_lookup_established).
 * - listener(address, port, ifindex, from): the best listening sock, one of several by who asks (__inet_lookup_listener).
 * - hash/unhash, bind/unbind keep the tables; every entry leaves by the same door.
 * - wake(sk): the program hears of it once the work under way is done, so that it never runs inside of it.
 */
import type { Ipv4 } from '../header/address.ts';
import { TcpOptions } from '../header/tcp-options.ts';
import type { Timer } from '../platform.ts';
import type { Host } from './host.ts';
import type { SkBuff } from './skbuff.ts';
import { WAKE_ANY } from './sock.ts';
import { AckState } from './tcp-ack-state.ts';
import { CONGESTION_CONTROLS, type CongestionOps } from './tcp-congestion.ts';
import { type FastopenKeys, fastopenKeySysctl } from './tcp-fastopen-cookie.ts';
import { FastopenBlackhole } from './tcp-fastopen-state.ts';
import type { RequestSock } from './tcp-listen.ts';
import { TcpMemory } from './tcp-memory.ts';
import { TcpMetricsTable } from './tcp-metrics.ts';
import type { TimeWaitSock } from './tcp-minisocks.ts';
import { type Segment, SegmentPool } from './tcp-segment.ts';
import type { TcpSock } from './tcp-sock.ts';
import { type TcpSysctl, tcpSysctlInit } from './tcp-sysctl.ts';

/** Chains of the connection table; it doubles while it is fuller than its chains are many. */
const TABLE_CHAINS_MIN = 256;
const TABLE_CHAINS_MAX = 65_536;

export type TcpEntry = TcpSock | TimeWaitSock | RequestSock;

/** Who holds a local port (inet_bind_bucket). */
export class BindBucket {
  readonly port: number;
  readonly owners = new Set<TcpSock | TimeWaitSock>();
  /** connect() chose it: other connections may share it, towards others. */
  readonly connectOnly: boolean;

  constructor(port: number, connectOnly: boolean) {
    this.port = port;
    this.connectOnly = connectOnly;
  }
}

export class Tcp {
  readonly host: Host;
  readonly sysctl: TcpSysctl;
  readonly memory: TcpMemory;
  /** Every full sock that is not destroyed, for listings and teardown. */
  readonly socks = new Set<TcpSock>();
  readonly timeWaits = new Set<TimeWaitSock>();
  readonly requests = new Set<RequestSock>();
  readonly listeners = new Map<number, TcpSock[]>();
  readonly binds = new Map<number, BindBucket>();
  readonly segments = new SegmentPool();
  /** What the ACK under way has shown so far. */
  readonly ackState = new AckState();
  /** Options of the segment being received, and of the one being sent: never live across a call into IP. */
  readonly received = new TcpOptions();
  readonly sending = new TcpOptions();
  orphans = 0;
  /** Somebody has set a key (tcp_md5_needed). */
  md5Needed = false;
  readonly metrics = new TcpMetricsTable();
  readonly fastopenKeys: FastopenKeys;
  readonly fastopenBlackhole = new FastopenBlackhole();
  /** Keys of initial sequence numbers, timestamp offsets and ports. */
  readonly isnKey: readonly [number, number];
  readonly tsKey: readonly [number, number];
  readonly portKey: readonly [number, number];
  readonly cookieKey: readonly [number, number];
  /** Perturbs the choice of ephemeral ports (table_perturb), by a hash of the destination. */
  readonly portPerturb = new Uint32Array(256);
  /** Socks throttled by their own packets still below (TSQ), to be looked at in the tasklet. */
  readonly tsqQueue: TcpSock[] = [];
  tsqScheduled = false;
  /** Parameter of the module tcp_cubic: 1 finds the end of slow start by ACK trains, 2 by delay. */
  hystartDetect = 3;
  readonly tsqTimer: Timer;
  private chains: (TcpEntry | undefined)[] = new Array<TcpEntry | undefined>(TABLE_CHAINS_MIN).fill(undefined);
  private entries = 0;
  private readonly toWake: TcpSock[] = [];
  private depth = 0;
  private readonly makeSock: (tcp: Tcp) => TcpSock;

  constructor(host: Host, parts: { tsqTasklet: (tcp: Tcp) => void; newSock: (tcp: Tcp) => TcpSock }) {
    this.host = host;
    this.tsqTimer = host.softTimer('tcp_tasklet_func', () => parts.tsqTasklet(this), 'TASKLET');
    this.makeSock = parts.newSock;
    this.sysctl = tcpSysctlInit(host, () => {
      this.fastopenBlackhole.times = 0;
    });
    this.fastopenKeys = fastopenKeySysctl(host.sysctl);
    this.memory = new TcpMemory(host);
    const random = host.random.fork('tcp');
    const key = (): readonly [number, number] => [random.u32(), random.u32()];
    this.isnKey = key();
    this.tsKey = key();
    this.portKey = key();
    this.cookieKey = key();
    for (let i = 0; i < this.portPerturb.length; i++) this.portPerturb[i] = random.u32();
  }

  /** A sock in CLOSE. */
  newSock(): TcpSock {
    return this.makeSock(this);
  }

  defaultCongestion(): CongestionOps {
    return CONGESTION_CONTROLS.get(this.sysctl.congestionControl.value)!;
  }

  // Entry and exit of the kernel: programs are woken at the outermost exit.

  enter(): void {
    this.depth++;
  }

  leave(): void {
    if (--this.depth > 0) return;
    while (this.toWake.length > 0) {
      const sk = this.toWake.shift()!;
      const key = sk.wakeKey;
      sk.wakeKey = 0;
      if (this.host.trace.on && sk.wait.size > 0) {
        const fields = { protocol: 'TCP', port: sk.localPort, pid: sk.pid, program: sk.processName };
        const newest = sk.receiveQueue.at(-1);
        if (newest === undefined) this.host.trace.mark('sock_def_readable', sk.cause, fields);
        else this.host.trace.point('sock_def_readable', newest, fields);
      }
      sk.wake(key);
    }
  }

  /** `key`: POLL bits, when the wake-up is about them alone. */
  wake(sk: TcpSock, key: number = WAKE_ANY): void {
    const pending = sk.wakeKey !== 0;
    sk.wakeKey |= key;
    if (pending) return;
    this.toWake.push(sk);
    if (this.depth === 0) {
      this.depth = 1;
      this.leave();
    }
  }

  // The connection table.

  lookup(localAddress: Ipv4, localPort: number, remoteAddress: Ipv4, remotePort: number): TcpEntry | undefined {
    let entry = this.chains[hashOf(localAddress, localPort, remoteAddress, remotePort) & (this.chains.length - 1)];
    while (entry !== undefined) {
      if (
        entry.remotePort === remotePort &&
        entry.localPort === localPort &&
        entry.remoteAddress === remoteAddress &&
        entry.localAddress === localAddress
      ) {
        return entry;
      }
      entry = entry.hashNext;
    }
    return undefined;
  }

  insert(entry: TcpEntry): void {
    if (entry.hashed) return;
    if (this.entries >= this.chains.length && this.chains.length < TABLE_CHAINS_MAX) this.grow();
    entry.hash = hashOf(entry.localAddress, entry.localPort, entry.remoteAddress, entry.remotePort);
    const at = entry.hash & (this.chains.length - 1);
    entry.hashNext = this.chains[at] as undefined;
    this.chains[at] = entry;
    entry.hashed = true;
    this.entries++;
  }

  remove(entry: TcpEntry): void {
    if (!entry.hashed) return;
    const at = entry.hash & (this.chains.length - 1);
    let before: TcpEntry | undefined;
    for (let here = this.chains[at]; here !== undefined; here = here.hashNext) {
      if (here === entry) {
        if (before === undefined) this.chains[at] = entry.hashNext;
        else before.hashNext = entry.hashNext as undefined;
        break;
      }
      before = here;
    }
    entry.hashNext = undefined;
    entry.hashed = false;
    this.entries--;
  }

  private grow(): void {
    const old = this.chains;
    this.chains = new Array<TcpEntry | undefined>(old.length * 2).fill(undefined);
    for (let entry of old) {
      while (entry !== undefined) {
        const next: TcpEntry | undefined = entry.hashNext;
        const at = entry.hash & (this.chains.length - 1);
        entry.hashNext = this.chains[at] as undefined;
        this.chains[at] = entry;
        entry = next;
      }
    }
  }

  // Listeners: bound to the address before bound to any; a device counts on top.

  listener(address: Ipv4, port: number, ifindex: number, from?: { address: Ipv4; port: number }): TcpSock | undefined {
    const group = this.listeners.get(port);
    if (group === undefined) return undefined;
    let best: TcpSock | undefined;
    let bestScore = 0;
    let count = 0;
    for (const sk of group) {
      const score = listenerScore(sk, address, ifindex);
      if (score > bestScore) {
        best = sk;
        bestScore = score;
        count = 1;
      } else if (score > 0 && score === bestScore && sk.reusePort && best?.reusePort === true) count++;
    }
    if (count < 2 || from === undefined) return best;
    // SO_REUSEPORT: a flow always meets the same of them (reuseport_select_sock).
    let skip = Math.floor((hashOf(address, port, from.address, from.port) * count) / 2 ** 32);
    return group.find((sk) => sk.reusePort && listenerScore(sk, address, ifindex) === bestScore && skip-- === 0);
  }

  addListener(sk: TcpSock): void {
    const group = this.listeners.get(sk.localPort);
    if (group === undefined) this.listeners.set(sk.localPort, [sk]);
    else group.push(sk);
  }

  removeListener(sk: TcpSock): void {
    const group = this.listeners.get(sk.localPort);
    if (group === undefined) return;
    const at = group.indexOf(sk);
    if (at >= 0) group.splice(at, 1);
    if (group.length === 0) this.listeners.delete(sk.localPort);
  }

  // Local ports.

  bindTo(owner: TcpSock | TimeWaitSock, port: number, connecting = false): void {
    let bucket = this.binds.get(port);
    if (bucket === undefined) {
      bucket = new BindBucket(port, connecting);
      this.binds.set(port, bucket);
    }
    bucket.owners.add(owner);
    owner.bucket = bucket;
  }

  unbind(owner: TcpSock | TimeWaitSock): void {
    const { bucket } = owner;
    if (bucket === undefined) return;
    bucket.owners.delete(owner);
    owner.bucket = undefined;
    if (bucket.owners.size === 0) this.binds.delete(bucket.port);
  }

  // Packets that TCP holds.

  /** Notes for a packet that TCP takes over. */
  hold(skb: SkBuff): Segment {
    return this.segments.attach(skb);
  }

  /** A held packet ends well: its notes go back, then the sk_buff. */
  free(skb: SkBuff): void {
    if (skb.control !== undefined) this.segments.release(skb.control as Segment);
    this.host.skbs.consume(skb);
  }

  /** A held packet is dropped. */
  drop(skb: SkBuff, reason: import('./drop.ts').DropReason, place?: string): void {
    if (skb.control !== undefined) this.segments.release(skb.control as Segment);
    this.host.skbs.drop(skb, reason, place);
  }
}

/** 0: not for it (compute_score). */
function listenerScore(sk: TcpSock, address: Ipv4, ifindex: number): number {
  if (sk.localAddress !== 0 && sk.localAddress !== address) return 0;
  if (sk.boundIfindex !== 0 && sk.boundIfindex !== ifindex) return 0;
  return 1 + (sk.localAddress !== 0 ? 2 : 0) + (sk.boundIfindex !== 0 ? 4 : 0);
}

function hashOf(localAddress: number, localPort: number, remoteAddress: number, remotePort: number): number {
  let h = Math.imul(remoteAddress ^ Math.imul(localAddress, 0x9e37_79b1), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 15) ^ ((remotePort << 16) | localPort), 0xc2b2_ae35);
  return (h ^ (h >>> 13)) >>> 0;
}

const tcps = new WeakMap<Host, Tcp>();

/** The TCP of a host, made by tcpInit. */
export function tcpOf(host: Host): Tcp {
  const tcp = tcps.get(host);
  if (tcp === undefined) throw new Error('tcpInit comes before the first TCP socket');
  return tcp;
}

export function setTcpOf(host: Host, tcp: Tcp): void {
  tcps.set(host, tcp);
}
