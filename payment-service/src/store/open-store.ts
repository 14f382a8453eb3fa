import type { FastifyBaseLogger } from 'fastify';
import { openSqliteStore } from './sqlite/store.ts';
import type { Store } from './store.ts';

const file = 'file:';

/** The store of one process at `file:` and a path, or that of several replicas at a `postgres://` URL. */
export async function openStore(url: string, leaseMs: number, log: FastifyBaseLogger): Promise<Store> {
  if (url.startsWith(file)) return openSqliteStore({ path: url.slice(file.length), leaseMs });
  const { openPostgresStore } = await import('./postgres/store.ts'); // imported here, so that SQLite does not load pg
  return openPostgresStore({ url, leaseMs, log });
}
