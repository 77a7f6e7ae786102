/** Random faults of several holders over a plain model: what stands at each end is what the entries in force make of it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { DeviceDoor } from '../../../services/gateway/device-link.ts';
import type { FaultRequest } from '../../../services/gateway/fault-request.ts';
import { Faults, NOBODY } from '../../../services/gateway/faults.ts';
import { Lab } from '../../../services/gateway/lab.ts';
import type { Impairment, ImpairmentChange, WirePlan } from '../../../shared/lab/plan-types.ts';

const RUNS = 200;

interface EndState {
  readonly plugged: boolean;
  readonly cut: boolean;
  readonly impairment: Impairment;
}

const wire = (a: string, b: string, forward: Impairment = {}, backward: Impairment = {}): WirePlan => {
  const end = (name: string) => ({ device: name.split(':')[0]!, port: name.split(':')[1]! });
  return { name: `${a}--${b}`, a: end(a), b: end(b), forward, backward };
};
/** Three switches in a ring, a host at each; two wires are bad by the lab file already. */
const WIRES = [
  wire('s1:p1', 's2:p1', { loss: 0.01, delay: 5_000 }, { rate: 1_000_000 }),
  wire('s2:p2', 's3:p2'),
  wire('s3:p3', 's1:p3', {}, { mtu: 1_400 }),
  ...[1, 2, 3].map((n) => wire(`h${n}:eth0`, `s${n}:p8`)),
];
const DEVICES = ['s1', 's2', 's3', 'h1', 'h2', 'h3'];
const ENDS = WIRES.flatMap(({ name }) => name.split('--'));
const FILE = new Map(
  WIRES.flatMap(({ name, forward, backward }) => {
    const [a = '', b = ''] = name.split('--');
    return [[a, forward] as const, [b, backward] as const];
  }),
);

function setup() {
  const ends = new Map<string, EndState>();
  const doors = DEVICES.map(
    (name): DeviceDoor => ({
      name,
      get: () => Promise.reject(new Error('not asked here')),
      post: async <T>(path: string, body?: object) => {
        ends.set(`${name}:${path.split('/')[2]}`, body as EndState);
        return { carrier: true } as T;
      },
      socket: () => {
        throw new Error('not asked here');
      },
      close: () => {},
    }),
  );
  const devices = DEVICES.map((name, index) => {
    const ports = ENDS.filter((end) => end.startsWith(`${name}:`)).map((end) => end.split(':')[1]!);
    return { name, kind: 'switch' as const, role: null, index, control: '', ports };
  });
  const lab = new Lab({ lab: 'ring', seed: 1, devices, wires: WIRES }, doors);
  return { faults: new Faults(lab, { request: async () => {} }), ends };
}

/** One thing that a fault does to an end; a fault is a list of them, in its order. */
type Effect = readonly ['unplug' | 'cut' | 'clear'] | readonly ['knob', string, unknown] | readonly ['rule', unknown];

interface Entry {
  readonly id: number;
  readonly holder: number;
  readonly kind: string;
  readonly at: Map<string, readonly Effect[]>;
}

/** What stands at an end: the lab file, and then every entry, the oldest first. */
function modelOf(entries: readonly Entry[], end: string): EndState {
  const knobs = new Map<string, unknown>(Object.entries(FILE.get(end) ?? {}));
  let rules: unknown[] = [];
  const effects = entries.flatMap(({ at }) => at.get(end) ?? []);
  for (const [does, word, value] of effects) {
    if (does === 'clear') {
      knobs.clear();
      rules = [];
    } else if (does === 'rule') rules = word === null ? [] : [...rules, word];
    else if (does === 'knob' && value === null) knobs.delete(word as string);
    else if (does === 'knob') knobs.set(word as string, value);
  }
  if (rules.length > 0) knobs.set('match', rules);
  const has = (what: string): boolean => effects.some(([does]) => does === what);
  return { plugged: !has('unplug'), cut: has('cut'), impairment: Object.fromEntries(knobs) };
}

/** A later entry of nobody's says all of it again, whatever it said: nobody can tell them apart, and the older one goes. */
function saysAllOf(by: Entry, entry: Entry): boolean {
  return [...entry.at].every(([end, effects]) => {
    const later = by.at.get(end);
    if (later === undefined || by.kind !== entry.kind) return false;
    if (entry.kind !== 'impair') return true;
    if (later.some(([does]) => does === 'clear')) return true;
    if (effects.some(([does]) => does === 'clear') || later.some(([does, rule]) => does === 'rule' && rule !== null))
      return false;
    return effects.every(([does, word]) =>
      later.some(([what, other]) => what === does && (does === 'rule' || other === word)),
    );
  });
}

