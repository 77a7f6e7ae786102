/**
 * A process's wires, from its slice of the plan: the listening ends behind the control server's upgrades, the dialling
 * ones on their way for as long as the process lives.
 */
import type { DevicePlan, Impairment, PortPlan } from '../lab/plan-types.ts';
import type { Clock, Platform, Random } from '../platform.ts';
import { type ImpairedWire, impaired } from '../wire/impair.ts';
import { WebSocketWire } from '../wire/websocket.ts';
import { WireServer } from '../wire/wire-server.ts';
import type { Cables } from './cables.ts';
import type { Logger } from './log.ts';

export interface PlugOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly platform: Platform;
  readonly token: string;
  readonly log: Logger;
  /** Carrier came or went at a port. */
  readonly onCarrier: (port: string, up: boolean) => void;
}

export function plugWires(plan: DevicePlan, options: PlugOptions): Cables {
  const server = new WireServer();
  const wires = new Map<string, ImpairedWire>();
  const inner = new Map<string, WebSocketWire>();
  for (const port of plan.ports) {
    if (port.wire === null) continue;
    const wire = plugWire(plan, port, port.wire, options);
    if (port.wire.listens) server.add(wire);
    inner.set(port.name, wire);
    const { clock, platform } = options;
    wires.set(port.name, impaired(wire, { clock, platform, seed: plan.seed, impairment: port.wire.egress }));
  }
  return {
    wires,
    impair: (port, impairment: Impairment) => wires.get(port)?.set(impairment),
    impairmentOf: (port) => wires.get(port)?.impairment ?? {},
    countsOf: (port) => wires.get(port)?.verdicts,
    verdictsOf: (port) => wires.get(port)?.log,
    upgrade: (request, socket, head) => server.handleUpgrade(request, socket, head),
    get garbage() {
      return server.refused + [...inner.values()].reduce((sum, wire) => sum + wire.counters.malformedMessages, 0);
    },
    refusedAt: (port) => inner.get(port)?.refused ?? new Map(),
    close: () => {
      server.close();
      for (const wire of wires.values()) wire.close();
    },
  };
}

function plugWire(
  plan: DevicePlan,
  port: PortPlan,
  wire: NonNullable<PortPlan['wire']>,
  options: PlugOptions,
): WebSocketWire {
  const { clock, token, log } = options;
  return new WebSocketWire({
    lab: plan.lab,
    name: wire.name,
    end: `${plan.name}:${port.name}`,
    peer: wire.peer,
    token,
    clock,
    random: options.random.fork(`redial/${wire.name}`),
    note: (text) => log.warn({ wire: wire.name }, text),
    onCarrier: (up) => options.onCarrier(port.name, up),
    ...(wire.listens ? {} : { url: wire.url ?? undefined }),
  });
}
