/** The gateway's routes for trouble: faults put in force and healed, and what wires have done to frames. */
import type { FastifyInstance } from 'fastify';
import { EmuError } from '../../shared/device/errors.ts';
import type { ImpairmentChange } from '../../shared/lab/plan-types.ts';
import type { VerdictsSince } from '../../shared/wire/verdict.ts';
import { type FaultRequest, readFault } from './fault-request.ts';
import type { Faults } from './faults.ts';
import type { Lab } from './lab.ts';
import { nameOf, type PortRef } from './names.ts';

const targetSchema = { type: 'string', minLength: 1, maxLength: 256, description: 'A port (alice:eth0) or a wire.' };
const targetBody = { type: 'object', properties: { target: targetSchema }, required: ['target'] } as const;
const impairBody = {
  type: 'object',
  properties: {
    target: targetSchema,
    impairment: { type: 'object', additionalProperties: true },
    clear: { type: 'boolean' },
  },
  required: ['target', 'impairment'],
} as const;

/** Verdicts of one wire end. */
export interface PortVerdicts extends VerdictsSince {
  readonly port: string;
}

export function troubleRoutes(app: FastifyInstance, lab: Lab, faults: Faults): void {
  plugRoutes(app, faults);
  faultRoutes(app, faults);
  app.get<{ Querystring: { target?: string; since?: string } }>(
    '/api/verdicts',
    {
      schema: {
        summary:
          'What wires did to which frames: of a port, a wire, or all. since: PORT=NEXT@LIFE,… of the last answer.',
        querystring: {
          type: 'object',
          properties: { target: targetSchema, since: { type: 'string', maxLength: 65_536 } },
        },
      },
    },
    async (request) => {
      const since = new Map(
        (request.query.since ?? '').split(',').map((part) => part.split('=') as [string, string | undefined]),
      );
      const wanted = portsMeant(lab, request.query.target);
      const answers = await Promise.all(
        wanted.map(async ({ device, port }) => {
          const name = nameOf({ device, port });
          const [, from = '0', life] = /^(\d{1,15})(?:@(\d{1,15}))?$/.exec(since.get(name) ?? '') ?? [];
          const path = `/ports/${port}/verdicts?since=${from}${life === undefined ? '' : `&life=${life}`}`;
          // A device that is down has forgotten what it did.
          const said = await lab
            .link(device)
            .get<Omit<PortVerdicts, 'port'>>(path)
            .catch(() => undefined);
          return said === undefined ? [] : [{ port: name, ...said }];
        }),
      );
      return answers.flat();
    },
  );
}

/** The wire ends that a port, a wire, or nothing (all) means. */
export function portsMeant(lab: Lab, target: string | undefined): readonly PortRef[] {
  return target === undefined ? lab.plan.wires.flatMap(({ a, b }) => [a, b]) : lab.names.ends(target);
}

function plugRoutes(app: FastifyInstance, faults: Faults): void {
  type Target = { Body: { target: string } };
  app.post<Target>('/api/unplug', { schema: { summary: 'Unplug a wire.', body: targetBody } }, async (request) => {
    const { wires, carrier } = await faults.add({ fault: 'unplug', target: request.body.target });
    return { wire: wires[0], plugged: false, carrier };
  });
  app.post<Target>('/api/plug', { schema: { summary: 'Plug a wire in.', body: targetBody } }, async (request) => {
    const { wires, carrier } = await faults.plug(request.body.target);
    return { wire: wires[0], plugged: true, carrier };
  });
  app.post<{ Body: { target: string; impairment: ImpairmentChange; clear?: boolean } }>(
    '/api/impair',
    { schema: { summary: 'A port: what it sends. A wire: both ways. Knobs not named stay.', body: impairBody } },
    async (request) => faults.add(faultOf({ fault: 'impair', ...request.body })),
  );
}

function faultRoutes(app: FastifyInstance, faults: Faults): void {
  app.get('/api/faults', { schema: { summary: 'The faults in force.' } }, async () => faults.list());
  app.post<{ Body: object }>(
    '/api/faults',
    {
      schema: {
        summary: 'Put a fault in force until it is healed.',
        body: { type: 'object', additionalProperties: true },
      },
    },
    async (request) => faults.add(faultOf(request.body)),
  );
  app.delete<{ Params: { fault: number } }>(
    '/api/faults/:fault',
    {
      schema: {
        summary: 'End a fault.',
        params: { type: 'object', properties: { fault: { type: 'integer', minimum: 1 } }, required: ['fault'] },
      },
    },
    async (request) => {
      await faults.remove(request.params.fault);
      return { fault: request.params.fault };
    },
  );
  app.post<{ Body: { target?: string } }>(
    '/api/heal',
    {
      schema: {
        summary: 'End every fault: at a port, a wire or a device, or in the whole lab.',
        body: { type: 'object', properties: { target: targetSchema } },
      },
    },
    async (request) => ({ healed: await faults.heal(request.body.target) }),
  );
}

function faultOf(value: unknown): FaultRequest {
  const fault = readFault(value);
  if (Array.isArray(fault)) throw new EmuError('EMU_BAD_REQUEST', fault.join('; '));
  return fault;
}
