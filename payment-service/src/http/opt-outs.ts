import { optOutSchema } from 'service-kit/contract/notification.ts';
import { problemResponses } from 'service-kit/http/problem.ts';
import type { Server } from 'service-kit/http/types.ts';
import { z } from 'zod';
import { paymentProblems } from '../delivery/problems.ts';
import { newSuppression } from '../domain/suppression.ts';
import type { Store } from '../store/store.ts';

/** For the provider services, which forward the STOP and START of recipients. */
export function registerOptOuts(server: Server, store: Store): void {
  server.post(
    '/opt-outs',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['suppressions'],
        operationId: 'recordOptOut',
        summary: "Record a recipient's STOP, or lift it by a START",
        description:
          'Idempotent. A START lifts an opt-out, whichever provider reported it, and not what an admin has set.',
        body: optOutSchema,
        response: {
          204: z.undefined(),
          ...problemResponses(paymentProblems, 'store-unavailable'),
        },
      },
    },
    async ({ body: { provider, phone, keyword, message_id }, log }, reply) => {
      if (keyword === 'start') {
        const lifted = await store.liftOptOut(phone);
        log.info({ provider, message_id, lifted }, 'START received');
      } else {
        const stop = newSuppression({
          phone,
          source: 'opt_out',
          reason: 'STOP',
          provider,
          payment_id: null,
        });
        const { suppression, isNew } = await store.putSuppression(stop);
        const { suppression_id } = suppression;
        log.info({ provider, message_id, suppression_id, is_new: isNew }, 'STOP received');
      }
      return reply.code(204).send();
    },
  );
}
