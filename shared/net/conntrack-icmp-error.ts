/** ICMP errors belong to the flow whose packet they quote: RELATED (Linux: nf_conntrack_inet_error). */
import { fold } from '../header/checksum.ts';
import { ICMP, ICMP_TYPE } from '../header/icmp.ts';
import { IPV4, IPV4_OFFSET_MASK, ipv4HeaderLength } from '../header/ipv4.ts';
import type { CtInfo } from './conntrack.ts';
import { fillTuple, invertKey, newKey } from './conntrack-tuple.ts';
import { skbSum } from './gso.ts';
import type { Host } from './host.ts';
import type { SkBuff } from './skbuff.ts';

const inner = newKey();
const back = newKey();

/** The quoted packet's flow; `invalid` when the message is bad or quotes no flow; undefined when it is no error. */
export function icmpErrorFlow(host: Host, skb: SkBuff): CtInfo | 'invalid' | undefined {
  const at = skb.networkHeader + ipv4HeaderLength(skb.view, skb.networkHeader);
  if (skb.tail - at < ICMP.SIZE) return 'invalid';
  if (skb.checksum === 'none' && fold(skbSum(skb, at)) !== 0xffff) return 'invalid';
  const type = skb.view.getUint8(at + ICMP.TYPE);
  const quoted = at + ICMP.SIZE;
  switch (type) {
    case ICMP_TYPE.UNREACHABLE:
    case ICMP_TYPE.SOURCE_QUENCH:
    case ICMP_TYPE.TIME_EXCEEDED:
    case ICMP_TYPE.PARAMETER_PROBLEM:
    case ICMP_TYPE.REDIRECT:
      break;
    default:
      return undefined;
  }
  if (!soundQuote(skb, quoted) || !fillTuple(skb, quoted, inner) || !invertKey(inner, back)) return 'invalid';
  // The quoted packet went one way, as it was on this side; the error comes the other way.
  const found = host.conntrack.find(back);
  return found === undefined ? 'invalid' : found.flow.info('related', found.reply);
}

/** A whole header of a first fragment and eight octets more. */
export function soundQuote(skb: SkBuff, quoted: number): boolean {
  const { view } = skb;
  if (skb.tail - quoted < IPV4.SIZE || view.getUint8(quoted) >>> 4 !== 4) return false;
  const length = ipv4HeaderLength(view, quoted);
  if (length < IPV4.SIZE || skb.tail - quoted < length + 8) return false;
  return (view.getUint16(quoted + IPV4.FRAGMENT) & IPV4_OFFSET_MASK) === 0;
}
