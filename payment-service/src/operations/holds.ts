import { type Provider, providerSchema, providers } from 'service-kit/contract/notification.ts';
import type { Country } from 'service-kit/contract/phone.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { ControlsFollower } from '../delivery/follow-controls.ts';
import type { Notifier } from '../delivery/notifier.ts';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import type { ProviderHolds } from '../delivery/provider-holds.ts';
import { operatorReasonSchema } from '../domain/operator-reason.ts';
import { providerHoldSchema } from '../domain/provider-controls.ts';
import { writeNow } from '../domain/time.ts';
import type { Visibility } from '../domain/visibility.ts';
import { providerReportSchema } from '../providers/circuit-report.ts';
import type { History } from './history.ts';

const providerViewSchema = z
  .object({
    provider: providerSchema,
    hold: providerHoldSchema.nullable().meta({ description: 'In all replicas; null unless it is held' }),
    circuit: providerReportSchema.meta({ description: 'In the replica that responds' }),
  })
  .meta({ id: 'ProviderState' });

const longestHoldMs = 366 * 86_400_000;

const untilSchema = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T12:00:00-05:00 (RFC 3339)' })
  .refine((until) => Date.parse(until) > Date.now(), 'must be in the future')
  .refine((until) => Date.parse(until) <= Date.now() + longestHoldMs, 'must be within a year')
  .transform((until) => new Date(until).toISOString());

const bodySchema = (defaultCountry: Country) =>
  z.strictObject({
    reason: operatorReasonSchema(defaultCountry),
    until: untilSchema.optional().meta({
      description: 'When the hold ends by itself (RFC 3339). Default: not before it is released',
      example: '2026-01-31T18:00:00-05:00',
    }),
  });

const tags = ['circuit'];
const paramsSchema = z.object({ provider: providerSchema });
const path = '/providers/:provider/hold';

interface HoldOptions {
  controls: Pick<ControlsFollower, 'read' | 'hold' | 'release'>;
  holds: Pick<ProviderHolds, 'of'>;
  notifier: Pick<Notifier, 'report'>;
  history: Pick<History, 'record'>;
  visibility: Pick<Visibility, 'watchers'>;
  defaultCountry: Country;
}

/** Taking a provider out of service, in all replicas. Its circuit stays as it is. */
export function registerHolds(server: Server, options: HoldOptions): void {
  const { controls, holds, notifier, history, visibility, defaultCountry } = options;
  const view = (provider: Provider) => ({
    provider,
    hold: holds.of(provider),
    circuit: notifier.report()[provider],
  });

  server.put(
    path,
    {
      config: { access: ['admin'] },
      schema: {
        tags,
        operationId: 'holdProvider',
        summary: 'Hold a provider: no SMS is offered to it until the hold is released or ends',
        description:
          'The other provider sends. While both are held, payments are accepted, and their notifications stay `pending`. Calls that are under way go on. Each replica follows within five seconds.',
        params: paramsSchema,
        body: bodySchema(defaultCountry),
        response: {
          200: jsonResponse(providerViewSchema, {
            description: 'The hold has replaced one that was in force, whose `since` stays',
          }),
          201: jsonResponse(providerViewSchema, { description: 'The provider was not held before' }),
          ...problemResponses(paymentProblems, 'store-unavailable'),
        },
      },
    },
    async ({ params: { provider }, body, credential, log }, reply) => {
      const { reason, until = null } = body;
      const by = credential?.name ?? null;
      const isNew = await controls.hold(provider, { since: writeNow(), until, by, reason });
      history.record('provider_held', { provider, by, reason });
      log.info({ provider, until, by, reason, is_new: isNew }, 'provider held');
      return reply.code(isNew ? 201 : 200).send(view(provider));
    },
  );

  server.delete(
    path,
    {
      config: { access: ['admin'] },
      schema: {
        tags,
        operationId: 'releaseProvider',
        summary: 'Release a provider: SMS are offered to it again',
        params: paramsSchema,
        querystring: z.strictObject({ reason: operatorReasonSchema(defaultCountry).optional() }),
        response: {
          200: providerViewSchema,
          ...problemResponses(paymentProblems, 'hold-not-found', 'store-unavailable'),
        },
      },
    },
    async ({ params: { provider }, query: { reason = null }, credential, log }) => {
      if (!(await controls.release(provider))) throw paymentProblem('hold-not-found');
      const by = credential?.name ?? null;
      history.record('provider_released', { provider, by, reason });
      log.info({ provider, by, reason }, 'provider released');
      return view(provider);
    },
  );

  server.get(
    '/providers',
    {
      config: { access: visibility.watchers },
      schema: {
        tags,
        operationId: 'listProviders',
        summary: 'List the providers, each with its hold and its circuit',
        response: {
          200: z.object({ data: z.array(providerViewSchema) }).meta({ id: 'ProviderStateList' }),
          ...problemResponses(paymentProblems, 'store-unavailable'),
        },
      },
    },
    async () => {
      await controls.read(); // another replica may have changed them
      return { data: providers.map(view) };
    },
  );
}
