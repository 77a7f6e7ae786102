/** What names one direction of a flow (struct nf_conntrack_tuple): addresses, ports or the like, protocol. */
import type { Ipv4 } from '../header/address.ts';
import { ICMP, ICMP_TYPE } from '../header/icmp.ts';
import { IPV4, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import type { SkBuff } from './skbuff.ts';

export interface FlowKey {
  protocol: number;
  source: Ipv4;
  target: Ipv4;
  /** ICMP: the identifier. */
  sourcePort: number;
  /** ICMP: type * 256 + code. */
  targetPort: number;
}

export function newKey(): FlowKey {
  return { protocol: 0, source: 0 as Ipv4, target: 0 as Ipv4, sourcePort: 0, targetPort: 0 };
}

/** Read the tuple of the packet whose IPv4 header is at `ip`; false when it is cut short. (Linux: nf_ct_get_tuple) */
export function fillTuple(skb: SkBuff, ip: number, key: FlowKey): boolean {
  const { view } = skb;
  const at = ip + ipv4HeaderLength(view, ip);
  key.protocol = view.getUint8(ip + IPV4.PROTOCOL);
  key.source = view.getUint32(ip + IPV4.SOURCE) as Ipv4;
  key.target = view.getUint32(ip + IPV4.TARGET) as Ipv4;
  key.sourcePort = 0;
  key.targetPort = 0;
  if (key.protocol === PROTOCOL.TCP || key.protocol === PROTOCOL.UDP) {
    if (at + 4 > skb.tail) return false;
    key.sourcePort = view.getUint16(at);
    key.targetPort = view.getUint16(at + 2);
  } else if (key.protocol === PROTOCOL.ICMP) {
    if (at + ICMP.SIZE > skb.tail) return false;
    key.sourcePort = view.getUint16(at + ICMP.ID);
    key.targetPort = view.getUint16(at + ICMP.TYPE);
  }
  return true;
}

/** The answer to an ICMP question, by type; undefined for what is no question or answer. */
function inverseIcmp(type: number): number | undefined {
  switch (type) {
    case ICMP_TYPE.ECHO_REQUEST:
      return ICMP_TYPE.ECHO_REPLY;
    case ICMP_TYPE.ECHO_REPLY:
      return ICMP_TYPE.ECHO_REQUEST;
    case ICMP_TYPE.TIMESTAMP:
      return ICMP_TYPE.TIMESTAMP_REPLY;
    case ICMP_TYPE.TIMESTAMP_REPLY:
      return ICMP_TYPE.TIMESTAMP;
    default:
      return undefined;
  }
}

/** The tuple of the other direction; false when there is none. (Linux: nf_ct_invert_tuple) */
export function invertKey(from: FlowKey, to: FlowKey): boolean {
  to.protocol = from.protocol;
  to.source = from.target;
  to.target = from.source;
  if (from.protocol === PROTOCOL.ICMP) {
    const type = inverseIcmp(from.targetPort >>> 8);
    if (type === undefined) return false;
    to.sourcePort = from.sourcePort;
    to.targetPort = (type << 8) | (from.targetPort & 255);
    return true;
  }
  to.sourcePort = from.targetPort;
  to.targetPort = from.sourcePort;
  return true;
}
