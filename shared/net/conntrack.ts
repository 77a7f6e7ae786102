/**
 * Connection tracking (Linux: net/netfilter/nf_conntrack_core.c): the two directions of every flow, and what a packet is
 * to its flow. Switched on by the first rule that asks for it (conntrackEnable). Protocol states are in conntrack-*.ts.
 * Left out: expectations and helpers (FTP), zones, labels.
 */
import { IPV4, IPV4_MF, IPV4_OFFSET_MASK, PROTOCOL } from '../header/ipv4.ts';
import { UDP } from '../header/udp.ts';
import { type Micros, SECOND, type Timer } from '../platform.ts';
import { trackIcmp } from './conntrack-icmp.ts';
import { icmpErrorFlow } from './conntrack-icmp-error.ts';
import { type ConntrackSettings, registerSettings } from './conntrack-settings.ts';
import { type TcpFlow, trackTcp } from './conntrack-tcp.ts';
import { type FlowKey, fillTuple, invertKey, newKey } from './conntrack-tuple.ts';
import { transportChecksumOk } from './gso.ts';
import type { Host } from './host.ts';
import { type DefragUser, ipDefrag } from './ip-defrag.ts';
import { HOOK, type Hook, PRIORITY } from './netfilter.ts';
import { KERN } from './printk.ts';
import type { SkBuff } from './skbuff.ts';

/** At most this many flows are looked at for one to give up when the table is full (early_drop: 8 buckets). */
const EARLY_DROP_LOOK = 64;
/** The sweep looks no more often than this. */
const SWEEP_INTERVAL_MIN: Micros = SECOND;
/** A UDP flow that lives so long is a stream. */
const UDP_STREAM_AFTER: Micros = 2 * SECOND;

export type CtState = 'new' | 'established' | 'related';

/** What a packet is to its flow (enum ip_conntrack_info): one object per kind and flow, never one per packet. */
export class CtInfo {
  readonly flow: Conntrack;
  readonly state: CtState;
  readonly reply: boolean;
  constructor(flow: Conntrack, state: CtState, reply: boolean) {
    this.flow = flow;
    this.state = state;
    this.reply = reply;
  }
}

/** One direction of a flow in the table (struct nf_conntrack_tuple_hash). */
export class Direction {
  key: FlowKey;
  readonly flow: Conntrack;
  readonly reply: boolean;
  packets = 0;
  bytes = 0;
  next: Direction | undefined = undefined;

  constructor(flow: Conntrack, key: FlowKey, reply: boolean) {
    this.flow = flow;
    this.key = key;
    this.reply = reply;
  }
}

export class Conntrack {
  readonly protocol: number;
  readonly original: Direction;
  readonly reply: Direction;
  confirmed = false;
  assured = false;
  seenReply = false;
  dead = false;
  /** Lab time at which it is forgotten, unless another packet comes. */
  expires: Micros = 0;
  /** A flow becomes a stream after this (UDP). */
  readonly streamAfter: Micros;
  tcp: TcpFlow | undefined = undefined;
  /** IPS_SRC_NAT, IPS_DST_NAT and their DONE bits. */
  sourceNat = false;
  targetNat = false;
  sourceDone = false;
  targetDone = false;
  /** CONNMARK's. */
  mark = 0;
  /** The device that it is masqueraded to; gone when that goes down. */
  masqueradeIfindex = 0;
  private readonly infos: (CtInfo | undefined)[] = [];

  constructor(key: FlowKey, inverse: FlowKey, now: Micros) {
    this.protocol = key.protocol;
    this.original = new Direction(this, key, false);
    this.reply = new Direction(this, inverse, true);
    this.streamAfter = now + UDP_STREAM_AFTER;
  }

  info(state: CtState, reply: boolean): CtInfo {
    const at = (state === 'new' ? 0 : state === 'established' ? 2 : 4) + (reply ? 1 : 0);
    return (this.infos[at] ??= new CtInfo(this, state, reply));
  }
}

