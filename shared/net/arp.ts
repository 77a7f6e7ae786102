/**
 * ARP for IPv4 over Ethernet (RFC 826; Linux: net/ipv4/arp.c). A question to us teaches us the asker; an answer that we
 * did not ask for teaches nothing unless we knew the address. Answers for others are in arp-proxy.ts.
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
import { proxyAnswers } from './arp-proxy.ts';
import { isErrno } from './errno.ts';
import type { Host } from './host.ts';
import type { Neighbour } from './neighbour.ts';
import { devQueueXmit, type NetDevice } from './netdev.ts';
import { addressType, routeOutput } from './route.ts';
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
  if (packet.senderIp === packet.targetIp && host.inet.either(dev.ifindex, 'drop_gratuitous_arp'))
    return host.skbs.drop(skb, 'arp_gratuitous');
  if (host.trace.on) traceArp(host, 'arp_rcv', skb, packet);
  arpProcess(host, skb, dev, packet, false);
}

/** `delayed`: a question for a proxy that has waited its proxy_delay. Consumes `skb`. (Linux: arp_process) */
export function arpProcess(host: Host, skb: SkBuff, dev: NetDevice, packet: ArpPacket, delayed: boolean): void {
  if (packet.operation === ARP_REQUEST) {
    const answered = answer(host, skb, dev, packet, delayed);
    if (answered === 'waits') return;
    if (answered === 'done') return host.skbs.consume(skb);
    if (answered === 'silent') return host.skbs.drop(skb, 'arp_ignored');
  }
  const known2 = learn(host, skb, dev, packet);
  if (known2) host.skbs.consume(skb);
  else host.skbs.drop(skb, 'arp_ignored');
}

/** Answer a question for an address of ours or one that we stand in for; the asker becomes a neighbour. */
function answer(
  host: Host,
  skb: SkBuff,
  dev: NetDevice,
  packet: ArpPacket,
  delayed: boolean,
): 'done' | 'silent' | 'waits' | 'not ours' {
  const { senderIp, senderMac, targetIp } = packet;
  if (senderIp === IPV4_ANY) {
    // Duplicate address detection (RFC 5227): say that it is taken, learn nothing.
    if (addressType(host, targetIp) !== 'local' || ignores(host, dev, senderIp, targetIp)) return 'silent';
    arpSend(host, dev, { operation: ARP_REPLY, to: senderMac, packet: arpReply(dev, packet), cause: skb });
    return 'done';
  }
  // It is answered if its asker could be, at all.
  const route = routeInputAnswer(host, targetIp, senderIp, dev);
  if (route === undefined) return 'not ours';
  if (route.type !== 'local') return proxyAnswers(host, skb, dev, { packet, route, delayed });
  if (ignores(host, dev, senderIp, targetIp)) return 'silent';
  if (host.inet.either(dev.ifindex, 'arp_filter') && filters(host, dev, senderIp, targetIp)) return 'silent';
  if (!learnAsker(host, dev, packet)) return 'silent';
  arpSend(host, dev, { operation: ARP_REPLY, to: senderMac, packet: arpReply(dev, packet), cause: skb });
  return 'done';
}

/** Who asks will be spoken to. (Linux: neigh_event_ns) */
export function learnAsker(host: Host, dev: NetDevice, { senderIp, senderMac }: ArpPacket): boolean {
  const neighbour = host.neighbours.obtain(dev, senderIp);
  if (neighbour === undefined) return false;
  host.neighbours.update(neighbour, senderMac, 'STALE', { override: true });
  return true;
}

/** Whether net.ipv4.conf.DEV.arp_ignore forbids the answer. (Linux: arp_ignore) */
function ignores(host: Host, dev: NetDevice, sender: Ipv4, target: Ipv4): boolean {
  const { inet } = host;
  switch (inet.larger(dev.ifindex, 'arp_ignore')) {
    case 1:
      return !inet.confirmAddress(dev.ifindex, IPV4_ANY, target, 'host');
    case 2:
      return !inet.confirmAddress(dev.ifindex, sender, target, 'host');
    case 3:
      return !inet.confirmAddress(undefined, IPV4_ANY, target, 'link');
    case 8:
      return true;
    default:
      return false;
  }
}

