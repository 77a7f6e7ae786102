/**
 * iptables(8) and iptables-save(8), 1.8.9: lists are laid out here; every change is one NFT_COMMAND to the kernel, which
 * checks chain, matches and target. iptables-restore is a file of its own. Left out: IPv6.
 */
import { isErrno } from '../net/errno.ts';
import type { ChainRecord } from '../net/netlink.ts';
import type { ProgramContext, Syscalls } from '../net/syscalls.ts';
import { Failure, program } from './failure.ts';
import { type ListOptions, listChain, listRule, ruleCommand, ruleCommands } from './iptables-list.ts';
import { labDate } from './lab-date.ts';
import { Services } from './names.ts';

const NAME = 'iptables v1.8.9 (nf_tables)';
const TRY_HELP = "Try `iptables -h' or 'iptables --help' for more information.";
/** In the order in which iptables-save writes them. */
const TABLES = ['raw', 'mangle', 'filter', 'nat'] as const;

const IPTABLES_USAGE = `${NAME}

Usage: iptables -[ACD] chain rule-specification [options]
       iptables -I chain [rulenum] rule-specification [options]
       iptables -R chain rulenum rule-specification [options]
       iptables -D chain rulenum [options]
       iptables -[LS] [chain [rulenum]] [options]
       iptables -[FZ] [chain] [options]
       iptables -[NX] chain
       iptables -E old-chain-name new-chain-name
       iptables -P chain target [options]
       iptables -h (print this help information)

Options:
[!] --protocol	-p proto	protocol: by number or name, eg. \`tcp'
[!] --source	-s address[/mask][...]
				source specification
[!] --destination -d address[/mask][...]
				destination specification
[!] --in-interface -i input name[+]
				network interface name ([+] for wildcard)
 --jump	-j target
				target for rule (may load target extension)
  --match	-m match
				extended match (may load extension)
  --numeric	-n		numeric output of addresses and ports
[!] --out-interface -o output name[+]
				network interface name ([+] for wildcard)
  --table	-t table	table to manipulate (default: \`filter')
  --verbose	-v		verbose mode
  --line-numbers		print line numbers when listing
  --exact	-x		expand numbers (display exact values)
[!] --version	-V		print package version.
`;

const LONG_COMMANDS: Readonly<Record<string, string>> = {
  '--list': 'L',
  '--list-rules': 'S',
  '--append': 'A',
  '--check': 'C',
  '--delete': 'D',
  '--insert': 'I',
  '--replace': 'R',
  '--flush': 'F',
  '--zero': 'Z',
  '--new': 'N',
  '--new-chain': 'N',
  '--delete-chain': 'X',
  '--policy': 'P',
  '--rename-chain': 'E',
};
const COMMANDS = 'LSACDIRFZNXPE';

interface Line {
  table: string;
  numeric: boolean;
  verbose: boolean;
  exact: boolean;
  lineNumbers: boolean;
  commands: Set<string>;
  /** What follows -L or -S: chain and number. */
  listArguments: string[];
  /** Everything but what only concerns listing. */
  rest: string[];
}

export const iptables = program(async (context) => {
  const words = context.argv.slice(1);
  if (words.includes('-V') || words.includes('--version')) {
    await context.out(`${NAME.replace(':', '')}\n`);
    return 0;
  }
  if (words.includes('-h') || words.includes('--help')) {
    await context.out(IPTABLES_USAGE);
    return 0;
  }
  const line = readLine(words);
  if (line.commands.size === 0) throw new Failure(2, `${NAME}: no command specified\n${TRY_HELP}`);
  if (line.commands.has('L') || line.commands.has('S')) {
    await list(context, line);
    if (!line.commands.has('Z')) return 0;
    return change(context, line.table, ['-Z', ...line.listArguments.slice(0, 1)]);
  }
  return change(context, line.table, line.rest);
});

function readLine(words: readonly string[]): Line {
  const line: Line = {
    table: 'filter',
    numeric: false,
    verbose: false,
    exact: false,
    lineNumbers: false,
    commands: new Set(),
    listArguments: [],
    rest: [],
  };
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '-t' || word === '--table') line.table = queue.shift() ?? 'filter';
    else if (word.startsWith('--table=')) line.table = word.slice('--table='.length);
    else if (word === '--line-numbers') line.lineNumbers = true;
    else if (word === '--numeric') line.numeric = true;
    else if (word === '--verbose') line.verbose = true;
    else if (word === '--exact') line.exact = true;
    else if (word === '-w' || word === '--wait') {
      if (/^[0-9]+$/.test(queue[0] ?? '')) queue.shift();
    } else if (LONG_COMMANDS[word] !== undefined) takeCommand(line, LONG_COMMANDS[word] ?? '', queue, word);
    else if (/^-[nvxLSZ]+$/.test(word)) takeCluster(line, word, queue);
    else if (/^-[A-Z]$/.test(word) && COMMANDS.includes(word.charAt(1))) takeCommand(line, word.charAt(1), queue, word);
    else line.rest.push(word);
  }
  return line;
}

