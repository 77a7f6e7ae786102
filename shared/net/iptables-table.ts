/**
 * The tables of iptables: chains of rules, walked by each packet (Linux: net/ipv4/netfilter/ip_tables.c). A table
 * registers its hooks when its first rule or policy is made, so that a host without rules pays nothing.
 */
import { formatIpv4, type Ipv4 } from '../header/address.ts';
import { ICMP } from '../header/icmp.ts';
import { IPV4, IPV4_OFFSET_MASK, ipv4HeaderLength, PROTOCOL } from '../header/ipv4.ts';
import { TCP } from '../header/tcp.ts';
import { assert } from '../platform.ts';
import { isErrno } from './errno.ts';
import type { Host } from './host.ts';
import { natEnable } from './nat.ts';
import type { NetDevice } from './netdev.ts';
import { HOOK, HOOK_NAMES, type Hook, type HookName, type HookRun, PRIORITY } from './netfilter.ts';
import type { Route } from './route.ts';
import { routeOutput } from './route.ts';
import type { SkBuff } from './skbuff.ts';

export const TABLE_NAMES = ['filter', 'nat', 'mangle', 'raw'] as const;
export type TableName = (typeof TABLE_NAMES)[number];

/** Chains that each table has from the start, and where it stands among the others. */
const TABLES: Readonly<Record<TableName, { readonly hooks: readonly HookName[]; readonly priority: number }>> = {
  filter: { hooks: ['INPUT', 'FORWARD', 'OUTPUT'], priority: PRIORITY.FILTER },
  nat: { hooks: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'], priority: PRIORITY.NAT_TARGET },
  mangle: { hooks: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'], priority: PRIORITY.MANGLE },
  raw: { hooks: ['PREROUTING', 'OUTPUT'], priority: PRIORITY.RAW },
};

/** Rules per table and jumps within jumps: a configuration beyond these is a mistake. */
export const RULES_MAX = 4_096;
const JUMP_DEPTH_MAX = 64;

/** What the rules look at, read from the packet once per walk. */
export class RulePacket {
  skb: SkBuff | undefined = undefined;
  hook: Hook = HOOK.PREROUTING;
  input: NetDevice | undefined = undefined;
  output: NetDevice | undefined = undefined;
  source = 0;
  target = 0;
  protocol = 0;
  /** Not the first fragment: there are no ports. */
  fragment = false;
  /** Ports and the like are there to be read. */
  ports = false;
  sourcePort = 0;
  targetPort = 0;
  tcpFlags = 0;
  icmpType = 0;
  icmpCode = 0;
  /** The rule that decided, by its number in the chain of the hook. */
  rule = 0;

  load(skb: SkBuff, hook: Hook, input: NetDevice | undefined, output: NetDevice | undefined): void {
    this.skb = skb;
    this.hook = hook;
    this.input = input;
    this.output = output;
    const { view } = skb;
    const ip = skb.networkHeader;
    const at = ip + ipv4HeaderLength(view, ip);
    this.source = view.getUint32(ip + IPV4.SOURCE);
    this.target = view.getUint32(ip + IPV4.TARGET);
    this.protocol = view.getUint8(ip + IPV4.PROTOCOL);
    this.fragment = (view.getUint16(ip + IPV4.FRAGMENT) & IPV4_OFFSET_MASK) !== 0;
    this.ports = !this.fragment && at + 4 <= skb.tail;
    this.sourcePort = this.targetPort = this.tcpFlags = this.icmpType = this.icmpCode = 0;
    if (!this.ports) return;
    if (this.protocol === PROTOCOL.ICMP) {
      this.icmpType = view.getUint8(at + ICMP.TYPE);
      this.icmpCode = view.getUint8(at + ICMP.CODE);
      return;
    }
    this.sourcePort = view.getUint16(at);
    this.targetPort = view.getUint16(at + 2);
    if (this.protocol === PROTOCOL.TCP && at + TCP.FLAGS < skb.tail) this.tcpFlags = view.getUint8(at + TCP.FLAGS);
  }
}

export type Verdict = 'accept' | 'drop' | 'return' | 'continue' | 'consumed';

export interface Match {
  /** As iptables-save writes it; empty for what is said by another option. */
  readonly save: string;
  /** As iptables -L shows it after the columns. */
  readonly list: string;
  test(host: Host, packet: RulePacket): boolean;
}

export interface Target {
  readonly name: string;
  /** Options as iptables-save writes them, and as -L shows them. */
  readonly save: string;
  readonly list: string;
  /** A chain of this table, for -j CHAIN and -g CHAIN. */
  readonly chain: Chain | undefined;
  readonly goto: boolean;
  run(host: Host, packet: RulePacket): Verdict;
}

export interface Rule {
  readonly matches: readonly Match[];
  readonly target: Target | undefined;
  /** The columns of -L. */
  readonly protocol: string;
  readonly source: string;
  readonly destination: string;
  readonly in: string;
  readonly out: string;
  packets: number;
  bytes: number;
}

export class Chain {
  name: string;
  readonly table: Table;
  /** Built-in chains alone have one. */
  policy: 'ACCEPT' | 'DROP' | undefined;
  packets = 0;
  bytes = 0;
  rules: Rule[] = [];

  constructor(name: string, table: Table, policy: 'ACCEPT' | undefined) {
    this.name = name;
    this.table = table;
    this.policy = policy;
  }

  /** How many rules lead here. */
  get references(): number {
    let n = 0;
    for (const chain of this.table.chains.values())
      for (const rule of chain.rules) if (rule.target?.chain === this) n++;
    return n;
  }
}

export class Table {
  readonly name: TableName;
  readonly chains = new Map<string, Chain>();
  private registered = false;

  constructor(name: TableName) {
    this.name = name;
    for (const hook of TABLES[name].hooks) this.chains.set(hook, new Chain(hook, this, 'ACCEPT'));
  }

  get size(): number {
    let n = 0;
    for (const chain of this.chains.values()) n += chain.rules.length;
    return n;
  }

  /** From now on packets walk this table. (Linux: xt_hook_ops_alloc at the table's first use) */
  register(host: Host): void {
    if (this.registered) return;
    this.registered = true;
    const run: HookRun = (h, skb, hook, input, output) => walkTable(h, this, skb, hook, input, output);
    if (this.name === 'nat') return natEnable(host, run);
    for (const hook of TABLES[this.name].hooks) {
      const at = HOOK_NAMES.indexOf(hook) as Hook;
      const mangling = this.name === 'mangle' && hook === 'OUTPUT';
      host.netfilter.register(at, TABLES[this.name].priority, mangling ? rerouting(run) : run);
    }
  }
}

export class Tables {
  readonly byName = new Map<TableName, Table>(TABLE_NAMES.map((name) => [name, new Table(name)]));
  readonly packet = new RulePacket();

  get(name: string): Table | undefined {
    return this.byName.get(name as TableName);
  }
}

/** A mark that mangle set may lead elsewhere. (Linux: ipt_mangle_out) */
function rerouting(run: HookRun): HookRun {
  return (host, skb, hook, input, output) => {
    const before = skb.mark;
    const passed = run(host, skb, hook, input, output);
    if (passed === undefined || passed.mark === before) return passed;
    const target = passed.view.getUint32(passed.networkHeader + IPV4.TARGET) as Ipv4;
    const route = routeOutput(host, { target, mark: passed.mark });
    if (!isErrno(route)) passed.route = route satisfies Route;
    return passed;
  };
}

/** Walk a packet through the chain of a hook. Consumes it when it answers undefined. (Linux: ipt_do_table) */
function walkTable(
  host: Host,
  table: Table,
  skb: SkBuff,
  hook: Hook,
  input: NetDevice | undefined,
  output: NetDevice | undefined,
): SkBuff | undefined {
  const name = HOOK_NAMES[hook];
  const chain = table.chains.get(name);
  assert(chain !== undefined, 'a table is registered where it has a chain');
  if (chain.rules.length === 0 && chain.policy === 'ACCEPT') {
    chain.packets++;
    chain.bytes += skb.length;
    return skb;
  }
  const { packet } = host.tables;
  packet.load(skb, hook, input, output);
  const verdict = walkChain(host, chain, packet, 0);
  const undecided = verdict === 'continue' || verdict === 'return';
  const final = undecided ? (chain.policy === 'DROP' ? 'drop' : 'accept') : verdict;
  if (undecided) {
    chain.packets++;
    chain.bytes += skb.length;
  }
  if (host.trace.on && (chain.rules.length > 0 || final === 'drop')) {
    const rule = undecided ? 0 : packet.rule;
    host.trace.point('nf_hook', skb, { hook: name, table: table.name, verdict: final.toUpperCase(), rule });
  }
  if (final === 'consumed') return undefined;
  if (final === 'drop') {
    host.skbs.drop(skb, 'netfilter_drop');
    return undefined;
  }
  return skb;
}

/** The verdict of a chain; packet.rule is the number of the rule of it that decided. */
function walkChain(host: Host, chain: Chain, packet: RulePacket, depth: number): Verdict {
  const { rules } = chain;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]!;
    if (!matches(host, rule, packet)) continue;
    rule.packets++;
    rule.bytes += packet.skb?.length ?? 0;
    const { target } = rule;
    if (target === undefined) continue;
    let verdict: Verdict;
    if (target.chain === undefined) {
      verdict = target.run(host, packet);
    } else {
      verdict = depth >= JUMP_DEPTH_MAX ? 'drop' : walkChain(host, target.chain, packet, depth + 1);
      if (verdict === 'return' && !target.goto) verdict = 'continue';
      else if (verdict === 'continue' && target.goto) verdict = 'return';
    }
    if (verdict === 'continue') continue;
    packet.rule = i + 1;
    return verdict;
  }
  return 'continue';
}

function matches(host: Host, rule: Rule, packet: RulePacket): boolean {
  for (const match of rule.matches) if (!match.test(host, packet)) return false;
  return true;
}

/** `10.0.0.0/24`, `10.0.0.1`, `0.0.0.0/0`, as -L -n shows it. */
export function formatNetwork(address: Ipv4, prefix: number): string {
  return prefix === 32 ? formatIpv4(address) : `${formatIpv4(address)}/${prefix}`;
}
