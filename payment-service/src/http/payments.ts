import { customerIdSchema } from 'service-kit/contract/notification.ts';
import { invalidRequest } from 'service-kit/http/http-problems.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblem, paymentProblems } from '../delivery/problems.ts';
import { pageLimitSchema } from '../domain/page-limit.ts';
import { notificationStatusSchema } from '../domain/payment.ts';
import { paymentViewSchema, viewPayment } from '../domain/payment-view.ts';
import type { Store } from '../store/store.ts';

const querySchema = z.strictObject({
  limit: pageLimitSchema,
  starting_after: z
    .string()
    .optional()
    .meta({ description: 'The id of the payment after which the page starts' }),
  customer_id: customerIdSchema.optional(),
  notification_status: notificationStatusSchema.optional(),
});

/** The routes that read payments. */
export function registerPayments(server: Server, store: Store): void {
  server.get(
    '/payments/:payment_id',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['payments'],
        operationId: 'getPayment',
        summary: 'Get a payment, with the attempts to notify its customer in order',
        params: z.object({ payment_id: paymentViewSchema.shape.payment_id }),
        response: {
          200: paymentViewSchema,
          ...problemResponses(
            paymentProblems,
            'payment-not-found',
            'payment-unreadable',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ params }) => {
      const payment = await store.find(params.payment_id);
      if (!payment) throw paymentProblem('payment-not-found');
      return viewPayment(payment);
    },
  );

  server.get(
    '/payments',
    {
      config: { access: ['client', 'admin'] },
      schema: {
        tags: ['payments'],
        operationId: 'listPayments',
        summary: 'List payments, newest first',
        querystring: querySchema,
        response: {
          200: z
            .object({ data: z.array(paymentViewSchema), has_more: z.boolean() })
            .meta({ id: 'PaymentList' }),
          ...problemResponses(paymentProblems, 'store-unavailable'),
        },
      },
    },
    async ({ query: { limit, starting_after, customer_id, notification_status } }) => {
      const page = await store.list({ limit, starting_after, customer_id, notification_status });
      if (!page) {
        throw invalidRequest([{ path: 'starting_after', message: 'must be the id of a payment' }]);
      }
      return { data: page.payments.map(viewPayment), has_more: page.has_more };
    },
  );
}
