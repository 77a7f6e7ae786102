/** A name server: a host that runs `named` with the zones, or the root hints, that its role asks for. */
import { addressRows, configureIp } from '../../shared/device/configure.ts';
import type { Device, DeviceParts } from '../../shared/device/device.ts';
import { assemble, cards } from '../../shared/device/kernel.ts';
import { nameServer } from '../../shared/device/residents.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';

export function build(plan: DevicePlan, parts: DeviceParts): Device {
  return assemble(plan, parts, {
    ports: cards,
    configure: configureIp,
    residents: [...nameServer(plan), ...plan.run],
    addresses: addressRows,
  });
}
