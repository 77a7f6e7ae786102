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
