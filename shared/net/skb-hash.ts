/** A number that packets of one flow share (Linux: skb_get_hash): of addresses, protocol and ports, the same both in fq and fq_codel. */
import { IPV4, IPV4_OFFSET_MASK, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import type { SkBuff } from './skbuff.ts';

const ETH_P_IP = 0x0800;

/** 32 bits, unsigned. Of what is not IPv4 only the type counts. */
export function flowHash(skb: SkBuff): number {
  if (skb.protocol !== ETH_P_IP) return mix(skb.protocol, 0, 0);
  const { view, networkHeader: at } = skb;
  const protocol = view.getUint8(at + IPV4.PROTOCOL);
  const hasPorts =
    (protocol === PROTOCOL.TCP || protocol === PROTOCOL.UDP) &&
    (view.getUint16(at + IPV4.FRAGMENT) & IPV4_OFFSET_MASK) === 0;
  const ports = hasPorts ? view.getUint32(at + ipv4HeaderLength(view, at)) : 0;
  return mix(view.getUint32(at + IPV4.SOURCE), view.getUint32(at + IPV4.TARGET), ports ^ protocol);
}

function mix(a: number, b: number, c: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0x9e37_79b1), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 15) ^ c, 0xc2b2_ae35);
  return (h ^ (h >>> 13)) >>> 0;
}
