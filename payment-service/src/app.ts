import type { FastifyBaseLogger } from 'fastify';
import type { Registry } from 'prom-client';
import type { AccessOptions } from 'service-kit/http/access.ts';
import type { AdmissionOptions } from 'service-kit/http/admission.ts';
import { buildServer } from 'service-kit/http/server.ts';
import type { SiteOptions } from 'service-kit/http/site.ts';
import type { Server } from 'service-kit/http/types.ts';
import { createRecordReceipt } from './delivery/apply-receipt.ts';
import { type ReceiptAsksOptions, startReceiptAsks } from './delivery/ask-receipts.ts';
import type { Bounds } from './delivery/bounds.ts';
import { createNotificationCancel } from './delivery/cancel-notification.ts';
import type { ClockWatch } from './delivery/clock-watch.ts';
import { createPaymentCreation } from './delivery/create-payment.ts';
import { createDelivery } from './delivery/delivery.ts';
import { createErasure } from './delivery/erase-customer.ts';
import { followControls } from './delivery/follow-controls.ts';
import type { Notifier } from './delivery/notifier.ts';
import { type OutboxOptions, startOutbox } from './delivery/outbox.ts';
import { paymentProblems } from './delivery/problems.ts';
import type { ProviderHolds } from './delivery/provider-holds.ts';
import { createNotificationResend } from './delivery/resend-notification.ts';
import { createNotificationRetry } from './delivery/retry-notifications.ts';
import { toStoreProblem } from './delivery/store-unavailable.ts';
import type { PaymentObserver } from './domain/payment.ts';
import { longestWaitMs, type RetryPolicy } from './domain/retry-policy.ts';
import { createVisibility } from './domain/visibility.ts';
import { parseWithAmountAsText } from './http/amount-as-text.ts';
import { registerCircuit } from './http/circuit.ts';
import { registerPaymentCreation } from './http/create-payment-route.ts';
import { registerCustomers } from './http/customers.ts';
import { registerHealthReport } from './http/health.ts';
import { registerOperatorActions } from './http/operator-actions.ts';
import { registerOptOuts } from './http/opt-outs.ts';
import type { RequestRules } from './http/payment-request.ts';
import { registerPayments } from './http/payments.ts';
import { registerPersonalData } from './http/personal-data.ts';
import { registerReceipts } from './http/receipts.ts';
import { registerNotificationRetry } from './http/retry-notifications-route.ts';
import { registerSuppressions } from './http/suppressions.ts';
import { type LiveViewSources, registerLiveView } from './live/live.ts';
import { createLivePage } from './live/page-files.ts';
import { createReplicas, type ReplicasOptions } from './live/replicas.ts';
import { createStoreView } from './live/store-view.ts';
import { countActions } from './metrics/actions.ts';
import { exportClock } from './metrics/clock.ts';
import { exportHolds } from './metrics/holds.ts';
import { measureObjectives } from './metrics/objectives.ts';
import { countPayments } from './metrics/payments.ts';
import { exportCircuits, exportModes } from './metrics/providers.ts';
import { countReceipts } from './metrics/receipts.ts';
import { exportStore } from './metrics/store.ts';
import { countWebhookTries, exportWebhooks } from './metrics/webhooks.ts';
import { registerHolds } from './operations/holds.ts';
import { registerMe } from './operations/me.ts';
import { type RecordOptions, registerRecords } from './operations/records.ts';
import type { Store } from './store/store.ts';
import { type EventOptions, registerMerchantEvents } from './webhooks/merchant-events.ts';

export interface Dependencies {
  store: Store;
  notifier: Notifier;
  /** Those that the notifier has as well. */
  clients: ReceiptAsksOptions['clients'];
  policy: RetryPolicy;
  clock: ClockWatch;
  /** Those that the notifier has as well. */
  bounds: Bounds;
  /** Those that the notifier has as well. */
  holds: ProviderHolds;
  rules: RequestRules;
  /** That of the store: each client sees its own payments and customers alone. */
  clientsIsolated: boolean;
  /** What is recorded of the changes of payments, and delivered to the merchant. */
  events: EventOptions;
  /** What is kept for operators to look back at. The notifier and the store report to the history as well. */
  records: RecordOptions;
  outbox: Pick<OutboxOptions, 'concurrency' | 'ratePerSecond' | 'keyRetentionMs' | 'paymentRetentionMs'>;
  /** The registry of GET /metrics. The metrics of payments, circuits and store are added to it. */
  metrics: Registry;
  /** The deadline of one call to a provider service. */
  deadlineMs: number;
  /** The name of this process among its replicas, and the channel between them. */
  replica: Pick<ReplicasOptions, 'name' | 'openChannel'>;
  /** What the live page shows beside the store and the notifier. */
  live: LiveViewSources;
  access: AccessOptions & AdmissionOptions & SiteOptions;
  logger: FastifyBaseLogger;
  version: string;
}