/** `-nvL`: letters that need no argument of their own. */
function takeCluster(line: Line, word: string, queue: string[]): void {
  for (const letter of word.slice(1)) {
    if (letter === 'n') line.numeric = true;
    else if (letter === 'v') line.verbose = true;
    else if (letter === 'x') line.exact = true;
    else takeCommand(line, letter, queue, `-${letter}`);
  }
}

function takeCommand(line: Line, letter: string, queue: string[], word: string): void {
  line.commands.add(letter);
  if (letter !== 'L' && letter !== 'S') {
    line.rest.push(word.startsWith('--') ? `-${letter}` : word);
    return;
  }
  while (line.listArguments.length < 2 && queue[0] !== undefined && !queue[0].startsWith('-')) {
    line.listArguments.push(queue.shift() ?? '');
  }
}

function tableOf(sys: Syscalls, table: string): ChainRecord[] {
  const answer = sys.netlink({ type: 'NFT_GETTABLE', table });
  if (!isErrno(answer)) return answer;
  throw new Failure(
    3,
    `${NAME}: table '${table}' does not exist\nPerhaps iptables or your kernel needs to be upgraded.`,
  );
}

async function list(context: ProgramContext, line: Line): Promise<void> {
  const all = tableOf(context.sys, line.table);
  const [name, number] = line.listArguments;
  const chains = name === undefined ? all : all.filter((chain) => chain.name === name);
  if (name !== undefined && chains.length === 0) {
    throw new Failure(1, 'iptables: No chain/target/match by that name.');
  }
  const options: ListOptions = { ...line, services: new Services(context.sys) };
  const rule = number === undefined ? undefined : chains[0]?.rules[Number(number) - 1];
  if (number !== undefined && rule === undefined) return;
  if (line.commands.has('S')) {
    const text = rule === undefined ? ruleCommands(chains, line.verbose) : `${ruleCommand(rule, line.verbose)}\n`;
    return context.out(text);
  }
  if (rule !== undefined) return context.out(listRule(rule, Number(number), options));
  await context.out(chains.map((chain) => listChain(chain, options)).join('\n'));
}

async function change(context: ProgramContext, table: string, argv: readonly string[]): Promise<number> {
  const answer: { error?: string; status?: number } = context.sys.netlink({ type: 'NFT_COMMAND', table, argv });
  if (answer.error === undefined) return 0;
  throw new Failure(answer.status ?? (answer.error.startsWith(NAME) ? 2 : 1), answer.error);
}

export const iptablesSave = program(async (context) => {
  const words = context.argv.slice(1);
  const counters = words.includes('-c') || words.includes('--counters');
  const at = words.findIndex((word) => word === '-t' || word === '--table');
  const only = at < 0 ? undefined : words[at + 1];
  for (const table of TABLES) {
    if (only !== undefined && table !== only) continue;
    const chains = context.sys.netlink({ type: 'NFT_GETTABLE', table });
    if (isErrno(chains) || (only === undefined && isUntouched(chains))) continue;
    await context.out(saveTable(table, chains, counters, labDate(context.sys.clockRealtime())));
  }
  return 0;
});

/** A table that nobody has used does not exist. */
function isUntouched(chains: readonly ChainRecord[]): boolean {
  return chains.every((chain) => chain.policy === 'ACCEPT' && chain.rules.length === 0);
}

function saveTable(table: string, chains: readonly ChainRecord[], counters: boolean, date: string): string {
  const heads = chains.map((chain) => `:${chain.name} ${chain.policy ?? '-'} [${chain.packets}:${chain.bytes}]\n`);
  const rules = chains.flatMap((chain) =>
    chain.rules.map((rule) => `${counters ? `[${rule.packets}:${rule.bytes}] ` : ''}${ruleCommand(rule, false)}\n`),
  );
  return [
    `# Generated by iptables-save v1.8.9 (nf_tables) on ${date}\n`,
    `*${table}\n`,
    ...heads,
    ...rules,
    'COMMIT\n',
    `# Completed on ${date}\n`,
  ].join('');
}
