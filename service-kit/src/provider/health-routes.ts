import { z } from 'zod';
import { accountReportSchema, type UpstreamHealth } from '../contract/account.ts';
import { type Mode, modeSchema } from '../contract/mode.ts';
import { type Provider, providerSchema, reasonSchema } from '../contract/notification.ts';
import { versionSchema } from '../http/health.ts';
import { problemResponses } from '../http/problem.ts';
import type { Server } from '../http/types.ts';
import type { Account } from './account.ts';
import { providerProblem, providerProblems } from './provider-problems.ts';

interface ProviderHealthOptions {
  provider: Provider;
  version: string;
  mode: Mode;
  /** Undefined for a sandbox. */
  account: Account | undefined;
  /** Asks the provider. It never rejects. */
  upstreamHealth: () => Promise<UpstreamHealth>;
  /** The number of POST /notify requests since the start. */
  requests: () => number;
}

export function registerProviderHealth(server: Server, options: ProviderHealthOptions): void {
  const { provider, version, mode, account, upstreamHealth, requests } = options;
  server.get(
    '/health',
    {
      config: { access: 'anyone' },
      schema: {
        tags: ['health'],
        operationId: 'getHealth',
        summary: 'Get the state of the service',
        response: {
          200: z.object({
            status: z.literal('healthy'),
            version: versionSchema,
            provider: providerSchema,
            mode: modeSchema,
            account: accountReportSchema
              .nullable()
              .meta({ description: 'What is known of the account at the provider; null for a sandbox' }),
            requests: z
              .number()
              .int()
              .meta({ description: 'The number of POST /notify requests since the start' }),
          }),
        },
      },
    },
    async () => ({
      status: 'healthy' as const,
      version,
      provider,
      mode,
      account: account?.report() ?? null,
      requests: requests(),
    }),
  );

  server.get(
    '/health/upstream',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['health'],
        operationId: 'checkUpstream',
        summary: `Check whether ${provider}'s API is healthy`,
        response: {
          200: z.object({
            status: z.enum(['healthy', 'unknown']).meta({
              description: '`unknown`: it answers, and only a send can tell whether it accepts one',
            }),
            reason: reasonSchema.optional(),
          }),
          ...problemResponses(providerProblems, 'upstream-unhealthy'),
        },
      },
    },
    async () => {
      const { status, reason, account_refused } = await upstreamHealth();
      if (status !== 'unhealthy' && !account_refused) return { status, ...(reason !== null && { reason }) };
      throw providerProblem('upstream-unhealthy', {
        detail: account_refused ? `${provider} refuses the account.` : `${provider}'s API is unhealthy.`,
        reason,
        account_refused,
        only_a_send_can_tell: status === 'unknown',
      });
    },
  );
}
