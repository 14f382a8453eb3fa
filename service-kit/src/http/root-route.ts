import type { FastifyReply } from 'fastify';
import { z } from 'zod';
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
      return prefersHtml(headers.accept) ? page(reply) : greeting;
    },
  );
}

/** Serves HTML only if `Accept` weighs text/html above JSON (RFC 9110 section 12.5.1). */
function prefersHtml(accept = ''): boolean {
  const weights = new Map(
    accept.split(',').map((range) => {
      const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
      return [type, weight === undefined ? 1 : Number(weight) || 0] as const;
    }),
  );
  const html = weights.get('text/html') ?? 0;
  const named = weights.get('application/json');
  if (named !== undefined) return html > named;
  const json = weights.get('application/*') ?? weights.get('*/*') ?? 0;
  return html > 0 && html >= json;
}
