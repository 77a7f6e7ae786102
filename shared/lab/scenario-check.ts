/**
 * What is wrong with a scenario beyond its single words: steps that lean on others, and names that its lab
 * does not have. Told with line and column as everything else, before a device is started.
 */
import { closest } from './closest.ts';
import type { LabPlan } from './plan-types.ts';
import { didYouMean, type Problem, Problems, type Span } from './problem.ts';
import type { Scenario, Step } from './scenario.ts';

/** Steps that need another one before them. */
export function checkSteps(steps: readonly Step[], problems: Problems): void {
  const spawned = new Set<unknown>();
  let capturing = false;
  for (const { verb, value, options, at } of steps) {
    if (verb === 'spawn') spawned.add(options['as']);
    if (verb === 'capture') capturing = true;
    if (verb === 'frames' && !capturing) {
      problems.add(at, 'frames are looked for, but no capture was started', 'a capture step before it');
    }
    if (verb === 'finish' && value !== undefined && !spawned.has(value)) {
      problems.add(at, `no program was spawned as "${value}"`, `a step before it: spawn: …, on: …, as: ${value}`);
    }
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
