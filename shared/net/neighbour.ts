/**
 * Neighbours: which MAC has an address on a link, and how sure we are of it (Linux: net/core/neighbour.c, the NUD
 * states of RFC 4861 §7.3.2 on top of RFC 826's ARP). Packets for an address that is being asked for wait here.
 * Its knobs are in neighbour-parms.ts, proxies in arp-proxy.ts. Left out: netlink-managed entries, extern_learn.
 */
import {
  formatIpv4,
  formatMac,
  IPV4_BROADCAST,
  type Ipv4,
  isMulticastIpv4,
  MAC_BROADCAST,
  MAC_ZERO,
  type Mac,
  writeMac,
} from '../header/address.ts';
import { ETHERNET } from '../header/ethernet.ts';
import { type Micros, SECOND, type Timer } from '../platform.ts';
import { arpNotify, arpSolicit } from './arp.ts';
import { ArpProxies } from './arp-proxy.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import { icmpLinkFailure } from './icmp.ts';
import { NeighbourParms, type NeighbourThresholds, registerThresholds } from './neighbour-parms.ts';
import { devQueueXmit, type NetDevice } from './netdev.ts';
import type { NudState } from './netlink.ts';
import { KERN } from './printk.ts';
import type { NetXmit } from './qdisc.ts';
import type { SkBuff } from './skbuff.ts';

/** Linux: HZ/100, the least that a neighbour's timer waits before it looks again. */
const TIMER_MIN = SECOND / 100;
/** Linux: between gc_thresh2 and gc_thresh3 a forced collection runs at most every 5 s. */
const GC_FORCED_INTERVAL = 5 * SECOND;
/** Linux: skb_shared_info and sk_buff, about: what a small packet is charged beyond its octets. */
const SKB_OVERHEAD_BYTES = 768;

/** States in which the MAC is used without doubt, and those in which it is used at all. */
const CONNECTED: ReadonlySet<NudState> = new Set(['PERMANENT', 'NOARP', 'REACHABLE']);
const VALID: ReadonlySet<NudState> = new Set(['PERMANENT', 'NOARP', 'REACHABLE', 'PROBE', 'STALE', 'DELAY']);
const IN_TIMER: ReadonlySet<NudState> = new Set(['INCOMPLETE', 'REACHABLE', 'DELAY', 'PROBE']);

export class Neighbour {
  readonly address: Ipv4;
  readonly dev: NetDevice;
  readonly parms: NeighbourParms;
  state: NudState = 'NONE';
  mac: Mac = MAC_ZERO;
  probes = 0;
  used: Micros;
  confirmed: Micros;
  updated: Micros;
  /** Removed from the table: cached references look it up again. */
  dead = false;
  /** The link header is ready-made: sending to a REACHABLE neighbour no longer counts as use (hh_cache). */
  headerReady = false;
  readonly timer: Timer;
  /** Packets that wait for the answer, in their order, and what they weigh. */
  queue: SkBuff[] = [];
  queueBytes = 0;

  constructor(dev: NetDevice, parms: NeighbourParms, address: Ipv4, now: Micros, timer: (self: Neighbour) => Timer) {
    this.dev = dev;
    this.parms = parms;
    this.address = address;
    this.used = this.confirmed = this.updated = now;
    this.timer = timer(this);
  }

  get valid(): boolean {
    return VALID.has(this.state);
  }
}

/** /proc/net/stat/arp_cache (struct neigh_statistics). */
class NeighbourStatistics {
  allocs = 0;
  destroys = 0;
  lookups = 0;
  hits = 0;
  resolveFailed = 0;
  periodicGcRuns = 0;
  forcedGcRuns = 0;
  unresolvedDiscards = 0;
  tableFulls = 0;
}

export class Neighbours {
  readonly thresholds: NeighbourThresholds;
  /** net.ipv4.neigh.default. */
  readonly fallback: NeighbourParms;
  readonly proxies: ArpProxies;
  readonly statistics = new NeighbourStatistics();
  entries = 0;
  private readonly host: Host;
  /** By ifindex, then by address as a signed number: small integers are the fastest keys. */
  private readonly tables: (Map<number, Neighbour> | undefined)[] = [];
  private readonly parms: (NeighbourParms | undefined)[] = [];
  private lastForced: Micros = Number.NEGATIVE_INFINITY;
  private readonly collector: Timer;

