/**
 * UDP packets that arrive (Linux: __udp4_lib_rcv, udp_queue_rcv_skb, __udp4_lib_err): checked, given to the socket with
 * the best match, or answered with "port unreachable" (RFC 1122 §4.1.3.1).
 */
import { formatIpv4, IPV4_BROADCAST, type Ipv4, isMulticastIpv4 } from '../header/address.ts';
import { pseudoHeaderSum } from '../header/checksum.ts';
import { ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { UDP } from '../header/udp.ts';
import { checksumOf, queueReceived, reportIcmpError } from './datagram.ts';
import type { DropReason } from './drop.ts';
import type { Host } from './host.ts';
import { icmpSend } from './icmp.ts';
import type { IcmpInfo } from './ip-input.ts';
import { Route } from './route.ts';
import type { SkBuff } from './skbuff.ts';
import type { UdpTable, UdpTuple } from './udp-table.ts';

/** A datagram for this host; `data` is at the UDP header. Consumes `skb`. (Linux: udp_rcv) */
export function udpReceive(host: Host, table: UdpTable, skb: SkBuff): void {
  const bad = check(skb);
  if (bad !== undefined) {
    host.snmp.UdpInErrors++;
    if (bad === 'udp_bad_checksum') host.snmp.UdpInCsumErrors++;
    host.skbs.drop(skb, bad);
    return;
  }
  const tuple = tupleOf(skb);
  if (host.trace.on) traceReceive(host, skb, tuple);
  if (isGroup(skb, tuple.target)) {
    deliverToGroup(host, table, skb, tuple);
    return;
  }
  const sk = table.lookup(tuple);
  if (sk === undefined) {
    host.snmp.UdpNoPorts++;
    icmpSend(host, skb, ICMP_TYPE.UNREACHABLE, UNREACHABLE.PORT, 0);
    host.skbs.drop(skb, 'no_socket');
    return;
  }
  skb.pull(UDP.SIZE);
  queue(host, sk, skb);
}

/** Consumes `skb`. */
function queue(host: Host, sk: Parameters<typeof queueReceived>[0], skb: SkBuff): void {
  if (queueReceived(sk, skb)) {
    host.snmp.UdpInDatagrams++;
  } else {
    host.snmp.UdpInErrors++;
    host.snmp.UdpRcvbufErrors++;
  }
}

/** Why the datagram is no good, if it is not. */
function check(skb: SkBuff): DropReason | undefined {
  if (skb.headLength < UDP.SIZE) return 'udp_too_short';
  const { view, data } = skb;
  const length = view.getUint16(data + UDP.LENGTH);
  if (length < UDP.SIZE || length > skb.length) return 'udp_bad_length';
  const sum = view.getUint16(data + UDP.CHECKSUM);
  if (sum === 0 || skb.checksum !== 'none') return undefined;
  const source = view.getUint32(skb.networkHeader + IPV4.SOURCE);
  const target = view.getUint32(skb.networkHeader + IPV4.TARGET);
  const good = checksumOf(skb, length, pseudoHeaderSum(source, target, PROTOCOL.UDP, length)) === 0;
  return good ? undefined : 'udp_bad_checksum';
}

function tupleOf(skb: SkBuff): UdpTuple {
  const { view } = skb;
  return {
    source: view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4,
    sourcePort: view.getUint16(skb.data + UDP.SOURCE_PORT),
    target: view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4,
    targetPort: view.getUint16(skb.data + UDP.TARGET_PORT),
    ifindex: skb.ifindex,
  };
}

function isGroup(skb: SkBuff, target: Ipv4): boolean {
  if (isMulticastIpv4(target) || target === IPV4_BROADCAST) return true;
  return skb.route instanceof Route && (skb.route.type === 'broadcast' || skb.route.type === 'multicast');
}

/** To all who listen, each with a clone; silence when nobody does (RFC 1122 §4.1.3.1). Consumes `skb`. */
function deliverToGroup(host: Host, table: UdpTable, skb: SkBuff, tuple: UdpTuple): void {
  const socks = table.matching(tuple);
  const last = socks.pop();
  if (last === undefined) {
    host.snmp.UdpIgnoredMulti++;
    host.skbs.drop(skb, 'no_socket');
    return;
  }
  skb.pull(UDP.SIZE);
  for (const sk of socks) queue(host, sk, host.skbs.clone(skb));
  queue(host, last, skb);
}

function traceReceive(host: Host, skb: SkBuff, tuple: UdpTuple): void {
  host.trace.point('udp_rcv', skb, {
    from: `${formatIpv4(tuple.source)}:${tuple.sourcePort}`,
    to: `${formatIpv4(tuple.target)}:${tuple.targetPort}`,
    length: skb.view.getUint16(skb.data + UDP.LENGTH) - UDP.SIZE,
  });
}

/**
 * An ICMP error about a datagram that we sent; `data` is at the quoted IP header. Leaves `skb` to the caller.
 * (Linux: udp_err)
 */
export function udpError(host: Host, table: UdpTable, skb: SkBuff, info: IcmpInfo): void {
  const at = skb.data;
  const headerLength = ipv4HeaderLength(skb.view, at);
  const udpAt = at + headerLength;
  if (udpAt + UDP.SIZE > skb.tail) {
    host.snmp.IcmpInErrors++;
    return;
  }
  const { view } = skb;
  const to = {
    address: view.getUint32(at + IPV4.TARGET) as Ipv4,
    port: view.getUint16(udpAt + UDP.TARGET_PORT),
  };
  // Seen from the socket, the quoted packet's target is its peer.
  const sk = table.lookup({
    source: to.address,
    sourcePort: to.port,
    target: view.getUint32(at + IPV4.SOURCE) as Ipv4,
    targetPort: view.getUint16(udpAt + UDP.SOURCE_PORT),
    ifindex: skb.ifindex,
  });
  if (sk === undefined) {
    host.snmp.IcmpInErrors++;
    return;
  }
  reportIcmpError(sk, skb, { info, to, payloadAt: udpAt + UDP.SIZE });
}
