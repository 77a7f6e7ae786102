/**
 * ARP for IPv4 over Ethernet (RFC 826; Linux: net/ipv4/arp.c). A question to us teaches us the asker; an answer that we
 * did not ask for teaches nothing unless we knew the address. Left out: proxy ARP, arp_announce and arp_ignore above 0.
 */
import {
  formatIpv4,
  formatMac,
  IPV4_ANY,
  type Ipv4,
  isLoopbackIpv4,
  isMulticastIpv4,
  MAC_BROADCAST,
  MAC_ZERO,
  type Mac,
} from '../header/address.ts';
import { ARP, ARP_REPLY, ARP_REQUEST, type ArpPacket, emitArp, parseArp } from '../header/arp.ts';
import { ETHERNET, ETHERTYPE, emitEthernet } from '../header/ethernet.ts';
import { IPV4 } from '../header/ipv4.ts';
import { isMalformed } from '../header/malformed.ts';
import type { Host } from './host.ts';
import type { Neighbour } from './neighbour.ts';
import { devQueueXmit, type NetDevice } from './netdev.ts';
import { addressType } from './route.ts';
import { routeInputAnswer } from './route-input.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';

/** An ARP packet, skb.data at its header. Consumes `skb`. (Linux: arp_rcv, arp_process) */
export function arpReceive(host: Host, skb: SkBuff, dev: NetDevice): void {
  if (skb.packetType === 'otherhost' || dev.kind === 'loopback')
    return host.skbs.drop(skb, 'packet_type_other', 'arp_rcv');
  const packet = parseArp(skb.view, skb.data, skb.tail);
  if (isMalformed(packet)) return host.skbs.drop(skb, 'arp_malformed');
  const known = packet.operation === ARP_REQUEST || packet.operation === ARP_REPLY;
  if (!known || isMulticastIpv4(packet.targetIp)) return host.skbs.drop(skb, 'arp_ignored');
  if (isLoopbackIpv4(packet.targetIp) && !host.inet.either(dev.ifindex, 'route_localnet'))
    return host.skbs.drop(skb, 'arp_ignored');
  if (host.trace.on) traceArp(host, 'arp_rcv', skb, packet);

  if (packet.operation === ARP_REQUEST && answer(host, skb, dev, packet)) return host.skbs.consume(skb);
  const known2 = learn(host, skb, dev, packet);
  if (known2) host.skbs.consume(skb);
  else host.skbs.drop(skb, 'arp_ignored');
}

/** Answer a question for an address of ours; the asker becomes a neighbour. */
function answer(host: Host, skb: SkBuff, dev: NetDevice, packet: ArpPacket): boolean {
  const { senderIp, senderMac, targetIp } = packet;
  if (senderIp === IPV4_ANY) {
    // Duplicate address detection (RFC 5227): say that it is taken, learn nothing.
    if (addressType(host, targetIp) !== 'local') return false;
    arpSend(host, dev, { operation: ARP_REPLY, to: senderMac, packet: reply(dev, packet), cause: skb });
    return true;
  }
  // Any address of this host is answered for on any device (arp_ignore 0), if its asker could be answered at all.
  if (!routeInputAnswer(host, targetIp, senderIp, dev)) return false;
  const neighbour = host.neighbours.obtain(dev, senderIp);
  if (neighbour === undefined) return false;
  host.neighbours.update(neighbour, senderMac, 'STALE', { override: true });
  arpSend(host, dev, { operation: ARP_REPLY, to: senderMac, packet: reply(dev, packet), cause: skb });
  return true;
}

function reply(dev: NetDevice, request: ArpPacket): ArpPacket {
  return {
    operation: ARP_REPLY,
    senderMac: dev.mac,
    senderIp: request.targetIp,
    targetMac: request.senderMac,
    targetIp: request.senderIp,
  };
}