  constructor(host: Host) {
    this.host = host;
    this.thresholds = registerThresholds(host);
    this.fallback = new NeighbourParms(host, 'default', undefined, () => this.followDefault());
    this.proxies = new ArpProxies(host);
    this.collector = host.softTimer('neigh_periodic_work', () => this.periodicWork());
    host.devices.watch((event, dev) => {
      if (event === 'register') this.parms[dev.ifindex] = new NeighbourParms(host, dev.name, this.fallback);
      else if (event === 'down') this.flushDevice(dev, true);
      else if (event === 'unregister') this.forgetDevice(dev);
      else if (event === 'change' && !dev.carrier && host.inet.both(dev.ifindex, 'arp_evict_nocarrier'))
        this.flushDevice(dev, false);
      else if (event === 'mac') this.flushDevice(dev, true);
      if (event === 'up' || event === 'mac') arpNotify(host, dev);
    });
  }

  parmsOf(dev: NetDevice): NeighbourParms {
    return this.parms[dev.ifindex] ?? this.fallback;
  }

  private forgetDevice(dev: NetDevice): void {
    this.flushDevice(dev, true);
    this.parms[dev.ifindex]?.unregister();
    this.parms[dev.ifindex] = undefined;
  }

  /** Devices without an address follow `default` where nobody set them. (Linux: neigh_copy_dflt_parms) */
  private followDefault(): void {
    for (const [ifindex, parms] of this.parms.entries())
      if (!this.host.inet.isSettled(ifindex)) parms?.follow(this.fallback);
  }

  lookup(dev: NetDevice, address: Ipv4): Neighbour | undefined {
    return this.tables[dev.ifindex]?.get(address | 0);
  }

  /** The entry of an address, made when there is none; undefined when the table is full. (Linux: __neigh_create) */
  obtain(dev: NetDevice, address: Ipv4): Neighbour | undefined {
    let table = this.tables[dev.ifindex];
    if (table === undefined) this.tables[dev.ifindex] = table = new Map();
    this.statistics.lookups++;
    const found = table.get(address | 0);
    if (found !== undefined) {
      this.statistics.hits++;
      return found;
    }
    if (!this.makeRoom()) {
      this.statistics.tableFulls++;
      return undefined;
    }
    this.statistics.allocs++;
    const { host } = this;
    const { clock } = host;
    const parms = this.parmsOf(dev);
    const made = new Neighbour(dev, parms, address, clock.now(), (self) =>
      host.softTimer('neigh_timer_handler', () => this.onTimer(self)),
    );
    // Not confirmed lately: a first answer counts as news (neigh->confirmed = jiffies - 2 * base_reachable).
    made.confirmed -= 2 * parms.baseReachable;
    arpConstructor(made);
    table.set(address | 0, made);
    this.entries++;
    if (this.entries >= this.thresholds.gcThresh1.value && !this.collector.armed) this.armCollector();
    return made;
  }

  list(): Neighbour[] {
    return this.tables.flatMap((table) => (table === undefined ? [] : [...table.values()]));
  }

  /**
   * Send by way of a neighbour: at once when its MAC is known, else the packet waits for the answer. skb.data at the IP
   * header. Consumes `skb`. (Linux: neigh_output, neigh_resolve_output)
   */
  output(neighbour: Neighbour, skb: SkBuff): NetXmit | undefined {
    const { state } = neighbour;
    const { host } = this;
    if (host.trace.on) {
      const mac = neighbour.valid ? { mac: formatMac(neighbour.mac) } : {};
      host.trace.point('neigh_resolve_output', skb, { address: formatIpv4(neighbour.address), state, ...mac });
    }
    // Word by word: this is asked for every packet.
    const connected = state === 'REACHABLE' || state === 'PERMANENT' || state === 'NOARP';
    if (!connected || !neighbour.headerReady) {
      if (this.eventSend(neighbour, skb)) return undefined;
      neighbour.headerReady = neighbour.valid;
    }
    pushHardHeader(skb, neighbour);
    return devQueueXmit(host, skb, neighbour.dev);
  }

  /** Ask for an address without a packet to send (neigh_event_send with no skb). */
  solicit(neighbour: Neighbour): void {
    this.eventSend(neighbour, undefined);
  }

