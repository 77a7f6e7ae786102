/**
 * The walk over drop.ts: every reason is reached, by name, by a recipe that makes exactly that drop happen. Each must count
 * under its reason and its function, be traced as kfree_skb, and stand in the counter that a Linux user would look at.
 */
import { describe, expect, test } from 'vitest';
import { DROP_REASONS, type DropReason } from '../../../shared/net/drop.ts';
import { DROP_PLACES } from '../../../shared/net/drop-place.ts';
import type { Host } from '../../../shared/net/host.ts';
import type { TraceEvent } from '../../../shared/net/trace.ts';
import { assert } from '../../../shared/platform.ts';
import { programs } from '../../../shared/programs/registry.ts';
import type { ManualClock } from '../../kit/clock.ts';
import { CARD_DROPS, LINK_DROPS } from '../../kit/drops/below-ip.ts';
import type { Counter, DropRecipe, DropRecipes } from '../../kit/drops/bench.ts';
import { ICMP_DROPS, UDP_DROPS } from '../../kit/drops/datagram.ts';
import { FRAGMENT_DROPS, IP_DROPS, NETFILTER_DROPS } from '../../kit/drops/ip.ts';
import { SWITCH_DROPS } from '../../kit/drops/switch.ts';
import { TCP_DROPS } from '../../kit/drops/tcp.ts';
import { runOn } from '../../kit/programs.ts';

const RECIPES: DropRecipes = {
  ...CARD_DROPS,
  ...SWITCH_DROPS,
  ...LINK_DROPS,
  ...IP_DROPS,
  ...FRAGMENT_DROPS,
  ...NETFILTER_DROPS,
  ...ICMP_DROPS,
  ...UDP_DROPS,
  ...TCP_DROPS,
};
const REASONS = Object.keys(DROP_REASONS) as DropReason[];

function howToAdd(reason: string): string {
  return `Nothing shows that ${reason} can happen. Add a recipe: in test/kit/drops/ (switch.ts, below-ip.ts, ip.ts, datagram.ts or tcp.ts), under the
key '${reason}', { when, counter, make }: make() sends packets or makes calls on a DropBench or a tcpScript until exactly that drop
happens; counter is where a user reads of it (nstat(…), link(…), …; NO_COUNTER where Linux has none). What cannot be made to
happen is no reason: take it out of drop.ts, drop-place.ts and the table in shared/net/README.md.`;
}

async function read({ command, number, base = 10 }: Counter, host: Host, clock: ManualClock): Promise<number> {
  host.processes.programs = programs;
  const { out, err } = await runOn(host, clock, command);
  // A number that a command leaves out while it is zero.
  const found = number.exec(out)?.[1];
  assert(found !== undefined || err === '', `${command}: ${err}`);
  return found === undefined ? 0 : Number.parseInt(found, base);
}

async function walk(reason: DropReason, { make, counter, counts, place }: DropRecipe): Promise<void> {
  let seen: { host: Host; clock: ManualClock } | undefined;
  const events: TraceEvent[] = [];
  make((host, clock) => {
    seen = { host, clock };
    host.trace.listen((event) => {
      if (event.point === 'kfree_skb' && event.fields['reason'] === reason) events.push(event);
    });
  });
  assert(seen !== undefined, 'a recipe says which host it drops on');
  const { host, clock } = seen;
  const dropped = host.skbs.counters.drops.get(reason) ?? 0;
  expect(dropped, `packets dropped for ${reason}; there were ${[...host.skbs.counters.drops]}`).toBeGreaterThan(0);
  const where = place ?? DROP_PLACES[reason];
  expect([...(host.skbs.counters.dropPlaces.get(reason) ?? [])], 'places').toEqual([[where, dropped]]);
  expect(events.map((event) => event.fields['location'])).toEqual(Array(dropped).fill(where));
  if (counter !== undefined) expect(await read(counter, host, clock), counter.command).toBe(counts ?? dropped);
}

test.each(REASONS)('%s has a recipe', (reason) => {
  expect(RECIPES[reason]?.length ?? 0, howToAdd(reason)).toBeGreaterThan(0);
});

test('there is no recipe for what is no reason', () => {
  expect(Object.keys(RECIPES).filter((reason) => !(reason in DROP_REASONS))).toEqual([]);
});

describe('a packet is dropped, counted and traced', () => {
  const cases = REASONS.flatMap((reason) => (RECIPES[reason] ?? []).map((recipe) => ({ reason, recipe })));
  test.each(cases.map(({ reason, recipe }) => [reason, recipe.when, recipe] as const))(
    '%s, when %s',
    (reason, _when, recipe) => walk(reason, recipe),
  );
});
