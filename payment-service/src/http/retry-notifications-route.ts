import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { type FieldError, problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblems } from '../delivery/problems.ts';
import type { NotificationRetry } from '../delivery/retry-notifications.ts';
import { operatorReasonSchema } from '../domain/operator-reason.ts';
import { clientGone } from './client-gone.ts';
import { filtersTooWide } from './narrow-filters.ts';
import { paymentFilterFields, reversedRange } from './payment-query.ts';
import type { RequestRules } from './payment-request.ts';

const retriedStatuses = ['failed', 'held'] as const;

const querySchema = z
  .strictObject({
    ...paymentFilterFields,
    notification_status: paymentFilterFields.notification_status
      .refine(
        (statuses) =>
          statuses?.every((status) => (retriedStatuses as readonly string[]).includes(status)) ?? true,
        `must be one of ${retriedStatuses.join(', ')}`,
      )
      .meta({
        description: 'By default both',
        items: { type: 'string', enum: retriedStatuses },
      }),
    dry_run: z
      .enum(['true', 'false'], 'must be true or false')
      .default('false')
      .transform((given) => given === 'true')
      .meta({ type: 'boolean', enum: [true, false], description: 'Only counts what matches' }),
  })
  .transform(({ dry_run, ...given }, { issues }) => {
    const filters = { ...given, notification_status: given.notification_status ?? retriedStatuses };
    for (const { path, message } of [...reversedRange(filters), ...filtersTooWide(filters)])
      issues.push({ code: 'custom', path: [path], message, input: given });
    // An unknown field, which is an issue already, was meant as a filter.
    if (issues.length === 0 && Object.values(given).every((value) => value === undefined))
      issues.push({
        code: 'custom',
        path: [],
        message: 'must have a filter, such as `reason`',
        input: given,
      });
    return { dry_run, filters };
  });

const countSchema = z.int('must be a whole number').min(0, 'must not be negative');

const bodySchema = (rules: RequestRules) =>
  z
    .strictObject({
      reason: operatorReasonSchema(rules.defaultCountry).optional(),
      count: countSchema
        .optional()
        .meta({ description: 'The `count` of the dry run: as many are retried, or none', example: 1042 }),
    })
    .nullish()
    .meta({ id: 'RetryRequest', description: 'Required unless it is a dry run' });

const countedSchema = z
  .object({ count: countSchema.meta({ description: 'How many match and would be retried', example: 1042 }) })
  .meta({ id: 'RetryCount' });

const retriedSchema = z
  .object({
    retried: countSchema.meta({ description: 'How many are due now', example: 1040 }),
    skipped: countSchema.meta({ description: 'How many had changed since they were counted', example: 2 }),
  })
  .meta({ id: 'RetryResult' });

/** What an outage has left is retried together. */
export function registerNotificationRetry(
  server: Server,
  retry: NotificationRetry,
  rules: RequestRules,
): void {
  server.post(
    '/notifications/retry',
    {
      config: { access: ['admin'] },
      schema: {
        tags: ['payments'],
        operationId: 'retryNotifications',
        summary: 'Retry the notifications that failed or are held, and match the filters of GET /payments',
        description: [
          'What was rejected, refused, suppressed or redacted is left out. The outbox sends what is retried, at its rate.',
          'Count with `dry_run=true` first: the run needs that `count`, and retries no more. It ends when its client closes the connection; another dry run counts what is left.',
        ].join('\n\n'),
        querystring: querySchema,
        body: bodySchema(rules),
        response: {
          200: jsonResponse(countedSchema, { description: 'The result of a dry run: nothing has changed' }),
          202: jsonResponse(retriedSchema, { description: 'The outbox sends what is retried' }),
          ...problemResponses(
            paymentProblems,
            'invalid-request',
            'count-changed',
            'retry-interrupted',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ query: { dry_run, filters }, body, credential, log }, reply) => {
      const signal = clientGone(reply);
      if (dry_run) return { count: await retry.count(filters, signal) };
      const { reason, count } = body ?? {};
      if (reason === undefined || count === undefined) throw invalidRequest(missing({ reason, count }));
      reply.code(202);
      return retry.run(filters, { reason, count, by: credential?.name ?? null }, log, signal);
    },
  );
}

const missing = (fields: Record<string, unknown>): FieldError[] =>
  Object.entries(fields)
    .filter(([, value]) => value === undefined)
    .map(([path]) => ({ path, message: 'is required unless `dry_run` is true' }));
