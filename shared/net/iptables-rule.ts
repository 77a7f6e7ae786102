/** One rule from the words of a command line (Linux: iptables/xshared.c do_parse), and back to iptables-save's words. */
import type { Host } from './host.ts';
import {
  type MatchModule,
  matchAddress,
  matchDevice,
  matchFragment,
  matchModule,
  matchProtocol,
  parseProtocol,
  protocolName,
} from './iptables-match.ts';
import type { Chain, Match, Rule, Table, Target } from './iptables-table.ts';
import { type TargetModule, targetModule } from './iptables-target.ts';
import { badUse, kernelRefused, type Words } from './iptables-words.ts';

/** What stands before the modules, gathered option by option. */
class RuleBuilder {
  protocol: { number: number; negated: boolean } | undefined;
  sources: { text: string; negated: boolean } | undefined;
  targets: { text: string; negated: boolean } | undefined;
  input: { name: string; negated: boolean } | undefined;
  output: { name: string; negated: boolean } | undefined;
  fragment: { negated: boolean } | undefined;
  readonly modules: MatchModule[] = [];
  target: TargetModule | undefined;
  jump: { chain: Chain; goto: boolean } | undefined;
}

/** The rules that a command line means: several when -s or -d name several networks. `words` is read to its end. */
export function parseRules(host: Host, table: Table, chain: string, words: Words): Rule[] {
  const builder = new RuleBuilder();
  while (!words.done) parseOption(table, builder, words);
  checkDevices(chain, builder);
  checkPlace(table, chain, builder);
  const rules: Rule[] = [];
  const sources = builder.sources?.text.split(',') ?? [undefined];
  const targets = builder.targets?.text.split(',') ?? [undefined];
  for (const source of sources) for (const target of targets) rules.push(build(host, builder, source, target));
  return rules;
}

function parseOption(table: Table, builder: RuleBuilder, words: Words): void {
  const option = words.option();
  const { negated } = words;
  switch (option) {
    case undefined:
      return;
    case '-p':
    case '--protocol':
    case '--proto':
      builder.protocol = { number: parseProtocol(words.value(option)), negated };
      return;
    case '-s':
    case '--source':
    case '--src':
      builder.sources = { text: words.value(option), negated };
      return;
    case '-d':
    case '--destination':
    case '--dst':
      builder.targets = { text: words.value(option), negated };
      return;
    case '-i':
    case '--in-interface':
      builder.input = { name: words.value(option), negated };
      return;
    case '-o':
    case '--out-interface':
      builder.output = { name: words.value(option), negated };
      return;
    case '-f':
    case '--fragment':
      builder.fragment = { negated };
      return;
    case '-m':
    case '--match':
      words.plain('--match');
      return loadMatch(builder, words.value(option));
    case '-j':
    case '--jump':
    case '-g':
    case '--goto':
      words.plain('--jump');
      return loadTarget(table, builder, words.value(option), option === '-g' || option === '--goto');
    default:
      return moduleOption(builder, option, words);
  }
}

function protocolOf(builder: RuleBuilder): number | undefined {
  return builder.protocol === undefined || builder.protocol.negated ? undefined : builder.protocol.number;
}

function loadMatch(builder: RuleBuilder, name: string): void {
  if (builder.modules.some((module) => module.name === name) && name !== 'comment') return;
  const module = matchModule(name, protocolOf(builder));
  if (module === undefined) throw badUse(`Couldn't load match \`${name}':No such file or directory\n`);
  builder.modules.push(module);
}

function loadTarget(table: Table, builder: RuleBuilder, name: string, goto: boolean): void {
  if (builder.target !== undefined || builder.jump !== undefined) throw badUse('multiple -j flags not allowed');
  const chain = table.chains.get(name);
  if (chain !== undefined && chain.policy === undefined) {
    builder.jump = { chain, goto };
    return;
  }
  const module = goto ? undefined : targetModule(name, protocolOf(builder));
  if (module === undefined) throw badUse(`Chain '${name}' does not exist`);
  builder.target = module;
}

