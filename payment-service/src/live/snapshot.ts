import { providerSchema } from 'service-kit/contract/notification.ts';
import { sandboxSettingsSchema } from 'service-kit/contract/sandbox-settings.ts';
import { z } from 'zod';
import { healthOf, healthSchema } from '../delivery/health.ts';
import type { Notifier } from '../delivery/notifier.ts';
import type { ProviderHolds } from '../delivery/provider-holds.ts';
import { storeFaults } from '../delivery/store-fault.ts';
import { isPossibleDuplicate } from '../domain/deliveries.ts';
import { formatAmount } from '../domain/money.ts';
import { type Payment, paymentSchema } from '../domain/payment.ts';
import { attemptViewSchema, viewAttempt } from '../domain/payment-view.ts';
import { providerHoldSchema } from '../domain/provider-controls.ts';
import { circuitsSchema } from '../providers/circuit-report.ts';
import { type RecentAttempts, recentBucketSchema } from './recent-attempts.ts';
import { type Replicas, replicaSchema } from './replicas.ts';
import type { SandboxControls } from './sandbox-controls.ts';
import type { StoreView } from './store-view.ts';

const ofEach = <Schema extends z.ZodType>(schema: Schema) => z.object({ Aldeamo: schema, Twilio: schema });

/** A payment without its text and its phone, so that the page shows neither. */
const watchedPaymentSchema = paymentSchema
  .pick({
    payment_id: true,
    currency: true,
    customer_id: true,
    notification_service: true,
    notification_status: true,
    reason: true,
    created_at: true,
  })
  .extend({
    attempts: z.array(attemptViewSchema),
    amount: z.string().meta({ description: 'A decimal number as text', example: '100.5' }),
    possible_duplicate: z.boolean(),
  })
  .meta({ id: 'WatchedPayment' });
export type WatchedPayment = z.infer<typeof watchedPaymentSchema>;

/** The state that the live page shows, at one moment. */
export const snapshotSchema = z
  .object({
    at: z.iso.datetime(),
    replica: z.string().meta({ description: 'The replica that sent the snapshot', example: 'replica-1' }),
    status: healthSchema.shape.status,
    current_notification_service: providerSchema.nullable(),
    circuits: circuitsSchema,
    holds: ofEach(providerHoldSchema.nullable()).meta({
      description: 'Who holds a provider and why, in all replicas; null unless it is held',
    }),
    replicas: z.array(replicaSchema).meta({ description: 'All replicas, this one included' }),
    recent: ofEach(z.array(recentBucketSchema)).meta({
      description: 'The calls of this process to each provider in the last five minutes',
    }),
    backlog: z
      .object({ size: z.number().int(), oldest_at: z.iso.datetime().nullable() })
      .nullable()
      .meta({ description: 'The pending notifications; null while the store is unavailable' }),
    store_fault: z
      .enum(storeFaults)
      .nullable()
      .meta({ description: 'Why the store takes no payment, so that all are refused; null if it does' }),
    held: z
      .record(z.string(), z.number().int())
      .nullable()
      .meta({
        description: 'How many notifications are held, by reason; null while they cannot be counted',
        example: { phone_unknown: 3 },
      }),
    dead_letters: z
      .number()
      .int()
      .nullable()
      .meta({ description: 'The webhook deliveries that are dead; null while they cannot be counted' }),
    payments: z
      .array(watchedPaymentSchema)
      .nullable()
      .meta({ description: 'The latest payments, newest first; null while the store is unavailable' }),
    // The settings of the sandbox controls. The field keeps its first name, because pages and services of two releases meet.
    levers: ofEach(sandboxSettingsSchema.nullable()).meta({
      description: 'The settings of the sandboxes; null if a provider is live, or cannot be reached',
    }),
  })
  .meta({ id: 'Snapshot', description: 'The state of the service at one moment' });
export type Snapshot = z.infer<typeof snapshotSchema>;

export interface SnapshotSources {
  replica: string;
  replicas: Pick<Replicas, 'all'>;
  storeView: Pick<StoreView, 'read'>;
  notifier: Pick<Notifier, 'current' | 'report'>;
  holds: Pick<ProviderHolds, 'of'>;
  recentAttempts: Pick<RecentAttempts, 'series'>;
  sandboxControls: Pick<SandboxControls, 'settings'>;
}

/** A snapshot without its time, so that two can be compared. An unavailable store is shown in it, and is no error. */
export async function takeSnapshot(sources: SnapshotSources): Promise<Omit<Snapshot, 'at'>> {
  const { replica, replicas, storeView, notifier, holds, recentAttempts, sandboxControls } = sources;
  const { latest, counts, fault } = await storeView.read();
  const circuits = notifier.report();
  return {
    replica,
    status: healthOf(circuits, latest !== null && fault === null).status,
    current_notification_service: notifier.current(),
    circuits,
    holds: { Aldeamo: holds.of('Aldeamo'), Twilio: holds.of('Twilio') },
    replicas: replicas.all(),
    recent: recentAttempts.series(),
    backlog: latest?.backlog ?? null,
    store_fault: fault,
    held: counts?.held ?? null,
    dead_letters: counts?.deadLetters ?? null,
    payments: latest?.payments.map(watchedPaymentOf) ?? null,
    levers: sandboxControls.settings(),
  };
}

const watchedPaymentOf = (payment: Payment): WatchedPayment => ({
  payment_id: payment.payment_id,
  amount: formatAmount(payment.amount_minor, payment.currency),
  currency: payment.currency,
  customer_id: payment.customer_id,
  created_at: payment.created_at,
  possible_duplicate: isPossibleDuplicate(payment.attempts),
  notification_service: payment.notification_service,
  notification_status: payment.notification_status,
  reason: payment.reason,
  attempts: payment.attempts.map(viewAttempt),
});
