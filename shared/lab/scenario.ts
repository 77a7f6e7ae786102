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

import { SCENARIO_CLOCKS, SCENARIO_ENGINES } from './engines.ts';
import { type LabNode, type MappingNode, parseLab, type ScalarNode } from './parse.ts';
import { type Problem, Problems, type Span } from './problem.ts';
import { checkSteps } from './scenario-check.ts';
import { anyText, STEPS, type StepSpec, type Verb, WAVE_KNOBS } from './scenario-steps.ts';
import { choice, cut, describe, doubleKey, type ValueType, whole } from './values.ts';

const STEPS_MAX = 1_000;
const SEED_MAX = 0xffff_ffff;

export interface Step {
  readonly verb: Verb;
  /** What stands behind the verb. */
  readonly value: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  /** Where its value stands, and those of its options. */
  readonly at: Span;
  readonly optionsAt: Readonly<Record<string, Span>>;
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
  /** The file's text, and where it names the lab. */
  readonly source: string;
  readonly labAt: Span;
}

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
  let labAt = root.span;
  for (const { key, value } of root.entries) {
    if (Object.hasOwn(top, key.text) || (key.text === 'steps' && list !== undefined)) {
      doubleKey(key, { problems, what: 'the scenario' });
    } else if (key.text === 'steps') list = value;
    else if (Object.hasOwn(TOP, key.text)) {
      const type: ValueType<unknown> = TOP[key.text as keyof typeof TOP];
      if (key.text === 'lab') labAt = value.span;
      top[key.text] = type.read(value, { problems, source, what: `${key.text} of the scenario` });
    } else {
      const message = `unknown key "${cut(key.text)}" in the scenario`;
      problems.unknown(key.span, message, key.text, [...Object.keys(TOP), 'steps']);
    }
  }
  if (!Object.hasOwn(top, 'lab'))
    problems.add(root.span, 'the scenario names no lab', 'lab: NAME, or the path of a lab file');
  const steps = readSteps(list, root, source, problems);
  checkSteps(steps, problems);
  return { description: '', ...top, steps, source, labAt } as unknown as Scenario;
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
  const optionsAt: Record<string, Span> = {};
  for (const entry of rest) {
    const name = entry.key.text;
    const type = spec.options[name];
    if (Object.hasOwn(options, name)) doubleKey(entry.key, { problems, what: `step ${verb}` });
    else if (type === undefined) {
      problems.unknown(entry.key.span, `unknown key "${cut(name)}" in step ${verb}`, name, Object.keys(spec.options));
    } else {
      const reading = { problems, source, what: `${name} of step ${verb}` };
      options[name] = (waveEnd(verb, name, rest) ?? type).read(entry.value, reading);
      optionsAt[name] = entry.value.span;
    }
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
  const at = first?.value.span ?? verbNode.span;
  return { verb: verb as Verb, value, options, at, optionsAt, line, words: written };
}

/** What the ends of a wave are: that is its knob's to say. */
function waveEnd(verb: string, name: string, entries: MappingNode['entries']): ValueType<number> | undefined {
  if (verb !== 'wave' || (name !== 'from' && name !== 'to')) return undefined;
  const knob = entries.find((entry) => entry.key.text === 'knob')?.value;
  return knob?.what === 'scalar' ? WAVE_KNOBS[knob.text] : undefined;
}