/** `conntrack -S`, /proc/net/stat/nf_conntrack (struct ip_conntrack_stat). */
export class ConntrackStatistics {
  found = 0;
  invalid = 0;
  insert = 0;
  insertFailed = 0;
  drop = 0;
  earlyDrop = 0;
  error = 0;
}

/** A packet that the raw table exempted (IP_CT_UNTRACKED). */
export const UNTRACKED: unique symbol = Symbol('untracked');

/** A packet's flow, if it has one. */
export function flowOf(skb: SkBuff): CtInfo | undefined {
  return skb.conntrack === UNTRACKED ? undefined : (skb.conntrack as CtInfo | undefined);
}

export class ConntrackTable {
  /** True once a rule needed it. */
  enabled = false;
  count = 0;
  settings: ConntrackSettings | undefined = undefined;
  readonly statistics = new ConntrackStatistics();
  private readonly host: Host;
  /** Chains by hash. */
  private readonly buckets = new Map<number, Direction>();
  private readonly flows = new Set<Conntrack>();
  private readonly seed: number;
  private readonly timer: Timer;
  private readonly scratch = newKey();
  private readonly inverse = newKey();

  constructor(host: Host) {
    this.host = host;
    this.seed = host.random.fork('conntrack').u32();
    this.timer = host.softTimer('gc_worker', () => this.sweep());
  }

  list(): Conntrack[] {
    const now = this.host.clock.now();
    return [...this.flows].filter((flow) => flow.expires > now);
  }

  find(key: FlowKey): Direction | undefined {
    for (let at = this.buckets.get(this.hash(key)); at !== undefined; at = at.next) {
      if (sameKey(at.key, key)) {
        if (at.flow.expires > this.host.clock.now()) return at;
        this.remove(at.flow);
        return undefined;
      }
    }
    return undefined;
  }

  /** Whether a reply tuple would belong to another flow. (Linux: nf_conntrack_tuple_taken) */
  taken(key: FlowKey, flow: Conntrack): boolean {
    const found = this.find(key);
    return found !== undefined && found.flow !== flow;
  }

  /** Enter both directions; false when one of them is another flow's by now. (Linux: __nf_conntrack_confirm) */
  confirm(flow: Conntrack): boolean {
    if (flow.confirmed) return true;
    if (this.find(flow.original.key) !== undefined || this.find(flow.reply.key) !== undefined) {
      this.statistics.insertFailed++;
      this.statistics.drop++;
      return false;
    }
    flow.confirmed = true;
    this.statistics.insert++;
    this.insert(flow.original);
    this.insert(flow.reply);
    this.flows.add(flow);
    this.count++;
    if (!this.timer.armed) this.timer.arm(Math.max(SWEEP_INTERVAL_MIN, flow.expires - this.host.clock.now()));
    return true;
  }

  remove(flow: Conntrack): void {
    if (flow.dead) return;
    flow.dead = true;
    if (!flow.confirmed) return;
    this.unlink(flow.original);
    this.unlink(flow.reply);
    this.flows.delete(flow);
    this.count--;
    if (this.count === 0) this.timer.stop();
  }

  /** Forget every flow that `which` holds for; how many. (Linux: nf_ct_iterate_cleanup) */
  flush(which: (flow: Conntrack) => boolean = () => true): number {
    let gone = 0;
    for (const flow of [...this.flows]) {
      if (!which(flow)) continue;
      this.remove(flow);
      gone++;
    }
    return gone;
  }

  /** A later deadline; the sweep finds it where it is. (Linux: nf_ct_refresh_acct) */
  refresh(flow: Conntrack, seconds: number): void {
    flow.expires = this.host.clock.now() + seconds * SECOND;
    // A shorter life than the sweep counts on: look sooner.
    const wait = Math.max(SWEEP_INTERVAL_MIN, seconds * SECOND);
    if (flow.confirmed && this.timer.armed && this.timer.deadline > this.host.clock.now() + wait) this.timer.arm(wait);
  }