const WORDS = ['delay', 'loss', 'corrupt', 'rate', 'mtu'] as const;
/** Down to 0, up, and away. */
const change = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...WORDS), fc.constantFrom(0, 0.05, 1, 1_500, null), { maxKeys: 2 }),
    fc.constantFrom(undefined, undefined, null, 'tcp', 'icmp'),
  )
  // To turn nothing is refused by the command and in a test.
  .filter(([knobs, frames]) => Object.keys(knobs).length > 0 || frames !== undefined)
  .map(([knobs, frames]): ImpairmentChange => {
    if (frames === undefined) return knobs as ImpairmentChange;
    return { ...knobs, match: frames === null ? null : [{ frames, loss: 1 }] } as ImpairmentChange;
  });
// Mostly the same few, so that faults meet.
const end = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...ENDS.slice(0, 3)) }, fc.constantFrom(...ENDS));
const anyWire = fc.oneof(fc.constant(WIRES[0]!.name), fc.constantFrom(...WIRES.map(({ name }) => name)));
const request: fc.Arbitrary<FaultRequest> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      fault: fc.constant('impair' as const),
      target: fc.oneof(end, anyWire),
      impairment: change,
      clear: fc.constantFrom(false, false, false, true),
    }),
  },
  { weight: 1, arbitrary: fc.record({ fault: fc.constantFrom('unplug' as const, 'cut' as const), target: end }) },
);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('add' as const), request, holder: fc.constantFrom(NOBODY, NOBODY, 1, 2) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), holder: fc.constantFrom(1, 2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), nth: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('plug' as const), target: end }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('heal' as const),
      target: fc.oneof(end, anyWire, fc.constantFrom(...DEVICES), fc.constant(undefined)),
    }),
  },
);

const wireOf = (target: string): string[] =>
  (WIRES.find(({ name }) => name === target || name.split('--').includes(target))?.name ?? '').split('--');

function entryOf(id: number, holder: number, request: FaultRequest): Entry {
  const at = new Map<string, readonly Effect[]>();
  if (request.fault === 'unplug') for (const each of wireOf(request.target)) at.set(each, [['unplug']]);
  if (request.fault === 'cut') at.set(request.target, [['cut']]);
  if (request.fault === 'impair') {
    const { match, ...knobs } = request.impairment ?? {};
    const effects: Effect[] = [
      ...(request.clear === true ? [['clear'] as const] : []),
      ...Object.entries(knobs).map(([knob, value]) => ['knob', knob, value] as const),
      ...(match === undefined
        ? []
        : match === null
          ? [['rule', null] as const]
          : match.map((rule) => ['rule', rule] as const)),
    ];
    for (const each of request.target.includes('--') ? wireOf(request.target) : [request.target]) at.set(each, effects);
  }
  return { id, holder, kind: request.fault, at };
}

const touches = (entry: Entry, target: string): boolean => {
  if (DEVICES.includes(target)) return [...entry.at.keys()].some((each) => each.startsWith(`${target}:`));
  return wireOf(target).some((each) => entry.at.has(each));
};

test('one knob of one end never touches another, whoever sets, ends or heals what in which order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), async (steps) => {
      const { faults, ends } = setup();
      let entries: Entry[] = [];
      for (const each of steps) {
        if (each.do === 'add') {
          const { fault } = await faults.add(each.request, each.holder);
          const entry = entryOf(fault, each.holder, each.request);
          if (each.holder === NOBODY)
            entries = entries.filter((old) => old.holder !== NOBODY || !saysAllOf(entry, old));
          entries.push(entry);
        } else if (each.do === 'release') {
          await faults.release(each.holder);
          entries = entries.filter(({ holder }) => holder !== each.holder);
        } else if (each.do === 'remove') {
          const gone = entries[each.nth % Math.max(1, entries.length)]?.id;
          await faults.remove(gone ?? 0);
          entries = entries.filter(({ id }) => id !== gone);
        } else if (each.do === 'plug') {
          await faults.plug(each.target);
          for (const { kind, at } of entries)
            if (kind === 'unplug') for (const one of wireOf(each.target)) at.delete(one);
          entries = entries.filter(({ at }) => at.size > 0);
        } else {
          await faults.heal(each.target);
          entries = entries.filter((entry) => each.target !== undefined && !touches(entry, each.target));
        }
        expect(faults.list().map(({ fault }) => fault)).toEqual(entries.map(({ id }) => id));
        for (const one of ENDS) {
          const untouched = { plugged: true, cut: false, impairment: FILE.get(one) };
          expect([one, ends.get(one) ?? untouched]).toEqual([one, modelOf(entries, one)]);
        }
      }
      await faults.heal();
      for (const one of ENDS) expect(ends.get(one)).toEqual({ plugged: true, cut: false, impairment: FILE.get(one) });
    }),
    { numRuns: RUNS, seed: 20 },
  );
});
