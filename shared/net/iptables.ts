/**
 * iptables' commands, as the kernel of this lab takes them: whole command lines (NFT_COMMAND), answered with iptables'
 * own words when they are wrong. `argv` is what follows `iptables`, `-t` included or not.
 */
import type { Host } from './host.ts';
import { listExtra, parseRules, saveRule } from './iptables-rule.ts';
import { Chain, RULES_MAX, type Rule, type Table } from './iptables-table.ts';
import { badParameter, badUse, busyChain, IptablesError, RuleRefused, refused, Words } from './iptables-words.ts';
import type { ChainRecord, RuleRecord } from './netlink.ts';

/** Linux: XT_EXTENSION_MAXNAMELEN. */
const CHAIN_NAME_MAX = 28;

/** One command; the error is all that iptables would print, the status what it would exit with. */
export function iptablesCommand(
  host: Host,
  tableName: string,
  argv: readonly string[],
): { error?: string; status?: number } {
  try {
    run(host, tableName, argv);
    return {};
  } catch (error) {
    if (!(error instanceof IptablesError)) throw error;
    return { error: error instanceof RuleRefused ? namedFor(argv, error) : error.message, status: error.status };
  }
}

/** The kernel's refusal, with the name of what was asked of it. */
function namedFor(argv: readonly string[], { message }: RuleRefused): string {
  const has = (...words: string[]) => words.some((word) => argv.includes(word));
  if (has('-I', '--insert')) return message.replace('RULE_APPEND', 'RULE_INSERT');
  return has('-R', '--replace') ? message.replace('RULE_APPEND', 'RULE_REPLACE') : message;
}

function run(host: Host, tableName: string, argv: readonly string[]): void {
  const rest = [...argv];
  const at = rest.findIndex((word) => word === '-t' || word === '--table');
  const name = at < 0 ? tableName : (rest.splice(at, 2)[1] ?? '');
  const table = host.tables.get(name);
  if (table === undefined) throw noTable(name);
  const words = new Words(rest.filter((word) => word !== '-w' && word !== '--wait'));
  const command = words.option();
  if (command === undefined) throw badUse('no command specified');
  execute(host, table, command, words);
}

function noTable(name: string): IptablesError {
  return new IptablesError(
    `iptables v1.8.9 (nf_tables): table '${name}' does not exist\nPerhaps iptables or your kernel needs to be upgraded.`,
    3,
  );
}

function execute(host: Host, table: Table, command: string, words: Words): void {
  switch (command) {
    case '-A':
    case '--append':
      return insertRules(host, table, words, 'end');
    case '-I':
    case '--insert':
      return insertRules(host, table, words, 'number');
    case '-R':
    case '--replace':
      return replaceRule(host, table, words);
    case '-D':
    case '--delete':
      return deleteRule(host, table, words);
    case '-C':
    case '--check':
      return checkRule(host, table, words);
    case '-N':
    case '--new-chain':
      return newChain(table, words.value(command));
    case '-X':
    case '--delete-chain':
      return deleteChains(table, words.optional());
    case '-E':
    case '--rename-chain':
      return renameChain(table, words.value(command), words.value(command));
    case '-F':
    case '--flush':
      return flush(table, words.optional());
    case '-Z':
    case '--zero':
      return zero(table, words.optional());
    case '-P':
    case '--policy':
      return setPolicy(host, table, words.value(command), words.value(command));
    default:
      throw badUse(`unknown option "${command}"`);
  }
}

function chainOf(table: Table, name: string): Chain {
  const chain = table.chains.get(name);
  if (chain === undefined) throw refused('No chain/target/match by that name.');
  return chain;
}

function room(table: Table, rules: readonly Rule[]): void {
  if (table.size + rules.length > RULES_MAX) throw refused('Memory allocation problem.');
}

function insertRules(host: Host, table: Table, words: Words, where: 'end' | 'number'): void {
  const chain = chainOf(table, words.value('-A'));
  const number = where === 'number' ? ruleNumber(words) : undefined;
  const rules = parseRules(host, table, chain.name, words);
  const at = where === 'end' ? chain.rules.length : (number ?? 1) - 1;
  if (at > chain.rules.length) throw refused('Index of insertion too big.');
  room(table, rules);
  for (const rule of rules) refuseLoop(chain, rule);
  table.register(host);
  chain.rules = [...chain.rules.slice(0, at), ...rules, ...chain.rules.slice(at)];
}

/** A jump may not lead back to where it came from. */
function refuseLoop(chain: Chain, rule: Rule): void {
  const to = rule.target?.chain;
  if (to !== undefined && reaches(to, chain)) throw refused('Too many levels of symbolic links.');
}

function reaches(from: Chain, to: Chain): boolean {
  if (from === to) return true;
  return from.rules.some((rule) => rule.target?.chain !== undefined && reaches(rule.target.chain, to));
}

/** A number that may stand after the chain. */
function ruleNumber(words: Words): number | undefined {
  const word = words.peek();
  if (word === undefined || !/^[0-9]+$/.test(word)) return undefined;
  words.next();
  if (Number(word) === 0) throw badParameter(`Invalid rule number \`${word}'`);
  return Number(word);
}

