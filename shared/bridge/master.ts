/** The bridge's own net device, `br0`, and what it answers of its database. */
import { MAC_ZERO, type Mac } from '../header/address.ts';
import { MTU_DEFAULT } from '../header/ethernet.ts';
import type { Host } from '../net/host.ts';
import type { DeviceOps, NetDevice } from '../net/netdev.ts';
import { MTU_MAX, makeNetDevice } from '../net/netdev-registry.ts';
import type { NamedPort } from './decide.ts';
import type { Fdb } from './fdb.ts';

const NO_RINGS = { rxRing: 0, txRing: 0, rxRingMax: 0, txRingMax: 0, irq: 0 };

export interface MasterOptions {
  readonly mac?: Mac;
  readonly mtu?: number;
  /** What happens to packets that the host's stack sends by the bridge; none when left out. */
  readonly startXmit?: DeviceOps['startXmit'];
}

/** Make and register the bridge's device, and set it up. */
export function bridgeMaster(host: Host, name: string, options: MasterOptions = {}): NetDevice {
  const ops: DeviceOps = {
    startXmit:
      options.startXmit ??
      ((skb) => {
        host.skbs.drop(skb, 'no_carrier', 'br_dev_xmit');
        return 'ok';
      }),
    open: () => {},
    stop: () => {},
    statistics: () => new Map(),
    describe: () => ({ driver: 'bridge', speedMbit: 0, ...NO_RINGS }),
  };
  const dev = makeNetDevice(host, {
    name,
    kind: 'bridge',
    mac: options.mac ?? MAC_ZERO,
    mtu: options.mtu ?? MTU_DEFAULT,
    mtuMax: MTU_MAX,
    queueless: true,
    ops,
    // Nothing is cut or summed above the ports: whichever card sends it will.
    features: { tso: true, gso: true, gro: false, txChecksum: true, rxChecksum: false },
  });
  host.devices.register(dev);
  host.devices.setUp(dev, true);
  return dev;
}

/** `bridge fdb show` and `bridge fdb flush`. */
export function answerFdbQuestions<Port extends NamedPort>(host: Host, fdb: Fdb<Port>): void {
  host.netlink.register('FDB_GET', () => {
    const now = host.clock.now();
    return fdb.list(now).map(({ mac, port, seen, permanent }) => ({
      mac,
      port: port.name,
      age: permanent ? 0 : now - seen,
      permanent,
    }));
  });
  host.netlink.register('FDB_FLUSH', () => fdb.flush());
}
