import { receiptSchema } from 'service-kit/contract/notification.ts';
import { badRequestResponse, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { recordReceipt } from '../delivery/apply-receipt.ts';
import type { PaymentObserver } from '../domain/payment.ts';
import type { Store } from '../store/store.ts';
import { storeUnavailableResponse, unreadablePaymentResponse } from './store-unavailable.ts';

/** For the provider services, which forward the delivery receipts of their providers. */
export function registerReceipts(server: Server, store: Store, onChange: PaymentObserver): void {
  server.post(
    '/receipts',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['notifications'],
        summary: 'Record a delivery receipt: an accepted SMS was delivered, or was not',
        description:
          'Idempotent: a receipt that was applied before, or that arrives after a later status, changes nothing.',
        body: receiptSchema,
        response: {
          204: z.undefined(),
          400: badRequestResponse,
          404: problemResponse('There is no such attempt'),
          409: problemResponse('The notification is being handled; see Retry-After'),
          500: unreadablePaymentResponse,
          503: storeUnavailableResponse,
        },
      },
    },
    async ({ body, log }, reply) => {
      await recordReceipt(store, body, onChange, log);
      return reply.code(204).send();
    },
  );
}
