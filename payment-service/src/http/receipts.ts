import { receiptSchema } from 'service-kit/contract/notification.ts';
import { badRequestResponse, problemResponse } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { recordReceipt } from '../delivery/apply-receipt.ts';
import type { PaymentObserver } from '../domain/payment.ts';
import type { Store } from '../store/store.ts';
import { storeUnavailableResponse } from './store-unavailable.ts';

/** For the provider services: what a provider reports about an SMS that it has taken. */
export function registerReceipts(server: Server, store: Store, onChange: PaymentObserver): void {
  server.post(
    '/receipts',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['notifications'],
        summary: 'A provider reports that an SMS was delivered, or was not',
        description:
          'A notification only moves forward: a receipt that comes again, or too late to matter, changes nothing.',
        body: receiptSchema,
        response: {
          204: z.undefined(),
          400: badRequestResponse,
          404: problemResponse('There is no such attempt'),
          409: problemResponse('The notification is being handled; report again soon'),
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
