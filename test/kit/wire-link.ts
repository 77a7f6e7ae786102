/**
 * A place on a wire for somebody who makes his own packets: frames out and in, ARP asked and answered, nothing else.
 * What scans through a `ScanLink` does not know whether a wire in memory, a WebSocket or a TAP is behind it.
 */
import type { Ipv4, Mac } from '../../shared/header/address.ts';
import { ARP, ARP_REPLY, ARP_REQUEST } from '../../shared/header/arp.ts';
import { ETHERNET, ETHERTYPE } from '../../shared/header/ethernet.ts';
import { crc32 } from '../../shared/header/fcs.ts';
import type { Micros } from '../../shared/platform.ts';
import type { FrameBatch } from '../../shared/wire/frame-batch.ts';
import type { Wire } from '../../shared/wire/wire.ts';
import type { ManualClock } from './clock.ts';
import { arpFrame, ethernetFrame } from './frames.ts';

const PREAMBLE = [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5];
const FCS_SIZE = 4;
const FRAME_MIN = 60;
const BROADCAST = 0xffff_ffff_ffff as Mac;

/** An IPv4 packet that came, from its header to the end of the frame. */
export interface Arrived {
  readonly at: Micros;
  readonly packet: DataView;
}

export interface ScanLink {
  readonly address: Ipv4;
  readonly target: Ipv4;
  now(): Micros;
  /** An IPv4 packet to the target. */
  send(packet: Uint8Array): void;
  /** Let time pass; what comes meanwhile is in `arrived`. */
  wait(delay: Micros): Promise<void>;
  readonly arrived: readonly Arrived[];
}

export class WireLink implements ScanLink {
  readonly address: Ipv4;
  readonly target: Ipv4;
  readonly arrived: Arrived[] = [];
  private readonly clock: ManualClock;
  private readonly wire: Wire;
  private readonly mac = 0x0200_0000_5cab as Mac;
  private targetMac = BROADCAST;

  constructor(clock: ManualClock, wire: Wire, ends: { address: Ipv4; target: Ipv4 }) {
    this.clock = clock;
    this.wire = wire;
    this.address = ends.address;
    this.target = ends.target;
    wire.attach({ onBatch: (batch) => this.receive(batch), onCarrier: () => {}, onReady: () => {} });
    wire.setPortUp(true);
  }

  now(): Micros {
    return this.clock.now();
  }

  async wait(delay: Micros): Promise<void> {
    this.clock.advance(delay);
  }

  /** Learn the target's MAC address; answers whether there is one. */
  async resolve(): Promise<boolean> {
    this.arp(ARP_REQUEST, BROADCAST, this.target);
    await this.wait(1_000);
    return this.targetMac !== BROADCAST;
  }

  send(packet: Uint8Array, to: Mac = this.targetMac): void {
    this.sendFrame(ethernetFrame(to, this.mac, ETHERTYPE.IPV4, packet));
  }

  private arp(operation: number, to: Mac, targetIp: Ipv4): void {
    const targetMac = operation === ARP_REQUEST ? (0 as Mac) : to;
    const packet = { operation, senderMac: this.mac, senderIp: this.address, targetMac, targetIp };
    this.sendFrame(arpFrame(to, this.mac, packet));
  }

  private sendFrame(frame: Uint8Array): void {
    const length = Math.max(frame.length, FRAME_MIN);
    const size = PREAMBLE.length + length + FCS_SIZE;
    const batch = this.wire.reserve(size);
    const at = batch.append(size, 0, 0, 0);
    const start = at + PREAMBLE.length;
    batch.bytes.set(PREAMBLE, at);
    batch.bytes.fill(0, start, start + length);
    batch.bytes.set(frame, start);
    batch.view.setUint32(start + length, crc32(batch.bytes, start, start + length), true);
    this.wire.kick();
  }

  private receive(batch: FrameBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const start = batch.offset(i) + PREAMBLE.length;
      const frame = batch.bytes.slice(start, batch.offset(i) + batch.size(i) - FCS_SIZE);
      const view = new DataView(frame.buffer);
      const type = view.getUint16(ETHERNET.TYPE);
      if (type === ETHERTYPE.ARP) this.receiveArp(view);
      if (type === ETHERTYPE.IPV4) {
        this.arrived.push({ at: this.now(), packet: new DataView(frame.buffer, ETHERNET.SIZE) });
      }
    }
  }

  private receiveArp(frame: DataView): void {
    const at = ETHERNET.SIZE;
    const senderMac = (frame.getUint16(at + ARP.SENDER_MAC) * 0x1_0000_0000 +
      frame.getUint32(at + ARP.SENDER_MAC + 2)) as Mac;
    const sender = frame.getUint32(at + ARP.SENDER_IP) as Ipv4;
    if (sender === this.target) this.targetMac = senderMac;
    if (frame.getUint16(at + ARP.OPERATION) !== ARP_REQUEST) return;
    if (frame.getUint32(at + ARP.TARGET_IP) === this.address) this.arp(ARP_REPLY, senderMac, sender);
  }
}
