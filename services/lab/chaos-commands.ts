/** `wirelab chaos run FILE` and `wirelab chaos sweep --seeds 1..200 FILE`: status 0 passed, 1 a check failed, 2 bad file. */
import { type Command, Option } from 'commander';
import { SCENARIO_CLOCKS, SCENARIO_ENGINES } from '../../shared/lab/engines.ts';
import { say } from './common.ts';
import { CommandError, EXIT } from './exit.ts';
import type { Engine } from './net/types.ts';
import { HELP, TEXT } from './text.ts';

const SEED_MAX = 0xffff_ffff;

interface Common {
  readonly engine?: Engine;
  readonly clock?: 'real' | 'virtual';
}

function played(command: Command): Command {
  return command
    .addOption(new Option('--engine <name>', HELP.chaosEngine).choices(SCENARIO_ENGINES))
    .addOption(new Option('--clock <name>', HELP.chaosClock).choices(SCENARIO_CLOCKS));
}

export function chaosCommands(program: Command): void {
  const chaos = program.command('chaos').description(HELP.chaos);
  const run = chaos.command('run').argument('<file>').description(HELP.chaosRun).option('--seed <n>', HELP.chaosSeed);
  played(run).action(async (file: string, options: Common & { seed?: string }) => {
    const { play, readScenario } = await import('./chaos.ts');
    const scenario = readScenario(file);
    const seed = options.seed === undefined ? undefined : seedOf(options.seed);
    const result = await play(file, scenario, { ...options, seed }, say);
    if (!result.passed) throw new CommandError(`${result.problem}\n${result.repeat}`);
    say(TEXT.chaosPassed(result.steps));
  });
  const sweep = chaos
    .command('sweep')
    .argument('<file>')
    .description(HELP.chaosSweep)
    .requiredOption('--seeds <first..last>', HELP.chaosSeeds)
    .option('--keep <folder>', HELP.chaosKeep, 'chaos-failures');
  played(sweep).action(async (file: string, options: Common & { seeds: string; keep: string }) => {
    const { sweep: sweepAll, readScenario } = await import('./chaos.ts');
    const scenario = readScenario(file);
    const { keep, engine, clock } = options;
    const seeds = seedsOf(options.seeds);
    const failed = await sweepAll(file, scenario, seeds, { keep, engine, clock }, say);
    const count = seeds.last - seeds.first + 1;
    if (failed.length === 0) return say(TEXT.sweepPassed(count));
    throw new CommandError(`${TEXT.sweepFailed(failed.length, count)}\n${failed[0]?.repeat ?? ''}`);
  });
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed <= SEED_MAX) return seed;
  throw new CommandError(TEXT.badNumber('--seed', 0, SEED_MAX, text), EXIT.BAD_USE);
}

function seedsOf(text: string): { first: number; last: number } {
  const [, first, last = first] = /^(\d+)(?:\.\.(\d+))?$/.exec(text) ?? [];
  const seeds = { first: Number(first), last: Number(last) };
  if (first !== undefined && seeds.first <= seeds.last && seeds.last <= SEED_MAX) return seeds;
  throw new CommandError(TEXT.badSeeds(SEED_MAX, text), EXIT.BAD_USE);
}
