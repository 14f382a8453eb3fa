import type { FastifyBaseLogger } from 'fastify';
import type { Country } from 'service-kit/contract/phone.ts';
import type { Server } from 'service-kit/http/types.ts';
import { hasNewStatus } from '../domain/events.ts';
import type { PaymentObserver } from '../domain/payment.ts';
import type { Visibility } from '../domain/visibility.ts';
import type { EventRecording } from '../store/events.ts';
import type { Store } from '../store/store.ts';
import { registerEvents } from './events-route.ts';
import { registerWebhookDeliveries } from './webhook-deliveries-route.ts';
import { startWebhooks, type Webhooks, type WebhooksOptions } from './worker.ts';

export interface EventOptions {
  /** That of the store. */
  recording: EventRecording;
  /** How long events are stored, in ms. */
  retentionMs: number;
  /** undefined: no event is delivered. */
  webhooks: Pick<WebhooksOptions, 'endpoint' | 'concurrency' | 'timeoutMs'> | undefined;
}

interface Sources extends EventOptions, Pick<WebhooksOptions, 'observe'> {
  store: Store;
  visibility: Visibility;
  defaultCountry: Country;
  log: FastifyBaseLogger;
}

export interface MerchantEvents {
  /** Has the event of a change delivered at once; without it the worker finds it within half a second. */
  onChange: PaymentObserver;
  /** undefined without an endpoint. */
  report: Webhooks['report'] | undefined;
  /** Can be called again. */
  stop(): Promise<void>;
}

/** Registers the routes of events and of their deliveries, and starts the deliveries. */
export function registerMerchantEvents(server: Server, sources: Sources): MerchantEvents {
  const webhooks = sources.webhooks && startWebhooks({ ...sources, ...sources.webhooks });
  let stopped: Promise<void> | undefined;
  registerEvents(server, sources);
  registerWebhookDeliveries(server, sources.store, webhooks, sources.defaultCountry);
  return {
    onChange(payment, before) {
      if (hasNewStatus(payment, before)) webhooks?.wake();
    },
    report: webhooks?.report,
    async stop() {
      stopped ??= webhooks?.stop();
      await stopped;
    },
  };
}
