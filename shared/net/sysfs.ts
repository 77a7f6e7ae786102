/**
 * /sys/class/net: a folder for each device, a value in each file, made when it is read (Linux: net/core/net-sysfs.c).
 * Left out: queues, power, links to the bus, writing.
 */
import { formatMac, MAC_BROADCAST, MAC_ZERO } from '../header/address.ts';
import type { Host } from './host.ts';
import type { LinkCounters, NetDevice } from './netdev.ts';
import type { ProcFile } from './procfs.ts';
import { TX_QUEUE_PACKETS_MAX } from './qdisc.ts';

const FOLDER = '/sys/class/net';
/** Linux: if_arp.h. */
const ARPHRD = { ether: 1, bridge: 1, loopback: 772, port: 0xfffe } as const;
/** Linux: enum net_device_flags. */
const IFF = { UP: 1, BROADCAST: 2, LOOPBACK: 8, PROMISC: 0x100, MULTICAST: 0x1000 } as const;

const VALUES: ReadonlyMap<string, (dev: NetDevice) => string | number> = new Map<
  string,
  (dev: NetDevice) => string | number
>([
  ['address', (dev) => (dev.kind === 'port' ? '' : formatMac(dev.mac))],
  ['broadcast', (dev) => (dev.kind === 'port' ? '' : formatMac(dev.kind === 'loopback' ? MAC_ZERO : MAC_BROADCAST))],
  ['carrier', (dev) => (dev.up && dev.carrier ? 1 : 0)],
  ['carrier_changes', ({ counters }) => counters.carrierUps + counters.carrierDowns],
  ['carrier_down_count', ({ counters }) => counters.carrierDowns],
  ['carrier_up_count', ({ counters }) => counters.carrierUps],
  ['duplex', (dev) => (dev.carrier && dev.ops.describe().speedMbit > 0 ? 'full' : 'unknown')],
  ['flags', (dev) => `0x${flagsOf(dev).toString(16)}`],
  ['ifindex', (dev) => dev.ifindex],
  ['mtu', (dev) => dev.mtu],
  ['operstate', operstate],
  ['speed', (dev) => (dev.carrier && dev.ops.describe().speedMbit > 0 ? dev.ops.describe().speedMbit : -1)],
  ['tx_queue_len', () => TX_QUEUE_PACKETS_MAX],
  ['type', (dev) => ARPHRD[dev.kind]],
]);

const STATISTICS: ReadonlyMap<string, (counters: LinkCounters) => number> = new Map<
  string,
  (counters: LinkCounters) => number
>([
  ['collisions', (c) => c.collisions],
  ['multicast', (c) => c.multicast],
  ['rx_bytes', (c) => c.rxBytes],
  ['rx_crc_errors', (c) => c.rxCrc],
  ['rx_dropped', (c) => c.rxDropped],
  ['rx_errors', (c) => c.rxErrors],
  ['rx_fifo_errors', (c) => c.rxFifo],
  ['rx_frame_errors', (c) => c.rxFrame],
  ['rx_length_errors', (c) => c.rxLength],
  ['rx_missed_errors', (c) => c.rxMissed],
  ['rx_packets', (c) => c.rxPackets],
  ['tx_bytes', (c) => c.txBytes],
  ['tx_carrier_errors', (c) => c.txCarrier],
  ['tx_dropped', (c) => c.txDropped],
  ['tx_errors', (c) => c.txErrors],
  ['tx_fifo_errors', (c) => c.txFifo],
  ['tx_packets', (c) => c.txPackets],
]);

export function sysfsInit(host: Host): void {
  host.procfs.registerFolder(FOLDER, {
    lookup: (path) => {
      const [name = '', ...rest] = path.split('/');
      const dev = host.devices.byName(name);
      return dev === undefined ? undefined : fileOf(dev, rest.join('/'));
    },
    list: () => host.devices.list().flatMap(({ name }) => FILES.map((file) => `${name}/${file}`)),
  });
}

const FILES = [...VALUES.keys(), ...[...STATISTICS.keys()].map((name) => `statistics/${name}`)];

function fileOf(dev: NetDevice, path: string): ProcFile | undefined {
  const value = VALUES.get(path);
  if (value !== undefined) return readOnly(() => value(dev));
  const counter = path.startsWith('statistics/') ? STATISTICS.get(path.slice('statistics/'.length)) : undefined;
  return counter === undefined ? undefined : readOnly(() => counter(dev.counters));
}

function readOnly(value: () => string | number): ProcFile {
  return { read: () => `${value()}\n`, write: undefined };
}

function operstate(dev: NetDevice): string {
  if (dev.kind === 'loopback') return dev.up ? 'unknown' : 'down';
  return dev.up && dev.carrier ? 'up' : 'down';
}

function flagsOf(dev: NetDevice): number {
  const kind = dev.kind === 'loopback' ? IFF.LOOPBACK : IFF.BROADCAST | IFF.MULTICAST;
  return kind | (dev.up ? IFF.UP : 0) | (dev.promiscuous ? IFF.PROMISC : 0);
}
