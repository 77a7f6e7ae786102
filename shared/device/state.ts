/** `/state`: a device as the gateway, `ps` and the page show it. */
import { formatIpv4 } from '../header/address.ts';
import type { Cables } from './cables.ts';
import type { Device } from './device.ts';
import type { DeviceState, EndLedger } from './state-types.ts';

export function stateOf(device: Device, cables: Cables, garbage: ReadonlyMap<string, number>): DeviceState {
  return {
    name: device.name,
    kind: device.plan.kind,
    role: device.plan.role,
    pid: process.pid,
    now: device.host.clock.now(),
    uptime: Math.round(process.uptime() * 10) / 10,
    ports: device.plan.ports.map((port) => {
      const wire = cables.wires.get(port.name);
      return {
        name: port.name,
        mac: port.mac,
        addresses: addressesOf(device, port.name, port.addresses),
        mtu: port.mtu,
        wire: port.wire?.name ?? null,
        peer: port.wire?.peer ?? null,
        carrier: wire?.carrier ?? false,
        plugged: wire?.plugged ?? false,
        cut: wire?.isCut ?? false,
        egress: wire === undefined ? {} : cables.impairmentOf(port.name),
        counters: wire === undefined ? null : { ...wire.counters },
        ledger: ledgerOf(device, cables, port.name),
      };
    }),
    processes: device.processes(),
    skbsLive: device.host.skbs.counters.live,
    drops: Object.fromEntries(device.host.skbs.counters.drops),
    garbage: Object.fromEntries(garbage),
  };
}

function ledgerOf(device: Device, cables: Cables, port: string): EndLedger | null {
  const wire = cables.wires.get(port);
  const verdicts = cables.countsOf(port);
  const phy = device.phys.get(port);
  if (wire === undefined || verdicts === undefined || phy === undefined) return null;
  const { taken: given, waiting, numbers } = wire;
  return { given, waiting, verdicts: { ...verdicts }, numbers, phy: { ...phy.counters } };
}

function addressesOf(device: Device, port: string, planned: readonly string[]): readonly string[] {
  const now = device.addresses();
  if (now === undefined) return planned;
  return now.filter((row) => row.dev === port).map((row) => `${formatIpv4(row.address)}/${row.prefix}`);
}
