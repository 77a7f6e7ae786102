/** The network's side of explicit congestion notification (RFC 3168; Linux: include/net/inet_ecn.h). */
import { updateChecksum } from '../header/checksum.ts';
import { IPV4 } from '../header/ipv4.ts';
import type { SkBuff } from './skbuff.ts';

const ETH_P_IP = 0x0800;
const ECN_MASK = 3;
const CE = 3;

/** Mark a packet whose ends speak ECN; false when they do not, and it should be dropped. (Linux: INET_ECN_set_ce) */
export function ectMarkCe(skb: SkBuff): boolean {
  if (skb.protocol !== ETH_P_IP || skb.networkHeader === 0) return false;
  const { view, networkHeader: at } = skb;
  const before = view.getUint16(at + IPV4.VERSION_IHL);
  const ecn = before & ECN_MASK;
  if (ecn === CE) return true;
  if (ecn === 0) return false;
  const after = before | CE;
  view.setUint16(at + IPV4.VERSION_IHL, after);
  view.setUint16(at + IPV4.CHECKSUM, updateChecksum(view.getUint16(at + IPV4.CHECKSUM), before, after));
  return true;
}
