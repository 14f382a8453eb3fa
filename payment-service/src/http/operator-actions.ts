import { idempotencyKeySchema, providerSchema } from 'service-kit/contract/notification.ts';
import { jsonResponse } from 'service-kit/http/openapi-responses.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { CancelNotification } from '../delivery/cancel-notification.ts';
import { paymentProblems } from '../delivery/problems.ts';
import type { ResendNotification } from '../delivery/resend-notification.ts';
import { operatorReasonSchema } from '../domain/operator-reason.ts';
import { cancelledPaymentExample, resentPaymentExample } from '../domain/payment-example.ts';
import { paymentViewSchema, viewPayment } from '../domain/payment-view.ts';
import { phoneRequestSchema, type RequestRules } from './payment-request.ts';
import { scopedKey } from './scoped-key.ts';

interface OperatorActions {
  resendNotification: ResendNotification;
  cancelNotification: CancelNotification;
}

const config = { access: ['admin' as const] };
const tags = ['payments'];
const params = z.object({ payment_id: paymentViewSchema.shape.payment_id });

/** What operators do about the notification of one payment. */
export function registerOperatorActions(
  server: Server,
  { resendNotification, cancelNotification }: OperatorActions,
  rules: RequestRules,
): void {
  const reason = operatorReasonSchema(rules.defaultCountry);

  server.post(
    '/payments/:payment_id/notification/resend',
    {
      config,
      schema: {
        tags,
        operationId: 'resendNotification',
        summary: 'Send a notification again',
        description:
          'What failed, is held or was cancelled is tried until it expires. What was sent or delivered is tried once: if no provider accepts it, it stays as it was; otherwise it is a possible duplicate. A recipient that a provider has rejected, and a suppressed phone, need another `phone`.',
        params,
        headers: z.object({
          'idempotency-key': idempotencyKeySchema.optional().meta({
            description:
              'Makes a repetition safe: with the same key nothing is sent again, and the response is the payment as it is. 1 to 255 printable ASCII characters, as of `POST /payments`',
          }),
        }),
        body: z
          .strictObject({
            phone: phoneRequestSchema(rules).optional().meta({
              description:
                "The phone that gets the SMS; without it the payment's, or else the customer's. It is not stored for the customer",
            }),
            provider: providerSchema.optional().meta({
              description:
                'The only provider that is tried, until the notification is sent again; an open circuit is respected',
            }),
            reason,
          })
          .meta({ id: 'ResendRequest' }),
        response: {
          200: jsonResponse(paymentViewSchema, {
            description: 'What has become of the notification',
            example: resentPaymentExample,
            headers: {
              'idempotent-replayed': z.literal('true').optional().meta({
                description: 'Only if the key was known, so that nothing was sent',
              }),
            },
          }),
          ...problemResponses(
            paymentProblems,
            'payment-not-found',
            'action-not-allowed',
            'notification-in-use',
            'idempotency-key-in-use',
            'message-redacted',
            'recipient-rejected',
            'recipient-suppressed',
            'resend-held-back',
            'idempotency-key-reused',
            'payment-unreadable',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ params: { payment_id }, headers, body, credential, log }, reply) => {
      const key = headers['idempotency-key'];
      const idempotencyKey = key === undefined ? undefined : scopedKey(key, credential);
      const doing = { ...body, by: credential?.name ?? null, idempotencyKey };
      const { payment, replayed } = await resendNotification(payment_id, doing, log);
      if (replayed) reply.header('idempotent-replayed', 'true');
      return viewPayment(payment);
    },
  );

  server.post(
    '/payments/:payment_id/notification/cancel',
    {
      config,
      schema: {
        tags,
        operationId: 'cancelNotification',
        summary: 'Cancel a notification that is pending or held',
        description:
          'A call that is on its way to a provider is cancelled at its provider service, unless it has arrived there: then its outcome is awaited, and an SMS that was accepted stays so (409).',
        params,
        body: z.strictObject({ reason }).meta({ id: 'CancelRequest' }),
        response: {
          200: jsonResponse(paymentViewSchema, {
            description: 'The notification is cancelled',
            example: cancelledPaymentExample,
          }),
          ...problemResponses(
            paymentProblems,
            'payment-not-found',
            'action-not-allowed',
            'notification-in-use',
            'payment-unreadable',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ params: { payment_id }, body, credential, log }) =>
      viewPayment(
        await cancelNotification(payment_id, { reason: body.reason, by: credential?.name ?? null }, log),
      ),
  );
}
