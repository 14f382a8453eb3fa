import { receiptSchema } from 'service-kit/contract/notification.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import type { RecordReceipt } from '../delivery/apply-receipt.ts';
import { paymentProblems } from '../delivery/problems.ts';

/** For the provider services, which forward the delivery receipts of their providers. */
export function registerReceipts(server: Server, recordReceipt: RecordReceipt): void {
  server.post(
    '/receipts',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['notifications'],
        operationId: 'recordReceipt',
        summary: 'Record a delivery receipt: what became of an accepted SMS',
        description:
          'Idempotent: a receipt that was recorded before changes nothing. `delivered` counts, in whatever order receipts arrive.',
        body: receiptSchema,
        response: {
          204: z.undefined(),
          ...problemResponses(
            paymentProblems,
            'receipt-of-the-future',
            'attempt-not-found',
            'notification-in-use',
            'payment-unreadable',
            'store-unavailable',
          ),
        },
      },
    },
    async ({ body, log }, reply) => {
      await recordReceipt(body, log);
      return reply.code(204).send();
    },
  );
}
