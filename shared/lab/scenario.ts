/**
 * Scenarios: what `wirelab chaos run FILE` does to a lab and what must hold meanwhile. A list of steps, each a mapping
 * whose first key is its verb; read with the same care as a lab file, every problem at once with its line.
 *
 *   lab: two-hosts
 *   seed: 7
 *   steps:
 *     - impair: alice:eth0
 *       loss: 5%
 *     - fetch: http://10.0.0.2/
 *       on: alice
 *     - unplug: alice:eth0
 *       for: 2s
 *     - carrier: alice:eth0
 *       is: down
 *       within: 100ms
 */
import { filterProblem } from './filter-problem.ts';
import { commandType } from './name-value.ts';
import { type LabNode, type MappingNode, parseLab, type ScalarNode } from './parse.ts';
import { type Problem, Problems } from './problem.ts';
import { KNOBS, NAME, NAME_EXPECTED } from './schema.ts';
import {
  choice,
  cut,
  delayType,
  describe,
  doubleKey,
  ratioType,
  scalarType,
  textType,
  type ValueType,
  whole,
} from './values.ts';

const STEPS_MAX = 1_000;
const SEED_MAX = 0xffff_ffff;
const COUNT_MAX = 1_000_000_000;

export const SCENARIO_ENGINES = ['processes', 'docker', 'packed'] as const;
export const SCENARIO_CLOCKS = ['real', 'virtual'] as const;
export const SHAPES = ['constant', 'ramp', 'square', 'random'] as const;

export interface Step {
  readonly verb: Verb;
  /** What stands behind the verb. */
  readonly value: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  /** Of the file, from 1. */
  readonly line: number;
  /** The step as it was written, on one line. */
  readonly words: string;
}

export interface Scenario {
  readonly lab: string;
  readonly description: string;
  readonly seed: number | undefined;
  readonly engine: (typeof SCENARIO_ENGINES)[number] | undefined;
  readonly clock: (typeof SCENARIO_CLOCKS)[number] | undefined;
  readonly steps: readonly Step[];
}

const anyText = textType('text', /^[^\0]{1,1000}$/s);
const deviceType = textType(NAME_EXPECTED, NAME);
const targetType = textType('a port (alice:eth0) or a wire (alice:eth0--sw:p1)', /^\S+:\S+(\s*--\s*\S+:\S+)?$/);
const placeType = textType('a port, a wire or a device', /^\S+(\s*--\s*\S+)?$/);
const nothing: ValueType<string | undefined> = {
  expected: 'nothing, or a port, a wire or a device',
  json: {},
  read: (node, reading) => (node.what === 'scalar' && node.empty ? undefined : placeType.read(node, reading)),
};
const filterType = scalarType(
  "a display filter in Wireshark's words",
  {},
  (text) => (filterProblem(text) === undefined ? text : undefined),
  filterProblem,
);
const portsType = textType('ports, devices or all, with commas between', /^\S+$/);
const groupsType = textType('groups of devices, such as alice,bob -- web', /^\S+(\s+--\s+\S+)*$/);

/** A knob's words, as a lab file has them, or `off`; kept as words. */
function knobType(type: ValueType<unknown>): ValueType<string> {
  return {
    expected: `${type.expected}, or off`,
    json: {},
    read(node, reading) {
      if (node.what === 'scalar' && node.text === 'off') return 'off';
      return type.read(node, reading) === undefined || node.what !== 'scalar' ? undefined : node.text;
    },
  };
}

const { match: _match, ...plainKnobs } = KNOBS;
const knobTypes = Object.fromEntries(Object.entries(plainKnobs).map(([knob, { type }]) => [knob, knobType(type)]));
/** Knobs that are one number, which a wave can move. */
export const WAVE_KNOBS = ['delay', 'jitter', 'loss', 'duplicate', 'reorder', 'corrupt', 'rate'] as const;

interface StepSpec {
  readonly value: ValueType<unknown>;
  readonly options: Readonly<Record<string, ValueType<unknown>>>;
  readonly needs?: readonly string[];
}

const held = { for: delayType };
const answer = { status: whole(0, 255), stdout: anyText, stderr: anyText };

export const STEPS = {
  wait: { value: delayType, options: {} },
  exec: { value: commandType, options: { on: deviceType, ...answer, within: delayType }, needs: ['on'] },
  spawn: { value: commandType, options: { on: deviceType, as: deviceType }, needs: ['on', 'as'] },
  finish: { value: deviceType, options: { ...answer, within: delayType } },
  fetch: {
    value: anyText,
    options: { on: deviceType, status: whole(100, 599), text: anyText, bytes: whole(0, COUNT_MAX), within: delayType },
    needs: ['on'],
  },
  impair: {
    value: targetType,
    options: {
      ...knobTypes,
      ...held,
      match: filterType,
      nth: knobType(whole(1, COUNT_MAX)),
      count: knobType(whole(1, COUNT_MAX)),
      clear: choice(['true']),
    },
  },
  wave: {
    value: targetType,
    options: {
      knob: choice(WAVE_KNOBS),
      shape: choice(SHAPES),
      from: anyText,
      to: anyText,
      over: delayType,
      every: delayType,
      period: delayType,
      duty: ratioType,
    },
    needs: ['knob', 'shape', 'from', 'over'],
  },
  unplug: { value: targetType, options: held },
  plug: { value: targetType, options: {} },
  cut: { value: targetType, options: held },
  flap: { value: targetType, options: { ...held, period: anyText, duty: anyText } },
  partition: { value: groupsType, options: held },
  freeze: { value: deviceType, options: held },
  kill: { value: deviceType, options: held },
  restart: { value: deviceType, options: {} },
  heal: { value: nothing, options: {} },
  carrier: { value: targetType, options: { is: choice(['up', 'down']), within: delayType } },
  capture: { value: portsType, options: {} },
  frames: { value: filterType, options: { min: whole(0, COUNT_MAX), max: whole(0, COUNT_MAX), within: delayType } },
} as const satisfies Record<string, StepSpec>;