function replaceRule(host: Host, table: Table, words: Words): void {
  const chain = chainOf(table, words.value('-R'));
  const number = ruleNumber(words);
  if (number === undefined) throw badUse('-R requires a rule number');
  const rules = parseRules(host, table, chain.name, words);
  const [rule] = rules;
  if (rule === undefined || rules.length > 1) throw badUse('Replacement rule does not specify a unique address');
  if (number > chain.rules.length) throw refused('Index of replacement too big.');
  refuseLoop(chain, rule);
  chain.rules = chain.rules.map((old, i) => (i === number - 1 ? rule : old));
}

function deleteRule(host: Host, table: Table, words: Words): void {
  const chain = chainOf(table, words.value('-D'));
  const number = ruleNumber(words);
  if (number !== undefined) {
    if (number > chain.rules.length) throw refused('Index of deletion too big.');
    chain.rules = chain.rules.filter((_, i) => i !== number - 1);
    return;
  }
  for (const rule of parseRules(host, table, chain.name, words)) {
    const found = find(chain, rule);
    chain.rules = chain.rules.filter((old) => old !== found);
  }
}

/** A rule is the same when it would be written the same. */
function find(chain: Chain, rule: Rule): Rule {
  const text = saveRule(rule);
  const found = chain.rules.find((old) => saveRule(old) === text);
  if (found === undefined) throw refused('Bad rule (does a matching rule exist in that chain?).');
  return found;
}

function checkRule(host: Host, table: Table, words: Words): void {
  const chain = chainOf(table, words.value('-C'));
  for (const rule of parseRules(host, table, chain.name, words)) find(chain, rule);
}

function newChain(table: Table, name: string): void {
  if (table.chains.has(name)) throw refused('Chain already exists.');
  checkName(name);
  table.chains.set(name, new Chain(name, table, undefined));
}

function checkName(name: string): void {
  if (name.startsWith('-') || name.startsWith('!')) throw badUse(`chain name not allowed to start with \`${name[0]}'`);
  if (name.length > CHAIN_NAME_MAX)
    throw badUse(`chain name \`${name}' too long (must be under ${CHAIN_NAME_MAX + 1} chars)`);
}

function deleteChains(table: Table, name: string | undefined): void {
  const own = [...table.chains.values()].filter((chain) => chain.policy === undefined);
  const doomed = name === undefined ? own : [chainOf(table, name)];
  for (const chain of doomed) {
    if (chain.policy !== undefined || chain.rules.length > 0 || chain.references > 0) throw busyChain(chain.name);
    table.chains.delete(chain.name);
  }
}

function renameChain(table: Table, from: string, to: string): void {
  const chain = chainOf(table, from);
  if (table.chains.has(to)) throw refused('File exists.');
  checkName(to);
  table.chains.delete(from);
  chain.name = to;
  table.chains.set(to, chain);
}

function flush(table: Table, name: string | undefined): void {
  for (const chain of name === undefined ? table.chains.values() : [chainOf(table, name)]) chain.rules = [];
}

function zero(table: Table, name: string | undefined): void {
  for (const chain of name === undefined ? table.chains.values() : [chainOf(table, name)]) {
    chain.packets = chain.bytes = 0;
    for (const rule of chain.rules) rule.packets = rule.bytes = 0;
  }
}

function setPolicy(host: Host, table: Table, name: string, policy: string): void {
  const chain = chainOf(table, name);
  if (chain.policy === undefined || (policy !== 'ACCEPT' && policy !== 'DROP'))
    throw refused("Bad policy name. Run `dmesg' for more information.");
  if (policy === 'DROP') table.register(host);
  chain.policy = policy;
}

/** What a router with `nat:` does: `iptables -t nat -A POSTROUTING -o DEV -j MASQUERADE`. */
export function masquerade(host: Host, outsideDev: string): void {
  run(host, 'nat', ['-A', 'POSTROUTING', '-o', outsideDev, '-j', 'MASQUERADE']);
}

/** Chains and rules of a table in listing order: built-in ones first. */
export function listTable(table: Table): ChainRecord[] {
  const chains = [...table.chains.values()];
  const ordered = [...chains.filter((c) => c.policy !== undefined), ...chains.filter((c) => c.policy === undefined)];
  return ordered.map((chain) => ({
    table: table.name,
    name: chain.name,
    policy: chain.policy,
    references: chain.references,
    packets: chain.packets,
    bytes: chain.bytes,
    rules: chain.rules.map((rule) => recordOf(chain, rule)),
  }));
}

function recordOf(chain: Chain, rule: Rule): RuleRecord {
  return {
    table: chain.table.name,
    chain: chain.name,
    specification: saveRule(rule),
    target: rule.target?.name ?? '',
    protocol: rule.protocol,
    source: rule.source,
    destination: rule.destination,
    in: rule.in,
    out: rule.out,
    extra: listExtra(rule),
    packets: rule.packets,
    bytes: rule.bytes,
  };
}
