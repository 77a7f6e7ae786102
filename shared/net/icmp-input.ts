/**
 * ICMP in (RFC 792, RFC 1122 §3.2.2; Linux: icmp_rcv): echo and timestamps answered, errors handed to the protocol whose
 * packet they quote, redirects and path MTU learned. The checks stand in icmp_rcv's order.
 */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import { fold } from '../header/checksum.ts';
import { ICMP, ICMP_TYPE, UNREACHABLE } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { skbSum } from './gso.ts';
import type { Host } from './host.ts';
import { icmpPush } from './icmp.ts';
import type { IcmpInfo, ProtocolHandler } from './ip-input.ts';
import { timestampNow } from './ip-options.ts';
import { echoOptions } from './ip-options-echo.ts';
import { KERN } from './printk.ts';
import { ipDoRedirect, ipUpdatePmtu, type Route } from './route.ts';
import { HEADROOM, type SkBuff } from './skbuff.ts';

/** Linux: NR_ICMP_TYPES, NR_ICMP_UNREACH. */
const TYPE_MAX = 18;
const UNREACHABLE_CODE_MAX = 15;
/** RFC 1191 §5: a router that gives no MTU gets the next plateau; Linux takes 68 at least. */
const MTU_MIN = 68;
const TIMESTAMP_BYTES = 12;

export const icmpProtocol: ProtocolHandler = { receive: icmpReceive, error: icmpError };

/** An ICMP message, skb.data at its header. Consumes `skb`. (Linux: icmp_rcv) */
function icmpReceive(host: Host, skb: SkBuff): void {
  const { snmp } = host;
  snmp.IcmpInMsgs++;
  if (skb.checksum === 'none' && fold(skbSum(skb, skb.data)) !== 0xffff) {
    snmp.IcmpInCsumErrors++;
    snmp.IcmpInErrors++;
    return host.skbs.drop(skb, 'icmp_bad_checksum');
  }
  if (skb.headLength < ICMP.SIZE) {
    snmp.IcmpInErrors++;
    return host.skbs.drop(skb, 'icmp_too_short');
  }
  const type = skb.view.getUint8(skb.data + ICMP.TYPE);
  const code = skb.view.getUint8(skb.data + ICMP.CODE);
  snmp.icmpIn.set(type, (snmp.icmpIn.get(type) ?? 0) + 1);
  countIn(host, type);
  if (host.trace.on) host.trace.point('icmp_rcv', skb, { type, code });
  if (type > TYPE_MAX) {
    snmp.IcmpInErrors++;
    return host.skbs.drop(skb, 'icmp_unknown_type');
  }
  const route = skb.route as Route | undefined;
  if (route?.type === 'broadcast' || route?.type === 'multicast') {
    // RFC 1122 §3.2.2.6 and .8 leave the choice; Linux is silent, or every host would answer at once.
    const question = type === ICMP_TYPE.ECHO_REQUEST || type === ICMP_TYPE.TIMESTAMP;
    if (!question || host.icmpLimits.ignoreBroadcasts.value !== 0) {
      snmp.IcmpInErrors++;
      return host.skbs.drop(skb, 'icmp_broadcast');
    }
  }
  switch (type) {
    case ICMP_TYPE.ECHO_REQUEST:
      return icmpEcho(host, skb, code);
    case ICMP_TYPE.TIMESTAMP:
      return icmpTimestamp(host, skb);
    case ICMP_TYPE.ECHO_REPLY:
      if (host.pingReceive?.(skb) === true) return;
      // A raw socket has its copy already: nothing is lost.
      return host.skbs.consume(skb);
    case ICMP_TYPE.UNREACHABLE:
    case ICMP_TYPE.TIME_EXCEEDED:
    case ICMP_TYPE.PARAMETER_PROBLEM:
    case ICMP_TYPE.SOURCE_QUENCH:
      return icmpUnreachable(host, skb, type, code);
    case ICMP_TYPE.REDIRECT:
      return icmpRedirect(host, skb, code);
    case ICMP_TYPE.TIMESTAMP_REPLY:
      return host.skbs.consume(skb);
    default:
      return host.skbs.drop(skb, 'icmp_unknown_type');
  }
}

