/** A router: a host with several cards that passes on what is not for it; a home router also translates and bridges. */
import { addressRows, configureIp } from '../../shared/device/configure.ts';
import type { Device, DeviceParts } from '../../shared/device/device.ts';
import { assemble, cards } from '../../shared/device/kernel.ts';
import { stubResolver } from '../../shared/device/residents.ts';
import type { DevicePlan } from '../../shared/lab/plan-types.ts';

const FORWARDING = { 'net.ipv4.ip_forward': '1' };

export function build(plan: DevicePlan, parts: DeviceParts): Device {
  // First, so that the lab file can still say otherwise.
  const forwarding = { ...plan, sysctl: { ...FORWARDING, ...plan.sysctl } };
  return assemble(forwarding, parts, {
    ports: cards,
    configure: configureIp,
    residents: [...stubResolver(plan), ...plan.run],
    addresses: addressRows,
  });
}
