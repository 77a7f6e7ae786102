/** What must hold when a soak has been healed: everybody well, everything arrives, every frame known, nothing left. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Net } from '../../services/lab/index.ts';
import type { DeviceState } from '../../shared/device/state-types.ts';
import { SECOND } from '../../shared/platform.ts';
import type { Soaking } from './soak.ts';

/** Lab time for wires, neighbours, routes and TCP's timers to find their way back. */
const BACK = 60 * SECOND;
/** TIME-WAIT and FIN-WAIT-2 are 60 s each, and an orphan's last retransmission may be that far, too. */
const REST = 300 * SECOND;
/**
 * Kernel timers that may be armed in a lab at rest, by Linux's functions: neighbours are looked after as long as they are
 * known, and a connection whose end was killed is tracked for five days.
 */
const TIMERS_AT_REST: readonly string[] = ['neigh_periodic_work', 'neigh_timer_handler', 'gc_worker'];
/** Between two looks. */
const LOOK = '2s';
/** What a device's process may hold more than before: buffers, compiled code, a heap that has not been swept. */
const RSS_GROWTH_MAX = 120_000_000;

export interface Baseline {
  /** Resident programs, by device. */
  readonly processes: ReadonlyMap<string, string>;
}

export async function baseline(net: Net): Promise<Baseline> {
  const states = await Promise.all(net.devices().map((name) => net.host(name).state()));
  return { processes: new Map(states.map((state) => [state.name, residentsOf(state)])) };
}

function residentsOf(state: DeviceState): string {
  return state.processes
    .map(({ command }) => command)
    .sort()
    .join(', ');
}

export async function checkEnd(soaking: Soaking, before: Baseline): Promise<void> {
  const { net, shape } = soaking;
  const holds = async (what: string, limit: number, check: () => Promise<string>): Promise<void> => {
    const end = net.now() + limit;
    for (;;) {
      const problem = await check().catch((error: Error) => error.message);
      if (problem === '') return;
      if (net.now() >= end) return soaking.problem(`${what}: ${problem}`);
      await net.wait.time(LOOK);
    }
  };
  await holds('a wire stays dark', BACK, async () => {
    const out = soaking.gap?.wires[0];
    const { rows } = await net.ledger();
    for (const wire of new Set(rows.map((row) => row.wire))) {
      if (wire === out) continue;
      const dark = Object.entries(await net.wire(wire).carrier()).filter(([, carrier]) => !carrier);
      if (dark.length > 0) return dark.map(([end]) => end).join(', ');
    }
    return '';
  });
  for (const client of shape.clients) {
    await holds(`${client} does not get the file`, BACK, async () => {
      const { status, stdout, stderr } = await net.host(client).exec('curl', '-sS', '-m', '20', shape.url);
      return status === 0 && stdout === shape.source ? '' : `status ${status}, ${stdout.length} octets ${stderr}`;
    });
    await holds(`${client} does not get the name`, BACK, async () => {
      const { stdout } = await net.host(client).exec('dig', '+short', shape.name4);
      return stdout.trim() === shape.address ? '' : stdout;
    });
  }
  await holds('sockets are left', REST, async () => {
    const left = await Promise.all(net.devices().map((name) => socketsOf(net, name)));
    return left.filter((text) => text !== '').join('; ');
  });
  const states = async (): Promise<DeviceState[]> => Promise.all(net.devices().map((name) => net.host(name).state()));
  await holds('packets are left', BACK, async () =>
    (await states())
      .filter(({ skbsLive }) => skbsLive > 0)
      .map(({ name, skbsLive }) => `${name} ${skbsLive}`)
      .join(', '),
  );
  await holds('timers are armed', REST, () => armedTimers(net));
  await holds('programs are left, or gone', 10 * SECOND, async () =>
    (await states())
      .filter((state) => residentsOf(state) !== before.processes.get(state.name))
      .map((state) => `${state.name}: ${residentsOf(state)}`)
      .join('; '),
  );
  await holds('the ledger does not balance', BACK, async () => {
    const { rows, balances } = await net.ledger();
    return balances
      ? ''
      : JSON.stringify(rows.filter((row) => row.unaccounted !== 0 || row.underWay !== 0 || row.waiting !== 0));
  });
  if (net.engine !== 'packed') {
    for (const { name, pid } of await states()) {
      const grown = residentBytes(pid) - (await typicalBytes(net));
      if (grown > RSS_GROWTH_MAX)
        soaking.problem(`${name} holds ${Math.round(grown / 1e6)} MB more than the median device`);
    }
  }
}

/** Sockets of TCP that are neither listening nor gone, in ss's words. */
async function socketsOf(net: Net, device: string): Promise<string> {
  const { stdout } = await net.host(device).exec('ss', '-tan');
  const rows = stdout
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '' && !line.startsWith('LISTEN'));
  return rows.length === 0 ? '' : `${device}: ${rows.length}, ${rows[0]?.replace(/\s+/g, ' ')}`;
}

/** Kernel timers that should have run out, of all devices. */
export async function armedTimers(net: Pick<Net, 'devices' | 'host'>): Promise<string> {
  const left = await Promise.all(net.devices().map((name) => timersOf(net, name)));
  return left.filter((text) => text !== '').join('; ');
}

async function timersOf(net: Pick<Net, 'host'>, device: string): Promise<string> {
  const { stdout } = await net.host(device).exec('cat', '/proc/timer_list');
  const armed = [...stdout.matchAll(/^ #\d+: <\w+>, (\w+),/gm)].map(([, name = '']) => name);
  const left = armed.filter((name) => !TIMERS_AT_REST.includes(name));
  return left.length === 0 ? '' : `${device}: ${left.join(', ')}`;
}

/** What this process holds, once all is collected that can be. */
export function collectedMemory(): NodeJS.MemoryUsage {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage();
}

function residentBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1_024;
}

async function typicalBytes(net: Net): Promise<number> {
  const states = await Promise.all(net.devices().map((name) => net.host(name).state()));
  const sizes = states.map(({ pid }) => residentBytes(pid)).sort((one, other) => one - other);
  return sizes[Math.floor(sizes.length / 2)] ?? 0;
}