  /** The upper layer heard from it just now: TCP's progress. (Linux: neigh_confirm) */
  confirm(neighbour: Neighbour): void {
    neighbour.confirmed = this.host.clock.now();
  }

  /**
   * What a packet, an answer or the administrator says of a neighbour. `override`: a different MAC replaces a valid one.
   * (Linux: neigh_update)
   */
  update(
    neighbour: Neighbour,
    mac: Mac | undefined,
    state: NudState,
    flags: { override?: boolean; weakOverride?: boolean; admin?: boolean } = {},
  ): Errno | undefined {
    const old = neighbour.state;
    const now = this.host.clock.now();
    if (flags.admin !== true && (old === 'NOARP' || old === 'PERMANENT')) return 'EPERM';
    if (neighbour.dead) return 'EINVAL';
    if (!VALID.has(state)) {
      neighbour.timer.stop();
      this.enter(neighbour, state);
      if ((old === 'INCOMPLETE' || old === 'PROBE') && state === 'FAILED') this.invalidate(neighbour);
      return undefined;
    }
    if (mac === undefined) {
      if (!VALID.has(old)) return 'EINVAL';
      mac = neighbour.mac;
    }
    if (CONNECTED.has(state)) neighbour.confirmed = now;
    if (VALID.has(old)) {
      if (mac !== neighbour.mac && flags.override !== true) {
        if (flags.weakOverride !== true || !CONNECTED.has(old)) return undefined;
        mac = neighbour.mac;
        state = 'STALE';
      } else if (mac === neighbour.mac && state === 'STALE' && flags.admin !== true) {
        state = old;
      }
    }
    if (state !== old || mac !== neighbour.mac) neighbour.updated = now;
    const moved = mac !== neighbour.mac;
    if (moved) {
      neighbour.mac = mac;
      if (!CONNECTED.has(state)) neighbour.confirmed = now - 2 * neighbour.parms.baseReachable;
    }
    if (state !== old) {
      neighbour.timer.stop();
      if (state === 'PROBE') neighbour.probes = 0;
      this.enter(neighbour, state);
      if (IN_TIMER.has(state)) neighbour.timer.arm(state === 'REACHABLE' ? neighbour.parms.reachable() : 0);
    } else if (moved) {
      this.traceUpdate(neighbour);
    }
    if (state !== old && !VALID.has(old)) this.release(neighbour);
    return undefined;
  }

  /** Remove an entry; what waited in it is lost. (Linux: neigh_del) */
  remove(neighbour: Neighbour): void {
    if (neighbour.dead) return;
    neighbour.dead = true;
    neighbour.timer.stop();
    this.tables[neighbour.dev.ifindex]?.delete(neighbour.address | 0);
    this.entries--;
    this.statistics.destroys++;
    for (const skb of neighbour.queue) this.host.skbs.drop(skb, 'neigh_dead');
    neighbour.queue = [];
    neighbour.queueBytes = 0;
  }

  /** ip neigh flush: what is not permanent goes (dev undefined: everywhere). Returns how many went. */
  flush(dev: NetDevice | undefined): number {
    let gone = 0;
    for (const neighbour of this.list()) {
      if (dev !== undefined && neighbour.dev !== dev) continue;
      if (neighbour.state === 'PERMANENT' || neighbour.state === 'NOARP') continue;
      this.remove(neighbour);
      gone++;
    }
    return gone;
  }

  /** True when the packet was taken (it waits, or is lost); false when it may be sent now. (Linux: __neigh_event_send) */
  private eventSend(neighbour: Neighbour, skb: SkBuff | undefined): boolean {
    const { state } = neighbour;
    const now = this.host.clock.now();
    neighbour.used = now;
    if (CONNECTED.has(state) || state === 'DELAY' || state === 'PROBE') return false;
    if (neighbour.dead) {
      if (skb !== undefined) this.host.skbs.drop(skb, 'neigh_dead', '__neigh_event_send');
      return true;
    }
    if (state === 'STALE') {
      neighbour.updated = now;
      this.enter(neighbour, 'DELAY');
      neighbour.timer.arm(neighbour.parms.delayProbe);
      return false;
    }
    let probe = false;
    if (state !== 'INCOMPLETE') {
      const { ucastSolicit, mcastSolicit, appSolicit } = neighbour.parms;
      if (mcastSolicit.value + appSolicit.value === 0) {
        neighbour.updated = now;
        this.enter(neighbour, 'FAILED');
        if (skb !== undefined) this.host.skbs.drop(skb, 'neigh_failed', '__neigh_event_send');
        return true;
      }
      // Unicast probes make no sense yet: they count as done, so that only broadcasts follow.
      neighbour.probes = ucastSolicit.value;
      neighbour.updated = now;
      this.enter(neighbour, 'INCOMPLETE');
      neighbour.timer.arm(neighbour.parms.retransTime);
      probe = true;
    }
    if (skb !== undefined) this.enqueue(neighbour, skb);
    if (probe) this.probe(neighbour);
    return true;
  }