export type Verb = keyof typeof STEPS;

const TOP = {
  lab: anyText,
  description: anyText,
  seed: whole(0, SEED_MAX),
  engine: choice(SCENARIO_ENGINES),
  clock: choice(SCENARIO_CLOCKS),
} as const;

export interface CheckedScenario {
  readonly scenario: Scenario | undefined;
  readonly problems: readonly Problem[];
}

/** Check a scenario's text. Every problem is in the answer; nothing is thrown. */
export function checkScenario(text: string, file: string): CheckedScenario {
  const problems = new Problems(file, text);
  const scenario = read(text, problems);
  return { scenario: problems.count === 0 ? scenario : undefined, problems: problems.sorted() };
}

function read(source: string, problems: Problems): Scenario | undefined {
  const { root, broken } = parseLab(source, problems);
  if (broken) return undefined;
  if (root?.what !== 'mapping') {
    problems.add({ start: 0, end: 1 }, 'this is no scenario', 'a mapping with lab and steps');
    return undefined;
  }
  const top: Record<string, unknown> = {};
  let list: LabNode | undefined;
  for (const { key, value } of root.entries) {
    if (Object.hasOwn(top, key.text) || (key.text === 'steps' && list !== undefined)) {
      doubleKey(key, { problems, what: 'the scenario' });
    } else if (key.text === 'steps') list = value;
    else if (Object.hasOwn(TOP, key.text)) {
      const type: ValueType<unknown> = TOP[key.text as keyof typeof TOP];
      top[key.text] = type.read(value, { problems, source, what: `${key.text} of the scenario` });
    } else {
      const message = `unknown key "${cut(key.text)}" in the scenario`;
      problems.unknown(key.span, message, key.text, [...Object.keys(TOP), 'steps']);
    }
  }
  if (!Object.hasOwn(top, 'lab'))
    problems.add(root.span, 'the scenario names no lab', 'lab: NAME, or the path of a lab file');
  return { description: '', ...top, steps: readSteps(list, root, source, problems) } as unknown as Scenario;
}

function readSteps(node: LabNode | undefined, root: MappingNode, source: string, problems: Problems): Step[] {
  if (node?.what !== 'list' || node.items.length === 0) {
    problems.add(
      node?.span ?? root.span,
      'the scenario has no steps',
      'steps: a list, each step a verb with its value',
    );
    return [];
  }
  if (node.items.length > STEPS_MAX) {
    problems.add(node.span, `${node.items.length} steps`, `at most ${STEPS_MAX}`);
    return [];
  }
  return node.items.flatMap((item) => readStep(item, source, problems) ?? []);
}

function readStep(node: LabNode, source: string, problems: Problems): Step | undefined {
  const [first, ...rest] = node.what === 'mapping' ? node.entries : [];
  // `- heal` alone is a step, too.
  const bare: ScalarNode | undefined = node.what === 'scalar' && node.text === 'heal' ? node : undefined;
  const verbNode = first?.key ?? bare;
  if (verbNode === undefined) {
    problems.add(node.span, `a step is ${describe(node)}`, 'a verb with its value, such as wait: 2s');
    return undefined;
  }
  const verb = verbNode.text;
  if (!Object.hasOwn(STEPS, verb)) {
    problems.unknown(verbNode.span, `unknown step "${cut(verb)}"`, verb, Object.keys(STEPS));
    return undefined;
  }
  const spec: StepSpec = STEPS[verb as Verb];
  const empty: ScalarNode = { what: 'scalar', text: '', empty: true, span: verbNode.span };
  const value = spec.value.read(first?.value ?? empty, { problems, source, what: verb });
  const options: Record<string, unknown> = {};
  for (const entry of rest) {
    const name = entry.key.text;
    const type = spec.options[name];
    if (Object.hasOwn(options, name)) doubleKey(entry.key, { problems, what: `step ${verb}` });
    else if (type === undefined) {
      problems.unknown(entry.key.span, `unknown key "${cut(name)}" in step ${verb}`, name, Object.keys(spec.options));
    } else options[name] = type.read(entry.value, { problems, source, what: `${name} of step ${verb}` });
  }
  const missing = (spec.needs ?? []).find((name) => !Object.hasOwn(options, name));
  if (missing !== undefined)
    problems.add(
      verbNode.span,
      `step ${verb} has no ${missing}`,
      `${missing}: ${spec.options[missing]?.expected ?? ''}`,
    );
  const written = source
    .slice(node.span.start, node.span.end)
    .replace(/\s*\n\s*/g, ', ')
    .replace(/,? *$/, '');
  const line = source.slice(0, node.span.start).split('\n').length;
  return { verb: verb as Verb, value, options, line, words: written };
}
