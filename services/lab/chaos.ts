/**
 * `wirelab chaos run` and `sweep`: a scenario (shared/lab/scenario.ts) played on a lab of its own. A step that checks and
 * does not find what it wants ends the run: its line, what was expected and what was found, and the command that repeats
 * it. A sweep plays it from many seeds and keeps what a person needs of those that failed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { EmuError } from '../../shared/device/errors.ts';
import { seededRandom } from '../../shared/device/random.ts';
import { LabError } from '../../shared/lab/find.ts';
import type { LabPlan } from '../../shared/lab/plan-types.ts';
import { formatProblems, Problems } from '../../shared/lab/problem.ts';
import { checkScenario, type Scenario, type Step } from '../../shared/lab/scenario.ts';
import { checkOnLab } from '../../shared/lab/scenario-check.ts';
import { formatDelay, formatRatio } from '../../shared/lab/units.ts';
import { verdictText } from '../../shared/wire/verdict.ts';
import { runWave, type Wave } from './chaos-wave.ts';
import { CommandError, EXIT } from './exit.ts';
import { lab } from './index.ts';
import type { KnobOptions } from './knobs.ts';
import { readLab } from './labs.ts';
import type { Engine, ExecResult, LabOptions, Net, NetCapture, NetFault, NetProgram } from './net/types.ts';
import { TEXT } from './text.ts';

/** Longest that a check waits when it does not say. */
const WITHIN_DEFAULT = 30_000_000;
const CARRIER_WITHIN_DEFAULT = 5_000_000;

export interface ChaosOptions {
  readonly seed?: number | undefined;
  readonly engine?: Engine | undefined;
  readonly clock?: 'real' | 'virtual' | undefined;
  /** Record every frame, for a run that fails. */
  readonly record?: boolean;
  readonly open?: (name: string, options: LabOptions) => Promise<Net>;
}

export interface ChaosResult {
  readonly seed: number;
  readonly passed: boolean;
  readonly steps: number;
  /** What did not hold, with the file's line. */
  readonly problem: string;
  /** The command that plays it again: what it was played on, where the file does not say so itself. */
  readonly repeat: string;
  readonly verdicts: string;
  readonly pcapng: Uint8Array | undefined;
}

/** A check that did not hold. */
class Failed extends Error {}

/** The scenario of a file; throws every problem of it, for status 2. */
export function readScenario(file: string): Scenario {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'error';
    throw new CommandError(`cannot read ${file} (${why})`, EXIT.BAD_USE);
  }
  const { scenario, problems } = checkScenario(text, file);
  if (scenario === undefined) throw new CommandError(formatProblems(problems), EXIT.BAD_USE);
  const strangers = checkOnLab(scenario, file, planFor(scenario, file));
  if (strangers.length > 0) throw new CommandError(formatProblems(strangers), EXIT.BAD_USE);
  return scenario;
}

/** The lab that a scenario names. A lab file with problems tells them itself; one that is not there is told here. */
function planFor(scenario: Scenario, file: string): LabPlan {
  try {
    return readLab(labOf(scenario.lab, file));
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    if (error.problems.length > 0) throw new CommandError(error.message, EXIT.BAD_USE);
    const problems = new Problems(file, scenario.source);
    problems.add(scenario.labAt, error.message, '');
    throw new CommandError(formatProblems(problems.sorted()), EXIT.BAD_USE);
  }
}

/** Play a scenario once. Rejects only with what is wrong with the file or the lab, not with a check that failed. */
export async function play(
  file: string,
  scenario: Scenario,
  options: ChaosOptions,
  say: (line: string) => void,
): Promise<ChaosResult> {
  const engine = options.engine ?? scenario.engine ?? 'processes';
  // Another engine than the file's has its own time.
  const clock = options.clock ?? (engine === (scenario.engine ?? engine) ? scenario.clock : undefined);
  const seed = options.seed ?? scenario.seed;
  if (clock === 'virtual' && engine !== 'packed') throw new CommandError(TEXT.virtualNeedsPacked, EXIT.BAD_USE);
  const open = options.open ?? lab;
  const net = await open(labOf(scenario.lab, file), {
    engine,
    ...(clock === undefined ? {} : { clock }),
    ...(seed === undefined ? {} : { seed }),
  });
  say(TEXT.chaosBegins(basename(file), net.name, engine, net.seed));
  const player = new Player(net);
  try {
    const record = options.record === true ? await net.capture('all') : undefined;
    const problem = await player.playAll(file, scenario.steps, say);
    const verdicts = (await net.verdicts()).map((row) => TEXT.verdict(row.time, row.port, row.frame, verdictText(row)));
    await record?.stop();
    return {
      seed: net.seed,
      passed: problem === '',
      steps: player.played,
      problem,
      repeat: repeatOf(file, scenario, net.seed, engine, clock),
      verdicts: verdicts.join('\n'),
      pcapng: problem === '' ? undefined : record?.pcapng(),
    };
  } finally {
    player.stopped = true;
    await net.close();
  }
}

