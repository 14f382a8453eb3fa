import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblems } from '../delivery/problems.ts';
import type { RetryNotification } from '../delivery/retry-notification.ts';
import { paymentViewSchema, viewPayment } from '../domain/payment-view.ts';
import { phoneRequestSchema, type RequestRules } from './payment-request.ts';

export function registerNotificationRetry(
  server: Server,
  retryNotification: RetryNotification,
  rules: RequestRules,
): void {
  server.post(
    '/payments/:payment_id/notification/retry',
    {
      config: { access: ['admin'] },
      schema: {
        tags: ['payments'],
        operationId: 'retryNotification',
        summary: 'Retry a notification that has failed, is held, or waits for a bound',
        description: 'A recipient that a provider has rejected is retried only with another `phone`.',
        params: z.object({ payment_id: paymentViewSchema.shape.payment_id }),
        body: z.strictObject({ phone: phoneRequestSchema(rules).optional() }).nullish(),
        response: {
          200: paymentViewSchema,
          ...problemResponses(
            paymentProblems,
            'payment-not-found',
            'nothing-to-retry',
            'message-redacted',
            'recipient-rejected',
            'recipient-suppressed',
            'payment-unreadable',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ params, body, log }) =>
      viewPayment(await retryNotification(params.payment_id, body?.phone, log)),
  );
}