/** An option that only a module knows; -p tcp, udp and icmp bring theirs by themselves. */
function moduleOption(builder: RuleBuilder, option: string, words: Words): void {
  if (builder.target?.option(option, words) === true) return;
  for (const module of builder.modules) if (module.option(option, words)) return;
  const protocol = protocolOf(builder);
  const own = protocol === undefined ? '' : protocolName(protocol);
  if (['tcp', 'udp', 'icmp'].includes(own) && !builder.modules.some((module) => module.name === own)) {
    const module = matchModule(own, protocol);
    if (module?.option(option, words) === true) {
      builder.modules.unshift(module);
      return;
    }
  }
  if (option.startsWith('-')) throw badUse(`unknown option "${option}"`);
  throw badUse(`Bad argument \`${option}'`);
}

/** A device that a chain cannot know. */
function checkDevices(chain: string, { input, output }: RuleBuilder): void {
  if (output !== undefined && (chain === 'PREROUTING' || chain === 'INPUT'))
    throw badUse(`Can't use -o with ${chain}\n`);
  if (input !== undefined && (chain === 'POSTROUTING' || chain === 'OUTPUT'))
    throw badUse(`Can't use -i with ${chain}\n`);
}

/** Some targets are for one table, and for some chains of it. */
function checkPlace(table: Table, chain: string, { target }: RuleBuilder): void {
  if (target === undefined) return;
  const builtIn = table.chains.get(chain)?.policy !== undefined;
  const wrongTable = target.tables.length > 0 && !target.tables.includes(table.name);
  const wrongChain = builtIn && target.hooks.length > 0 && !target.hooks.some((hook) => hook === chain);
  // The kernel's word for all of it.
  if (wrongTable || wrongChain || target.misplaced?.() === true) throw kernelRefused(chain);
}

function build(host: Host, builder: RuleBuilder, source: string | undefined, target: string | undefined): Rule {
  const { protocol, input, output, fragment, sources, targets } = builder;
  const matches: Match[] = [];
  const anywhere = '0.0.0.0/0';
  let from = anywhere;
  let to = anywhere;
  if (source !== undefined) {
    const match = matchAddress('source', source, sources?.negated ?? false);
    if (match.shown !== anywhere) matches.push(match);
    from = match.shown;
  }
  if (target !== undefined) {
    const match = matchAddress('target', target, targets?.negated ?? false);
    if (match.shown !== anywhere) matches.push(match);
    to = match.shown;
  }
  if (input !== undefined) matches.push(matchDevice('input', input.name, input.negated));
  if (output !== undefined) matches.push(matchDevice('output', output.name, output.negated));
  if (protocol !== undefined && protocol.number !== 0) matches.push(matchProtocol(protocol.number, protocol.negated));
  if (fragment !== undefined) matches.push(matchFragment(fragment.negated));
  for (const module of builder.modules) matches.push(module.finish(host));
  return {
    matches,
    target: finishTarget(host, builder),
    protocol: `${protocol?.negated === true ? '!' : ''}${protocolName(protocol?.number ?? 0)}`,
    source: from,
    destination: to,
    in: input === undefined ? '*' : `${input.negated ? '!' : ''}${input.name}`,
    out: output === undefined ? '*' : `${output.negated ? '!' : ''}${output.name}`,
    packets: 0,
    bytes: 0,
  };
}

function finishTarget(host: Host, { target, jump }: RuleBuilder): Target | undefined {
  if (jump === undefined) return target?.finish(host);
  const { chain, goto } = jump;
  return {
    get name() {
      return chain.name;
    },
    save: '',
    list: '',
    chain,
    goto,
    run: () => 'continue',
  };
}

/** As iptables-save writes it, without -A CHAIN. */
export function saveRule(rule: Rule): string {
  const words = rule.matches.map((match) => match.save);
  const { target } = rule;
  if (target !== undefined) words.push(`${target.goto ? '-g' : '-j'} ${target.name}`, target.save);
  return words.filter((word) => word !== '').join(' ');
}

/** What -L shows after the columns. */
export function listExtra(rule: Rule): string {
  const words = rule.matches.map((match) => match.list);
  if (rule.target?.goto === true) words.unshift('[goto] ');
  if (rule.target !== undefined) words.push(rule.target.list);
  return words.filter((word) => word !== '').join(' ');
}
