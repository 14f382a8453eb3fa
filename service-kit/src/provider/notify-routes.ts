import { z } from 'zod';
import type { Mode } from '../contract/mode.ts';
import {
  idempotencyKeySchema,
  notifyReplySchema,
  notifyRequestSchema,
  type Provider,
} from '../contract/notification.ts';
import { withDeadline } from '../deadline.ts';
import { badRequestResponse, Problem, problemResponse } from '../http/problem.ts';
import type { Server } from '../http/types.ts';
import type { Gateway } from './gateway.ts';
import type { IdempotencyStore } from './idempotency/store.ts';
import { gatewayTimeout, replyTo } from './outcome-reply.ts';

interface NotifyRoutesOptions {
  provider: Provider;
  mode: Mode;
  store: IdempotencyStore;
  gateway: Gateway;
  gatewayTimeoutMs: number;
  /** Called for each POST /notify that is valid. */
  onRequest: () => void;
}

const notSentResponses = {
  400: badRequestResponse,
  422: problemResponse('`rejected`: the provider does not send to this recipient'),
  429: problemResponse('`not_sent`: the provider is throttling; see Retry-After'),
  502: problemResponse('`unknown`: the SMS may have been sent'),
  503: problemResponse('`not_sent`: the SMS was not sent'),
  504: problemResponse('`unknown`: the provider did not answer in time'),
};

export function registerNotifyRoutes(server: Server, options: NotifyRoutesOptions): void {
  const { provider, mode, store, gateway, gatewayTimeoutMs, onRequest } = options;
  server.post(
    '/notify',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['notifications'],
        operationId: 'sendNotification',
        summary: `Send one SMS through ${provider}`,
        description:
          'The same `Idempotency-Key` returns the first response for 24 hours. While the first request is still running, a repetition waits for its response.',
        headers: z.object({ 'idempotency-key': idempotencyKeySchema.optional() }),
        body: notifyRequestSchema,
        response: {
          200: notifyReplySchema,
          409: problemResponse('The key was used with another body before'),
          ...notSentResponses,
        },
      },
    },
    async ({ headers, body, log }) => {
      onRequest();
      const started = performance.now();
      const idempotency_key = headers['idempotency-key'] ?? null;
      const sending = store.send({ ...body, idempotency_key });
      const outcome = await withDeadline(gatewayTimeoutMs, sending, () => ({ ...gatewayTimeout, mode }));
      const duration_ms = Math.round(performance.now() - started);
      log.info({ provider, idempotency_key, duration_ms, ...outcome }, 'notification answered');
      return replyTo(provider, outcome, gateway.receipts);
    },
  );

  registerCancelRoute(server, options);
}

function registerCancelRoute(
  server: Server,
  { provider, store, gateway, gatewayTimeoutMs }: NotifyRoutesOptions,
): void {
  server.delete(
    '/notify',
    {
      config: { access: ['service'] },
      schema: {
        tags: ['notifications'],
        operationId: 'cancelNotification',
        summary:
          'Cancel the POST /notify with this Idempotency-Key, or return its outcome if it has already arrived',
        description:
          'Returns the response of that request as soon as there is one. 404 means that the key is unknown: if the request arrives later, it is not sent, and if it was made less than `complete_for_ms` ago, it has not been sent before either. `complete_for_ms` is a duration, so that the clocks of two hosts are never compared.',
        headers: z.object({ 'idempotency-key': idempotencyKeySchema }),
        response: {
          200: notifyReplySchema,
          404: problemResponse('The key is unknown; see `complete_for_ms`'),
          ...notSentResponses,
        },
      },
    },
    async ({ headers }) => {
      const cancelling = store.cancel(headers['idempotency-key']);
      const outcome = await withDeadline(gatewayTimeoutMs, cancelling, () => gatewayTimeout);
      if (outcome) return replyTo(provider, outcome, gateway.receipts);
      throw new Problem(404, 'notification-unknown', 'No request with this Idempotency-Key is known.', {
        complete_for_ms: await store.completeForMs(),
      });
    },
  );
}
