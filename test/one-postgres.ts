import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres-server.ts';

/** One PostgreSQL for all unit tests, in which each makes databases of its own. */
export default async function setup({ provide }: TestProject) {
  const server = await startPostgres({ settings: { fsync: 'off', full_page_writes: 'off' } });
  provide('postgresPort', server.port);
  return () => server[Symbol.asyncDispose]();
}
