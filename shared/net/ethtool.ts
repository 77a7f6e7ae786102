/** What `ethtool` asks of a card: its counters, its rings and its features (Linux: net/ethtool, ethnl). */
import type { Errno } from './errno.ts';
import type { Host } from './host.ts';
import type { Features, NetDevice } from './netdev.ts';

const FEATURES = ['tso', 'gso', 'gro', 'txChecksum', 'rxChecksum'] as const satisfies readonly (keyof Features)[];

export function ethtoolInit(host: Host): void {
  host.netlink.register('ETHTOOL', ({ dev }) => {
    const device = host.devices.byName(dev);
    if (device === undefined) return 'ENODEV';
    const { driver, speedMbit, rxRing, txRing, rxRingMax, txRingMax } = device.ops.describe();
    return {
      statistics: device.ops.statistics(),
      driver,
      speedMbit,
      rxRing,
      txRing,
      rxRingMax,
      txRingMax,
      carrier: device.up && device.carrier,
      features: { ...device.features },
      permanentMac: device.permanentMac,
      coalesce: device.ops.card?.coalesce,
      flags: device.ops.card?.flags ?? {},
    };
  });
  host.netlink.register('ETHTOOL_SET', ({ dev, features, rxRing, txRing, coalesce, flags }) => {
    const device = host.devices.byName(dev);
    if (device === undefined) return 'ENODEV';
    const { card } = device.ops;
    if (features !== undefined) return setFeatures(device, features);
    if (card === undefined) return 'EOPNOTSUPP';
    if (coalesce !== undefined) return card.setCoalesce(coalesce);
    if (flags !== undefined) return card.setFlags(flags);
    const { rxRing: rx, txRing: tx } = device.ops.describe();
    return card.setRings(rxRing ?? rx, txRing ?? tx);
  });
}

/** netdev_fix_features: segmentation by the card needs its checksums. */
function setFeatures(device: NetDevice, wanted: Readonly<Record<string, boolean>>): Errno | undefined {
  for (const name of Object.keys(wanted)) if (!FEATURES.some((known) => known === name)) return 'EOPNOTSUPP';
  for (const name of FEATURES) device.features[name] = wanted[name] ?? device.features[name];
  if (!device.features.txChecksum) device.features.tso = false;
  return undefined;
}
