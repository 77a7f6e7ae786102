/** What serves the page: its own files, and the decoders it shares with everything else. Nothing here needs a token. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

// Right from services/gateway, too: there this file is a part of its bundle.
const WEB = fileURLToPath(new URL('../dashboard/web/', import.meta.url));
const HEADERS = fileURLToPath(new URL('../../shared/header/', import.meta.url));
const DEVICE = fileURLToPath(new URL('../../shared/device/', import.meta.url));

/** Serve the page at `/`; without a build (a run from sources) there is none. */
export async function servePage(app: FastifyInstance): Promise<void> {
  if (!existsSync(`${WEB}main.js`)) return;
  await app.register(fastifyStatic, { root: WEB });
  await app.register(fastifyStatic, { root: HEADERS, prefix: '/shared/header/', decorateReply: false });
  app.get('/shared/device/capture-format.js', { schema: { hide: true } }, (_request, reply) =>
    reply.sendFile('capture-format.js', DEVICE),
  );
}
