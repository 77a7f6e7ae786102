/**
 * The switch: frames in by one port, FCS checked, learned from, and out by another, never rebuilt: their octets are
 * copied from the batch they came in to the batch they leave in, a whole run at a time when it goes the same way. Ports
 * are physical ends without a MAC address. (IEEE 802.1D; the names of what it does are Linux's bridge's)
 *
 * Interface: new Switch(host) ; addPort({ name, mtu, wire }) gives the port's Phy. Its ports and `br0` stand in the
 * host's list of devices for `ip link`, `ethtool -S` and `bridge fdb show`; the host's stack neither sends nor receives
 * by them. Left out: spanning tree (a loop of switches storms, as it does on a table), VLANs, IGMP snooping.
 */
import { formatMac, type Mac, readMac } from '../header/address.ts';
import { CABLE, ETHERNET, FRAME_OVERHEAD } from '../header/ethernet.ts';
import type { DropReason } from '../net/drop.ts';
import type { Host } from '../net/host.ts';
import { type DeviceOps, type NetDevice, netifCarrier } from '../net/netdev.ts';
import { makeNetDevice } from '../net/netdev-registry.ts';
import type { SkBuff } from '../net/skbuff.ts';
import type { Identified } from '../net/trace.ts';
import { Phy, type PhyListener } from '../nic/phy.ts';
import { assert, type Micros } from '../platform.ts';
import type { FrameBatch } from '../wire/frame-batch.ts';
import type { Wire } from '../wire/wire.ts';
import { type Decision, decide, learnSource } from './decide.ts';
import { EgressQueue } from './egress-queue.ts';
import { Fdb } from './fdb.ts';
import { answerFdbQuestions, bridgeMaster } from './master.ts';
import { portStatistics, syncCounters } from './port-statistics.ts';
import { tapPort } from './port-tap.ts';

/** What `ethtool` says of a port. */
const SPEED_MBIT = 10_000;
/** 02:b2:…, four more octets from the name. (IEEE 802 §8.4: the second bit says who gave the address) */
const LOCALLY_ADMINISTERED = 0x02b2_0000_0000;
/** Linux: BR_MAX_PORTS. */
const PORTS_MAX = 1_024;

export interface SwitchPortOptions {
  readonly name: string;
  readonly mtu: number;
  readonly wire?: Wire | undefined;
}

export class SwitchPort implements PhyListener, DeviceOps {
  readonly name: string;
  readonly phy: Phy;
  readonly dev: NetDevice;
  readonly queue = new EgressQueue();
  /** Frames that found the queue full, and those that waited in it. */
  queueFull = 0;
  queued = 0;
  /** Frames were written to its wire since the last kick. */
  dirty = false;
  /** The last addresses that passed, so that a flow does not search the database for every frame. */
  lastSource = -1;
  lastTarget = -1;
  lastDecision: Decision<SwitchPort> = 'flood';
  private readonly owner: Switch;
  private readonly host: Host;

  constructor(owner: Switch, host: Host, options: SwitchPortOptions) {
    this.owner = owner;
    this.host = host;
    this.name = options.name;
    this.dev = makeNetDevice(host, { name: options.name, kind: 'port', mtu: options.mtu, ops: this });
    this.phy = new Phy(host, this, this.dev);
  }

  onFrame(batch: FrameBatch, i: number, at: number): void {
    this.owner.receive(this, batch, i, at);
  }
  onBurstEnd(batch: FrameBatch): void {
    this.owner.endBurst(batch);
    syncCounters(this);
  }
  onRefused(): void {}
  onCarrier(up: boolean): void {
    this.owner.portCarrier(this, up);
  }
  onReady(): void {
    this.owner.drain(this);
  }