  /** The flow of a packet at the IP header; undefined when it is none's (INVALID). Counts it. (resolve_normal_ct) */
  resolve(skb: SkBuff, settings: ConntrackSettings): CtInfo | 'full' | undefined {
    if (!fillTuple(skb, skb.networkHeader, this.scratch)) return undefined;
    let at = this.find(this.scratch);
    if (at === undefined) {
      if (!invertKey(this.scratch, this.inverse)) return undefined;
      if (settings.max.value > 0 && this.count >= settings.max.value && !this.earlyDrop()) return 'full';
      const flow = new Conntrack({ ...this.scratch }, { ...this.inverse }, this.host.clock.now());
      at = flow.original;
    }
    const { flow, reply } = at;
    if (settings.acct.value !== 0) {
      at.packets++;
      at.bytes += skb.length;
    }
    return flow.info(reply || flow.seenReply ? 'established' : 'new', reply);
  }

  private insert(direction: Direction): void {
    const hash = this.hash(direction.key);
    direction.next = this.buckets.get(hash);
    this.buckets.set(hash, direction);
  }

  private unlink(direction: Direction): void {
    const hash = this.hash(direction.key);
    let at = this.buckets.get(hash);
    if (at === direction) {
      if (direction.next === undefined) this.buckets.delete(hash);
      else this.buckets.set(hash, direction.next);
      return;
    }
    for (; at !== undefined; at = at.next) {
      if (at.next !== direction) continue;
      at.next = direction.next;
      return;
    }
  }

  private hash(key: FlowKey): number {
    let h = this.seed ^ key.protocol;
    h = Math.imul(h ^ key.source, 0x9e37_79b1);
    h = Math.imul(h ^ (h >>> 15) ^ key.target, 0x85eb_ca6b);
    h = Math.imul(h ^ (h >>> 13) ^ ((key.sourcePort << 16) | key.targetPort), 0xc2b2_ae35);
    return h ^ (h >>> 16);
  }

  /** One that is not assured makes room for a new one. (Linux: early_drop) */
  private earlyDrop(): boolean {
    let looked = 0;
    for (const flow of this.flows) {
      if (!flow.assured) {
        this.statistics.earlyDrop++;
        this.remove(flow);
        return true;
      }
      if (++looked >= EARLY_DROP_LOOK) return false;
    }
    return false;
  }

  /** Forget what is over; come again when the next will be. (Linux: gc_worker) */
  private sweep(): void {
    const now = this.host.clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const flow of [...this.flows]) {
      if (flow.expires <= now) this.remove(flow);
      else next = Math.min(next, flow.expires);
    }
    if (this.count > 0) this.timer.arm(Math.max(SWEEP_INTERVAL_MIN, next - now));
  }
}

function sameKey(a: FlowKey, b: FlowKey): boolean {
  return (
    a.source === b.source &&
    a.target === b.target &&
    a.sourcePort === b.sourcePort &&
    a.targetPort === b.targetPort &&
    a.protocol === b.protocol
  );
}

/** Switch tracking on: reassembly before it, the flow looked up, and confirmed on the way out. */
export function conntrackEnable(host: Host): void {
  const { conntrack, netfilter } = host;
  if (conntrack.enabled) return;
  conntrack.enabled = true;
  conntrack.settings = registerSettings(host);
  netfilter.register(HOOK.PREROUTING, PRIORITY.DEFRAG, defragHook);
  netfilter.register(HOOK.OUTPUT, PRIORITY.DEFRAG, defragHook);
  netfilter.register(HOOK.PREROUTING, PRIORITY.CONNTRACK, conntrackIn);
  netfilter.register(HOOK.OUTPUT, PRIORITY.CONNTRACK, conntrackIn);
  netfilter.register(HOOK.INPUT, PRIORITY.CONFIRM, conntrackConfirm);
  netfilter.register(HOOK.POSTROUTING, PRIORITY.CONFIRM, conntrackConfirm);
}

