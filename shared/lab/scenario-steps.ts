/**
 * The steps that a scenario may have, one table: what stands behind the verb, which options it takes, and a sentence for
 * people. The checker reads by it, and so is the reference made (examples/chaos-test/SCENARIOS.md).
 */
import { filterProblem } from './filter-problem.ts';
import { commandType } from './name-value.ts';
import { KNOBS, NAME, NAME_EXPECTED } from './schema.ts';
import { choice, delayType, rateType, ratioType, scalarType, textType, type ValueType, whole } from './values.ts';

const COUNT_MAX = 1_000_000_000;
export const SHAPES = ['constant', 'ramp', 'square', 'random'] as const;

export const anyText = textType('text', /^[^\0]{1,1000}$/s);
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
/** Knobs that are one number, which a wave can move, and what its ends are. */
export const WAVE_KNOBS: Readonly<Record<string, ValueType<number>>> = {
  delay: delayType,
  jitter: delayType,
  loss: ratioType,
  duplicate: ratioType,
  reorder: ratioType,
  corrupt: ratioType,
  rate: rateType,
  gap: KNOBS.gap.type,
  limit: KNOBS.limit.type,
  mtu: KNOBS.mtu.type,
};
/** A wave moves in steps of 10 ms at least. */
export const WAVE_PERIOD_MIN = 20_000;

export interface StepSpec {
  /** One sentence for people. */
  readonly about: string;
  readonly value: ValueType<unknown>;
  readonly options: Readonly<Record<string, ValueType<unknown>>>;
  readonly needs?: readonly string[];
}

const held = { for: delayType };
const answer = { status: whole(0, 255), stdout: anyText, stderr: anyText };

export const STEPS = {
  wait: { about: 'Let lab time pass.', value: delayType, options: {} },
  exec: {
    about:
      'Run a program to its end and check its answer: status 0 unless another is given, a text that stdout contains, one that stderr does.',
    value: commandType,
    options: { on: deviceType, ...answer, within: delayType },
    needs: ['on'],
  },
  spawn: {
    about: 'Start a program and go on.',
    value: commandType,
    options: { on: deviceType, as: deviceType },
    needs: ['on', 'as'],
  },
  finish: {
    about: 'Wait for a program that was spawned, and check its answer as exec does.',
    value: deviceType,
    options: { ...answer, within: delayType },
  },
  fetch: {
    about:
      "Fetch a page with the device's curl and check it: status 200 unless another is given, a text in it, its size.",
    value: anyText,
    options: { on: deviceType, status: whole(100, 599), text: anyText, bytes: whole(0, COUNT_MAX), within: delayType },
    needs: ['on'],
  },
  impair: {
    about:
      'Turn knobs of a wire, in the words of a lab file or off; those not named stay. With match: only the frames that the filter names.',
    value: targetType,
    options: {
      ...knobTypes,
      ...held,
      match: filterType,
      nth: knobType(whole(1, COUNT_MAX)),
      every: knobType(whole(1, COUNT_MAX)),
      count: knobType(whole(1, COUNT_MAX)),
      clear: choice(['true']),
    },
  },
  wave: {
    about: 'Move a knob over time while the next steps go on; then it is as it was.',
    value: targetType,
    options: {
      knob: choice(Object.keys(WAVE_KNOBS)),
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
  unplug: { about: 'Pull the plug of a wire.', value: targetType, options: held },
  plug: { about: 'Put it back.', value: targetType, options: {} },
  cut: { about: 'Lose all that a port sends.', value: targetType, options: held },
  flap: {
    about: 'Unplug and plug a wire over and over.',
    value: targetType,
    options: { ...held, period: delayType, duty: ratioType },
  },
  partition: { about: 'Unplug the fewest wires that part the groups.', value: groupsType, options: held },
  freeze: { about: 'Let a device stand still.', value: deviceType, options: held },
  kill: { about: 'Let the power of a device fail.', value: deviceType, options: held },
  restart: { about: 'Stop a device and start it again.', value: deviceType, options: {} },
  heal: { about: 'End every fault at a place, or all of them.', value: nothing, options: {} },
  carrier: {
    about: 'Check that a port, or both ends of a wire, have carrier (or none), in time.',
    value: targetType,
    options: { is: choice(['up', 'down']), within: delayType },
  },
  capture: { about: 'Record frames from here on, for frames.', value: portsType, options: {} },
  frames: {
    about: 'Check how many of the recorded frames fit a display filter: 1 at least unless min or max say otherwise.',
    value: filterType,
    options: { min: whole(0, COUNT_MAX), max: whole(0, COUNT_MAX), within: delayType },
  },
} as const satisfies Record<string, StepSpec>;

export type Verb = keyof typeof STEPS;
