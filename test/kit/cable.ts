/**
 * A cable between kernels without cards: frames go from one net device straight into the others' stacks at the next
 * instant of the clock. For tests of the stack that are not about cards, wires or bytes on them.
 */
import type { Ipv4, Mac } from '../../shared/header/address.ts';
import { parseCidr, parseIpv4 } from '../../shared/header/address.ts';
import { copySumView, copyView, sumView } from '../../shared/header/checksum.ts';
import type { Errno } from '../../shared/net/errno.ts';
import { Host } from '../../shared/net/host.ts';
import { type DeviceOps, type Features, type NetDevice, netifCarrier, netifReceive } from '../../shared/net/netdev.ts';
import { makeNetDevice } from '../../shared/net/netdev-registry.ts';
import { HEADROOM, type SkBuff } from '../../shared/net/skbuff.ts';
import { assert, type Micros, type Platform } from '../../shared/platform.ts';
import { ManualClock } from './clock.ts';
import { testRandom } from './random.ts';

export interface Frame {
  readonly at: Micros;
  readonly from: string;
  readonly bytes: Uint8Array;
}

interface Plug {
  readonly host: Host;
  readonly dev: NetDevice;
}

/** Joins any number of devices: two are a cable, more a hub. */
export class Cable {
  readonly frames: Frame[] = [];
  private readonly clock: ManualClock;
  private readonly plugs: Plug[] = [];
  /** Answers true for a frame that is lost on the way. */
  lose: (frame: Frame) => boolean = () => false;
  delay: Micros = 0;

  constructor(clock: ManualClock) {
    this.clock = clock;
  }

  plug(host: Host, dev: NetDevice): void {
    this.plugs.push({ host, dev });
    for (const end of this.plugs) netifCarrier(end.host, end.dev, this.plugs.length > 1);
  }

  /** Pull the cable, or put it back. */
  setCarrier(up: boolean): void {
    for (const { host, dev } of this.plugs) netifCarrier(host, dev, up);
  }

  send(from: Plug, skb: SkBuff): void {
    const bytes = new Uint8Array(skb.length);
    skb.copyBits(0, skb.length, bytes, 0);
    const frame = { at: this.clock.now(), from: `${from.host.name}:${from.dev.name}`, bytes };
    this.frames.push(frame);
    const { cause, traceDevice, traceNumber, gsoSize, gsoSegments } = skb;
    const partial = skb.checksum === 'partial';
    from.host.skbs.consume(skb);
    if (this.lose(frame)) return;
    for (const to of this.plugs) {
      if (to.dev === from.dev) continue;
      this.clock.after(this.delay, () => {
        const copy = frameSkb(to.host, bytes);
        Object.assign(copy, { cause, traceDevice, traceNumber, gsoSize, gsoSegments });
        if (partial) copy.checksum = 'partial';
        netifReceive(to.host, to.dev, copy);
      });
    }
  }
}

/** An sk_buff that holds a frame, as a driver would hand it up. */
export function frameSkb(host: Host, bytes: Uint8Array): SkBuff {
  const skb = host.skbs.alloc(HEADROOM + bytes.length);
  skb.reserve(HEADROOM);
  skb.bytes.set(bytes, skb.put(bytes.length));
  return skb;
}

let macs = 0;

/** A device of `host` on `cable`, up, with its addresses. */
export function attach(
  host: Host,
  name: string,
  cable: Cable,
  options: { addresses?: readonly string[]; mac?: Mac; mtu?: number; features?: Partial<Features> } = {},
): NetDevice {
  const ops: DeviceOps = {
    startXmit: (skb) => {
      dev.counters.txPackets++;
      cable.send({ host, dev }, skb);
      return 'ok';
    },
    open: () => {},
    stop: () => {},
    statistics: () => new Map(),
    describe: () => ({ driver: 'cable', speedMbit: 1_000, rxRing: 0, txRing: 0, rxRingMax: 0, txRingMax: 0, irq: 0 }),
  };
  const mac = options.mac ?? ((0x0200_0000_0000 + ++macs) as Mac);
  const mtu = options.mtu ?? 1_500;
  const dev: NetDevice = makeNetDevice(host, { name, ops, mac, mtu, features: options.features ?? {} });
  host.devices.register(dev);
  host.devices.setUp(dev, true);
  for (const text of options.addresses ?? []) {
    const cidr = parseCidr(text);
    assert(cidr !== undefined, 'an address of a test');
    host.inet.addAddress(dev, cidr.address, { prefix: cidr.prefix });
  }
  cable.plug(host, dev);
  return dev;
}

/** A good mix of all words (a hash for tests: stable, not secret). */
export const testPlatform: Platform = {
  crc32: () => 0,
  sum: sumView,
  copy: copyView,
  copySum: copySumView,
  packetMemory: () => undefined,
  hash: (key, ...words) => {
    let h = (key[0] ^ key[1]) >>> 0;
    for (const word of words) {
      h = Math.imul(h ^ (word >>> 0), 0x9e37_79b1) >>> 0;
      h = (h ^ (h >>> 15)) >>> 0;
    }
    return h;
  },
  readFile: () => undefined,
  readDirectory: () => undefined,
};

let hosts = 0;

/** A kernel with `lo` up and nothing else. */
export function makeHost(name: string, clock: ManualClock, seed = 1): Host {
  const host = new Host({ name, index: ++hosts, clock, random: testRandom(name, seed), platform: testPlatform });
  const lo = host.devices.byName('lo');
  assert(lo !== undefined, 'every host has lo');
  host.devices.setUp(lo, true);
  host.inet.addAddress(lo, ip('127.0.0.1'), { prefix: 8 });
  return host;
}

export function ip(text: string): Ipv4 {
  const address = parseIpv4(text);
  assert(address !== undefined, `${text} is an address`);
  return address;
}

/** `10.0.0.0/8 via 10.0.0.1`, `default via …`, `… dev eth0 metric 5`. */
export function addRoute(host: Host, text: string): Errno | undefined {
  const words = text.split(' ');
  const value = (key: string) => (words.includes(key) ? words[words.indexOf(key) + 1] : undefined);
  const to = words[0] === 'default' ? '0.0.0.0/0' : (words[0] ?? '');
  const cidr = parseCidr(to.includes('/') ? to : `${to}/32`);
  assert(cidr !== undefined, 'a route of a test');
  const via = value('via');
  const dev = value('dev');
  const src = value('src');
  return host.routes.add({
    target: cidr.address,
    prefix: cidr.prefix,
    gateway: via === undefined ? undefined : ip(via),
    dev: dev === undefined ? undefined : host.devices.byName(dev),
    source: src === undefined ? undefined : ip(src),
    metric: Number(value('metric') ?? 0),
  });
}

export function newClock(): ManualClock {
  return new ManualClock();
}
