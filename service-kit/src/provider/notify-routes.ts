import { z } from 'zod';
import type { Mode } from '../contract/mode.ts';
import {
  idempotencyKeySchema,
  notifyReplySchema,
  notifyRequestSchema,
  type Provider,
} from '../contract/notification.ts';
import { withDeadline } from '../deadline.ts';
import { problemResponses } from '../http/problem.ts';
import type { Server } from '../http/types.ts';
import type { Gateway } from './gateway.ts';
import type { IdempotencyStore } from './idempotency/store.ts';
import { gatewayTimeout, replyTo } from './outcome-reply.ts';
import { providerProblem, providerProblems } from './provider-problems.ts';

interface NotifyRoutesOptions {
  provider: Provider;
  mode: Mode;
  store: IdempotencyStore;
  gateway: Gateway;
  gatewayTimeoutMs: number;
  /** Called for each POST /notify that is valid. */
  onRequest: () => void;
}

const notSent = [
  'notification-rejected',
  'notification-throttled',
  'notification-unknown',
  'notification-not-sent',
  'idempotency-store-unavailable',
  'notification-timeout',
] as const;

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
          ...problemResponses(providerProblems, 'idempotency-key-reused', ...notSent),
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
          ...problemResponses(providerProblems, 'notification-not-found', ...notSent),
        },
      },
    },
    async ({ headers }) => {
      const cancelling = store.cancel(headers['idempotency-key']);
      const outcome = await withDeadline(gatewayTimeoutMs, cancelling, () => gatewayTimeout);
      if (outcome) return replyTo(provider, outcome, gateway.receipts);
      throw providerProblem('notification-not-found', { complete_for_ms: await store.completeForMs() });
    },
  );
}
