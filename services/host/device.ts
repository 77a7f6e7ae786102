/** A host: the stack on its cards, its name servers' stub resolver, and the programs that the lab file runs on it. */
import { addressRows, configureIp } from '../../shared/device/configure.ts';
import type { Device, DeviceParts } from '../../shared/device/device.ts';
import { assemble, cards } from '../../shared/device/kernel.ts';
import { stubResolver } from '../../shared/device/residents.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';

export function build(plan: DevicePlan, parts: DeviceParts): Device {
  return assemble(plan, parts, {
    ports: cards,
    configure: configureIp,
    residents: [...stubResolver(plan), ...plan.run],
    addresses: addressRows,
  });
}
