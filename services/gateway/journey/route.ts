/** `POST /api/journey {device, url}`: the story as JSON, or as text for who accepts text/plain. */
import type { FastifyInstance } from 'fastify';
import type { FanIn } from '../fan-in.ts';
import type { Lab } from '../lab.ts';
import { journeyDevice, record } from './record.ts';
import { renderStory } from './render.ts';
import { tell } from './story.ts';

const body = {
  type: 'object',
  properties: {
    device: { type: 'string', minLength: 1, maxLength: 64 },
    url: { type: 'string', minLength: 1, maxLength: 2_048 },
  },
  required: ['device', 'url'],
} as const;

export function journeyRoute(app: FastifyInstance, parts: { lab: Lab; captures: FanIn; traces: FanIn }): void {
  // Starts where no earlier gateway of this lab ended, so that old frames under way are nobody's.
  let cause = Date.now() % 0x4000_0000;
  const nextCause = (): number => ++cause;
  app.post<{ Body: { device: string; url: string } }>(
    '/api/journey',
    { schema: { summary: 'Fetch a page and tell the story.', body } },
    async (request, reply) => {
      const device = journeyDevice(parts.lab, request.body.device);
      const story = tell(await record({ ...parts, nextCause }, device, request.body.url));
      if (!(request.headers.accept ?? '').includes('text/plain')) return story;
      reply.type('text/plain; charset=utf-8').header('x-exit-status', story.exitStatus);
      return renderStory(story);
    },
  );
}
