/**
 * Answering ARP for others (Linux: arp_fwd_proxy, struct pneigh_entry): with proxy_arp for whatever is routed out of
 * another device, with `ip neigh add proxy` for single addresses. Broadcast questions wait a random part of proxy_delay,
 * so that the address's own host comes first.
 */
import type { Ipv4 } from '../header/address.ts';
import { ARP_REPLY, type ArpPacket } from '../header/arp.ts';
import type { Micros, Timer } from '../platform.ts';
import { arpProcess, arpReply, arpSend, learnAsker } from './arp.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import type { NetDevice } from './netdev.ts';
import type { Route } from './route.ts';
import type { SkBuff } from './skbuff.ts';

/** Addresses that a host may stand in for: a bound for a mistake. */
const PROXIES_MAX = 4_096;

interface Waiting {
  readonly skb: SkBuff;
  readonly dev: NetDevice;
  readonly packet: ArpPacket;
  readonly due: Micros;
}

/** Addresses that the administrator has us answer for, and questions that wait. */
export class ArpProxies {
  private readonly host: Host;
  /** By ifindex. */
  private readonly addresses = new Map<number, Set<Ipv4>>();
  private readonly queue: Waiting[] = [];
  private readonly timer: Timer;

  constructor(host: Host) {
    this.host = host;
    this.timer = host.softTimer('neigh_proxy_process', () => this.answerDue());
  }

  /** ip neigh add proxy. (Linux: pneigh_lookup with creat) */
  add(dev: NetDevice, address: Ipv4): Errno | undefined {
    let own = this.addresses.get(dev.ifindex);
    if (own === undefined) this.addresses.set(dev.ifindex, (own = new Set()));
    if (own.size >= PROXIES_MAX) return 'ENOBUFS';
    own.add(address);
    return undefined;
  }

  /** (Linux: pneigh_delete) */
  delete(dev: NetDevice, address: Ipv4): Errno | undefined {
    return this.addresses.get(dev.ifindex)?.delete(address) === true ? undefined : 'ENOENT';
  }

  has(dev: NetDevice, address: Ipv4): boolean {
    return this.addresses.get(dev.ifindex)?.has(address) ?? false;
  }

  list(): { readonly dev: NetDevice; readonly address: Ipv4 }[] {
    return this.host.devices
      .list()
      .flatMap((dev) => [...(this.addresses.get(dev.ifindex) ?? [])].map((address) => ({ dev, address })));
  }

  /** The device went: what we stood in for there, and what waits. */
  flush(dev: NetDevice): void {
    this.addresses.delete(dev.ifindex);
    for (const one of this.queue.filter((waiting) => waiting.dev === dev)) {
      this.queue.splice(this.queue.indexOf(one), 1);
      this.host.skbs.drop(one.skb, 'neigh_dead', 'pneigh_queue_purge');
    }
    if (this.queue.length === 0) this.timer.stop();
  }

  /** Answer later. Consumes `skb`. (Linux: pneigh_enqueue) */
  enqueue(skb: SkBuff, dev: NetDevice, packet: ArpPacket): void {
    const parms = this.host.neighbours.parmsOf(dev);
    if (this.queue.length > parms.proxyQueueMax.value)
      return this.host.skbs.drop(skb, 'neigh_queue_full', 'pneigh_enqueue');
    const wait = this.host.random.below(Math.max(1, parms.proxyDelay));
    const due = this.host.clock.now() + wait;
    this.queue.push({ skb, dev, packet, due });
    if (!this.timer.armed || this.timer.deadline > due) this.timer.arm(wait);
  }

  /** (Linux: neigh_proxy_process) */
  private answerDue(): void {
    const now = this.host.clock.now();
    const due = this.queue.filter((waiting) => waiting.due <= now);
    for (const one of due) {
      this.queue.splice(this.queue.indexOf(one), 1);
      arpProcess(this.host, one.skb, one.dev, one.packet, true);
    }
    const next = Math.min(...this.queue.map((waiting) => waiting.due));
    if (this.queue.length > 0) this.timer.arm(Math.max(0, next - now));
  }
}

/**
 * A question for an address that is routed on: answered when this device is a proxy for it. `skb` stays the caller's
 * unless it 'waits'. (Linux: the RTN_UNICAST part of arp_process)
 */
export function proxyAnswers(
  host: Host,
  skb: SkBuff,
  dev: NetDevice,
  asked: { readonly packet: ArpPacket; readonly route: Route; readonly delayed: boolean },
): 'done' | 'silent' | 'waits' | 'not ours' {
  const { packet, route, delayed } = asked;
  if (route.type !== 'unicast' || !standsIn(host, dev, packet, route)) return 'not ours';
  learnAsker(host, dev, packet);
  const proxies = host.neighbours.proxies;
  if (!delayed && skb.packetType !== 'host' && host.neighbours.parmsOf(dev).proxyDelay > 0) {
    proxies.enqueue(skb, dev, packet);
    return 'waits';
  }
  arpSend(host, dev, { operation: ARP_REPLY, to: packet.senderMac, packet: arpReply(dev, packet), cause: skb });
  return 'done';
}

function standsIn(host: Host, dev: NetDevice, packet: ArpPacket, route: Route): boolean {
  const { inet } = host;
  if (route.dev === dev) return packet.senderIp !== packet.targetIp && inet.own(dev.ifindex, 'proxy_arp_pvlan') !== 0;
  if (inet.either(dev.ifindex, 'proxy_arp') && differentMedium(host, dev, route.dev)) return true;
  return host.neighbours.proxies.has(dev, packet.targetIp);
}

/** medium_id: 0, one of its own; -1, no proxy; else devices on one medium do not stand in for each other. */
function differentMedium(host: Host, input: NetDevice, output: NetDevice): boolean {
  const own = host.inet.own(input.ifindex, 'medium_id');
  if (own === 0) return true;
  if (own === -1) return false;
  const other = host.inet.own(output.ifindex, 'medium_id');
  return other !== own && other !== -1;
}
