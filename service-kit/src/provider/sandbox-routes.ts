import { z } from 'zod';
import { share } from '../server/configuration.ts';
import { badRequestResponse } from '../server/problem.ts';
import type { Server } from '../server/server.ts';
import type { Sandbox } from './sandbox.ts';

export function registerSandbox(server: Server, sandbox: Sandbox): void {
  server.post(
    '/toggle-failure',
    {
      schema: {
        tags: ['sandbox'],
        summary: 'From now on this share of sends fails',
        querystring: z.strictObject({
          failure_rate: share().meta({ example: '0.5' }),
        }),
        response: {
          200: z.object({ status: z.literal('updated'), failure_rate: z.number() }),
          400: badRequestResponse,
        },
      },
    },
    async ({ query }) => {
      sandbox.failureRate = query.failure_rate;
      return { status: 'updated' as const, failure_rate: query.failure_rate };
    },
  );

  server.get(
    '/sandbox/messages',
    {
      schema: {
        tags: ['sandbox'],
        summary: 'What the sandbox has accepted, in order',
        querystring: z.strictObject({ customer_id: z.string().optional() }),
        response: {
          200: z.object({
            data: z.array(
              z.object({
                message_id: z.string(),
                customer_id: z.string(),
                idempotency_key: z.string().nullable(),
                accepted_at: z.iso.datetime(),
              }),
            ),
          }),
          400: badRequestResponse,
        },
      },
    },
    async ({ query: { customer_id } }) => ({
      data: sandbox.messages.filter((message) => !customer_id || message.customer_id === customer_id),
    }),
  );
}
