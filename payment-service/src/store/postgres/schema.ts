import { readMigrations } from 'service-kit/migrations.ts';
import type { Schema } from 'service-kit/postgres/schema.ts';

export const schema: Schema = {
  owner: 'payment-service',
  migrations: readMigrations(new URL('./migrations/', import.meta.url)),
  // 009: earlier releases would insert customers by another key.
  runsBeside: 9,
  // Those of ../../live/replica-channel.ts, before it named its session.
  sessions: ['LISTEN payment_service', 'SELECT pg_notify($1, $2)'],
};
