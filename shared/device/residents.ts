/** Programs that a device runs because of what it is, beside those that its lab file names. */
import type { DevicePlan } from '../lab/plan-types.ts';
import { programs } from '../programs/registry.ts';

/** systemd-resolved's model, on every machine that asks name servers. */
export function stubResolver(plan: DevicePlan): readonly (readonly string[])[] {
  return plan.dns.length > 0 && programs.has('resolved') ? [['resolved']] : [];
}

/** `named` with zone files, or with hints to iterate from. */
export function nameServer(plan: DevicePlan): readonly (readonly string[])[] {
  if (!programs.has('named')) return [];
  const zones = plan.zones.flatMap(({ origin, file }) => ['-z', `${origin}=${file}`]);
  const hints = plan.hints === null ? [] : ['-r', plan.hints];
  return [['named', ...zones, ...hints]];
}