function countIn(host: Host, type: number): void {
  const { snmp } = host;
  switch (type) {
    case ICMP_TYPE.ECHO_REPLY:
      snmp.IcmpInEchoReps++;
      break;
    case ICMP_TYPE.UNREACHABLE:
      snmp.IcmpInDestUnreachs++;
      break;
    case ICMP_TYPE.SOURCE_QUENCH:
      snmp.IcmpInSrcQuenchs++;
      break;
    case ICMP_TYPE.REDIRECT:
      snmp.IcmpInRedirects++;
      break;
    case ICMP_TYPE.ECHO_REQUEST:
      snmp.IcmpInEchos++;
      break;
    case ICMP_TYPE.TIME_EXCEEDED:
      snmp.IcmpInTimeExcds++;
      break;
    case ICMP_TYPE.PARAMETER_PROBLEM:
      snmp.IcmpInParmProbs++;
      break;
    case ICMP_TYPE.TIMESTAMP:
      snmp.IcmpInTimestamps++;
      break;
    case ICMP_TYPE.TIMESTAMP_REPLY:
      snmp.IcmpInTimestampReps++;
      break;
    default:
  }
}

/** The same id, sequence, data and code go back, from the address that was asked. Consumes `skb`. (Linux: icmp_echo) */
function icmpEcho(host: Host, skb: SkBuff, code: number): void {
  if (host.icmpLimits.ignoreAll.value !== 0) return host.skbs.drop(skb, 'icmp_ignored');
  const reply = host.skbs.alloc(HEADROOM + skb.length);
  reply.reserve(HEADROOM);
  reply.put(skb.length);
  skb.copyBits(0, skb.length, reply.bytes, reply.data);
  answer(host, skb, reply, ICMP_TYPE.ECHO_REPLY, code);
}

/** When it came and when it leaves, in milliseconds since midnight of the lab. Consumes `skb`. (Linux: icmp_timestamp) */
function icmpTimestamp(host: Host, skb: SkBuff): void {
  if (skb.headLength < ICMP.SIZE + TIMESTAMP_BYTES) {
    host.snmp.IcmpInErrors++;
    return host.skbs.drop(skb, 'icmp_too_short', 'icmp_timestamp');
  }
  const reply = host.skbs.alloc(HEADROOM + ICMP.SIZE + TIMESTAMP_BYTES);
  reply.reserve(HEADROOM);
  const at = reply.put(ICMP.SIZE + TIMESTAMP_BYTES);
  skb.copyBits(0, ICMP.SIZE + 4, reply.bytes, at);
  const now = timestampNow(host);
  reply.view.setUint32(at + ICMP.SIZE + 4, now);
  reply.view.setUint32(at + ICMP.SIZE + 8, now);
  answer(host, skb, reply, ICMP_TYPE.TIMESTAMP_REPLY, 0);
}

/** Send a reply back where `skb` came from; consumes both. (Linux: icmp_reply) */
function answer(host: Host, skb: SkBuff, reply: SkBuff, type: number, code: number): void {
  const ip = skb.networkHeader;
  const route = skb.route as Route | undefined;
  const asked = skb.view.getUint32(ip + IPV4.TARGET) as Ipv4;
  reply.cause = skb.cause;
  icmpPush(host, reply, {
    type,
    code,
    source: route?.type === 'local' ? asked : (0 as Ipv4),
    target: skb.view.getUint32(ip + IPV4.SOURCE) as Ipv4,
    tos: skb.view.getUint8(ip + IPV4.TOS),
    ipOptions: echoOptions(host, skb),
  });
  host.skbs.consume(skb);
}

