import { readMigrations } from 'service-kit/migrations.ts';
import type { Schema } from 'service-kit/postgres/schema.ts';

export const schema: Schema = {
  owner: 'payment-service',
  migrations: readMigrations(new URL('./migrations/', import.meta.url)),
  // 006: earlier releases cannot read the status `held`.
  runsBeside: 6,
  // Those of ../../live/replica-channel.ts, before it named its session.
  sessions: ['LISTEN payment_service', 'SELECT pg_notify($1, $2)'],
};
