/**
 * The net device: where the stack and a card meet, and the only place they do. A driver makes one, registers it, hands
 * received packets up with netif_receive and takes packets to send in `startXmit`. (Linux: net/core/dev.c)
 */
import type { Mac } from '../header/address.ts';
import type { Qdisc } from './qdisc.ts';
import type { SkBuff } from './skbuff.ts';

/** What `startXmit` answers: `busy` puts the packet back, and the driver calls wake() when there is room. */
export type XmitAnswer = 'ok' | 'busy';

/** Kept by the driver and the stack, as `ip -s link` shows them. */
export interface LinkCounters {
  rxPackets: number;
  rxBytes: number;
  rxErrors: number;
  rxDropped: number;
  rxMissed: number;
  rxFifo: number;
  rxFrame: number;
  rxCrc: number;
  rxLength: number;
  multicast: number;
  txPackets: number;
  txBytes: number;
  txErrors: number;
  txDropped: number;
  txCarrier: number;
  txFifo: number;
  collisions: number;
}

export interface Features {
  /** TCP segmentation by the card. */
  tso: boolean;
  /** Segmentation just above the driver when the card cannot. */
  gso: boolean;
  /** Received segments of a flow are merged in the poll loop. */
  gro: boolean;
  /** The card fills in transport checksums (ip_summed partial). */
  txChecksum: boolean;
  /** The card checks transport checksums. */
  rxChecksum: boolean;
}

export interface DeviceOps {
  /** Send one packet, link header in place. Owns `skb` when it answers `ok`. `more`: another follows at once. */
  startXmit(skb: SkBuff, more: boolean): XmitAnswer;
  /** ip link set up / down. */
  open(): void;
  stop(): void;
  /** Counters of driver and card by name, as `ethtool -S`. */
  statistics(): ReadonlyMap<string, number>;
  /** For `ethtool` and `ethtool -i`, `-g`. */
  describe(): {
    driver: string;
    speedMbit: number;
    rxRing: number;
    txRing: number;
    rxRingMax: number;
    txRingMax: number;
    irq: number;
  };
}

export interface NetDevice {
  readonly name: string;
  readonly ifindex: number;
  readonly kind: 'ether' | 'loopback' | 'bridge';
  mac: Mac;
  readonly permanentMac: Mac;
  mtu: number;
  /** IFF_UP. */
  up: boolean;
  /** IFF_LOWER_UP, from the card. */
  carrier: boolean;
  promiscuous: boolean;
  /** Octets of link header that packets for this device need in front. */
  readonly hardHeaderLength: number;
  readonly counters: LinkCounters;
  readonly features: Features;
  /** Set while the driver answered busy (netif_queue_stopped). */
  stopped: boolean;
  qdisc: Qdisc;
  readonly ops: DeviceOps;
  /** The bridge that this device is a port of, by ifindex; 0 for none. */
  master: number;
}
