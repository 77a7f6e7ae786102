/**
 * The commands that make trouble. A fault stays in force until it is healed; with --hold or --for the command stays in
 * the foreground and holds it on a lease: when it ends, however, so does the fault.
 */
import { once } from 'node:events';
import type { RawData } from 'ws';
import type { EmuError, EmuErrorBody } from '../../shared/device/errors.ts';
import { closest } from '../../shared/lab/closest.ts';
import { delayHint } from '../../shared/lab/knob-hint.ts';
import { parseDelay } from '../../shared/lab/units.ts';
import { impairmentWords, verdictText } from '../../shared/wire/verdict.ts';
import type { FaultRequest } from '../gateway/fault-request.ts';
import type { FaultAnswer, FaultView } from '../gateway/faults.ts';
import type { LabView } from '../gateway/lab.ts';
import type { PortVerdicts } from '../gateway/trouble-routes.ts';
import { fromGateway, type GatewayClient } from './client.ts';
import { CommandError, EXIT } from './exit.ts';
import { TEXT } from './text.ts';

const MICROS_PER_MS = 1_000;
/** How often verdicts are asked for while they are followed, real time. */
const FOLLOW_MS = 200;

export interface HoldOptions {
  readonly hold?: boolean;
  readonly for?: string;
}

/** Put a fault in force, for good or for as long as this command runs; `say` prints a line. */
export async function makeTrouble(
  client: GatewayClient,
  request: FaultRequest,
  hold: HoldOptions,
  say: (line: string) => void,
): Promise<void> {
  const time = hold.for === undefined ? undefined : parseDelay(hold.for);
  if (hold.for !== undefined && time === undefined) {
    throw new CommandError(
      TEXT.badValue('--for', 'a time such as 500ms or 30s', hold.for, delayHint(hold.for)),
      EXIT.BAD_USE,
    );
  }
  if (hold.hold !== true && time === undefined) {
    return say(TEXT.fault(await client.post<FaultAnswer>('/api/faults', request)));
  }
  const milliseconds = time === undefined ? undefined : time / MICROS_PER_MS;
  if (client.lab.engine === 'docker' && (request.fault === 'kill' || request.fault === 'freeze')) {
    const { holdContainer } = await import('./containers.ts');
    return await holdContainer(client, request.fault, request.target, milliseconds, say);
  }
  await holdFault(client, request, milliseconds, say);
}

async function holdFault(
  client: GatewayClient,
  request: FaultRequest,
  milliseconds: number | undefined,
  say: (line: string) => void,
): Promise<void> {
  const socket = client.socket('/api/session');
  let failure: CommandError | EmuError | undefined;
  let interrupted = false;
  let ended = false;
  const end = (): void => {
    ended = true;
    socket.close();
  };
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure ??= client.unreachable(error.code ?? error.message);
  });
  socket.on('open', () => socket.send(JSON.stringify({ id: 1, ...request })));
  socket.on('message', (data: RawData) => {
    const { done, error } = JSON.parse(String(data)) as { done?: FaultAnswer; error?: EmuErrorBody };
    if (done === undefined) {
      failure = fromGateway(error);
      return end();
    }
    say(TEXT.fault(done));
    say(TEXT.holding(milliseconds));
    if (milliseconds !== undefined) setTimeout(end, milliseconds).unref();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted = true;
      end();
    });
  }
  await once(socket, 'close');
  if (failure !== undefined) throw failure;
  if (!ended) throw new CommandError(TEXT.holderLost);
  say(TEXT.letGo);
  if (interrupted && milliseconds !== undefined) throw new CommandError('', EXIT.INTERRUPTED);
}

export async function heal(client: GatewayClient, target: string | undefined): Promise<string> {
  // First they come back.
  const woken =
    client.lab.engine === 'docker' ? await (await import('./containers.ts')).healContainers(client, target) : [];
  const answer = await client.post<{ healed: string[] }>('/api/heal', target === undefined ? {} : { target });
  const healed = [...woken, ...answer.healed];
  return healed.length === 0 ? TEXT.nothingToHeal : healed.map(TEXT.healed).join('\n');
}

/** What a port does to the frames it sends, or both ends of a wire: by the lab file and all faults in force. */
export async function showImpairment(client: Pick<GatewayClient, 'get'>, target: string): Promise<string> {
  const { devices, wires } = await client.get<LabView>('/api/state');
  const wanted = target.replace(/\s+/g, '');
  const swapped = wanted.split('--').reverse().join('--');
  const wire = wires.find(({ name }) => name === wanted || name === swapped);
  const ports = wires.flatMap(({ a, b }) => [a, b]);
  const ends = wire === undefined ? ports.filter((port) => port === wanted) : [wire.a, wire.b];
  if (ends.length === 0) {
    const names = [...ports, ...wires.map(({ name }) => name)];
    throw new CommandError(TEXT.noTarget(target, closest(wanted, names)), EXIT.BAD_USE);
  }
  const lines = ends.map((end) => {
    const [device, port] = end.split(':');
    const { detail } = devices.find(({ name }) => name === device) ?? {};
    if (detail == null) return TEXT.deviceDown(end);
    const egress = detail.ports.find(({ name }) => name === port)?.egress ?? {};
    return TEXT.impaired(end, impairmentWords(egress).join(' '));
  });
  return lines.join('\n');
}

export async function listFaults(client: GatewayClient, json: boolean): Promise<string> {
  const known = await client.get<FaultView[]>('/api/faults');
  const own = client.lab.engine === 'docker' ? await (await import('./containers.ts')).containerFaults(client) : [];
  const faults = [...known, ...own];
  if (json) return JSON.stringify(faults, null, 2);
  return faults.length === 0 ? TEXT.noFaults : faults.map(TEXT.faultRow).join('\n');
}

/** What wires did to frames; with `follow` until Ctrl-C. */
export async function showVerdicts(
  client: GatewayClient,
  target: string | undefined,
  options: { readonly json: boolean; readonly follow: boolean },
  say: (line: string) => void,
): Promise<void> {
  let going = options.follow;
  process.once('SIGINT', () => {
    going = false;
  });
  const seen = new Map<string, Pick<PortVerdicts, 'next' | 'life'>>();
  do {
    const since = [...seen]
      .flatMap(([port, { next, life }]) => (next === 0 ? [] : [`${port}=${next}@${life}`]))
      .join(',');
    const query = new URLSearchParams({ ...(target === undefined ? {} : { target }), since });
    const ports = await client.get<PortVerdicts[]>(`/api/verdicts?${query}`);
    for (const { port, next, life, missed } of ports) {
      const before = seen.get(port);
      seen.set(port, { next, life });
      if (before !== undefined && before.life !== life)
        say(options.json ? JSON.stringify({ port, life }) : TEXT.verdictsAnew(port));
      if (missed > 0) say(options.json ? JSON.stringify({ port, missed }) : TEXT.verdictsMissed(port, missed));
    }
    const all = ports.flatMap(({ port, verdicts }) => verdicts.map((verdict) => ({ port, ...verdict })));
    for (const row of all.sort((one, other) => one.time - other.time)) {
      say(options.json ? JSON.stringify(row) : TEXT.verdict(row.time, row.port, row.frame, verdictText(row)));
    }
    if (going) await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  } while (going);
}
