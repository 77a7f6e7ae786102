/** The devices of a host by index and name, and who hears of their changes (Linux: dev_get_by_index, netdev_chain). */
import { MAC_ZERO, type Mac } from '../header/address.ts';
import { ETHERNET } from '../header/ethernet.ts';
import { assert, type Micros, type Timer } from '../platform.ts';
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import {
  type DeviceOps,
  type Features,
  type LinkCounters,
  type NetDevice,
  processBacklog,
  qdiscReset,
} from './netdev.ts';
import { Noop, type Qdisc } from './qdisc.ts';
import { attachDefaultQdisc, DEFAULT_QDISCS } from './qdisc-table.ts';
import type { SkBuff } from './skbuff.ts';
import type { SysctlNumber } from './sysctl.ts';

/** RFC 791: every module must forward 68 octets; Linux: ETH_MIN_MTU. */
export const MTU_MIN = 68;
/** Linux: ETH_MAX_MTU, for devices that need not fit a cable. */
export const MTU_MAX = 65_535;
/** What a cable carries at most: a jumbo frame. Also what a lab file may ask for. */
export const MTU_MAX_CABLE = 9_000;

/** Linux: net.core.netdev_max_backlog, packets that loop back and wait for the softirq. */
const BACKLOG_PACKETS_MAX = 1_000;
/** Linux: net.core.netdev_budget, netdev_budget_usecs (2 jiffies at HZ=250) and dev_weight. */
const BUDGET_PACKETS = 300;
const BUDGET_MICROS: Micros = 8_000;
const BACKLOG_WEIGHT = 64;

/** NETDEV_REGISTER, NETDEV_UP, NETDEV_GOING_DOWN …; `change` is carrier. */
export type DeviceEvent = 'register' | 'up' | 'down' | 'change' | 'mtu' | 'mac' | 'unregister';

export class NetDevices {
  /** Packets that loop back, and the softirq that takes them up (softnet_data). */
  backlog: SkBuff[] = [];
  readonly softirq: Timer;
  readonly backlogMax: SysctlNumber;
  /** What one round of the receive softirq may do, and one turn of the backlog in it. */
  readonly budget: SysctlNumber;
  readonly budgetMicros: SysctlNumber;
  readonly weight: SysctlNumber;
  /** What the backlogs of drivers without NAPI hold. */
  queuedByDrivers = 0;
  /** What a device that comes up for the first time gets. */
  readonly defaultQdisc: { readonly value: string };
  private spare: SkBuff[] = [];
  private readonly host: Host;
  private readonly indexed: (NetDevice | undefined)[] = [undefined];
  private readonly watchers: ((event: DeviceEvent, dev: NetDevice) => void)[] = [];

  constructor(host: Host) {
    this.host = host;
    this.backlogMax = host.sysctl.number('net.core.netdev_max_backlog', BACKLOG_PACKETS_MAX, { min: 0 });
    this.budget = host.sysctl.number('net.core.netdev_budget', BUDGET_PACKETS, { min: 1 });
    this.budgetMicros = host.sysctl.number('net.core.netdev_budget_usecs', BUDGET_MICROS, { min: 0 });
    this.weight = host.sysctl.number('net.core.dev_weight', BACKLOG_WEIGHT, { min: 1 });
    this.defaultQdisc = host.sysctl.text('net.core.default_qdisc', 'pfifo_fast', (name) => DEFAULT_QDISCS.has(name));
    this.softirq = host.softTimer('process_backlog', () => processBacklog(host), 'NET_RX');
  }

  /** Packets in the backlog, for /proc/net/softnet_stat: those of a driver without NAPI add themselves. */
  get waiting(): number {
    return this.backlog.length + this.queuedByDrivers;
  }

  /** The ifindex for the next device; `lo` took 1. */
  nextIfindex(): number {
    return this.indexed.length;
  }

  register(dev: NetDevice): void {
    assert(dev.ifindex === this.indexed.length, 'devices are registered in the order of their indexes');
    assert(this.byName(dev.name) === undefined, 'device names are unique');
    this.indexed.push(dev);
    this.notify('register', dev);
  }

  /** The device is gone; its index is not given again. (Linux: unregister_netdevice) */
  unregister(dev: NetDevice): void {
    this.setUp(dev, false);
    this.notify('unregister', dev);
    this.indexed[dev.ifindex] = undefined;
  }