  private enqueue(neighbour: Neighbour, skb: SkBuff): void {
    const weight = skb.length + SKB_OVERHEAD_BYTES;
    while (neighbour.queue.length > 0 && neighbour.queueBytes + weight > neighbour.parms.queueBytes.value) {
      const oldest = neighbour.queue.shift();
      if (oldest === undefined) break;
      neighbour.queueBytes -= oldest.length + SKB_OVERHEAD_BYTES;
      this.statistics.unresolvedDiscards++;
      this.host.skbs.drop(oldest, 'neigh_queue_full');
    }
    neighbour.queue.push(skb);
    neighbour.queueBytes += weight;
  }

  /** The answer came: what waited goes out in its order. */
  private release(neighbour: Neighbour): void {
    const waiting = neighbour.queue;
    neighbour.queue = [];
    neighbour.queueBytes = 0;
    for (const skb of waiting) this.output(neighbour, skb);
  }

  /** No answer: senders are told, and what waited is lost. (Linux: neigh_invalidate) */
  private invalidate(neighbour: Neighbour): void {
    neighbour.updated = this.host.clock.now();
    this.statistics.resolveFailed++;
    const waiting = neighbour.queue;
    neighbour.queue = [];
    neighbour.queueBytes = 0;
    for (const skb of waiting) {
      icmpLinkFailure(this.host, skb);
      this.host.skbs.drop(skb, 'neigh_failed');
    }
  }

  private probe(neighbour: Neighbour): void {
    arpSolicit(this.host, neighbour, neighbour.queue[neighbour.queue.length - 1]);
    neighbour.probes++;
  }

  /** (Linux: neigh_timer_handler) */
  private onTimer(neighbour: Neighbour): void {
    if (neighbour.dead || !IN_TIMER.has(neighbour.state)) return;
    const now = this.host.clock.now();
    const { delayProbe } = neighbour.parms;
    let next = now + neighbour.parms.retransTime;
    if (neighbour.state === 'REACHABLE') {
      if (now < neighbour.confirmed + neighbour.parms.reachable()) {
        next = neighbour.confirmed + neighbour.parms.reachable();
      } else {
        const inUse = now <= neighbour.used + delayProbe;
        neighbour.updated = now;
        this.enter(neighbour, inUse ? 'DELAY' : 'STALE');
        next = now + delayProbe;
      }
    } else if (neighbour.state === 'DELAY') {
      neighbour.updated = now;
      if (now <= neighbour.confirmed + delayProbe) {
        this.enter(neighbour, 'REACHABLE');
        next = Math.max(now + 1, neighbour.confirmed + neighbour.parms.reachable());
      } else {
        neighbour.probes = 0;
        this.enter(neighbour, 'PROBE');
      }
    }
    const asking = neighbour.state === 'INCOMPLETE' || neighbour.state === 'PROBE';
    if (asking && neighbour.probes >= neighbour.parms.probesMax(neighbour.state)) {
      this.enter(neighbour, 'FAILED');
      this.invalidate(neighbour);
      return;
    }
    if (IN_TIMER.has(neighbour.state)) neighbour.timer.arm(Math.max(TIMER_MIN, next - now));
    if (asking) this.probe(neighbour);
  }

  private enter(neighbour: Neighbour, state: NudState): void {
    neighbour.state = state;
    this.traceUpdate(neighbour);
  }

  private traceUpdate(neighbour: Neighbour): void {
    if (!this.host.trace.on) return;
    this.host.trace.point('neigh_update', neighbour.queue[0], {
      address: formatIpv4(neighbour.address),
      mac: neighbour.valid ? formatMac(neighbour.mac) : '',
      state: neighbour.state,
      dev: neighbour.dev.name,
    });
  }

