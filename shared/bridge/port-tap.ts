/**
 * What a packet socket sees of a switch's port. Frames pass a switch as octets of a batch, never as sk_buffs; only while
 * a `tcpdump` listens is one made of each frame, in and out, for the listeners to copy from.
 */
import { MAC_BROADCAST, readMac } from '../header/address.ts';
import { CABLE, ETHERNET } from '../header/ethernet.ts';
import type { Host } from '../net/host.ts';
import { ETH_P_ALL, type NetDevice } from '../net/netdev.ts';
import type { FrameBatch } from '../wire/frame-batch.ts';

/** Show frame `i` of a batch, whose Ethernet header is at bytes[at], to who listens on `dev`. */
export function tapPort(
  host: Host,
  dev: NetDevice,
  direction: 'in' | 'out',
  batch: FrameBatch,
  i: number,
  at = batch.offsets[i]! + CABLE.LEAD,
): void {
  const size = batch.size(i) - CABLE.LEAD - CABLE.FCS;
  const type = batch.view.getUint16(at + ETHERNET.TYPE);
  const skb = host.skbs.alloc(size);
  skb.put(size);
  skb.bytes.set(batch.bytes.subarray(at, at + size), skb.data);
  skb.macHeader = skb.data;
  skb.protocol = type;
  skb.ifindex = dev.ifindex;
  skb.timestamp = host.clock.now();
  skb.traceDevice = batch.traceDevices[i]!;
  skb.traceNumber = batch.traceNumbers[i]!;
  const broadcast = readMac(skb.view, skb.data + ETHERNET.TARGET) === MAC_BROADCAST;
  if (direction === 'out') skb.packetType = 'outgoing';
  else skb.packetType = broadcast ? 'broadcast' : 'otherhost';
  for (const tap of host.packetTaps) {
    // As on a card: who asked for one type hears what comes in.
    const wanted = tap.protocol === ETH_P_ALL || (direction === 'in' && tap.protocol === type);
    if (wanted && (tap.ifindex === 0 || tap.ifindex === dev.ifindex)) tap.deliver(skb, dev);
  }
  host.skbs.consume(skb);
}
