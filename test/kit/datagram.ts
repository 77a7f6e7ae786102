/** TCP and UDP packets made by hand, and a ledger of what arrives: for tests of what lies below the transports. */
import type { Ipv4 } from '../../shared/header/address.ts';
import { IPV4, PROTOCOL } from '../../shared/header/ipv4.ts';
import { TCP } from '../../shared/header/tcp.ts';
import { UDP } from '../../shared/header/udp.ts';
import type { Errno } from '../../shared/net/errno.ts';
import { transportChecksumOk } from '../../shared/net/gso.ts';
import type { Host } from '../../shared/net/host.ts';
import type { IcmpInfo } from '../../shared/net/ip-input.ts';
import { type IpSendOptions, ipSendSkb } from '../../shared/net/ip-output.ts';
import { HEADROOM } from '../../shared/net/skbuff.ts';

export interface Arrival {
  readonly source: Ipv4;
  readonly target: Ipv4;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly length: number;
  readonly checksumOk: boolean;
  readonly flags: number;
}

export interface ErrorArrival extends IcmpInfo {
  readonly quotedSource: Ipv4;
  readonly quotedSourcePort: number;
}

export interface Ledger {
  readonly arrivals: Arrival[];
  readonly errors: ErrorArrival[];
}

/** Catch what comes for a protocol. */
export function listen(host: Host, protocol: number): Ledger {
  const ledger: Ledger = { arrivals: [], errors: [] };
  host.protocols.set(protocol, {
    receive: (_, skb) => {
      const { view } = skb;
      ledger.arrivals.push({
        source: view.getUint32(skb.networkHeader + IPV4.SOURCE) as Ipv4,
        target: view.getUint32(skb.networkHeader + IPV4.TARGET) as Ipv4,
        sourcePort: view.getUint16(skb.data),
        targetPort: view.getUint16(skb.data + 2),
        length: skb.length,
        checksumOk: transportChecksumOk(skb, protocol),
        flags: protocol === PROTOCOL.TCP ? view.getUint8(skb.data + TCP.FLAGS) : 0,
      });
      host.skbs.consume(skb);
    },
    error: (_, skb, info) => {
      const quotedSource = skb.view.getUint32(skb.data + IPV4.SOURCE) as Ipv4;
      ledger.errors.push({ ...info, quotedSource, quotedSourcePort: skb.view.getUint16(skb.data + IPV4.SIZE) });
    },
  });
  return ledger;
}

export interface Ports {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly size?: number;
}

export function sendUdp(
  host: Host,
  target: Ipv4,
  { sourcePort, targetPort, size = 10, ...send }: Ports & Partial<IpSendOptions>,
): Errno | undefined {
  const skb = host.skbs.alloc(HEADROOM + UDP.SIZE + size);
  skb.reserve(HEADROOM);
  const at = skb.put(UDP.SIZE + size);
  skb.bytes.fill(0x5a, at, skb.tail);
  skb.view.setUint16(at + UDP.SOURCE_PORT, sourcePort);
  skb.view.setUint16(at + UDP.TARGET_PORT, targetPort);
  skb.view.setUint16(at + UDP.LENGTH, UDP.SIZE + size);
  skb.checksum = 'partial';
  return ipSendSkb(host, skb, { source: 0 as Ipv4, target, protocol: PROTOCOL.UDP, ...send });
}

export function sendTcp(
  host: Host,
  target: Ipv4,
  {
    sourcePort,
    targetPort,
    flags,
    size = 0,
    sequence = 1_000,
    gsoSize = 0,
    ...send
  }: Ports & { flags: number; sequence?: number; gsoSize?: number } & Partial<IpSendOptions>,
): Errno | undefined {
  const skb = host.skbs.alloc(HEADROOM + TCP.SIZE + size);
  skb.reserve(HEADROOM);
  const at = skb.put(TCP.SIZE + size);
  for (let n = 0; n < size; n++) skb.bytes[at + TCP.SIZE + n] = n & 255;
  skb.bytes.fill(0, at, at + TCP.SIZE);
  skb.view.setUint16(at + TCP.SOURCE_PORT, sourcePort);
  skb.view.setUint16(at + TCP.TARGET_PORT, targetPort);
  skb.view.setUint32(at + TCP.SEQUENCE, sequence);
  skb.view.setUint8(at + TCP.OFFSET, 5 << 4);
  skb.view.setUint8(at + TCP.FLAGS, flags);
  skb.view.setUint16(at + TCP.WINDOW, 65_535);
  skb.checksum = 'partial';
  if (gsoSize > 0) {
    skb.gsoSize = gsoSize;
    skb.gsoSegments = Math.ceil(size / gsoSize);
  }
  return ipSendSkb(host, skb, { source: 0 as Ipv4, target, protocol: PROTOCOL.TCP, dontFragment: true, ...send });
}
