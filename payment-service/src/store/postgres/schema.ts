import { readMigrations } from 'service-kit/migrations.ts';
import { migratePostgres } from 'service-kit/postgres/migrate.ts';

/** The owner of these tables in a database that the provider services may share. */
export const schemaOwner = 'payment-service';

const migrations = readMigrations(new URL('./migrations/', import.meta.url));

/** @throws DatabaseError */
export const migrateSchema = (url: string) => migratePostgres(url, schemaOwner, migrations);
