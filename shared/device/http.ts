/**
 * The HTTP servers of devices and gateway, as Fastify instances that start fast: a lab of fifty devices starts fifty of
 * them at once, and Fastify's validator compiler alone would cost each a quarter of its start.
 *
 * - Bodies and parameters are checked against the routes' JSON Schemas by schemaProblem, which knows the few keywords
 *   that are used here; answers are plain JSON.
 * - The OpenAPI description is made when somebody asks for it, from a second instance with the same routes.
 */
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import { bodyOf, EMU_ERRORS, EmuError } from './errors.ts';
import { type GarbageCounter, REQUEST_LIMITS } from './sockets.ts';

export interface AppOptions {
  readonly title: string;
  readonly bodyBytesMax: number;
  readonly garbage: GarbageCounter;
  /** Adds hooks: who is let in. */
  readonly guard: (app: FastifyInstance) => void;
  /** Adds the routes; called once for the server, and once more for its description. */
  readonly routes: (app: FastifyInstance) => void;
}

/** The part of JSON Schema that the routes use. */
export interface Schema {
  readonly type?: 'object' | 'string' | 'boolean';
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly description?: string;
  readonly additionalProperties?: boolean;
}

export function makeApp(options: AppOptions): FastifyInstance {
  const app = bare(options);
  app.setErrorHandler((error, _request, reply) => {
    const body = bodyOf(error);
    if (body.code === 'EMU_BAD_REQUEST') options.garbage.count('http');
    return reply.status(EMU_ERRORS[body.code]).send({ error: body });
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new EmuError('EMU_NO_SUCH_PATH', `nothing at ${request.method} ${request.url.replace(/\?.*/, '')}`);
    return reply.status(error.statusCode).send({ error: bodyOf(error) });
  });
  options.guard(app);
  options.routes(app);
  return app;
}

function bare(options: AppOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: options.bodyBytesMax,
    forceCloseConnections: true,
    requestTimeout: REQUEST_LIMITS.requestTimeout,
    http: REQUEST_LIMITS,
    // A path that is none, found before any route is.
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      options.garbage.count('http');
      void reply
        .status(EMU_ERRORS.EMU_BAD_REQUEST)
        .header('connection', 'close')
        .send({ error: bodyOf(error) });
    },
  });
  app.setValidatorCompiler(({ schema }) => (value: unknown) => {
    const problem = schemaProblem(schema as Schema, value, '');
    return problem === undefined ? true : { error: new EmuError('EMU_BAD_REQUEST', problem) };
  });
  app.setSerializerCompiler(() => (value: unknown) => JSON.stringify(value));
  return app;
}

/** The routes as an OpenAPI document. */
export async function describeApp(options: AppOptions): Promise<object> {
  const { default: swagger } = await import('@fastify/swagger');
  const app = bare(options);
  await app.register(swagger, { openapi: { info: { title: options.title, version: '1' } } });
  options.routes(app);
  await app.ready();
  const description = app.swagger();
  await app.close();
  return description;
}

/** What is wrong with `value`, in words; undefined when it is as the schema says. */
export function schemaProblem(schema: Schema, value: unknown, path: string): string | undefined {
  const name = path === '' ? 'the body' : path;
  if (schema.type === 'string') {
    if (typeof value !== 'string') return `${name}: expected text`;
    if (value.length < (schema.minLength ?? 0)) return `${name}: too short`;
    return value.length > (schema.maxLength ?? Number.POSITIVE_INFINITY) ? `${name}: too long` : undefined;
  }
  if (schema.type === 'boolean') return typeof value === 'boolean' ? undefined : `${name}: expected true or false`;
  if (schema.type !== 'object') return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `${name}: expected an object`;
  const fields = value as Record<string, unknown>;
  for (const key of schema.required ?? []) if (!Object.hasOwn(fields, key)) return `${name}: ${key} is missing`;
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    const problem = Object.hasOwn(fields, key) ? schemaProblem(inner, fields[key], key) : undefined;
    if (problem !== undefined) return problem;
  }
  return undefined;
}
