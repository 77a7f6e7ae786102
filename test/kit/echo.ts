/** Pings without sockets: echo requests built by hand, and a ledger of the replies and errors that came back. */
import type { Ipv4 } from '../../shared/header/address.ts';
import { finish, sumBytes } from '../../shared/header/checksum.ts';
import { ICMP, ICMP_TYPE } from '../../shared/header/icmp.ts';
import { IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import type { Errno } from '../../shared/net/errno.ts';
import type { Host } from '../../shared/net/host.ts';
import type { IcmpInfo } from '../../shared/net/ip-input.ts';
import { type IpSendOptions, ipSendSkb } from '../../shared/net/ip-output.ts';
import { HEADROOM } from '../../shared/net/skbuff.ts';

export interface EchoReply {
  readonly from: Ipv4;
  readonly id: number;
  readonly sequence: number;
  readonly ttl: number;
  readonly size: number;
  readonly code: number;
}

export interface EchoLedger {
  readonly replies: EchoReply[];
  readonly errors: IcmpInfo[];
}

/** Catch the echo replies of a host and the errors about its requests. */
export function listenEcho(host: Host): EchoLedger {
  const ledger: EchoLedger = { replies: [], errors: [] };
  host.pingReceive = (skb) => {
    const { view } = skb;
    ledger.replies.push({
      from: view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4,
      id: view.getUint16(skb.data + ICMP.ID),
      sequence: view.getUint16(skb.data + ICMP.SEQUENCE),
      ttl: view.getUint8(skb.networkHeader + IPV4.TTL),
      size: skb.length - ICMP.SIZE,
      code: view.getUint8(skb.data + ICMP.CODE),
    });
    host.skbs.consume(skb);
    return true;
  };
  host.pingError = (_, info) => ledger.errors.push(info);
  return ledger;
}

/** Send one echo request of `size` data octets. */
export function sendEcho(
  host: Host,
  target: Ipv4,
  options: Partial<IpSendOptions> & { id?: number; sequence?: number; size?: number; code?: number } = {},
): Errno | undefined {
  const { id = 7, sequence = 1, size = 56, code = 0, ...send } = options;
  const skb = host.skbs.alloc(HEADROOM + ICMP.SIZE + size);
  skb.reserve(HEADROOM);
  const at = skb.put(ICMP.SIZE + size);
  skb.view.setUint8(at, ICMP_TYPE.ECHO_REQUEST);
  skb.view.setUint8(at + ICMP.CODE, code);
  skb.view.setUint16(at + ICMP.ID, id);
  skb.view.setUint16(at + ICMP.SEQUENCE, sequence);
  skb.view.setUint16(at + ICMP.CHECKSUM, 0);
  for (let n = 0; n < size; n++) skb.bytes[at + ICMP.SIZE + n] = n & 255;
  skb.view.setUint16(at + ICMP.CHECKSUM, finish(sumBytes(skb.bytes, at, skb.tail)));
  return ipSendSkb(host, skb, { source: 0 as Ipv4, target, protocol: PROTOCOL.ICMP, ...send });
}
