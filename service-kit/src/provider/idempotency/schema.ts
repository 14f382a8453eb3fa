import { readMigrations } from '../../migrations.ts';
import type { Schema } from '../../postgres/schema.ts';

/** The tables that the replicas of both provider services share. */
export const schema: Schema = {
  owner: 'provider-services',
  migrations: readMigrations(new URL('./migrations/', import.meta.url)),
  runsBeside: 0,
  sessions: [], // none that only they have
};
