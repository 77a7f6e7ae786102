/**
 * A bridge over a host's own cards, with a device of its own for the host's stack: how a home router makes one LAN of
 * its ports. Packets stay sk_buffs; database and decision are the switch's. (Linux: br_input.c, br_forward.c, br_device.c)
 *
 * Interface: bridgeDevice(host, { name, ports }) enslaves the devices and returns `br0`; addresses belong on it.
 */
import { formatMac, type Mac, readMac } from '../header/address.ts';
import { ETHERNET } from '../header/ethernet.ts';
import type { Host } from '../net/host.ts';
import { devQueueXmit, type NetDevice, netifCarrier, netifReceive, type XmitAnswer } from '../net/netdev.ts';
import type { SkBuff } from '../net/skbuff.ts';
import { assert } from '../platform.ts';
import { decide, isReserved, learnSource } from './decide.ts';
import { Fdb } from './fdb.ts';
import { answerFdbQuestions, bridgeMaster } from './master.ts';

export interface BridgeDeviceOptions {
  readonly name: string;
  readonly ports: readonly NetDevice[];
}

class BridgeDevice {
  readonly fdb = new Fdb<NetDevice>();
  readonly dev: NetDevice;
  private readonly host: Host;
  private readonly ports: readonly NetDevice[];

  constructor(host: Host, { name, ports }: BridgeDeviceOptions) {
    const [first] = ports;
    assert(first !== undefined, 'a bridge has ports');
    this.host = host;
    this.ports = ports;
    // Linux takes the lowest MAC of the ports, and the smallest MTU.
    const mac = Math.min(...ports.map((port) => port.mac)) as Mac;
    const mtu = Math.min(...ports.map((port) => port.mtu));
    this.dev = bridgeMaster(host, name, { mac, mtu, startXmit: (skb) => this.startXmit(skb) });
    for (const port of ports) {
      port.master = this.dev.ifindex;
      port.receiveHandler = (skb) => this.receive(port, skb);
      this.fdb.addPermanent(port.mac, port);
    }
    host.devices.watch((_event, dev) => this.portChanged(dev));
    answerFdbQuestions(host, this.fdb);
    this.refreshCarrier();
  }

  /** A frame came in by a port, skb.data at its link header. Owns `skb`. (Linux: br_handle_frame) */
  private receive(port: NetDevice, skb: SkBuff): boolean {
    const { host, fdb } = this;
    const now = host.clock.now();
    const target = readMac(skb.view, skb.data + ETHERNET.TARGET);
    const source = readMac(skb.view, skb.data + ETHERNET.SOURCE);
    learnSource(fdb, { source, port, now }, host.trace, skb);
    if (isReserved(target)) {
      host.skbs.drop(skb, 'bridge_reserved');
      return true;
    }
    if (this.isLocal(target)) {
      this.passUp(skb);
      return true;
    }
    const decision = decide(fdb, target, port, now);
    if (decision === 'same port' || decision === 'reserved') host.skbs.drop(skb, 'bridge_same_port');
    else if (decision !== 'flood') this.forward(skb, decision, target);
    else if (skb.packetType === 'broadcast' || skb.packetType === 'multicast') {
      // The stack gets octets of its own: it may write to them while a clone still waits in a port's queue.
      const own = host.skbs.copy(skb);
      this.flood(skb, port, target);
      this.passUp(own);
    } else this.flood(skb, port, target);
    return true;
  }

  /** The host's own stack sends by the bridge. Consumes `skb`. (Linux: br_dev_xmit) */
  private startXmit(skb: SkBuff): XmitAnswer {
    const { counters } = this.dev;
    counters.txPackets++;
    counters.txBytes += skb.length;
    const target = readMac(skb.view, skb.data + ETHERNET.TARGET);
    const known = skb.packetType === 'broadcast' ? undefined : this.fdb.find(target, this.host.clock.now());
    if (known === undefined || known.permanent) this.flood(skb, undefined, target);
    else this.forward(skb, known.port, target);
    return 'ok';
  }

  /** To the stack, as if it had come in by br0. Consumes `skb`. (Linux: br_pass_frame_up) */
  private passUp(skb: SkBuff): void {
    const { counters } = this.dev;
    counters.rxPackets++;
    counters.rxBytes += skb.length;
    netifReceive(this.host, this.dev, skb);
  }

  private forward(skb: SkBuff, port: NetDevice, target: Mac): void {
    const { host } = this;
    if (!port.up || !port.carrier) return host.skbs.drop(skb, 'bridge_port_down');
    if (host.trace.on) host.trace.point('br_forward', skb, { mac: formatMac(target), port: port.name });
    devQueueXmit(host, skb, port);
  }

  /** To every port that is up but `from`, the last of them gets the packet itself. Consumes `skb`. (Linux: br_flood) */
  private flood(skb: SkBuff, from: NetDevice | undefined, target: Mac): void {
    const { host } = this;
    const ports = this.ports.filter((port) => port !== from && port.up && port.carrier);
    if (host.trace.on) {
      host.trace.point('br_flood', skb, { mac: formatMac(target), ports: ports.map((port) => port.name) });
    }
    const last = ports.pop();
    if (last === undefined) {
      // Nobody else is there: that is where a flooded frame ends.
      host.skbs.consume(skb);
      return;
    }
    for (const port of ports) devQueueXmit(host, host.skbs.clone(skb), port);
    devQueueXmit(host, skb, last);
  }

  private isLocal(target: Mac): boolean {
    if (target === this.dev.mac) return true;
    for (const port of this.ports) if (port.mac === target) return true;
    return false;
  }

  private portChanged(dev: NetDevice): void {
    if (dev.master !== this.dev.ifindex) return;
    if (!dev.up || !dev.carrier) this.fdb.flush(dev);
    this.refreshCarrier();
  }

  private refreshCarrier(): void {
    netifCarrier(
      this.host,
      this.dev,
      this.ports.some((port) => port.up && port.carrier),
    );
  }
}

/** Make one LAN of several cards; returns the bridge's device. (ip link add br0 type bridge; ip link set … master br0) */
export function bridgeDevice(host: Host, options: BridgeDeviceOptions): NetDevice {
  return new BridgeDevice(host, options).dev;
}
