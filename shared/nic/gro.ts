/**
 * Generic receive offload: TCP segments of one flow that come back to back in one poll go up the stack as one packet,
 * payload in frags. (Linux: inet_gro_receive, tcp_gro_receive, tcp_gro_complete)
 *
 * Only what can be cut again into the very same segments is merged: same addresses, ports, acknowledgement, window,
 * flags (but FIN and PSH), options, TTL, TOS and DF; the next sequence number; no segment longer than the first. PSH,
 * FIN or a shorter segment is the last of its packet. Everything is flushed when the poll ends, so nothing waits.
 */
import { fold, updateChecksum } from '../header/checksum.ts';
import { ETHERNET, ETHERTYPE } from '../header/ethernet.ts';
import { IPV4, IPV4_DF, IPV4_MF, IPV4_OFFSET_MASK, PROTOCOL } from '../header/ipv4.ts';
import { TCP, TCP_FLAG, tcpHeaderLength } from '../header/tcp.ts';
import type { Host } from '../net/host.ts';
import { SKB_STRUCT_BYTES, type SkBuff } from '../net/skbuff.ts';

/** Linux: MAX_GRO_SKBS, flows held at a time. */
const FLOWS_MAX = 8;
/** A total length field has 16 bits. */
const TOTAL_LENGTH_MAX = 65_535;
/** Only headers without IP options are looked at (as inet_gro_receive). */
const IP_PLAIN = 0x45;
const TCP_AT = ETHERNET.SIZE + IPV4.SIZE;
const LAST_FLAGS = TCP_FLAG.FIN | TCP_FLAG.PSH;
const NEVER_MERGED = TCP_FLAG.SYN | TCP_FLAG.RST | TCP_FLAG.URG;

/** A packet in the making. */
class Flow {
  skb: SkBuff | undefined;
  source = 0;
  target = 0;
  ports = 0;
  nextSequence = 0;
  /** From the link header to the payload. */
  headers = 0;
  segmentSize = 0;
  segments = 0;
  totalLength = 0;
}

export class Gro {
  merged = 0;
  private readonly host: Host;
  private readonly deliver: (skb: SkBuff) => void;
  private readonly flows: Flow[] = [];
  private held = 0;

  constructor(host: Host, deliver: (skb: SkBuff) => void) {
    this.host = host;
    this.deliver = deliver;
  }

  /** Merge a received packet, hold it, or pass it on. Owns `skb`. (Linux: dev_gro_receive) */
  receive(skb: SkBuff): void {
    const { view, data } = skb;
    if (skb.checksum !== 'unnecessary' || !isPlainTcp(view, data)) return this.deliver(skb);
    const source = view.getUint32(data + ETHERNET.SIZE + IPV4.SOURCE);
    const target = view.getUint32(data + ETHERNET.SIZE + IPV4.TARGET);
    const ports = view.getUint32(data + TCP_AT + TCP.SOURCE_PORT);
    const flow = this.find(source, target, ports);
    const totalLength = view.getUint16(data + ETHERNET.SIZE + IPV4.TOTAL_LENGTH);
    const headers = TCP_AT + tcpHeaderLength(view, data + TCP_AT);
    const payload = ETHERNET.SIZE + totalLength - headers;
    const flags = view.getUint8(data + TCP_AT + TCP.FLAGS);
    const mergeable = payload > 0 && (flags & NEVER_MERGED) === 0 && ETHERNET.SIZE + totalLength === skb.headLength;
    if (flow !== undefined) {
      if (mergeable && this.merge(flow, skb, headers, payload)) {
        if (payload < flow.segmentSize || (flags & LAST_FLAGS) !== 0) this.flush(flow);
        return;
      }
      this.flush(flow);
    }
    if (!mergeable || (flags & LAST_FLAGS) !== 0) return this.deliver(skb);
    const fresh = this.hold(skb, headers, payload);
    fresh.source = source;
    fresh.target = target;
    fresh.ports = ports;
    fresh.totalLength = totalLength;
    fresh.nextSequence = (view.getUint32(data + TCP_AT + TCP.SEQUENCE) + payload) >>> 0;
  }

  /** The poll ends: everything goes up (napi_gro_flush). */
  flushAll(): void {
    if (this.held === 0) return;
    for (const flow of this.flows) if (flow.skb !== undefined) this.flush(flow);
  }

  private find(source: number, target: number, ports: number): Flow | undefined {
    if (this.held === 0) return undefined;
    for (const flow of this.flows) {
      if (flow.ports === ports && flow.source === source && flow.target === target && flow.skb !== undefined)
        return flow;
    }
    return undefined;
  }

  private hold(skb: SkBuff, headers: number, payload: number): Flow {
    let flow = this.flows.find((other) => other.skb === undefined);
    if (flow === undefined) {
      if (this.flows.length < FLOWS_MAX) {
        flow = new Flow();
      } else {
        // The flow that was held longest makes room.
        flow = this.flows.shift()!;
        this.flush(flow);
      }
      this.flows.push(flow);
    }
    this.held++;
    flow.skb = skb;
    flow.headers = headers;
    flow.segmentSize = payload;
    flow.segments = 1;
    return flow;
  }