function defragHook(host: Host, skb: SkBuff, hook: Hook): SkBuff | undefined {
  const fragment = skb.view.getUint16(skb.networkHeader + IPV4.FRAGMENT);
  if ((fragment & (IPV4_MF | IPV4_OFFSET_MASK)) === 0) return skb;
  const user: DefragUser = hook === HOOK.PREROUTING ? 'conntrack-in' : 'conntrack-out';
  return ipDefrag(host, skb, user);
}

/** Find or begin the packet's flow. (Linux: nf_conntrack_in) */
function conntrackIn(host: Host, skb: SkBuff, hook: Hook): SkBuff | undefined {
  const { conntrack } = host;
  const { settings } = conntrack;
  // Looped back: it was seen on the way out.
  if (skb.conntrack !== undefined || settings === undefined) return skb;
  const protocol = skb.view.getUint8(skb.networkHeader + IPV4.PROTOCOL);
  if (protocol === PROTOCOL.ICMP) {
    const related = icmpErrorFlow(host, skb);
    if (related === 'invalid') {
      conntrack.statistics.error++;
      conntrack.statistics.invalid++;
      return skb;
    }
    if (related !== undefined) {
      skb.conntrack = related;
      return skb;
    }
  }
  for (let again = 0; again < 2; again++) {
    const info = conntrack.resolve(skb, settings);
    if (info === 'full') {
      host.log.rationed(KERN.WARNING, () => 'nf_conntrack: nf_conntrack: table full, dropping packet');
      conntrack.statistics.drop++;
      host.skbs.drop(skb, 'conntrack_full');
      return undefined;
    }
    if (info === undefined) {
      conntrack.statistics.invalid++;
      return skb;
    }
    const verdict = track(host, skb, info, settings, hook === HOOK.PREROUTING);
    // The old connection is over and this begins another on the same ports.
    if (verdict === 'again') continue;
    if (verdict === 'invalid') {
      conntrack.statistics.invalid++;
      return skb;
    }
    skb.conntrack = info;
    if (info.reply) info.flow.seenReply = true;
    return skb;
  }
  return skb;
}

/** The protocol's view: its state, and how long the flow lives from now. (Linux: nf_conntrack_handle_packet) */
function track(
  host: Host,
  skb: SkBuff,
  info: CtInfo,
  settings: ConntrackSettings,
  checks: boolean,
): 'ok' | 'invalid' | 'again' {
  const { conntrack } = host;
  const { flow } = info;
  switch (flow.protocol) {
    case PROTOCOL.TCP:
      return trackTcp(host, skb, info, settings, checks);
    case PROTOCOL.UDP: {
      if (checks && settings.checksum.value !== 0 && badUdp(skb)) return 'invalid';
      const stream = flow.seenReply && host.clock.now() > flow.streamAfter;
      if (stream) flow.assured = true;
      conntrack.refresh(flow, stream ? settings.udpStream.value : settings.udp.value);
      return 'ok';
    }
    case PROTOCOL.ICMP:
      if (!trackIcmp(flow, info)) return 'invalid';
      conntrack.refresh(flow, settings.icmp.value);
      return 'ok';
    default:
      conntrack.refresh(flow, settings.generic.value);
      return 'ok';
  }
}

/** Cut short, longer than it is, or with a wrong sum. (Linux: udp_error) */
function badUdp(skb: SkBuff): boolean {
  const at = skb.transportHeader;
  if (skb.tail - at < UDP.SIZE) return true;
  const length = skb.view.getUint16(at + UDP.LENGTH);
  if (length < UDP.SIZE || length > skb.length - (at - skb.data)) return true;
  return skb.view.getUint16(at + UDP.CHECKSUM) !== 0 && !transportChecksumOk(skb, PROTOCOL.UDP);
}

/** The first packet of a flow made it through: now the flow exists. (Linux: nf_confirm) */
function conntrackConfirm(host: Host, skb: SkBuff): SkBuff | undefined {
  const info = flowOf(skb);
  if (info === undefined || info.flow.confirmed || info.flow.dead || info.reply) return skb;
  if (host.conntrack.confirm(info.flow)) return skb;
  host.skbs.drop(skb, 'nat_no_port');
  return undefined;
}