function repeatOf(file: string, scenario: Scenario, seed: number, engine: Engine, clock = 'real'): string {
  const engineWords = engine === (scenario.engine ?? 'processes') ? '' : `--engine ${engine} `;
  const clockOfFile = engineWords === '' ? (scenario.clock ?? 'real') : 'real';
  return TEXT.repeat(seed, `${engineWords}${clock === clockOfFile ? '' : `--clock ${clock} `}${file}`);
}

/** A name of labs/ as it is; a path is relative to the scenario's file. */
function labOf(name: string, file: string): string {
  return /^[./]/.test(name) || name.endsWith('.yaml') ? resolve(dirname(file), name) : name;
}

class Player {
  stopped = false;
  played = 0;
  private readonly net: Net;
  private readonly programs = new Map<string, NetProgram>();
  private readonly background = new Set<Promise<void>>();
  private capture: NetCapture | undefined;
  /** What went wrong beside the steps: a wave, a fault's end. */
  private beside: Error | undefined;
  private waves = 0;

  constructor(net: Net) {
    this.net = net;
  }

  /** Empty when every step passed, otherwise what did not hold. */
  async playAll(file: string, steps: readonly Step[], say: (line: string) => void): Promise<string> {
    for (const step of steps) {
      try {
        await this.play(step);
        if (this.beside !== undefined) throw this.beside;
      } catch (error) {
        const known = error instanceof Failed || error instanceof CommandError || error instanceof EmuError;
        if (!known) throw error;
        say(TEXT.stepFailed(this.net.now(), step.words));
        return `${file}:${step.line}: ${step.words}\n  ${error.message.replaceAll('\n', '\n  ')}`;
      }
      this.played++;
      say(TEXT.stepDone(this.net.now(), step.words));
    }
    return '';
  }

  private async play({ verb, value, options }: Step): Promise<void> {
    const { net } = this;
    const target = value as string;
    const text = (name: string): string => options[name] as string;
    const within = (fallback = WITHIN_DEFAULT): string =>
      formatDelay((options['within'] as number | undefined) ?? fallback);
    switch (verb) {
      case 'wait':
        return await net.wait.time(formatDelay(value as number));
      case 'exec':
        return this.judge(await this.timed(net.host(text('on')).exec(...(value as string[])), within()), options, 0);
      case 'spawn':
        return void this.programs.set(text('as'), net.host(text('on')).start(...(value as string[])));
      case 'finish':
        return await this.finish(target, options, within());
      case 'fetch':
        return await this.fetch(target, options, within());
      case 'impair': {
        const { for: time, clear, ...knobs } = options;
        const fault = await net.wire(target).impair({ ...(knobs as KnobOptions), clear: clear === 'true' });
        return this.healLater(fault, time as number | undefined);
      }
      case 'wave':
        return this.wave({ target, ...options } as unknown as Wave);
      case 'unplug':
      case 'cut':
      case 'freeze':
      case 'kill':
        return this.healLater(await net[verb](target), options['for'] as number | undefined);
      case 'flap': {
        const { period = 2_000_000, duty = 0.5 } = options as { period?: number; duty?: number };
        const fault = await net.flap(target, { period: formatDelay(period), duty: formatRatio(duty) });
        return this.healLater(fault, options['for'] as number | undefined);
      }
      case 'partition': {
        const groups = target.split(/\s+--\s+/).map((group) => group.split(','));
        return this.healLater(await net.partition(...groups), options['for'] as number | undefined);
      }
      case 'plug':
        return await net.plug(target);
      case 'restart':
        return await net.host(target).restart();
      case 'heal':
        return void (await net.heal(value as string | undefined));
      case 'carrier':
        return await net.wait.carrier(target, options['is'] !== 'down', within(CARRIER_WITHIN_DEFAULT));
      case 'capture':
        await this.capture?.stop();
        this.capture = await net.capture(...target.split(','));
        return;
      case 'frames':
        return await this.frames(target, options, within(CARRIER_WITHIN_DEFAULT));
    }
  }