  /** Take a segment into its flow's packet if it is the very next one. Consumes `skb` when it answers true. */
  private merge(flow: Flow, skb: SkBuff, headers: number, payload: number): boolean {
    const first = flow.skb!;
    if (headers !== flow.headers || payload > flow.segmentSize) return false;
    if (flow.totalLength + payload > TOTAL_LENGTH_MAX) return false;
    if (skb.view.getUint32(skb.data + TCP_AT + TCP.SEQUENCE) !== flow.nextSequence) return false;
    if (!sameHeaders(first, skb, headers, flow.segments)) return false;
    first.addFrag(skb.head, skb.data + headers, payload);
    // Its page stays, the sk_buff around it goes.
    first.truesize += skb.truesize - SKB_STRUCT_BYTES;
    const flagsAt = TCP_AT + TCP.FLAGS;
    first.bytes[first.data + flagsAt]! |= skb.bytes[skb.data + flagsAt]! & LAST_FLAGS;
    flow.totalLength += payload;
    flow.nextSequence = (flow.nextSequence + payload) >>> 0;
    flow.segments++;
    this.merged++;
    const { trace, skbs } = this.host;
    if (trace.on) trace.point('dev_gro_receive', skb, { into: first.traceNumber, segments: flow.segments });
    skbs.consume(skb);
    return true;
  }

  /** Make the merged headers true and pass the packet up (tcp_gro_complete). */
  private flush(flow: Flow): void {
    const skb = flow.skb!;
    flow.skb = undefined;
    this.held--;
    if (flow.segments > 1) {
      const ip = skb.data + ETHERNET.SIZE;
      const { view } = skb;
      const before = view.getUint16(ip + IPV4.TOTAL_LENGTH);
      view.setUint16(ip + IPV4.TOTAL_LENGTH, flow.totalLength);
      const checksum = view.getUint16(ip + IPV4.CHECKSUM);
      view.setUint16(ip + IPV4.CHECKSUM, updateChecksum(checksum, before, flow.totalLength));
      skb.gsoSize = flow.segmentSize;
      skb.gsoSegments = flow.segments;
      // All of them had it, so all shall have it again.
      skb.gsoAccecn = (view.getUint8(skb.data + TCP_AT + TCP.FLAGS) & TCP_FLAG.CWR) !== 0;
    }
    this.deliver(skb);
  }
}

/** A whole TCP packet over IPv4 without IP options, its headers complete (its checksum has been seen to). */
function isPlainTcp(view: DataView, at: number): boolean {
  if (view.getUint16(at + ETHERNET.TYPE) !== ETHERTYPE.IPV4) return false;
  const ip = at + ETHERNET.SIZE;
  if (view.getUint8(ip) !== IP_PLAIN || view.getUint8(ip + IPV4.PROTOCOL) !== PROTOCOL.TCP) return false;
  if ((view.getUint16(ip + IPV4.FRAGMENT) & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0) return false;
  const header = tcpHeaderLength(view, at + TCP_AT);
  if (header < TCP.SIZE || IPV4.SIZE + header > view.getUint16(ip + IPV4.TOTAL_LENGTH)) return false;
  return headerSumOk(view, ip);
}

/** Nobody looks at the IP headers of what is merged into another packet, so it is done here. (ip_fast_csum in inet_gro_receive) */
function headerSumOk(view: DataView, ip: number): boolean {
  let sum = 0;
  for (let at = ip; at < ip + IPV4.SIZE; at += 4) {
    const word = view.getUint32(at);
    sum += (word >>> 16) + (word & 0xffff);
  }
  return fold(sum) === 0xffff;
}

/** Whether cutting the merged packet would give this segment's headers back. */
function sameHeaders(first: SkBuff, skb: SkBuff, headers: number, index: number): boolean {
  const a = first.view;
  const b = skb.view;
  const ipA = first.data + ETHERNET.SIZE;
  const ipB = skb.data + ETHERNET.SIZE;
  // A card of another make on the way: MAC addresses differ, so it is not the same hop.
  if (a.getUint32(first.data + ETHERNET.SOURCE) !== b.getUint32(skb.data + ETHERNET.SOURCE)) return false;
  if (a.getUint16(first.data + ETHERNET.SOURCE + 4) !== b.getUint16(skb.data + ETHERNET.SOURCE + 4)) return false;
  if (a.getUint8(ipA + IPV4.TOS) !== b.getUint8(ipB + IPV4.TOS)) return false;
  if (a.getUint8(ipA + IPV4.TTL) !== b.getUint8(ipB + IPV4.TTL)) return false;
  const fragment = a.getUint16(ipA + IPV4.FRAGMENT);
  if (fragment !== b.getUint16(ipB + IPV4.FRAGMENT)) return false;
  const id = a.getUint16(ipA + IPV4.ID);
  const counted = b.getUint16(ipB + IPV4.ID) === ((id + index) & 0xffff);
  const fixed = fragment === IPV4_DF && b.getUint16(ipB + IPV4.ID) === id;
  if (!counted && !fixed) return false;
  const tcpA = first.data + TCP_AT;
  const tcpB = skb.data + TCP_AT;
  if (a.getUint32(tcpA + TCP.ACKNOWLEDGEMENT) !== b.getUint32(tcpB + TCP.ACKNOWLEDGEMENT)) return false;
  // Offset, flags and window in one word (tcp_flag_word), FIN and PSH aside.
  const differs = a.getUint32(tcpA + TCP.OFFSET) ^ b.getUint32(tcpB + TCP.OFFSET);
  if ((differs & ~(LAST_FLAGS << 16)) !== 0) return false;
  for (let at = TCP_AT + TCP.SIZE; at < headers; at += 4) {
    if (a.getUint32(first.data + at) !== b.getUint32(skb.data + at)) return false;
  }
  return true;
}
