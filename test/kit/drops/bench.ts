/**
 * What a drop recipe works with: a host with cards, and cables on which a test writes frames of its own; and the readers
 * of the counters that Linux users look at. A recipe makes one drop happen, with real packets and calls.
 */
import type { Mac } from '../../../shared/header/address.ts';
import { ETHERTYPE, FRAME_SIZE_MIN } from '../../../shared/header/ethernet.ts';
import { PROTOCOL } from '../../../shared/header/ipv4.ts';
import type { DropReason } from '../../../shared/net/drop.ts';
import type { Host } from '../../../shared/net/host.ts';
import { iptablesCommand } from '../../../shared/net/iptables.ts';
import type { NetDevice } from '../../../shared/net/netdev.ts';
import { type CpuCosts, cpuOf } from '../../../shared/nic/napi.ts';
import { Phy } from '../../../shared/nic/phy.ts';
import { assert } from '../../../shared/platform.ts';
import { memoryWire } from '../../../shared/wire/memory-wire.ts';
import { ip } from '../cable.ts';
import { addCard, cardHost } from '../cards.ts';
import { ManualClock } from '../clock.ts';
import { ethernetFrame, type IpFields, ipPacket, udpMessage } from '../frames.ts';
import { stopsMidFlight } from '../mid-flight.ts';

/** An EtherType for local experiments. */
export const EXPERIMENTAL = 0x88b5;
/** The other end of every cable. */
export const PEER = 0x0200_0000_0099 as Mac;
export const MAC_EVERYBODY = 0xffff_ffff_ffff as Mac;

/** Where a user reads of it: a command of the host, and the number in what it prints; '' where Linux counts nothing. */
export interface Counter {
  readonly command: string;
  readonly number: RegExp;
  readonly base?: number;
}

export const NO_COUNTER = undefined;
export const nstat = (name: string): Counter => ({
  command: `nstat -asz ${name}`,
  number: new RegExp(`^${name} +(\\d+)`, 'm'),
});
/** A number of `ip -s -s -j link`. */
export const link = (direction: 'rx' | 'tx', name: string, dev = 'eth0'): Counter => ({
  command: `ip -s -s -j link show dev ${dev}`,
  number: new RegExp(`"${direction}":\\{[^}]*"${name}":(\\d+)`),
});
export const card = (name: string): Counter => ({
  command: 'ethtool -S eth0',
  number: new RegExp(` ${name}: (\\d+)`),
});
/** A column of a one-row file of hexadecimal numbers, from 0. */
export const column = (file: string, at: number): Counter => ({
  command: `cat ${file}`,
  number: new RegExp(`^(?:[0-9a-f]+ +){${at}}([0-9a-f]+)`, 'm'),
  base: 16,
});
export const arpCache = (at: number): Counter => column('/proc/net/stat/arp_cache', at);
export const rtCache = (at: number): Counter => column('/proc/net/stat/rt_cache', at);
export const softnetDropped = column('/proc/net/softnet_stat', 1);

export interface DropRecipe {
  /** What happens, as a sentence goes on after "dropped when". */
  readonly when: string;
  /** The function that drops, when it is not the reason's usual one. */
  readonly place?: string;
  /** Where a user sees it counted; undefined where Linux counts nothing of the kind. */
  readonly counter: Counter | undefined;
  /** The counter counts something else than packets (a datagram of many fragments, a neighbour): so many. */
  readonly counts?: number;
  /** Make it happen on a host of one's own. `watch` it from before the first packet. */
  readonly make: (watch: Watch) => void;
}

/** Say which host is looked at, and which clock moves it. */
export type Watch = (host: Host, clock: ManualClock) => void;
export type DropRecipes = Readonly<Partial<Record<DropReason, readonly DropRecipe[]>>>;

export interface Port {
  readonly dev: NetDevice;
  /** The far end of its cable. */
  readonly phy: Phy;
}

export interface BenchOptions {
  readonly ports?: number;
  readonly costs?: CpuCosts;
  readonly sysctls?: Readonly<Record<string, string>>;
}

