/**
 * Parting a lab in groups: the fewest wires whose loss leaves no path between a device of one group and one of another,
 * found as a minimum cut (Edmonds and Karp on wires of capacity one, each usable both ways). Of several cuts as small,
 * the one nearest to the first group; the same lab and groups give the same wires.
 */
import type { WirePlan } from '../../shared/lab/plan-types.ts';

/** Wires to unplug so that nothing of `side` reaches anything of `other`. */
export function cutBetween(
  wires: readonly WirePlan[],
  side: ReadonlySet<string>,
  other: ReadonlySet<string>,
): WirePlan[] {
  // Net flow over each wire from its first end to its second: -1, 0 or 1.
  const flow = new Map<WirePlan, number>();
  for (let path = findPath(wires, flow, side, other); path.found; path = findPath(wires, flow, side, other)) {
    for (let at = path.found; !side.has(at); ) {
      const step = path.came.get(at);
      if (step === undefined) break;
      flow.set(step.wire, (flow.get(step.wire) ?? 0) + (step.wire.a.device === step.from ? 1 : -1));
      at = step.from;
    }
  }
  const { reached } = findPath(wires, flow, side, other);
  return wires.filter(({ a, b }) => reached.has(a.device) !== reached.has(b.device));
}

/** The wires that part every group from every other; without a second group, the first from all the rest. */
export function partitionCut(
  wires: readonly WirePlan[],
  devices: readonly string[],
  groups: readonly ReadonlySet<string>[],
): WirePlan[] {
  const [first] = groups;
  if (first === undefined) return [];
  const sides = groups.length > 1 ? groups : [first, new Set(devices.filter((device) => !first.has(device)))];
  const cut = new Set<WirePlan>();
  for (const [i, side] of sides.entries()) {
    const others = new Set(sides.slice(i + 1).flatMap((group) => [...group]));
    if (others.size === 0) continue;
    const left = wires.filter((wire) => !cut.has(wire));
    for (const wire of cutBetween(left, side, others)) cut.add(wire);
  }
  return wires.filter((wire) => cut.has(wire));
}

interface Search {
  /** A device of the other side, or undefined when there is no way left. */
  readonly found: string | undefined;
  readonly came: ReadonlyMap<string, { readonly from: string; readonly wire: WirePlan }>;
  readonly reached: ReadonlySet<string>;
}

/** Breadth first over wires that can take more. */
function findPath(
  wires: readonly WirePlan[],
  flow: ReadonlyMap<WirePlan, number>,
  side: ReadonlySet<string>,
  other: ReadonlySet<string>,
): Search {
  const came = new Map<string, { from: string; wire: WirePlan }>();
  const reached = new Set(side);
  const queue = [...side];
  for (let from = queue.shift(); from !== undefined; from = queue.shift()) {
    for (const wire of wires) {
      const forward = wire.a.device === from;
      if (!forward && wire.b.device !== from) continue;
      const to = forward ? wire.b.device : wire.a.device;
      const used = flow.get(wire) ?? 0;
      if (reached.has(to) || (forward ? used : -used) >= 1) continue;
      reached.add(to);
      came.set(to, { from, wire });
      if (other.has(to)) return { found: to, came, reached };
      queue.push(to);
    }
  }
  return { found: undefined, came, reached };
}
