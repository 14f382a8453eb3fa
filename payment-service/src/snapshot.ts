import { providerSchema } from 'service-kit/notification.ts';
import { type SandboxSettings, sandboxSettingsSchema } from 'service-kit/provider/sandbox-settings.ts';
import { z } from 'zod';
import { formatAmount } from './money.ts';
import type { Notifier } from './notifier.ts';
import { type Payment, paymentSchema, viewPayment } from './payment.ts';
import { type RecentAttempts, recentBucketSchema } from './recent-attempts.ts';
import { circuitReportSchema } from './routes/circuit.ts';
import type { Store } from './store/store.ts';

const paymentsShown = 20;

const ofEach = <Schema extends z.ZodType>(schema: Schema) => z.object({ Aldeamo: schema, Twilio: schema });

/** A payment as those see it who watch: neither its text nor its phone is theirs to read. */
const watchedPaymentSchema = paymentSchema
  .pick({
    payment_id: true,
    currency: true,
    customer_id: true,
    notification_service: true,
    notification_status: true,
    possible_duplicate: true,
    created_at: true,
  })
  .extend({
    amount: z.string().meta({ description: 'Decimal text', example: '100.5' }),
    reason: z.string().nullable(),
    attempts: paymentSchema.shape.notification.shape.attempts,
  });
export type WatchedPayment = z.infer<typeof watchedPaymentSchema>;

/** All that the live page shows, at one moment. */
export const snapshotSchema = z.object({
  at: z.iso.datetime(),
  current_notification_service: providerSchema.nullable(),
  circuits: ofEach(circuitReportSchema),
  recent: ofEach(z.array(recentBucketSchema)).meta({
    description: 'What this process saw of each provider in the last five minutes',
  }),
  backlog: z
    .object({ size: z.number().int(), oldest_at: z.iso.datetime().nullable() })
    .nullable()
    .meta({ description: 'null while the store does not answer' }),
  payments: z
    .array(watchedPaymentSchema)
    .nullable()
    .meta({ description: 'The latest, newest first; null while the store does not answer' }),
  levers: ofEach(sandboxSettingsSchema.nullable()).meta({
    description: 'How the sandboxes behave; null where a provider is live, or can not be reached',
  }),
});
export type Snapshot = z.infer<typeof snapshotSchema>;

export interface SnapshotSources {
  store: Pick<Store, 'list' | 'backlog'>;
  notifier: Pick<Notifier, 'current' | 'report'>;
  recentAttempts: Pick<RecentAttempts, 'series'>;
  levers: { settings: () => Record<'Aldeamo' | 'Twilio', SandboxSettings | null> };
}

/** A snapshot but for its time, so that two of them can be compared. A store that does not answer is part of it. */
export async function takeSnapshot(sources: SnapshotSources): Promise<Omit<Snapshot, 'at'>> {
  const { store, notifier, recentAttempts, levers } = sources;
  const latest = {
    limit: paymentsShown,
    starting_after: undefined,
    customer_id: undefined,
    notification_status: undefined,
  };
  const [page, backlog] = await Promise.all([store.list(latest), store.backlog()]).catch(() => [null, null]);
  return {
    current_notification_service: notifier.current(),
    circuits: notifier.report(),
    recent: recentAttempts.series(),
    backlog,
    payments: page?.payments.map(watch) ?? null,
    levers: levers.settings(),
  };
}

function watch(payment: Payment): WatchedPayment {
  const { payment_id, currency, customer_id, created_at, possible_duplicate, ...view } = viewPayment(payment);
  return {
    payment_id,
    amount: formatAmount(payment.amount_minor, currency),
    currency,
    customer_id,
    created_at,
    possible_duplicate,
    notification_service: view.notification_service,
    notification_status: view.notification_status,
    reason: view.notification.reason,
    attempts: view.notification.attempts,
  };
}
