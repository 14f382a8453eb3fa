import type { FastifyBaseLogger } from 'fastify';
import { Problem } from 'service-kit/server/problem.ts';
import { buildServer, type Server } from 'service-kit/server/server.ts';
import { createDelivery } from './delivery.ts';
import type { Notifier } from './notifier.ts';
import { type OutboxOptions, startOutbox } from './outbox.ts';
import { createPayments } from './payments.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { registerCircuit } from './routes/circuit.ts';
import { registerHealthReport } from './routes/health.ts';
import { keepAmountAsText, registerPayments } from './routes/payments.ts';
import { type Store, StoreUnavailable } from './store/store.ts';

export interface Dependencies {
  store: Store;
  notifier: Notifier;
  policy: RetryPolicy;
  outbox: Omit<OutboxOptions, 'store' | 'delivery' | 'log'>;
  logger: FastifyBaseLogger;
  version: string;
}

/** The payment service. It takes over store and notifier, and closes them when it closes. */
export async function buildApp(dependencies: Dependencies): Promise<Server> {
  const { store, notifier, policy, logger, version } = dependencies;
  const server = await buildServer({
    title: 'Payment service',
    greeting: 'Servicio de Pagos',
    description: 'Takes payments and notifies their customers, through Aldeamo or Twilio.',
    version,
    logger,
    ready: store.check,
    reviver: keepAmountAsText,
    translateError: (error) =>
      error instanceof StoreUnavailable
        ? new Problem(
            503,
            'store-unavailable',
            'The store does not answer. Nothing was kept, nothing was sent.',
            {
              headers: { 'retry-after': '1' },
            },
          )
        : undefined,
  });
  const delivery = createDelivery({ store, notifier, policy });
  const payments = createPayments({ store, delivery, policy });
  registerPayments(server, payments, store);
  registerHealthReport(server, notifier);
  registerCircuit(server, notifier);

  const outbox = startOutbox({ ...dependencies.outbox, store, delivery, log: logger });
  server.addHook('onClose', async () => {
    await Promise.all([outbox.stop(), payments.drain()]);
    await notifier.close();
    await store.close();
  });
  return server;
}
