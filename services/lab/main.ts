/**
 * The `wirelab` command. What each part does lives in a file of its own and is loaded when it is asked for, so that a
 * `ps` does not wait for what `up` needs.
 */
import { Command, CommanderError } from 'commander';
import type { LedgerRow } from '../gateway/ledger-row.ts';
import { chaosCommands } from './chaos-commands.ts';
import { type Common, gateway, labOption, lifecycle, say } from './common.ts';
import { CommandError, commandErrorOf, EXIT } from './exit.ts';
import { projectVersion } from './root.ts';
import { HELP, TEXT } from './text.ts';
import { troubleCommands } from './trouble-commands.ts';

const SEED_MAX = 0xffff_ffff;
const PORT_MAX = 65_535;

function wholeNumber(option: string, least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new CommandError(TEXT.badNumber(option, least, most, text), EXIT.BAD_USE);
  };
}

function lifecycleCommands(program: Command): void {
  program
    .command('up')
    .argument('[lab]')
    .description(HELP.up)
    .option('--detach', HELP.upDetach, false)
    .option('--docker', HELP.upDocker, false)
    .option('--seed <n>', HELP.upSeed, wholeNumber('--seed', 0, SEED_MAX))
    .option('--base-port <n>', HELP.upBasePort, wholeNumber('--base-port', 1, PORT_MAX))
    .action(
      async (
        lab: string | undefined,
        options: { detach: boolean; docker: boolean; seed?: number; basePort?: number },
      ) => {
        const { up } = await import('./up.ts');
        await up(lab, { ...options, seed: options.seed, basePort: options.basePort });
      },
    );
  program
    .command('down')
    .argument('[lab]')
    .description(HELP.down)
    .addOption(labOption())
    .action(async (lab: string | undefined, options: Common) => {
      const [{ down }, { anyLab }] = await Promise.all([import('./up.ts'), import('./client.ts')]);
      await down(await anyLab(lab ?? options.lab));
    });
  for (const verb of ['start', 'stop', 'restart', 'thaw'] as const) {
    program
      .command(verb)
      .argument('<device>')
      .description(HELP[verb])
      .addOption(labOption())
      .action(async (device: string, options: Common) => say(await lifecycle(verb, device, options)));
  }
}

function labCommands(program: Command): void {
  program
    .command('labs')
    .description(HELP.labs)
    .option('--json', HELP.json, false)
    .action(async (options: { json: boolean }) => {
      const { foundLabs, formatLabs } = await import('./labs.ts');
      const labs = foundLabs();
      say(options.json ? JSON.stringify(labs, null, 2) : formatLabs(labs));
    });
  program
    .command('check')
    .argument('<lab>')
    .description(HELP.check)
    .action(async (lab: string) => {
      const { planOf } = await import('./labs.ts');
      const plan = planOf(lab);
      say(TEXT.labGood(plan.name, plan.devices.length, plan.wires.length));
    });
  program
    .command('compose')
    .argument('<lab>')
    .description(HELP.compose)
    .action(async (lab: string) => {
      const { composeOf } = await import('./labs.ts');
      say(composeOf(lab));
    });
}

