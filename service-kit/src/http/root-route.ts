import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { prefersToJson } from './accept.ts';
import type { Server } from './types.ts';

/** Replies with a page. */
export type Page = (reply: FastifyReply) => FastifyReply;

const pageSchema = z.string().meta({ description: 'A page', example: '<!doctype html>…' });

/** GET / names the service: in JSON, or as the page to a client that prefers HTML. */
export function registerRootRoute(server: Server, message: string, page?: Page): void {
  const greeting = { message, status: 'online' as const };
  server.get(
    '/',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        operationId: 'getServiceName',
        summary: 'Get the name of the service',
        response: {
          200: {
            content: {
              'application/json': {
                schema: z.object({
                  message: z.string().meta({ example: message }),
                  status: z.literal('online'),
                }),
              },
              ...(page && { 'text/html': { schema: pageSchema } }),
            },
          },
        },
      },
    },
    async ({ headers }, reply) => {
      if (!page) return greeting;
      reply.header('vary', 'accept');
      return prefersToJson('text/html', headers.accept) ? page(reply) : greeting;
    },
  );
}
