/**
 * From a slice of the plan to a running device: the kernel's parts in stack order, cards on the wires, addresses, routes,
 * sysctls, the files of /etc, and the programs that run from the start. What a kind adds or leaves out is said by its
 * device.ts as an Assembly; nothing here knows kinds.
 */
import type { DevicePlan } from '../lab/plan-types.ts';
import { Host } from '../net/host.ts';
import { programs } from '../programs/registry.ts';
import type { CapturePoint } from './capture.ts';
import type { AddressRow, Device, DeviceParts, ProgramStdio, RunningProgram } from './device.ts';

export interface Assembly {
  /** Make the ports: a card (or a bridge's port) on each wire. Returns them by name, in the plan's order. */
  readonly ports: (host: Host, plan: DevicePlan, parts: DeviceParts) => ReadonlyMap<string, CapturePoint>;
  /** Addresses, routes, sysctls, /etc; nothing for a switch. */
  readonly configure: (host: Host, plan: DevicePlan) => void;
  /** Programs that run from the start, in their order. */
  readonly residents: readonly (readonly string[])[];
  readonly addresses: (host: Host) => readonly AddressRow[] | undefined;
}

/** How soon a program that ended by itself may be started again; not at all: it is logged, and counted. */
const decoder = new TextDecoder();

export function assemble(plan: DevicePlan, parts: DeviceParts, assembly: Assembly): Device {
  const { clock, random, platform } = parts;
  const host = new Host({ name: plan.name, index: plan.index, clock, random, platform });
  host.processes.programs = programs;
  const phys = assembly.ports(host, plan, parts);
  assembly.configure(host, plan);
  for (const argv of assembly.residents) startResident(host, argv, parts);
  return {
    name: plan.name,
    plan,
    host,
    phys,
    wires: parts.wires,
    programs: [...programs.keys()].sort(),
    spawn: (argv, stdio) => spawnProgram(host, argv, stdio),
    processes: () => host.processes.list().map(({ pid, argv }) => ({ pid, command: argv.join(' ') })),
    addresses: () => assembly.addresses(host),
    stop: () => host.processes.killAll('SIGTERM'),
  };
}

function startResident(host: Host, argv: readonly string[], parts: DeviceParts): void {
  const [name = ''] = argv;
  const output = (bytes: Uint8Array): void => parts.output?.(name, decoder.decode(bytes));
  const program = host.processes.spawn(name, argv, { stdout: output, stderr: output });
  void program.exited.then((status) => parts.output?.(name, `ended with status ${status}\n`));
}

function spawnProgram(host: Host, argv: readonly string[], stdio: ProgramStdio): RunningProgram | undefined {
  const [name = ''] = argv;
  if (!host.processes.programs.has(name)) return undefined;
  const { stdout, stderr, cause } = stdio;
  const { pid, exited, stdin, kill } = host.processes.spawn(name, argv, { stdin: 'open', stdout, stderr, cause });
  return {
    pid,
    exited,
    kill,
    end: () => stdin.end(),
    write: (bytes) =>
      stdin.write(bytes) ? Promise.resolve() : new Promise((resolve) => stdin.onDrain(() => resolve())),
  };
}