function watchCommands(program: Command): void {
  program
    .command('ps')
    .description(HELP.ps)
    .option('--json', HELP.json, false)
    .addOption(labOption())
    .action(async (options: Common & { json: boolean }) => {
      const [client, { formatPs, listDevices }] = await Promise.all([gateway(options), import('./ps.ts')]);
      const rows = await listDevices(client);
      say(options.json ? JSON.stringify(rows, null, 2) : formatPs(rows));
    });
  program
    .command('ledger')
    .description(HELP.ledger)
    .option('--json', HELP.json, false)
    .addOption(labOption())
    .action(async (options: Common & { json: boolean }) => {
      const [client, { formatLedger }] = await Promise.all([gateway(options), import('./ledger.ts')]);
      const rows = await client.get<LedgerRow[]>('/api/ledger');
      say(options.json ? JSON.stringify(rows, null, 2) : formatLedger(rows));
    });
  program
    .command('logs')
    .argument('[device]')
    .description(HELP.logs)
    .addOption(labOption())
    .action(async (device: string | undefined, options: Common) => {
      const [{ meantLab }, { logsOf }] = await Promise.all([import('./client.ts'), import('./logs.ts')]);
      process.stdout.write(await logsOf(await meantLab(options.lab), device));
    });
  program
    .command('capture')
    .argument('<port...>')
    .description(HELP.capture)
    .addHelpText('after', HELP.captureReading)
    .option('-w, --write <file>', HELP.captureFile)
    .addOption(labOption())
    .action(async (ports: string[], options: Common & { write?: string }) => {
      const [client, { capture }] = await Promise.all([gateway(options), import('./capture.ts')]);
      await capture(client, ports, options.write);
    });
  program
    .command('trace')
    .argument('<device...>')
    .description(HELP.trace)
    .option('--skb <id>', HELP.traceSkb)
    .option('--filter <expression>', HELP.traceFilter)
    .addOption(labOption())
    .action(async (devices: string[], options: Common & { skb?: string; filter?: string }) => {
      const [client, { trace }] = await Promise.all([gateway(options), import('./trace.ts')]);
      await trace(client, devices, options);
    });
}

function useCommands(program: Command): void {
  program
    .command('exec')
    .argument('<device>')
    .argument('<cmd...>', HELP.execArgs)
    .usage('[options] <device> [--] <cmd...>')
    .description(HELP.exec)
    .addOption(labOption())
    .passThroughOptions()
    .action(async (device: string, argv: string[], options: Common) => {
      // `exec alice -- ping …`: what comes after the device is passed through with its `--`.
      const words = argv[0] === '--' ? argv.slice(1) : argv;
      if (words.length === 0) throw new CommandError(TEXT.noProgram, EXIT.BAD_USE);
      const [client, { execOn }] = await Promise.all([gateway(options), import('./exec.ts')]);
      process.exitCode = await execOn(client, device, words);
    });
  program
    .command('journey')
    .argument('<device>')
    .argument('<url>')
    .description(HELP.journey)
    .option('--json', HELP.json, false)
    .addOption(labOption())
    .action(async (device: string, url: string, options: Common & { json: boolean }) => {
      const [client, { journey }] = await Promise.all([gateway(options), import('./journey.ts')]);
      process.exitCode = await journey(client, device, url, options.json);
    });
}

function build(): Command {
  const program = new Command('wirelab');
  program.version(projectVersion(), '-V, --version', HELP.version);
  program.description(HELP.about).enablePositionalOptions().exitOverride().showSuggestionAfterError();
  program.configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'wirelab: ')) });
  lifecycleCommands(program);
  labCommands(program);
  useCommands(program);
  troubleCommands(program);
  chaosCommands(program);
  watchCommands(program);
  return program;
}

async function main(argv: readonly string[]): Promise<void> {
  try {
    await build().parseAsync([...argv]);
  } catch (error) {
    await fail(error);
  }
}

async function fail(error: unknown): Promise<void> {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong; asking for help is no error.
    process.exitCode = error.exitCode === 0 ? EXIT.DONE : EXIT.BAD_USE;
    return;
  }
  const known = commandErrorOf(error);
  process.exitCode = known.status;
  const { tellParent } = await import('./up.ts');
  if (tellParent(known)) return;
  if (known.message !== '')
    // A problem in a file begins with its place, so that editors find it.
    process.stderr.write(known.message.replace(/^(?!wirelab: |.+:\d+:\d+: )/, 'wirelab: ').replace(/\n*$/, '\n'));
}

// A reader that has gone (`wirelab ps | head -1`) is no error of ours.
process.stdout.on('error', () => {});
void main(process.argv);
