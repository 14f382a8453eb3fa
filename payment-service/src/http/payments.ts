import { customerIdSchema, idempotencyKeySchema } from 'service-kit/contract/notification.ts';
import type { Credential } from 'service-kit/http/credentials.ts';
import { badRequestResponse, Problem, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { PaymentCreation } from '../delivery/create-payment.ts';
import type { RetryNotification } from '../delivery/retry-notification.ts';
import { notificationStatusSchema } from '../domain/payment.ts';
import { paymentViewSchema, viewPayment } from '../domain/payment-view.ts';
import type { Store } from '../store/store.ts';
import { paymentRequestSchema, phoneRequestSchema, type RequestRules } from './payment-request.ts';
import { storeUnavailableResponse } from './store-unavailable.ts';

const querySchema = z.strictObject({
  limit: z
    .string()
    .regex(/^([1-9]\d?|100)$/, 'must be a whole number from 1 to 100')
    .transform(Number)
    .default(10)
    .meta({ type: 'integer', minimum: 1, maximum: 100 }),
  starting_after: z
    .string()
    .optional()
    .meta({ description: 'The id of the payment after which the page starts' }),
  customer_id: customerIdSchema.optional(),
  notification_status: notificationStatusSchema.optional(),
});

export interface PaymentRoutes {
  creation: PaymentCreation;
  retryNotification: RetryNotification;
  store: Store;
  rules: RequestRules;
}

export function registerPayments(
  server: Server,
  { creation, retryNotification, store, rules }: PaymentRoutes,
): void {
  server.post(
    '/payments',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['payments'],
        summary: 'Record a payment and notify its customer',
        description:
          'Answers 201 as soon as the payment is kept and the providers were tried, whatever came of that: a provider in trouble is no failure of the payment.',
        headers: z.object({
          'idempotency-key': idempotencyKeySchema.optional().meta({
            description:
              'Makes a repeated request harmless: it is answered with the first answer again, for as long as that is kept',
          }),
          prefer: z.string().optional().meta({
            description:
              '`respond-async`: answer 202 as soon as the payment is durable, and notify the customer afterwards',
          }),
        }),
        body: paymentRequestSchema(rules),
        response: {
          201: paymentViewSchema,
          202: paymentViewSchema,
          400: badRequestResponse,
          409: problemResponse('The first request with this Idempotency-Key is still being handled'),
          422: problemResponse('This Idempotency-Key came with another payment before'),
          503: storeUnavailableResponse,
        },
      },
    },
    async ({ body, headers, credential, log }, reply) => {
      const create = prefersAsync(headers.prefer) ? creation.createDurable : creation.createNotified;
      const key = ownKey(headers['idempotency-key'], credential);
      const { payment_id, answer, replayed } = await create(body, key, log);
      reply.header('location', `/payments/${payment_id}`);
      if (answer.status === 202) reply.header('preference-applied', 'respond-async');
      if (replayed) reply.header('idempotent-replayed', 'true');
      // The body is text already: a replay is the first answer to the byte.
      reply.code(answer.status as 201).type('application/json; charset=utf-8');
      return reply.serializer((text: unknown) => text as string).send(answer.body as never);
    },
  );

  server.post(
    '/payments/:payment_id/notification/retry',
    {
      config: { access: ['admin'] },
      schema: {
        tags: ['payments'],
        summary: 'Notify the customer of a payment after all, where that has failed or is held',
        description:
          'A recipient that a provider has rejected is not tried again, unless there is a new `phone`.',
        params: z.object({ payment_id: z.string() }),
        body: z.strictObject({ phone: phoneRequestSchema(rules).optional() }).nullish(),
        response: {
          200: paymentViewSchema,
          400: badRequestResponse,
          404: problemResponse('There is no such payment'),
          409: problemResponse('There is nothing to retry, or the recipient was rejected'),
          503: storeUnavailableResponse,
        },
      },
    },
    async ({ params, body, log }) =>
      viewPayment(await retryNotification(params.payment_id, body?.phone, log)),
  );

  server.get(
    '/payments/:payment_id',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['payments'],
        summary: 'A payment, with the attempts to notify its customer in order',
        params: z.object({ payment_id: z.string() }),
        response: {
          200: paymentViewSchema,
          404: problemResponse('There is no such payment'),
          503: storeUnavailableResponse,
        },
      },
    },
    async ({ params }) => {
      const payment = await store.find(params.payment_id);
      if (!payment) throw new Problem(404, 'payment-not-found', 'There is no payment with this id.');
      return viewPayment(payment);
    },
  );

  server.get(
    '/payments',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['payments'],
        summary: 'Payments, newest first',
        querystring: querySchema,
        response: {
          200: z.object({ data: z.array(paymentViewSchema), has_more: z.boolean() }),
          400: badRequestResponse,
          503: storeUnavailableResponse,
        },
      },
    },
    async ({ query: { limit, starting_after, customer_id, notification_status } }) => {
      const page = await store.list({ limit, starting_after, customer_id, notification_status });
      if (!page) {
        throw new Problem(400, 'invalid-request', 'The query of the request is not valid.', {
          errors: [{ path: 'starting_after', message: 'is not the id of a payment' }],
        });
      }
      return { data: page.payments.map(viewPayment), has_more: page.has_more };
    },
  );
}

/** Two clients that think of the same key mean two payments. */
const ownKey = (key: string | undefined, client: Credential | undefined) =>
  key !== undefined && client ? `${client.name}:${key}` : key;

/** RFC 7240: a list of preferences, each perhaps with parameters. */
const prefersAsync = (prefer = '') =>
  prefer.split(',').some((preference) => /^\s*respond-async\s*(;|$)/i.test(preference));
