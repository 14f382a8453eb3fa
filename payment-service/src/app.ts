import type { FastifyBaseLogger } from 'fastify';
import type { Registry } from 'prom-client';
import type { AccessOptions } from 'service-kit/server/access.ts';
import type { AdmissionOptions } from 'service-kit/server/admission.ts';
import { buildServer, type Server } from 'service-kit/server/server.ts';
import { parseWithAmountAsText } from './amount-as-text.ts';
import { createDelivery } from './delivery.ts';
import { createLivePage } from './live-page.ts';
import { type LiveViewSources, registerLiveView } from './live-view.ts';
import { countPayments, showCircuits, showStore } from './metrics.ts';
import { createNotificationRetry } from './notification-retry.ts';
import type { Notifier } from './notifier.ts';
import { type OutboxOptions, startOutbox } from './outbox.ts';
import type { PaymentObserver } from './payment.ts';
import type { RequestRules } from './payment-request.ts';
import { createPayments } from './payments.ts';
import { createReplicas, type ReplicasOptions } from './replicas.ts';
import type { RetryPolicy } from './retry-policy.ts';
import { registerCircuit } from './routes/circuit.ts';
import { registerCustomers } from './routes/customers.ts';
import { registerHealthReport } from './routes/health.ts';
import { registerPayments } from './routes/payments.ts';
import { registerReceipts } from './routes/receipts.ts';
import { toStoreProblem } from './routes/store-unavailable.ts';
import type { Store } from './store/store.ts';
import { createStoreView } from './store-view.ts';

export interface Dependencies {
  store: Store;
  notifier: Notifier;
  policy: RetryPolicy;
  rules: RequestRules;
  outbox: Omit<OutboxOptions, 'store' | 'delivery' | 'log'>;
  /** What GET /metrics shows; the payments, the circuits and the store are added to it. */
  metrics: Registry;
  /** What this process is called among its replicas, and how they hear of each other. */
  replica: Pick<ReplicasOptions, 'name' | 'openChannel'>;
  /** What people are shown who watch, beside the store and the notifier. */
  live: LiveViewSources;
  access: AccessOptions & AdmissionOptions;
  logger: FastifyBaseLogger;
  version: string;
}

/** The payment service. It takes over store and notifier, and closes them when it closes. */
export async function buildApp(dependencies: Dependencies): Promise<Server> {
  const { store, notifier, policy, rules, metrics, logger, version } = dependencies;
  const server = await buildServer({
    title: 'Payment service',
    greeting: 'Servicio de Pagos',
    page: createLivePage(),
    description: 'Takes payments and notifies their customers, through Aldeamo or Twilio.',
    version,
    logger,
    metrics,
    ...dependencies.access,
    ready: store.check,
    parseJson: parseWithAmountAsText,
    translateError: toStoreProblem,
  });
  showCircuits(metrics, notifier.report);
  showStore(metrics, store);
  const count = countPayments(metrics);
  const storeView = createStoreView(store);
  const replica = dependencies.replica.name;
  const replicas = createReplicas({
    ...dependencies.replica,
    notifier,
    onPaymentChanged: storeView.invalidate,
    log: logger,
  });
  const onChange: PaymentObserver = (payment, before) => {
    count(payment, before);
    storeView.invalidate();
    replicas.paymentChanged();
  };
  const delivery = createDelivery({ store, notifier, policy, onChange });
  const payments = createPayments({ store, delivery, policy, onChange });
  const retryNotification = createNotificationRetry({ store, delivery, policy });
  registerPayments(server, { payments, retryNotification, store, rules });
  registerCustomers(server, store, rules);
  registerReceipts(server, store, onChange);
  registerHealthReport(server, notifier);
  registerCircuit(server, notifier);
  await registerLiveView(server, {
    replica,
    replicas,
    storeView,
    notifier,
    log: logger,
    ...dependencies.live,
  });

  const outbox = startOutbox({ ...dependencies.outbox, store, delivery, log: logger });
  // The outbox takes on nothing more from the first moment; what is under way ends before its tools are taken away.
  server.stopping.addEventListener('abort', () => void outbox.stop());
  server.addHook('onClose', async () => {
    await outbox.stop();
    await delivery.drain();
    await notifier.close();
    await replicas.close();
    await store.close();
  });
  return server;
}
