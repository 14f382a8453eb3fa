import { z } from 'zod';
import { type Provider, providerSchema } from '../contract/notification.ts';
import { withDeadline } from '../deadline.ts';
import { Problem, problemResponse } from '../http/problem.ts';
import type { Server } from '../http/types.ts';
import type { Gateway } from './gateway.ts';

const modeSchema = z.enum(['sandbox', 'live']);

interface ProviderHealthOptions {
  provider: Provider;
  mode: z.infer<typeof modeSchema>;
  gateway: Gateway;
  gatewayTimeoutMs: number;
  /** The number of POST /notify requests since the start. */
  requests: () => number;
}

export function registerProviderHealth(server: Server, options: ProviderHealthOptions): void {
  const { provider, mode, gateway, gatewayTimeoutMs, requests } = options;
  server.get(
    '/health',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        summary: 'Get the state of the service',
        response: {
          200: z.object({
            status: z.literal('healthy'),
            provider: providerSchema,
            mode: modeSchema,
            requests: z
              .number()
              .int()
              .meta({ description: 'The number of POST /notify requests since the start' }),
          }),
        },
      },
    },
    async () => ({ status: 'healthy' as const, provider, mode, requests: requests() }),
  );

  server.get(
    '/health/upstream',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['health'],
        summary: `Check whether ${provider}'s API is healthy`,
        response: {
          200: z.object({ status: z.literal('healthy') }),
          503: problemResponse('The API is unhealthy, or does not answer'),
        },
      },
    },
    async () => {
      const isHealthy = await withDeadline(gatewayTimeoutMs, gateway.check(), () => false);
      if (!isHealthy) throw new Problem(503, 'upstream-unhealthy', `${provider}'s API is unhealthy.`);
      return { status: 'healthy' as const };
    },
  );
}
