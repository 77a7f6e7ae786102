/**
 * The machine under test as packetdrill sets it up: one host with a device `tun0`, ours 192.168.0.1, behind a gateway the
 * peer 192.0.2.1. What the host sends is kept, with its time; what the script sends comes in by netifReceive, as from a card.
 */

import { type Ipv4, type Mac, writeMac } from '../../shared/header/address.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { completeChecksum } from '../../shared/net/gso.ts';
import type { Host } from '../../shared/net/host.ts';
import { type DeviceOps, type NetDevice, netifCarrier, netifReceive } from '../../shared/net/netdev.ts';
import { makeNetDevice } from '../../shared/net/netdev-registry.ts';
import { orphanFrags, Pages } from '../../shared/net/pages.ts';
import { HEADROOM, type SkBuff } from '../../shared/net/skbuff.ts';
import { fragsTruesize, headTruesize, SHINFO_BYTES } from '../../shared/net/truesize.ts';
import type { Micros } from '../../shared/platform.ts';
import { ip } from '../kit/cable.ts';
import { cardHost } from '../kit/cards.ts';
import type { ManualClock } from '../kit/clock.ts';
import { stopsMidFlight } from '../kit/mid-flight.ts';

const MAC_GATEWAY = 0x0200_0000_0999 as Mac;
const MAC_OURS = 0x0200_0000_0998 as Mac;

const MEMORY_PAGE = 4_096;
/**
 * Room that Linux's tun leaves in front of a packet, and how much goes in the head of one that is not less than a page;
 * the rest stands in frags (tun_get_user, tun_alloc_skb).
 */
const TUN_PAD = 64;
const TUN_LINEAR_MAX = MEMORY_PAGE - TUN_PAD - SHINFO_BYTES;

/** An IP packet that the host sent. */
export interface SentPacket {
  readonly at: Micros;
  readonly bytes: Uint8Array;
}

export interface TunOptions {
  readonly mtu: number;
  readonly local: Ipv4;
  readonly remote: Ipv4;
  readonly gateway: Ipv4;
}

export class Tun {
  readonly host: Host;
  readonly dev: NetDevice;
  readonly sent: SentPacket[] = [];
  private readonly clock: ManualClock;

  constructor(clock: ManualClock, options: TunOptions) {
    this.clock = clock;
    this.host = cardHost('dut', clock);
    stopsMidFlight(this.host, clock);
    const ops: DeviceOps = {
      startXmit: (skb) => {
        this.take(skb);
        return 'ok';
      },
      open: () => {},
      stop: () => {},
      statistics: () => new Map(),
      describe: () => ({ driver: 'tun', speedMbit: 0, rxRing: 0, txRing: 0, rxRingMax: 0, txRingMax: 0, irq: 0 }),
    };
    const features = { tso: true, gso: true, txChecksum: true };
    this.dev = makeNetDevice(this.host, { name: 'tun0', ops, mac: MAC_OURS, mtu: options.mtu, features });
    const { host, dev } = this;
    host.devices.register(dev);
    host.devices.setUp(dev, true);
    netifCarrier(host, dev, true);
    host.inet.addAddress(dev, options.local, { prefix: 16 });
    const neighbour = { type: 'RTM_NEWNEIGH', dev: 'tun0', mac: MAC_GATEWAY, state: 'PERMANENT' } as const;
    host.netlink.ask({ ...neighbour, address: options.gateway });
    const route = { type: 'RTM_NEWROUTE', gateway: options.gateway, dev: 'tun0' } as const;
    host.netlink.ask({ ...route, target: options.remote, prefix: 32 });
    host.netlink.ask({ ...route, target: ip('0.0.0.0'), prefix: 0 });
  }

  /** An IP packet from the peer. `gsoSize` > 0: it stands for segments of that size, as a card with GRO hands it up. */
  receive(bytes: Uint8Array, gsoSize: number, payload: number): void {
    const { skbs } = this.host;
    const linear = TUN_PAD + bytes.length < MEMORY_PAGE ? bytes.length : TUN_LINEAR_MAX;
    const skb = skbs.alloc(HEADROOM + ETHERNET.SIZE + linear);
    skb.reserve(HEADROOM);
    const at = skb.put(ETHERNET.SIZE + linear);
    writeMac(skb.view, at + ETHERNET.TARGET, MAC_OURS);
    writeMac(skb.view, at + ETHERNET.SOURCE, MAC_GATEWAY);
    skb.view.setUint16(at + ETHERNET.TYPE, ETHERTYPE.IPV4);
    skb.bytes.set(bytes.subarray(0, linear), at + ETHERNET.SIZE);
    if (linear < bytes.length) {
      const pages = new Pages(bytes.length - linear);
      pages.bytes.set(bytes.subarray(linear));
      skb.addFrag(pages, 0, pages.bytes.length);
    }
    skb.truesize = headTruesize(TUN_PAD + linear) + fragsTruesize(bytes.length - linear);
    if (gsoSize > 0 && payload > gsoSize) {
      skb.gsoSize = gsoSize;
      skb.gsoSegments = Math.ceil(payload / gsoSize);
    }
    netifReceive(this.host, this.dev, skb);
  }

  /** Consumes `skb`. A checksum that was left to the card is made here, so that the packet can be judged whole. */
  private take(skb: SkBuff): void {
    const ipv4 = skb.view.getUint16(skb.data + ETHERNET.TYPE) === ETHERTYPE.IPV4;
    // As tun's: what a program still owns is copied before anybody may keep it.
    orphanFrags(this.host.skbs, skb);
    if (ipv4) {
      if (skb.checksum === 'partial') completeChecksum(skb);
      const bytes = new Uint8Array(skb.length - ETHERNET.SIZE);
      skb.copyBits(ETHERNET.SIZE, bytes.length, bytes, 0);
      this.sent.push({ at: this.clock.now(), bytes });
    }
    this.dev.counters.txPackets++;
    this.host.skbs.consume(skb);
  }
}