  /** Room for one more entry, collecting when it gets tight. (Linux: neigh_alloc) */
  private makeRoom(): boolean {
    const { gcThresh2, gcThresh3 } = this.thresholds;
    const now = this.host.clock.now();
    const entries = this.collectable().length;
    const tight = entries >= gcThresh2.value && now > this.lastForced + GC_FORCED_INTERVAL;
    if (entries < gcThresh3.value && !tight) return true;
    if (this.forcedGc(now) > 0 || entries < gcThresh3.value) return true;
    this.host.log.rationed(KERN.INFO, () => 'neighbour: arp_cache: neighbor table overflow!');
    return false;
  }

  /** What counts against the thresholds: all but the administrator's. */
  private collectable(): Neighbour[] {
    return this.entries < Math.min(this.thresholds.gcThresh2.value, this.thresholds.gcThresh3.value)
      ? []
      : this.list().filter((neighbour) => neighbour.state !== 'PERMANENT');
  }

  /** How many went: what nobody uses and is failed, needs no question, or has not changed for 5 s. (neigh_forced_gc) */
  private forcedGc(now: Micros): number {
    const chosen = this.collectable();
    const most = chosen.length - this.thresholds.gcThresh2.value;
    let gone = 0;
    for (const neighbour of chosen) {
      const { state } = neighbour;
      if (IN_TIMER.has(state) || neighbour.queue.length > 0) continue;
      if (state !== 'FAILED' && state !== 'NOARP' && now - neighbour.updated <= GC_FORCED_INTERVAL) continue;
      this.remove(neighbour);
      if (++gone >= most) break;
    }
    this.lastForced = now;
    this.statistics.forcedGcRuns++;
    return gone;
  }

  private armCollector(): void {
    this.collector.arm(Math.max(SECOND, Math.floor(this.fallback.baseReachable / 2)));
  }

  /** Above gc_thresh1, old entries go. (Linux: neigh_periodic_work) */
  private periodicWork(): void {
    this.statistics.periodicGcRuns++;
    const now = this.host.clock.now();
    if (this.entries < this.thresholds.gcThresh1.value) return;
    for (const neighbour of this.list()) {
      if (neighbour.state === 'PERMANENT' || IN_TIMER.has(neighbour.state)) continue;
      neighbour.used = Math.max(neighbour.used, neighbour.confirmed);
      const old = now >= neighbour.used + neighbour.parms.gcStale.value * SECOND;
      if ((neighbour.state === 'FAILED' || old) && neighbour.queue.length === 0) this.remove(neighbour);
    }
    if (this.entries >= this.thresholds.gcThresh1.value) this.armCollector();
  }

  /** The link went: nothing that was learned on it holds. Permanent entries outlive a carrier, not a device. */
  private flushDevice(dev: NetDevice, all: boolean): void {
    if (all) this.proxies.flush(dev);
    for (const neighbour of [...(this.tables[dev.ifindex]?.values() ?? [])]) {
      if (all || neighbour.state !== 'PERMANENT') this.remove(neighbour);
    }
  }
}

/** What needs no question: loopback, broadcast, multicast. (Linux: arp_constructor, arp_mc_map) */
function arpConstructor(neighbour: Neighbour): void {
  const { address, dev } = neighbour;
  if (dev.kind === 'loopback') {
    neighbour.state = 'NOARP';
    neighbour.mac = MAC_ZERO;
  } else if (isMulticastIpv4(address)) {
    neighbour.state = 'NOARP';
    neighbour.mac = (0x0100_5e00_0000 + (address & 0x7f_ffff)) as Mac;
  } else if (address === IPV4_BROADCAST) {
    neighbour.state = 'NOARP';
    neighbour.mac = MAC_BROADCAST;
  }
}

/** Put the Ethernet header in front: target, source, type. (Linux: eth_header) */
function pushHardHeader(skb: SkBuff, neighbour: Neighbour): void {
  const at = skb.push(ETHERNET.SIZE);
  skb.macHeader = at;
  const { view } = skb;
  writeMac(view, at + ETHERNET.TARGET, neighbour.mac);
  writeMac(view, at + ETHERNET.SOURCE, neighbour.dev.mac);
  view.setUint16(at + ETHERNET.TYPE, skb.protocol);
}
