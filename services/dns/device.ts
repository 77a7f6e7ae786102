import type { Device, DeviceParts } from '../../shared/device/device.ts';
import { assemble } from '../../shared/device/kernel.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';

export function build(plan: DevicePlan, parts: DeviceParts): Device {
  return assemble(plan, parts, {
    ports: () => new Map(),
    configure: () => {},
    residents: plan.run,
    addresses: () => undefined,
  });
}
