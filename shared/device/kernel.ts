/**
 * From a slice of the plan to a running device: the kernel's parts in stack order, ports on the wires, configuration,
 * and the programs that run from the start. What a kind adds or leaves out is said by its device.ts as an Assembly;
 * nothing here knows kinds.
 */
import { parseMac } from '../header/address.ts';
import type { DevicePlan } from '../lab/plan-types.ts';
import { Host } from '../net/host.ts';
import { nicOf, probe } from '../nic/driver.ts';
import { cpuOf } from '../nic/napi.ts';
import type { Phy } from '../nic/phy.ts';
import { assert } from '../platform.ts';
import { programs } from '../programs/registry.ts';
import type { AddressRow, Device, DeviceParts, ProgramStdio, RunningProgram } from './device.ts';

export interface Assembly {
  /** Make the ports: a card (or a bridge's port) on each wire. Returns their physical ends, in the plan's order. */
  readonly ports: (host: Host, plan: DevicePlan, parts: DeviceParts) => ReadonlyMap<string, Phy>;
  /** Addresses, routes, sysctls, /etc; what a switch does without. */
  readonly configure: (host: Host, plan: DevicePlan) => void;
  /** Programs that run from the start, in their order. */
  readonly residents: readonly (readonly string[])[];
  readonly addresses: (host: Host) => readonly AddressRow[] | undefined;
}

export function assemble(plan: DevicePlan, parts: DeviceParts, assembly: Assembly): Device {
  const host = bootHost(plan, parts);
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
    stop: () => {
      host.processes.killAll('SIGTERM');
      for (const dev of host.devices.list()) host.devices.setUp(dev, false);
    },
  };
}

/** The kernel without a port: link and network layers are its own, transports register themselves in stack order. */
export function bootHost(
  plan: Pick<DevicePlan, 'name' | 'index' | 'cpu'>,
  { clock, random, platform }: Pick<DeviceParts, 'clock' | 'random' | 'platform'>,
): Host {
  const host = new Host({ name: plan.name, index: plan.index, clock, random, platform });
  cpuOf(host).configure(plan.cpu);
  host.processes.programs = programs;
  return host;
}

/** A card on each port: what hosts and routers have. */
export function cards(host: Host, plan: DevicePlan, parts: DeviceParts): Map<string, Phy> {
  const phys = new Map<string, Phy>();
  for (const port of plan.ports) {
    const mac = parseMac(port.mac ?? '');
    assert(mac !== undefined, 'the plan gives every card an address');
    const dev = probe(host, { name: port.name, mac, mtu: port.mtu, wire: parts.wires.get(port.name) });
    const nic = nicOf(dev);
    assert(nic !== undefined, 'the driver made a card');
    phys.set(port.name, nic.phy);
  }
  return phys;
}

function startResident(host: Host, argv: readonly string[], parts: DeviceParts): void {
  const [name = ''] = argv;
  const decoder = new TextDecoder();
  const output = (bytes: Uint8Array): void => parts.output?.(name, decoder.decode(bytes, { stream: true }));
  const program = host.processes.spawn(name, argv, { stdout: output, stderr: output });
  void program.exited.then((status) => parts.output?.(name, `${argv.join(' ')} ended with status ${status}\n`));
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