  byIndex(ifindex: number): NetDevice | undefined {
    return this.indexed[ifindex];
  }

  byName(name: string): NetDevice | undefined {
    return this.indexed.find((dev) => dev?.name === name);
  }

  /** In the order of their indexes. */
  list(): NetDevice[] {
    return this.indexed.filter((dev) => dev !== undefined);
  }

  /** Hear of changes, after those who asked earlier (register_netdevice_notifier). */
  watch(watcher: (event: DeviceEvent, dev: NetDevice) => void): void {
    this.watchers.push(watcher);
  }

  notify(event: DeviceEvent, dev: NetDevice): void {
    for (const watcher of this.watchers) watcher(event, dev);
  }

  /** ip link set up, down (dev_open, dev_close). */
  setUp(dev: NetDevice, up: boolean): void {
    if (dev.up === up) return;
    if (up) {
      dev.up = true;
      if (dev.qdisc.kind === 'noop') attachDefaultQdisc(this.host, dev);
      dev.ops.open();
      this.notify('up', dev);
      return;
    }
    dev.up = false;
    // What waits in the queue is lost before the driver can make room for it (dev_deactivate, then ndo_stop).
    qdiscReset(this.host, dev, 'dev_down');
    dev.ops.stop();
    dev.stopped = false;
    this.notify('down', dev);
  }

  setMtu(dev: NetDevice, mtu: number): Errno | undefined {
    if (!Number.isInteger(mtu) || mtu < MTU_MIN || mtu > dev.mtuMax) return 'EINVAL';
    dev.mtu = mtu;
    this.notify('mtu', dev);
    return undefined;
  }

  setMac(dev: NetDevice, mac: Mac): void {
    dev.mac = mac;
    this.notify('mac', dev);
  }

  /** The waiting packets; what comes from now on waits for the next round. */
  takeBacklog(): SkBuff[] {
    const burst = this.backlog;
    this.backlog = this.spare;
    this.spare = burst;
    return burst;
  }
}

export function newLinkCounters(): LinkCounters {
  return {
    rxPackets: 0,
    rxBytes: 0,
    rxErrors: 0,
    rxDropped: 0,
    rxMissed: 0,
    rxOtherhost: 0,
    rxFifo: 0,
    rxFrame: 0,
    rxCrc: 0,
    rxLength: 0,
    multicast: 0,
    txPackets: 0,
    txBytes: 0,
    txErrors: 0,
    txDropped: 0,
    txCarrier: 0,
    txFifo: 0,
    collisions: 0,
    carrierUps: 0,
    carrierDowns: 0,
  };
}

export interface NetDeviceOptions {
  readonly name: string;
  readonly ops: DeviceOps;
  readonly mtu: number;
  /** MTU_MAX_CABLE when left out. */
  readonly mtuMax?: number;
  readonly kind?: NetDevice['kind'];
  readonly mac?: Mac;
  readonly features?: Partial<Features>;
  /** Left out: what net.core.default_qdisc says when it first comes up; a device without a queue has noqueue. */
  readonly queueless?: boolean;
  /** Off by default: a card reports its carrier. */
  readonly carrier?: boolean;
}

/** A device with the next index, down, not registered (alloc_netdev). Every device is made here: one shape for all. */
export function makeNetDevice(host: Host, options: NetDeviceOptions): NetDevice {
  const mac = options.mac ?? MAC_ZERO;
  const dev: Omit<NetDevice, 'qdisc'> & { qdisc: Qdisc | undefined } = {
    name: options.name,
    ifindex: host.devices.nextIfindex(),
    kind: options.kind ?? 'ether',
    mac,
    permanentMac: mac,
    mtu: options.mtu,
    mtuMax: options.mtuMax ?? MTU_MAX_CABLE,
    up: false,
    carrier: options.carrier ?? false,
    promiscuous: false,
    hardHeaderLength: ETHERNET.SIZE,
    counters: newLinkCounters(),
    features: { tso: false, gso: true, gro: false, txChecksum: false, rxChecksum: false, ...options.features },
    stopped: false,
    qdisc: undefined,
    ops: options.ops,
    master: 0,
    receiveHandler: undefined,
    queueRunning: false,
    queueless: options.queueless ?? false,
  };
  const made = dev as NetDevice;
  made.qdisc = new Noop(host, made);
  return made;
}
