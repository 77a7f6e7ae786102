/**
 * Parting a lab in groups: the fewest wires whose loss leaves no path between a device of one group and one of another.
 * Of two groups found as a minimum cut (Edmonds and Karp on wires of capacity one, each usable both ways). Of several cuts as small,
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
  const work = sides.length * cut.size * devices.length * wires.length;
  const places = sides.length > 2 ? Math.min(SEARCHED_MAX, STEPS_MAX / work) : 0;
  const taken = new FewerWires(sides, places).find(wires, cut.size - 1) ?? cut;
  return wires.filter((wire) => taken.has(wire));
}

/** Places that the search for fewer wires looks at, and the steps that it takes in all; then the cut stands that one has. */
const SEARCHED_MAX = 2_000;
const STEPS_MAX = 100_000_000;

/**
 * Group by group is the fewest for two; of three and more, a wire may serve several. Found by trying: of a way between two
 * groups one wire must go, the first of those that go stands, and those before it stay for good. Bounded.
 */
class FewerWires {
  private readonly sides: readonly ReadonlySet<string>[];
  private readonly places: number;
  private searched = 0;

  constructor(sides: readonly ReadonlySet<string>[], places: number) {
    this.sides = sides;
    this.places = places;
  }

  /** The fewest, if they are at most `most`; undefined when there are none, or it took too long to know. */
  find(wires: readonly WirePlan[], most: number): Set<WirePlan> | undefined {
    let best: Set<WirePlan> | undefined;
    for (let limit = most; limit >= 0; limit = best.size - 1) {
      const found = this.search(wires, new Set(), limit);
      if (found === undefined) break;
      best = new Set(found);
    }
    return best;
  }

  private search(left: readonly WirePlan[], kept: ReadonlySet<WirePlan>, limit: number): WirePlan[] | undefined {
    if (++this.searched > this.places || this.leastOf(left) > limit) return undefined;
    const way = this.wayBetween(left);
    if (way.length === 0) return [];
    const stays = new Set(kept);
    for (const wire of way) {
      if (stays.has(wire)) continue;
      const more = this.search(
        left.filter((each) => each !== wire),
        stays,
        limit - 1,
      );
      if (more !== undefined) return [wire, ...more];
      stays.add(wire);
    }
    return undefined;
  }

  /** Every side has to be parted from all the others, and a wire serves two of them at most. */
  private leastOf(wires: readonly WirePlan[]): number {
    const each = this.sides.map((side) => cutBetween(wires, side, this.othersOf(side)).length);
    return Math.ceil(each.reduce((sum, count) => sum + count, 0) / 2);
  }

  /** The wires of a shortest way from one side to another. */
  private wayBetween(wires: readonly WirePlan[]): WirePlan[] {
    for (const side of this.sides) {
      const { found, came } = findPath(wires, new Map(), side, this.othersOf(side));
      const way: WirePlan[] = [];
      for (let at = found; at !== undefined; ) {
        const step = came.get(at);
        if (step === undefined) break;
        way.push(step.wire);
        at = step.from;
      }
      if (way.length > 0) return way;
    }
    return [];
  }

  private othersOf(side: ReadonlySet<string>): Set<string> {
    return new Set(this.sides.flatMap((other) => (other === side ? [] : [...other])));
  }
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
