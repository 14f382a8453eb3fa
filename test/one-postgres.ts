import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres-server.ts';

/** Starts one PostgreSQL for all unit tests. Each test creates its own databases in it. */
export default async function setup({ provide }: TestProject) {
  const server = await startPostgres({ settings: { fsync: 'off', full_page_writes: 'off' } });
  provide('postgresPort', server.port);
  return () => server[Symbol.asyncDispose]();
}
