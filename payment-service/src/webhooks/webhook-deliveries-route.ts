import type { Country } from 'service-kit/contract/phone.ts';
import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { eventTypeSchema } from '../domain/events.ts';
import { operatorReasonSchema, reasonBodySchema } from '../domain/operator-reason.ts';
import { pageLimitSchema } from '../domain/page-limit.ts';
import type { EventStore, WebhookDelivery } from '../store/events.ts';
import type { Webhooks } from './worker.ts';

const time = z.iso.datetime();

const deliverySchema = z
  .object({
    event_id: z.string().meta({ example: 'evt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d' }),
    type: eventTypeSchema,
    payment_id: z.string().meta({ example: 'pmt_0199c1d2e3f47a5b8c9d0e1f2a3b4c5d' }),
    status: z.enum(['pending', 'delivered', 'dead']).meta({
      description: '`dead`: all tries have failed, and none follows unless it is replayed',
    }),
    tries: z.number().int().meta({ description: 'Tries that have ended' }),
    reason: z.string().nullable().meta({
      description: 'Why the last try failed; null if none has, or it was delivered',
      example: 'http_500',
    }),
    tried_at: time.nullable().meta({ description: 'When the last try ended' }),
    next_try_at: time.nullable().meta({
      description:
        'Not before this time, if it is pending. Events of one payment are delivered in their order',
    }),
    created_at: time.meta({ description: 'When the event was recorded' }),
  })
  .meta({ id: 'WebhookDelivery' }) satisfies z.ZodType<WebhookDelivery>;

const querySchema = z.strictObject({
  status: deliverySchema.shape.status.optional(),
  limit: pageLimitSchema,
  starting_after: z
    .string()
    .optional()
    .meta({ description: 'The id of the event after which the page starts' }),
});

const sinceSchema = z.iso
  .datetime({ offset: true })
  .refine((since) => Date.parse(since) <= Date.now(), 'must not be in the future')
  .meta({
    description: 'Events that were recorded at this time or later (RFC 3339)',
    example: '2026-01-31T12:00:00-05:00',
  });

const replayedAtATime = 1000;

const failures = problemResponses(paymentProblems, 'webhooks-off', 'store-unavailable');
const tags = ['webhooks'];
const config = { access: ['admin' as const] };

type DeliveryStore = Pick<EventStore, 'listWebhooks' | 'replayWebhook' | 'replayDeadWebhooks'>;

/** @param webhooks undefined without an endpoint: each route is a 409 then */
export function registerWebhookDeliveries(
  server: Server,
  store: DeliveryStore,
  webhooks: Pick<Webhooks, 'resume'> | undefined,
  defaultCountry: Country,
): void {
  server.get(
    '/webhook-deliveries',
    {
      config,
      schema: {
        tags,
        operationId: 'listWebhookDeliveries',
        summary: 'List the deliveries of events to the webhook endpoint, newest first',
        querystring: querySchema,
        response: {
          200: z
            .object({ data: z.array(deliverySchema), has_more: z.boolean() })
            .meta({ id: 'WebhookDeliveryList' }),
          ...failures,
        },
      },
    },
    async ({ query: { status, limit, starting_after } }) => {
      if (!webhooks) throw paymentProblem('webhooks-off');
      const page = await store.listWebhooks({ status, limit, starting_after });
      if (!page) throw invalidRequest([{ path: 'starting_after', message: 'must be the id of an event' }]);
      return { data: page.deliveries, has_more: page.has_more };
    },
  );

  server.post(
    '/webhook-deliveries/:event_id/replay',
    {
      config,
      schema: {
        tags,
        operationId: 'replayWebhookDelivery',
        summary: 'Deliver an event again, whatever became of it, from its first try on',
        params: z.object({ event_id: deliverySchema.shape.event_id }),
        body: reasonBodySchema(defaultCountry),
        response: {
          202: deliverySchema,
          ...problemResponses(
            paymentProblems,
            'webhook-delivery-not-found',
            'webhooks-off',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ params: { event_id }, body, credential, log }, reply) => {
      if (!webhooks) throw paymentProblem('webhooks-off');
      const delivery = await store.replayWebhook(event_id);
      if (!delivery) throw paymentProblem('webhook-delivery-not-found');
      const [by, reason] = [credential?.name ?? null, body?.reason ?? null];
      log.info({ event_id, by, reason }, 'webhook delivery replayed');
      webhooks.resume();
      return reply.code(202).send(delivery);
    },
  );

  server.post(
    '/webhook-deliveries/replay',
    {
      config,
      schema: {
        tags,
        operationId: 'replayDeadWebhookDeliveries',
        summary: 'Deliver the events again whose tries have all failed',
        body: z.strictObject({
          since: sinceSchema,
          reason: operatorReasonSchema(defaultCountry).optional(),
        }),
        response: {
          202: z.object({ replayed: z.number().int() }),
          ...failures,
        },
      },
    },
    async ({ body: { since, reason = null }, credential, log }, reply) => {
      if (!webhooks) throw paymentProblem('webhooks-off');
      const replayed = await replayDead(Date.parse(since));
      log.info({ since, replayed, by: credential?.name ?? null, reason }, 'dead webhook deliveries replayed');
      webhooks.resume();
      return reply.code(202).send({ replayed });
    },
  );

  /** In several commits, so that none delays those of payments. */
  async function replayDead(since: number): Promise<number> {
    let replayed = 0;
    for (;;) {
      const count = await store.replayDeadWebhooks(since, replayedAtATime);
      replayed += count;
      if (count < replayedAtATime) return replayed;
    }
  }
}
