/**
 * What is wrong with a scenario beyond its single words: steps that lean on others, and names that its lab
 * does not have. Told with line and column as everything else, before a device is started.
 */
import { closest } from './closest.ts';
import type { LabPlan } from './plan-types.ts';
import { didYouMean, oneOf, type Problem, Problems, type Span } from './problem.ts';
import type { Scenario, Step } from './scenario.ts';
import { WAVE_PERIOD_MIN } from './scenario-steps.ts';
import { formatDelay } from './units.ts';

/** Knobs that a match rule may turn instead of the wire. */
export const RULE_KNOBS: readonly string[] = ['delay', 'loss', 'duplicate', 'corrupt'];
/** The gateway takes its time for each turn. Microseconds. */
export const FLAP_PERIOD_MIN = 20_000;

/** What steps lack, and steps that need another one before them. */
export function checkSteps(steps: readonly Step[], problems: Problems): void {
  const spawned = new Set<unknown>();
  let capturing = false;
  for (const step of steps) {
    const { verb, value, options, at } = step;
    if (verb === 'impair') checkImpair(step, problems);
    if (verb === 'wave') checkWave(step, problems);
    if (verb === 'cut' && String(value ?? '').includes('--')) {
      problems.add(
        at,
        'a cut has a direction',
        'the port that sends',
        didYouMean(String(value).split(/\s*--/)[0] ?? ''),
      );
    }
    if (verb === 'flap' && Number(options['period'] ?? FLAP_PERIOD_MIN) < FLAP_PERIOD_MIN) {
      problems.add(
        step.optionsAt['period'] ?? at,
        'a flap is slower than this',
        `from ${formatDelay(FLAP_PERIOD_MIN)}`,
      );
    }
    if (verb === 'spawn') spawned.add(options['as']);
    if (verb === 'capture') capturing = true;
    if (verb === 'frames' && !capturing) {
      problems.add(at, 'frames are looked for, but no capture was started', 'a capture step before it');
    }
    if (verb === 'finish' && value !== undefined && !spawned.has(value)) {
      const near = closest(String(value), [...spawned].map(String));
      const hint = near === undefined ? undefined : didYouMean(near);
      problems.add(at, `no program was spawned as "${value}"`, `a step before it: spawn: …, on: …, as: ${value}`, hint);
    }
  }
}

/** An impair step turns a knob, or says of which frames; what a rule does is one of a few knobs. */
function checkImpair({ options, at, optionsAt }: Step, problems: Problems): void {
  const knobs = Object.keys(options).filter(
    (name) => !['for', 'clear', 'match', 'nth', 'every', 'count'].includes(name),
  );
  const place = (name: string): Span => optionsAt[name] ?? at;
  if (options['match'] === undefined) {
    const stray = ['nth', 'every', 'count'].find((name) => name in options);
    if (stray !== undefined) problems.add(place(stray), `${stray} counts the frames of a match`, 'match: FILTER');
    else if (knobs.length === 0 && options['clear'] === undefined)
      problems.add(at, 'step impair turns no knob', 'a knob with its value, such as loss: 5%, match, or clear: true');
    return;
  }
  const stray = knobs.find((knob) => !RULE_KNOBS.includes(knob));
  if (stray !== undefined)
    problems.add(place(stray), `${stray} cannot be had for single frames`, `with match: ${RULE_KNOBS.join(', ')}`);
  else if (knobs.length === 0)
    problems.add(place('match'), 'the match says which frames, not what happens to them', oneOf(RULE_KNOBS));
}

/** A wave that moves needs somewhere to go. */
function checkWave({ options, at, optionsAt }: Step, problems: Problems): void {
  const shape = String(options['shape'] ?? 'constant');
  if (shape !== 'constant' && options['from'] !== undefined && options['to'] === undefined)
    problems.add(at, `a wave of shape ${shape} has no to`, 'to: the value at its other end');
  if (Number(options['period'] ?? WAVE_PERIOD_MIN) < WAVE_PERIOD_MIN) {
    problems.add(
      optionsAt['period'] ?? at,
      'a wave is not as fast as that',
      `a period from ${formatDelay(WAVE_PERIOD_MIN)}`,
    );
  }
}

/** Every name that a scenario says and its lab does not have. */
export function checkOnLab(scenario: Scenario, file: string, lab: Pick<LabPlan, 'devices' | 'wires'>): Problem[] {
  const problems = new Problems(file, scenario.source);
  const names = new Names(lab, problems);
  for (const { verb, value, options, at, optionsAt } of scenario.steps) {
    if (options['on'] !== undefined) names.device(options['on'] as string, optionsAt['on'] ?? at);
    const word = String(value ?? '');
    switch (verb) {
      case 'freeze':
      case 'kill':
      case 'restart':
        names.device(word, at);
        break;
      case 'partition':
        for (const device of word.split(/\s+--\s+|,/)) if (device !== '') names.device(device, at);
        break;
      case 'capture':
        for (const each of word.split(',')) if (each !== 'all') names.placeOf(each, at);
        break;
      case 'heal':
        if (word !== '') names.placeOf(word, at);
        break;
      case 'impair':
      case 'wave':
      case 'unplug':
      case 'plug':
      case 'cut':
      case 'flap':
      case 'carrier':
        names.target(word, at);
    }
  }
  return problems.sorted();
}

class Names {
  private readonly problems: Problems;
  private readonly devices: readonly string[];
  private readonly ports: readonly string[];
  private readonly wires: readonly string[];

  constructor({ devices, wires }: Pick<LabPlan, 'devices' | 'wires'>, problems: Problems) {
    this.problems = problems;
    this.devices = devices.map(({ name }) => name);
    this.ports = devices.flatMap(({ name, ports }) => ports.map((port) => `${name}:${port.name}`));
    this.wires = wires.map(({ name }) => name);
  }

  device(name: string, at: Span): void {
    if (!this.devices.includes(name)) this.unknown('device', name, at, this.devices);
  }

  /** A port or a wire; blanks do not count, and the ends of a wire may stand in either order. */
  target(text: string, at: Span): void {
    const wanted = text.replace(/\s+/g, '');
    if (!wanted.includes('--')) {
      if (!this.ports.includes(wanted)) this.unknown('port', wanted, at, this.ports);
      else if (!this.wires.some((wire) => wire.split('--').includes(wanted)))
        this.problems.add(at, `${wanted} has no wire`, 'a port with one');
      return;
    }
    const swapped = wanted.split('--').reverse().join('--');
    if (!this.wires.includes(wanted) && !this.wires.includes(swapped)) this.unknown('wire', wanted, at, this.wires);
  }

  placeOf(text: string, at: Span): void {
    if (text.includes(':')) this.target(text, at);
    else this.device(text, at);
  }

  private unknown(what: string, word: string, at: Span, known: readonly string[]): void {
    const near = closest(word, known);
    const hint = near === undefined ? undefined : didYouMean(near);
    this.problems.add(at, `no ${what} of the lab is called "${word}"`, '', hint);
  }
}
