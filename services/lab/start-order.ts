/**
 * In which order the devices of a lab are started: whoever is dialled before those who dial, so that few find nobody
 * there and have to try again later. The first-named end of a wire listens.
 */
import type { LabPlan } from '../../shared/lab/plan-types.ts';

export function startOrder({ devices, wires }: Pick<LabPlan, 'devices' | 'wires'>): string[] {
  const dials = new Map(devices.map(({ name }) => [name, 0]));
  for (const { a, b } of wires) {
    dials.set(a.device, (dials.get(a.device) ?? 0) - 1);
    dials.set(b.device, (dials.get(b.device) ?? 0) + 1);
  }
  return [...dials].sort(([, one], [, other]) => one - other).map(([name]) => name);
}