  /** A program's answer against what the step wants. */
  private judge(result: ExecResult, options: Step['options'], status: number | undefined): void {
    const wanted = (options['status'] as number | undefined) ?? status;
    const said = `${result.stdout}${result.stderr}`.trim();
    if (wanted !== undefined && result.status !== wanted) {
      throw new Failed(`expected status ${wanted}, got ${result.status}${said === '' ? '' : `:\n${said}`}`);
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      const text = options[stream] as string | undefined;
      if (text === undefined || result[stream].includes(text)) continue;
      throw new Failed(`expected "${text}" on ${stream}, got:\n${result[stream].trim()}`);
    }
  }

  private async finish(name: string, options: Step['options'], within: string): Promise<void> {
    const program = this.programs.get(name);
    if (program === undefined) throw new Failed(`no program was spawned as ${name}`);
    this.judge(await this.timed(program.done, within), options, 0);
  }

  private async fetch(url: string, options: Step['options'], within: string): Promise<void> {
    const page = await this.timed(this.net.host(options['on'] as string).fetch(url), within);
    const wanted = (options['status'] as number | undefined) ?? 200;
    if (page.status !== wanted) throw new Failed(`expected status ${wanted}, got ${page.status}`);
    const bytes = options['bytes'] as number | undefined;
    if (bytes !== undefined && page.body.length !== bytes) {
      throw new Failed(`expected ${bytes} bytes, got ${page.body.length}`);
    }
    const text = options['text'] as string | undefined;
    if (text !== undefined && !page.text().includes(text)) throw new Failed(`expected "${text}" in the page`);
  }

  private async frames(filter: string, options: Step['options'], within: string): Promise<void> {
    if (this.capture === undefined) throw new Failed('no capture was started: put a capture step before it');
    const min = (options['min'] as number | undefined) ?? (options['max'] === undefined ? 1 : 0);
    const frames = await this.capture.until(filter, min, within);
    const max = options['max'] as number | undefined;
    if (max !== undefined && frames.length > max)
      throw new Failed(`expected at most ${max} frames, got ${frames.length}`);
  }

  /** A promise with a bound on lab time; looked at every few milliseconds, so that no wait outlives it. */
  private async timed<T>(work: Promise<T>, within: string): Promise<T> {
    let settled = false;
    const over = (): void => {
      settled = true;
    };
    work.then(over, over);
    await this.net.wait.until(() => settled, within, 'the step');
    return await work;
  }

  private healLater(fault: NetFault, time: number | undefined): void {
    if (time !== undefined) this.beyond(this.net.wait.time(formatDelay(time)).then(() => fault.heal()));
  }

  private wave(wave: Wave): void {
    const random = seededRandom(this.net.seed).fork(`wave ${++this.waves}`);
    this.beyond(runWave(this.net, wave, random, () => this.stopped));
  }

  private beyond(work: Promise<void>): void {
    const watched = work.catch((error: Error) => {
      if (!this.stopped) this.beside ??= new Failed(error.message);
    });
    this.background.add(watched);
    void watched.then(() => this.background.delete(watched));
  }
}

/** Play from many seeds; returns those that failed. What a person needs of them goes into a folder each. */
export async function sweep(
  file: string,
  scenario: Scenario,
  seeds: { readonly first: number; readonly last: number },
  options: ChaosOptions & { readonly keep: string },
  say: (line: string) => void,
): Promise<ChaosResult[]> {
  const failed: ChaosResult[] = [];
  // A sweep is many runs: packed on virtual time unless somebody says otherwise.
  const open = options.engine ?? scenario.engine;
  const how: ChaosOptions =
    open === undefined
      ? { ...options, engine: 'packed', clock: 'virtual', record: true }
      : { ...options, engine: open, record: true };
  for (let seed = seeds.first; seed <= seeds.last; seed++) {
    const lines: string[] = [];
    const note = (line: string): void => void lines.push(line);
    const result = await play(file, scenario, { ...how, seed }, note);
    if (result.passed) continue;
    failed.push(result);
    const folder = join(options.keep, `seed-${seed}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'run.txt'), `${[...lines, result.problem].join('\n')}\n`);
    writeFileSync(join(folder, 'verdicts.txt'), `${result.verdicts}\n`);
    if (result.pcapng !== undefined) writeFileSync(join(folder, 'frames.pcapng'), result.pcapng);
    say(TEXT.seedFailed(seed, result.problem.split('\n').slice(1).join(' ').trim(), folder));
  }
  return failed;
}