  /** The switch's own stack has no address to send from; what a program forces out here goes nowhere. */
  startXmit(skb: SkBuff): 'ok' {
    this.host.skbs.drop(skb, 'no_carrier', 'br_dev_xmit');
    return 'ok';
  }
  open(): void {
    this.phy.setPortUp(true);
    // The far end may have kept its side up: then no change of the wire will tell.
    if (this.phy.carrier) this.owner.portCarrier(this, true);
  }
  stop(): void {
    this.phy.setPortUp(false);
    this.owner.portCarrier(this, false);
  }
  statistics(): ReadonlyMap<string, number> {
    return portStatistics(this);
  }
  describe(): ReturnType<DeviceOps['describe']> {
    return {
      driver: 'wirelab-switch',
      speedMbit: SPEED_MBIT,
      rxRing: 0,
      txRing: 0,
      rxRingMax: 0,
      txRingMax: 0,
      irq: 0,
    };
  }
}

export class Switch {
  readonly fdb = new Fdb<SwitchPort>();
  readonly ports: SwitchPort[] = [];
  private readonly host: Host;
  private readonly master: NetDevice;
  /** Frames [runFrom, runTo) of the batch under way all go to runTarget. */
  private runFrom = 0;
  private runTo = 0;
  private runSource: SwitchPort | undefined;
  private runTarget: SwitchPort | 'flood' | undefined;
  private now: Micros = -1;

  constructor(host: Host) {
    this.host = host;
    this.master = bridgeMaster(host, 'br0', { mac: ownMac(host) });
    answerFdbQuestions(host, this.fdb);
  }

  /** A port, up, with a wire or to be plugged in later. */
  addPort(options: SwitchPortOptions): Phy {
    assert(this.ports.length < PORTS_MAX, 'a switch has a limited number of ports');
    const port = new SwitchPort(this, this.host, options);
    this.ports.push(port);
    this.host.devices.register(port.dev);
    port.dev.master = this.master.ifindex;
    this.host.devices.setUp(port.dev, true);
    if (options.wire !== undefined) port.phy.attach(options.wire);
    return port.phy;
  }

  /** A good frame came in by `port`. (Linux: br_handle_frame) */
  receive(port: SwitchPort, batch: FrameBatch, i: number, at: number): void {
    if (this.now < 0) this.now = this.host.clock.now();
    if (this.host.packetTaps.size > 0) tapPort(this.host, port.dev, 'in', batch, i, at);
    const source = readMac(batch.view, at + ETHERNET.SOURCE);
    const target = readMac(batch.view, at + ETHERNET.TARGET);
    const { trace } = this.host;
    const identity = trace.on ? identityOf(batch, i) : undefined;
    if (source !== port.lastSource || trace.on) {
      learnSource(this.fdb, { source, port, now: this.now }, trace, identity);
      port.lastSource = source;
      this.forgetDecisions();
    }
    const decision = this.decide(port, target);
    if (decision === 'reserved') return port.phy.refuse('bridge_reserved', batch, i);
    if (decision === 'same port') return port.phy.refuse('bridge_same_port', batch, i);
    if (trace.on) this.traceDecision(decision, port, target, identity);
    if (decision === this.runTarget && i === this.runTo) {
      this.runTo++;
      return;
    }
    this.endRun(batch);
    this.runSource = port;
    this.runTarget = decision;
    this.runFrom = i;
    this.runTo = i + 1;
  }

  /** The batch ends: send what was put off, and forget what was remembered of the instant. */
  endBurst(batch: FrameBatch): void {
    this.endRun(batch);
    for (const port of this.ports) {
      // Addresses seen in this burst are young; the next burst looks again, so that ageing is seen.
      port.lastSource = -1;
      port.lastTarget = -1;
      if (!port.dirty) continue;
      port.dirty = false;
      port.phy.kick();
      syncCounters(port);
    }
    this.now = -1;
  }

  portCarrier(port: SwitchPort, up: boolean): void {
    netifCarrier(this.host, port.dev, up && port.dev.up);
    if (!up) {
      this.fdb.flush(port);
      for (let n = port.queue.clear(); n > 0; n--) {
        port.dev.counters.txDropped++;
        this.host.skbs.dropFrame('bridge_port_down', undefined, { dev: port.name });
      }
      this.forgetDecisions();
    }
    netifCarrier(
      this.host,
      this.master,
      this.ports.some((other) => other.dev.carrier),
    );
  }