/** arp_filter: only the device by which we would speak to the asker answers. (Linux: arp_filter) */
function filters(host: Host, dev: NetDevice, sender: Ipv4, target: Ipv4): boolean {
  const route = routeOutput(host, { target: sender, source: target });
  if (isErrno(route)) return true;
  if (route.dev === dev) return false;
  host.snmp.TcpExtArpFilter++;
  return true;
}

/** `dev` has the address that `request` asks for, or stands in for it. */
export function arpReply(dev: NetDevice, request: ArpPacket): ArpPacket {
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
  let neighbour = host.neighbours.lookup(dev, senderIp);
  const accepts = neighbour === undefined && accepted(host, dev, senderIp);
  if (neighbour === undefined && !accepts) return false;
  const gratuitous = isGratuitous(host, packet);
  if (accepts && (gratuitous || (operation === ARP_REPLY && addressType(host, senderIp) === 'unicast')))
    neighbour = host.neighbours.obtain(dev, senderIp);
  if (neighbour === undefined) return false;
  // Several answers to one question: the first counts for locktime, so that proxies do not flap.
  const locked = host.clock.now() <= neighbour.updated + neighbour.parms.lockTime;
  const override = !locked || gratuitous;
  // Broadcast answers and questions do not prove that we can reach it.
  const state = operation === ARP_REPLY && skb.packetType === 'host' ? 'REACHABLE' : 'STALE';
  host.neighbours.update(neighbour, senderMac, state, { override });
  return true;
}

/** Sender and target are one: an announcement. (Linux: arp_is_garp) */
function isGratuitous(host: Host, packet: ArpPacket): boolean {
  if (packet.senderIp !== packet.targetIp) return false;
  if (packet.operation === ARP_REPLY && packet.targetMac !== packet.senderMac) return false;
  return addressType(host, packet.senderIp) === 'unicast';
}

/** Whether news of an unknown neighbour makes an entry: of any (1), or of one on our subnet (2). (arp_accept) */
function accepted(host: Host, dev: NetDevice, sender: Ipv4): boolean {
  const { inet } = host;
  const mode = inet.larger(dev.ifindex, 'arp_accept');
  return mode === 1 || (mode === 2 && inet.confirmAddress(dev.ifindex, sender, IPV4_ANY, 'link'));
}

/** Ask for a neighbour's MAC: at the MAC we have while unicast probes are left, else of everybody. (arp_solicit) */
export function arpSolicit(host: Host, neighbour: Neighbour, waiting: SkBuff | undefined): void {
  const { dev, address, parms, probes } = neighbour;
  const unicast = probes < parms.ucastSolicit.value && neighbour.valid;
  // These are a daemon's to send (app_solicit); none listens here.
  if (!unicast && probes >= parms.ucastSolicit.value && probes < parms.ucastSolicit.value + parms.appSolicit.value)
    return;
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

/** Whom to say we are: by arp_announce the waiting packet's source, if at all, else the device's best. */
function sourceFor(host: Host, dev: NetDevice, address: Ipv4, waiting: SkBuff | undefined): Ipv4 {
  const mode = host.inet.larger(dev.ifindex, 'arp_announce');
  if (waiting !== undefined && mode !== 2) {
    const source = waiting.view.getUint32(waiting.networkHeader + IPV4.SOURCE) as Ipv4;
    const ours = addressType(host, source) === 'local';
    if (ours && (mode !== 1 || host.inet.onLink(dev.ifindex, address, source))) return source;
  }
  return host.inet.selectAddress(dev, address, 'link');
}

/** Tell the link whose our addresses are, when arp_notify says so. (Linux: inetdev_send_gratuitous_arp) */
export function arpNotify(host: Host, dev: NetDevice): void {
  if (!dev.up || dev.kind === 'loopback' || host.inet.larger(dev.ifindex, 'arp_notify') === 0) return;
  for (const { address } of host.inet.device(dev.ifindex)?.addresses ?? []) {
    const packet = { senderMac: dev.mac, senderIp: address, targetMac: MAC_ZERO, targetIp: address };
    arpSend(host, dev, {
      operation: ARP_REQUEST,
      to: MAC_BROADCAST,
      packet: { operation: ARP_REQUEST, ...packet },
      cause: undefined,
    });
  }
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
