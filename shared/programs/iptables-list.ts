/** How iptables lists chains and rules: -L in columns, -S and iptables-save as commands (iptables 1.8.9, nft variant). */
import type { ChainRecord, RuleRecord } from '../net/netlink.ts';
import { protocolName, protocolNumber, type Services } from './names.ts';
import { left, right } from './text.ts';

export interface ListOptions {
  readonly numeric: boolean;
  readonly verbose: boolean;
  readonly exact: boolean;
  readonly lineNumbers: boolean;
  readonly services: Services;
}

/** Counters stay within their columns: 12345K, 67M (xtables' print_num). */
export function shortNumber(value: number, exact: boolean): string {
  if (exact || value <= 99_999) return String(value);
  let number = Math.floor((value + 500) / 1_000);
  for (const unit of ['K', 'M', 'G']) {
    if (number <= 9_999) return `${number}${unit}`;
    number = Math.floor((number + 500) / 1_000);
  }
  return `${number}T`;
}

export function listChain(chain: ChainRecord, options: ListOptions): string {
  const header = `${numberColumn(options, 'num', 5)}${options.verbose ? counterHeader(options) : ''}target     prot opt ${
    options.verbose ? 'in     out     ' : ''
  }source               destination         \n`;
  return chainHeader(chain, options) + header + chain.rules.map((rule, at) => listRule(rule, at + 1, options)).join('');
}

function counterHeader({ exact }: ListOptions): string {
  return exact ? '    pkts      bytes ' : ' pkts bytes ';
}

function numberColumn({ lineNumbers }: ListOptions, text: string | number, width: number): string {
  return lineNumbers ? left(text, width) : '';
}

function chainHeader(chain: ChainRecord, { verbose, exact }: ListOptions): string {
  if (chain.policy === undefined) return `Chain ${chain.name} (${chain.references} references)\n`;
  const counters = verbose
    ? ` ${shortNumber(chain.packets, exact)} packets, ${shortNumber(chain.bytes, exact)} bytes`
    : '';
  return `Chain ${chain.name} (policy ${chain.policy}${counters})\n`;
}

export function listRule(rule: RuleRecord, number: number, options: ListOptions): string {
  const { verbose, exact } = options;
  const width = exact ? 8 : 5;
  const counters = verbose
    ? `${right(shortNumber(rule.packets, exact), width)} ${right(shortNumber(rule.bytes, exact), width)} `
    : '';
  const [prot, notProt] = split(rule.protocol);
  const interfaces = verbose
    ? ` ${left(interfaceText(rule.in, options), 6)} ${left(interfaceText(rule.out, options), 6)} `
    : '';
  const extra = rule.extra === '' ? '' : ` ${options.numeric ? rule.extra : namedExtra(rule.extra, rule, options)}`;
  return [
    numberColumn(options, number, 5),
    counters,
    left(rule.target, 9),
    ` ${notProt ? '!' : ' '}`,
    `${left(protocolText(prot, options), 4)} `,
    '-- ',
    interfaces,
    addressText(rule.source, options),
    addressText(rule.destination, options),
    `${extra}\n`,
  ].join('');
}

/** A leading `!` and the rest. */
function split(text: string): readonly [string, boolean] {
  return text.startsWith('!') ? [text.slice(1).trim(), true] : [text, false];
}

/** 1.8.9 prints numbers with -n. */
function protocolText(protocol: string, { numeric }: ListOptions): string {
  const any = protocol === '' || protocol === 'all' || protocol === '0';
  if (any) return numeric ? '0' : 'all';
  if (numeric) return String(protocolNumber(protocol) ?? protocol);
  return /^[0-9]+$/.test(protocol) ? (protocolName(Number(protocol)) ?? protocol) : protocol;
}

function interfaceText(name: string, { numeric }: ListOptions): string {
  if (name === '' || name === '*' || name === 'any') return numeric ? '*' : 'any';
  return name;
}

function addressText(text: string, { numeric }: ListOptions): string {
  const [address, not] = split(text);
  const any = address === '' || address === '0.0.0.0/0' || address === 'anywhere';
  const shown = any ? (numeric ? '0.0.0.0/0' : 'anywhere') : address.replace(/\/32$/, '');
  return `${not ? '!' : ' '}${left(shown, 19)} `;
}

const ICMP_NAMES: Readonly<Record<string, string>> = {
  '0': 'echo-reply',
  '3': 'destination-unreachable',
  '5': 'redirect',
  '8': 'echo-request',
  '11': 'time-exceeded',
  '12': 'parameter-problem',
};

/** Ports and ICMP types by name. */
function namedExtra(extra: string, rule: RuleRecord, { services }: ListOptions): string {
  const [prot] = split(rule.protocol);
  const protocol = prot === '17' || prot === 'udp' ? 'udp' : 'tcp';
  const name = (port: string) => services.name(Number(port), protocol) ?? port;
  return extra
    .replace(
      /\b([sd]pts?:!?)([0-9]+)(:([0-9]+))?/g,
      (_all, label: string, first: string, range?: string, last?: string) => {
        return `${label}${name(first)}${range === undefined ? '' : `:${name(last ?? '')}`}`;
      },
    )
    .replace(/\b([sd]?ports) ([0-9,:]+)/g, (_all, label: string, ports: string) => {
      return `${label} ${ports.replace(/[0-9]+/g, name)}`;
    })
    .replace(/\bicmptype ([0-9]+)/, (_all, type: string) => `icmp ${ICMP_NAMES[type] ?? `type ${type}`}`);
}

/** -S: policies, own chains, rules; with counters behind -v. */
export function ruleCommands(chains: readonly ChainRecord[], counters: boolean): string {
  let text = '';
  for (const chain of chains) {
    if (chain.policy === undefined) continue;
    text += `-P ${chain.name} ${chain.policy}${counters ? ` -c ${chain.packets} ${chain.bytes}` : ''}\n`;
  }
  for (const chain of chains) if (chain.policy === undefined) text += `-N ${chain.name}\n`;
  for (const chain of chains) for (const rule of chain.rules) text += `${ruleCommand(rule, counters)}\n`;
  return text;
}

export function ruleCommand(rule: RuleRecord, counters: boolean): string {
  const words = rule.specification.trim();
  if (!counters) return `-A ${rule.chain}${words === '' ? '' : ` ${words}`}`;
  const count = `-c ${rule.packets} ${rule.bytes}`;
  const at = words.search(/(^| )-[jg] /);
  const matches = at < 0 ? words : words.slice(0, at).trim();
  const target = at < 0 ? '' : words.slice(at).trim();
  return ['-A', rule.chain, matches, count, target].filter((word) => word !== '').join(' ');
}
