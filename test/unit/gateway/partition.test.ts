import fc from 'fast-check';
import { expect, test } from 'vitest';
import { partitionCut } from '../../../services/gateway/partition.ts';
import type { WirePlan } from '../../../shared/lab/plan-types.ts';

function wiresOf(...pairs: readonly string[]): WirePlan[] {
  return pairs.map((pair, i) => {
    const [a = '', b = ''] = pair.split('-');
    const end = (device: string) => ({ device, port: `p${i}` });
    return { name: pair, a: end(a), b: end(b), forward: {}, backward: {} };
  });
}

const cut = (wires: readonly WirePlan[], ...groups: string[][]): string[] => {
  const devices = [...new Set(wires.flatMap(({ a, b }) => [a.device, b.device]))];
  return partitionCut(
    wires,
    devices,
    groups.map((group) => new Set(group)),
  ).map(({ name }) => name);
};

test('one wire on a chain, the one nearest to the first group', () => {
  const chain = wiresOf('a-s', 's-t', 't-b');
  expect(cut(chain, ['a'], ['b'])).toEqual(['a-s']);
  expect(cut(chain, ['b'], ['a'])).toEqual(['t-b']);
  expect(cut(chain, ['a', 's'], ['b'])).toEqual(['s-t']);
});

test('both ways round a ring, and the two backbone wires rather than the three of the hosts', () => {
  expect(cut(wiresOf('a-b', 'b-c', 'c-d', 'd-a'), ['a'], ['c'])).toHaveLength(2);
  const lan = wiresOf('x-s', 'y-s', 'z-s', 's-r', 's-q', 'r-web', 'q-web', 'web-db');
  expect(cut(lan, ['x', 'y', 'z'], ['db'])).toEqual(['web-db']);
  expect(cut(lan, ['x', 'y', 'z'], ['web'])).toEqual(['s-r', 's-q']);
});

test('a path that must be turned back on is found: the cut is as small as the flow', () => {
  // Two ways that both want the middle wire; the greedy first path uses it.
  const wires = wiresOf('a-u', 'a-v', 'u-v', 'u-b', 'v-b');
  expect(cut(wires, ['a'], ['b'])).toEqual(['a-u', 'a-v']);
});

test('three groups are parted from each other; one group from all the rest', () => {
  const star = wiresOf('a-s', 'b-s', 'c-s');
  expect(cut(star, ['a'], ['b'], ['c'])).toEqual(['a-s', 'b-s']);
  expect(cut(star, ['a'])).toEqual(['a-s']);
  expect(cut(star, ['a', 's'])).toEqual(['b-s', 'c-s']);
});

test('groups that nothing joins need no cut', () => {
  expect(cut(wiresOf('a-b', 'c-d'), ['a'], ['c'])).toEqual([]);
});

test('three groups of a hundred hosts at one switch are parted in a moment', () => {
  const hosts = Array.from({ length: 300 }, (_, i) => `h${i}`);
  const wires = wiresOf(...hosts.map((host) => `${host}-s`));
  const began = performance.now();
  const groups = [0, 100, 200].map((from) => hosts.slice(from, from + 100));
  expect(cut(wires, ...groups).length).toBe(200);
  expect(performance.now() - began).toBeLessThan(5_000);
});

/** Whether any wire that is left leads from one group to another, however far round. */
function joined(wires: readonly WirePlan[], groups: readonly (readonly string[])[]): boolean {
  return groups.some((group, i) => {
    const reached = new Set(group);
    for (let before = -1; before !== reached.size; ) {
      before = reached.size;
      for (const { a, b } of wires) {
        if (reached.has(a.device)) reached.add(b.device);
        else if (reached.has(b.device)) reached.add(a.device);
      }
    }
    return groups.some((other, j) => j !== i && other.some((device) => reached.has(device)));
  });
}

/** The fewest that part them, found by trying all. */
function fewest(wires: readonly WirePlan[], groups: readonly (readonly string[])[]): number {
  let best = wires.length;
  for (let choice = 0; choice < 2 ** wires.length; choice++) {
    const left = wires.filter((_, i) => ((choice >> i) & 1) === 0);
    if (wires.length - left.length < best && !joined(left, groups)) best = wires.length - left.length;
  }
  return best;
}

/** Rings of switches with chords, each wire perhaps double, and hosts that hang on one or two of them. */
const network = fc
  .record({
    ring: fc.integer({ min: 3, max: 5 }),
    chords: fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { maxLength: 2 }),
    hosts: fc.array(fc.nat(4), { minLength: 2, maxLength: 4 }),
  })
  .map(({ ring, chords, hosts }) => {
    const around = Array.from({ length: ring }, (_, i) => `s${i}-s${(i + 1) % ring}`);
    const across = chords.flatMap(([a, b]) => (a % ring === b % ring ? [] : [`s${a % ring}-s${b % ring}`]));
    return wiresOf(...around, ...across, ...hosts.map((at, i) => `h${i}-s${at % ring}`));
  });

test('over rings of switches with chords the cut parts the groups, and no smaller one does', () => {
  fc.assert(
    fc.property(network, fc.integer({ min: 2, max: 4 }), fc.infiniteStream(fc.nat(7)), (wires, count, places) => {
      const devices = [...new Set(wires.flatMap(({ a, b }) => [a.device, b.device]))];
      const groups: string[][] = Array.from({ length: count }, () => []);
      for (const device of devices) {
        const place = places.next().value;
        if (place < count) groups[place]!.push(device);
      }
      const asked = groups.filter((group) => group.length > 0);
      if (asked.length < 2) return;
      const names = new Set(cut(wires, ...asked));
      const unplugged = wires.filter(({ name }) => names.has(name));
      expect(
        joined(
          wires.filter((each) => !unplugged.includes(each)),
          asked,
        ),
      ).toBe(false);
      expect(unplugged.length).toBe(fewest(wires, asked));
    }),
    { numRuns: 300, seed: 6 },
  );
});
