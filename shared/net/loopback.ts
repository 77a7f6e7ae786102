/** `lo`: what is sent comes in again, in the next softirq (Linux: drivers/net/loopback.c). Never recurses. */
import type { Host } from './host.ts';
import { type DeviceOps, type NetDevice, netifRx } from './netdev.ts';
import { makeNetDevice } from './netdev-registry.ts';
import type { SkBuff } from './skbuff.ts';

/** Linux: 64 kB. */
export const LOOPBACK_MTU = 65_536;

/** Make and register `lo`; its address is the configurator's to give, when it goes up. */
export function loopbackInit(host: Host): NetDevice {
  const ops: DeviceOps = {
    startXmit: (skb) => {
      loopbackXmit(host, dev, skb);
      return 'ok';
    },
    open: () => {},
    stop: () => {},
    statistics: () => new Map(),
    describe: () => ({ driver: '', speedMbit: 0, rxRing: 0, txRing: 0, rxRingMax: 0, txRingMax: 0, irq: 0 }),
  };
  const dev: NetDevice = makeNetDevice(host, {
    name: 'lo',
    kind: 'loopback',
    mtuMax: LOOPBACK_MTU,
    mtu: LOOPBACK_MTU,
    ops,
    carrier: true,
    queueless: true,
    features: { tso: true, gso: true, txChecksum: true, rxChecksum: true },
  });
  host.devices.register(dev);
  return dev;
}

/** The sender has its memory back at once: it has been received. Consumes `skb`. (Linux: loopback_xmit) */
function loopbackXmit(host: Host, dev: NetDevice, skb: SkBuff): void {
  skb.destructor?.(skb);
  skb.destructor = undefined;
  skb.owner = undefined;
  const { counters } = dev;
  counters.txPackets++;
  counters.txBytes += skb.length;
  counters.rxPackets++;
  counters.rxBytes += skb.length;
  netifRx(host, skb);
}