  /** The port's wire takes frames again. */
  drain(port: SwitchPort): void {
    while (port.queue.length > 0 && port.phy.ready && port.phy.carrier) {
      port.queue.shift((batch, from, to) => port.phy.forwardRun(batch, from, to));
    }
    port.phy.kick();
    syncCounters(port);
  }

  private decide(port: SwitchPort, target: Mac): Decision<SwitchPort> {
    if (target === port.lastTarget) return port.lastDecision;
    const decision = decide(this.fdb, target, port, this.now);
    port.lastTarget = target;
    port.lastDecision = decision;
    return decision;
  }

  private forgetDecisions(): void {
    for (const port of this.ports) port.lastTarget = -1;
  }

  private traceDecision(to: SwitchPort | 'flood', from: SwitchPort, mac: Mac, identity: Identified | undefined): void {
    const { trace } = this.host;
    if (to !== 'flood') return trace.point('br_forward', identity, { mac: formatMac(mac), port: to.name });
    const ports = this.ports.filter((port) => port !== from && port.phy.carrier).map((port) => port.name);
    trace.point('br_flood', identity, { mac: formatMac(mac), ports });
  }

  private endRun(batch: FrameBatch): void {
    const { runTarget, runSource, runFrom, runTo } = this;
    if (runTarget === undefined || runSource === undefined) return;
    this.runTarget = undefined;
    if (runTarget !== 'flood') {
      if (runTarget.phy.carrier) return this.send(runTarget, batch, runFrom, runTo);
      for (let i = runFrom; i < runTo; i++) runSource.phy.refuse('bridge_port_down', batch, i);
      return;
    }
    for (const port of this.ports) {
      if (port !== runSource && port.phy.carrier && port.dev.up) this.send(port, batch, runFrom, runTo);
    }
  }

  /** Frames [from, to) leave by `port`, or wait for its wire. (Linux: br_forward, br_dev_queue_push_xmit) */
  private send(port: SwitchPort, batch: FrameBatch, from: number, to: number): void {
    const source = this.runSource;
    assert(source !== undefined, 'frames come from a port');
    if (this.host.packetTaps.size > 0) {
      for (let i = from; i < to; i++) tapPort(this.host, port.dev, 'out', batch, i);
    }
    const narrow = port.phy.mtu < source.phy.mtu;
    if (port.phy.ready && port.queue.length === 0 && !narrow) {
      port.phy.forwardRun(batch, from, to);
      port.dirty = true;
      return;
    }
    for (let i = from; i < to; i++) {
      const fits = batch.size(i) <= port.phy.mtu + FRAME_OVERHEAD + CABLE.LEAD;
      if (!fits) this.refuse('frame_too_long', port, batch, i, 'br_dev_queue_push_xmit');
      else if (port.phy.ready && port.queue.length === 0) port.phy.forwardRun(batch, i, i + 1);
      else if (port.queue.push(batch, i)) port.queued++;
      else {
        port.queueFull++;
        this.refuse('bridge_queue_full', port, batch, i, 'br_dev_queue_push_xmit');
      }
    }
    port.dirty = true;
  }

  private refuse(reason: DropReason, port: SwitchPort, batch: FrameBatch, i: number, place: string): void {
    port.dev.counters.txDropped++;
    port.phy.refuse(reason, batch, i, place);
  }
}

/**
 * The address of the switch itself: Linux's bridge takes one of its ports', which have none here, or makes one up. From
 * the name, so that it is the same every time.
 */
function ownMac(host: Host): Mac {
  const name = new TextEncoder().encode(host.name);
  return (LOCALLY_ADMINISTERED + host.platform.crc32(name, 0, name.length)) as Mac;
}

function identityOf(batch: FrameBatch, i: number): Identified {
  return { traceDevice: batch.traceDevices[i]!, traceNumber: batch.traceNumbers[i]!, cause: batch.causes[i]! };
}