/** An error about a packet of ours, quoted: hand it to its protocol. Consumes `skb`. (Linux: icmp_unreach) */
function icmpUnreachable(host: Host, skb: SkBuff, type: number, code: number): void {
  const { view } = skb;
  const rest = skb.data + ICMP.REST;
  const from = view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4;
  const mtu = view.getUint16(skb.data + ICMP.MTU);
  let value = 0;
  if (type === ICMP_TYPE.PARAMETER_PROBLEM) value = view.getUint8(rest);
  if (type === ICMP_TYPE.UNREACHABLE) {
    if (code > UNREACHABLE_CODE_MAX) return host.skbs.drop(skb, 'icmp_unknown_type', 'icmp_unreach');
    if (code === UNREACHABLE.FRAGMENTATION_NEEDED) value = Math.max(mtu, MTU_MIN);
  }
  const quoted = quotedHeader(host, skb);
  if (quoted === undefined) return;
  const target = view.getUint32(quoted + IPV4.TARGET) as Ipv4;
  // RFC 1122 §3.2.2: nobody may say so of a packet to a broadcast address. Linux looks only when it is told to.
  if (host.icmpLimits.ignoreBogus.value === 0 && host.routes.addressType(target) === 'broadcast') {
    const [who, whom] = [formatIpv4(from), formatIpv4(target)];
    const text = `ICMP: ${who} sent an invalid ICMP type ${type}, code ${code} error to a broadcast: ${whom}`;
    host.log.rationed(KERN.WARNING, () => `${text} on ${host.devices.byIndex(skb.ifindex)?.name ?? ''}`);
    return host.skbs.drop(skb, 'icmp_broadcast', 'icmp_unreach');
  }
  deliverError(host, skb, quoted, { type, code, value, from });
}

/** The quoted header's offset, when the quote is long enough; else the message is dropped and counted. */
function quotedHeader(host: Host, skb: SkBuff): number | undefined {
  const at = skb.data + ICMP.SIZE;
  if (skb.tail - at >= IPV4.SIZE) {
    const length = ipv4HeaderLength(skb.view, at);
    const version = skb.view.getUint8(at) >>> 4;
    if (version === 4 && length >= IPV4.SIZE && skb.tail - at >= length + 8) return at;
  }
  host.snmp.IcmpInErrors++;
  host.skbs.drop(skb, 'icmp_too_short', 'icmp_unreach');
  return undefined;
}

/** Consumes `skb`; the handlers see it with skb.data at the quoted header. (Linux: icmp_socket_deliver) */
function deliverError(host: Host, skb: SkBuff, quoted: number, info: IcmpInfo): void {
  const protocol = skb.view.getUint8(quoted + IPV4.PROTOCOL);
  const tooBig = info.type === ICMP_TYPE.UNREACHABLE && info.code === UNREACHABLE.FRAGMENTATION_NEEDED;
  // TCP believes it only for a sequence number in its window, and calls ipUpdatePmtu itself.
  if (tooBig && protocol !== PROTOCOL.TCP)
    ipUpdatePmtu(host, skb.view.getUint32(quoted + IPV4.TARGET) as Ipv4, info.value);
  skb.pull(quoted - skb.data);
  host.rawError?.(skb, protocol, info);
  host.protocols.get(protocol)?.error(host, skb, info);
  host.skbs.consume(skb);
}

/** An error about an ICMP message of ours: for ping sockets. (Linux: icmp_err) */
function icmpError(host: Host, skb: SkBuff, info: IcmpInfo): void {
  host.pingError?.(skb, info);
}

/** A router knows a better way. Consumes `skb`. (Linux: icmp_redirect) */
function icmpRedirect(host: Host, skb: SkBuff, code: number): void {
  const quoted = quotedHeader(host, skb);
  if (quoted === undefined) return;
  const dev = host.devices.byIndex(skb.ifindex);
  if (dev !== undefined && code <= 3) {
    const from = skb.view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4;
    const gateway = skb.view.getUint32(skb.data + ICMP.GATEWAY) as Ipv4;
    ipDoRedirect(host, dev, from, skb.view.getUint32(quoted + IPV4.TARGET) as Ipv4, gateway);
  }
  host.skbs.consume(skb);
}