/** An answer, or a question for somebody else: news about an address that we know already. */
function learn(host: Host, skb: SkBuff, dev: NetDevice, packet: ArpPacket): boolean {
  const { senderIp, senderMac, operation } = packet;
  const gratuitous = isGratuitous(packet);
  let neighbour = host.neighbours.lookup(dev, senderIp);
  if (neighbour === undefined && host.inet.either(dev.ifindex, 'arp_accept') && mayCreate(host, packet, gratuitous))
    neighbour = host.neighbours.obtain(dev, senderIp);
  if (neighbour === undefined) return false;
  // Several answers to one question: the first counts for locktime, so that proxies do not flap.
  const locked = host.clock.now() <= neighbour.updated + host.neighbours.sysctls.locktime.value * 10_000;
  const override = !locked || gratuitous;
  // Broadcast answers and questions do not prove that we can reach it.
  const state = operation === ARP_REPLY && skb.packetType === 'host' ? 'REACHABLE' : 'STALE';
  host.neighbours.update(neighbour, senderMac, state, { override });
  return true;
}

/** Sender and target are one: an announcement. (Linux: arp_is_garp) */
function isGratuitous(packet: ArpPacket): boolean {
  if (packet.senderIp !== packet.targetIp) return false;
  return packet.operation === ARP_REQUEST || packet.targetMac === packet.senderMac || packet.targetMac === MAC_ZERO;
}

function mayCreate(host: Host, packet: ArpPacket, gratuitous: boolean): boolean {
  return gratuitous || (packet.operation === ARP_REPLY && addressType(host, packet.senderIp) === 'unicast');
}

/** Ask for a neighbour's MAC: at the MAC we have while unicast probes are left, else of everybody. (arp_solicit) */
export function arpSolicit(host: Host, neighbour: Neighbour, waiting: SkBuff | undefined): void {
  const { dev, address } = neighbour;
  const unicast = neighbour.probes < host.neighbours.sysctls.ucastSolicit.value && neighbour.valid;
  arpSend(host, dev, {
    operation: ARP_REQUEST,
    to: unicast ? neighbour.mac : MAC_BROADCAST,
    packet: {
      operation: ARP_REQUEST,
      senderMac: dev.mac,
      senderIp: sourceFor(host, dev, address, waiting),
      targetMac: MAC_ZERO,
      targetIp: address,
    },
    cause: waiting,
  });
}

/** The waiting packet's source when it is ours (arp_announce 0), else the device's. */
function sourceFor(host: Host, dev: NetDevice, address: Ipv4, waiting: SkBuff | undefined): Ipv4 {
  if (waiting !== undefined) {
    const source = waiting.view.getUint32(waiting.networkHeader + IPV4.SOURCE) as Ipv4;
    if (addressType(host, source) === 'local') return source;
  }
  return host.inet.selectAddress(dev, address, 'link');
}

interface ArpSending {
  readonly operation: number;
  readonly to: Mac;
  readonly packet: ArpPacket;
  /** Whose story this belongs to: the packet that waits, or the question. */
  readonly cause: SkBuff | undefined;
}

/** Build and send one ARP packet. (Linux: arp_create, arp_xmit) */
export function arpSend(host: Host, dev: NetDevice, sending: ArpSending): void {
  const skb = host.skbs.alloc(HEADROOM + ARP.SIZE);
  skb.reserve(HEADROOM);
  const at = skb.put(ARP.SIZE);
  emitArp(skb.view, at, sending.packet);
  skb.networkHeader = at;
  skb.protocol = ETHERTYPE.ARP;
  skb.cause = sending.cause?.cause ?? 0;
  skb.macHeader = skb.push(ETHERNET.SIZE);
  emitEthernet(skb.view, skb.macHeader, { target: sending.to, source: dev.mac, type: ETHERTYPE.ARP });
  if (host.trace.on) traceArp(host, 'arp_send', skb, sending.packet);
  devQueueXmit(host, skb, dev);
}

function traceArp(host: Host, point: string, skb: SkBuff, packet: ArpPacket): void {
  host.trace.point(point, skb, {
    operation: packet.operation === ARP_REQUEST ? 'request' : 'reply',
    sender: formatIpv4(packet.senderIp),
    senderMac: formatMac(packet.senderMac),
    target: formatIpv4(packet.targetIp),
  });
}
