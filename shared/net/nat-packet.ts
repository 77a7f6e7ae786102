/** Rewriting packets for NAT (Linux: nf_nat_proto.c): addresses, ports, identifiers; sums follow by the difference. */
import { finish, sumBytes, updateChecksum, updateChecksum32 } from '../header/checksum.ts';
import { ICMP, isIcmpError } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { TCP } from '../header/tcp.ts';
import { UDP } from '../header/udp.ts';
import type { Conntrack } from './conntrack.ts';
import { soundQuote } from './conntrack-icmp-error.ts';
import { type FlowKey, invertKey, newKey } from './conntrack-tuple.ts';
import type { Host } from './host.ts';
import type { Manip } from './nat.ts';
import type { SkBuff } from './skbuff.ts';

const wanted = newKey();

/**
 * Make a packet look like the inverse of `other`, the tuple of the opposite direction. The head is the caller's to write
 * (cow). (Linux: nf_nat_manip_pkt)
 */
export function translatePacket(skb: SkBuff, other: FlowKey, manip: Manip): void {
  if (!invertKey(other, wanted)) return;
  rewrite(skb, skb.networkHeader, wanted, manip);
}

/** Change one end of the packet whose IPv4 header is at `ip`: the packet itself, or one quoted. */
function rewrite(skb: SkBuff, ip: number, to: FlowKey, manip: Manip): void {
  const { view } = skb;
  const field = ip + (manip === 'source' ? IPV4.SOURCE : IPV4.TARGET);
  const before = view.getUint32(field);
  const after = manip === 'source' ? to.source : to.target;
  rewritePorts(skb, ip, to, manip, before, after);
  view.setUint32(field, after);
  const checksum = view.getUint16(ip + IPV4.CHECKSUM);
  view.setUint16(ip + IPV4.CHECKSUM, updateChecksum32(checksum, before, after));
}

function rewritePorts(skb: SkBuff, ip: number, to: FlowKey, manip: Manip, before: number, after: number): void {
  const { view } = skb;
  const at = ip + ipv4HeaderLength(view, ip);
  const protocol = view.getUint8(ip + IPV4.PROTOCOL);
  if (protocol === PROTOCOL.ICMP) return rewriteIcmp(skb, at, to);
  if (protocol !== PROTOCOL.TCP && protocol !== PROTOCOL.UDP) return;
  if (skb.tail - at < UDP.SIZE) return;
  const field = at + (manip === 'source' ? 0 : 2);
  const oldPort = view.getUint16(field);
  const newPort = manip === 'source' ? to.sourcePort : to.targetPort;
  view.setUint16(field, newPort);
  const sum = at + (protocol === PROTOCOL.TCP ? TCP.CHECKSUM : UDP.CHECKSUM);
  // A quoted TCP header may end before its checksum.
  if (sum + 2 > skb.tail || (skb.checksum === 'partial' && ip === skb.networkHeader)) return;
  const old = view.getUint16(sum);
  if (protocol === PROTOCOL.UDP && old === 0) return;
  const checksum = updateChecksum(updateChecksum32(old, before, after), oldPort, newPort);
  view.setUint16(sum, checksum === 0 && protocol === PROTOCOL.UDP ? 0xffff : checksum);
}

/** The identifier of questions and answers; errors have none. (Linux: icmp_manip_pkt) */
function rewriteIcmp(skb: SkBuff, at: number, to: FlowKey): void {
  const { view } = skb;
  if (skb.tail - at < ICMP.SIZE || isIcmpError(view.getUint8(at + ICMP.TYPE))) return;
  const before = view.getUint16(at + ICMP.ID);
  const checksum = view.getUint16(at + ICMP.CHECKSUM);
  view.setUint16(at + ICMP.CHECKSUM, updateChecksum(checksum, before, to.sourcePort));
  view.setUint16(at + ICMP.ID, to.sourcePort);
}

/**
 * An error about a translated packet: the quote gets the addresses its sender used, then the outer header follows. The
 * skb stays the caller's. (Linux: nf_nat_icmp_reply_translation)
 */
export function translateIcmpError(host: Host, skb: SkBuff, flow: Conntrack, reply: boolean, manip: Manip): void {
  host.skbs.cow(skb);
  const { view } = skb;
  const ip = skb.networkHeader;
  const at = ip + ipv4HeaderLength(view, ip);
  const quoted = at + ICMP.SIZE;
  if (!soundQuote(skb, quoted)) return;
  const other = reply ? flow.original.key : flow.reply.key;
  // Inside, the packet goes the other way: its other end changes.
  rewrite(skb, quoted, other, manip === 'source' ? 'target' : 'source');
  view.setUint16(at + ICMP.CHECKSUM, 0);
  view.setUint16(at + ICMP.CHECKSUM, finish(sumBytes(skb.bytes, at, skb.tail)));
  const field = ip + (manip === 'source' ? IPV4.SOURCE : IPV4.TARGET);
  const before = view.getUint32(field);
  const after = manip === 'source' ? other.target : other.source;
  const checksum = view.getUint16(ip + IPV4.CHECKSUM);
  view.setUint16(ip + IPV4.CHECKSUM, updateChecksum32(checksum, before, after));
  view.setUint32(field, after);
}
