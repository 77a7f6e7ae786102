/** iptables-restore's part in the kernel: the commands of one table, all of them or none (Linux: an nf_tables batch). */
import type { Host } from './host.ts';
import { iptablesCommand } from './iptables.ts';
import { Chain, type Rule, type Table } from './iptables-table.ts';
import type { RestoreStep } from './netlink.ts';

interface Saved {
  readonly name: string;
  readonly policy: Chain['policy'];
  readonly packets: number;
  readonly bytes: number;
  readonly rules: readonly Rule[];
}

export interface RestoreAnswer {
  error?: string;
  status?: number;
  /** Which of the steps was refused. */
  step?: number;
}

/** `flush`: what is there goes first. `test`: nothing stays changed. */
export function iptablesRestore(
  host: Host,
  name: string,
  steps: readonly RestoreStep[],
  { flush, test }: { readonly flush: boolean; readonly test: boolean },
): RestoreAnswer {
  const table = host.tables.get(name);
  if (table === undefined) return { error: `table name '${name}' invalid`, status: 2 };
  const before = new Map(
    [...table.chains.values()].map((chain): [Chain, Saved] => [chain, { ...chain, name: chain.name }]),
  );
  if (flush) clear(table);
  for (const [at, step] of steps.entries()) {
    const refusal = 'argv' in step ? command(host, table, step) : declare(host, table, step);
    if (refusal === undefined) continue;
    rollBack(table, before);
    return { ...refusal, step: at };
  }
  if (test) rollBack(table, before);
  return {};
}

function clear(table: Table): void {
  for (const chain of [...table.chains.values()]) {
    chain.rules = [];
    chain.packets = chain.bytes = 0;
    if (chain.policy === undefined) table.chains.delete(chain.name);
  }
}

function rollBack(table: Table, before: ReadonlyMap<Chain, Saved>): void {
  table.chains.clear();
  for (const [chain, saved] of before) {
    chain.name = saved.name;
    chain.policy = saved.policy;
    chain.packets = saved.packets;
    chain.bytes = saved.bytes;
    chain.rules = [...saved.rules];
    table.chains.set(chain.name, chain);
  }
}

/** `:CHAIN POLICY [packets:bytes]`: a built-in chain's policy, or a chain of one's own, empty. */
function declare(host: Host, table: Table, step: Extract<RestoreStep, { chain: string }>): RestoreAnswer | undefined {
  let chain = table.chains.get(step.chain);
  if (chain === undefined || chain.policy === undefined) {
    if (chain !== undefined) chain.rules = [];
    else table.chains.set(step.chain, (chain = new Chain(step.chain, table, undefined)));
  } else if (step.policy !== '-') {
    if (step.policy !== 'ACCEPT' && step.policy !== 'DROP') return { error: 'Bad policy name.', status: 1 };
    if (step.policy === 'DROP') table.register(host);
    chain.policy = step.policy;
  }
  if (step.packets !== undefined) chain.packets = step.packets;
  if (step.bytes !== undefined) chain.bytes = step.bytes;
  return undefined;
}

function command(
  host: Host,
  table: Table,
  step: Extract<RestoreStep, { argv: readonly string[] }>,
): RestoreAnswer | undefined {
  const answer = iptablesCommand(host, table.name, step.argv);
  if (answer.error !== undefined) return answer;
  const chain = table.chains.get(step.argv[1] ?? '');
  const appended = chain?.rules[chain.rules.length - 1];
  if (appended !== undefined && step.packets !== undefined && step.argv[0] === '-A') {
    appended.packets = step.packets;
    appended.bytes = step.bytes ?? 0;
  }
  return undefined;
}