export function farEnd(host: Host, wire: ReturnType<typeof memoryWire>[1], mtu = 1_500): Phy {
  const silent = {
    onFrame: () => {},
    onBurstEnd: () => {},
    onRefused: () => {},
    onCarrier: () => {},
    onReady: () => {},
  };
  const phy = new Phy(host, silent, { name: 'far', mtu });
  phy.setPortUp(true);
  phy.attach(wire);
  return phy;
}

/** eth0 has 10.0.0.1/24, eth1 10.0.1.1/24; the peers are .2, known to ARP. */
export class DropBench {
  readonly clock = new ManualClock(1_000_000);
  readonly host: Host;
  readonly ports: Port[] = [];

  constructor(watch: Watch, options: BenchOptions = {}) {
    this.host = cardHost('dut', this.clock);
    stopsMidFlight(this.host, this.clock);
    if (options.costs !== undefined) cpuOf(this.host).configure(options.costs);
    for (const [name, value] of Object.entries(options.sysctls ?? {}))
      assert(this.host.sysctl.set(name, value) === undefined, `sysctl ${name}`);
    for (let n = 0; n < (options.ports ?? 1); n++) {
      const [near, far] = memoryWire(this.clock, `dut:eth${n}`, `test:${n}`);
      const { dev } = addCard(this.host, `eth${n}`, near, { addresses: [`10.0.${n}.1/24`] });
      this.ports.push({ dev, phy: farEnd(this.host, far) });
      const peer = this.host.neighbours.obtain(dev, ip(`10.0.${n}.2`));
      assert(peer !== undefined, 'room for a neighbour');
      this.host.neighbours.update(peer, PEER, 'PERMANENT', { admin: true });
    }
    watch(this.host, this.clock);
  }

  get eth0(): NetDevice {
    return this.port(0).dev;
  }

  port(n: number): Port {
    const port = this.ports[n];
    assert(port !== undefined, `the bench has port ${n}`);
    return port;
  }

  /** A frame on the cable of port `n`, padded and with a right FCS unless `damage` changes it. */
  wire(frame: Uint8Array, damage: (bytes: Uint8Array, at: number) => void = () => {}, n = 0): void {
    const { phy } = this.port(n);
    const at = phy.start(Math.max(FRAME_SIZE_MIN, frame.length), 99, 1, 0);
    phy.out.bytes.fill(0, at, at + FRAME_SIZE_MIN);
    phy.out.bytes.set(frame, at);
    phy.finish();
    damage(phy.out.bytes, at);
    phy.kick();
    this.clock.advance(1);
  }

  /** A frame for eth0 from its peer. */
  frame(type: number, payload: Uint8Array, target: Mac = this.eth0.mac): void {
    this.wire(ethernetFrame(target, PEER, type, payload));
  }

  /** An IPv4 packet from 10.0.0.2 to 10.0.0.1, unless said otherwise. */
  ip(payload: Uint8Array, fields: Partial<IpFields> = {}, target: Mac = this.eth0.mac): void {
    const all = { source: ip('10.0.0.2'), target: ip('10.0.0.1'), protocol: PROTOCOL.UDP, ...fields };
    this.frame(ETHERTYPE.IPV4, ipPacket(all, payload), target);
  }

  /** A good UDP datagram from port 9 to `port`. */
  udp(port: number, fields: Partial<IpFields> = {}, target: Mac = this.eth0.mac): void {
    this.ip(udp({ target: port, ...fields }), fields, target);
  }

  iptables(table: string, line: string): void {
    const answer = iptablesCommand(this.host, table, line.split(' '));
    assert(Object.keys(answer).length === 0, `iptables ${line}: ${JSON.stringify(answer)}`);
  }
}

/** A UDP message with its checksum, between the bench's usual addresses. */
export function udp({
  target,
  size = 20,
  ...fields
}: { target: number; size?: number } & Partial<IpFields2>): Uint8Array {
  const ends = { source: fields.source ?? ip('10.0.0.2'), target: fields.to ?? ip('10.0.0.1') };
  return udpMessage({ ...ends, sourcePort: 9, targetPort: target }, new Uint8Array(size));
}

interface IpFields2 {
  readonly source: ReturnType<typeof ip>;
  readonly to: ReturnType<typeof ip>;
}