/** Of /openapi.json, from what each client needs to what only the other services call. */
const tags = {
  payments: 'Recording payments, each of which notifies its customer, and reading them.',
  customers: 'The phones of customers, for payments without one.',
  events: "What becomes of payments, for the merchant's backend.",
  webhooks: 'The deliveries of events to WEBHOOK_URL.',
  suppressions: 'The phones that get no SMS.',
  circuit: 'The circuit breaker of the primary provider, and holds of either.',
  operations: 'What has happened, and how many SMS went out.',
  live: 'What the live page shows and does.',
  health: 'Whether the service and its providers can do their work.',
  notifications: 'Delivery receipts. For the provider services.',
  problems: 'What the `type` of a problem document refers to.',
};

/** Builds the payment service. It owns the store and the notifier: it closes them when it closes. */
export async function buildApp(dependencies: Dependencies): Promise<Server> {
  const { store, notifier, policy, clock, bounds, holds, rules, metrics, logger, version } = dependencies;
  const server = await buildServer({
    title: 'Payment service',
    greeting: 'Servicio de Pagos',
    page: createLivePage(),
    description: 'Records payments and notifies their customers through Aldeamo or Twilio.',
    tags,
    version,
    logger,
    metrics,
    deadlineMs: dependencies.deadlineMs,
    ...dependencies.access,
    ready: store.check,
    parseJson: parseWithAmountAsText,
    problems: paymentProblems,
    translateError: toStoreProblem,
  });
  exportCircuits(metrics, notifier.report);
  exportModes(metrics, notifier.report);
  exportHolds(metrics, holds);
  exportStore(metrics, store);
  exportClock(metrics, clock);
  const visibility = createVisibility(dependencies.clientsIsolated);
  const events = registerMerchantEvents(server, {
    ...dependencies.events,
    store,
    visibility,
    defaultCountry: rules.defaultCountry,
    observe: countWebhookTries(metrics, dependencies.events.webhooks?.timeoutMs),
    log: logger,
  });
  exportWebhooks(metrics, store, events.report);
  const records = registerRecords(server, { ...dependencies.records, store, clock, visibility, log: logger });
  const observers = [
    countPayments(metrics),
    countActions(metrics),
    countReceipts(metrics),
    measureObjectives(metrics),
    events.onChange,
    records.onChange,
  ];
  const storeView = createStoreView(store);
  const replica = dependencies.replica.name;
  const replicas = createReplicas({
    ...dependencies.replica,
    notifier,
    onPaymentChanged: storeView.invalidate,
    onControlsChanged: () => controls.readSoon(),
    log: logger,
  });
  const controls = followControls({
    ...{ store, holds, notifier },
    onChange: replicas.publishControls,
    log: logger,
  });
  const onChange: PaymentObserver = (payment, before) => {
    for (const observe of observers) observe(payment, before);
    storeView.invalidate();
    replicas.publishChange();
  };
  const delivery = createDelivery({ store, notifier, policy, clock, bounds, onChange });
  const creation = createPaymentCreation({ store, delivery, policy, bounds, onChange });
  const resendNotification = createNotificationResend({ store, delivery });
  const cancelNotification = createNotificationCancel({ store, delivery });
  registerPaymentCreation(server, creation, rules);
  registerOperatorActions(server, { resendNotification, cancelNotification }, rules);
  registerNotificationRetry(server, createNotificationRetry({ store, policy, onChange }), rules);
  registerPayments(server, store, visibility);
  registerCustomers(server, store, rules, visibility);
  registerPersonalData(server, {
    ...{ store, visibility, defaultCountry: rules.defaultCountry },
    eraseCustomer: createErasure({ store, onChange }),
  });
  registerSuppressions(server, store, rules);
  registerOptOuts(server, store);
  const recordReceipt = createRecordReceipt({ store, undelivered: policy.undelivered, onChange });
  registerReceipts(server, recordReceipt);
  registerHealthReport(server, { store, notifier, version });
  registerCircuit(server, { notifier, controls, defaultCountry: rules.defaultCountry });
  registerHolds(server, {
    ...{ controls, holds, notifier, history: dependencies.records.history, visibility },
    defaultCountry: rules.defaultCountry,
  });
  registerMe(server);
  await registerLiveView(server, {
    replica,
    replicas,
    storeView,
    notifier,
    holds,
    visibility,
    log: logger,
    ...dependencies.live,
  });

  const outbox = startOutbox({
    ...dependencies.outbox,
    eventRetentionMs: dependencies.events.retentionMs,
    longestWaitMs: longestWaitMs(policy),
    store,
    delivery,
    clock,
    controls,
    log: logger,
  });
  const asks = startReceiptAsks({
    store,
    clients: dependencies.clients,
    recordReceipt,
    receiptTimeoutMs: policy.receiptTimeoutMs,
    onChange,
    log: logger,
  });
  // The outbox claims nothing from the start of the stop; rounds in progress end before their dependencies are closed.
  server.stopping.addEventListener('abort', () => {
    controls.stop();
    void outbox.stop();
    void asks.stop();
    void events.stop();
  });
  server.addHook('onClose', async () => {
    await Promise.all([outbox.stop(), asks.stop(), events.stop()]);
    await delivery.drain();
    await notifier.close();
    await records.stop();
    await replicas.close();
    await store.close();
  });
  return server;
}
