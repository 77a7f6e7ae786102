/** The verbs that make trouble and end it, as the command line has them. What they do is in trouble.ts. */
import { type Command, Option } from 'commander';
import { delayHint, ratioHint } from '../../shared/lab/knob-hint.ts';
import { formatDelay, parseDelay, parseRatio } from '../../shared/lab/units.ts';
import type { FaultRequest } from '../gateway/fault-request.ts';
import { type Common, gateway, labOption, lifecycle, say } from './common.ts';
import { CommandError, EXIT } from './exit.ts';
import type { KnobOptions } from './knobs.ts';
import { HELP, TEXT } from './text.ts';
import type { HoldOptions } from './trouble.ts';

type Held = Common & HoldOptions;

/** --hold and --for of every command whose fault can be held. */
function holdable(command: Command): Command {
  return command
    .addOption(new Option('--hold', HELP.hold))
    .addOption(new Option('--for <time>', HELP.holdFor))
    .addOption(labOption());
}

async function make(request: FaultRequest, options: Held): Promise<void> {
  const [client, { makeTrouble }] = await Promise.all([gateway(options), import('./trouble.ts')]);
  await makeTrouble(client, request, options, say);
}

export function troubleCommands(program: Command): void {
  plugCommands(program);
  impairCommand(program);
  wireCommands(program);
  deviceCommands(program);
  healCommands(program);
}

function plugCommands(program: Command): void {
  holdable(program.command('unplug').argument('<port-or-wire>').description(HELP.unplug)).action(
    async (target: string, options: Held) => {
      if (options.hold === true || options.for !== undefined) return await make({ fault: 'unplug', target }, options);
      const { wire } = await (await gateway(options)).post<{ wire: string }>('/api/unplug', { target });
      say(TEXT.unplugged(wire));
    },
  );
  program
    .command('plug')
    .argument('<port-or-wire>')
    .description(HELP.plug)
    .addOption(labOption())
    .action(async (target: string, options: Common) => {
      const { wire } = await (await gateway(options)).post<{ wire: string }>('/api/plug', { target });
      say(TEXT.plugged(wire));
    });
}

function impairCommand(program: Command): void {
  const command = program.command('impair').argument('<port-or-wire>').description(HELP.impair);
  for (const [knob, value] of KNOB_FLAGS) command.option(`--${knob} <${value}>`);
  command
    .option('--match <filter>', HELP.impairMatch)
    .option('--nth <n>', HELP.impairNth)
    .option('--every <n>', HELP.impairEvery)
    .option('--count <n>', HELP.impairCount)
    .option('--clear', HELP.impairClear)
    .addHelpText('after', HELP.impairKnobs);
  holdable(command).action(async (target: string, options: Held & KnobOptions & { clear?: boolean }) => {
    const { changeOf } = await import('./knobs.ts');
    const impairment = changeOf(options);
    const clear = options.clear === true;
    if (!clear && Object.keys(impairment).length === 0) {
      if (options.hold === true || options.for !== undefined)
        throw new CommandError(TEXT.nothingToImpair, EXIT.BAD_USE);
      const [client, { showImpairment }] = await Promise.all([gateway(options), import('./trouble.ts')]);
      return say(await showImpairment(client, target));
    }
    await make({ fault: 'impair', target, impairment, clear }, options);
  });
}

/** In the order of a lab file's reference; a test holds them to knobs.ts, which is loaded only when it is asked for. */
export const KNOB_FLAGS: readonly (readonly [knob: string, value: string])[] = [
  ['delay', 'time'],
  ['jitter', 'time'],
  ['distribution', 'uniform|normal|pareto|paretonormal'],
  ['order', 'kept|free'],
  ['loss', 'percent'],
  ['duplicate', 'percent'],
  ['reorder', 'percent'],
  ['gap', 'n'],
  ['corrupt', 'percent'],
  ['rate', 'rate'],
  ['limit', 'n'],
  ['mtu', 'n'],
];

function wireCommands(program: Command): void {
  holdable(program.command('cut').argument('<port>').description(HELP.cut)).action((target: string, options: Held) =>
    make({ fault: 'cut', target }, options),
  );
  const flap = program
    .command('flap')
    .argument('<port-or-wire>')
    .description(HELP.flap)
    .option('--period <time>', HELP.flapPeriod, '2s')
    .option('--duty <percent>', HELP.flapDuty, '50%');
  holdable(flap).action(async (target: string, options: Held & { period: string; duty: string }) => {
    const { FLAP_PERIOD_MIN } = await import('../../shared/lab/scenario-check.ts');
    const period = parseDelay(options.period);
    const duty = parseRatio(options.duty);
    if (period === undefined || period < FLAP_PERIOD_MIN) {
      const expected = `a time such as 500ms or 2s, from ${formatDelay(FLAP_PERIOD_MIN)} to 3600s`;
      throw bad('period', options.period, expected, delayHint(options.period));
    }
    if (duty === undefined) throw bad('duty', options.duty, 'a percentage from 0% to 100%', ratioHint(options.duty));
    await make({ fault: 'flap', target, period, duty }, options);
  });
  const partition = program.command('partition').argument('<groups...>').description(HELP.partition);
  holdable(partition).action((words: string[], options: Held) => {
    const groups = words.map((word) => word.split(',').filter((device) => device !== ''));
    return make({ fault: 'partition', groups }, options);
  });
}

function bad(option: string, found: string, expected: string, hint: string | undefined): CommandError {
  return new CommandError(TEXT.badValue(`--${option}`, expected, found, hint), EXIT.BAD_USE);
}

function deviceCommands(program: Command): void {
  for (const verb of ['kill', 'freeze'] as const) {
    holdable(program.command(verb).argument('<device>').description(HELP[verb])).action(
      async (device: string, options: Held) => {
        if (options.hold === true || options.for !== undefined) return make({ fault: verb, target: device }, options);
        say(await lifecycle(verb, device, options));
      },
    );
  }
}

function healCommands(program: Command): void {
  program
    .command('heal')
    .argument('[target]')
    .description(HELP.heal)
    .addOption(labOption())
    .action(async (target: string | undefined, options: Common) => {
      const [client, { heal }] = await Promise.all([gateway(options), import('./trouble.ts')]);
      say(await heal(client, target));
    });
  program
    .command('faults')
    .description(HELP.faults)
    .option('--json', HELP.json, false)
    .addOption(labOption())
    .action(async (options: Common & { json: boolean }) => {
      const [client, { listFaults }] = await Promise.all([gateway(options), import('./trouble.ts')]);
      say(await listFaults(client, options.json));
    });
  program
    .command('verdicts')
    .argument('[port-or-wire]')
    .description(HELP.verdicts)
    .option('--json', HELP.json, false)
    .option('-f, --follow', HELP.verdictsFollow, false)
    .addOption(labOption())
    .action(async (target: string | undefined, options: Common & { json: boolean; follow: boolean }) => {
      const [client, { showVerdicts }] = await Promise.all([gateway(options), import('./trouble.ts')]);
      await showVerdicts(client, target, options, say);
    });
}
